"""The causal room on other families: edits by either back end, writing, and what is refused."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from capture.family_oracle import STACKS
from capture.tiny_families import TINY, model_of, tokenizer_of
from causal.networks import random_ingredients

from neurotrace.capture import HookedModel, UnsupportedModel
from neurotrace.capture.models import hook
from neurotrace.causal.clamp import clamp
from neurotrace.causal.generate import _forward, generate
from neurotrace.causal.interchange import interchange

BOTH = ("gpt2", "llama")
# One of each way of laying out queries, gates and norms.
SOME = (
    *(*BOTH, "bloom", "gpt_neox", "falcon", "opt", "xglm", "qwen3", "gemma3_text", "olmo2"),
    *("phi3", "gptj", "gpt_bigcode", "apertus", "smollm3", "mistral"),
)
CAUSAL = [family for family in TINY if "Causal" in TINY[family].maker or family == "gpt2"]
DENSE = [family for family in CAUSAL if "mlp.hook_post" in STACKS[family][""].sites]
BACKENDS = ("plain", "bridge")


@cache
def hooked(family: str, backend: str = "plain") -> HookedModel:
    """Made once, with every site; every test leaves it as it found it."""
    sites = (*STACKS[family][""].sites, "embed")
    return hook(model_of(family), tokenizer_of(family), backend=backend, sites=sites)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Two sentences, the second shorter, padded on the right."""
    ids = torch.randint(4, 44, (2, 7), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    return ids, mask


def logits(model: HookedModel) -> np.ndarray:
    ids, mask = batch()
    return model.logits(ids, mask)[mask.bool()].numpy()


@pytest.mark.parametrize("family", SOME)
def test_an_edit_of_any_site_does_the_same_by_either_back_end(family: str) -> None:
    plain, bridged = hooked(family), hooked(family, "bridge")
    before = logits(plain)
    for site in STACKS[family][""].sites:
        # Another factor for each unit: a norm would undo one for all, attention a shift of keys.
        edits = {(site, 1): lambda x: x * torch.linspace(0.2, 2, x.shape[-1])}
        found = []
        for model in (plain, bridged):
            with model.edit(edits):
                found.append(logits(model))
        np.testing.assert_allclose(found[0], found[1], atol=1e-3, err_msg=site)
        assert np.abs(found[0] - before).max() > 0.01, site
    np.testing.assert_allclose(logits(bridged), before, atol=1e-3)


@pytest.mark.parametrize("family", DENSE)
def test_what_a_neuron_writes_is_what_its_down_projection_makes_of_it(family: str) -> None:
    stack, model = STACKS[family][""], model_of(family)
    for layer, block in enumerate(model.get_submodule(stack.blocks)):
        down = block.get_submodule(stack.sites["mlp.out"])
        with torch.no_grad():
            truth = down(torch.eye(hooked(family).widths["mlp.hook_post"]))
            truth -= down(torch.zeros(1, len(truth)))
        torch.testing.assert_close(hooked(family).w_out(layer), truth, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", DENSE)
def test_a_clamp_is_a_hook_on_the_down_projection(family: str) -> None:
    stack, model = STACKS[family][""], model_of(family)
    block = model.get_submodule(stack.blocks)[1]

    def force(_: Any, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        x = given[0].clone()
        x[..., [3, 40]] = torch.tensor([2.0, -1.0])
        return (x, *given[1:])

    ids, mask = batch()
    with block.get_submodule(stack.sites["mlp.out"]).register_forward_pre_hook(force):
        with torch.no_grad():
            truth = model(input_ids=ids, attention_mask=mask).logits[mask.bool()].numpy()
    with clamp(hooked(family), ["L1.N3", "L1.N40"], np.array([2.0, -1.0])):
        np.testing.assert_allclose(logits(hooked(family)), truth, atol=1e-4)


@pytest.mark.parametrize("family", CAUSAL)
def test_writing_with_a_cache_is_reading_without_one(family: str) -> None:
    model = hooked(family)
    ids = torch.randint(4, 44, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        whole, cache, start = model.logits(ids, mask), None, 0
        for end in range(3, 10):
            step, cache = _forward(model, ids[:, start:end], mask[:, :end], cache)
            torch.testing.assert_close(step, whole[:, end - 1], atol=1e-3, rtol=0)
            start = end


@pytest.mark.parametrize("family", CAUSAL)
def test_a_row_of_text_depends_on_its_seed_alone(family: str) -> None:
    together = generate(hooked(family), seeds=range(6), max_new_tokens=8)
    alone = generate(hooked(family), seeds=[4], max_new_tokens=8)
    assert alone.texts == (together.texts[4],)
    assert len(set(together.texts)) > 2


@pytest.mark.parametrize("family", BOTH)
def test_interchange_is_the_same_by_either_back_end(family: str) -> None:
    found = []
    for backend in BACKENDS:
        model = hooked(family, backend)
        found.append(interchange(model, *random_ingredients(model), arms=["random_matched"]))
    for name in ("value", "size"):
        assert np.isfinite(found[0][name]).all()
        np.testing.assert_allclose(found[0][name], found[1][name], atol=1e-3, rtol=1e-3)
    assert np.abs(found[0]["value"]).max() > 0.01


def _clamped(model: HookedModel) -> None:
    with clamp(model, ["L0.N1"], 1.0):
        pass


TASKS: dict[str, Callable[[HookedModel], Any]] = {
    "logits": lambda model: model.logits(*batch()),
    "generate": lambda model: generate(model, seeds=range(2), max_new_tokens=4),
    "clamp": _clamped,
    "interchange": lambda model: interchange(model, *random_ingredients(model), arms=[]),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "t5", "m2m_100"])
def test_what_is_no_causal_model_is_refused_by_name(family: str, task: str) -> None:
    kind = "masked" if "Masked" in TINY[family].maker else "seq2seq"
    with pytest.raises(UnsupportedModel, match=f"{family} model, which is {kind}"):
        TASKS[task](_not_causal(family))


@cache
def _not_causal(family: str) -> HookedModel:
    return hook(model_of(family), tokenizer_of(family))


@pytest.mark.parametrize("family", ["mixtral", "qwen2_moe"])
def test_neurons_of_a_mixture_are_refused_by_name(family: str) -> None:
    model = hooked(family)
    with pytest.raises(UnsupportedModel, match="hooked without its MLP neurons"):
        model.w_out(0)
    with pytest.raises(ValueError, match="mlp.hook_post"):
        with clamp(model, ["L0.N1"], 1.0):
            pass
