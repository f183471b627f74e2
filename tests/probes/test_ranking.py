"""One order, many label sets and splits: halves equal the scores of each half alone."""

import numpy as np
import pytest

from neurotrace.probes import Ranking, auroc, average_precision, average_precision_halves, rank
from neurotrace.probes.ranking import BLOCK, FEW_SPLITS, LANES


def tied(n_examples, n_neurons, dtype, seed=0):
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(n_examples, n_neurons)) * 3)
    X[:, ::2] += rng.normal(size=X[:, ::2].shape)
    X[:, 0] = 0.0
    X[::2, 0] = -0.0
    return X.astype(dtype)


def even_halves(n_splits, n_examples, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(n_examples) % 2 == 0 for _ in range(n_splits)])


def decoded(order):
    return np.where(order < 0, ~order, order), order < 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
def test_order_falls_and_closes_exactly_the_tie_groups(dtype):
    X = tied(500, 20, dtype)
    rows, closes = decoded(rank(X).order)
    values = np.take_along_axis(X.T.astype(float), rows.astype(int), axis=1)
    assert (np.diff(values, axis=1) <= 0).all()
    assert (np.sort(rows, axis=1) == np.arange(500)).all()
    np.testing.assert_array_equal(closes[:, :-1], np.diff(values, axis=1) != 0)
    assert closes[:, -1].all()


@pytest.mark.parametrize("n_examples", [1, 32_768, 32_769, 70_000])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_any_number_of_sentences_is_ordered(n_examples, dtype):
    X = np.random.default_rng(1).normal(size=(n_examples, 2)).astype(dtype)
    rows, _ = decoded(rank(X).order)
    expected = -np.sort(-X.T.astype(float), axis=1)
    np.testing.assert_array_equal(np.take_along_axis(X.T, rows.astype(int), axis=1), expected)


def test_every_finite_half_precision_value_is_ordered():
    values = np.arange(2**16, dtype=np.uint16).view(np.float16)
    values = values[np.isfinite(values)]
    X = np.random.default_rng(2).permutation(values)[:, None]
    rows, closes = decoded(rank(X).order)
    np.testing.assert_array_equal(X[rows[0], 0], -np.sort(-values.astype(float)))
    assert closes.sum() == len(values) - 1  # only the two zeros tie


