"""Interlingual local overlap: worked toys, what noise gives, planted offsets, invariances."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.geometry.ilo import expected_bridge, ilo, ilo_by_strata
from neurotrace.geometry.nearest import Nearest, nearest


def toy():
    degrees = np.radians([0, 11, 49, 2, 12, 130, 5, 90, 91])
    return np.stack([np.cos(degrees), np.sin(degrees)], 1), list("AAABBBCCC")


def parallel(n_langs, n, *, offset, noise, width=64, seed=0):
    """Unit Gaussian meanings, a little noise, and a vector for each language."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, width))
    own = rng.normal(size=(n_langs, 1, width))
    X = meaning + noise * rng.normal(size=(n_langs, n, width)) + offset * own
    return X.reshape(-1, width), np.repeat([f"l{i:02d}" for i in range(n_langs)], n)


def noise_points(n_langs=6, n=120, width=24, seed=0):
    X = np.random.default_rng(seed).normal(size=(n_langs * n, width))
    return X, np.repeat([f"l{i}" for i in range(n_langs)], n)


def test_nine_points_on_a_circle_worked_by_hand():
    table = ilo(*toy(), k=1, t=1)
    assert table.index.tolist() == ["A", "B", "C"]
    np.testing.assert_allclose(table["bridge"], [1, 1, 1 / 3])
    np.testing.assert_allclose(table["reach"], [0.5, 1, 0.5])
    np.testing.assert_allclose(table["ilo"], [2 / 3, 1, 0.4])
    assert table[["chance", "corrected", "chance_low", "chance_high"]].isna().all(None)


def test_what_noise_gives_in_thirty_one_languages_has_a_closed_form():
    shares = [expected_bridge([997] * 31, k=5, t=t)[0] for t in range(1, 6)]
    np.testing.assert_allclose(
        shares, [1.0, 0.999968, 0.997243, 0.942037, 0.597608], rtol=0, atol=5e-7
    )
    bridge = shares[2]
    assert 2 * bridge / (bridge + 1) == pytest.approx(0.99860, abs=2e-5)


def test_the_closed_form_is_the_mean_over_draws_of_unequal_languages():
    sizes, rng = [4, 9, 2, 6], np.random.default_rng(0)
    others = np.repeat(np.arange(4), sizes)[1:]  # a point of the first language is gone
    drawn = np.array([rng.choice(others, 5, replace=False) for _ in range(20_000)])
    foreign = np.array([len(set(row) - {0}) for row in drawn])
    for t in (1, 2, 3):
        found = expected_bridge(sizes, k=5, t=t)[0]
        assert found == pytest.approx((foreign >= t).mean(), abs=0.015)


def test_noise_scores_like_alignment_and_its_corrected_score_is_zero():
    table = ilo(*noise_points(n_langs=12), permutations=100)
    assert table["ilo"].min() > 0.9
    assert abs(table["corrected"].mean()) < 0.01
    assert (table["ilo"] >= table["chance_low"] - 0.02).all()
    assert (table["ilo"] <= table["chance_high"] + 0.02).all()
    bridge = expected_bridge([120] * 12)[0]
    np.testing.assert_allclose(table["chance"], 2 * bridge / (bridge + 1), atol=0.01)


@pytest.mark.slow
def test_noise_of_the_papers_size_comes_out_as_chance():
    table = ilo(*noise_points(31, 997, 64), permutations=20)
    assert table["ilo"].mean() == pytest.approx(0.9984, abs=4e-4)
    assert table["chance"].mean() == pytest.approx(0.9986, abs=2e-4)
    assert abs(table["corrected"].mean()) < 3 * table["corrected"].std() / np.sqrt(31) + 2e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("offset", "bridge", "reach", "score"),
    [(0.5, 1.0, 0.786, 0.878), (1.0, 0.102, 0.475, 0.145), (2.0, 0.0, 0.0, 0.0)],
)
def test_a_language_offset_of_the_papers_size_undoes_the_overlap(offset, bridge, reach, score):
    found = ilo(*parallel(31, 997, offset=offset, noise=0.1)).mean()
    assert found["bridge"] == pytest.approx(bridge, abs=0.04)
    assert found["reach"] == pytest.approx(reach, abs=0.08)
    assert found["ilo"] == pytest.approx(score, abs=0.06)


