"""The work on one checkpoint: its model loaded, hooked, and read into its file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from neurotrace.capture import loading
from neurotrace.capture.batches import Allowance
from neurotrace.capture.collect import Rotations, collect
from neurotrace.capture.devices import free
from neurotrace.capture.job import Job, refuse_other_tokenizer, refuse_other_widths
from neurotrace.capture.loss import nats
from neurotrace.capture.models import HookedModel, hook
from neurotrace.capture.plain import Model
from neurotrace.capture.progress import Reporter
from neurotrace.checkpoints import Checkpoint, weight_hash
from neurotrace.runner.leases import Lease
from neurotrace.store import CheckpointWriter
from neurotrace.store.match import is_finished


@dataclass(frozen=True)
class Work:
    """What every checkpoint of a run is captured with."""

    job: Job
    rotations: Rotations
    reporter: Reporter
    allowance: Allowance

    def capture(
        self,
        checkpoint: Checkpoint,
        file: Path,
        *,
        weights: str,
        label: str,
        model: Model | None = None,
        lease: Lease | None = None,
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
        lease
            That of the file, where other processes may want to make it too.
        """
        job, options = self.job, self.job.options
        trust = options.trust_remote_code
        tokenizer = loading.load_tokenizer(checkpoint, trust_remote_code=trust)
        refuse_other_tokenizer(job, tokenizer, label)
        if self.recognise(checkpoint, file, weights=weights, label=label):
            return
        header = self._header(checkpoint, weights)
        # The file comes first: a disk that is too full is met before a model is loaded.
        with _writer(job, file, header, lease) as writer:
            if model is None:
                model = loading.load_weights(
                    checkpoint.path,
                    device=options.device,
                    dtype=options.compute_dtype,
                    device_map=options.device_map,
                    trust_remote_code=trust,
                )
            hooked = hook(
                model, tokenizer, backend=options.backend, sites=job.sites, stack=job.stack
            )
            refuse_other_widths(job, hooked.widths, label)
            self._fill(writer, hooked, label)
        self.reporter.done()
        del model, hooked
        free(options.device)

    def recognise(self, checkpoint: Checkpoint, file: Path, *, weights: str, label: str) -> bool:
        """Whether a file is there already, made of these weights in this way.

        Raises
        ------
        StoreMismatch
            When it was made in another way, naming what differs.
        """
        self.reporter.checkpoint(label, 0)
        if not is_finished(file, self._header(checkpoint, weights)):
            return False
        self.reporter.done("was captured already")
        return True

    def _header(self, checkpoint: Checkpoint, weights: str) -> dict[str, Any]:
        return {**_header(checkpoint, weights), **self.job.header}

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
            allowance=self.allowance,
        )
        if job.loss is not None:
            rows = job.loss["example"].to_numpy()
            writer.write_loss(nats(hooked, job.tokenized, rows, masked=job.masked))
        writer.finish()

    def capture_twin(
        self, twin: str | Path | int, file: Path, *, lease: Lease | None = None
    ) -> None:
        """The re-initialised model: the chance level of whatever is not learned."""
        options, first = self.job.options, self.job.series[0]
        if not isinstance(twin, int):
            checkpoint = Checkpoint(first.model, 0, Path(twin), revision=Path(twin).name)
            weights = weight_hash(checkpoint.path)
            self.capture(checkpoint, file, weights=weights, label="twin", lease=lease)
            return
        model = loading.reinitialized(
            first.path,
            seed=twin,
            dtype=options.compute_dtype,
            device=options.device,
            trust_remote_code=options.trust_remote_code,
        )
        name, lent = f"twin of seed {twin}", first.tokenizer
        checkpoint = Checkpoint(first.model, 0, first.path, revision=name, tokenizer=lent)
        weights = _hash(model)
        self.capture(checkpoint, file, weights=weights, label="twin", model=model, lease=lease)
        del model  # a bridge ties its parts in circles: only a collection lets go of them
        free(options.device)


def _header(checkpoint: Checkpoint, weights: str) -> dict[str, Any]:
    return {
        "model": checkpoint.model,
        "revision": checkpoint.revision,
        "step": checkpoint.step,
        "stage": checkpoint.stage,
        "tokens": checkpoint.tokens,
        "commit": None if checkpoint.remote is None else checkpoint.remote.commit,
        "weight_hash": weights,
    }


def _writer(
    job: Job, file: Path, header: Mapping[str, Any], lease: Lease | None
) -> CheckpointWriter:
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
        lease=lease,
    )


def _hash(model: Model) -> str:
    """SHA-256 over the tensors of a model that lies in no file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
