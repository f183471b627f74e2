"""Compiled loops behind the rank nulls: where may a concept's positives stand in a ranking?

A ranking is a list of tie groups, from the highest value down. Under the null every placement of
`n_pos` positives is equally likely, so a group of t sentences takes k of the positives left with
hypergeometric probability. Both scores are sums over groups of a term that depends on the group,
on k and on the number of positives so far alone. That makes `spread`, a sum over all placements
group by group, and `highest`, a search for the placements with the largest scores, one loop for
both. Nothing here checks its input.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from math import exp, floor, lgamma
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def spread(
    sizes: Array, n_pos: int, precision: bool, step: float, trim: float
) -> tuple[Array, int, float, int]:
    """Distribution of a score's sum on a grid.

    A term that falls between two cells is shared between them so that its mean is kept.

    Parameters
    ----------
    sizes : (group,) tie groups from the highest value down.
    n_pos : positives.
    precision : True sums n_pos AP, False sums U, the pairs won.
    step : width of a cell.
    trim : mass that may be cut off at either end of a row; 0 keeps all.

    Returns
    -------
    mass : (cell,) probabilities.
    first : cell number of mass[0]; cell i stands for the sum i step.
    dropped : mass cut off.
    work : cells added up, the cost.
    """
    n = int(sizes.sum())
    width = 1024
    mass = np.zeros((n_pos + 1, width))
    first = np.zeros(n_pos + 1, np.int64)
    length = np.zeros(n_pos + 1, np.int64)
    mass[0, 0] = 1.0
    length[0] = 1
    fresh = np.zeros(width)
    dropped = 0.0
    passed = work = 0
    for t in sizes:
        fewest = max(0, n_pos - (n - passed - t))
        # Downwards, since a row reads only itself and rows with fewer positives.
        for j in range(min(n_pos, passed + t), -1, -1):
            if j < fewest:
                length[j] = 0
                continue
            low, high = _reach(j, t, n, n_pos, passed, precision, step, first, length)
            if high - low > width:
                width = int(2 * (high - low))
                mass = _widened(mass, width)
                fresh = np.zeros(width)
            _gather(j, t, n, n_pos, passed, precision, step, low, mass, first, length, fresh)
            work += high - low
            start, end, lost = _ends(fresh, high - low, trim)
            dropped += lost
            mass[j, : end - start] = fresh[start:end]
            fresh[: high - low] = 0.0
            first[j], length[j] = low + start, end - start
        passed += t
    return mass[n_pos, : length[n_pos]].copy(), first[n_pos], dropped, work


@njit(nogil=True, cache=True, inline="always")
def _term(k: int, j: int, t: int, n: int, n_pos: int, passed: int, precision: bool) -> float:
    """What k positives in a group of t add, j being the positives down to the group's end."""
    if precision:
        return k * j / (passed + t)
    below = n - passed - t - (n_pos - j)
    return k * (below + 0.5 * (t - k))


@njit(nogil=True, cache=True)
def _chance(k: int, t: int, left: int, ranks: int) -> float:
    """Chance that a group of t among `ranks` takes k of the positives `left`."""
    if left - k < 0 or ranks - t < left - k:
        return 0.0
    if t == 1:
        return left / ranks if k else (ranks - left) / ranks
    return exp(_choose(t, k) + _choose(ranks - t, left - k) - _choose(ranks, left))


@njit(nogil=True, cache=True)
def _choose(n: int, k: int) -> float:
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)


@njit(nogil=True, cache=True)
def _reach(
    j: int,
    t: int,
    n: int,
    n_pos: int,
    passed: int,
    precision: bool,
    step: float,
    first: Array,
    length: Array,
) -> tuple[int, int]:
    """Cells, from `low` to before `high`, that row j will fill."""
    low, high = 1 << 60, -1
    for k in range(min(t, j) + 1):
        if length[j - k]:
            cell = first[j - k] + floor(_term(k, j, t, n, n_pos, passed, precision) / step)
            low = min(low, cell)
            high = max(high, cell + length[j - k] + 1)
    return (0, 0) if high < 0 else (low, high)


