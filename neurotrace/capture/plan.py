"""What a run would do, how many bytes it would write and roughly how long it would take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurotrace.capture.bringing import shelf_of
from neurotrace.capture.devices import DeviceMap, resolve, usual_batch
from neurotrace.capture.job import Job, Options, prepare
from neurotrace.capture.sampled import Sampled, sample
from neurotrace.checkpoints import Checkpoint
from neurotrace.checkpoints.freight import Freight
from neurotrace.checkpoints.quantities import duration, human
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.concepts import ConceptSet
from neurotrace.store.layout import is_state, table_of


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run, counted before it is made.

    Attributes
    ----------
    n_checkpoints, n_files
        Of the series; files, of which a twin is one more.
    n_examples, n_tokens
        Sentences, and their tokens with padding, that go through each checkpoint.
    n_drawn, n_words
        Tokens and words kept as rows of their own.
    bytes_per_checkpoint, n_bytes
        Size of a file, and of all of them.
    bytes_of_states
        Of a file, what ``--keep states`` keeps.
    seconds
        Rough guess, from some batches or a matrix product that were timed on the device.
    sampled
        The same for one checkpoint, part by part, and the sizes of its model.
    n_layers, width
        Blocks, and units of each at the first site.
    paths
        What is captured.
    freight
        Downloads; None where all checkpoints are local folders.
    """

    n_checkpoints: int
    n_files: int
    n_examples: int
    n_tokens: int
    n_drawn: int
    n_words: int
    bytes_per_checkpoint: int
    n_bytes: int
    bytes_of_states: int
    seconds: float
    sampled: Sampled
    n_layers: int
    width: int
    paths: tuple[str, ...]
    freight: Freight | None = None

    def __str__(self) -> str:
        kinds = [f"{self.n_drawn:,} tokens"] * bool(self.n_drawn)
        kinds += [f"{self.n_words:,} words"] * bool(self.n_words)
        drawn = f", {' and '.join(kinds)} kept one by one" if kinds else ""
        lines = (
            f"sentences a checkpoint  {self.n_examples:,} ({self.n_tokens:,} tokens){drawn}\n"
            f"on disk                 {human(self.n_bytes)} in {self.n_files} files of "
            f"{human(self.bytes_per_checkpoint)}\n"
            f"time                    roughly {duration(self.seconds)}, for capture alone"
        )
        return lines if self.freight is None else f"{lines}\n{self.freight}"


def plan(
    series: Sequence[Checkpoint],
    concepts: ConceptSet,
    *,
    what: Sequence[str] = ("mlp.hook_post/max",),
    dtype: str = "float16",
    bos: str = "default",
    device: str = "auto",
    compute_dtype: str = "auto",
    device_map: DeviceMap | None = None,
    batch_tokens: int | None = None,
    backend: str = "bridge",
    stack: str = "auto",
    tokens_per_language: int = 1000,
    words_per_language: int = 1000,
    word_cap: int = 15,
    loss_sentences: int = 32,
    exclude_ids: Sequence[int] = (),
    twin: str | Path | int | None = None,
    allow_equal: bool = False,
    trust_remote_code: bool = False,
    seed: int = 0,
    cache_budget: int | None = None,
    shelf: Shelf | None = None,
) -> Plan:
    """Count a run without making it; no weights are read or downloaded.

    Takes the options of :func:`neurotrace.capture.run`, and refuses what that refuses before it
    loads a model. Equal weights are found only by reading them: ``allow_equal`` changes nothing.
    """
    del allow_equal
    device, compute_dtype = resolve(device, compute_dtype)
    options = Options(
        what=what,
        dtype=dtype,
        bos=bos,
        device=device,
        compute_dtype=compute_dtype,
        device_map=device_map,
        batch_tokens=batch_tokens or usual_batch(device),
        # A bridge would move the layers; plain hooks leave them where they lie.
        backend=backend if device_map is None else "plain",
        tokens_per_language=tokens_per_language,
        words_per_language=words_per_language,
        word_cap=word_cap,
        loss_sentences=loss_sentences,
        exclude_ids=exclude_ids,
        trust_remote_code=trust_remote_code,
        seed=seed,
        stack=stack,
    )
    shelf = shelf_of(series, cache_budget=cache_budget, shelf=shelf)
    job = prepare(series, concepts, options)
    n_files = len(series) + (twin is not None)
    lengths = job.tokenized.lengths
    padded = [len(rows) * int(lengths[rows].max()) for slab in job.slabs for rows in slab.batches]
    found = sample(job, n_tokens=sum(padded), n_batches=len(padded))
    return Plan(
        n_checkpoints=len(series),
        n_files=n_files,
        n_examples=len(concepts),
        n_tokens=sum(padded),
        n_drawn=len(job.tables.get("tokens", ())),
        n_words=len(job.tables.get("words", ())),
        bytes_per_checkpoint=job.n_bytes,
        n_bytes=n_files * job.n_bytes,
        bytes_of_states=_states(job),
        seconds=n_files * found.total,
        sampled=found,
        n_layers=job.n_layers,
        width=job.widths[job.sites[0]],
        paths=tuple(str(target) for target in job.targets),
        freight=shelf.price(series) if any(c.remote for c in series) else None,
    )


def _states(job: Job) -> int:
    """Bytes of a file's residual states and embeddings."""
    heights = {"examples": len(job.concepts), **{name: len(t) for name, t in job.tables.items()}}
    return sum(
        heights[table_of(path)] * width * np.dtype(dtype).itemsize
        for (path, _), (width, dtype) in job.arrays.items()
        if is_state(path)
    )
