"""Average precision and AUROC: known answers, scikit-learn, invariances, refusals."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.metrics import average_precision_score, roc_auc_score

from neurotrace.probes import (
    auroc,
    average_precision,
    average_precision_halves,
    expected_average_precision,
)
from neurotrace.probes.ranking import BLOCK

FLOATS = [np.float16, np.float32, np.float64]


def by_sklearn(score, X, Y):
    return np.array([[score(y, x) for x in X.T.astype(float)] for y in Y.T])


def awkward(n_examples, n_neurons, dtype, seed=0):
    """Columns with heavy ties, zeros of both signs, constants and subnormals among normal ones."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_examples, n_neurons))
    X[:, ::3] = np.round(X[:, ::3] * 2)
    X[:, 1::7] = np.maximum(X[:, 1::7], 0)
    X[:, 5::50] = 0.0
    X[::2, 5::50] = -0.0
    X[:, 6::50] = -3.25
    X[:, 7::50] = rng.integers(-4, 5, X[:, 7::50].shape) * 2.0**-24
    X[:, 8::50] = rng.choice([-0.0, 0.0, 1.0, -1.0], X[:, 8::50].shape)
    return X.astype(dtype)


def test_tied_scores_share_one_threshold():
    X, y = [[0.9], [0.8], [0.8], [0.1]], [1, 0, 1, 0]
    assert average_precision(X, y) == pytest.approx([5 / 6], rel=1e-15)
    assert auroc(X, y) == pytest.approx([7 / 8], rel=1e-15)


def test_constant_neuron_scores_the_share_of_positives():
    X, y = np.full((5, 1), 3.0), [True, True, False, False, False]
    assert average_precision(X, y) == pytest.approx([0.4], rel=1e-15)
    assert auroc(X, y) == pytest.approx([0.5], rel=1e-15)


def test_published_example_of_self_conditioning_is_met():
    responses = np.random.RandomState(1234).rand(10, 6)
    expected = [0.72222, 0.55556, 1, 1, 1, 0.63333, 0.91667, 0.7, 0.80556, 0.72222]
    assert average_precision(responses.T, [1, 1, 0, 1, 0, 0]) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_average_precision_equals_sklearn_on_ten_thousand_columns(dtype):
    X = awkward(48, 10_000 // len(FLOATS) + 1, dtype)
    Y = np.random.default_rng(1).random((48, 3)) < [0.4, 0.1, 0.9]
    Y[:, 1] = np.arange(48) == 17  # a single positive
    ours = average_precision(X, Y)
    columns = np.arange(X.shape[1])
    asked = Y[:, columns % 3].T  # each column is checked against one of the three
    expected = [average_precision_score(y, x) for y, x in zip(asked, X.T, strict=True)]
    assert ours[columns % 3, columns] == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("dtype", [*FLOATS, np.int32, np.int8, np.uint16, bool, ">f4"])
def test_scores_equal_sklearn_for_every_dtype(dtype):
    X = np.abs(awkward(200, 60, float)).astype(dtype)
    Y = np.random.default_rng(2).random((200, 4)) < 0.3
    assert average_precision(X, Y) == pytest.approx(
        by_sklearn(average_precision_score, X, Y), rel=1e-12
    )
    assert auroc(X, Y) == pytest.approx(by_sklearn(roc_auc_score, X, Y), rel=1e-12)


def test_large_integers_that_no_float_tells_apart_are_ordered():
    X = np.array([[2**53], [2**53 + 1], [2**53 + 2]])
    assert average_precision(X, [0, 1, 0]) == pytest.approx([0.5])


def test_strided_reversed_and_memory_mapped_inputs_give_the_same(tmp_path):
    X = awkward(80, 40, np.float32)
    y = np.arange(80) % 3 == 0
    expected = average_precision(X, y)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    wide = np.repeat(X, 2, axis=1)
    for same in (np.asfortranarray(X), wide[:, ::2], mapped, X[::-1]):
        labels = y[::-1] if same.base is X else y
        np.testing.assert_array_equal(average_precision(same, labels), expected)


def test_inputs_are_left_as_they_were():
    X, Y = awkward(50, 30, np.float16), np.arange(100).reshape(50, 2) % 3 == 0
    X_before, Y_before = X.tobytes(), Y.tobytes()
    halves = np.arange(50)[None] % 2 == 0
    average_precision(X, Y), auroc(X, Y), average_precision_halves(X, Y, halves)
    assert (X.tobytes(), Y.tobytes()) == (X_before, Y_before)


@pytest.mark.parametrize("score", [average_precision, auroc])
def test_order_of_sentences_and_neurons_does_not_matter(score):
    X, Y = awkward(120, 70, np.float16), np.random.default_rng(3).random((120, 3)) < 0.4
    rng = np.random.default_rng(4)
    rows, columns = rng.permutation(120), rng.permutation(70)
    np.testing.assert_allclose(score(X[rows], Y[rows]), score(X, Y), rtol=1e-13)
    np.testing.assert_allclose(score(X[:, columns], Y), score(X, Y)[:, columns], rtol=1e-13)


@pytest.mark.parametrize("score", [average_precision, auroc])
def test_monotone_transforms_change_nothing(score):
    X = np.random.default_rng(5).integers(-20, 20, (150, 20)).astype(np.float32)
    y = np.arange(150) % 4 == 0
    np.testing.assert_array_equal(score(np.exp(X / 8), y), score(X, y))


def test_reversed_neuron_has_the_complementary_auroc():
    X, y = awkward(90, 40, np.float32), np.arange(90) % 5 == 0
    np.testing.assert_allclose(auroc(-X, y), 1 - auroc(X, y), rtol=1e-12)


def test_planted_detectors_come_out_on_top():
    rng = np.random.default_rng(6)
    Y = np.arange(400)[:, None] % 8 == np.arange(8)
    X = rng.normal(size=(400, 3 * BLOCK))
    X[:, 10:18] += 5 * Y
    assert average_precision(X, Y).argmax(1).tolist() == list(range(10, 18))
    assert auroc(X, Y).argmax(1).tolist() == list(range(10, 18))


def test_unknown_labels_are_left_out_for_their_concept_only():
    X = awkward(60, 25, np.float32)
    Y = np.random.default_rng(7).integers(-1, 2, (60, 4))
    for concept, y in enumerate(Y.T):
        known = y >= 0
        for score in (average_precision, auroc):
            np.testing.assert_allclose(
                score(X, Y)[concept], score(X[known], y[known] == 1), rtol=1e-13
            )


def test_works_as_score_function_of_select_k_best():
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(100, 12)), np.arange(100) < 40
    X[y, 3] += 4
    X[y, 7] += 3
    for score in (average_precision, auroc):
        assert SelectKBest(score, k=2).fit(X, y).get_support(indices=True).tolist() == [3, 7]
    assert f_classif(X, y)[0].argmax() == auroc(X, y).argmax()


