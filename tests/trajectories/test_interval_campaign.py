"""Intervals of corrected overlap, counted over stores whose population is known.

Concepts and languages of every store are draws from one population, so the truth is a number of
the population and not of the store. It is known in two ways: as planted, by a simulation of two
million concepts and pairs of languages; and as what the estimate tends to, the mean over all
stores, which lies below it where a neuron that two concepts of a language claim serves neither.
"""

import numpy as np
import pytest
import xarray as xr
from planted import Stage, drawn_experts, drawn_sharing, fire

from neurotrace.trajectories import expert_overlap, interval, node_bootstrap, summarize

K, N_STORES = 12, 200
SPREADS = {"concept_sd": 0.7, "lang_sd": 0.5}
SIZES = ((20, 8), (16, 4))  # concepts and languages; the second is as small as the lab


def _overlap(folder, *, n_concepts, n_langs, seed):
    stage = Stage(n_concepts=n_concepts, n_langs=n_langs, n_groups=16, widths=(300, 300))
    rng = np.random.default_rng([seed, 77])
    X = fire(stage, drawn_experts(stage, k=K, rng=rng, **SPREADS), signal=2.5, rng=rng)
    return expert_overlap(stage.write(folder, {0: X}), top=K, n_splits=4, replicates=0)


def _nodes(*, n_concepts, n_langs, seed):
    """An overlap of full reliability that is a sum of effects of concepts and languages."""
    rng = np.random.default_rng(seed)
    lang = rng.normal(0, 0.1, n_langs)
    value = 0.3 + rng.normal(0, 0.1, n_concepts)[:, None, None] + lang[:, None] + lang
    value[:, range(n_langs), range(n_langs)] = np.nan
    columns = dict.fromkeys(("value", "stratified", "wrong_concept", "same_half", "excess"), value)
    overlap = xr.Dataset({n: (("concept", "lang_a", "lang_b"), v) for n, v in columns.items()})
    return overlap.assign(rel=(("concept", "lang"), np.ones((n_concepts, n_langs))), chance=0.0)


@pytest.mark.parametrize(("n_concepts", "n_langs"), [(20, 8), (16, 4), (6, 3)])
def test_sums_of_effects_are_covered_however_few_languages(n_concepts, n_langs, record_property):
    stores = [_nodes(n_concepts=n_concepts, n_langs=n_langs, seed=seed) for seed in range(400)]
    overlap = xr.concat(stores, dim="step", data_vars="all").assign(chance=0.0)
    low, high = interval(node_bootstrap(overlap, replicates=4000)["corrected"])
    covered = (low <= 0.3) & (high >= 0.3)
    record_property("coverage", float(np.mean(covered)))
    assert np.mean(covered) >= 0.93


def test_the_spread_of_draws_is_the_jackknife_of_pairs():
    """By hand: four languages a, b, c, d and pairs that are sums of 0, 1, 2, 3."""
    overlap = _nodes(n_concepts=3, n_langs=4, seed=0)
    lang = np.arange(4.0)
    value = np.broadcast_to(lang[:, None] + lang, (3, 4, 4)).copy()
    value[:, range(4), range(4)] = np.nan
    overlap["value"] = (overlap["value"].dims, value)
    draws = node_bootstrap(overlap, replicates=20_000)["corrected"]
    assert float(draws[0]) == pytest.approx(3)
    error = 2 * np.sqrt(np.var(lang, ddof=1) / 4)  # of twice the mean of four numbers
    low, high = interval(draws)
    assert float(high) - 3 == pytest.approx(3.182 * error, rel=0.03)  # Student's t, 3 degrees
    assert 3 - float(low) == pytest.approx(3.182 * error, rel=0.03)


def test_differences_are_paired():
    overlap = _nodes(n_concepts=16, n_langs=4, seed=1)
    lower = overlap.assign(value=overlap["value"] - 0.1)
    draws = node_bootstrap(overlap)["corrected"] - node_bootstrap(lower)["corrected"]
    np.testing.assert_allclose(draws, 0.1)


def test_two_languages_cover_concepts_alone():
    overlap = _nodes(n_concepts=16, n_langs=2, seed=2)
    value = overlap["value"].values[:, 0, 1]
    low, high = interval(node_bootstrap(overlap, replicates=20_000)["corrected"])
    width = 2 * 2.131 * value.std(ddof=1) / 4
    assert float(high - low) == pytest.approx(width, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("n_concepts", "n_langs"), SIZES)
def test_intervals_cover_the_population(tmp_path, n_concepts, n_langs, record_property):
    found = []
    for seed in range(N_STORES):
        overlap = _overlap(tmp_path / str(seed), n_concepts=n_concepts, n_langs=n_langs, seed=seed)
        row = summarize(overlap, replicates=400)
        found.append([float(row[f"corrected{end}"][0]) for end in ("", "_low", "_high")])
    estimate, low, high = np.array(found).T
    planted, limit = drawn_sharing(**SPREADS), float(estimate.mean())
    covered = {
        name: float(np.mean((low <= truth) & (truth <= high)))
        for name, truth in (("planted", planted), ("limit", limit))
    }
    record_property("truth_planted", float(planted))
    record_property("bias", float(limit - planted))
    record_property("spread", float(estimate.std()))
    record_property("width", float(np.mean(high - low)))
    for name, share in covered.items():
        record_property(f"coverage_{name}", float(share))
    assert abs(limit - planted) < 0.03
    assert min(covered.values()) >= 0.93
