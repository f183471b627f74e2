"""Doses: a change has the size asked for, whatever the values were."""

import numpy as np
import pytest
import torch
from causal.networks import LANGUAGES, planted, planted_ingredients, random_ingredients

from neurotrace.causal.doses import interchange_doses


def test_a_change_has_the_asked_share_of_the_unforced_residual_stream(model):
    """A reader's own count, against norms read without any edit."""
    experts, source, target = random_ingredients(model)
    only = {lang: [[1, 5, 6], [1, 8, 9]] for lang in LANGUAGES}
    target = type(target)(LANGUAGES, target.concepts, only, target.words)
    ids = torch.tensor([[1, 5, 6], [1, 8, 9]])
    stream, before, found = {}, {}, []
    places = {
        ("hook_resid_post", at): lambda x, at=at: stream.__setitem__(at, x[:, 1:])
        for at in range(3)
    }
    with model.watch(places) as run:
        run(ids, torch.ones_like(ids))

    def reading(at):
        return lambda x: before.__setitem__(at, x) or x

    def comparing(at):
        bias = model.model.get_submodule(f"gpt_neox.layers.{at}.mlp").dense_4h_to_h.bias

        def compare(x):
            if len(x) > 2:  # unforced frames are two
                change = (x - before[at] @ model.w_out(at) - bias)[:, 1:].norm(dim=-1)
                size = stream[at].norm(dim=-1)
                share = (change / size.repeat(len(x) // 2, 1)).detach()
                found.append(torch.stack(share.chunk(4)).numpy())
            return x

        return compare

    readers = {("mlp.hook_post", at): reading(at) for at in range(3)}
    readers |= {("mlp.hook_out", at): comparing(at) for at in range(3)}
    with model.edit(readers):
        interchange_doses(model, experts, source, target, doses=(0.25, 1.0))
    wanted = np.array([0.25, 1.0, 0.25, 1.0])[:, None, None]
    assert len(found) == 6
    for shares in found:
        np.testing.assert_allclose(shares, np.broadcast_to(wanted, shares.shape), rtol=1e-2)


def test_in_a_planted_network_the_answer_grows_with_the_dose_and_random_neurons_give_none():
    experts, source, target = planted_ingredients()
    result = interchange_doses(planted(shared=True), experts, source, target, replicates=20)
    assert result["across"].dims == ("arm", "dose")
    assert result["dose"].values.tolist() == [0.25, 0.5, 1.0]
    own = result["across"].sel(arm="experts").values
    # ‖residual‖ = √18; a neuron writes two directions, so that each gets dose · 3.
    d = 3 * np.array([0.25, 0.5, 1.0])
    h = np.stack([np.array([3, -3, size, size, 0, 0, 0, 0]) for size in d])
    np.testing.assert_allclose(own, d / np.sqrt(h.var(1) + 1e-5), rtol=1e-4)
    np.testing.assert_allclose(result["within"].sel(arm="experts"), own, rtol=1e-5)
    assert result["chance"].dims == ("dose",)
    assert (result["across_low"] <= result["across"] + 1e-6).all()


def test_the_values_own_size_does_not_matter():
    experts, _, target = planted_ingredients()
    small, large = (
        interchange_doses(planted(shared=False), experts, planted_ingredients(v)[1], target)
        for v in (0.5, 50.0)
    )
    np.testing.assert_allclose(small["within"], large["within"], rtol=1e-5, atol=1e-7)


def test_batches_decide_nothing(model):
    given = random_ingredients(model)
    whole = interchange_doses(model, *given, replicates=5)
    np.testing.assert_allclose(
        interchange_doses(model, *given, replicates=5, batch_rows=9)["across"],
        whole["across"],
        atol=1e-5,
    )


@pytest.mark.parametrize("doses", [(), (0.0, 1.0)])
def test_a_dose_above_nothing_is_needed(model, doses):
    with pytest.raises(ValueError, match="expected strengths above 0"):
        interchange_doses(model, *random_ingredients(model), doses=doses)
