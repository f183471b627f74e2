"""Multinomial logistic regressions on shared rows, all at once: one product serves every probe.

A probe is a weighting of the rows: the divisions of `language_id` are probes of the same tokens.
Each has its own standardisation, which is folded into its coefficients, so that the rows are read
and never copied. Steps are those of L-BFGS in coordinates in which features are uncorrelated,
where it needs a few dozen of them at most.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular

Floats = NDArray[np.float64]
Rows = NDArray[np.floating]
Objective = Callable[[Floats], tuple[Floats, Floats, Floats]]

MEMORY = 25  # steps that L-BFGS remembers
SAMPLE = 4  # rows a feature from which correlations are learnt
SHRINKAGE = 0.1  # of the correlations learnt towards none
ROUGH = 1000  # from which a rough centre and unit are
BLOCK = 1024  # rows that are read together
HALVINGS = 30  # of a step
FLAT = 1e-3  # share of a feature's spread below which its spread in a probe is counted anew


class SoftmaxProbes(NamedTuple):
    """Multinomial probes in units of the features they were fitted on.

    Attributes
    ----------
    coef : (probe, class, feature)
    intercept : (probe, class)
    """

    coef: Floats
    intercept: Floats


class _Scaled(NamedTuple):
    """Rows once centred and scaled for all probes, and what each probe adds to that."""

    Z: Rows  # (row, feature), rows of the same probes together
    order: NDArray[np.intp]  # (row,) of X
    blocks: list[tuple[slice, NDArray[np.intp]]]  # rows of Z, and the probes that use them
    center: Floats  # (feature,)
    unit: Floats  # (feature,)
    mean: Floats  # (probe, feature), of Z
    scale: Floats  # (probe, feature), of Z


def fit_softmax(
    X: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike,
    *,
    C: float = 1.0,
    tolerance: float = 1e-5,
    max_steps: int = 1000,
) -> SoftmaxProbes:
    """Multinomial logistic regression on standardised features, for many weightings of the rows.

    Minimises Σ_i weight_i (log Σ_c exp z_ic - z_iy) + |coef|² / (2 C) over coefficients of
    features with mean 0 and standard deviation 1 on the rows of positive weight, intercepts not
    penalised: the optimum of scikit-learn's `LogisticRegression` after `StandardScaler`.

    Parameters
    ----------
    X : (row, feature)
        Floating. Single precision is kept, and costs half.
    y : (row,)
        Classes 0 … n - 1.
    weight : (probe, row)
        At least 0; a row of weight 0 takes no part.
    C
        Inverse strength of the penalty, on the summed loss.
    tolerance
        On the largest entry of the gradient, in units of the sum of weights.
    max_steps
        A probe that is not there by then stays where it is.

    Returns
    -------
    SoftmaxProbes
        In units of X: z = coef · x + intercept.

    References
    ----------
    Liu & Nocedal 1989, "On the limited memory BFGS method"; preconditioned by the Cholesky factor
    of the features' correlations.
    """
    X, y, weight = np.asarray(X), np.asarray(y), np.asarray(weight)
    n_classes = int(y.max()) + 1
    # Two classes have one direction, which scikit-learn's penalty counts once, a softmax halved.
    C = C / 2 if n_classes == 2 else C
    scaled = _scaled(X, weight > 0)
    totals = weight.sum(1)
    factor = _factor(scaled.Z, n_classes, float(1 / (C * totals.mean())))
    objective = _objective(scaled, y, weight, C=C, factor=factor, n_classes=n_classes)
    start = np.zeros((len(weight), (X.shape[1] + 1) * n_classes))
    found = _minimise(objective, start, tolerance, max_steps)
    return _in_units(scaled, *_unpack(found, factor, n_classes))


def _scaled(X: Rows, used: NDArray[np.bool_]) -> _Scaled:
    order, blocks = _blocks(used)
    share = (used[:, order] / used.sum(1, keepdims=True)).astype(X.dtype)
    # Any rough centre and unit will do: each probe's own are exact, and come on top.
    some = X[order[:: max(1, len(order) // ROUGH)]]
    center, unit = some.mean(0, dtype=np.float64), some.std(0, dtype=np.float64)
    unit[unit <= 1e-6 * np.abs(center)] = 1
    low, factor = center.astype(X.dtype), (1 / unit).astype(X.dtype)
    Z = np.empty((len(order), X.shape[1]), X.dtype)
    mean, square = np.zeros((2, len(used), X.shape[1]))
    for rows, _ in blocks:
        Z[rows] = (X[order[rows]] - low) * factor
        mean += share[:, rows] @ Z[rows]
        square += share[:, rows] @ np.square(Z[rows])
    square -= mean**2
    for probe, feature in np.argwhere(square < FLAT * (1 + mean**2)):
        # Rounding could pass for spread where a probe's rows are all alike.
        column = Z[used[probe, order], feature].astype(np.float64)
        square[probe, feature] = 0.0 if np.ptp(column) == 0 else column.var()
    scale = np.sqrt(square)
    scale[scale == 0] = 1
    return _Scaled(Z, order, blocks, center, unit, mean, scale)


def _blocks(
    used: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], list[tuple[slice, NDArray[np.intp]]]]:
    """Rows that any probe uses, in blocks that the same probes use and that stay in the cache."""
    patterns, kind = np.unique(used.T, axis=0, return_inverse=True)
    order = np.argsort(kind.reshape(-1), kind="stable")
    sizes = np.bincount(kind.reshape(-1))
    ends = np.cumsum(sizes)
    idle = int(sizes[0]) if not patterns[0].any() else 0  # the pattern of no probe sorts first
    blocks = []
    for pattern, size, end in zip(patterns, sizes, ends, strict=True):
        for first in range(end - size, end, BLOCK) if pattern.any() else ():
            rows = slice(first - idle, min(first + BLOCK, end) - idle)
            blocks.append((rows, np.flatnonzero(pattern)))
    return order[idle:], blocks


def _factor(Z: Rows, n_classes: int, ridge: float) -> Rows:
    """Lower Cholesky factor of about the mean curvature between features."""
    stride = max(1, len(Z) // (SAMPLE * Z.shape[1]))
    part = Z[::stride]
    curvature = part.T @ part
    curvature *= 1 / (n_classes * len(part))
    curvature[np.diag_indices_from(curvature)] += ridge + SHRINKAGE / n_classes
    return cholesky(curvature, lower=True, overwrite_a=True)


def _unpack(U: Floats, factor: Rows, n_classes: int) -> tuple[Floats, Floats]:
    """Coefficients (feature, probe, class) and intercepts (probe, class) of U (probe, entry)."""
    width = len(factor) * n_classes
    inner = U[:, :width].reshape(-1, len(factor), n_classes).transpose(1, 0, 2)
    flat = inner.reshape(len(factor), -1).astype(factor.dtype)
    W = solve_triangular(factor, flat, lower=True, trans=1, check_finite=False)
    return W.reshape(inner.shape).astype(np.float64), U[:, width:] * n_classes**0.5


def _objective(
    scaled: _Scaled, y: NDArray[Any], weight: Floats, *, C: float, factor: Rows, n_classes: int
) -> Objective:
    """Mean loss, its gradient, and the gradient's largest entry, for U (probe, entry)."""
    Z, mean, scale = scaled.Z, scaled.mean.T[..., None], scaled.scale.T[..., None]
    y = y[scaled.order]
    share = (weight / weight.sum(1, keepdims=True)).T[scaled.order].astype(Z.dtype)
    ridge = 1 / (C * weight.sum(1))

    def evaluate(U: Floats) -> tuple[Floats, Floats, Floats]:
        W, intercept = _unpack(U, factor, n_classes)
        inner = W / scale
        low = (intercept - (mean * inner).sum(0)).astype(Z.dtype)
        inner = inner.astype(Z.dtype)
        outer, by_intercept = np.zeros_like(inner), np.zeros_like(low)
        loss = 0.5 * ridge * np.square(W).sum((0, 2))
        for rows, probes in scaled.blocks:
            z = Z[rows] @ inner[:, probes].reshape(Z.shape[1], -1)
            z = z.reshape(-1, len(probes), n_classes) + low[probes]
            loss[probes] += _softmax(z, share[rows][:, probes], y[rows])
            outer[:, probes] += (Z[rows].T @ z.reshape(len(z), -1)).reshape(-1, *z.shape[1:])
            by_intercept[probes] += z.sum(0)
        by_coef = (outer - mean * by_intercept) / scale + ridge[:, None] * W
        size = np.maximum(np.abs(by_coef).max((0, 2)), np.abs(by_intercept).max(1))
        flat = by_coef.reshape(len(factor), -1).astype(factor.dtype)
        by_coef = solve_triangular(factor, flat, lower=True, check_finite=False).reshape(W.shape)
        by_coef = by_coef.transpose(1, 0, 2).reshape(len(U), -1)
        gradient = np.concatenate([by_coef, by_intercept * n_classes**0.5], 1, dtype=np.float64)
        return loss, gradient, size

    return evaluate


