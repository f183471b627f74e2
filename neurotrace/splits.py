"""Divisions of sentences by group: translations of one sentence never straddle a split.

Knows nothing of models or concepts' names; only of group ids and label columns.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_GROUPS = 2


def halves(
    groups: ArrayLike, labels: ArrayLike, *, n_splits: int = 20, seed: int = 0
) -> NDArray[np.bool_]:
    """Seeded divisions of the groups into two halves, even within every concept.

    A group (the id that translations share) lies wholly in one half. Groups with the same set of
    concepts are shuffled together and dealt out alternately, so the halves of a concept differ by
    at most one group per such set.

    Parameters
    ----------
    groups
        ``(example,)`` group ids.
    labels
        ``(example, concept)`` bool or tri-state; above zero is positive. A group has the concepts
        of any of its sentences.
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
        When a concept has fewer than two groups, so that it cannot be in both halves.

    >>> in_a = halves(["a", "a", "b", "c", "d"], [[1], [1], [1], [0], [0]])
    >>> bool((in_a[:, 0] == in_a[:, 1]).all()), bool((in_a[:, 1] != in_a[:, 2]).all())
    (True, True)
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    positive = np.asarray(labels) > 0
    concepts = np.zeros((len(names), positive.shape[1]), dtype=bool)
    np.logical_or.at(concepts, group, positive)
    _refuse_single_groups(concepts)
    kinds = np.unique(concepts, axis=0, return_inverse=True)[1].reshape(-1)
    rng = np.random.default_rng(seed)
    in_a = np.stack([_deal(kinds, rng) for _ in range(n_splits)])
    return in_a[:, group]


def _deal(kinds: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Shuffle the groups within each kind and give every second one to half A."""
    in_a = np.zeros(len(kinds), dtype=bool)
    order = rng.permutation(len(kinds))
    order = order[np.argsort(kinds[order], kind="stable")]
    starts_with_a = rng.integers(2)
    in_a[order] = (np.arange(len(kinds)) + starts_with_a) % 2 == 0
    return in_a


def _refuse_single_groups(concepts: NDArray[np.bool_]) -> None:
    counts = concepts.sum(0)
    if (counts < MIN_GROUPS).any():
        column = int(np.argmin(counts))
        raise ValueError(
            f"got {counts[column]} group(s) for concept column {column}; "
            f"expected at least {MIN_GROUPS}, one for each half"
        )
