"""Regression on tables of pairs: ordinary coefficients, and honest about what they are worth."""

from importlib import import_module
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from neurotrace.geometry.mantel import mantel
from neurotrace.geometry.mrqap import mrqap

OFF = ~np.eye(9, dtype=bool)


def table(rng, n=9, *, directed=True, nodes=0.0):
    """Noise, and what each node adds to all of its pairs as a source and as a target."""
    source, target = rng.standard_normal((2, n))
    noise = rng.standard_normal((n, n)) + nodes * (source[:, None] + target[None, :])
    return noise if directed else noise + noise.T


def regression(y, columns):
    """Standardised coefficients, t and R² by the textbook."""
    X, y = np.column_stack(columns), (y - y.mean()) / y.std()
    X = np.column_stack([np.ones(len(y)), (X - X.mean(0)) / X.std(0)])
    beta = np.linalg.solve(X.T @ X, X.T @ y)
    left = y - X @ beta
    error = np.sqrt(left @ left / (len(y) - X.shape[1]) * np.diag(np.linalg.inv(X.T @ X)))
    return beta[1:], (beta / error)[1:], 1 - left @ left / (y @ y)


def test_coefficients_and_t_are_those_of_ordinary_regression():
    rng = np.random.default_rng(0)
    y, a, b, c = (table(rng) for _ in range(4))
    y = y + 0.5 * a - 0.3 * b
    found = mrqap(y, {"a": a, "b": b, "c": c}, permutations=99)
    beta, t, explained = regression(y[OFF], [a[OFF], b[OFF], c[OFF]])
    assert found["coefficient"].to_numpy() == pytest.approx(beta)
    assert found["t"].to_numpy() == pytest.approx(t)
    assert found.attrs["r2"] == pytest.approx(explained)
    assert found.attrs["directed"]
    assert (found["nodes"] == 9).all()
    freedom = 72 - 4
    assert found["partial"].to_numpy() == pytest.approx(t / np.sqrt(freedom + t**2))


def test_symmetric_pairs_count_once():
    rng = np.random.default_rng(1)
    y, a, b = (table(rng, directed=False) for _ in range(3))
    found = mrqap(y, {"a": a, "b": b}, permutations=99)
    upper = np.triu_indices(9, 1)
    beta, t, _ = regression(y[upper], [a[upper], b[upper]])
    assert found["coefficient"].to_numpy() == pytest.approx(beta)
    assert found["t"].to_numpy() == pytest.approx(t)
    assert not found.attrs["directed"]


@pytest.mark.parametrize("directed", [True, False])
def test_p_is_that_of_the_procedure_step_by_step(directed):
    rng = np.random.default_rng(8)
    y, a, b = (table(rng, 5, directed=directed) for _ in range(3))
    cells = np.nonzero(~np.eye(5, dtype=bool)) if directed else np.triu_indices(5, 1)
    Z = np.column_stack([np.ones(len(cells[0])), b[cells]])
    left = np.zeros((5, 5))
    left[cells] = a[cells] - Z @ np.linalg.lstsq(Z, a[cells])[0]
    left = left if directed else left + left.T
    moved = [left[np.ix_(order, order)][cells] for order in map(list, permutations(range(5)))]
    t = np.array([abs(regression(y[cells], [each, b[cells]])[1][0]) for each in moved])
    found = mrqap(y, {"a": a, "b": b}).loc["a"]
    assert abs(found["t"]) == pytest.approx(t[0])
    assert found["p"] == pytest.approx((t >= t[0] - 1e-9).mean())


def test_three_nodes_are_worked_by_hand():
    y = np.array([[0, 1, 2], [1, 0, 4], [2, 4, 0]])
    found = mrqap(y, {"itself": 10 * y}).loc["itself"]
    # the three pairs in each of six orders: the table as it is, and r of 1 for that order alone
    assert found["partial"] == pytest.approx(1)
    assert found["p"] == pytest.approx(1 / 6)
    assert np.isnan(found["detectable"])


def test_what_runs_through_a_covariate_is_told_from_what_does_not():
    rng = np.random.default_rng(2)
    alone, beside, found_near = 0, 0, 0
    for _ in range(40):
        script = table(rng, 12)
        near, idle = 0.8 * script + 0.6 * table(rng, 12), 0.8 * script + 0.6 * table(rng, 12)
        y = script + 0.7 * near + 0.5 * table(rng, 12)
        alone += mantel(y, idle, directed=True, permutations=99).p <= 0.05
        found = mrqap(y, {"near": near, "idle": idle, "script": script}, permutations=99)
        beside += found.loc["idle", "p"] <= 0.05
        found_near += found.loc["near", "partial"] > found.loc["near", "detectable"]
    assert alone == 40  # without the covariate, it looks as if it mattered
    assert beside <= 6
    assert found_near == 40


