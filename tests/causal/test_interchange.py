"""Interchange: planted effects as worked out by hand, controls of the promised size."""

import numpy as np
import pytest
import torch
import xarray as xr
from causal.networks import (
    CONCEPTS,
    LANGUAGES,
    by_hand,
    planted,
    planted_ingredients,
    random_ingredients,
    reordered,
)

from neurotrace.causal.ingredients import Experts, Source
from neurotrace.causal.interchange import interchange

ALL = ("random_matched", "random", "wrong_concept", "source_only", "rotated", "direction")


def off_diagonal(values: xr.DataArray) -> xr.DataArray:
    return values.where(values["lang_a"] != values["lang_b"])


def test_a_neuron_that_writes_its_languages_word_alone_has_its_effect_there_and_none_across():
    result = interchange(planted(shared=False), *planted_ingredients(), frames_per_language=2)
    value = result["value"].sel(arm="experts")
    within = np.einsum("caa->ca", value.values)
    np.testing.assert_allclose(within, by_hand(5, shared=False), rtol=1e-5)
    across = value.values[:, ~np.eye(2, dtype=bool)]
    np.testing.assert_allclose(across, 0, atol=1e-5)
    assert float(result["ratio"].sel(arm="experts")) == pytest.approx(0, abs=1e-4)
    assert float(result["within"].sel(arm="experts")) == pytest.approx(within.mean(), rel=1e-5)


def test_a_neuron_that_writes_the_words_of_both_languages_has_the_same_effect_in_both():
    result = interchange(planted(shared=True), *planted_ingredients(), frames_per_language=2)
    value = result["value"].sel(arm="experts").values
    np.testing.assert_allclose(value, by_hand(5, shared=True), rtol=1e-5)
    np.testing.assert_allclose(result["ceiling"], by_hand(5, shared=True), rtol=1e-5)
    assert float(result["ratio"].sel(arm="experts")) == pytest.approx(1, rel=1e-5)


def test_each_frame_gets_a_sentence_of_its_own():
    experts, _, target = planted_ingredients()
    values = np.empty((3, 2, 2, 32), dtype=np.float32)
    values[:, :, 0], values[:, :, 1] = 2, 5
    model = planted(shared=True)
    result = interchange(model, experts, Source(values), target, arms=[], frames_per_language=2)
    low, high = by_hand(2, shared=True), by_hand(5, shared=True)
    np.testing.assert_allclose(result["value"], (low + high) / 2, rtol=1e-5)
    np.testing.assert_allclose(result["se"], (high - low) / 2, rtol=1e-5)


def test_random_neurons_that_write_nothing_do_nothing_matched_or_not():
    experts, source, target = planted_ingredients()
    silent = np.zeros_like(experts.neurons) + np.arange(16, 22).reshape(3, 2, 1)
    moved = Experts(CONCEPTS, LANGUAGES, silent, experts.widths)
    result = interchange(planted(shared=True), moved, source, target)
    np.testing.assert_allclose(result["value"].sel(arm=["random", "random_matched"]), 0, atol=1e-6)
    np.testing.assert_allclose(result["chance"], 0, atol=1e-6)


def test_the_wrong_concept_lowers_the_right_one_by_its_share_among_the_others():
    result = interchange(planted(shared=True), *planted_ingredients(), frames_per_language=2)
    wrong = result["value"].sel(arm="wrong_concept")
    np.testing.assert_allclose(wrong, -by_hand(5, shared=True) / 2, rtol=1e-4)


def test_neurons_set_to_what_they_are_change_nothing(model):
    """Identity: one frame of one word, its own activations as the source."""
    experts, _, target = random_ingredients(model)
    frame = target.frames[LANGUAGES[0]][0]
    ids = torch.tensor([frame])
    own = {}
    places = {
        ("mlp.hook_post", at): lambda x, at=at: own.__setitem__(at, x[0, -1]) for at in (0, 1, 2)
    }
    with model.watch(places) as run:
        run(ids, torch.ones_like(ids))
    values = torch.cat([own[at] for at in (0, 1, 2)]).numpy()
    source = Source(np.broadcast_to(values, (3, 2, 1, len(values))).astype(np.float32))
    same = {lang: [frame] for lang in LANGUAGES}
    alike = type(target)(LANGUAGES, CONCEPTS, same, target.words)
    result = interchange(model, experts, source, alike, arms=["random", "source_only"])
    assert abs(result["value"]).max() < 1e-5
    assert abs(result["size"]).max() < 1e-5


