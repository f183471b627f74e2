"""Does a table of pairs follow several others at once, and which of them beside the rest?"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.mantel import node_orders, null_tail, pair_cells, smallest_rare

STREAM = 52
BLOCK = 4_000_000  # cells of permuted tables held at a time
NOTHING = 1e-10  # share of a table's variance below which rounding is all there is
COLUMNS = ["coefficient", "t", "partial", "p", "detectable", "nodes"]

Cells = tuple[NDArray[np.intp], NDArray[np.intp]]


class Tables(NamedTuple):
    """What of the tables counts: the pairs of nodes that all of them know."""

    cells: Cells
    nodes: int
    outcome: NDArray[np.float64]
    """``(pair,)``, mean 0 and variance 1, zeros where constant"""
    predictors: NDArray[np.float64]
    """``(pair, predictor)``, likewise"""
    directed: bool


def mrqap(
    outcome: ArrayLike,
    predictors: Mapping[str, ArrayLike],
    *,
    permutations: int = 1999,
    seed: int = 0,
) -> pd.DataFrame:
    """Which tables of pairs does an outcome follow, given the others?

    Multiple regression of the pairs of ``outcome`` on those of every predictor. Pairs with a
    common node are no independent samples, and predictors go together; so each predictor is
    regressed on the others, the nodes of what is left of it are permuted, rows and columns
    together, and its t-value is compared with those after permutation (double
    semi-partialling). Of up to seven nodes every order is tried. Two-sided.
    *Eats* (node, node) tables → *leaves* nothing.

    Parameters
    ----------
    outcome
        ``(node, node)``; the diagonal is not looked at. Where all tables are symmetric, each pair
        counts once; where one is not, pairs are directed and count both ways.
    predictors
        name → ``(node, node)``: the distance of interest and its covariates, in one dict.
    permutations
        Seeded random orders where there are too many to try all.

    Returns
    -------
    One row a predictor: ``coefficient``, standardised; ``t``; ``partial``, the correlation with
    the outcome when both are freed of the other predictors; ``p``, the share of orders with ``|t|``
    at least as large; ``detectable``, the smallest ``|partial|`` that reaches p ≤ .05, NaN where
    none could; ``nodes``, the true number of samples. ``attrs`` holds ``r2`` and ``directed``.
    NaN for a predictor that is constant or that the others determine, for an outcome that is
    constant or that the others explain wholly, and for fewer than three nodes.

    Raises
    ------
    ValueError
        When tables are not square and of one shape, when labelled ones name their nodes
        differently, or for a single pair without a finite value. Nodes without any are left out.

    References
    ----------
    Dekker, Krackhardt and Snijders 2007, Psychometrika 72; here with the smallest detectable
    partial correlation beside the p-value. The test keeps its level under dependence by nodes,
    but only nearly so where few nodes are strongly skewed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> near, far = rng.standard_normal((2, 9, 9))
    >>> found = mrqap(near + 0.1 * far, {"near": near, "far": far}, permutations=199)
    >>> found["partial"].round(3).tolist()
    [1.0, 1.0]
    """
    _same_labels(outcome, predictors)
    tables = _tables(outcome, predictors)
    orders = node_orders(tables.nodes, permutations, np.random.default_rng([seed, STREAM]))
    rows = [_one(tables, at, orders) for at in range(len(predictors))]
    found = pd.DataFrame(rows, columns=COLUMNS, index=pd.Index(predictors, name="predictor"))
    found.attrs |= {"r2": _explained(tables), "directed": tables.directed}
    return found


def _one(tables: Tables, at: int, orders: NDArray[np.intp]) -> tuple[float, ...]:
    """A row of the result: the predictor at that place, beside all others."""
    others = _basis(np.delete(tables.predictors, at, 1))
    own = _freed(tables.predictors[:, at], others)
    outcome = _freed(tables.outcome, others)
    freedom = len(own) - others.shape[1] - 1
    nothing = NOTHING * len(own)
    if tables.nodes < 3 or freedom < 1 or min(own @ own, outcome @ outcome) <= nothing:
        return (*[np.nan] * 5, tables.nodes)
    drawn = _permuted(tables, own, others, outcome, orders)
    r = float(np.clip(drawn[0], -1, 1))
    with np.errstate(divide="ignore"):
        t = r * np.sqrt(freedom / np.float64(1 - r**2))
    size = np.sort(np.abs(drawn))
    tail, least = null_tail(size, abs(drawn[0])), smallest_rare(size)
    return float(own @ outcome / (own @ own)), float(t), r, tail, least, tables.nodes


def _permuted(
    tables: Tables,
    own: NDArray[np.float64],
    others: NDArray[np.float64],
    outcome: NDArray[np.float64],
    orders: NDArray[np.intp],
) -> NDArray[np.float64]:
    """``(order,)`` partial correlations; ``|t|`` grows with their size, so that they rank alike."""
    rows, columns = tables.cells
    table = np.zeros((tables.nodes, tables.nodes))
    table[tables.cells] = own
    if not tables.directed:
        table.T[tables.cells] = own
    step = max(1, BLOCK // len(own))
    found = []
    for first in range(0, len(orders), step):
        order = orders[first : first + step]
        moved = table[order[:, rows], order[:, columns]]
        moved -= (moved @ others) @ others.T
        length = np.sqrt(np.einsum("oc,oc->o", moved, moved) * (outcome @ outcome))
        product = moved @ outcome
        found.append(np.divide(product, length, out=np.zeros_like(product), where=length > 0))
    return np.concatenate(found)


def _tables(outcome: ArrayLike, predictors: Mapping[str, ArrayLike]) -> Tables:
    named = {"outcome": _square(outcome, "outcome")}
    named |= {f"predictor {name}": _square(given, name) for name, given in predictors.items()}
    shapes = {table.shape for table in named.values()}
    if len(named) < 2 or len(shapes) > 1:
        raise ValueError(
            f"got tables of shapes {', '.join(str(table.shape) for table in named.values())}; "
            "expected an outcome and one predictor or more, all (node, node)"
        )
    stack = np.array(list(named.values()))
    known = np.isfinite(stack) & ~np.eye(stack.shape[1], dtype=bool)
    kept = (known.any(1) & known.any(2)).all(0)
    stack = stack[:, kept][:, :, kept]
    n = int(kept.sum())
    directed = not np.allclose(stack, stack.swapaxes(1, 2), equal_nan=True)
    cells = pair_cells(n, directed=directed)
    values = stack[:, *cells]
    for name, row in zip(named, values, strict=True):
        if not np.isfinite(row).all():
            bad = int(np.flatnonzero(~np.isfinite(row))[0])
            at = np.flatnonzero(kept)[[cells[0][bad], cells[1][bad]]].tolist()
            raise ValueError(f"got {name} without a finite value at {at}; expected every pair")
    scaled = np.array([_standard(row) for row in values])
    return Tables(cells, n, scaled[0], scaled[1:].T, directed)


def _square(given: ArrayLike, name: str) -> NDArray[np.float64]:
    table = np.array(given, dtype=float)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"got {name} of shape {table.shape}; expected (node, node)")
    np.fill_diagonal(table, 0)
    return table


def _same_labels(outcome: ArrayLike, predictors: Mapping[str, ArrayLike]) -> None:
    """Tables are matched by place: labels that disagree would pair the wrong nodes."""
    labelled = [each for each in (outcome, *predictors.values()) if isinstance(each, pd.DataFrame)]
    for each in labelled:
        if list(each.index) != list(each.columns) or list(each.index) != list(labelled[0].index):
            raise ValueError(
                f"got tables labelled {list(labelled[0].index)} and {list(each.columns)}; "
                "expected the same nodes in the same order, in rows and columns"
            )


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean() if len(values) else values
    spread = centred.std() if len(values) else 0.0
    if spread <= NOTHING * np.abs(values).max(initial=0):
        return np.zeros_like(values)
    return centred / spread


def _basis(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis of the constant and the columns, whatever their rank."""
    left, size, _ = np.linalg.svd(
        np.column_stack([np.ones(len(columns)), columns]), full_matrices=False
    )
    return left[:, size > NOTHING * size.max(initial=0)]


def _freed(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    return values - others @ (others.T @ values)


def _explained(tables: Tables) -> float:
    """Share of the outcome's variance that all predictors explain together."""
    if not tables.outcome.any():
        return float("nan")
    left = _freed(tables.outcome, _basis(tables.predictors))
    return float(1 - left @ left / (tables.outcome @ tables.outcome))
