"""Divisions of sentences by group: translations of one sentence never straddle a split.

Knows nothing of models or concepts' names; only of group ids and label columns.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_GROUPS = 2
MAX_DRAWS = 100


def halves(
    groups: ArrayLike,
    labels: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    n_splits: int = 20,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Seeded divisions of the groups into two halves, even within every concept.

    A group (the id that translations share) lies wholly in one half. Groups with the same labels
    are shuffled and dealt out in pairs; what is left over goes, in random order, to the half that
    has fewer of its concepts, so that many-concept sentences are balanced, too.

    Parameters
    ----------
    groups
        ``(example,)`` group ids.
    labels
        ``(example, concept)`` bool, or 1 positive, 0 negative, −1 not judged. A group is positive
        where any of its sentences is.
    strata
        ``(example,)`` bool, such as whether the concept's word occurs: each concept's groups are
        dealt out evenly within either value. A group is True where all its sentences are.
    n_splits
        Number of divisions.
    seed
        The same seed gives the same divisions.

    Returns
    -------
    ``(split, example)`` bool: True is half A.

    Raises
    ------
    ValueError
        When a concept has fewer than two groups, or no division puts some of each concept (and of
        its judged negatives) into both halves.

    >>> in_a = halves(["a", "a", "b", "c", "d"], [[1], [1], [1], [0], [0]])
    >>> bool((in_a[:, 0] == in_a[:, 1]).all()), bool((in_a[:, 1] != in_a[:, 2]).all())
    (True, True)
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    states = _states(np.asarray(labels).astype(np.int8), group, len(names))
    positive, negative = states == 1, states == 0
    _refuse_single_groups(positive)
    # Where one stratum is all there is, the divisions are those without strata.
    inside = _stratum(strata, group, len(names))
    kinds = np.unique(np.hstack([states, inside]), axis=0, return_inverse=True)[1].reshape(-1)
    judged = [positive, negative] if (states == -1).any() else [positive]
    fine = [positive & (inside == value) for value in (0, 1)] if np.ptp(inside) else []
    # The constant keeps the halves equally large.
    weights = np.hstack([*judged, *fine, np.ones((len(names), 1))]).astype(np.float64)
    needed = np.hstack([part[:, part.any(0)] for part in judged])
    rng = np.random.default_rng(seed)
    in_a = np.stack([_both_sided(kinds, weights, needed, rng) for _ in range(n_splits)])
    return in_a[:, group]


def _states(labels: NDArray[np.int8], group: NDArray[np.intp], n_groups: int) -> NDArray[np.int8]:
    """``(group, concept)``: the highest label of a group's sentences."""
    states = np.full((n_groups, labels.shape[1]), -1, dtype=np.int8)
    np.maximum.at(states, group, labels)
    return states


def _stratum(strata: ArrayLike | None, group: NDArray[np.intp], n_groups: int) -> NDArray[np.int8]:
    """``(group, 1)``: 1 where the stratum holds for all of a group's sentences."""
    inside = np.ones((n_groups, 1), dtype=np.int8)
    if strata is not None:
        np.minimum.at(inside[:, 0], group, np.asarray(strata).astype(np.int8))
    return inside


def _both_sided(
    kinds: NDArray[np.intp],
    weights: NDArray[np.float64],
    needed: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """A division with some of everything needed in both halves."""
    for _ in range(MAX_DRAWS):
        in_a = _deal(kinds, weights, rng)
        if needed[in_a].any(0).all() and needed[~in_a].any(0).all():
            return in_a
    raise ValueError(
        f"got labels that {MAX_DRAWS} draws did not divide into two halves with positives and "
        "negatives of every concept in both; expected more groups a concept"
    )


def _deal(
    kinds: NDArray[np.intp], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Pairs within each kind go to both halves; leftovers to where they are wanted more."""
    order = rng.permutation(len(kinds))
    order = order[np.argsort(kinds[order], kind="stable")]
    starts = np.flatnonzero(np.diff(kinds[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    sizes = np.bincount(kinds)[kinds[order]]
    in_a = np.zeros(len(kinds), dtype=bool)
    in_a[order] = place % 2 == 0
    alone = order[(place == sizes - 1) & (sizes % 2 == 1)]
    balance = np.zeros(weights.shape[1])
    for one in rng.permutation(alone):
        lean = balance @ weights[one]
        in_a[one] = lean < 0 or (lean == 0 and rng.random() < 0.5)
        balance += weights[one] if in_a[one] else -weights[one]
    return in_a


def _refuse_single_groups(positive: NDArray[np.bool_]) -> None:
    counts = positive.sum(0)
    if (counts < MIN_GROUPS).any():
        column = int(np.argmin(counts))
        raise ValueError(
            f"got {counts[column]} group(s) for concept column {column}; "
            f"expected at least {MIN_GROUPS}, one for each half"
        )
