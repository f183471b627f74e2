"""Which points lie nearest to each point? Exact, in blocks, and no point is its own neighbour."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest_loops import best_of_block, row_hashes, same_as

METRICS = ("cosine", "euclidean")
BLOCK = 16_000_000  # products held at a time, 64 MB
STREAM = 31

Points = NDArray[np.float64]


class Nearest(NamedTuple):
    """The k nearest other points of each point, nearest first."""

    indices: NDArray[np.intp]
    """(point, k) row numbers"""
    distances: NDArray[np.float64]
    """(point, k) 1 − cosine, 0 to 2, or Euclidean lengths"""


def nearest(
    points: ArrayLike, *, k: int, metric: str = "cosine", seed: int = 0, block: int = BLOCK
) -> Nearest:
    """The k nearest other points of each point, found exactly.

    A point is left out of its own neighbours by its row number, so equal rows, as parallel corpora
    have them, are each other's neighbours at distance 0. Exactly equal distances stand in an order
    of the points drawn with ``seed``; the language that comes first in the data has no advantage.
    Float32 products only propose: whatever their rounding could hide is computed again in float64,
    pair by pair, and the answer is therefore the same for every size of block.

    Eats `example` (or `token`) and `feature`.

    Parameters
    ----------
    points : (point, feature)
    k
        Neighbours of each point.
    metric
        ``"cosine"`` for 1 − cosine, or ``"euclidean"``.
    seed
        Of the order among exact ties.
    block
        Products held at a time; memory above a float64 and a float32 copy of the points is four
        bytes for each.

    Raises
    ------
    ValueError
        Values that are not finite, k outside 1 … points − 1 or no whole number, an unknown metric,
        or a row of zeros under the cosine, which has no direction.

    Examples
    --------
    >>> found = nearest([[0.0], [1.0], [3.0]], k=1, metric="euclidean")
    >>> found.indices.ravel(), found.distances.ravel()
    (array([1, 0, 1]), array([1., 1., 2.]))
    """
    if metric not in METRICS:
        raise ValueError(f"got metric {metric!r}; valid are {', '.join(METRICS)}")
    check_count("k", k, least=1)
    X = checked_points(points)
    if not 1 <= k < len(X):
        raise ValueError(f"got k={k} for {len(X)} points; expected 1 to {len(X) - 1}")
    order = np.random.default_rng([seed, STREAM]).permutation(len(X))
    P, scale = _scaled(X, order, metric)
    found, squares = _search(P, k, max(1, block // len(P)))
    indices, distances = np.empty_like(found), np.empty_like(squares)
    indices[order] = order[found]
    distances[order] = squares / 2 if metric == "cosine" else np.sqrt(squares) * scale
    return Nearest(indices, distances)


def knn_agreement(A: ArrayLike, B: ArrayLike, *, k: int, metric: str = "cosine") -> float:
    """Share of a point's k nearest points in one space that are so in the other as well.

    The mean over points of ``|N_A(i) ∩ N_B(i)| / k``, which needs no common coordinates; chance is
    :func:`knn_agreement_chance`. Exact ties are ordered for each space apart, so that points which
    a space does not tell from each other agree by chance only.

    Eats two (`pair`, `feature`), whose features may differ.

    Raises
    ------
    ValueError
        For unequal numbers of points, and as :func:`nearest`.

    References
    ----------
    Huh, Cheung, Wang and Isola 2024, "The Platonic Representation Hypothesis" (mutual k-nearest
    neighbours).

    Examples
    --------
    >>> points = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [5.0, 1.0]])
    >>> knn_agreement(points, 3 * points, k=2)
    1.0
    """
    rows = np.shape(A)[:1], np.shape(B)[:1]
    if rows[0] != rows[1]:
        raise ValueError(f"got {rows[0]} and {rows[1]} points; expected the same points twice")
    one = nearest(A, k=k, metric=metric, seed=0).indices
    other = nearest(B, k=k, metric=metric, seed=1).indices
    common = sum((one[:, [column]] == other).sum() for column in range(k))
    return float(common / other.size)


def knn_agreement_chance(n: int, k: int) -> float:
    """Agreement of unrelated neighbourhoods of n points: k / (n − 1).

    >>> knn_agreement_chance(101, 10)
    0.1
    """
    if not 1 <= k < n:
        raise ValueError(f"got k={k} for {n} points; expected 1 to {n - 1}")
    return k / (n - 1)


def _scaled(X: NDArray, order: NDArray[np.intp], metric: str) -> tuple[Points, float]:
    """The points in that order, of length 1 or scaled to at most 1, and the scale taken off."""
    P = X[order].astype(np.float64)
    P += 0.0  # one zero, so that equal rows have equal bits
    largest = np.maximum(P.max(1), -P.min(1))
    if metric == "euclidean":
        # A power of two loses no digit, and neither huge nor tiny values leave float32's range.
        scale = float(np.ldexp(1.0, np.frexp(largest.max())[1]))
        P /= scale
        return P, scale
    if not largest.all():
        nothing = np.sort(order[largest == 0])
        named = ", ".join(map(str, nothing[:5])) + (", …" if len(nothing) > 5 else "")
        raise ValueError(
            f"got {len(nothing)} rows of zeros (row {named}), which have no direction; "
            "expected other rows, or metric='euclidean'"
        )
    P /= largest[:, None]
    P /= np.sqrt(np.einsum("pf,pf->p", P, P))[:, None]
    return P, 1.0


def _search(P: Points, k: int, step: int) -> tuple[NDArray[np.intp], Points]:
    """Neighbours and squared distances; of exact ties, the lower row comes first."""
    F = _centred(P, step)
    length = np.sqrt(np.einsum("pf,pf->p", F, F, dtype=np.float64))
    unit = 1.5 * np.finfo(np.float32).eps / 2
    slope = (unit * (P.shape[1] + 4) * length).astype(np.float32)
    columns = _columns(P, k)
    among = F if len(columns) == len(F) else F[columns]
    width = length[columns]
    bounds = np.stack([width**2 / 2, width, 2 * unit * width**2 + 1e-36]).astype(np.float32)
    found = np.empty((len(P), k), dtype=np.intp)
    squares = np.empty((len(P), k))
    products = np.empty((min(step, len(P)), len(columns)), dtype=np.float32)
    for first in range(0, len(P), step):
        rows = slice(first, min(first + step, len(P)))
        here = products[: rows.stop - first]
        np.matmul(F[rows], among.T, out=here)
        best_of_block(here, first, columns, P, bounds, slope, found[rows], squares[rows])
    return found, squares


def _centred(P: Points, step: int) -> NDArray[np.float32]:
    """Differences from the mean, at most about 1 long.

    Neighbours do not change when all points move, and rounding is smallest about their mean.
    """
    mean = P.mean(0)
    blocks = [slice(first, first + step) for first in range(0, len(P), step)]
    largest = max(np.abs(P[rows] - mean).max() for rows in blocks) * np.sqrt(P.shape[1]) or 1.0
    F = np.empty(P.shape, dtype=np.float32)
    for rows in blocks:
        F[rows] = (P[rows] - mean) / largest
    return F


def _columns(P: Points, k: int) -> NDArray[np.intp]:
    """Rows that may be anyone's neighbour: of equal rows, the first k + 1."""
    hashes = row_hashes(P.view(np.uint64))
    order = np.argsort(hashes, kind="stable")
    starts = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]]))
    place = np.arange(len(P)) - np.repeat(starts, np.diff(starts, append=len(P)))
    late = np.flatnonzero(place > k)
    heads = order[late - place[late]]
    kept = np.ones(len(P), dtype=bool)
    kept[order[late]] = ~same_as(P, order[late], heads)
    return np.flatnonzero(kept)


