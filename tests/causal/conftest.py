"""Tiny random models of three families, hooked by either back end, and their tokenizer."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

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
    PreTrainedTokenizerFast,
)

from neurotrace.capture import HookedModel
from neurotrace.capture.models import hook

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
WORDS = [f"word{number}" for number in range(44)]
SIZES = {"vocab_size": 48, "hidden_size": 32, "bos_token_id": 1, "eos_token_id": 2}
LAYERS = {"num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 96}


def tokenizer_of(*, bos: bool = True) -> PreTrainedTokenizerFast:
    """One token a word; with a BOS in front unless told otherwise."""
    ids = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    raw = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if bos:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def model_of(family: str, *, seed: int = 0) -> torch.nn.Module:
    """Random weights, large enough that neurons matter for what is said."""
    torch.manual_seed(seed)
    if family == "gpt_neox":
        model = GPTNeoXForCausalLM(GPTNeoXConfig(**SIZES, **LAYERS, intermediate_size=80))
    elif family == "bloom":
        model = BloomForCausalLM(BloomConfig(**SIZES, n_layer=3, n_head=2))
    else:
        gated = LlamaConfig(**SIZES, **LAYERS, intermediate_size=72, num_key_value_heads=1)
        model = LlamaForCausalLM(gated)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@cache
def hooked(family: str = "gpt_neox", backend: str = "plain", dtype: str = "float32") -> HookedModel:
    """Made once; every test leaves a model as it found it."""
    model = model_of(family).to(getattr(torch, dtype))
    return hook(model, tokenizer_of(bos=family != "bloom"), backend=backend)


def n_hooks(model: HookedModel) -> int:
    """Hooks on all modules; some bridged models keep a few of their own."""
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in model.model.modules()
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """``tiny.hooked(family, backend, dtype)``, ``tiny.n_hooks(model)``, ``tiny.folder(seed)``.

    And ``tiny.model(family)``, a new one, and ``tiny.tokenizer()``.
    """

    @cache
    def folder(seed: int = 0) -> Path:
        path = tmp_path_factory.mktemp("series") / f"step-{seed:06d}"
        model_of("gpt_neox", seed=seed).save_pretrained(path)
        tokenizer_of().save_pretrained(path)
        return path

    return SimpleNamespace(
        hooked=hooked, n_hooks=n_hooks, folder=folder, model=model_of, tokenizer=tokenizer_of
    )


@pytest.fixture
def model() -> HookedModel:
    """A GPT-NeoX of 3 layers of 80 neurons, plain hooks."""
    return hooked()


@pytest.fixture(scope="session")
def batch() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """``batch(lengths)``: ids with a BOS each, padded on the right, and their mask."""

    def make(lengths: tuple[int, ...] = (7, 4, 6), *, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(4, 48, (len(lengths), max(lengths)), generator=generator)
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        ids[:, 0] = 1
        return ids * mask, mask.long()

    return make
