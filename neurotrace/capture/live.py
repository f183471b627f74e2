"""Capture inside a training run, so that checkpoints need not be kept.

The training is left as it would have been without it, bit by bit: see
:mod:`neurotrace.capture.live_model`.
"""

import shutil
import weakref
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from rich.console import Console
from transformers.trainer_callback import TrainerCallback

from neurotrace.capture import live_model
from neurotrace.capture.batches import Allowance
from neurotrace.capture.collect import rotations_of
from neurotrace.capture.devices import home, resolve
from neurotrace.capture.folder import settle
from neurotrace.capture.job import Options, decide
from neurotrace.capture.live_folder import LiveFolder
from neurotrace.capture.plain import Model
from neurotrace.capture.progress import Reporter
from neurotrace.capture.work import Work
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.store import ActivationStore
from neurotrace.store.match import TWIN


class LiveCapture(TrainerCallback):
    """Captures a model while it is trained: a callback of ``transformers.Trainer``.

    ``Trainer(…, callbacks=[LiveCapture(concepts, "runs/live")])`` captures the model before its
    first step and whenever a checkpoint is saved, in a folder that equals the one
    :func:`neurotrace.capture.run` makes of the saved checkpoints (``backend="plain"``), and that
    ``python -m neurotrace.trace --source runs/live`` traces. In a loop of one's own,
    :meth:`capture` does the same.

    The same training resumed goes on with the same folder; what is there is not captured again. Of
    several processes the main one alone captures; the others wait at their next collective.

    Parameters
    ----------
    concepts
        The sentences, as they are: where concepts are uneven between languages, a trace of saved
        checkpoints would balance them first (:meth:`neurotrace.concepts.ConceptSet.balanced`).
    out
        Folder of the run.
    at
        Optimiser steps at which to capture, saved or not; 0 is the model before the first one.
    saves
        Whether to capture at every save, too.
    tokenizer
        None: the trainer's own.
    name
        Of the series. None: the trainer's output folder, or ``out``.
    twin
        Seed of a re-initialised model that is captured once, beside the steps.
    strict
        Whether what goes wrong here ends the training. Otherwise it is told, once, and kept in
        ``failures``; the training goes on without that capture.
    what, dtype, bos, compute_dtype, batch_tokens, tokens_per_language, words_per_language, \
word_cap, loss_sentences, exclude_ids, stack, trust_remote_code, seed
        As for :func:`neurotrace.capture.run`. ``compute_dtype`` holds for the capture alone,
        whatever the training computes in.

    Attributes
    ----------
    failures
        Step → what went wrong there.

    Raises
    ------
    ValueError
        For options that are refused, when it is made. What is wrong with the model is told, or
        raised where ``strict``, at the first capture.
    """

    def __init__(
        self,
        concepts: ConceptSet,
        out: str | Path,
        *,
        what: Sequence[str] = ("mlp.hook_post/max",),
        at: Collection[int] = (0,),
        saves: bool = True,
        tokenizer: Any = None,
        name: str | None = None,
        twin: int | None = None,
        strict: bool = False,
        dtype: str = "float16",
        bos: str = "default",
        compute_dtype: str = "auto",
        batch_tokens: int = 1024,
        tokens_per_language: int = 1000,
        words_per_language: int = 1000,
        word_cap: int = 15,
        loss_sentences: int = 32,
        exclude_ids: Sequence[int] = (),
        stack: str = "auto",
        trust_remote_code: bool = False,
        seed: int = 0,
    ):
        self.out = Path(out)
        self.failures: dict[int, str] = {}
        self._concepts, self._at, self._saves = concepts, frozenset(at), saves
        self._tokenizer, self._name, self._twin, self._strict = tokenizer, name, twin, strict
        self._dtype = compute_dtype
        # Where the model lies is not known yet: what else is wrong is refused before any training.
        self._options = Options(
            what=what,
            dtype=dtype,
            bos=bos,
            device="cpu",
            compute_dtype="float32",
            batch_tokens=batch_tokens,
            backend="plain",
            tokens_per_language=tokens_per_language,
            words_per_language=words_per_language,
            word_cap=word_cap,
            loss_sentences=loss_sentences,
            exclude_ids=exclude_ids,
            stack=stack,
            trust_remote_code=trust_remote_code,
            seed=seed,
        )
        self._folder = LiveFolder(self.out)
        self._work: Work | None = None

    @property
    def store(self) -> ActivationStore:
        """What is captured so far."""
        return ActivationStore.open(self.out)

    def capture(
        self,
        model: Any,
        step: int,
        *,
        tokenizer: Any = None,
        stage: int = 0,
        tokens: int | None = None,
        revision: str | None = None,
    ) -> Path | None:
        """Capture a model as it is now.

        Parameters
        ----------
        model
            Of transformers; wrapped or not, in training mode or not.
        step
            Optimiser updates so far.
        tokenizer
            Where none was given before.
        tokens
            Training tokens seen so far, where known.
        revision
            The training's own name of this step.

        Returns
        -------
        The step's file; None where this is not the main process, or where something went wrong.
        """
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            if torch.distributed.get_rank() != 0:
                return None
        try:
            with live_model.untouched(model):
                inner = live_model.unwrapped(model)
                work = self._begun(inner, tokenizer)
                name = self._name or self.out.name
                here = work.job.series[0].path
                revision = revision or f"step{step}"
                checkpoint = Checkpoint(name, step, here, stage, tokens, revision)
                return self._captured(work, inner, checkpoint)
        except Exception as error:
            # Whatever it is, days of training are worth more than one capture.
            if self._strict:
                raise
            self._tell(step, error)
            return None

    # Names, and more than these methods use, are Trainer's.
    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002
        """Step 0; on resuming, the step that is resumed from, where its file is lacking."""
        step = state.global_step
        if step in self._at or (self._saves and step > 0):
            self._trainers(args, state, more)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002
        """A step that was asked for."""
        if state.global_step in self._at:
            self._trainers(args, state, more)

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002
        """A checkpoint has been saved."""
        if self._saves:
            self._trainers(args, state, more)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002
        """How many captures failed, where any did."""
        if self.failures:
            steps = ", ".join(map(str, sorted(self.failures)))
            _say(f"{len(self.failures)} of the steps asked for are not captured ({steps})")

    def _trainers(self, args: Any, state: Any, more: dict[str, Any]) -> None:
        if not state.is_world_process_zero:
            return
        self._name = self._name or Path(args.output_dir).name
        given = more.get("processing_class")
        self.capture(
            more["model"],
            state.global_step,
            # A processor of several modalities keeps its tokenizer inside.
            tokenizer=getattr(given, "tokenizer", given),
            tokens=state.num_input_tokens_seen or None,
            revision=f"checkpoint-{state.global_step}",
        )

    def _begun(self, model: Model, tokenizer: Any) -> Work:
        """Decisions that all captures share, made at the first one."""
        if self._work is not None:
            return self._work
        tokenizer = self._tokenizer if tokenizer is None else tokenizer
        if tokenizer is None:
            raise ValueError("got no tokenizer; expected one (tokenizer=, or processing_class=)")
        shell = Path(mkdtemp(prefix="neurotrace-live-"))
        weakref.finalize(self, shutil.rmtree, shell, ignore_errors=True)
        live_model.write_shell(model, tokenizer, shell)
        device, dtype = resolve(str(home(model)), self._dtype)
        options = replace(self._options, device=device, compute_dtype=dtype)
        job = decide([Checkpoint(self._name or self.out.name, 0, shell)], self._concepts, options)
        self._folder.refuse_other_run(job)
        work = Work(
            job,
            rotations_of(job.targets, job.widths, job.n_layers),
            Reporter(1, len(self._concepts), shown=False),
            Allowance(device),
        )
        if self._twin is not None:
            settle(job, self.out, [*self._folder.files, self.out / TWIN])
            work.capture_twin(self._twin, self.out / TWIN)
        self._work = work
        return work

    def _captured(self, work: Work, model: Model, checkpoint: Checkpoint) -> Path:
        """The file of a checkpoint, made where it is not there."""
        options, folder = work.job.options, self._folder
        state = live_model.saved_state(model)
        weights = live_model.state_hash(state)
        file = folder.file_of(checkpoint)
        settle(work.job, self.out, [*folder.files, file])
        folder.give_way(file, weights)
        if work.recognise(checkpoint, file, weights=weights, label=checkpoint.label):
            return file
        second = live_model.second_model(
            checkpoint.path,
            state,
            device=options.device,
            dtype=options.compute_dtype,
            trust_remote_code=options.trust_remote_code,
        )
        work.capture(checkpoint, file, weights=weights, label=checkpoint.label, model=second)
        return file

    def _tell(self, step: int, error: Exception) -> None:
        line = " ".join(str(error).split()) or type(error).__name__
        if line not in self.failures.values():
            _say(f"step {step} is not captured ({line:.300}); the training goes on")
        self.failures[step] = line


def _say(line: str) -> None:
    # Not warnings.warn: where warnings are errors, it would end the training.
    Console(stderr=True).print(f"neurotrace: {line}", markup=False, highlight=False, soft_wrap=True)
