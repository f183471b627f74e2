"""p-values of neurons: every ranking enumerated, ties, bounds that hold, refusals."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from neurotrace.probes import auroc, average_precision
from neurotrace.probes.significance import auroc_p_value, average_precision_p_value, p_values

SCORES = {
    "average_precision": (average_precision, average_precision_p_value),
    "auroc": (auroc, auroc_p_value),
}


def every_placement(n, n_pos):
    """(example, placement) bool: all ways to place the positives."""
    labels = np.zeros((n, comb(n, n_pos)), bool)
    for column, places in enumerate(combinations(range(n), n_pos)):
        labels[list(places), column] = True
    return labels


def responses(sizes):
    """One neuron with these tie groups, highest first."""
    return -np.repeat(np.arange(len(sizes)), sizes)[:, None].astype(float)


def reached(values):
    """The share of placements that reach each value."""
    return (values >= values[:, None] - 1e-12).mean(1)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    ("sizes", "n_pos"),
    [([1] * 7, 3), ([2, 1, 3, 3], 4), ([1, 1, 4, 1, 5], 5), ([3, 7], 7), ([6], 1), ([1] * 12, 11)],
)
def test_p_is_the_share_of_all_placements_that_reach_the_score(name, sizes, n_pos):
    score, p_value = SCORES[name]
    values = score(responses(sizes), every_placement(sum(sizes), n_pos))[:, 0]
    exact = reached(values)
    for dtype in (np.float64, np.float32):
        p = p_value(values.astype(dtype), n_pos, sum(sizes), ties=sizes)
        assert p == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_any_shape_goes_in_and_nan_stays(name):
    p_value = SCORES[name][1]
    values = np.array([[0.5, np.nan], [0.9, 1.0]])
    p = p_value(values, 3, 9)
    assert p.shape == (2, 2)
    assert np.isnan(p).tolist() == [[False, True], [False, False]]
    assert p[1, 0] == p_value(0.9, 3, 9)
    assert p[1, 1] == pytest.approx(1 / comb(9, 3))
    assert (np.diff(p_value(np.linspace(0, 1, 50), 30, 90)) <= 0).all()


def test_ones_as_ties_are_no_ties():
    for _, p_value in SCORES.values():
        assert p_value(0.7, 3, 8, ties=np.ones(8, int)) == p_value(0.7, 3, 8)


def test_a_constant_neuron_has_one():
    X, y = np.full((9, 2), 3.0), np.arange(9) < 4
    for name, (_, p_value) in SCORES.items():
        assert p_value(4 / 9 if name != "auroc" else 0.5, 4, 9, ties=[9]) == 1
        for ties in ("bound", "exact"):
            assert p_values(X, y, score=name, ties=ties) == pytest.approx([1, 1])


def test_both_tails_of_auroc_are_two_upper_ones():
    sizes = np.array([2, 1, 1, 4, 3])
    values = auroc(responses(sizes), every_placement(11, 4))[:, 0]
    value = 0.75
    both = auroc_p_value(value, 4, 11, ties=sizes) + auroc_p_value(value, 4, 11, ties=sizes[::-1])
    assert both == pytest.approx(((values >= value) | (values <= 1 - value)).mean())


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("sizes", [[1] * 9, [4, 5], [1, 2, 1, 3, 2], [1, 1, 1, 6], [5, 1, 1, 2]])
def test_breaking_ties_downwards_bounds_every_p_value(name, sizes):
    """P(bound <= α) <= α for every α: the bound is itself a p-value."""
    labels = every_placement(9, 4)
    X = np.repeat(responses(sizes), 2, axis=1)
    bound = p_values(X, labels, score=name)[:, 0]
    assert ((bound <= bound[:, None] + 1e-12).mean(1) <= bound + 1e-12).all()
    exact = p_values(X, labels, score=name, ties="exact")[:, 0]
    if max(sizes) == 1:
        np.testing.assert_allclose(bound, exact, rtol=1e-12)


def test_breaking_ties_upwards_is_no_bound_of_average_precision():
    y = [False, True, True]
    tied = average_precision([[2.0], [1.0], [1.0]], y)
    broken = average_precision([[3.0], [2.0], [1.0]], y)
    assert (tied, broken) == (pytest.approx([2 / 3]), pytest.approx([7 / 12]))


def test_a_tied_score_may_not_be_read_in_the_table_without_ties():
    assert average_precision_p_value(4 / 9, 4, 9, ties=[9]) == 1
    assert average_precision_p_value(4 / 9, 4, 9) < 0.95


def test_unknown_labels_change_counts_and_ties_of_their_concept_only():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 12, (14, 5)).astype(float)
    Y = rng.integers(-1, 2, (14, 3))
    for name in SCORES:
        for ties in ("bound", "exact"):
            together = p_values(X, Y, score=name, ties=ties)
            for concept, y in enumerate(Y.T):
                known = y >= 0
                alone = p_values(X[known], y[known], score=name, ties=ties)
                np.testing.assert_allclose(together[concept], alone, rtol=1e-12)


def test_p_values_are_uniform_without_signal_and_small_with_it():
    rng = np.random.default_rng(1)
    X = rng.normal(1, 0.3, (200, 3000)).astype(np.float16)
    y = np.arange(200) < 30
    X[y, :20] += 1
    for name in SCORES:
        p = p_values(X, y, score=name)
        assert p[:20].max() < 1e-6
        for level in (0.5, 0.1, 0.01):
            spread = np.sqrt(level * (1 - level) / 2980)
            assert (p[20:] <= level).mean() == pytest.approx(level, abs=4 * spread)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_precision_p_value(0.5, 0, 9), "n_pos=0, n=9, expected whole numbers"),
        (lambda: auroc_p_value(0.5, 9, 9), "1 <= n_pos <= 8"),
        (lambda: auroc_p_value(1.5, 3, 9), "a score of 1.5, expected 0 to 1"),
        (lambda: auroc_p_value(0.5, 3, 9, ties=[4, 4]), "sum to 8, expected"),
        (lambda: auroc_p_value(0.5, 3, 9, ties=[4.5, 4.5]), "whole group sizes"),
        (lambda: auroc_p_value("high", 3, 9), "values of dtype"),
        (lambda: p_values([[1], [2]], [1, 0], score="f1"), "valid are average_precision, auroc"),
        (lambda: p_values([[1], [2]], [1, 0], ties="none"), "valid are bound, exact"),
        (lambda: p_values([[1], [2]], [1, 1]), "no negative"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()
