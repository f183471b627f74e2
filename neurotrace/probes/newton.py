"""Compiled loops behind fit_logistic and sparsity_curve: Newton's method, one probe at a time.

Features lie one a row, so that a probe of the first k of them reads the first k rows: nested
supports need no copies. A Newton direction is found by conjugate gradients, each step of which
costs one pass over the features; no matrix of features by features is ever made.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

FAST = {"reassoc", "contract", "arcp", "nsz"}  # sums in any order; NaN and infinity keep meaning
HALVINGS = 40  # of a Newton step, before it is given up


@njit(nogil=True, cache=True, error_model="numpy")
def fit(
    X: Array,
    y: Array,
    weight: Array,
    ridge: float,
    tolerance: float,
    max_steps: int,
    w: Array,
) -> float:
    """Minimise Σ weight log(1 + exp(-(2 y - 1) z)) + ridge |w|² / 2, with z = w X + intercept.

    Parameters
    ----------
    X : (feature, example) floating, rows contiguous.
    y, weight : (example,) of the dtype of X; y is 0 or 1.
    tolerance : on the largest entry of the gradient, in units of the sum of weights.
    w : (feature + 1,) of the dtype of X, the start; overwritten. The last entry is the intercept.

    Returns
    -------
    The largest entry of the gradient in that unit.
    """
    k, n = X.shape
    z, moved = np.empty(n, X.dtype), np.empty(n, X.dtype)
    slope, bend = np.empty(n, X.dtype), np.empty(n, X.dtype)
    g, step = np.empty(k + 1, X.dtype), np.empty(k + 1, X.dtype)
    diagonal = _diagonal(X, weight, ridge)
    total = weight.sum()
    combine(X, w, z)
    derivatives(z, y, weight, slope, bend)
    first, size = 0.0, 0.0
    for number in range(max_steps + 1):
        _project(X, slope, ridge, w, g)
        size = np.abs(g).max() / total
        first = size if number == 0 else first
        if size <= tolerance or number == max_steps:
            break
        # Far from the optimum a rough direction will do; close to it, one that just gets there.
        precision = max(min(0.5, np.sqrt(size / first)), 0.5 * tolerance / size)
        _direction(X, bend, ridge, g, diagonal, precision, step, moved)
        if not _descend(z, y, weight, ridge, w, step, moved, slope, bend):
            break  # what is left is rounding
    return size


@njit(nogil=True, cache=True, error_model="numpy")
def sweep(
    X: Array,
    train: Array,
    test: Array,
    states: Array,
    supports: Array,
    ks: Array,
    ridge: float,
    tolerance: float,
    max_steps: int,
    scores: Array,
) -> None:
    """Fit balanced probes of the first k neurons of each support, and score the test sentences.

    Parameters
    ----------
    X : (neuron, example) floating, rows contiguous.
    train, test : indices of sentences.
    states : (concept, example of train) int8; 1 positive, 0 negative, -1 left out.
    supports : (concept, neuron) best first, at least as long as the largest k.
    ks : rising.
    scores : (concept, k, example of test), written: w z + intercept.
    """
    n = len(train)
    # Single precision doubles what fits a vector; means and scales are double.
    features = np.empty((ks[-1], n), np.float32)
    held_out = np.empty((ks[-1], len(test)), np.float32)
    y, weight = np.empty(n, np.float32), np.empty(n, np.float32)
    for concept in range(len(states)):
        _balance(states[concept], y, weight)
        for j in range(ks[-1]):
            row = X[supports[concept, j]]
            _standardise(row, train, test, weight, features[j], held_out[j])
        w = np.zeros(ks[-1] + 1, np.float32)
        before = 0
        for place in range(len(ks)):
            k = ks[place]
            w[k], w[before] = w[before], w[k] * 0  # the intercept moves behind the new neurons
            fit(features[:k], y, weight, ridge, tolerance, max_steps, w[: k + 1])
            combine(held_out[:k], w[: k + 1], scores[concept, place])
            before = k


@njit(nogil=True, cache=True, error_model="numpy")
def _balance(states: Array, y: Array, weight: Array) -> None:
    """Both classes weigh half of the known sentences; the unknown weigh nothing."""
    n_pos, n_neg = (states == 1).sum(), (states == 0).sum()
    for i in range(len(states)):
        y[i] = states[i] == 1
        weight[i] = 0.0
        if states[i] >= 0:
            weight[i] = (n_pos + n_neg) / (2.0 * (n_pos if states[i] == 1 else n_neg))


@njit(nogil=True, cache=True, error_model="numpy")
def _standardise(
    row: Array, train: Array, test: Array, weight: Array, known: Array, unseen: Array
) -> None:
    """Mean 0 and standard deviation 1 on the known training sentences; a constant becomes 0."""
    count, mean, square = 0, 0.0, 0.0
    for i in range(len(train)):
        if weight[i] > 0:
            count += 1
            mean += np.float64(row[train[i]])
    mean /= count
    for i in range(len(train)):
        if weight[i] > 0:
            square += (np.float64(row[train[i]]) - mean) ** 2
    spread = np.sqrt(square / count)
    # A mean is rounded: below this, a column that never changes would pass for one that does.
    factor = 1.0 / spread if spread > 1e-12 * abs(mean) else 0.0
    for i in range(len(train)):
        known[i] = (row[train[i]] - mean) * factor if weight[i] > 0 else 0.0
    for i in range(len(test)):
        unseen[i] = (row[test[i]] - mean) * factor


@njit(nogil=True, cache=True, fastmath=FAST)
def combine(X: Array, w: Array, out: Array) -> None:
    """out = w X + intercept, with the intercept last in w."""
    k, n = X.shape
    for i in range(n):
        out[i] = w[k]
    j = 0
    while j + 4 <= k:
        a, b, c, d = X[j], X[j + 1], X[j + 2], X[j + 3]
        p, q, r, s = w[j], w[j + 1], w[j + 2], w[j + 3]
        for i in range(n):
            out[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
        j += 4
    while j < k:
        a, p = X[j], w[j]
        for i in range(n):
            out[i] += p * a[i]
        j += 1


@njit(nogil=True, cache=True, fastmath=FAST)
def _project(X: Array, slope: Array, ridge: float, w: Array, g: Array) -> None:
    """g = X slope + ridge w, with no penalty on the intercept, four features at a time."""
    k, n = X.shape
    zero = slope[0] * 0
    j = 0
    while j + 4 <= k:
        a, b, c, d = X[j], X[j + 1], X[j + 2], X[j + 3]
        p, q, r, s = zero, zero, zero, zero
        for i in range(n):
            p += a[i] * slope[i]
            q += b[i] * slope[i]
            r += c[i] * slope[i]
            s += d[i] * slope[i]
        g[j], g[j + 1], g[j + 2], g[j + 3] = p, q, r, s
        j += 4
    while j < k:
        a, p = X[j], zero
        for i in range(n):
            p += a[i] * slope[i]
        g[j] = p
        j += 1
    for j in range(k):
        g[j] += ridge * w[j]
    p = zero
    for i in range(n):
        p += slope[i]
    g[k] = p


@njit(nogil=True, cache=True, fastmath=FAST)
def _diagonal(X: Array, weight: Array, ridge: float) -> Array:
    """Curvature along each coefficient where all probabilities are one half."""
    k, n = X.shape
    diagonal = np.empty(k + 1, X.dtype)
    for j in range(k):
        row, total = X[j], weight[0] * 0
        for i in range(n):
            total += weight[i] * row[i] * row[i]
        diagonal[j] = total / 4 + ridge
    diagonal[k] = weight.sum() / 4
    return diagonal


@njit(nogil=True, cache=True, error_model="numpy")
def derivatives(z: Array, y: Array, weight: Array, slope: Array, bend: Array) -> None:
    """First and second derivative of each sentence's loss by its z."""
    for i in range(len(z)):
        small = np.exp(-abs(z[i]))
        bend[i] = weight[i] * small / ((1 + small) * (1 + small))
        above = (1 if z[i] >= 0 else small) / (1 + small)
        slope[i] = weight[i] * (above - y[i])