def test_expected_average_precision_is_the_mean_over_all_rankings():
    assert expected_average_precision(3, 7) == pytest.approx(0.5802721, abs=5e-8)
    for n, n_pos in ((7, 3), (6, 1), (5, 5), (8, 7), (1, 1)):
        labels = np.zeros((n, comb(n, n_pos)), bool)
        for column, places in enumerate(combinations(range(n), n_pos)):
            labels[list(places), column] = True
        every = average_precision(-np.arange(n)[:, None], labels)
        assert expected_average_precision(n_pos, n) == pytest.approx(every.mean(), rel=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", FLOATS)
def test_values_that_are_not_finite_are_refused_by_column(dtype, bad):
    X = np.zeros((20, BLOCK + 30), dtype)
    X[11, BLOCK + 9] = bad
    with pytest.raises(ValueError, match=rf"NaN or infinity in neuron \(column\) {BLOCK + 9},"):
        average_precision(X, np.arange(20) < 5)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 2)), [1, 0, 1], r"labels of shape \(3,\), expected \(4,\)"),
        (np.zeros(4), [1, 0, 1, 0], r"X of shape \(4,\)"),
        (np.zeros((4, 0)), [1, 0, 1, 0], "non-empty"),
        (np.zeros((4, 2), complex), [1, 0, 1, 0], "dtype complex128"),
        (np.zeros((4, 2)), list("abab"), "labels of dtype <U1"),
        (np.zeros((4, 2)), [0, 1, 2, 0], "1 positive, 0 negative, -1 unknown"),
        (np.zeros((4, 2)), [0, 1, np.nan, 0], "1 positive, 0 negative, -1 unknown"),
        (np.zeros((4, 2)), [0, 0, 0, 0], "no positive in the sentences"),
        (np.zeros((4, 2)), [1, -1, 1, -1], "no negative"),
        (np.zeros((4, 2)), [[1, 0], [1, 0], [0, 0], [0, 0]], r"concept \(column\) 1"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(X, y, message):
    with pytest.raises(ValueError, match=message):
        average_precision(X, y)


def test_auroc_needs_a_negative_and_average_precision_does_not():
    X, y = np.arange(4.0)[:, None], [True] * 4
    assert average_precision(X, y) == pytest.approx([1.0])
    with pytest.raises(ValueError, match="no negative"):
        auroc(X, y)


@pytest.mark.parametrize("counts", [(0, 5), (6, 5), (1.5, 5)])
def test_impossible_counts_have_no_expectation(counts):
    with pytest.raises(ValueError, match="1 <= n_pos <= n"):
        expected_average_precision(*counts)
