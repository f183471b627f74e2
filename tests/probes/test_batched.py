"""Batched probes: the optimum is scikit-learn's, and bad input is told in one line."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from neurotrace.probes.batched import fit_logistic, fit_ridge
from neurotrace.probes.softmax import fit_softmax


def problem(name, n=240, k=10, seed=0):
    """Features, labels and C of one kind of trouble."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, k)) + 3
    y = X[:, 0] - 3 + rng.normal(size=n) > 0
    if name == "separable":
        return X, X[:, 0] > 3, 10.0
    if name == "collinear":
        X[:, k // 2 :] = X[:, : k // 2] + 1e-6 * rng.normal(size=(n, k - k // 2))
    if name == "unbalanced":
        y = X[:, 0] > np.sort(X[:, 0])[-6]
    if name == "scales":
        X *= np.logspace(-1, 1, k)
    return X, y, 1.0


@pytest.mark.parametrize("name", ["random", "separable", "collinear", "unbalanced", "scales"])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_optimum_is_that_of_scikit_learn(name, balanced):
    X, y, C = problem(name)
    ours = fit_logistic(X, y, C=C, balanced=balanced)
    theirs = LogisticRegression(
        C=C, tol=1e-10, max_iter=100_000, class_weight="balanced" if balanced else None
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef, theirs.coef_[0], atol=1e-4)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=5e-4)


def test_one_example_of_each_class_has_the_root_of_its_equation():
    w = float(fit_logistic([[-1.0], [1.0]], [0, 1]).coef[0])
    assert w == pytest.approx(2 / (1 + np.exp(w)), abs=1e-8)


def test_a_batch_is_its_probes_one_by_one():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(4, 60, 3)), rng.random((4, 60)) < 0.4
    weight = rng.random((4, 60))
    batch = fit_logistic(X, Y, sample_weight=weight)
    for probe in range(4):
        alone = fit_logistic(X[probe], Y[probe], sample_weight=weight[probe])
        np.testing.assert_allclose(batch.coef[probe], alone.coef, rtol=1e-12)
        theirs = LogisticRegression(tol=1e-10, max_iter=10_000)
        theirs.fit(X[probe], Y[probe], sample_weight=weight[probe])
        np.testing.assert_allclose(batch.coef[probe], theirs.coef_[0], atol=1e-4)


def test_columns_of_shared_rows_are_gathered_for_each_probe():
    X, y, _ = problem("random")
    Y, columns = np.stack([y, ~y]), np.array([[3, 0], [7, 2]])
    shared = fit_logistic(X, Y, columns=columns)
    for probe in range(2):
        alone = fit_logistic(X[:, columns[probe]], Y[probe])
        np.testing.assert_allclose(shared.coef[probe], alone.coef, rtol=1e-12)


def test_unknown_labels_and_weights_of_zero_leave_out():
    X, y, _ = problem("random")
    states = np.where(np.arange(len(y)) % 3 == 0, -1, y.astype(int))
    known = states >= 0
    for kind in (False, True):
        expected = fit_logistic(X[known], y[known], balanced=kind)
        np.testing.assert_allclose(
            fit_logistic(X, states, balanced=kind).coef, expected.coef, atol=1e-8
        )
    weighted = fit_logistic(X, y, sample_weight=known.astype(float))
    plain = fit_logistic(X[known], y[known])
    np.testing.assert_allclose(weighted.coef, plain.coef, atol=1e-8)


@pytest.mark.parametrize("shape", [(40, 90), (90, 40)])
def test_ridge_is_that_of_scikit_learn(shape):
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=shape) + 2, rng.normal(size=(3, shape[0]))
    for alpha in (2.0, np.array([0.5, 2.0, 8.0])):
        ours, theirs = fit_ridge(X, Y, alpha=alpha), Ridge(alpha).fit(X, Y.T)
        np.testing.assert_allclose(ours.coef, theirs.coef_, atol=1e-10)
        np.testing.assert_allclose(ours.intercept, theirs.intercept_, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_multinomial_probes_have_the_optimum_of_scikit_learn(n_classes):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 6)) * [1, 5, 0.1, 1, 1, 0] + 2
    y = (X[:, 0] + X[:, 1] / 5 + rng.normal(size=300)).round().astype(int) % n_classes
    weight = (rng.random((3, 300)) < 0.7) * rng.choice([1.0, 2.0], (3, 300))
    ours = fit_softmax(X, y, weight, tolerance=1e-9)
    for probe, own in enumerate(weight):
        used = own > 0
        mean, scale = X[used].mean(0), X[used].std(0)
        scale[scale < 1e-12] = 1
        theirs = LogisticRegression(tol=1e-10, max_iter=10_000)
        theirs.fit((X[used] - mean) / scale, y[used], sample_weight=own[used])
        z = X @ ours.coef[probe].T + ours.intercept[probe]
        expected = theirs.decision_function((X - mean) / scale)
        z = z[:, 1] - z[:, 0] if n_classes == 2 else z - z.mean(1, keepdims=True)
        if n_classes > 2:
            expected = expected - expected.mean(1, keepdims=True)
        np.testing.assert_allclose(z, expected, atol=1e-4)


def test_inputs_stay_and_their_dtype_and_layout_do_not_matter():
    X, y, _ = problem("random")
    X = X.astype(np.float32)
    before = X.copy()
    expected = fit_logistic(X, y).coef
    wide = np.repeat(X.astype(np.float64), 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(fit_logistic(wide, y).coef, expected)
    np.testing.assert_array_equal(fit_logistic(np.asfortranarray(X), y).coef, expected)
    np.testing.assert_array_equal(X, before)


def test_a_fit_that_stops_short_says_so():
    X, y, _ = problem("separable")
    with pytest.warns(UserWarning, match="1 of 1 probes did not come near"):
        fit_logistic(X, y, C=1e6, max_steps=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones(6)}, "no negative for probe 0"),
        ({"y": np.full((2, 6), [0, 0, 0, 0, 0, 1])[:, :5]}, r"y of shape \(2, 5\)"),
        ({"y": [0, 1, 2, 0, 1, 2]}, "labels"),
        ({"X": np.full((6, 2), np.inf)}, "neuron .column. 0"),
        ({"X": np.zeros(6)}, r"X of shape \(6,\)"),
        ({"C": 0.0}, "C=0.0"),
        ({"columns": [[0, 2]]}, "columns of shape"),
        ({"sample_weight": [-1.0] * 6}, "sample_weight"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {"X": np.random.default_rng(0).normal(size=(6, 2)), "y": [0, 1, 0, 1, 0, 1]} | change
    X, y = given.pop("X"), given.pop("y")
    with pytest.raises(ValueError, match=message):
        fit_logistic(X, y, **given)


def test_ridge_refuses_what_has_no_optimum():
    with pytest.raises(ValueError, match="alpha=0"):
        fit_ridge(np.eye(3), [1.0, 2.0, 3.0], alpha=0)
    with pytest.raises(ValueError, match="y of shape"):
        fit_ridge(np.eye(3), [1.0, np.nan, 3.0])
