"""Experiments on large models hold less at once, and find what they find on small ones."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from causal.networks import random_ingredients

from neurotrace.capture.loss import nats
from neurotrace.capture.tokens import tokenize
from neurotrace.causal import losses, speech, stage, writes
from neurotrace.causal.doses import interchange_doses
from neurotrace.causal.interchange import interchange
from neurotrace.causal.losses import Losses

generate = import_module("neurotrace.causal.generate")  # the room hands out the function
FAMILIES = ["gpt_neox", "bloom", "llama"]
ALL = ("random_matched", "random", "wrong_concept", "source_only", "rotated", "direction")


def without_head(monkeypatch):
    """As with a model whose head cannot be run by itself."""
    for room in (losses, stage, generate):
        monkeypatch.setattr(room.Head, "of", lambda _: None)


def tried(model) -> xr.Dataset:
    experts, source, target = random_ingredients(model)
    rotated = random_ingredients(model, seed=1, rotation=7)[:2]
    return interchange(model, experts, source, target, arms=ALL, rotated=rotated)


def assert_same(a: xr.Dataset, b: xr.Dataset) -> None:
    xr.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backend", ["plain", "bridge"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_interchange_is_the_same_with_the_head_apart_and_without(
    tiny, family, backend, monkeypatch
):
    model = tiny.hooked(family, backend)
    apart = tried(model)
    without_head(monkeypatch)
    assert_same(tried(model), apart)


def test_an_interchange_does_not_depend_on_how_many_values_are_held(tiny, monkeypatch):
    model = tiny.hooked("gpt_neox")
    at_once = tried(model)
    monkeypatch.setattr(stage, "VALUES", 1)
    assert_same(tried(model), at_once)


def test_no_pass_of_an_interchange_has_more_values_than_allowed(tiny, monkeypatch):
    model, seen = tiny.hooked("gpt_neox"), []
    plain = stage.Stage._forced

    def counted(self, ids, cases, *rest):
        seen.append((len(self.arms) * len(cases), ids.shape[1]))
        return plain(self, ids, cases, *rest)

    monkeypatch.setattr(stage.Stage, "_forced", counted)
    monkeypatch.setattr(stage, "VALUES", 20 * 80 * 3)
    tried(model)
    assert max(rows * tokens * 80 for rows, tokens in seen) <= 20 * 80 * 3
    assert len(seen) > 3


def test_doses_are_the_same_however_many_values_are_held(tiny, monkeypatch):
    model = tiny.hooked("llama")
    experts, source, target = random_ingredients(model)
    at_once = interchange_doses(model, experts, source, target, replicates=20)
    monkeypatch.setattr(stage, "VALUES", 1)
    assert_same(interchange_doses(model, experts, source, target, replicates=20), at_once)


def test_a_change_of_a_few_neurons_has_the_size_of_the_whole_product():
    generator = torch.Generator().manual_seed(0)
    delta = torch.randn(5, 3, 64, generator=generator)
    delta[..., torch.randperm(64, generator=generator)[:50]] = 0
    w_out = torch.randn(64, 16, generator=generator)
    expected = torch.einsum("btn,nf->btf", delta, w_out).norm(dim=-1)
    torch.testing.assert_close(writes.norm(delta, w_out), expected)
    assert writes.norm(torch.zeros(5, 3, 64), w_out).tolist() == [[0.0] * 3] * 5


def test_a_rescaled_change_has_the_size_that_is_told():
    generator = torch.Generator().manual_seed(0)
    delta, w_out = torch.randn(4, 3, 8, generator=generator), torch.eye(8)
    delta[0, 0] = 0
    wanted = torch.rand(4, 3, generator=generator)
    moved, size = writes.rescaled(delta, writes.norm(delta, w_out), wanted)
    torch.testing.assert_close(writes.norm(moved, w_out), size)
    wanted[0, 0] = 0
    torch.testing.assert_close(size, wanted)


def sentences(tiny, lengths=(3, 11, 1, 7, 5, 2)):
    rng = np.random.default_rng(0)
    texts = [" ".join(f"word{n}" for n in rng.integers(0, 44, size=size)) for size in lengths]
    frame = pd.DataFrame({"group": map(str, range(len(texts))), "lang": "eng_Latn", "text": texts})
    return tokenize(tiny.tokenizer(bos=False), frame)


@pytest.mark.parametrize("backend", ["plain", "bridge"])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_the_capture(tiny, family, backend):
    model, said = tiny.hooked(family, backend), sentences(tiny)
    expected = nats(model, said, np.arange(len(said.lengths)))
    expected[2] = 0  # one token, which nothing predicts
    np.testing.assert_allclose(Losses.of(model, said).alone, expected, rtol=1e-5)


def test_losses_do_not_depend_on_how_many_tokens_go_through_together(tiny, monkeypatch):
    model, said = tiny.hooked("bloom"), sentences(tiny)
    own = Losses.of(model, said)
    some = own.without(np.array([3, 90]), like=np.array([3, 90]), rows=np.array([4, 1]))
    monkeypatch.setattr(losses, "TOKENS", 1)
    alone = Losses.of(model, said)
    np.testing.assert_allclose(alone.alone, own.alone, rtol=1e-5)
    again = alone.without(np.array([3, 90]), like=np.array([3, 90]), rows=np.array([4, 1]))
    np.testing.assert_allclose(again, some, atol=1e-5)
    assert np.isnan(some[[0, 2, 3, 5]]).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_scored_the_same_with_the_head_apart_and_without(tiny, family, monkeypatch):
    model = tiny.hooked(family)
    said = generate.generate(model, seeds=range(9), max_new_tokens=12)
    apart = generate.log_likelihood(model, said)
    monkeypatch.setattr(generate, "_TOKENS", 1)
    np.testing.assert_allclose(generate.log_likelihood(model, said), apart, rtol=1e-5)
    without_head(monkeypatch)
    np.testing.assert_allclose(generate.log_likelihood(model, said), apart, rtol=1e-5)


def test_tokens_drawn_for_some_rows_at_a_time_are_the_same(tiny, monkeypatch):
    model = tiny.hooked("gpt_neox")
    at_once = generate.generate(model, seeds=range(9), max_new_tokens=12, top_p=0.8)
    monkeypatch.setattr(generate, "_MOST_CHANCES", 1)
    again = generate.generate(model, seeds=range(9), max_new_tokens=12, top_p=0.8)
    assert np.array_equal(again.ids, at_once.ids)


def test_rows_that_write_together_hold_no_more_keys_than_allowed(tiny, monkeypatch):
    model, seen = tiny.hooked("gpt_neox"), []
    widths = (80,) * 3
    plan = speech.Plan.of("a", widths, {"a": [3, 90]}, {"a": np.ones(240)}, None, seed=0)
    plain = speech.generate

    def counted(*given, seeds, **options):
        seen.append(len(seeds))
        return plain(*given, seeds=seeds, **options)

    def speak():
        return speech.speak(
            model, plan, ("unforced", "experts"), range(6),
            max_new_tokens=5, temperature=1.0, rows_at_once=64,
        )  # fmt: skip

    whole = speak()
    monkeypatch.setattr(speech, "generate", counted)
    monkeypatch.setattr(speech, "CACHED", 2 * 3 * 32 * 6 * 5)  # five rows of six tokens
    few = speak()
    assert seen == [4, 4, 4]
    assert (few.texts == whole.texts).all()
    np.testing.assert_allclose(few.nats, whole.nats, rtol=1e-5)