@pytest.mark.parametrize("backend", ["plain", "bridge"])
def test_matched_arms_write_as_much_as_the_experts_at_each_token_and_layer(
    tiny, backend, record_property
):
    """A reader's own count: what the MLP gives out, less what it would have given."""
    model = tiny.hooked("gpt_neox", backend)
    arms = ["experts", "random_matched", "wrong_concept", "direction", "random"]
    before, sizes = {}, {arm: [] for arm in arms}

    def reading(at):
        def read(x):
            before[at] = x
            return x

        return read

    def comparing(at):
        bias = model.model.get_submodule(f"gpt_neox.layers.{at}.mlp").dense_4h_to_h.bias

        def compare(x):
            if len(x) > 3:  # unforced frames are two at most
                change = (x - before[at] @ model.w_out(at) - bias)[:, 1:].norm(dim=-1)
                for arm, own in zip(arms, change.chunk(len(arms)), strict=True):
                    sizes[arm].append(own.detach().numpy())
            return x

        return compare

    readers = {("mlp.hook_post", at): reading(at) for at in range(3)}
    readers |= {("mlp.hook_out", at): comparing(at) for at in range(3)}
    with model.edit(readers):
        interchange(model, *random_ingredients(model), arms=arms)
    experts = np.concatenate([own.ravel() for own in sizes["experts"]])
    assert experts.min() > 0.1
    for arm in arms[1:-1]:
        ratio = np.concatenate([own.ravel() for own in sizes[arm]]) / experts
        record_property(arm, float(abs(ratio - 1).max()))
        assert abs(ratio - 1).max() < 0.01
    free = np.concatenate([own.ravel() for own in sizes["random"]]) / experts
    assert abs(free - 1).mean() > 0.05


def full(model, **changes):
    experts, source, target = random_ingredients(model)
    turned = random_ingredients(model, seed=1, rotation=7)[:2]
    return interchange(model, experts, source, target, rotated=turned, **changes)


def test_the_size_of_batches_decides_nothing(model):
    xr.testing.assert_allclose(full(model), full(model, batch_rows=11), atol=1e-5)


def test_the_order_of_concepts_and_languages_decides_nothing(model):
    whole = full(model)
    order, langs = [0, 2, 1], [1, 0]
    experts, source, target = reordered(*random_ingredients(model), order, langs)
    sets, values, again = random_ingredients(model, seed=1, rotation=7)
    turned = reordered(sets, values, again, order, langs)[:2]
    other = interchange(model, experts, source, target, rotated=turned)
    assert other["concept"].values.tolist() == [CONCEPTS[i] for i in order]
    other = other.sel(concept=list(CONCEPTS), lang_a=list(LANGUAGES), lang_b=list(LANGUAGES))
    np.testing.assert_allclose(other["value"], whole["value"], atol=1e-5)
    assert whole["arm"].values.tolist() == ["experts", *ALL]
    assert float(abs(whole["value"].sel(arm=["random", "wrong_concept"])).mean()) > 1e-3


def test_both_back_ends_say_the_same(tiny):
    plain, bridge = (full(tiny.hooked("gpt_neox", backend)) for backend in ("plain", "bridge"))
    xr.testing.assert_allclose(plain, bridge, atol=1e-4)


def test_nothing_is_the_sources_own_within_a_language(model):
    value = full(model)["value"]
    assert np.isnan(np.einsum("caa->ca", value.sel(arm="source_only").values)).all()
    assert off_diagonal(value).notnull().sum() == value.sizes["arm"] * 3 * 2


@pytest.mark.parametrize("family", ["bloom", "llama"])
def test_other_families_are_served_and_left_as_they_were(tiny, family):
    model = tiny.hooked(family)
    hooks = tiny.n_hooks(model)
    assert full(model)["value"].sel(arm="experts").notnull().all()
    assert tiny.n_hooks(model) == hooks


def test_hooks_are_gone_after_a_failure(tiny, model, monkeypatch):
    hooks = tiny.n_hooks(model)
    monkeypatch.setattr("neurotrace.causal.stage.norm", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        full(model)
    assert tiny.n_hooks(model) == hooks


def test_misfits_are_refused_by_name(model):
    experts, source, target = random_ingredients(model)
    with pytest.raises(ValueError, match="got arm 'magic'; valid here are experts, random_matched"):
        interchange(model, experts, source, target, arms=["magic"])
    with pytest.raises(ValueError, match="got arm 'rotated'"):
        interchange(model, experts, source, target, arms=["rotated"])
    with pytest.raises(ValueError, match=r"got experts of layers \(16, 16\); the model has"):
        interchange(model, *planted_ingredients()[:2], target)
    with pytest.raises(ValueError, match="got source values of shape"):
        interchange(model, experts, Source(source.values[:2]), target)
    stranger = Experts(("a", "b", "c"), LANGUAGES, experts.neurons, experts.widths)
    with pytest.raises(ValueError, match="got 0 concepts and 2 languages"):
        interchange(model, stranger, source, target)


def test_what_has_no_words_is_left_out_and_named(model):
    experts, source, target = random_ingredients(model)
    fewer = type(target)(LANGUAGES, CONCEPTS[:2], target.frames, target.words, left_out=("x: y",))
    result = interchange(model, experts, source, fewer, arms=[])
    assert result["concept"].values.tolist() == list(CONCEPTS[:2])
    assert result.attrs["left_out"] == "x: y; snow: no frames or words"
