"""The use curve: means and ratios worked out by hand, and a ratio only where there is something."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.causal.use import node_draws, summarize_interchange

ARMS = ["experts", "random_matched", "rotated"]


def effects(
    across: float, within: float, *, noise: float = 0.0, n_concepts: int = 12, seed: int = 0
) -> xr.Dataset:
    """Two checkpoints: nothing at the first; half of the experts' effect in rotated units."""
    rng = np.random.default_rng(seed)
    langs = ["qaa", "qab", "qac", "qad"]
    base = np.where(np.eye(4, dtype=bool), within, across)
    share = np.array([1, 0, 0.5])[None, :, None, None, None]
    value = np.array([0.0, 1.0])[:, None, None, None, None] * share * base
    value = np.broadcast_to(value, (2, 3, n_concepts, 4, 4)).copy()
    value += noise * rng.standard_normal(value.shape)
    return xr.Dataset(
        {"value": (("step", "arm", "concept", "lang_a", "lang_b"), value)},
        coords={"step": [0, 8], "arm": ARMS, "concept": [f"c{i}" for i in range(n_concepts)],
                "lang_a": langs, "lang_b": langs},
    )  # fmt: skip


def test_means_ratio_and_counts_by_hand():
    result, draws = summarize_interchange(effects(1.0, 2.0), replicates=50)
    last = result.sel(step=8)
    assert last["across"].values.tolist() == pytest.approx([1, 0, 0.5])
    assert last["within"].values.tolist() == pytest.approx([2, 0, 1])
    assert float(last["ratio"]) == pytest.approx(0.5)
    assert float(last["ratio_rotated"]) == pytest.approx(0.5)
    assert last["topics_positive"].values.tolist() == [12, 0, 12]
    assert last["excess"].values.tolist() == pytest.approx([1, 0, 0.5])
    np.testing.assert_allclose(last["by_pair"], np.where(np.eye(4, dtype=bool), 2, 1))
    assert result["chance"].values.tolist() == [0, 0]
    assert draws["ratio"].dims == ("replicate", "step")
    assert draws.sizes["replicate"] == 51
    np.testing.assert_allclose(draws["across"].isel(replicate=0), [0, 1])


def test_no_ratio_is_taken_of_nothing():
    result, draws = summarize_interchange(effects(1.0, 2.0, noise=0.05), replicates=200)
    assert np.isnan(result["ratio"].sel(step=0))
    assert draws["ratio"].sel(step=0).isnull().all()
    assert np.isfinite(result["ratio"].sel(step=8))
    weak, _ = summarize_interchange(effects(0.02, 0.04), replicates=50)
    assert np.isnan(weak["ratio"].sel(step=8))
    allowed, _ = summarize_interchange(effects(0.02, 0.04), replicates=50, least=0.01)
    assert float(allowed["ratio"].sel(step=8)) == pytest.approx(0.5)


@pytest.mark.parametrize("planted", [0.0, 0.4, 1.0])
def test_a_planted_ratio_lies_inside_its_interval(planted):
    result, _ = summarize_interchange(effects(2 * planted, 2.0, noise=0.3), replicates=300)
    last = result.sel(step=8)
    assert last["ratio_low"] <= planted <= last["ratio_high"]
    assert last["ratio_high"] - last["ratio_low"] < 0.3
    assert (last["excess_low"].sel(arm="experts") > 0) == (planted > 0)


def test_the_order_of_concepts_and_languages_does_not_move_the_estimate():
    given = effects(1.0, 2.0, noise=0.5)
    turned = given.isel(concept=slice(None, None, -1), lang_a=[2, 0, 3, 1], lang_b=[2, 0, 3, 1])
    a, b = (summarize_interchange(own, replicates=10)[0] for own in (given, turned))
    for name in ("across", "within", "ratio"):
        np.testing.assert_allclose(a[name], b[name], atol=1e-12)


def test_draws_move_as_the_overlaps_do():
    """Paired curves: of the same numbers both make the same draws."""
    from neurotrace.trajectories.intervals import node_bootstrap

    value = effects(1.0, 2.0, noise=0.5).isel(step=1, arm=0)["value"]
    names = ("value", "stratified", "wrong_concept", "same_half", "excess")
    overlap = xr.Dataset({name: value for name in names})
    overlap["rel"] = value.isel(lang_b=0, drop=True).rename(lang_a="lang") * 0 + 0.8
    overlap["chance"] = xr.DataArray(0.05)
    theirs = node_bootstrap(overlap, replicates=20, seed=3)["value"]
    ours = node_draws(value, replicates=20, seed=3)["across"]
    np.testing.assert_allclose(ours, theirs)
    assert float(ours.std()) > 0


def test_two_concepts_cannot_be_resampled():
    result, draws = summarize_interchange(effects(1.0, 2.0, n_concepts=2))
    assert draws.sizes["replicate"] == 1
    assert np.isnan(result["across_low"]).all()
    assert np.isnan(result["ratio"]).all()
    assert float(result["across"].sel(arm="experts", step=8)) == pytest.approx(1)


def test_arms_that_were_not_run_are_nan_and_the_experts_are_needed():
    alone = effects(1.0, 2.0).sel(arm=["experts"])
    result, _ = summarize_interchange(alone, replicates=20)
    assert np.isnan(result["chance"]).all()
    assert np.isnan(result["ratio_rotated"]).all()
    assert float(result["ratio"].sel(step=8)) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="expected experts among them"):
        summarize_interchange(effects(1.0, 2.0).sel(arm=["rotated"]))
    with pytest.raises(ValueError, match="expected step"):
        summarize_interchange(effects(1.0, 2.0).isel(step=0, drop=True))


@pytest.mark.slow
def test_intervals_hold_what_was_planted(record_property):
    """200 planted experiments whose concepts and languages differ: mean and ratio are inside."""
    rng = np.random.default_rng(0)
    same = np.eye(4, dtype=bool)
    inside = np.zeros((2, 200))
    for number in range(200):
        strength = 2 + 0.5 * rng.standard_normal((16, 1, 1))
        giving, taking = (0.15 * rng.standard_normal(4) for _ in range(2))
        share = 0.6 + giving[None, :, None] + taking[None, None, :]
        value = strength * np.where(same, 1, share) + 0.2 * rng.standard_normal((16, 4, 4))
        given = xr.Dataset(
            {"value": (("step", "arm", "concept", "lang_a", "lang_b"), value[None, None])},
            coords={"step": [1], "arm": ["experts"]},
        )
        result = summarize_interchange(given, replicates=400, seed=number)[0].isel(step=0)
        own = result.sel(arm="experts")
        inside[0, number] = own["across_low"] <= 1.2 <= own["across_high"]
        inside[1, number] = own["ratio_low"] <= 0.6 <= own["ratio_high"]
    record_property("across", float(inside[0].mean()))
    record_property("ratio", float(inside[1].mean()))
    assert (inside.mean(1) >= 0.93).all()
