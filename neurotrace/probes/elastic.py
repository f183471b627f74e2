"""Compiled loop behind the rankings `l1` and `adaptive`: the elastic net by coordinate descent.

Each step replaces the loss by its parabola at the current point and goes through the coefficients
one by one, at first through all of them, then through those that are not 0.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neurotrace.probes.newton import FAST, derivatives

Array = NDArray[Any]

SWEEPS = 100  # through the coefficients, for one parabola
LEAST = 1e-5  # share of a sentence's weight that counts as its curvature, at least


@njit(nogil=True, cache=True, error_model="numpy")
def fit_elastic(
    X: Array,
    y: Array,
    weight: Array,
    lasso: float,
    ridge: float,
    tolerance: float,
    max_steps: int,
    w: Array,
) -> None:
    """Minimise Σ weight log(1 + exp(-(2 y - 1) z)) + lasso |w|₁ + ridge |w|² / 2.

    Parameters
    ----------
    X : (feature, example) float64, rows contiguous, best of one scale.
    y, weight : (example,) float64; y is 0 or 1.
    tolerance : on the largest change of a coefficient in a step.
    w : (feature + 1,), the start; overwritten. The last entry is the intercept, not penalised.
    """
    k, n = X.shape
    z, there, moved = np.zeros(n), np.empty(n), np.empty(n)
    slope, bend = np.empty(n), np.empty(n)
    for j in range(k):
        _add(X[j], w[j], z)
    z += w[k]
    new = w.copy()
    value = _objective(z, y, weight, lasso, ridge, w)
    for _ in range(max_steps):
        derivatives(z, y, weight, slope, bend)
        for i in range(n):
            bend[i] = max(bend[i], LEAST * weight[i])
        moved[:] = 0
        new[:] = w
        _parabola(X, slope, bend, lasso, ridge, tolerance, new, moved)
        largest = np.abs(new - w).max()
        length = 1.0
        while True:
            there[:] = z + length * moved
            point = w + length * (new - w)
            reached = _objective(there, y, weight, lasso, ridge, point)
            if reached <= value or length < 1e-8:
                break
            length /= 2
        z[:], w[:] = there, point
        value = reached
        if largest <= tolerance or length < 1e-8:
            break


@njit(nogil=True, cache=True, error_model="numpy")
def _parabola(
    X: Array,
    slope: Array,
    bend: Array,
    lasso: float,
    ridge: float,
    tolerance: float,
    w: Array,
    moved: Array,
) -> None:
    """Coordinate descent on the parabola; `moved` follows what the changes do to z."""
    k = len(X)
    curvature = np.empty(k)
    for j in range(k):
        curvature[j] = _weighed(X[j], bend)
    total = bend.sum()
    everything = True
    for _ in range(SWEEPS):
        change = _pull(slope, bend, moved) / total
        w[k] -= change
        moved -= change
        largest = abs(change)
        for j in range(k):
            if not everything and w[j] == 0:
                continue
            pull = curvature[j] * w[j] - _inner(X[j], slope, bend, moved)
            to = max(abs(pull) - lasso, 0.0) * np.sign(pull) / (curvature[j] + ridge)
            if to != w[j]:
                largest = max(largest, abs(to - w[j]))
                _add(X[j], to - w[j], moved)
                w[j] = to
        if largest <= 0.1 * tolerance:
            if everything:
                break
            everything = True  # does any of the others want to come in?
        else:
            everything = False


@njit(nogil=True, cache=True, error_model="numpy")
def _objective(z: Array, y: Array, weight: Array, lasso: float, ridge: float, w: Array) -> float:
    total = 0.0
    for i in range(len(z)):
        away = z[i] if y[i] == 0 else -z[i]
        total += weight[i] * (max(away, 0.0) + np.log1p(np.exp(-abs(away))))
    for j in range(len(w) - 1):
        total += lasso * abs(w[j]) + 0.5 * ridge * w[j] * w[j]
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def _add(row: Array, factor: float, out: Array) -> None:
    for i in range(len(out)):
        out[i] += factor * row[i]


@njit(nogil=True, cache=True, fastmath=FAST)
def _weighed(row: Array, bend: Array) -> float:
    total = 0.0
    for i in range(len(bend)):
        total += row[i] * row[i] * bend[i]
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def _inner(row: Array, slope: Array, bend: Array, moved: Array) -> float:
    total = 0.0
    for i in range(len(bend)):
        total += row[i] * (slope[i] + bend[i] * moved[i])
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def _pull(slope: Array, bend: Array, moved: Array) -> float:
    total = 0.0
    for i in range(len(bend)):
        total += slope[i] + bend[i] * moved[i]
    return total
