"""Tables of AP and AUROC: listed placements, published figures, proven brackets, the far tail."""

# ruff: noqa: PLR0917 - parameters of a table of figures

import numpy as np
import pytest

from neurotrace.probes import expected_average_precision, rank_nulls
from neurotrace.probes.placements import highest
from neurotrace.probes.rank_nulls import auroc_null, average_precision_null

SLACK = 1e-12
LEVELS = [0.5, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8]


@pytest.fixture(autouse=True)
def fresh_tables():
    """Tables made inside a test with other limits must not be met outside."""
    yield
    average_precision_null.cache_clear()
    auroc_null.cache_clear()


@pytest.fixture
def _no_lists(monkeypatch):
    """Tables that may list no placement, which leaves the grid alone."""
    monkeypatch.setattr(rank_nulls, "LISTED", 0)


def listed(sizes, n_pos, *, precision, least=0.0):
    """Every sum from `least` up with its exact tail, in scores."""
    sizes = np.array(sizes)
    sums, chances, whole = highest(sizes, n_pos, precision, least, 20_000_000)
    assert whole
    sums, tails = rank_nulls._ranked(sums, chances)
    pairs = n_pos * (sizes.sum() - n_pos)
    return sums / (n_pos if precision else pairs), tails


def at_levels(null, levels=LEVELS):
    """Scores in the middle of the grid's cells at which p is about each level."""
    cells = [rank_nulls._quantile(null.survival, p) for p in levels]
    return (null.first + np.array(cells)) * null.step / null.scale


@pytest.mark.parametrize("precision", [True, False])
def test_listed_placements_are_all_there_are(precision):
    scores, tails = listed([2, 1, 3, 1, 1], 3, precision=precision)
    assert tails[0] == pytest.approx(1, rel=1e-14)
    assert (np.diff(tails) < 0).all()
    assert (np.diff(scores) > 0).all()


def test_a_single_positive_is_uniform_over_ranks():
    null = average_precision_null(1, 8, None)
    ranks = np.arange(1, 9)
    assert null.p_value(1 / ranks, SLACK) == pytest.approx(ranks / 8, rel=1e-14)


@pytest.mark.usefixtures("_no_lists")
@pytest.mark.parametrize(("sizes", "n_pos"), [([1] * 22, 9), ([1] * 14 + [3, 1, 5], 8)])
def test_grid_agrees_with_all_placements_and_its_bracket_holds_them(sizes, n_pos):
    scores, tails = listed(sizes, n_pos, precision=True)
    null = average_precision_null(n_pos, sum(sizes), tuple(sizes))
    assert null.method == "grid"
    some = np.unique(np.geomspace(1, len(scores), 400).astype(int))  # rarest ones all
    lower, upper = null.bracket(scores[-some])
    assert (lower <= tails[-some] * (1 + 1e-9)).all()
    assert (upper >= tails[-some] * (1 - 1e-9)).all()
    many = (tails < 0.5) & (tails > 1e-3)  # further out single placements weigh
    np.testing.assert_allclose(null.p_value(scores, SLACK)[many], tails[many], rtol=0.02)


@pytest.mark.usefixtures("_no_lists")
def test_grid_is_right_at_a_hundred_millionth_where_lists_reach_that_far():
    null = average_precision_null(9, 90, None)
    least = at_levels(null, [2e-6])[0]
    scores, tails = listed([1] * 90, 9, precision=True, least=least * 9)
    places = [int(np.argmin(np.abs(tails - p))) for p in (1e-6, 1e-7, 1e-8)]
    assert tails[places] == pytest.approx([1e-6, 1e-7, 1e-8], rel=0.02)
    assert null.p_value(scores[places], SLACK) == pytest.approx(tails[places], rel=0.01)
    lower, upper = null.bracket(scores[places])
    assert (lower <= tails[places]).all()
    assert (tails[places] <= upper).all()


@pytest.mark.parametrize(("n_pos", "n"), [(4, 300), (30, 360), (50, 100), (60, 720)])
def test_the_proven_bracket_is_within_ten_percent_down_to_a_hundred_millionth(n_pos, n):
    null = average_precision_null(n_pos, n, None)
    values = at_levels(null)
    p = null.p_value(values, SLACK)
    lower, upper = null.bracket(values)
    assert p[-1] < 2e-8
    assert (lower >= 0.9 * p).all()
    assert (upper <= 1.1 * p).all()


