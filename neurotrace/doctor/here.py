"""What this machine makes of it: sentences a second, and memory."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from neurotrace.doctor.findings import Finding

SECONDS = 5.0  # of timing, at most
N_TRACED, N_CHECKPOINTS = 10_000, 40  # a trace of ordinary size


def of_speed(model: Any, tokenized: Any, site: str, *, loading: float) -> Iterator[Finding]:
    """Sentences a second through hooks and pooling, and what a trace of ordinary size would take.

    Parameters
    ----------
    site
        That is pooled by its maximum.
    loading
        Seconds that the model took to load and to check.
    """
    rate, n = measured(model, tokenized, [f"{site}/max"])
    hours = N_CHECKPOINTS * (N_TRACED / rate + loading) / 3600
    yield Finding(
        "here",
        "speed",
        f"{rate:,.0f} sentences/s on {model.device} ({site}/max, {n} timed)",
        f"{N_TRACED:,} × {N_CHECKPOINTS} checkpoints: {_duration(hours)}",
        figure=rate,
    )


def measured(model: Any, tokenized: Any, what: Sequence[str]) -> tuple[float, int]:
    """Sentences a second, and how many were timed: batches as in a run, for a few seconds."""
    from neurotrace.capture.batches import plan_batches
    from neurotrace.capture.collect import Collector
    from neurotrace.capture.sites import parse_all

    collector = Collector(parse_all(what), model.n_layers, {})
    batches = [rows for slab in plan_batches(tokenized.lengths, 4096) for rows in slab.batches]
    # In another order: by length, the first ones would be the shortest.
    order = np.random.default_rng(0).permutation(len(batches))
    with model.watch(collector.readers) as forward:

        def once(rows: Any) -> None:
            values, _ = collector.run(forward, tokenized.batch(rows, device=str(model.device)))
            for x in values.values():
                x.cpu()

        once(batches[order[0]])  # the first pass sets things up
        start, n = time.perf_counter(), 0
        for at in order:
            once(batches[at])
            n += len(batches[at])
            if time.perf_counter() - start > SECONDS:
                break
        return n / (time.perf_counter() - start), n


def of_memory(device: str, n_bytes: int) -> Iterator[Finding]:
    """Most memory that this process has held, and on an accelerator most of its own."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    found = f"{host / 2**30:.2f} GiB at most"
    if device.startswith("cuda"):
        import torch

        found += f", {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB of {device}"
    yield Finding(
        "here",
        "memory",
        found,
        f"weights in memory: {n_bytes / 2**30:.2f} GiB",
        figure=float(host),
    )


def _duration(hours: float) -> str:
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:,.1f} hours" if hours < 48 else f"{hours / 24:,.1f} days"