def check_count(name: str, value: int, *, least: int = 0) -> None:
    """Refuse what is no whole number, or too small a one."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least:
        kind = "" if whole else "a whole number, "
        raise ValueError(f"got {name}={value!r}; expected {kind}{least} or more")


def refuse_not_finite(name: str, M: NDArray, *, numbers: NDArray[np.intp] | None = None) -> None:
    """Name the first row that holds NaN or infinity.

    Parameters
    ----------
    numbers
        What the caller's user calls each row, where some were left out before.
    """
    with np.errstate(all="ignore"):  # a sum is cheap, and an overflow in it is no answer
        if np.isfinite(M.sum(dtype=np.float64)):
            return
    wrong = np.flatnonzero(~np.isfinite(M).all(1))
    if len(wrong):
        first = wrong[0] if numbers is None else numbers[wrong[0]]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ValueError(f"got {name} with row {first}{more} not finite; expected finite numbers")


def checked_points(points: ArrayLike) -> NDArray:
    """``(point, feature)`` finite numbers, as they were given."""
    X = np.asarray(points)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"got points of shape {X.shape}; expected (point, feature), not empty")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"got points of dtype {X.dtype}; expected numbers")
    wrong = np.flatnonzero(~np.isfinite(X).all(1))
    if len(wrong):
        raise ValueError(
            f"got {len(wrong)} rows with NaN or infinity, the first row {wrong[0]}; "
            "expected finite numbers"
        )
    return X
