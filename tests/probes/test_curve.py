"""Sparsity curves: planted concepts rise, controls stay at chance, folds keep groups whole."""

import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, f1_score

from neurotrace.probes.curve import sparsity_curve
from neurotrace.probes.folds import check_groups, deal_folds
from neurotrace.probes.scores import expected_average_precision
from neurotrace.probes.selection import RANKINGS, select_neurons
from neurotrace.probes.sparse import SparseProbe

KS = (1, 2, 4, 8, 16)


def planted(n=240, m=150, *, n_concepts=3, carriers=8, strength=1.2, seed=0):
    """Each concept is carried by a few neurons; one sentence in four has none."""
    rng = np.random.default_rng(seed)
    topic = np.arange(n) % (n_concepts + 1)
    Y = topic[:, None] == np.arange(n_concepts)
    X = rng.normal(size=(n, m))
    for concept in range(n_concepts):
        X[np.ix_(Y[:, concept], np.arange(carriers) + concept * carriers)] += strength
    return X, Y, np.arange(n) // (n_concepts + 1)


def test_a_planted_concept_rises_to_its_ceiling_and_the_controls_stay_at_chance():
    X, Y, _ = planted()
    curve = sparsity_curve(X, Y, groups=np.arange(len(X)), ks=KS, controls=4)
    assert (curve.average_precision[:, 3] > curve.average_precision[:, 0] + 0.2).all()
    assert (curve.average_precision[:, 3] > 0.85).all()
    for held_out in (curve.dense, curve.direction):
        assert held_out.average_precision.shape == (3,)
        assert (held_out.average_precision > 0.8).all()
        assert (held_out.accuracy > 0.8).all()
    np.testing.assert_allclose(curve.chance, expected_average_precision(12, 48))
    assert np.abs(curve.shuffled.average_precision.mean() - curve.chance.mean()) < 0.05
    assert curve.random.average_precision[:, 0].max() < 0.5
    assert {set(s[:5]) <= set(range(8)) for s in curve.supports[:, 0].tolist()} == {True}


def test_no_concept_is_read_from_noise():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(200, 2000)), np.arange(200)[:, None] % 4 == np.arange(4)
    curve = sparsity_curve(X, Y, groups=np.arange(200), ks=(1, 16, 64))
    chance = curve.chance.mean()
    for held_out in (curve, curve.random, curve.shuffled, curve.dense, curve.direction):
        assert held_out.average_precision.mean() == pytest.approx(chance, abs=0.07)


@pytest.mark.parametrize("ranking", ["mean_difference", "f_statistic", "average_precision"])
def test_every_point_is_a_sparse_probe_of_the_training_folds(ranking):
    X, Y, _ = planted(120, 60)
    X *= np.linspace(1, 3, 60)
    fold = np.arange(120) // 4 % 3
    curve = sparsity_curve(X, Y[:, 0], groups=np.arange(120), folds=fold, ks=KS, ranking=ranking)
    assert curve.average_precision.shape == (5,)
    for number in range(3):
        train, test = fold != number, fold == number
        for place, k in enumerate(KS):
            probe = SparseProbe(k=k, ranking=ranking).fit(X[train], Y[train, 0])
            np.testing.assert_array_equal(curve.supports[number, :k], probe.support_)
            scores = probe.decision_function(X[test])
            said = [part[number, place] for part in curve.folds]
            truth = Y[test, 0]
            assert said[0] == pytest.approx(average_precision_score(truth, scores), abs=0.02)
            assert said[1] == pytest.approx(f1_score(truth, scores > 0), abs=0.06)
            assert said[2] == pytest.approx(accuracy_score(truth, scores > 0), abs=0.03)


def test_a_loop_over_scikit_learn_draws_the_same_curve():
    X, Y, _ = planted(240, 200, strength=0.7)
    fold = np.arange(240) // 4 % 5
    curve = sparsity_curve(
        X, Y, groups=np.arange(240), folds=fold, ks=KS, ranking="f_statistic", controls=0
    )
    theirs = np.zeros((5, 3, len(KS)))
    for number, concept, place in np.ndindex(theirs.shape):
        train, test = fold != number, fold == number
        select = SelectKBest(f_classif, k=KS[place]).fit(X[train], Y[train, concept])
        a, b = select.transform(X[train]), select.transform(X[test])
        mean, scale = a.mean(0), a.std(0)
        probe = LogisticRegression(class_weight="balanced")
        probe.fit((a - mean) / scale, Y[train, concept])
        scores = probe.decision_function((b - mean) / scale)
        theirs[number, concept, place] = average_precision_score(Y[test, concept], scores)
    np.testing.assert_allclose(curve.average_precision, theirs.mean(0), atol=0.005)
    assert curve.random is None
    assert curve.shuffled is None


