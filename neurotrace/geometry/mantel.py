"""Do two tables of language pairs go together? Pairs that share a language are no two samples."""

from itertools import permutations as every_order
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import check_count

MOST_ORDERS = 5040  # orders of seven nodes: up to here all of them are tried
ALPHA = 0.05


class Mantel(NamedTuple):
    """A rank correlation of two tables of pairs, and what it is worth."""

    r: float
    """Spearman's correlation over pairs, −1 to 1; NaN where a table is constant"""
    p: float
    """share of permutations of the nodes with ``|r|`` at least as large"""
    detectable: float
    """the smallest ``|r|`` that these tables could show at p ≤ .05; NaN where none could"""
    nodes: int
    """rows that both tables know: the true number of samples"""


def mantel(
    a: ArrayLike,
    b: ArrayLike,
    *,
    directed: bool = False,
    diagonal: bool = False,
    permutations: int = 9999,
    seed: int = 0,
) -> Mantel:
    """Rank correlation between two tables over pairs of nodes, such as languages.

    Spearman's r over the pairs above the diagonal; its null permutes the nodes of ``b``, rows and
    columns together, so that pairs with a common node stay together. Of up to seven nodes every
    order is tried, and p is exact.
    *Eats* two (node, node) → *leaves* nothing.

    Parameters
    ----------
    a, b
        ``(node, node)``, symmetric; the diagonal is not looked at. A pair may be NaN, both ways
        then: nodes without any finite pair in ``a`` or ``b`` are left out, and where a NaN is left
        between nodes that stay, nothing is said: all but ``nodes`` is NaN.
    directed
        Pairs have a direction, such as from source to target, in one of the tables at least: all
        off the diagonal count, and neither table need be symmetric. A node that is never a source,
        or never a target, is left out.
    diagonal
        Each node with itself counts too. It stays on the diagonal in every permutation, so that
        what sets it apart from true pairs raises ``r`` in the null as well.
    permutations
        Seeded random orders where there are too many to try all.

    Returns
    -------
    ``r``, ``p``, ``detectable`` and ``nodes``; the first three NaN for fewer than three nodes, a
    constant table, or single pairs that are not finite.

    Raises
    ------
    ValueError
        When the tables are not square, symmetric and of one shape, naming the first pair that
        differs, or is NaN one way only.

    References
    ----------
    Mantel 1967, Cancer Research 27; here by ranks, two-sided, and with the smallest detectable r
    beside the p-value. For directed tables it is the quadratic assignment procedure: Krackhardt
    1988, Social Networks 10.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 3.0, 7.0, 15.0])
    >>> distance = abs(x[:, None] - x)
    >>> found = mantel(distance, distance**2)
    >>> round(found.r, 3), found.nodes
    (1.0, 5)
    """
    check_count("permutations", permutations)
    one, other = (_table(given, directed=directed) for given in (a, b))
    if one.shape != other.shape:
        raise ValueError(f"got tables of shapes {one.shape} and {other.shape}; expected one shape")
    known = ~np.eye(len(one), dtype=bool) & np.isfinite(one) & np.isfinite(other)
    kept = known.any(1) & known.any(0)
    n = int(kept.sum())
    cells = pair_cells(n, directed=directed, diagonal=diagonal)
    x, y = (table[kept][:, kept][cells] for table in (one, other))
    if n < 3 or not np.isfinite(x + y).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Mantel(np.nan, np.nan, np.nan, n)
    orders = node_orders(n, permutations, np.random.default_rng([seed, 3]))
    ranks = np.zeros((n, n))
    ranks[cells] = _standard_ranks(y)
    if not directed:
        ranks.T[cells] = ranks[cells]
    drawn = ranks[orders[:, cells[0]], orders[:, cells[1]]] @ _standard_ranks(x)
    size = np.sort(np.abs(drawn))
    return Mantel(float(drawn[0]), null_tail(size, abs(drawn[0])), smallest_rare(size), n)


def pair_cells(
    n: int, *, directed: bool = False, diagonal: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pairs of ``n`` nodes that count, each pair once or both ways.

    >>> [cell.tolist() for cell in pair_cells(3)]
    [[0, 0, 1], [1, 2, 2]]
    """
    counted = np.ones((n, n), bool) if directed else np.triu(np.ones((n, n), bool))
    rows, columns = np.nonzero(counted if diagonal else counted & ~np.eye(n, dtype=bool))
    return rows, columns


def _table(given: ArrayLike, *, directed: bool) -> NDArray[np.float64]:
    table = np.asarray(given, dtype=float)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"got a table of shape {table.shape}; expected (node, node)")
    if directed:
        return table
    differ = ~np.isclose(table, table.T, equal_nan=True)
    if differ.any():
        i, j = np.argwhere(differ)[0].tolist()
        names = list(getattr(given, "index", range(len(table))))
        raise ValueError(
            f"got a table that is not symmetric, {table[i, j]:g} from {names[i]} to {names[j]} and "
            f"{table[j, i]:g} back; expected one value a pair, or directed=True"
        )
    return table


def node_orders(n: int, permutations: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """``(order, node)``, the first of them as given; it counts among the null's draws."""
    if factorial(n) <= MOST_ORDERS:
        return np.array(list(every_order(range(n))))
    drawn = rng.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
    return np.vstack([np.arange(n), drawn])


def _standard_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mid-ranks of mean 0 and length 1: the product of two such is Spearman's r."""
    ordered = np.sort(values)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    centred = ranks - ranks.mean()
    return centred / np.sqrt((centred**2).sum())


def null_tail(size: NDArray[np.float64], at: float | NDArray) -> float:
    """Share of a sorted null that is at least as large, rounding aside."""
    return float((len(size) - np.searchsorted(size, at - 1e-9)) / len(size))


def smallest_rare(size: NDArray[np.float64]) -> float:
    """The smallest value of the null that its own tail calls rare."""
    rare = np.searchsorted(size, size - 1e-9) >= (1 - ALPHA) * len(size) - 1e-9
    return float(size[rare][0]) if rare.any() else float("nan")
