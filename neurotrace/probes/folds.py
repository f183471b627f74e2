"""Folds that keep groups whole: translations of one sentence never stand on both sides."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 50  # of folds, before labels are called indivisible

States = NDArray[np.int8]


def check_groups(groups: ArrayLike, n_examples: int) -> NDArray[np.intp]:
    """Groups as numbers 0 … n - 1: (example,).

    Parameters
    ----------
    groups : (example,)
        Ids of any type that sorts.

    Raises
    ------
    ValueError
        Another length.
    """
    names = np.asarray(groups)
    if names.shape != (n_examples,):
        raise ValueError(
            f"got groups of shape {names.shape}, expected ({n_examples},), one for each example"
        )
    return np.unique(names, return_inverse=True)[1].astype(np.intp)


def deal_folds(
    group: NDArray[np.intp], states: States, *, folds: int | ArrayLike, seed: int
) -> NDArray[np.intp]:
    """A fold for each example, groups whole and every concept as even as groups allow.

    Groups of the same labels are shuffled and dealt out in rounds; what is left of a round goes,
    in random order, where its concepts are fewest.

    Parameters
    ----------
    group : (example,) from `check_groups`.
    states : (example, concept), 1 positive, 0 negative, -1 unknown.
    folds
        Their number, or a fold of one's own for each example.
    seed
        The same seed gives the same folds.

    Returns
    -------
    (example,) numbers from 0

    Raises
    ------
    ValueError
        Fewer than two folds, a group in two of them, fewer groups of a concept than folds, or a
        fold in which a concept lacks positives or negatives.
    """
    if np.ndim(folds):
        fold = check_groups(folds, len(group))
        _refuse_straddling(group, fold)
        _refuse_empty(fold, states)
        return fold
    n_folds = int(np.asarray(folds))
    if n_folds != folds or n_folds < 2:
        raise ValueError(f"got folds={folds!r}, expected a whole number, at least 2")
    n_groups = int(group.max()) + 1
    positive, negative = (_any(group, states == state, n_groups) for state in (1, 0))
    for name, counts in (("positive", positive.sum(0)), ("negative", negative.sum(0))):
        if counts.min() < n_folds:
            concept = int(counts.argmin())
            raise ValueError(
                f"got {counts[concept]} {name} groups of concept (column) {concept} for "
                f"{n_folds} folds, expected at least one a fold"
            )
    marks = np.hstack([positive, negative]) if (states < 0).any() else positive
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        fold = _deal(marks, n_folds, rng)[group]
        if _lacking(fold, states) is None:
            return fold
    _refuse_empty(fold, states)
    return fold


def _any(group: NDArray[np.intp], marked: NDArray[np.bool_], n_groups: int) -> NDArray[np.bool_]:
    """(group, concept): is any of the group's examples marked?"""
    found = np.zeros((n_groups, marked.shape[1]), bool)
    np.logical_or.at(found, group, marked)
    return found


def _deal(marks: NDArray[np.bool_], n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """A fold for each group."""
    kind = np.unique(marks, axis=0, return_inverse=True)[1].reshape(-1)
    order = rng.permutation(len(kind))
    order = order[np.argsort(kind[order], kind="stable")]
    starts = np.flatnonzero(np.diff(kind[order], prepend=-1))
    sizes = np.diff([*starts, len(order)])
    place = np.arange(len(order)) - np.repeat(starts, sizes)
    whole = place < np.repeat(sizes - sizes % n_folds, sizes)
    fold = np.empty(len(kind), np.intp)
    fold[order] = place % n_folds
    counts = np.stack([marks[order[whole & (place % n_folds == f)]].sum(0) for f in range(n_folds)])
    members = np.full(n_folds, whole.sum() // n_folds)
    for one in rng.permutation(order[~whole]):
        crowd = counts[:, marks[one]].sum(1)
        fold[one] = np.lexsort((members, crowd))[0]
        counts[fold[one]] += marks[one]
        members[fold[one]] += 1
    return fold


def _refuse_straddling(group: NDArray[np.intp], fold: NDArray[np.intp]) -> None:
    if fold.max() < 1:
        raise ValueError("got one fold, expected at least 2")
    pairs = np.unique(np.stack([group, fold]), axis=1)[0]
    twice = np.flatnonzero(np.diff(pairs) == 0)
    if len(twice):
        example = int(np.flatnonzero(group == pairs[twice[0]])[0])
        raise ValueError(
            f"got the group of example {example} in more than one fold, expected groups whole"
        )


def _lacking(fold: NDArray[np.intp], states: States) -> tuple[int, int, str] | None:
    """The first (fold, concept, class) without an example, held out or left to train on."""
    for f in range(int(fold.max()) + 1):
        for side in (fold == f, fold != f):
            for state, name in ((1, "positive"), (0, "negative")):
                missing = ~(states[side] == state).any(0)
                if missing.any():
                    return f, int(missing.argmax()), name
    return None


def _refuse_empty(fold: NDArray[np.intp], states: States) -> None:
    lacking = _lacking(fold, states)
    if lacking is not None:
        f, concept, name = lacking
        raise ValueError(
            f"got no {name} of concept (column) {concept} inside or outside fold {f}, expected "
            "some of both classes in either; fewer folds may do"
        )
