"""Peak memory of a capture at four times the sentences.

Each size is captured by a process of its own, from the same tiny checkpoint; the peak is the
resident set's. Sentences cost their ids and their row in the tables; activations must cost nothing.
"""

import multiprocessing
import resource
import statistics
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from neurotrace import capture
from neurotrace.checkpoints import find
from neurotrace.concepts import ConceptSet

ROUNDS = 5
SMALL = 1024  # groups, in two languages
WORDS = [f"w{number}" for number in range(500)]


def checkpoint(folder: Path) -> None:
    """A small random GPT-NeoX with a tokenizer of whole words."""
    names = {word: number for number, word in enumerate(["<s>", *WORDS])}
    raw = Tokenizer(models.WordLevel(names, unk_token="<s>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>").save_pretrained(folder)
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=len(names),
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
        max_position_embeddings=64,
    )
    GPTNeoXForCausalLM(config).save_pretrained(folder)


def sentences(n_groups: int) -> ConceptSet:
    """Random sentences of eight words."""
    rng = np.random.default_rng(0)
    rows = [
        (f"g{group}", lang, " ".join(rng.choice(WORDS, size=8)), f"c{group % 4}")
        for group in range(n_groups)
        for lang in ("aaa_Latn", "bbb_Latn")
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows, columns=["group", "lang", "text", "concept"]))


def peak(source: str, n_groups: int) -> int:
    """Most kilobytes resident during a capture."""
    torch.set_num_threads(1)
    concepts = sentences(n_groups)
    with tempfile.TemporaryDirectory() as out:
        # Small batches: what a batch needs comes and goes, and would only blur the comparison.
        capture.run(
            find(source), concepts, out, batch_tokens=1024, loss_sentences=0, progress=False
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Print both peaks and their ratio."""
    logging.disable_progress_bar()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as source:
        checkpoint(Path(source) / "step0")
        peaks: dict[int, list[int]] = {SMALL: [], 4 * SMALL: []}
        for _ in range(ROUNDS):
            for size, found in peaks.items():
                with context.Pool(1) as pool:
                    found.append(pool.apply(peak, (source, size)))
    small, large = (statistics.median(found) / 1024 for found in peaks.values())
    print(f"peak memory of a capture, {2 * SMALL:,} and {8 * SMALL:,} sentences")
    print(f"  {small:,.0f} MiB and {large:,.0f} MiB")
    print(f"  ratio                    {large / small:5.3f}  (to reach: at most 1.05)")


if __name__ == "__main__":
    main()
