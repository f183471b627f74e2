"""Does what holds between two languages, layer by layer, follow how far apart they are?"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.mantel import mantel, pair_cells
from neurotrace.geometry.mrqap import mrqap

PARTIAL = {
    "coefficient": "coefficient",
    "partial": "partial",
    "partial_p": "p",
    "partial_detectable": "detectable",
}
COLUMNS = ["layer", "distance", "pearson", "spearman", "p", "p_holm", "detectable"]
COLUMNS += [*PARTIAL, "nodes"]

Table = NDArray[np.float64]


class _Pair(NamedTuple):
    """An outcome and a distance, both ``(node, node)``, and which of their cells count."""

    outcome: Table
    distance: Table
    directed: bool
    diagonal: bool


def pair_correlations(
    outcome: ArrayLike,
    distances: Mapping[str, ArrayLike],
    *,
    covariates: Mapping[str, ArrayLike] | None = None,
    diagonal: bool = False,
    permutations: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlations of an outcome of pairs with distances, in every layer, and what they are worth.

    *Eats* (layer, node, node) → *leaves* one row a layer and distance.

    Parameters
    ----------
    outcome
        ``(layer, node, node)``, such as Φ(S, T); one layer may come as ``(node, node)``.
    distances
        kind → ``(node, node)``, the nodes in the same order. Where every table is symmetric, each
        pair counts once; otherwise both ways.
    covariates
        name → ``(node, node)``, such as script, data share, fertility: with them each distance is
        also tested beside all covariates, by :func:`neurotrace.geometry.mrqap.mrqap`, one distance
        at a time.
    diagonal
        Count each node with itself, as the paper does where accuracies are concerned. It is kept
        out of ``partial``.
    permutations
        Random orders of the nodes; all of them are tried up to seven nodes.

    Returns
    -------
    Columns ``layer`` (from 0), ``distance``, ``pearson``, ``spearman``, ``p`` (of ``spearman``,
    nodes permuted), ``p_holm`` (over the layers of one distance), ``detectable`` (the smallest
    ``|spearman|`` that reaches p ≤ .05 in that layer, before correction), ``nodes``; with
    covariates ``coefficient`` (standardised), ``partial`` (Pearson's, given the covariates),
    ``partial_p`` and ``partial_detectable``, NaN without. A layer that is constant or lacks a
    pair is NaN.

    Raises
    ------
    ValueError
        For tables that are not square and of one shape, or without a distance.

    References
    ----------
    Philippy et al. 2023 give Pearson's and Spearman's correlation with p-values that take 210
    directed pairs for 210 samples, uncorrected over layers. Here nodes are permuted; their
    p-values are not offered. Their S = T pairs are ``diagonal``.
    """
    layers = np.asarray(outcome, dtype=float)
    layers = layers[None] if layers.ndim == 2 else layers
    if layers.ndim != 3 or layers.shape[1] != layers.shape[2]:
        raise ValueError(f"got an outcome of shape {layers.shape}; expected (layer, node, node)")
    if not distances:
        raise ValueError("got no distances; expected one or more tables by name")
    named = {kind: _table(given, kind, layers) for kind, given in distances.items()}
    beside = {name: _table(given, name, layers) for name, given in (covariates or {}).items()}
    directed = not all(_symmetric(table) for table in (*layers, *named.values()))
    rows = [
        {"layer": layer, "distance": kind}
        | _one(_Pair(own, table, directed, diagonal), beside, permutations=permutations, seed=seed)
        for kind, table in named.items()
        for layer, own in enumerate(layers)
    ]
    result = pd.DataFrame(rows)
    result["p_holm"] = result.groupby("distance", sort=False)["p"].transform(_holm)
    return result[COLUMNS]


def _one(
    pair: _Pair, covariates: Mapping[str, Table], *, permutations: int, seed: int
) -> dict[str, float]:
    """One outcome and one distance."""
    drawn = {"permutations": permutations, "seed": seed}
    found = mantel(
        pair.outcome, pair.distance, directed=pair.directed, diagonal=pair.diagonal, **drawn
    )
    row = {"pearson": _pearson(pair) if np.isfinite(found.r) else np.nan}
    row |= {"spearman": found.r, "p": found.p, "detectable": found.detectable}
    row |= {"nodes": found.nodes, **dict.fromkeys(PARTIAL, np.nan)}
    if covariates and np.isfinite(found.r):
        tables = {f"given {name}": table for name, table in covariates.items()}
        beside = mrqap(pair.outcome, {"distance": pair.distance, **tables}, **drawn)
        own = beside.to_dict("index")["distance"]
        row |= {key: own[given] for key, given in PARTIAL.items()}
    return row


def _pearson(pair: _Pair) -> float:
    cells = pair_cells(len(pair.outcome), directed=pair.directed, diagonal=pair.diagonal)
    x, y = pair.outcome[cells], pair.distance[cells]
    known = np.isfinite(x) & np.isfinite(y)
    return float(np.corrcoef(x[known], y[known])[0, 1])


def _table(given: ArrayLike, name: str, layers: Table) -> Table:
    table = np.asarray(given, dtype=float)
    if table.shape != layers.shape[1:]:
        raise ValueError(
            f"got {name} of shape {table.shape}; expected {layers.shape[1:]}, as the outcome"
        )
    return table


def _symmetric(table: Table) -> bool:
    return bool(np.allclose(table, table.T, equal_nan=True))


def _holm(p: pd.Series) -> pd.Series:
    """Holm 1979: the smallest p-value times their number, the next times one fewer, and so on."""
    ascending = p.dropna().sort_values(kind="stable")
    factors = np.arange(len(ascending), 0, -1)
    return (ascending * factors).cummax().clip(upper=1).reindex(p.index)