@njit(nogil=True, cache=True, fastmath=FAST)
def _direction(
    X: Array,
    bend: Array,
    ridge: float,
    g: Array,
    diagonal: Array,
    precision: float,
    step: Array,
    moved: Array,
) -> None:
    """Solve (X bend X' + ridge) step = -g to a relative residual; `moved` becomes step X."""
    k, n = X.shape
    residual, search, image = np.empty_like(g), np.empty_like(g), np.empty_like(g)
    along, bent = np.empty_like(moved), np.empty_like(moved)
    energy = 0.0
    for j in range(k + 1):
        step[j], residual[j] = 0, -g[j]
        search[j] = residual[j] / diagonal[j]
        energy += residual[j] * search[j]
    moved[:] = 0
    goal = precision * precision * energy
    for _ in range(4 * k + 20):
        combine(X, search, along)
        for i in range(n):
            bent[i] = bend[i] * along[i]
        _project(X, bent, ridge, search, image)
        curvature = 0.0
        for j in range(k + 1):
            curvature += search[j] * image[j]
        if curvature <= 0:  # flat to rounding: every sentence is far on its side
            break
        length = g.dtype.type(energy / curvature)
        for i in range(n):
            moved[i] += length * along[i]
        before, energy = energy, 0.0
        for j in range(k + 1):
            step[j] += length * search[j]
            residual[j] -= length * image[j]
            energy += residual[j] * residual[j] / diagonal[j]
        if energy <= goal:
            break
        for j in range(k + 1):
            search[j] = residual[j] / diagonal[j] + energy / before * search[j]


@njit(nogil=True, cache=True, fastmath=FAST)
def _descend(
    z: Array,
    y: Array,
    weight: Array,
    ridge: float,
    w: Array,
    step: Array,
    moved: Array,
    slope: Array,
    bend: Array,
) -> bool:
    """Go along the step until the objective all but stops falling; False where it never falls.

    The objective is convex: along the step its derivative only rises, and a length at which it is
    still below 0, or barely above, is no step too far. Updates z, w, slope and bend.
    """
    k, n = len(w) - 1, len(z)
    length, gone, start = 1.0, 0.0, 0.0
    for i in range(n):
        start += slope[i] * moved[i]
    for j in range(k):
        start += ridge * w[j] * step[j]
    if start >= 0:
        return False
    for _ in range(HALVINGS):
        by = z.dtype.type(length - gone)
        for i in range(n):
            z[i] += by * moved[i]
        derivatives(z, y, weight, slope, bend)
        rises = 0.0
        for i in range(n):
            rises += slope[i] * moved[i]
        for j in range(k):
            rises += ridge * (w[j] + length * step[j]) * step[j]
        if rises <= -0.1 * start:
            break
        gone, length = length, length * max(0.1, start / (start - rises))
    for j in range(k + 1):
        w[j] += length * step[j]
    return True
