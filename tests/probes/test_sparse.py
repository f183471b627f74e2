"""SparseProbe: scikit-learn's manners, its optimum, and a choice that cannot leak."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from neurotrace.probes.selection import RANKINGS
from neurotrace.probes.sparse import SparseProbe

CLIPPED = "ignore:got k=:UserWarning"


def planted(n=300, m=80, n_classes=2, seed=0, strength=2.0):
    """Neuron 5 c (and no other) responds to class c; scales differ."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, m))
    for code in range(n_classes):
        X[y == code, 5 * code] += strength
    return X, y


@pytest.mark.filterwarnings(CLIPPED)
@parametrize_with_checks([SparseProbe()])
def test_it_is_a_classifier_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_probe_is_a_balanced_regression_on_its_standardised_neurons(n_classes):
    X, y = planted(n_classes=n_classes, strength=1.0)
    X, y = X[:250] * np.linspace(1, 9, 80), np.where(np.arange(250) < 60, 0, y[:250])
    probe = SparseProbe(k=6, ranking="f_statistic", C=0.5).fit(X, y)
    scaler = StandardScaler().fit(X[:, probe.support_])
    theirs = LogisticRegression(C=0.5, class_weight="balanced", tol=1e-10, max_iter=10_000)
    theirs.fit(scaler.transform(X[:, probe.support_]), y)
    np.testing.assert_allclose(probe.coef_ * scaler.scale_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(
        probe.predict_proba(X),
        theirs.predict_proba(scaler.transform(X[:, probe.support_])),
        atol=1e-5,
    )


@pytest.mark.parametrize("ranking", [name for name in RANKINGS if name != "random"])
def test_planted_neurons_are_found_in_several_classes(ranking):
    X, y = planted(n_classes=3, strength=3.0)
    names = np.array(["deu", "eng", "rus"])[y]
    probe = SparseProbe(k=3, ranking=ranking).fit(X, names)
    assert set(probe.support_) == {0, 5, 10}
    assert probe.get_support(indices=True).tolist() == [0, 5, 10]
    assert probe.get_support().sum() == 3
    assert probe.coef_.shape == (3, 3)
    assert probe.score(X, names) > 0.9


def test_the_best_neuron_stands_first_and_its_coefficient_with_it():
    X, y = planted()
    X[:, 33] = 50 * y + X[:, 33]
    probe = SparseProbe(k=2).fit(X, y)
    assert probe.support_[0] == 33
    scores = X[:, probe.support_] @ probe.coef_[0] + probe.intercept_[0]
    np.testing.assert_allclose(probe.decision_function(X), scores)


def test_choosing_inside_fit_leaks_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3000)), np.arange(60) % 2
    inside = cross_val_score(SparseProbe(k=10), X, y, cv=5).mean()
    chosen = SparseProbe(k=10).fit(X, y).support_
    outside = cross_val_score(SparseProbe(k=10), X[:, chosen], y, cv=5).mean()
    assert inside < 0.65
    assert outside > 0.75, "chosen on all sentences, ten of 3,000 random neurons tell them apart"


def test_it_works_in_pipelines_searches_and_clones():
    X, y = planted()
    road = make_pipeline(StandardScaler(), SparseProbe(k=4))
    search = GridSearchCV(road, {"sparseprobe__k": [1, 2], "sparseprobe__ranking": ["l1"]}, cv=3)
    assert search.fit(X, y).best_params_["sparseprobe__k"] == 2
    copy = clone(SparseProbe(k=3, ranking="random", C=2.0, random_state=7))
    assert copy.get_params() == {"k": 3, "ranking": "random", "C": 2.0, "random_state": 7}
    np.testing.assert_array_equal(copy.fit(X, y).support_, clone(copy).fit(X, y).support_)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_dtype_and_layout_do_not_matter_and_inputs_stay(ranking, tmp_path):
    X, y = planted(120, 30)
    X = X.astype(np.float16).astype(np.float32)
    before, labels = X.copy(), y.copy()
    file = np.memmap(tmp_path / "x", np.float32, "w+", shape=X.shape)
    file[:] = X
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    probe = SparseProbe(k=5, ranking=ranking, random_state=0).fit(X, y)
    for other in (X.astype(np.float64), np.asfortranarray(X), wide, file, X.astype(np.float16)):
        again = clone(probe).fit(other, y)
        np.testing.assert_array_equal(again.support_, probe.support_)
        np.testing.assert_allclose(again.coef_, probe.coef_, rtol=1e-9)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(y, labels)


def test_more_neurons_than_there_are_means_all_of_them():
    X, y = planted(50, 7)
    with pytest.warns(UserWarning, match="got k=9 for 7 neurons; all of them are read"):
        probe = SparseProbe(k=9).fit(X, y)
    assert sorted(probe.support_) == list(range(7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k=0, expected a whole number of neurons, at least 1"),
        ({"k": 2.5}, "k=2.5"),
        ({"ranking": "magic"}, "ranking='magic', expected one of mean_difference, f_statistic"),
        ({"C": -1.0}, "C=-1.0"),
        ({"X": np.full((40, 5), np.nan)}, "neuron .column. 0"),
        ({"y": np.zeros(40, int)}, "got one class"),
        ({"y": np.arange(39) % 2}, "X of 40 examples and y of 39"),
    ],
)
def test_bad_input_is_refused(change, message):
    X, y = planted(40, 5, n_classes=1)[0], np.arange(40) % 2
    given = {"X": X, "y": y} | change
    X, y = given.pop("X"), given.pop("y")
    with pytest.raises(ValueError, match=message):
        SparseProbe(**({"k": 2} | given)).fit(X, y)


def test_sparse_matrices_are_refused():
    with pytest.raises(TypeError, match="[Ss]parse"):
        SparseProbe(k=1).fit(csr_matrix(np.eye(4)), [0, 1, 0, 1])


def test_transformer_lens_fits_the_same_probe():
    analysis = pytest.importorskip("transformer_lens.tools.analysis.sparse_probing")
    torch = pytest.importorskip("torch")
    X, y = planted(200, 50, strength=1.0)
    theirs = analysis.fit_sparse_probe(
        torch.tensor(X), torch.tensor(y), k=6, preprocess="standardize", l2_strength=0.02, seed=1
    )
    train, test = theirs.train_indices.numpy(), theirs.test_indices.numpy()
    # Their loss is a mean and its penalty l2 / 2; ours a sum and 1 / (2 C).
    probe = SparseProbe(k=6, C=1 / (0.02 * len(train))).fit(X[train], y[train])
    np.testing.assert_array_equal(probe.support_, theirs.selected_features.numpy())
    scaled = theirs.coefficients.numpy() / theirs.preprocess_scale.numpy()
    np.testing.assert_allclose(probe.coef_[0], scaled, atol=1e-5)
    assert probe.score(X[test], y[test]) == pytest.approx(theirs.metrics.accuracy)