def _softmax(z: Rows, share: Rows, y: NDArray[Any]) -> Floats:
    """Mean loss (probe,) of some rows; z (row, probe, class) is overwritten by its slopes."""
    own = np.arange(len(z))[:, None], np.arange(z.shape[1]), y[:, None]
    z -= z.max(-1, keepdims=True)
    right = z[own]
    np.exp(z, out=z)
    total = z.sum(-1)
    loss = (share * (np.log(total) - right)).sum(0, dtype=np.float64)
    z *= (share / total)[..., None]
    z[own] -= share
    return loss


def _minimise(objective: Objective, x: Floats, tolerance: float, max_steps: int) -> Floats:
    """L-BFGS on all rows of x (probe, entry) in step, each with its own memory and length."""
    value, gradient, size = objective(x)
    memory: list[tuple[Floats, Floats, Floats]] = []
    for _ in range(max_steps):
        busy = size > tolerance
        if not busy.any():
            break
        step = np.where(busy[:, None], -_inverse(memory, gradient), 0)
        falls = (gradient * step).sum(1)
        length = np.ones(len(x))
        for _ in range(HALVINGS):
            there = x + length[:, None] * step
            new, slope, size = objective(there)
            # Rounding of the objective must not hold up the last steps.
            far = new > value + 1e-4 * length * falls + 1e-7 * np.abs(value)
            if not far.any():
                break
            length[far] /= 2
        change = slope - gradient
        curvature = (change * (there - x)).sum(1)
        weight = np.where(curvature > 0, 1 / np.where(curvature > 0, curvature, 1), 0)
        memory = [*memory[1 - MEMORY :], (there - x, change, weight)]
        x, value, gradient = there, new, slope
    return x


def _inverse(memory: list[tuple[Floats, Floats, Floats]], gradient: Floats) -> Floats:
    """The inverse curvature that the remembered steps suggest, applied to the gradient."""
    result, lengths = gradient.copy(), []
    for step, change, weight in reversed(memory):
        length = weight * (step * result).sum(1)
        result -= length[:, None] * change
        lengths.append(length)
    if memory:
        _, change, weight = memory[-1]
        squared = np.square(change).sum(1) * weight
        result *= np.where(squared > 0, 1 / np.where(squared > 0, squared, 1), 1)[:, None]
    for (step, change, weight), length in zip(memory, reversed(lengths), strict=True):
        result += (length - weight * (change * result).sum(1))[:, None] * step
    return result


def _in_units(scaled: _Scaled, W: Floats, intercept: Floats) -> SoftmaxProbes:
    inner = W / scaled.scale.T[..., None]
    shift = intercept - (scaled.mean.T[..., None] * inner).sum(0)
    coef = inner.transpose(1, 2, 0) / scaled.unit
    return SoftmaxProbes(coef, shift - coef @ scaled.center)
