"""Four languages of twelve words each, with two concepts, and a tiny model that knows them."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from neurotrace.concepts import ConceptSet

LANGS = ["qaa_Latn", "qab_Latn", "qac_Latn", "qad_Latn"]
WORDS = [f"{lang[2]}{number}" for lang in LANGS for number in range(12)]


def written(folder: Path) -> Path:
    """A random GPT-NeoX of three layers that knows the words of all languages."""
    names = {"pad_token": "<pad>", "bos_token": "<s>", "unk_token": "<unk>"}
    ids = {word: at for at, word in enumerate([*names.values(), *WORDS])}
    raw = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    torch.manual_seed(0)
    sizes = {"vocab_size": len(ids), "hidden_size": 16, "intermediate_size": 32}
    GPTNeoXForCausalLM(
        GPTNeoXConfig(**sizes, num_hidden_layers=3, num_attention_heads=2)
    ).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=raw, **names).save_pretrained(folder)
    return folder


def said(*, groups: int = 24) -> ConceptSet:
    """Groups of two concepts, each of words of its own half of a language's twelve."""
    rng = np.random.default_rng(0)
    rows = []
    for group in range(groups):
        numbers = rng.integers(6, size=5) + 6 * (group % 2)
        for lang in LANGS:
            text = " ".join(f"{lang[2]}{number}" for number in [*numbers, group % 6])
            rows.append((f"g{group}", lang, f"c{group % 2}", text))
    return ConceptSet.from_frame(pd.DataFrame(rows, columns=["group", "lang", "concept", "text"]))


def texts(at: int) -> list[str]:
    """Texts of one language, none of them said above."""
    word = LANGS[at][2]
    return [" ".join(f"{word}{(i * j) % 12}" for j in range(1, 7)) for i in range(1, 20)]
