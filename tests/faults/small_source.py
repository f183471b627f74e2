"""The source of a road of seconds: three tiny checkpoints, a twin, and sentences."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from faults.small_road import STEPS
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from neurotrace.concepts import ConceptSet

LANGS = ("qaa_Latn", "qab_Latn")
WORDS = [f"{lang[2]}{number}" for lang in LANGS for number in range(12)]


def made(folder: Path, *, groups: int = 144, width: int = 16) -> Path:
    """Three random checkpoints of two layers, a twin, and more than one slab of sentences."""
    for seed, name in enumerate([*(f"step-{step:06d}" for step in STEPS), "twin"]):
        _model(seed, width).save_pretrained(folder / name)
        _tokenizer().save_pretrained(folder / name)
    _said(groups).to_jsonl(folder / "concepts.jsonl")
    return folder


def _model(seed: int, width: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    sizes = {"vocab_size": 3 + len(WORDS), "hidden_size": width, "intermediate_size": 3 * width}
    deep = {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}
    model = GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, **deep)).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    return model


def _tokenizer() -> PreTrainedTokenizerFast:
    names = {"pad_token": "<pad>", "bos_token": "<s>", "unk_token": "<unk>"}
    ids = {word: at for at, word in enumerate([*names.values(), *WORDS])}
    raw = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def _said(groups: int) -> ConceptSet:
    """Groups of two concepts, each of words of its own half of a language's twelve."""
    rng = np.random.default_rng(0)
    rows = []
    for group in range(groups):
        numbers = rng.integers(6, size=4) + 6 * (group % 2)
        for lang in LANGS:
            text = " ".join(f"{lang[2]}{n}" for n in [*numbers, group % 12, group // 12 % 12])
            rows.append((f"g{group:03d}", lang, f"c{group % 2}", text))
    return ConceptSet.from_frame(pd.DataFrame(rows, columns=["group", "lang", "concept", "text"]))
