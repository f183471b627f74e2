"""What a job costs: prices against real runs, then three jobs from their shapes alone.

    python -m benchmarks.scale

A lab run of 65 updates is traced whole, with its own sentences and with four times as many, made
of the same words in other orders; experiments on the model are left out, whose price is said to be
rough. CPU time of the whole process against the price that ``--dry-run`` prints, imports included.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurotrace import capture, lab, pricing
from neurotrace.checkpoints.quantities import human
from neurotrace.config import ANALYSES, CAUSES, TraceConfig
from neurotrace.pricing_blocks import Blocks, Shape
from neurotrace.road import capture_options, prepare

TIMES = (1, 4)  # sentences, to those of the lab
REQUIRED = 0.25
CHECKPOINTS = "0,1,64"
ASKED = tuple(name for name in ANALYSES if name not in CAUSES)
GPU = 3e14  # operations a second that a large accelerator reaches in bfloat16; a figure assumed
TOKENS = 25  # of a sentence, padding included


def sentences(source: Path, times: int) -> Path:
    """The lab's sentences, each in so many orders of its words."""
    head, *rows = (json.loads(line) for line in (source / "concepts.jsonl").read_text().split("\n")
                   if line)  # fmt: skip
    rng, seen, made = np.random.default_rng(0), set(), [head]
    for row in rows:
        for number in range(times):
            text = row["text"]
            while (row["lang"], text) in seen:
                text = " ".join(rng.permutation(row["text"].split()))
            seen.add((row["lang"], text))
            made.append({**row, "text": text, "group": f"{row['group']}-{number}"})
    file = source.parent / f"times{times}.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in made) + "\n")
    return file


def real_seconds(config: TraceConfig) -> float:
    """CPU seconds of the command line, from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "neurotrace.trace", "--source", config.source]
    command += ["--out", config.out, "--concepts", str(config.concepts)]
    command += ["--checkpoints", config.checkpoints, "--analyses", *config.analyses]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, capture_output=True, env=one_thread)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def checked(folder: Path) -> Iterator[str]:
    """Price and real run, a line a size."""
    source = lab.pretrain("default", out=folder / "lab", steps=65, progress=False)
    for times in TIMES:
        config = TraceConfig(
            source=str(source),
            out=str(folder / f"run{times}"),
            concepts=str(sentences(source, times)),
            checkpoints=CHECKPOINTS,
            analyses=ASKED,
        )
        road = prepare(config)
        planned = capture.plan(road.series, road.concepts, **capture_options(road))
        priced = pricing.of_trace(road, planned).core_seconds
        real = real_seconds(config)
        yield (
            f"{planned.n_examples:>7,} sentences{priced:10.0f} s{real:10.0f} s"
            f"{100 * (priced / real - 1):+9.0f} %"
        )


def shapes() -> Iterator[tuple[str, Shape]]:
    """The paper's job, the same with a larger model, and a suite of a very large one."""
    common = {"n_concepts": 200, "n_sentences": 20_000, "top": 500, "device": "cuda"}
    paper = _shape(24, 1024, vocabulary=250_880, languages=16, checkpoints=44, **common)
    yield "BLOOM-560M, 16 languages, 44 checkpoints", paper
    larger = _shape(30, 4096, vocabulary=250_880, languages=16, checkpoints=44, **common)
    yield "BLOOM-7b1, 16 languages, 44 checkpoints", larger
    # 80 blocks of 8,192, a gated MLP of 28,672, keys and values of 1,024.
    blocks = 80 * (2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 28_672)
    huge = _shape(80, 8192, vocabulary=128_256, languages=100, checkpoints=100, **common)
    bytes_read = 2 * (blocks + 2 * huge.n_embedded)
    huge = replace(huge, width=28_672, n_weights=blocks, bytes_read=bytes_read)
    yield "70B, 100 languages, 100 checkpoints", _with_bytes(huge)


def _shape(
    layers: int, features: int, *, vocabulary: int, languages: int, checkpoints: int,
    n_sentences: int, n_concepts: int, top: int, device: str,
) -> Shape:  # fmt: skip
    """A decoder whose MLP is four times as wide as its stream."""
    weights, embedded = layers * 12 * features**2, vocabulary * features
    made = Shape(
        n_checkpoints=checkpoints,
        n_layers=layers,
        width=4 * features,
        n_features=features,
        n_weights=weights,
        n_embedded=embedded,
        n_languages=languages,
        n_concepts=n_concepts,
        n_sentences=n_sentences,
        n_tokens=languages * n_sentences * TOKENS,
        top=top,
        bytes_read=2 * (weights + embedded),
        device=device,
    )
    return _with_bytes(made)


def _with_bytes(shape: Shape) -> Shape:
    """Two float16 bases of neurons, sentence states in float32, and drawn tokens and words."""
    rows = shape.n_languages * shape.n_sentences
    neurons = 2 * rows * shape.n_neurons * (1 + shape.rotations)
    drawn = shape.n_languages * (shape.n_drawn + shape.n_words)
    states = 4 * shape.n_layers * shape.n_features * (rows + drawn)
    return replace(shape, bytes_written=neurons + states + 600 * rows, bytes_states=states)


def priced() -> Iterator[str]:
    """A whole trace of each job, and its AP table alone."""
    for name, shape in shapes():
        blocks = Blocks.measured(shape)
        forward = pricing.passes(shape, blocks, speed=GPU)
        found = pricing.price(shape, blocks, analyses=ASKED, capture=forward)
        table = shape.n_neurons * shape.n_languages * shape.n_checkpoints
        table_hours = table * (blocks.ranking + blocks.precision) / 3600
        yield f"\n{name}"
        yield f"  {shape.n_neurons:,} neurons, {human(shape.bytes_written)} a checkpoint's file"
        yield f"  AP table alone          {table_hours / 24:,.2f} core-days"
        for analysis, seconds in sorted(found.scoring.items(), key=lambda item: -item[1]):
            yield f"    {analysis:20}  {seconds / 86_400:12,.2f} core-days"
        yield from (f"  {line}" for line in found.lines(executor="slurm", workers=16))


def main() -> None:
    print(f"price and real run, CPU time; within {100 * REQUIRED:.0f} %")
    with tempfile.TemporaryDirectory() as folder:
        for line in checked(Path(folder)):
            print(line, flush=True)
    print(f"\nwhole traces without experiments; the GPU at {GPU / 1e12:.0f} Tflop/s")
    for line in priced():
        print(line)


if __name__ == "__main__":
    main()
