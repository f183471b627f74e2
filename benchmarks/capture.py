"""Capture against the bare Hugging Face body and against TransformerLens' own cache.

A 12-layer, 512-wide BLOOM with its vocabulary of 250,880, batches of 8 sentences of 64 tokens.
Process CPU time of one thread; the methods take turns in every round, and the ratio is the median
of the rounds' ratios. Capture means everything a run does with a slab: batches, hooks, pooling, the
check for NaN, float16 and the file.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from transformers import BloomConfig, BloomForCausalLM

from neurotrace.capture import models
from neurotrace.capture.batches import plan_batches
from neurotrace.capture.collect import collect
from neurotrace.capture.sites import parse_all
from neurotrace.capture.tokens import Tokenized
from neurotrace.store import CheckpointWriter

ROUNDS = 5
BATCHES = 4
BATCH, LENGTH, LAYERS, NEURONS, VOCABULARY = 8, 64, 12, 2048, 250_880


def sentences(n: int) -> Tokenized:
    """Random ids; the first of each sentence stands for a BOS."""
    ids = np.random.default_rng(0).integers(3, VOCABULARY, size=n * LENGTH).astype(np.int32)
    content = np.arange(n * LENGTH) % LENGTH > 0
    return Tokenized(ids, content, np.arange(0, n * LENGTH + 1, LENGTH), True, 0)


def job_of(tokenized: Tokenized) -> SimpleNamespace:
    """What the capture loop needs of a run."""
    n = len(tokenized.lengths)
    targets = parse_all(["mlp.hook_post/max"])
    frame = pd.DataFrame({"group": np.arange(n).astype(str), "lang": "eng_Latn", "text": "…"})
    return SimpleNamespace(
        targets=targets,
        slabs=plan_batches(tokenized.lengths, BATCH * LENGTH),
        tokenized=tokenized,
        drawn=None,
        concepts=SimpleNamespace(frame=frame),
        arrays={(str(targets[0]), layer): (NEURONS, "float16") for layer in range(LAYERS)},
    )


def methods(folder: Path) -> dict[str, Callable[[], None]]:
    """What is compared, each over the same sentences."""
    torch.manual_seed(0)
    config = BloomConfig(vocab_size=VOCABULARY, hidden_size=512, n_layer=LAYERS, n_head=8)
    bare = BloomForCausalLM(config).eval()
    wrapped = BloomForCausalLM(config).eval()
    wrapped.load_state_dict(bare.state_dict())
    hooked = models.hook(wrapped, None, sites=("mlp.hook_post",))
    tokenized = sentences(BATCH * BATCHES)
    job = job_of(tokenized)
    batches = [tokenized.batch(rows, device="cpu") for slab in job.slabs for rows in slab.batches]
    names = [hooked._bridge.get_hook_point(f"blocks.{n}.mlp.hook_post").name for n in range(LAYERS)]

    @torch.inference_mode()
    def body() -> None:
        for batch in batches:
            bare.base_model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)

    def captured() -> None:
        file = folder / f"{time.monotonic_ns()}.h5"
        with CheckpointWriter.open(
            file,
            header={"model": "bench", "step": 0},
            examples=job.concepts.frame,
            labels=np.zeros((len(tokenized.lengths), 1), np.int8),
            concepts=["none"],
            arrays=job.arrays,
        ) as writer:
            collect(hooked, writer, job=job, rotations={}, label="bench")
            writer.finish()
        file.unlink()

    @torch.inference_mode()
    def cached() -> None:
        for batch in batches:
            _, cache = hooked._bridge.run_with_cache(
                batch.ids, attention_mask=batch.mask, names_filter=names
            )
            for name in names:
                cache[name].amax(1)

    return {"bare body": body, "neurotrace capture": captured, "run_with_cache(filter)": cached}


def measure(compared: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """CPU seconds of every method in every round, in an order drawn anew."""
    for function in compared.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    rng = random.Random(0)
    for _ in range(ROUNDS):
        for name in rng.sample(list(compared), len(compared)):
            begun = time.process_time()
            compared[name]()
            seconds[name].append(time.process_time() - begun)
    return seconds


def ratio(above: list[float], below: list[float]) -> float:
    """Median over rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(methods(Path(folder)))
    bare, ours, cache = seconds.values()
    print(f"capture, BLOOM 12 × 512, vocabulary 250,880, {BATCHES} batches of {BATCH} × {LENGTH}")
    for name, values in seconds.items():
        print(f"  {name:24} {statistics.median(values):7.2f} CPU s  {ratio(values, bare):5.2f} ×")
    print(f"  against the bare body    {ratio(ours, bare):5.2f}  (to reach: at most 1.10)")
    print(f"  faster than the cache    {ratio(cache, ours):5.2f}  (to reach: at least 4)")


if __name__ == "__main__":
    main()