def test_names_of_nodes_scale_shift_and_direction_change_nothing():
    rng = np.random.default_rng(3)
    y, a, b = (table(rng, 6) for _ in range(3))  # every order is tried: no draw differs
    found, order = mrqap(y, {"a": a, "b": b}), rng.permutation(6)
    for other in (
        mrqap(*_ordered(order, y, a, b)),
        mrqap(3 * y - 8, {"a": 0.1 * a + 2, "b": b}),
        mrqap(y.T, {"a": a.T, "b": b.T}),
        mrqap(y, {"b": b, "a": a}).loc[["a", "b"]],
    ):
        assert other.to_numpy() == pytest.approx(found.to_numpy())
    flipped = mrqap(y, {"a": -a, "b": b})
    assert flipped.loc["a", "t"] == pytest.approx(-found.loc["a", "t"])
    assert flipped.loc["a", "p"] == found.loc["a", "p"]


def _ordered(order, y, a, b):
    y, a, b = (each[order][:, order] for each in (y, a, b))
    return y, {"a": a, "b": b}


def test_significance_begins_at_what_is_detectable():
    rng = np.random.default_rng(4)
    for _ in range(20):
        y, a, b = (table(rng, 6, nodes=0.7) for _ in range(3))
        found = mrqap(y, {"a": a, "b": b})
        detected = found["partial"].abs() >= found["detectable"] - 1e-9
        assert (detected == (found["p"] <= 0.05)).all()


def test_blocks_of_orders_make_no_difference(monkeypatch):
    rng = np.random.default_rng(5)
    y, a, b = (table(rng) for _ in range(3))
    whole = mrqap(y, {"a": a, "b": b}, permutations=200)
    monkeypatch.setattr(import_module("neurotrace.geometry.mrqap"), "BLOCK", 72 * 7)
    blocked = mrqap(y, {"a": a, "b": b}, permutations=200)
    assert blocked.to_numpy() == pytest.approx(whole.to_numpy())


def test_what_the_others_determine_has_no_coefficient():
    rng = np.random.default_rng(6)
    y, a, b = (table(rng) for _ in range(3))
    found = mrqap(y, {"a": a, "twice": 2 * a, "b": b, "flat": np.ones((9, 9))}, permutations=99)
    assert found.loc[["a", "twice", "flat"], "p"].isna().all()
    alone = mrqap(y, {"a": a, "b": b}, permutations=99)
    assert found.loc["b"].to_numpy() == pytest.approx(alone.loc["b"].to_numpy())
    assert mrqap(np.ones((9, 9)), {"a": a}).loc["a"].isna().sum() == 5
    assert mrqap(2 * a, {"a": a, "b": b}, permutations=99)["p"].isna().tolist() == [False, True]
    assert mrqap(y[:2, :2], {"a": a[:2, :2]})["p"].isna().all()


def test_missing_pairs_are_refused_and_missing_nodes_left_out():
    rng = np.random.default_rng(7)
    y, a = table(rng), table(rng)
    lacking = y.copy()
    lacking[2] = lacking[:, 2] = np.nan
    kept = np.delete(np.arange(9), 2)
    part = mrqap(y[kept][:, kept], {"a": a[kept][:, kept]}, permutations=99)
    found = mrqap(lacking, {"a": a}, permutations=99)
    assert found.to_numpy() == pytest.approx(part.to_numpy())
    lacking[5, 6] = np.nan
    with pytest.raises(ValueError, match=r"got outcome without a finite value at \[5, 6\]"):
        mrqap(lacking, {"a": a})
    with pytest.raises(ValueError, match=r"got predictor a without a finite value at \[5, 6\]"):
        mrqap(a, {"a": lacking})


def test_what_are_no_tables_of_the_same_nodes_is_refused():
    square = pd.DataFrame(np.eye(3), index=[*"abc"], columns=[*"abc"])
    with pytest.raises(ValueError, match=r"got outcome of shape \(3,\); expected \(node, node\)"):
        mrqap([1, 2, 3], {"a": np.eye(3)})
    with pytest.raises(ValueError, match=r"shapes \(3, 3\), \(4, 4\); expected"):
        mrqap(np.eye(3), {"a": np.eye(4)})
    with pytest.raises(ValueError, match=r"shapes \(3, 3\); expected an outcome and one predictor"):
        mrqap(np.eye(3), {})
    with pytest.raises(ValueError, match="the same nodes in the same order"):
        mrqap(square, {"a": square.loc[[*"bca"], [*"bca"]]})
