"""Many small linear probes at once: logistic by Newton's method, ridge in closed form.

A trace fits thousands of probes of a few neurons each. A call to scikit-learn spends milliseconds
on a fit that takes microseconds; here one call takes all of them, and the optimum is the same.
Probes are the leading axis of everything: `y` is (probe, example), coefficients (probe, feature).
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from neurotrace.probes import newton

Floats = NDArray[np.float64]


class LinearProbes(NamedTuple):
    """Probes z = coef · x + intercept, in units of X; the probe axis is dropped for one `y`.

    Attributes
    ----------
    coef : (probe, feature)
    intercept : (probe,)
    """

    coef: Floats
    intercept: Floats


def fit_logistic(
    X: ArrayLike,
    y: ArrayLike,
    *,
    columns: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    balanced: bool = False,
    C: float = 1.0,
    tolerance: float = 1e-9,
    max_steps: int = 200,
) -> LinearProbes:
    """Fit many binary logistic probes to scikit-learn's optimum.

    Each minimises Σ_i weight_i log(1 + exp(-s_i z_i)) + |coef|² / (2 C), with s_i = ±1 and no
    penalty on the intercept: what `LogisticRegression(C=C)` minimises. C is finite, so that the
    optimum exists and is one, with separable classes and with collinear features, too.

    Parameters
    ----------
    X : (example, feature) shared by all probes, or (probe, example, feature)
    y : (example,) or (probe, example)
        Bool, or 1 positive, 0 negative, -1 unknown (left out of that probe).
    columns : (probe, k)
        The features of each probe, where X is shared; coefficients are in their order.
    sample_weight : (example,) or (probe, example)
        At least 0.
    balanced
        Multiply weights by n / (2 n_class), as `class_weight="balanced"` does.
    C
        Inverse strength of the penalty, on the summed loss.
    tolerance
        On the largest entry of the gradient, in units of the sum of weights.
    max_steps
        Newton steps of one probe; a dozen is usual.

    Returns
    -------
    LinearProbes

    Raises
    ------
    ValueError
        Shapes that do not fit, NaN or infinity, a probe of one class, or C that is not above 0.

    Warns
    -----
    UserWarning
        Where probes stopped short of the tolerance a thousandfold.

    Examples
    --------
    >>> probe = fit_logistic([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    >>> probe.coef.round(3), float(probe.intercept.round(3))
    (array([0.453]), -0.679)
    """
    if not 0 < C < np.inf:
        raise ValueError(f"got C={C}, expected a finite number above 0")
    X = _check_features(X, (2, 3))
    Y = _check_states(y, X)
    chosen = _check_columns(columns, X, Y)
    n_probes = max(len(X) if X.ndim == 3 else 1, len(Y), 1 if chosen is None else len(chosen))
    weight = _weights(Y, sample_weight, n_probes, balanced=balanced)
    k = X.shape[-1] if chosen is None else chosen.shape[1]
    coef, short = np.empty((n_probes, k + 1)), 0
    for probe in range(n_probes):
        part = X[probe] if X.ndim == 3 else X
        part = part if chosen is None else part[:, chosen[probe]]
        states = Y[probe % len(Y)]
        coef[probe], size = _one(part, states, weight[probe], (1 / C, tolerance, max_steps))
        short += size > 1e3 * tolerance
    if short:
        warnings.warn(
            f"{short} of {n_probes} probes did not come near the optimum in {max_steps} steps; "
            "expected features of about one scale, or a smaller C",
            stacklevel=2,
        )
    single = np.ndim(y) == 1 and n_probes == 1 and X.ndim == 2
    found = coef[0] if single else coef
    return LinearProbes(found[..., :-1], found[..., -1])


def fit_ridge(X: ArrayLike, y: ArrayLike, *, alpha: ArrayLike = 1.0) -> LinearProbes:
    """Fit ridge regressions of many targets on the same features, in closed form.

    coef = (X'X + alpha)⁻¹ X'y, of centred X and y: the optimum of `sklearn.linear_model.Ridge`.
    With fewer examples than features the smaller matrix XX' is solved instead, and one
    factorisation serves all targets.

    Parameters
    ----------
    X : (example, feature)
        Single precision is kept for the products.
    y : (example,) or (probe, example)
        Any numbers.
    alpha : number or (probe,)
        Penalty on the squared coefficients, above 0; several cost an eigendecomposition.

    Returns
    -------
    LinearProbes

    Raises
    ------
    ValueError
        Shapes that do not fit, NaN or infinity, or an alpha that is not above 0.

    Examples
    --------
    >>> probe = fit_ridge([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], alpha=2.0)
    >>> probe.coef, float(probe.intercept)
    (array([0.5]), 0.5)
    """
    X = _check_features(X, (2,))
    Y = np.atleast_2d(np.asarray(y, dtype=np.float64))
    penalty = np.asarray(alpha, dtype=np.float64)
    if Y.shape[1:] != X.shape[:1] or not np.isfinite(Y).all():
        raise ValueError(f"got y of shape {np.shape(y)}, expected finite (probe, {len(X)})")
    if not (penalty > 0).all() or penalty.shape not in ((), (len(Y),)):
        raise ValueError(f"got alpha={alpha!r}, expected one number above 0, or one a probe")
    mean, level = X.mean(0, dtype=np.float64), Y.mean(1)
    Z = X - mean.astype(X.dtype)
    T = (Y - level[:, None]).T
    if len(Z) < Z.shape[1]:
        duals = _solve((Z @ Z.T).astype(np.float64), T, penalty)
        coef = (duals.T.astype(Z.dtype) @ Z).astype(np.float64)
    else:
        right = (Z.T @ T.astype(Z.dtype)).astype(np.float64)
        coef = _solve((Z.T @ Z).astype(np.float64), right, penalty).T
    intercept = level - coef @ mean
    return LinearProbes(coef[0], intercept[0]) if np.ndim(y) == 1 else LinearProbes(coef, intercept)


def _one(
    X: NDArray[Any], states: NDArray[Any], weight: Floats, rule: tuple[float, float, int]
) -> tuple[Floats, float]:
    """Coefficients and intercept of one probe, and what is left of its gradient."""
    known = states >= 0
    Z = X[known].astype(np.float64)
    mean = Z.mean(0)  # moving the features moves the intercept alone, and eases the way
    found = np.zeros(Z.shape[1] + 1)
    rows = np.ascontiguousarray((Z - mean).T)
    y = states[known].astype(np.float64)
    size = newton.fit(rows, y, weight[known], *rule, found)
    found[-1] -= mean @ found[:-1]
    return found, size


def _solve(gram: Floats, right: Floats, penalty: Floats) -> Floats:
    """(gram + penalty)⁻¹ right, for one penalty or one a column."""
    if penalty.ndim == 0:
        gram[np.diag_indices_from(gram)] += penalty
        return np.asarray(cho_solve(cho_factor(gram, overwrite_a=True), right))
    values, vectors = np.linalg.eigh(gram)
    return vectors @ ((vectors.T @ right) / (np.maximum(values, 0)[:, None] + penalty))


def _check_features(X: ArrayLike, dimensions: tuple[int, ...]) -> NDArray[Any]:
    X = np.asarray(X)
    if X.ndim not in dimensions or 0 in X.shape or X.dtype.kind not in "fiub":
        shapes = " or ".join(("(example, feature)", "(probe, example, feature)")[: len(dimensions)])
        raise ValueError(f"got X of shape {X.shape} and dtype {X.dtype}, expected numbers {shapes}")
    if not np.isfinite(X).all():
        bad = int(np.argwhere(~np.isfinite(X))[0, -1])
        raise ValueError(f"got NaN or infinity in neuron (column) {bad}, expected finite responses")
    return X if X.dtype == np.float32 else X.astype(np.float64, copy=False)


def _check_states(y: ArrayLike, X: NDArray[Any]) -> NDArray[np.int8]:
    """Labels (probe, example) as 1, 0, -1, with both classes in every probe."""
    Y = np.atleast_2d(np.asarray(y))
    probes = {1, len(X)} if X.ndim == 3 else {len(Y)}
    if Y.ndim != 2 or Y.shape[1] != X.shape[-2] or len(Y) not in probes:
        raise ValueError(
            f"got y of shape {np.shape(y)} for X of shape {X.shape}, "
            f"expected (probe, {X.shape[-2]}), one row a probe"
        )
    if not np.isin(Y, (-1, 0, 1)).all():
        raise ValueError(
            f"got labels {np.unique(Y)[:5].tolist()}, "
            "expected bool, or 1 positive, 0 negative, -1 unknown"
        )
    Y = Y.astype(np.int8)
    for state, name in ((1, "positive"), (0, "negative")):
        lacking = np.flatnonzero(~(Y == state).any(1))
        if len(lacking):
            raise ValueError(f"got no {name} for probe {lacking[0]}, expected both classes")
    return Y


def _check_columns(
    columns: ArrayLike | None, X: NDArray[Any], Y: NDArray[np.int8]
) -> NDArray[np.intp] | None:
    if columns is None:
        return None
    chosen = np.atleast_2d(np.asarray(columns))
    right = chosen.ndim == 2 and X.ndim == 2 and (len(Y) == 1 or len(chosen) == len(Y))
    if not right or chosen.dtype.kind not in "iu" or chosen.min() < 0 or chosen.max() >= X.shape[1]:
        raise ValueError(
            f"got columns of shape {chosen.shape} and dtype {chosen.dtype}, expected (probe, k) "
            f"indices from 0 to {X.shape[-1] - 1} of a shared X"
        )
    return chosen


def _weights(
    Y: NDArray[np.int8], sample_weight: ArrayLike | None, n_probes: int, *, balanced: bool
) -> Floats:
    """(probe, example); the unknown are left out elsewhere."""
    weight = np.ones(Y.shape[1]) if sample_weight is None else np.asarray(sample_weight, float)
    if weight.shape not in ((Y.shape[1],), (n_probes, Y.shape[1])) or not (weight >= 0).all():
        raise ValueError(
            f"got sample_weight of shape {weight.shape}, expected numbers of at least 0, "
            f"({Y.shape[1]},) or ({n_probes}, {Y.shape[1]})"
        )
    if balanced:
        for state in (0, 1):
            own = Y == state
            share = (Y >= 0).sum(1) / (2 * own.sum(1))
            weight = np.where(own, weight * share[:, None], weight)
    return np.broadcast_to(weight, (n_probes, Y.shape[1]))
