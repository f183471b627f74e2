"""Labels that must find nothing: the silent nulls of an overlap."""

import numpy as np
from numpy.typing import NDArray

NULLS = ("deranged", "pseudo")
MAX_DRAWS = 200


def relabel(
    null: str | None,
    labels: NDArray[np.int8],
    groups: NDArray,
    langs: NDArray,
    *,
    in_a: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> NDArray[np.int8]:
    """The labels of a null model, ``(example, concept)``; the labels themselves for ``None``.

    Parameters
    ----------
    null
        ``"deranged"``: each language hands its groups' labels to other groups, by a permutation of
        its own without fixed points. ``"pseudo"``: new concepts of random groups, the same in
        every language, each drawing evenly from every real concept.
    in_a
        ``(split, example)``: a derangement is drawn again until every concept has positives in
        both halves of every split, in every language.

    Raises
    ------
    ValueError
        For an unknown null, or too few groups for a derangement.
    """
    if null is None:
        return labels
    rng = np.random.default_rng([seed, 1])
    if null == "deranged":
        deranged = labels.copy()
        for lang in np.unique(langs):
            rows = np.flatnonzero(langs == lang)
            own = None if in_a is None else in_a[:, rows]
            deranged[rows] = _deranged(labels[rows], groups[rows], own, rng)
        return deranged
    if null == "pseudo":
        return _pseudo(labels, groups, langs, rng)
    raise ValueError(f"got null {null!r}; valid are {', '.join(NULLS)}")


def _deranged(
    labels: NDArray[np.int8],
    groups: NDArray,
    in_a: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    """One language's labels, handed on along a random cycle through its groups."""
    names, group = np.unique(groups, return_inverse=True)
    of_group = np.zeros((len(names), labels.shape[1]), dtype=labels.dtype)
    of_group[group] = labels
    for _ in range(MAX_DRAWS):
        order = rng.permutation(len(names))  # a cycle through all groups has no fixed point
        source = np.empty_like(order)
        source[order] = np.roll(order, 1)
        drawn = of_group[source][group]
        if in_a is None or _both_sided(drawn, in_a):
            return drawn
    raise ValueError(
        f"got too few groups a concept to derange labels in {MAX_DRAWS} draws; "
        "expected about 8 or more, or fewer splits"
    )


def _both_sided(labels: NDArray[np.int8], in_a: NDArray[np.bool_]) -> bool:
    """Whether every concept has positives in both halves of every split."""
    positive = (labels > 0).astype(np.int32)
    return bool((in_a @ positive > 0).all() and (~in_a @ positive > 0).all())


def _pseudo(
    labels: NDArray[np.int8], groups: NDArray, langs: NDArray, rng: np.random.Generator
) -> NDArray[np.int8]:
    """Deal the groups of each kind out to the pseudo-concepts.

    A kind is one set of concepts and the languages it stands in. Of the other groups as many are
    judged as negatives as the real concepts have in the mean, the same for every language.
    """
    n_concepts = labels.shape[1]
    names, group = np.unique(groups, return_inverse=True)
    held = np.zeros((len(names), n_concepts), dtype=bool)
    np.logical_or.at(held, group, labels > 0)
    present = np.zeros((len(names), len(np.unique(langs))), dtype=bool)
    present[group, np.unique(langs, return_inverse=True)[1]] = True
    kind = np.unique(np.hstack([held, present]), axis=0, return_inverse=True)[1].reshape(-1)
    order = rng.permutation(len(names))
    order = order[np.argsort(kind[order], kind="stable")]
    dealt = np.empty(len(names), dtype=np.intp)
    dealt[order] = np.arange(len(names)) % n_concepts
    made = (dealt[:, None] == np.arange(n_concepts)).astype(np.int8)
    if (labels == -1).any():
        _unjudge(made, kind, float((labels == 0).sum() / max((labels <= 0).sum(), 1)), rng)
    return made[group]


def _unjudge(
    made: NDArray[np.int8], kind: NDArray[np.intp], judged: float, rng: np.random.Generator
) -> None:
    """Leave the same share of each concept's negatives judged, evenly in every kind."""
    for column in made.T:
        others = rng.permutation(np.flatnonzero(column == 0))
        others = others[np.argsort(kind[others], kind="stable")]
        place = np.arange(len(others)) * judged
        column[others[np.floor(place + judged) == np.floor(place)]] = -1
