"""Rankings of neurons: planted neurons come first, orders are whole, ties go to the lower index."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from neurotrace.probes.elastic import fit_elastic
from neurotrace.probes.selection import RANKINGS, select_neurons

SCORED = [name for name in RANKINGS if name != "random"]
PLANTED = [3, 17, 40]


def planted(n=400, m=60, seed=0, strength=2.0):
    """Three neurons carry the concept, each some of it."""
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    X = rng.normal(size=(n, m))
    X[:, [p for p in PLANTED if p < m]] += strength * y[:, None]
    return X, y


@pytest.mark.parametrize("ranking", SCORED)
def test_planted_neurons_come_first(ranking):
    X, y = planted()
    assert set(select_neurons(X, y, k=3, ranking=ranking)) == set(PLANTED)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_ranking_is_a_whole_order_and_supports_are_nested(ranking):
    X, y = planted(200, 30)
    every = select_neurons(X, y, k=30, ranking=ranking, seed=5)
    assert sorted(every) == list(range(30))
    for k in (1, 7):
        np.testing.assert_array_equal(select_neurons(X, y, k=k, ranking=ranking, seed=5), every[:k])


@pytest.mark.parametrize("ranking", RANKINGS)
def test_neurons_keep_their_rank_when_all_are_moved(ranking):
    X, y = planted(200, 30)
    expected = select_neurons(X, y, k=12, ranking=ranking, seed=5)
    moved = select_neurons(X * 4 + 8, y, k=12, ranking=ranking, seed=5)
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize("ranking", ["f_statistic", "mutual_information", "average_precision"])
def test_the_scale_of_one_neuron_does_not_count(ranking):
    X, y = planted(200, 30)
    expected = select_neurons(X, y, k=12, ranking=ranking)
    scaled = select_neurons(X * np.exp2(np.arange(30) % 7), y, k=12, ranking=ranking)
    np.testing.assert_array_equal(scaled, expected)


@pytest.mark.parametrize("ranking", SCORED)
def test_equal_neurons_are_taken_by_index_and_constant_ones_last(ranking):
    X, y = planted(100, 1)
    X = np.repeat(X[:, :1] + 2 * y[:, None], 4, axis=1)
    X[:, 2] = 1.0
    order = select_neurons(X, y, k=4, ranking=ranking)
    if ranking not in ("l1", "adaptive"):  # which of two equal ones a lasso keeps is its affair
        assert order.tolist() == [0, 1, 3, 2]
    assert order[-1] == 2


def test_average_precision_asks_for_more_response_and_the_mean_for_any():
    X, y = planted(300, 6)
    X[:, 5] = -4.0 * y + 0.1 * X[:, 5]
    assert select_neurons(X, y, k=1)[0] == 5
    assert select_neurons(X, y, k=5, ranking="average_precision").tolist().count(5) == 0


@pytest.mark.parametrize("ranking", SCORED)
def test_concepts_together_have_one_support_from_all_of_them(ranking):
    rng = np.random.default_rng(4)
    codes = np.arange(300) % 3
    X = rng.normal(size=(300, 40))
    for code in range(3):
        X[codes == code, 10 + code] += 3
    Y = codes[:, None] == np.arange(3)
    apart = select_neurons(X, Y, k=1, ranking=ranking)
    assert apart[:, 0].tolist() == [10, 11, 12]
    together = select_neurons(X, Y, k=3, ranking=ranking, together=True)
    assert set(together) == {10, 11, 12}


@pytest.mark.parametrize("ranking", SCORED)
def test_unknown_sentences_take_no_part(ranking):
    X, y = planted(200, 20)
    states = np.where(np.arange(200) % 4 == 0, -1, y.astype(int))
    wild = X.copy()
    wild[states < 0] = 1e3
    np.testing.assert_array_equal(
        select_neurons(wild, states, k=5, ranking=ranking),
        select_neurons(X[states >= 0], y[states >= 0], k=5, ranking=ranking),
    )


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_elastic_net_has_the_optimum_of_scikit_learn(share):
    X, y = planted(200, 15, strength=0.7)
    X = (X - X.mean(0)) / X.std(0)
    weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how to ask for an elastic net changes with versions
        theirs = LogisticRegression(
            penalty="elasticnet", l1_ratio=share, C=0.1, solver="saga", class_weight="balanced",
            tol=1e-10, max_iter=100_000,
        ).fit(X, y)  # fmt: skip
    w = np.zeros(16)
    rows = np.ascontiguousarray(X.T)
    fit_elastic(rows, y.astype(float), weight, share / 0.1, (1 - share) / 0.1, 1e-9, 200, w)
    np.testing.assert_allclose(w[:-1], theirs.coef_[0], atol=1e-5)
    assert (w[:-1] == 0).any() or share < 1


def test_random_neurons_follow_the_seed_alone():
    X, y = planted(100, 50)
    first = select_neurons(X, y, k=10, ranking="random", seed=1)
    np.testing.assert_array_equal(first, select_neurons(X, ~y, k=10, ranking="random", seed=1))
    assert (first != select_neurons(X, y, k=10, ranking="random", seed=2)).any()


def test_bad_input_is_refused():
    X, y = planted(50, 5)
    with pytest.raises(ValueError, match="ranking='best', expected one of mean_difference, "):
        select_neurons(X, y, k=1, ranking="best")
    for k in (0, 6):
        with pytest.raises(ValueError, match=f"got k={k}, expected a number of neurons from 1"):
            select_neurons(X, y, k=k)
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="neuron .column. 4"):
        select_neurons(X, y, k=1)