@pytest.mark.parametrize("ranking", RANKINGS)
def test_every_ranking_draws_a_curve_nested_in_k(ranking):
    X, Y, _ = planted(80, 30)
    curve = sparsity_curve(
        X, Y, groups=np.arange(80), ks=(1, 30), folds=2, ranking=ranking, ceilings=False
    )
    assert (np.sort(curve.supports, -1) == np.arange(30)).all()
    assert curve.dense is None
    if ranking != "random":
        assert (curve.average_precision[:, 1] > curve.chance).all()


def test_unknown_labels_take_no_part():
    X, Y, _ = planted(160, 40)
    states = Y.astype(int)
    hidden = np.arange(160) % 5 == 0
    states[hidden, 0] = -1
    fold = np.arange(160) // 5 % 4
    wild = X.copy()
    wild[hidden] += 50
    one = sparsity_curve(wild, states[:, 0], groups=np.arange(160), folds=fold, ks=KS, controls=0)
    clean = sparsity_curve(
        X[~hidden], Y[~hidden, 0], groups=np.flatnonzero(~hidden), folds=fold[~hidden], ks=KS,
        controls=0,
    )  # fmt: skip
    np.testing.assert_allclose(one.average_precision, clean.average_precision, atol=1e-6)
    np.testing.assert_allclose(one.dense.average_precision, clean.dense.average_precision)
    np.testing.assert_allclose(one.accuracy, clean.accuracy)
    np.testing.assert_allclose(one.f1, clean.f1)
    turned = states[:, ::-1]  # what is known of the first concept must not decide for the last
    every = sparsity_curve(wild, turned, groups=np.arange(160), folds=fold, ks=KS, controls=0)
    np.testing.assert_array_equal(every.supports[:, -1], one.supports)
    np.testing.assert_allclose(every.dense.f1[-1], one.dense.f1)


def test_groups_are_never_parted_and_concepts_are_even():
    _, Y, groups = planted(240)
    states = Y.astype(np.int8)
    fold = deal_folds(check_groups(groups, 240), states, folds=5, seed=3)
    assert all(len(set(fold[groups == g])) == 1 for g in set(groups))
    apart = deal_folds(np.arange(240), states, folds=5, seed=3)
    counts = np.stack([Y[apart == f].sum(0) for f in range(5)])
    assert (counts == 12).all()
    rng = np.random.default_rng(0)
    many = (rng.random((100, 12)) < 0.2).astype(np.int8)
    fold = deal_folds(np.arange(100), many, folds=4, seed=0)
    counts = np.stack([many[fold == f].sum(0) for f in range(4)])
    assert np.ptp(counts, axis=0).max() <= 5


def test_dtype_layout_order_of_concepts_and_seed():
    X, Y, _ = planted(120, 40)
    X = X.astype(np.float16)
    given = {"groups": np.arange(120), "ks": KS, "seed": 4}
    first = sparsity_curve(X, Y, **given)
    for other in (X.astype(np.float32), X.astype(np.float64), np.asfortranarray(X)):
        again = sparsity_curve(other, Y, **given)
        np.testing.assert_allclose(again.average_precision, first.average_precision, atol=1e-6)
        np.testing.assert_allclose(again.dense.average_precision, first.dense.average_precision)
    assert (sparsity_curve(X, Y, **given | {"seed": 5}).random.f1 != first.random.f1).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros((40, 2), int)}, "no positive"),
        ({"y": np.arange(39) % 2}, "labels of shape"),
        ({"groups": np.arange(39)}, "groups of shape"),
        ({"groups": np.arange(40) % 3}, "3 positive groups of concept .column. 0 for 5 folds"),
        ({"folds": np.arange(40) % 2, "groups": np.arange(40) // 2}, "in more than one fold"),
        ({"folds": 1}, "folds=1"),
        ({"ks": (0, 2)}, "at least 1"),
        ({"ks": (4, 2)}, "expected rising"),
        ({"ranking": "best"}, "ranking='best', expected one of"),
        ({"C": 0.0}, "C=0.0"),
        ({"X": np.where(np.arange(6) == 4, np.nan, np.ones((40, 6)))}, "neuron .column. 4"),
    ],
)
def test_bad_input_is_refused(change, message):
    X = np.random.default_rng(0).normal(size=(40, 6))
    given = {"X": X, "y": np.arange(40) % 2, "groups": np.arange(40), "ks": (1, 2)} | change
    X, y = given.pop("X"), given.pop("y")
    with pytest.raises(ValueError, match=message):
        sparsity_curve(X, y, **given)


def test_sizes_above_the_neurons_are_clipped_with_a_warning():
    X, Y, _ = planted(80, 30)
    with pytest.warns(UserWarning, match="got ks up to 64 for 30 neurons"):
        curve = sparsity_curve(X, Y, groups=np.arange(80), ks=(1, 32, 64), folds=2)
    assert curve.ks.tolist() == [1, 30]
    order = select_neurons(X, Y, k=30)
    assert order.shape == (3, 30)
