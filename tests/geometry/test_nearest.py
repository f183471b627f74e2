"""Nearest points: equal to brute force, never oneself, ties fair, blocks of no matter."""

import numpy as np
import pytest

from neurotrace.geometry.nearest import _columns, knn_agreement, knn_agreement_chance, nearest
from neurotrace.geometry.nearest_loops import best_of_block


def brute(X, k, metric):
    X = np.asarray(X, float)
    if metric == "cosine":
        X = X / np.linalg.norm(X, axis=1, keepdims=True)
    squares = ((X[:, None] - X) ** 2).sum(-1)
    np.fill_diagonal(squares, np.inf)
    found = np.argsort(squares, axis=1)[:, :k]
    best = np.take_along_axis(squares, found, 1)
    return found, best / 2 if metric == "cosine" else np.sqrt(best)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("shift", [0.0, 50.0, 1e5])
@pytest.mark.parametrize("width", [2, 16, 67])
def test_neighbours_are_those_of_brute_force(metric, shift, width):
    X = np.random.default_rng(width).normal(size=(300, width)) + shift
    found = nearest(X, k=7, metric=metric)
    expected, distances = brute(X, 7, metric)
    np.testing.assert_array_equal(found.indices, expected)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-7, atol=1e-15)


def test_four_points_worked_by_hand():
    found = nearest([[0.0, 1], [1, 1], [1, 0], [-1, 0.1]], k=1)
    assert found.indices.ravel().tolist() == [1, 0, 1, 0]  # angles 90, 45, 0, 174; 45 ties below
    half = 1 - np.sqrt(0.5)
    np.testing.assert_allclose(found.distances[[0, 2]].ravel(), [half, half])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_any_block_gives_the_same_neighbours_to_the_last_bit(dtype):
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(150, 24)), rng.integers(0, 2, (150, 24)), np.zeros((50, 24))])
    whole = nearest(X.astype(dtype), k=6, metric="euclidean")
    for block in (1, 1000, 350 * 99, 10**7):
        part = nearest(X.astype(dtype), k=6, metric="euclidean", block=block)
        np.testing.assert_array_equal(part.indices, whole.indices)
        np.testing.assert_array_equal(part.distances, whole.distances)


def test_what_float32_cannot_tell_apart_is_told_apart():
    rng = np.random.default_rng(1)
    X = np.repeat(rng.normal(size=(1, 32)), 200, axis=0)
    X += 1e-12 * rng.normal(size=(200, 32))
    X = np.vstack([X, 1e3 * rng.normal(size=(200, 32))])
    found = nearest(X, k=3, metric="euclidean")
    np.testing.assert_array_equal(found.indices[:200], brute(X, 3, "euclidean")[0][:200])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_duplicate_is_a_neighbour_and_oneself_never(metric):
    X = np.random.default_rng(2).normal(size=(80, 8))
    doubled = np.vstack([X, X])
    found = nearest(doubled, k=3, metric=metric)
    own = np.arange(160)
    np.testing.assert_array_equal(found.indices[:, 0], (own + 80) % 160)
    assert (found.distances[:, 0] == 0).all()
    assert not (found.indices == own[:, None]).any()


def test_the_order_of_exact_ties_is_drawn_and_not_that_of_the_rows():
    X = np.zeros((200, 4))
    first = [(nearest(X, k=1, metric="euclidean", seed=s).indices < 100).mean() for s in range(60)]
    assert np.mean(first) == pytest.approx(0.5, abs=0.2)
    assert min(first) < 0.1
    assert max(first) > 0.9
    again = nearest(X, k=1, metric="euclidean", seed=3).indices
    np.testing.assert_array_equal(again, nearest(X, k=1, metric="euclidean", seed=3).indices)


def test_of_thousands_of_equal_rows_only_k_and_one_are_looked_at():
    X = np.random.default_rng(3).normal(size=(6000, 8))
    X[1000:] = np.arange(5000)[:, None] % 3
    assert len(_columns(X, 5)) == 1000 + 3 * 6
    found = nearest(X, k=5, metric="euclidean")
    assert (found.distances[1000:] == 0).all()


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_scale_and_rotation_do_not_matter(scale):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(120, 10))
    rotation = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    for metric in ("cosine", "euclidean"):
        expected = nearest(X, k=4, metric=metric)
        found = nearest(scale * (X @ rotation), k=4, metric=metric)
        np.testing.assert_array_equal(found.indices, expected.indices)
        size = 1.0 if metric == "cosine" else scale
        np.testing.assert_allclose(found.distances, size * expected.distances, rtol=1e-9)


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(5)
    X, order = rng.normal(size=(200, 12)), rng.permutation(200)
    found, moved = nearest(X, k=4).indices, nearest(X[order], k=4).indices
    np.testing.assert_array_equal(order[moved], found[order])


@pytest.mark.parametrize(
    ("points", "dials", "words"),
    [
        (np.eye(3), {"k": 3}, "k=3 for 3 points; expected 1 to 2"),
        (np.eye(3), {"k": 0}, "k=0"),
        (np.eye(3), {"k": 1, "metric": "cos"}, "valid are cosine, euclidean"),
        ([[1.0, np.nan], [1, 2]], {"k": 1}, "1 rows with NaN or infinity, the first row 0"),
        ([[1.0, 0], [0, 0], [1, 1], [0, 0]], {"k": 1}, "2 rows of zeros (row 1, 3)"),
        (np.ones(4), {"k": 1}, "shape (4,)"),
        ([["a"], ["b"]], {"k": 1}, "dtype"),
    ],
)
def test_bad_points_are_refused_by_name(points, dials, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are checked below
        nearest(points, **dials)
    assert words in str(error.value)


def test_agreement_is_one_for_rotated_and_chance_for_unrelated_points():
    rng = np.random.default_rng(6)
    A, B = rng.normal(size=(2, 400, 16))
    rotation = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    assert knn_agreement(A, 5 * A @ rotation, k=10) == 1.0
    chance = knn_agreement_chance(400, 10)
    assert chance == 10 / 399
    assert knn_agreement(A, B, k=10) == pytest.approx(chance, abs=0.01)
    assert knn_agreement(np.ones((400, 2)), np.ones((400, 3)), k=10) < 0.2  # both know nothing
    with pytest.raises(ValueError, match="expected the same points twice"):
        knn_agreement(A, B[:-1], k=3)


@pytest.mark.parametrize("share", [-1.0, 1.0])
def test_products_as_wrong_as_they_may_be_change_nothing(share):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(90, 6))
    slope, length = np.full(90, 0.2, np.float32), np.linalg.norm(X, axis=1)
    bounds = np.stack([length**2 / 2, length, np.full(90, 1e-5)]).astype(np.float32)
    wrong = share * rng.uniform(-1, 1, (90, 90)) * 0.2 * length
    found, squares = np.empty((90, 5), np.intp), np.empty((90, 5))
    products = (X @ X.T + wrong).astype(np.float32)
    best_of_block(products, 0, np.arange(90), X, bounds, slope, found, squares)
    np.testing.assert_array_equal(found, brute(X, 5, "euclidean")[0])