def test_offsets_are_fragments_and_centring_brings_the_languages_back():
    X, langs = parallel(6, 100, offset=3.0, noise=0.1, width=16)
    apart = ilo(X, langs, permutations=20)
    assert apart["ilo"].max() == 0
    assert apart["corrected"].max() < -0.5  # below chance, and not clipped
    together = ilo(X, langs, center=True)
    assert together["ilo"].min() > 0.99


def test_parallel_points_with_little_noise_score_one():
    assert ilo(*parallel(8, 60, offset=0.0, noise=0.01))["ilo"].min() == 1.0


def test_names_of_languages_and_the_order_of_rows_do_not_matter():
    X, langs = parallel(5, 80, offset=0.3, noise=1.0, width=12)
    order = np.random.default_rng(1).permutation(len(X))
    columns = ["bridge", "reach", "ilo"]
    expected = ilo(X, langs)[columns]
    moved = ilo(X[order], langs[order])[columns]
    np.testing.assert_array_equal(moved.loc[expected.index], expected)
    renamed = ilo(X, np.char.add("x", langs))[columns]
    np.testing.assert_array_equal(renamed, expected)


def test_a_search_made_before_serves_and_gives_the_same():
    X, langs = noise_points()
    near = nearest(X, k=9)
    pd.testing.assert_frame_equal(
        ilo(X, langs, permutations=5, neighbours=near), ilo(X, langs, permutations=5)
    )
    released = Nearest(np.argsort(-(X @ X.T), 1)[:, 1:6], near.distances)  # first column dropped
    assert ilo(X, langs, neighbours=released)["ilo"].between(0, 1).all()


def test_strata_have_means_and_a_spread_between_languages():
    table = pd.DataFrame(
        {"ilo": [0.9, 0.7, 0.2], "chance": 0.5, "corrected": [0.4, 0.2, -0.3]},
        index=["a", "b", "c"],
    )
    found = ilo_by_strata(table, {"a": "high", "b": "high", "c": "low"})
    assert found.index.tolist() == ["high", "low", "all"]
    np.testing.assert_allclose(found["corrected"], [0.3, -0.3, 0.1])
    assert found.loc["high", "spread"] == pytest.approx(np.std([0.4, 0.2], ddof=1))
    assert np.isnan(found.loc["low", "spread"])
    assert found["languages"].tolist() == [2, 1, 3]
    with pytest.raises(ValueError, match="no stratum for c"):
        ilo_by_strata(table, {"a": "high", "b": "high"})
    with pytest.raises(ValueError, match="called 'all'"):
        ilo_by_strata(table, dict.fromkeys("abc", "all"))


@pytest.mark.parametrize(
    ("langs", "dials", "words"),
    [
        (["a"] * 9, {"t": 1}, "1 language; expected at least two"),
        (list("AAABBBCCC"), {"t": 3}, "t=3 other languages among k=5 neighbours of 3 languages"),
        (list("AAABBBCCC"), {"k": 1, "t": 2}, "expected 1 to 1"),
        (list("AAABBBCC"), {"t": 1}, "got 9 points and 8 languages"),
        (list("AAABBBCCC"), {"k": 9, "t": 1}, "k=9 for 9 points"),
    ],
)
def test_bad_input_is_refused_by_name(langs, dials, words):
    with pytest.raises(ValueError, match=words):
        ilo(toy()[0], langs, **dials)


@pytest.mark.parametrize(("n_langs", "n", "width"), [(4, 30, 256), (4, 120, 64), (12, 30, 256)])
def test_noise_whose_means_are_taken_off_is_at_chance(n_langs, n, width, record_property):
    langs = np.repeat(np.arange(n_langs), n)
    found = []
    for seed in range(12):
        X = np.random.default_rng(seed).normal(size=(n_langs * n, width))
        found.append(ilo(X, langs, center=True, permutations=10, seed=seed)["corrected"].mean())
    record_property("corrected", float(np.mean(found)))
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 0.03
