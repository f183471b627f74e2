"""Where checkpoints are captured: two processes against one, and what each place adds.

    python -m benchmarks.executors

Two processes are measured in turns with one, wall-clock, on random models large enough that their
start does not matter; two idle cores are asked for. What a place adds is the wall time of
checkpoints that cost nothing, per checkpoint, less what they take in a row: a pool of processes or
a Ray cluster is started for each measurement, as it is for each stage of a trace.
"""

import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from benchmarks.memory import checkpoint, sentences
from neurotrace import capture
from neurotrace.checkpoints import find
from neurotrace.runner import Executor, map_each

ROUNDS, N_CHECKPOINTS, N_GROUPS = 3, 16, 512
REQUIRED = 1.8
ITEMS = list(range(16))
PLACES = (
    Executor("processes", 2),
    Executor("slurm", 2, {"cluster": "local"}),
    Executor("ray", 2),
)
EXTRAS = {"slurm": "submitit", "ray": "ray"}


def nothing(item: int) -> int:
    """A checkpoint that costs nothing."""
    return item


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def models(folder: Path) -> None:
    """Random models of eight blocks, 512 wide."""
    for number in range(N_CHECKPOINTS):
        own = folder / f"step{number}"
        checkpoint(own)
        config = AutoConfig.from_pretrained(own)
        config.hidden_size, config.num_hidden_layers, config.intermediate_size = 512, 8, 2048
        torch.manual_seed(number)
        AutoModelForCausalLM.from_config(config).save_pretrained(own)


def captured(source: Path, place: Executor) -> float:
    """Wall-clock seconds of a capture of all of them."""
    series, concepts = find(source), sentences(N_GROUPS)
    with tempfile.TemporaryDirectory() as out:
        return seconds(
            lambda: capture.run(
                series, concepts, out, loss_sentences=0, executor=place, progress=False
            )
        )


def two_processes() -> str:
    """One process against two, in turns."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        models(Path(folder))
        for _ in range(ROUNDS):
            one, two = (captured(Path(folder), Executor("processes", n)) for n in (1, 2))
            ratios.append(one / two)
    load = os.getloadavg()[0]
    return (
        f"{statistics.median(ratios):.2f}x ({min(ratios):.2f}-{max(ratios):.2f}), "
        f"load {load:.1f} at the end  (to reach: {REQUIRED} on two idle cores)"
    )


def added(place: Executor) -> str:
    """Milliseconds a checkpoint, all items together, and again for as many more."""
    if place.kind in EXTRAS and importlib.util.find_spec(EXTRAS[place.kind]) is None:
        return f"not measured: pip install 'neurotrace[{place.kind}]'"
    with tempfile.TemporaryDirectory() as folder:
        options = dict(place.options)
        if place.kind == "slurm":
            options["folder"] = folder
        where = Executor(place.kind, place.workers, options)
        bare = seconds(lambda: map_each(nothing, ITEMS))
        found = min(seconds(lambda: map_each(nothing, ITEMS, executor=where)) for _ in range(2))
    return f"{1e3 * (found - bare) / len(ITEMS):8.0f} ms a checkpoint, {found:.1f} s in all"


def main() -> None:
    """Print the ratio, and a line a place."""
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"{len(ITEMS)} checkpoints that cost nothing, two at a time, against serial")
    for place in PLACES:
        print(f"  {place.kind:12}{added(place)}", flush=True)
    print(f"capture of {N_CHECKPOINTS} checkpoints by two processes to one, wall-clock")
    print(f"  {two_processes()}")


if __name__ == "__main__":
    main()
