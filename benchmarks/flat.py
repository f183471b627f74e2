"""Peak memory from 1,000 to 16,000 sentences, and from 4 to 64 checkpoints.

    python -m benchmarks.flat

Tiny random models; each capture and each scoring runs in a process of its own, which gets its
sentences ready made, and whose highest resident set counts. Scored are overlap, expertise,
turnover and counts.
"""

import multiprocessing
import resource
import sys
import tempfile
from multiprocessing.context import SpawnContext
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from benchmarks.memory import checkpoint, sentences
from neurotrace import capture, trajectories
from neurotrace.checkpoints import find
from neurotrace.concepts import ConceptSet
from neurotrace.runner import map_each
from neurotrace.store import ActivationStore

SENTENCES = (1_000, 16_000)
CHECKPOINTS = (4, 64)
FEW = 500  # sentences of two languages, where checkpoints are many
REQUIRED = 5  # per cent
SCORING = trajectories.Scoring(("overlap", "expertise", "turnover", "counts"), n_splits=4)


def series(folder: Path, n: int) -> None:
    """Random models of one configuration, other weights each."""
    checkpoint(folder / "step0")
    config = AutoConfig.from_pretrained(folder / "step0")
    for number in range(1, n):
        own = folder / f"step{number}"
        checkpoint(own)
        torch.manual_seed(number)
        AutoModelForCausalLM.from_config(config).save_pretrained(own)


def captured(source: str, out: str, concepts: ConceptSet) -> int:
    """Most kilobytes resident during a capture."""
    torch.set_num_threads(1)
    capture.run(find(source), concepts, out, batch_tokens=1024, loss_sentences=0, progress=False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def scored(out: str) -> int:
    """Most kilobytes resident while all checkpoints are scored."""
    store = trajectories.attach(ActivationStore.open(out))
    map_each(trajectories.compute, trajectories.units(store, SCORING))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peaks(context: SpawnContext, folder: Path, *, n: int, n_sentences: int) -> list[float]:
    """MiB of capture and of scoring."""
    source = folder / f"models{n}"
    if not source.is_dir():
        series(source, n)
    out = str(folder / f"run{n}-{n_sentences}")
    found = []
    for work, asked in (
        (captured, (str(source), out, sentences(n_sentences // 2))),
        (scored, (out,)),
    ):
        with context.Pool(1) as pool:
            found.append(pool.apply(work, asked) / 1024)
    return found


def main() -> None:
    """Print both peaks of each, and how far they are apart."""
    logging.disable_progress_bar()
    sizes = {
        "sentences": [{"n": 1, "n_sentences": many} for many in SENTENCES],
        "checkpoints": [{"n": many, "n_sentences": FEW} for many in CHECKPOINTS],
    }
    context = multiprocessing.get_context("spawn")
    print(f"highest resident memory, MiB; to reach: within {REQUIRED} %")
    with tempfile.TemporaryDirectory() as folder:
        peaks(context, Path(folder), n=1, n_sentences=64)  # compiled, once for all
        for what, asked in sizes.items():
            few, many = (peaks(context, Path(folder), **size) for size in asked)
            told = SENTENCES if what == "sentences" else CHECKPOINTS
            for name, low, high in zip(("capture", "scoring"), few, many, strict=True):
                change = 100 * (high / low - 1)
                print(
                    f"  {name}, {told[0]:,} to {told[1]:,} {what:12}"
                    f"{low:8.0f}{high:8.0f}{change:+7.1f} %"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