@njit(nogil=True, cache=True)
def _gather(
    j: int,
    t: int,
    n: int,
    n_pos: int,
    passed: int,
    precision: bool,
    step: float,
    low: int,
    mass: Array,
    first: Array,
    length: Array,
    fresh: Array,
) -> None:
    """Add up what rows with k positives fewer bring to row j."""
    for k in range(min(t, j) + 1):
        size = length[j - k]
        chance = _chance(k, t, n_pos - j + k, n - passed)
        if size == 0 or chance == 0.0:
            continue
        cells = _term(k, j, t, n, n_pos, passed, precision) / step
        whole = floor(cells)
        upper = chance * (cells - whole)
        lower = chance - upper
        row = mass[j - k, :size]
        target = fresh[first[j - k] + whole - low :]
        for i in range(size):
            target[i] += lower * row[i]
        if upper > 0.0:
            target = target[1:]
            for i in range(size):
                target[i] += upper * row[i]


@njit(nogil=True, cache=True)
def _ends(fresh: Array, size: int, trim: float) -> tuple[int, int, float]:
    """Where a row starts and ends when at most `trim` is cut off at either side."""
    start, end = 0, size
    under = over = 0.0
    while start < end and under + fresh[start] <= trim:
        under += fresh[start]
        start += 1
    while end > start and over + fresh[end - 1] <= trim:
        over += fresh[end - 1]
        end -= 1
    return start, end, under + over


@njit(nogil=True, cache=True)
def _widened(mass: Array, width: int) -> Array:
    wider = np.zeros((mass.shape[0], width))
    wider[:, : mass.shape[1]] = mass
    return wider


@njit(nogil=True, cache=True)
def highest(
    sizes: Array, n_pos: int, precision: bool, least: float, budget: int
) -> tuple[Array, Array, bool]:
    """Every placement whose sum reaches `least`, and its probability.

    Parameters
    ----------
    sizes, n_pos, precision : as in `spread`.
    least : a sum; 0 asks for all placements.
    budget : steps after which the search gives up.

    Returns
    -------
    sums, chances : (placement,)
    whole : False where the search gave up.
    """
    n, groups = int(sizes.sum()), len(sizes)
    sums, chances = np.empty(budget), np.empty(budget)
    found = steps = 0
    # One entry a depth: positives still to try in this group, and what led here.
    trying = np.zeros(groups + 1, np.int64)
    placed = np.zeros(groups + 1, np.int64)
    total, chance = np.zeros(groups + 1), np.ones(groups + 1)
    passed = np.zeros(groups + 1, np.int64)
    passed[1:] = np.cumsum(sizes)
    untied = sizes.max() == 1
    g = 0
    trying[0] = min(sizes[0], n_pos)
    while g >= 0:
        k = trying[g]
        trying[g] -= 1
        t, left = sizes[g], n_pos - placed[g]
        if k < 0 or left - k > n - passed[g] - t:  # all tried, or no room below for the rest
            g -= 1
            continue
        steps += 1
        if steps > budget:
            return sums[:0], chances[:0], False
        j = placed[g] + k
        reached = total[g] + _term(k, j, t, n, n_pos, passed[g], precision)
        likely = chance[g] * _chance(k, t, left, n - passed[g])
        if j == n_pos:
            if reached >= least:
                sums[found], chances[found] = reached, likely
                found += 1
        elif reached + _room(n_pos - j, n_pos, n, passed[g + 1], precision, untied) >= least:
            g += 1
            placed[g], total[g], chance[g] = j, reached, likely
            trying[g] = min(sizes[g], n_pos - j)
    return sums[:found].copy(), chances[:found].copy(), True


@njit(nogil=True, cache=True)
def _room(left: int, n_pos: int, n: int, passed: int, precision: bool, untied: bool) -> float:
    """No less than what the positives left can still add."""
    if not precision:
        return float(left * (n - passed - left))
    if not untied:  # a tie lends its last precision to all, so the best first bounds nothing
        return left * n_pos / (passed + left)
    best = 0.0
    for i in range(1, left + 1):
        best += (n_pos - left + i) / (passed + i)
    return best