def test_a_finer_grid_changes_nothing_that_shows(monkeypatch):
    null = average_precision_null(30, 360, None)
    values = at_levels(null)
    average_precision_null.cache_clear()
    monkeypatch.setattr(rank_nulls, "BLUR", rank_nulls.BLUR / 4)
    finer = average_precision_null(30, 360, None)
    assert finer.step < null.step / 3
    assert finer.p_value(values, SLACK) == pytest.approx(null.p_value(values, SLACK), rel=1e-3)


@pytest.mark.parametrize(
    ("n_pos", "n", "mean", "sd", "high", "best"),
    [
        (700, 1700, 0.41419, 0.0120, 0.4545, 0.4737),
        (500, 3000, 0.16877, 0.0072, 0.1941, 0.2006),
        (100, 200, 0.51226, 0.035, 0.6282, 0.6755),
        (50, 100, 0.52115, 0.049, 0.6907, 0.7237),
    ],
)
def test_simulated_spread_and_extremes_are_met(monkeypatch, n_pos, n, mean, sd, high, best):
    monkeypatch.setattr(rank_nulls, "BLUR", 0.5)  # coarse: seconds for the large sizes
    null = average_precision_null(n_pos, n, None)
    mass = -np.diff(null.survival)
    values = (null.first + np.arange(len(mass))) * null.step / n_pos
    assert mass @ values == pytest.approx(expected_average_precision(n_pos, n), rel=1e-9)
    assert mass @ values == pytest.approx(mean, abs=5e-6)
    assert np.sqrt(mass @ (values - mean) ** 2) == pytest.approx(sd, rel=0.02)
    # These extremes were simulated from few draws (the table puts the 99.9 % point of 100 among
    # 200 at .6336, not .6282). Hence 1 % for the quantile and 3.5 % for the best.
    exceeds = rank_nulls._quantile(null.survival, 1e-3)
    assert values[exceeds] == pytest.approx(high, rel=0.01)
    none_above = (1 - null.survival[1:]) ** 20_000
    assert np.diff(none_above, prepend=0) @ values == pytest.approx(best, rel=0.035)


def test_exact_auroc_has_the_moments_of_a_rank_sum_and_is_symmetric():
    null = auroc_null(30, 360, None)
    assert null.method == "summed"
    mass = -np.diff(null.survival)
    u = null.first + np.arange(len(mass))
    assert mass @ u == pytest.approx(30 * 330 / 2, rel=1e-12)
    assert mass @ (u - u.mean()) ** 2 == pytest.approx(30 * 330 * 361 / 12, rel=1e-12)
    np.testing.assert_allclose(mass, mass[::-1], atol=1e-15)


@pytest.mark.parametrize("sizes", [[1] * 360, [3, 7] * 20 + [1] * 60 + [100]])
@pytest.mark.parametrize("n_pos", [20, 80])
def test_saddlepoint_agrees_with_the_exact_sum_beyond_a_hundred_millionth(
    monkeypatch, sizes, n_pos
):
    n = sum(sizes)
    exact = auroc_null(n_pos, n, tuple(sizes))
    assert exact.method == "summed"
    auroc_null.cache_clear()
    monkeypatch.setattr(rank_nulls, "CELLS", 0)
    saddle = auroc_null(n_pos, n, tuple(sizes))
    assert saddle.method == "saddlepoint"
    values = at_levels(exact, [0.9, *LEVELS])
    p = exact.p_value(values, SLACK)
    assert saddle.p_value(values, SLACK) == pytest.approx(p, rel=0.02)
    with pytest.raises(ValueError, match="saddlepoint table"):
        saddle.bracket(values)


def test_few_positives_among_very_many_sentences_use_a_grid(monkeypatch):
    exact = auroc_null(8, 400, None)
    assert exact.method == "summed"
    auroc_null.cache_clear()
    monkeypatch.setattr(rank_nulls, "CELLS", 0)
    monkeypatch.setattr(rank_nulls, "LISTED", 0)
    grid = auroc_null(8, 400, None)
    assert grid.method == "grid"
    values = at_levels(exact)
    assert grid.p_value(values, SLACK) == pytest.approx(exact.p_value(values, SLACK), rel=0.01)


def test_auroc_of_mostly_positives_is_that_of_the_negatives():
    sizes = (3, 1, 1, 6, 2, 2)
    scores, tails = listed(sizes, 11, precision=False)
    assert auroc_null(11, 15, sizes).p_value(scores, SLACK) == pytest.approx(tails, rel=1e-12)


def test_tables_are_kept_for_each_size_and_tie_pattern():
    assert auroc_null(4, 9, None) is auroc_null(4, 9, None)
    assert auroc_null(4, 9, (9,)) is not auroc_null(4, 9, None)
