"""What a checkpoint costs to capture here: a few of its batches through random weights, timed.

A model of the same configuration is built, hooked and read as a real one is, so that what hooks,
pooling and small kernels cost is measured and not guessed. Large models would take longer to build
than a plan may last: theirs is told from the speed of a matrix product.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurotrace.capture import loading
from neurotrace.capture.collect import collect, rotations_of
from neurotrace.capture.devices import free, torch_dtype
from neurotrace.capture.job import Job
from neurotrace.capture.models import hook
from neurotrace.checkpoints.wanted import weight_bytes
from neurotrace.store.layout import Key

READ = 4e8  # bytes a second of hashing and loading weights
WRITE = 6e8  # bytes a second of checksums, writing, and reading once more before the rename
PER_FILE = 0.15  # seconds of tokenizer, tables and bookkeeping of a file, whatever its size
PER_MODEL = 0.7  # seconds of building, bridging and checking a model, where it is not measured
PER_BLOCK = 2e-3  # seconds of a block's hooks and small kernels, where they are not measured
MOST_WEIGHTS = 3e7  # of a model that is built to be timed
SECONDS = 1.5  # of batches that are timed


@dataclass(frozen=True)
class Sampled:
    """Seconds of one checkpoint's parts, on the device that the model runs on.

    Attributes
    ----------
    reading : hashing and loading the weights
    building : the model, its bridge and its checks
    forward : all sentences through the model, pooled, and the loss
    writing : the file
    bytes_read : of the weights
    n_weights, n_embedded, n_features : of the blocks, of the input embedding, and its width
    """

    reading: float
    building: float
    forward: float
    writing: float
    bytes_read: int
    n_weights: int
    n_embedded: int
    n_features: int

    @property
    def total(self) -> float:
        return self.reading + self.building + self.forward + self.writing


def sample(job: Job, *, n_tokens: int, n_batches: int) -> Sampled:
    """Price one checkpoint of a job, on one thread where it runs on a CPU.

    Parameters
    ----------
    n_tokens, n_batches
        Of a checkpoint, padding included.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for each other would count as work
    try:
        return _sampled(job, n_tokens, n_batches)
    finally:
        torch.set_num_threads(threads)


def _sampled(job: Job, n_tokens: int, n_batches: int) -> Sampled:
    folder = job.series[0].path
    body = loading.skeleton(folder, trust_remote_code=job.options.trust_remote_code).base_model
    table = body.get_input_embeddings()
    embedded = sum(p.numel() for p in table.parameters())
    weights = sum(p.numel() for p in body.parameters()) - embedded
    judged = 0
    if job.loss is not None:
        judged = int(job.tokenized.lengths[job.loss["example"]].sum())
    # A multiplication and an addition for every weight and token; attention is small beside it.
    speed = product_speed(job.options.device, job.options.compute_dtype)
    head = 2 * judged * (weights + embedded) / speed
    if job.options.device_map is None and weights + embedded <= MOST_WEIGHTS:
        building, forward = _timed(job, n_tokens)
        free(job.options.device)
    else:
        bases = {(t.site, t.rotation) for t in job.targets if t.rotation is not None}
        turning = sum(min(job.widths[site], 1024) * job.widths[site] for site, _ in bases)
        building = PER_MODEL
        forward = 2 * n_tokens * (weights + turning * job.n_layers) / speed
        forward += n_batches * job.n_layers * PER_BLOCK
    n_bytes = weight_bytes(job.series[0])
    return Sampled(
        reading=n_bytes / READ,
        building=PER_FILE + building,
        forward=forward + head,
        writing=job.n_bytes / WRITE,
        bytes_read=n_bytes,
        n_weights=weights,
        n_embedded=embedded,
        n_features=int(next(table.parameters()).shape[-1]),
    )


class _Nowhere:
    """Takes rows as a writer does, and forgets them."""

    n_done = 0

    def write(self, start: int, rows: Mapping[Key, NDArray]) -> None:
        del start, rows


def _timed(job: Job, n_tokens: int) -> tuple[float, float]:
    """Seconds of building a model, and of all tokens through it."""
    options = job.options
    clock = clock_of(options.device)
    begun = clock()
    model = loading.reinitialized(
        job.series[0].path,
        seed=0,
        dtype=options.compute_dtype,
        device=options.device,
        trust_remote_code=options.trust_remote_code,
    )
    hooked = hook(model, None, backend=options.backend, sites=job.sites, stack=job.stack)
    building = clock() - begun
    rotations = rotations_of(job.targets, job.widths, job.n_layers)

    def through(at: int) -> int:
        """One slab; the tokens that went through."""
        slab = job.slabs[at]
        some: Any = replace(job, slabs=[slab])
        into: Any = _Nowhere()
        collect(hooked, into, job=some, rotations=rotations, label="a sample")
        lengths = job.tokenized.lengths
        return sum(len(rows) * int(lengths[rows].max()) for rows in slab.batches)

    forward = _rate(through, len(job.slabs), clock) * n_tokens
    return building, forward


def _rate(through: Callable[[int], int], n_slabs: int, clock: Callable[[], float]) -> float:
    """Seconds a token, over slabs drawn at random until the time is up."""
    through(0)  # caches and threads wake
    tokens, spent = 0, 0.0
    for at in np.random.default_rng(0).permutation(n_slabs):
        begun = clock()
        tokens += through(int(at))
        spent += clock() - begun
        if spent > SECONDS:
            break
    return spent / tokens


def product_speed(device: str, dtype: str) -> float:
    """Multiplications and additions a second of a matrix product of usual size."""
    a = torch.ones(512, 512, device=device, dtype=torch_dtype(dtype, device))
    clock, best = clock_of(device), float("inf")
    for _ in range(5):
        begun = clock()
        float((a @ a)[0, 0])  # reading a number waits for the device
        best = min(best, clock() - begun)
    return 2 * 512**3 / best


def clock_of(device: str) -> Callable[[], float]:
    """Seconds of cores on a CPU, whoever else is at work there; of the wall elsewhere."""
    return time.process_time if device.startswith("cpu") else time.perf_counter
