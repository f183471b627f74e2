"""Capture a series: every sentence once through every checkpoint, one file a checkpoint."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from neurotrace.capture import loading
from neurotrace.capture.collect import Rotations, collect, rotations_of
from neurotrace.capture.folder import file_name, settle
from neurotrace.capture.job import (
    Job,
    Options,
    prepare,
    refuse_other_tokenizer,
    refuse_other_widths,
)
from neurotrace.capture.loss import nats
from neurotrace.capture.models import HookedModel, hook
from neurotrace.capture.plain import Model
from neurotrace.capture.progress import Reporter
from neurotrace.checkpoints import Checkpoint, weight_hash
from neurotrace.concepts import ConceptSet
from neurotrace.runner import map_each
from neurotrace.store import ActivationStore, CheckpointWriter
from neurotrace.store.match import TWIN, is_finished


def run(
    series: Sequence[Checkpoint],
    concepts: ConceptSet,
    out: str | Path,
    *,
    what: Sequence[str] = ("mlp.hook_post/max",),
    dtype: str = "float16",
    bos: str = "default",
    device: str = "cpu",
    compute_dtype: str = "float32",
    batch_tokens: int = 4096,
    backend: str = "bridge",
    tokens_per_language: int = 1000,
    words_per_language: int = 1000,
    word_cap: int = 15,
    loss_sentences: int = 32,
    exclude_ids: Sequence[int] = (),
    twin: str | Path | int | None = None,
    allow_equal: bool = False,
    trust_remote_code: bool = False,
    seed: int = 0,
    executor: str = "serial",
    progress: bool = True,
) -> ActivationStore:
    """Capture pooled activations of every sentence at every checkpoint.

    The same call again goes on where the last one was stopped, whatever stopped it; on a finished
    folder it checks the weights and captures nothing.

    Parameters
    ----------
    series
        Checkpoints of one training run, in order, such as :func:`neurotrace.checkpoints.find`
        gives.
    concepts
        The sentences. They are kept as ``concepts.jsonl`` beside the activations.
    out
        Folder of the run.
    what
        Paths, all captured in one pass: ``site/pooling`` or ``site@rotatedSEED/pooling``.
    dtype
        Of neurons on disk, ``float16`` or ``float32``; states are always float32.
    bos
        ``default`` (what the tokenizer does), ``always`` or ``never``. Whatever the policy, BOS,
        other special tokens and padding are never pooled (``mean_all`` alone keeps specials).
    compute_dtype
        Of the forward pass.
    batch_tokens
        Most tokens of a batch, padding included.
    tokens_per_language
        Tokens drawn for ``/tokens`` paths, once, before the first forward pass.
    words_per_language, word_cap
        Words drawn for ``/words`` paths (``/words_first``, ``/words_mean``), once, before the first
        forward pass, from at most ``word_cap`` occurrences of each type of word.
    loss_sentences
        Sentences a language whose next-token loss is kept; 0 for none.
    exclude_ids
        Token ids that are never pooled nor drawn, alone or in a word.
    twin
        Folder of a re-initialised model, or the seed to make one from the series' configuration;
        it is captured into ``twin.h5``, apart from the steps.
    allow_equal
        Whether two steps may have the same weights.
    executor
        Where checkpoints are captured, see :func:`neurotrace.runner.map_each`.

    Raises
    ------
    ValueError, BrokenCheckpoint, UnsupportedModel
        For input that is refused, naming it; most of it before anything is captured.
    StoreMismatch
        When the folder holds something captured in another way, naming what differs.
    StoreFull
        When the disk cannot hold what is missing.
    """
    options = Options(
        what=what,
        dtype=dtype,
        bos=bos,
        device=device,
        compute_dtype=compute_dtype,
        batch_tokens=batch_tokens,
        backend=backend,
        tokens_per_language=tokens_per_language,
        words_per_language=words_per_language,
        word_cap=word_cap,
        loss_sentences=loss_sentences,
        exclude_ids=exclude_ids,
        trust_remote_code=trust_remote_code,
        seed=seed,
    )
    job, out = prepare(series, concepts, options), Path(out)
    files = {checkpoint: out / file_name(n, checkpoint) for n, checkpoint in enumerate(series)}
    settle(job, out, [*files.values(), *([out / TWIN] if twin is not None else [])])
    rotations = rotations_of(job.targets, job.widths, job.n_layers, device=device)
    seen: dict[str, str] = {}
    with Reporter(len(series) + (twin is not None), len(concepts), shown=progress) as reporter:
        work = _Work(job, rotations, reporter)

        def one(checkpoint: Checkpoint) -> None:
            # Hashing reads the file that loading maps next, so it costs no second read.
            found = weight_hash(checkpoint.path)
            twice = seen.setdefault(found, checkpoint.label)
            if twice != checkpoint.label and not allow_equal:
                raise ValueError(
                    f"{twice} and {checkpoint.label} have equal weights; one of them is a copy "
                    "(--allow-equal, or allow_equal=True, lets them pass)"
                )
            work.capture(checkpoint, files[checkpoint], weights=found, label=checkpoint.label)

        map_each(one, series, executor=executor)
        if twin is not None:
            work.capture_twin(twin, out / TWIN)
    return ActivationStore.open(out)


@dataclass(frozen=True)
class _Work:
    """What every checkpoint of a run is captured with."""

    job: Job
    rotations: Rotations
    reporter: Reporter

    def capture(
        self,
        checkpoint: Checkpoint,
        file: Path,
        *,
        weights: str,
        label: str,
        model: Model | None = None,
    ) -> None:
        """One checkpoint into its file; nothing where the file is there and matches.

        Parameters
        ----------
        weights
            Their hash.
        label
            Name in messages.
        model
            The model itself, where it lies in no folder.
        """
        job, options = self.job, self.job.options
        trust = options.trust_remote_code
        tokenizer = loading.load_tokenizer(checkpoint.path, trust_remote_code=trust)
        refuse_other_tokenizer(job, tokenizer, label)
        header = {**_header(checkpoint, weights), **job.header}
        self.reporter.checkpoint(label, 0)
        if is_finished(file, header):
            self.reporter.done("was captured already")
            return
        # The file comes first: a disk that is too full is met before a model is loaded.
        with _writer(job, file, header) as writer:
            if model is None:
                model = loading.load_weights(
                    checkpoint.path,
                    device=options.device,
                    dtype=options.compute_dtype,
                    trust_remote_code=trust,
                )
            hooked = hook(model, tokenizer, backend=options.backend, sites=job.sites)
            refuse_other_widths(job, hooked.widths, label)
            self._fill(writer, hooked, label)
        self.reporter.done()
        del model, hooked
        loading.free(options.device)

    def _fill(self, writer: CheckpointWriter, hooked: HookedModel, label: str) -> None:
        """Everything that a file lacks, and its final name."""
        job = self.job
        self.reporter.checkpoint(label, writer.n_done)
        collect(
            hooked,
            writer,
            job=job,
            rotations=self.rotations,
            label=label,
            advance=self.reporter.advance,
        )
        if job.loss is not None:
            writer.write_loss(nats(hooked, job.tokenized, job.loss["example"].to_numpy()))
        writer.finish()

    def capture_twin(self, twin: str | Path | int, file: Path) -> None:
        """The re-initialised model: the chance level of whatever is not learned."""
        options, first = self.job.options, self.job.series[0]
        if not isinstance(twin, int):
            checkpoint = Checkpoint(first.model, 0, Path(twin), revision=Path(twin).name)
            weights = weight_hash(checkpoint.path)
            self.capture(checkpoint, file, weights=weights, label="twin")
            return
        model = loading.reinitialized(
            first.path, seed=twin, dtype=options.compute_dtype, device=options.device
        )
        checkpoint = Checkpoint(first.model, 0, first.path, revision=f"twin of seed {twin}")
        self.capture(checkpoint, file, weights=_hash(model), label="twin", model=model)


def _header(checkpoint: Checkpoint, weights: str) -> dict[str, Any]:
    return {
        "model": checkpoint.model,
        "revision": checkpoint.revision,
        "step": checkpoint.step,
        "stage": checkpoint.stage,
        "tokens": checkpoint.tokens,
        "weight_hash": weights,
    }


def _writer(job: Job, file: Path, header: Mapping[str, Any]) -> CheckpointWriter:
    return CheckpointWriter.open(
        file,
        header=header,
        examples=job.examples,
        labels=job.concepts.labels(),
        concepts=job.concepts.concepts,
        arrays=job.arrays,
        tokens=job.tables.get("tokens"),
        words=job.tables.get("words"),
        languages=job.concepts.languages,
        loss=job.loss,
    )


def _hash(model: Model) -> str:
    """SHA-256 over the tensors of a model that lies in no file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
