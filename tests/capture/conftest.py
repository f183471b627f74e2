"""Tiny random models of each family, their tokenizer, and sentences for them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedTokenizerFast,
)

from neurotrace.checkpoints import Checkpoint, find
from neurotrace.concepts import ConceptSet

WORDS = [f"w{number}" for number in range(40)]
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
SMALL = {"vocab_size": 48, "hidden_size": 32, "bos_token_id": 1, "eos_token_id": 2}
DEEP = {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}


def tokenizer_of(*, bos: bool = True) -> PreTrainedTokenizerFast:
    """Whole words; puts a BOS in front if asked to."""
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if bos:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def model_of(family: str, *, seed: int = 0, **changes: Any) -> torch.nn.Module:
    """A random model with activations of ordinary size."""
    gated = {**SMALL, **DEEP, "intermediate_size": 72, "num_key_value_heads": 1}
    makers: dict[str, Callable[[], torch.nn.Module]] = {
        "gpt_neox": lambda: GPTNeoXForCausalLM(
            GPTNeoXConfig(**{**SMALL, **DEEP, "intermediate_size": 80, **changes})
        ),
        "bloom": lambda: BloomForCausalLM(BloomConfig(**{**SMALL, "n_layer": 2, "n_head": 2})),
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**{**gated, **changes})),
        "mixtral": lambda: MixtralForCausalLM(MixtralConfig(**gated, num_local_experts=2)),
    }
    torch.manual_seed(seed)
    model = makers[family]().eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    return model


def save(folder: Path, model: torch.nn.Module, *, bos: bool = True) -> Path:
    """A Hugging Face checkpoint folder."""
    model.save_pretrained(folder)
    tokenizer_of(bos=bos).save_pretrained(folder)
    return folder


def sentences(n_groups: int, *, seed: int = 0) -> ConceptSet:
    """Random sentences of 2 to 12 words in two languages, four concepts."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "group": f"g{group:03d}",
            "lang": lang,
            "text": " ".join(rng.choice(WORDS, size=rng.integers(3, 13))),
            "concept": f"c{group % 4}",
        }
        for group in range(n_groups)
        for lang in ("aaa_Latn", "bbb_Latn")
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows), name="tiny")


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """``tiny.model(family)``, ``tiny.tokenizer()`` and ``tiny.save(folder, model)``."""
    return SimpleNamespace(model=model_of, tokenizer=tokenizer_of, save=save)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three GPT-NeoX checkpoints and their sentences; never changed by a test."""
    root = tmp_path_factory.mktemp("series")
    for step in (0, 16, 512):
        save(root / f"step-{step:06d}", model_of("gpt_neox", seed=step))
    sentences(300).to_jsonl(root / "concepts.jsonl")
    return root


@pytest.fixture(scope="session")
def series(folder: Path) -> list[Checkpoint]:
    return find(folder)


@pytest.fixture(scope="session")
def concepts(folder: Path) -> ConceptSet:
    """600 sentences: two whole slabs and part of a third."""
    return ConceptSet.load(folder / "concepts.jsonl")


@pytest.fixture(scope="session")
def few() -> ConceptSet:
    """24 sentences."""
    return sentences(12, seed=1)


@pytest.fixture(scope="session")
def source(series: list[Checkpoint], concepts: ConceptSet) -> tuple[list[Checkpoint], ConceptSet]:
    """Both, for :func:`neurotrace.capture.run`."""
    return series, concepts