@pytest.mark.parametrize("labels", ["one hot", "overlapping", "tri-state"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_halves_equal_each_half_scored_alone(labels, dtype):
    rng = np.random.default_rng(3)
    X, halves = tied(160, BLOCK + 20, dtype), even_halves(4, 160)
    Y = (rng.integers(0, 6, 160)[:, None] == np.arange(5)).astype(int)
    if labels != "one hot":
        Y = (rng.random((160, 5)) < 0.3).astype(int)
    if labels == "tri-state":
        Y[rng.random(Y.shape) < 0.2] = -1
    ranking = rank(X)
    ap = ranking.average_precision_halves(Y, halves, dtype=np.float64)
    roc = ranking.auroc_halves(Y, halves, dtype=np.float64)
    assert ap.shape == roc.shape == (4, 2, 5, BLOCK + 20)
    for split, in_a in enumerate(halves):
        for half, rows in enumerate((in_a, ~in_a)):
            alone = average_precision(X[rows], Y[rows])
            np.testing.assert_allclose(ap[split, half], alone, rtol=1e-13)
            np.testing.assert_allclose(roc[split, half], auroc(X[rows], Y[rows]), rtol=1e-13)


@pytest.mark.parametrize("n_splits", [1, FEW_SPLITS, FEW_SPLITS + 1, LANES + 1, 2 * LANES + 3])
@pytest.mark.parametrize("score", ["average_precision_halves", "auroc_halves"])
def test_any_number_of_splits_is_those_splits_one_by_one(n_splits, score):
    """Few splits are walked one after the other, more of them side by side."""
    rng = np.random.default_rng(6)
    X, halves = tied(130, 40, np.float16), even_halves(n_splits, 130)
    Y = (rng.random((130, 4)) < [0.1, 0.3, 0.3, 0.8]).astype(int)
    Y[:6], Y[6:12] = 1, 0
    halves[:, :12:2], halves[:, 1:12:2] = True, False
    Y[12:, 2:][rng.random((118, 2)) < 0.2] = -1
    together = getattr(rank(X), score)(Y, halves, dtype=np.float64)
    for split, half in enumerate(halves):
        alone = getattr(rank(X), score)(Y, half[None], dtype=np.float64)
        np.testing.assert_array_equal(together[split], alone[0])
    whole = average_precision if score.startswith("average") else auroc
    for side, rows in enumerate((halves[-1], ~halves[-1])):
        for concept, y in enumerate(Y.T):
            known = rows & (y >= 0)
            expected = whole(X[known], y[known])
            np.testing.assert_allclose(together[-1, side, concept], expected, rtol=1e-13)


def test_a_ranking_kept_read_only_is_read():
    X, halves = tied(60, 5, np.float32), even_halves(9, 60)
    order = rank(X).order
    frozen = order.copy()
    frozen.flags.writeable = False
    Y = np.arange(60)[:, None] % 3 == np.arange(3)
    for one in (Ranking(frozen), Ranking(np.asfortranarray(order))):
        np.testing.assert_array_equal(one.average_precision(Y), average_precision(X, Y))
        np.testing.assert_array_equal(
            one.average_precision_halves(Y, halves), average_precision_halves(X, Y, halves)
        )


def test_public_halves_are_the_rankings_in_single_precision():
    X, halves = tied(60, 10, np.float16), even_halves(3, 60)
    y = np.arange(60) % 3 == 0
    scores = average_precision_halves(X, y, halves)
    assert scores.shape == (3, 2, 1, 10)
    assert scores.dtype == np.float32
    exact = rank(X).average_precision_halves(y, halves, dtype=np.float64)
    np.testing.assert_array_equal(scores, exact.astype(np.float32))


def test_swapping_the_halves_swaps_the_scores():
    X, halves = tied(80, 15, np.float32), even_halves(5, 80)
    Y = np.arange(80)[:, None] % 4 == np.arange(4)
    scores = rank(X).average_precision_halves(Y, halves)
    swapped = rank(X).average_precision_halves(Y, ~halves)
    np.testing.assert_array_equal(swapped, scores[:, ::-1])


def test_one_ranking_serves_any_label_set():
    X = tied(90, 12, np.float16)
    ranking = rank(X)
    for seed in range(3):
        Y = np.random.default_rng(seed).random((90, 6)) < 0.5
        np.testing.assert_array_equal(ranking.average_precision(Y), average_precision(X, Y))
        np.testing.assert_array_equal(ranking.auroc(Y[:, 0]), auroc(X, Y[:, 0]))


def test_noise_shared_by_both_halves_of_a_sentence_pair_lifts_neither():
    """Scores of random labels stay at their expectation in both halves."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(200, 400))
    y = np.arange(200) % 2 == 0
    halves = np.array([rng.permutation(np.repeat([True, False], 100)) for _ in range(3)])
    scores = rank(X).auroc_halves(y, halves)
    assert scores.mean((2, 3)) == pytest.approx(0.5, abs=0.015)


def test_a_half_without_a_positive_is_refused_by_name():
    halves = even_halves(3, 40)
    Y = np.ones((40, 2), bool)
    Y[~halves[1], 1] = False
    with pytest.raises(ValueError, match=r"no positive in half B for concept \(column\) 1 in spl"):
        rank(np.zeros((40, 3))).average_precision_halves(Y, halves)
    with pytest.raises(ValueError, match="no negative .* in half A"):
        rank(np.zeros((40, 3))).auroc_halves(Y[:, :1], halves)


@pytest.mark.parametrize("halves", [np.ones((2, 9), bool), np.ones(10, bool), np.ones((2, 10))])
def test_halves_of_another_shape_or_dtype_are_refused(halves):
    with pytest.raises(ValueError, match="got halves of"):
        rank(np.zeros((10, 2))).average_precision_halves(np.arange(10) < 5, halves)
