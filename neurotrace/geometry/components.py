"""Which points form a core that languages share, which are fragments, and along what directions?"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.ilo import (
    Codes,
    bridging_points,
    check_dials,
    check_points,
    first_columns,
    language_codes,
    without_means,
)
from neurotrace.geometry.nearest import Nearest, check_count, nearest

STREAM = 33

Bools = NDArray[np.bool_]


class InterlingualComponents(NamedTuple):
    """The shared core of a space of several languages, and the fragments around it."""

    core: Bools
    """(point,) whether it belongs to the core"""
    component: NDArray[np.intp]
    """(point,) which tied set it stands in, largest first; a lone point is a set of its own"""
    basis: NDArray[np.float64]
    """(feature, direction) orthonormal, strongest first; no columns where nothing is shared"""
    shared: NDArray[np.float64]
    """(direction,) covariance between translations along each"""
    edge: float
    """the greatest such covariance over all permutations"""
    value: float
    """share of points in the core"""
    chance: float
    """the same with groups permuted within each language, mean"""


def interlingual_components(
    points: ArrayLike,
    languages: ArrayLike,
    groups: ArrayLike,
    *,
    k: int = 5,
    t: int = 3,
    metric: str = "cosine",
    permutations: int = 20,
    center: bool = False,
    neighbours: Nearest | None = None,
    seed: int = 0,
) -> InterlingualComponents:
    """Tell the shared core of several languages from the fragments that keep to themselves.

    Two translations are *tied* where one is among the k nearest points of the other, and tied
    points hang together in components. A point belongs to the **core** when at least t other
    languages are among its neighbours and its component spans it and at least t other languages.
    All else is fragment, also what mixes with other languages by accident.

    The **basis** holds the leading eigenvectors of the covariance between translations, averaged
    over pairs of languages, their means taken off. Kept are those above the greatest eigenvalue
    under any permutation of the groups within each language. All points enter, not the core's
    alone: chosen for being near each other, those would covary by their choice.

    Eats `example` and `feature`.

    Parameters
    ----------
    points : (point, feature)
    languages, groups : (point,)
        Language of each point, and the group of translations it belongs to; a group has at most
        one point a language.
    k, t, metric, center, neighbours
        As in :func:`~neurotrace.geometry.ilo.ilo`; the basis is centred in any case.
    permutations
        For the chance level and for the basis: with 20, noise has a direction once in 21 times.

    Raises
    ------
    ValueError
        A group twice in a language, no group in two languages, no permutation, and as
        :func:`~neurotrace.geometry.ilo.ilo`.

    References
    ----------
    Wilie et al. 2025 speak of an interlingual core and fragments and give a score of mixing only;
    this division, which knows what is a translation of what, and its null are ours.
    """
    names, codes = language_codes(languages)
    check_points(points, codes)
    of_group = _group_codes(groups, codes)
    check_dials(k, t, len(names))
    centred = without_means(points, codes)
    if neighbours is None:
        neighbours = nearest(centred if center else points, k=k, metric=metric, seed=seed)
    dials = {"k": k, "t": t}
    core, component = shared_core(neighbours, codes, of_group, **dials)
    null = core_null(neighbours, codes, of_group, permutations=permutations, seed=seed, **dials)
    orders = _orders(of_group, codes, permutations, seed)
    basis, shared, edge = _basis(centred, of_group, orders)
    return InterlingualComponents(
        core, component, basis, shared, edge, float(core.mean()), float(null.mean())
    )


def shared_core(
    neighbours: Nearest, languages: ArrayLike, groups: ArrayLike, *, k: int = 5, t: int = 3
) -> tuple[Bools, NDArray[np.intp]]:
    """Core and component of each point, from a search made before."""
    names, codes = language_codes(languages)
    check_dials(k, t, len(names))
    near = first_columns(neighbours, k, len(codes))
    return _core(near, codes, np.asarray(groups), bridging_points(near, codes, t), t)


def core_null(
    neighbours: Nearest,
    languages: ArrayLike,
    groups: ArrayLike,
    *,
    k: int = 5,
    t: int = 3,
    permutations: int = 20,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(permutation,) share of points in the core when translations are permuted."""
    names, codes = language_codes(languages)
    check_dials(k, t, len(names))
    near = first_columns(neighbours, k, len(codes))
    bridging = bridging_points(near, codes, t)
    orders = _orders(np.asarray(groups), codes, permutations, seed)
    return np.array([_core(near, codes, order, bridging, t)[0].mean() for order in orders])


def _core(
    near: NDArray[np.intp], codes: Codes, groups: NDArray, bridging: Bools, t: int
) -> tuple[Bools, NDArray[np.intp]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    tied = (groups[near] == groups[:, None]) & (codes[near] != codes[:, None])
    if not tied.any():
        return np.zeros(len(codes), dtype=bool), np.arange(len(codes))
    ends = np.nonzero(tied)[0], near[tied]
    shape = (len(codes), len(codes))
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=shape)
    count, component = connected_components(graph, directed=False)
    met = np.zeros((count, codes.max() + 1), dtype=bool)
    met[component, codes] = True
    core = bridging & (met.sum(1)[component] > t)
    by_size = np.argsort(-np.bincount(component), kind="stable")
    return core, np.argsort(by_size)[component]


def _orders(groups: NDArray, codes: Codes, permutations: int, seed: int) -> list[NDArray]:
    """The groups, dealt out anew among the points of each language, so many times."""
    check_count("permutations", permutations, least=1)
    rng = np.random.default_rng([seed, STREAM])
    rows = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    orders = []
    for _ in range(permutations):
        dealt = groups.copy()
        for own in rows:
            dealt[own] = rng.permutation(groups[own])
        orders.append(dealt)
    return orders


def _group_codes(groups: ArrayLike, codes: Codes) -> Codes:
    labels = np.asarray(groups)
    if labels.shape != codes.shape:
        raise ValueError(f"got groups of shape {labels.shape} for {len(codes)} points")
    of = pd.factorize(labels)[0].astype(np.int64)
    both = of * (codes.max() + 1) + codes
    if len(np.unique(both)) < len(both):
        raise ValueError("got a group twice in a language; expected one point a language")
    if np.bincount(of).max() < 2:
        raise ValueError("got no group in two languages; expected translations")
    return of


def _basis(
    X: NDArray[np.float64], groups: Codes, orders: list[Codes]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Directions, their covariance between translations, and the greatest of the null."""
    from scipy.linalg import eigh

    sizes = np.bincount(groups)
    pairs = float((sizes * (sizes - 1)).sum())
    within = X.T @ X

    def between(of: Codes) -> NDArray[np.float64]:
        total = np.zeros((len(sizes), X.shape[1]))
        np.add.at(total, of, X)
        return (total.T @ total - within) / pairs

    top = [X.shape[1] - 1] * 2
    edge = max(float(eigh(between(of), eigvals_only=True, subset_by_index=top)[0]) for of in orders)
    strength, directions = np.linalg.eigh(between(groups))
    kept = np.flatnonzero(strength > max(edge, 0.0))[::-1]
    return directions[:, kept], strength[kept], edge
