"""Clusters of points: planted ones are found, the sweep tells how many, bad input is named."""

import numpy as np
import pytest

from neurotrace.geometry.latent_concepts import cluster_words, discover, stability, sweep


@pytest.fixture
def points():
    """Six far clusters of thirty points, and their truth."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(6), 30)
    centres = 20 * rng.standard_normal((6, 12))
    return centres[truth] + rng.standard_normal((180, 12)), truth


@pytest.mark.parametrize("method", ["kmeans", "ward", "minibatch"])
def test_planted_clusters_are_found(points, method):
    X, truth = points
    labels = discover(X, 6, method=method, n_init=10)
    assert stability([labels, truth]) == pytest.approx(1)
    assert set(labels) == set(range(6))


def test_kmeans_is_that_of_scikit_learn(points):
    from sklearn.cluster import KMeans

    X, _ = points
    theirs = KMeans(n_clusters=9, random_state=212).fit_predict(X)
    assert (discover(X, 9, seed=212) == theirs).all()


def test_turning_and_shifting_changes_no_cluster(points):
    X, _ = points
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((12, 12)))[0]
    labels = discover(X, 6, method="ward")
    assert stability([labels, discover(3 * X @ turn + 5, 6, method="ward")]) == pytest.approx(1)


def test_the_sweep_is_stable_where_the_planted_number_is(points):
    X, truth = points
    table = sweep(X, [6, 25], seeds=4, scores={"truth": lambda own: stability([own, truth])})
    assert table["K"].tolist() == [6, 25]
    assert table["stability"][0] > table["stability"][1]
    assert table["truth"][0] > table["truth"][1]
    assert table["inertia"][0] > table["inertia"][1]
    assert (table["chance"] == 0).all()


def test_inertia_is_the_distance_to_the_means():
    table = sweep([[0.0], [2.0], [10.0], [14.0]], [2], seeds=1)
    assert table["inertia"][0] == pytest.approx(1 + 1 + 4 + 4)
    assert np.isnan(table["stability"][0])


def test_random_clusterings_have_no_stability():
    rng = np.random.default_rng(2)
    made = [rng.integers(0, 5, 400) for _ in range(6)]
    assert abs(stability(made)) < 0.02


def test_words_are_read_by_cluster_and_language():
    words = ["dog", "Hund", "dog", "cat", "zebra"]
    table = cluster_words(words, [0, 0, 0, 0, 1], ["en", "de", "en", "en", "en"], n=1)
    assert table.to_numpy().tolist() == [
        [0, "de", 1, 1, "Hund"],
        [0, "en", 3, 2, "dog"],
        [1, "en", 1, 1, "zebra"],
    ]
    alone = cluster_words(words, [0, 0, 0, 0, 1])
    assert alone["words"].tolist() == ["dog, Hund, cat", "zebra"]


@pytest.mark.parametrize(
    ("X", "k", "message"),
    [
        (np.ones((3, 2)), 4, "got 4 clusters for 3 points, 1 of them distinct"),
        (np.array([[0.0], [-0.0], [1.0]]), 3, "expected at most 2"),
        (np.array([[0.0], [np.nan]]), 1, "got 1 points that are not finite, the first in row 1"),
        (np.ones((3, 2)), 0, "got 0 clusters"),
        (np.ones(3), 1, "expected numbers, .point, feature."),
    ],
)
def test_unfit_points_are_refused(X, k, message):
    with pytest.raises(ValueError, match=message):
        discover(X, k)


def test_an_unknown_method_lists_the_valid_ones():
    with pytest.raises(ValueError, match="valid are kmeans, ward, minibatch"):
        discover(np.eye(3), 2, method="dbscan")
