"""Scripts told apart by a linear probe: planted classes, chance, and scikit-learn's optimum."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from neurotrace.geometry import separability
from neurotrace.geometry.separability import largest_min_tokens, script_separability


def planted(n=60, d=12, gap=0.6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    scripts = np.repeat([*"ABCDEF"[:classes]], n)
    middle = gap * rng.standard_normal((classes, d))
    W = rng.standard_normal((n * classes, d)) + np.repeat(middle, n, axis=0) + 2
    return W, scripts


@pytest.mark.parametrize("gap", [0.0, 0.3, 1.0])
def test_the_fast_solver_is_scikit_learn_run_to_its_optimum(monkeypatch, gap):
    W, scripts = planted(gap=gap)
    fast = script_separability(W, scripts, min_tokens=50)

    def thorough():
        return LogisticRegression(tol=1e-9, max_iter=5000)

    monkeypatch.setattr("sklearn.linear_model.LogisticRegression", thorough)
    slow = script_separability(W, scripts, min_tokens=50, solver="sklearn")
    assert (fast - slow).abs().max() <= 1e-3


def test_weights_are_those_of_scikit_learn():
    W, scripts = planted(gap=0.5, classes=2)
    unit = separability._unit_rows(W)
    y = scripts == "A"
    X = np.column_stack([unit, np.ones(len(unit), np.float32)])
    train = np.column_stack([np.arange(len(y)) % 10 != 3, np.ones(len(y), bool)])
    found = separability._fit(X, np.where(y, 1, -1), train)
    for column in range(2):
        kept = train[:, column]
        fitted = LogisticRegression(tol=1e-9, max_iter=5000).fit(unit[kept], y[kept])
        expected = [*fitted.coef_[0], fitted.intercept_[0]]
        np.testing.assert_allclose(found[:, column], expected, atol=2e-3)


def test_near_the_published_estimator_where_it_stops_early():
    W, scripts = planted(n=200, gap=0.4)
    fast, published = (
        script_separability(W, scripts, min_tokens=50, solver=solver)
        for solver in ("fast", "sklearn")
    )
    assert (fast - published).abs().max() <= 0.01


def test_planted_scripts_are_told_apart_and_unplanted_ones_are_not():
    W, scripts = planted(n=150, gap=4.0)
    assert script_separability(W, scripts, min_tokens=50).min() > 0.99
    means = [script_separability(*planted(n=150, gap=0.0, seed=s), min_tokens=50).mean()
             for s in range(12)]  # fmt: skip
    assert np.mean(means) == pytest.approx(0.5, abs=3 * np.std(means) / np.sqrt(12) + 0.005)


def test_a_class_larger_than_the_rest_is_sampled_down_to_it():
    chosen, fold = separability._balanced(
        np.repeat([True, False], [90, 33]), 10, np.random.default_rng(0)
    )
    assert len(chosen) == len(np.unique(chosen)) == 66
    assert (chosen < 90).sum() == 33
    own = np.bincount(fold[chosen < 90])
    np.testing.assert_array_equal(own, np.bincount(fold[chosen >= 90]))
    assert own.max() - own.min() <= 1


def test_unbalanced_scripts_keep_chance_at_one_half():
    rng = np.random.default_rng(0)
    scripts = np.repeat(["A", "B"], [1500, 60])
    found = script_separability(rng.standard_normal((1560, 20)), scripts, min_tokens=50)
    assert found.attrs["chance"] == 0.5
    assert abs(found - 0.5).max() < 0.15  # always "A" would be .96


def test_small_classes_are_left_out_by_name_but_stay_in_the_rest():
    W, scripts = planted(n=60)
    scripts[-60:-49] = "D"
    found = script_separability(W, scripts, min_tokens=55)
    assert list(found.index) == ["A", "B"]
    assert found.attrs["left_out"] == {"C": 49, "D": 11}
    assert found.attrs["tokens"] == {"A": 60, "B": 60}
    assert found.name == "accuracy"


def test_rows_without_a_class_take_no_part():
    W, scripts = planted()
    without = scripts.copy()
    without[-60:] = ""
    expected = script_separability(W[:-60], scripts[:-60], min_tokens=50)
    np.testing.assert_array_equal(script_separability(W, without, min_tokens=50), expected)


def test_length_of_rows_and_rotation_do_not_matter_and_the_seed_decides():
    W, scripts = planted(gap=0.3)
    expected = script_separability(W, scripts, min_tokens=50)
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    moved = (W * rng.uniform(0.1, 10, (len(W), 1))) @ rotation
    assert (script_separability(moved, scripts, min_tokens=50) - expected).abs().max() < 0.01
    np.testing.assert_array_equal(script_separability(W, scripts, min_tokens=50), expected)
    assert not expected.equals(script_separability(W, scripts, min_tokens=50, seed=1))


def test_collapsed_embeddings_score_chance():
    scripts = np.repeat(["A", "B"], 60)
    for W in (np.zeros((120, 5)), np.ones((120, 5))):
        assert script_separability(W, scripts, min_tokens=50).mean() == pytest.approx(0.5, abs=0.01)


def test_half_precision_and_read_only_rows_are_read_and_left_alone():
    W, scripts = planted(gap=2)
    half = W.astype(np.float16)
    before = half.copy()
    half.setflags(write=False)
    assert script_separability(half, scripts, min_tokens=50).mean() > 0.8
    np.testing.assert_array_equal(half, before)


def test_the_bound_on_classes_gives_way_only_as_far_as_it_must():
    def classes(*counts):
        return np.repeat([*"ABCDEF"[: len(counts)]], counts)

    assert largest_min_tokens(classes(700, 500)) == 500
    assert largest_min_tokens(classes(9000, 499, 3)) == 100
    assert largest_min_tokens(classes(9000, 50, 20)) == 50
    assert largest_min_tokens(classes(9000, 5)) == 20
    assert largest_min_tokens([*classes(30, 30), *[""] * 900]) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_tokens": 500}, r"got classes A 60, B 60, C 60; expected one of 500 tokens or more"),
        ({"min_tokens": 50, "folds": 51}, "got folds=51; expected 2 to min_tokens, 50"),
        ({"min_tokens": 50, "folds": 1}, "got folds=1"),
        ({"min_tokens": 50, "solver": "newton"}, "got solver='newton'; valid are fast, sklearn"),
    ],
)
def test_wrong_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        script_separability(*planted(), **options)


def test_wrong_arrays_are_refused_by_name():
    W, scripts = planted()
    with pytest.raises(ValueError, match="got 179 scripts for 180 tokens"):
        script_separability(W, scripts[1:], min_tokens=50)
    W[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        script_separability(W, scripts, min_tokens=50)
    with pytest.raises(ValueError, match="got W_E of shape"):
        script_separability(W[0], scripts, min_tokens=50)
