"""Compiled loops behind nearest: what a block of float32 products leaves possible, made exact."""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
CHUNK = 256  # columns looked over at once


@njit(nogil=True, cache=True)
def best_of_block(
    products: Array,
    first: int,
    columns: Array,
    points: Array,
    bounds: Array,
    slope: Array,
    found: Array,
    squares: Array,
) -> None:
    """The nearest columns of each row of a block, by squared distance and then by row number.

    ``nearness = product − |column|² / 2`` orders columns as the distance does, and is known up to
    ``slope × length + slack``. What could still be among the best is computed again in float64.

    Parameters
    ----------
    products : (row, column) float32 inner products of the centred points.
    first : number of the block's first row.
    columns : (column,) their row numbers, ascending.
    points : (point, feature) float64.
    bounds : (3, column) half the squared length, the length and the rounding of each column.
    slope : (point,) rounding of a product with a column of length 1.
    found, squares : (row, k) row numbers and squared distances, written.
    """
    k, n = found.shape[1], len(columns)
    upper = np.empty(n, dtype=np.float32)
    names = np.empty(n, dtype=np.int64)
    lowest = np.empty(k, dtype=np.float32)
    for r in range(products.shape[0]):
        own = first + r
        kept = _possible(products[r], columns, own, bounds, slope[own], lowest, upper, names)
        filled = 0
        for c in range(kept):
            if upper[c] >= lowest[0]:
                square = _square(points[own], points[names[c]])
                filled = _insert(found[r], squares[r], filled, names[c], square)


@njit(nogil=True, cache=True)
def _possible(
    row: Array,
    columns: Array,
    own: int,
    bounds: Array,
    slope: float,
    lowest: Array,
    upper: Array,
    names: Array,
) -> int:
    """Collect what passed the k-th best lower bound of its time; ``lowest`` ascends to the best."""
    kept = 0
    half, length, slack = bounds[0], bounds[1], bounds[2]
    lowest[:] = -np.inf
    bar = lowest[0]
    for start in range(0, len(row), CHUNK):
        chunk = slice(start, start + CHUNK)
        if not _passing(row[chunk], half[chunk], length[chunk], slack[chunk], slope, bar):
            continue
        for j in range(start, min(start + CHUNK, len(row))):
            nearness = row[j] - half[j]
            error = slope * length[j] + slack[j]
            if nearness + error >= bar and columns[j] != own:
                upper[kept], names[kept] = nearness + error, columns[j]
                kept += 1
                if nearness - error > bar:
                    _raise(lowest, nearness - error)
                    bar = lowest[0]
    return kept


@njit(nogil=True, cache=True)
def _passing(
    products: Array, half: Array, length: Array, slack: Array, slope: float, bar: float
) -> int:
    """How many of a chunk reach the bar, by vector instructions: of most chunks, none."""
    hits = np.int32(0)
    for j in range(len(products)):
        reach = products[j] - half[j] + (slope * length[j] + slack[j])
        hits += np.int32(reach >= bar)
    return int(hits)


@njit(nogil=True, cache=True)
def _raise(lowest: Array, value: float) -> None:
    """Put a lower bound in the place of the least, in ascending order."""
    place = 0
    while place + 1 < len(lowest) and lowest[place + 1] < value:
        lowest[place] = lowest[place + 1]
        place += 1
    lowest[place] = value


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _square(a: Array, b: Array) -> float:
    """Squared distance; the order of the sum is the compiler's, but one for all pairs."""
    total = 0.0
    for f in range(len(a)):
        total += (a[f] - b[f]) ** 2
    return total


@njit(nogil=True, cache=True)
def _insert(found: Array, squares: Array, filled: int, name: int, square: float) -> int:
    """Keep the best in order; names come ascending, so an equal distance goes behind."""
    k = len(found)
    if filled == k and square >= squares[k - 1]:
        return filled
    place = min(filled, k - 1)
    while place > 0 and squares[place - 1] > square:
        found[place], squares[place] = found[place - 1], squares[place - 1]
        place -= 1
    found[place], squares[place] = name, square
    return min(filled + 1, k)


@njit(nogil=True, cache=True)
def row_hashes(bits: Array) -> Array:
    """A 64-bit fingerprint of each row of (row, word) unsigned integers."""
    out = np.empty(len(bits), dtype=np.uint64)
    for r in range(len(bits)):
        value = np.uint64(14695981039346656037)
        for f in range(bits.shape[1]):
            value = (value ^ bits[r, f]) * np.uint64(1099511628211)
            value ^= value >> np.uint64(29)
        out[r] = value
    return out


@njit(nogil=True, cache=True)
def same_as(points: Array, rows: Array, heads: Array) -> Array:
    """Whether each of ``rows`` holds exactly what its head does."""
    same = np.ones(len(rows), dtype=np.bool_)
    for r in range(len(rows)):
        for f in range(points.shape[1]):
            if points[rows[r], f] != points[heads[r], f]:
                same[r] = False
                break
    return same
