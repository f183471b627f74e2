"""From the states of sub-words to one vector a word, and no word type more often than others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

POOLS = ("last", "first", "mean")
ORDERS = ("corpus", "drawn")
STREAM = 64


def word_vectors(states: ArrayLike, words: ArrayLike, *, pool: str = "last") -> NDArray:
    """One vector a word: the state of its last or first sub-word, or their mean.

    *Eats* token → *leaves* one row a word.

    Parameters
    ----------
    states
        ``(token, feature)``, in the order of the text.
    words
        ``(token,)`` the number of the word that each token is part of, counted from 0; negative
        for tokens of no word, such as special ones and punctuation.
    pool
        ``"last"`` as published, ``"first"`` or ``"mean"``.

    Returns
    -------
    ``(word, feature)``, row i for word i.

    Raises
    ------
    ValueError
        For another pooling, lengths that differ, a word without any token, or no word at all.

    References
    ----------
    Mousi et al. 2024, "Exploring alignment in shared cross-lingual spaces" (last sub-word, by
    NeuroX). The last state alone has seen the whole word in a model that reads to the right.

    Examples
    --------
    >>> word_vectors([[1.0], [2.0], [3.0], [9.0]], [0, 0, 1, -1])
    array([[2.],
           [3.]])
    """
    states, number = np.asarray(states), np.asarray(words)
    _refuse_unfit(states, number, pool)
    inside = np.flatnonzero(number >= 0)
    # A stable sort keeps the order of the text within a word.
    tokens = inside[np.argsort(number[inside], kind="stable")]
    sizes = np.bincount(number[inside])
    if not len(sizes) or not sizes.all():
        lacking = ", ".join(map(str, np.flatnonzero(sizes == 0)[:5])) or "any"
        raise ValueError(f"got no token of word {lacking}; expected words counted from 0 on")
    stops = np.cumsum(sizes)
    if pool == "mean":
        sums = np.add.reduceat(states[tokens], stops - sizes, axis=0)
        return sums / sizes[:, None].astype(sums.dtype)
    return states[tokens[stops - 1 if pool == "last" else stops - sizes]]


def capped(
    words: Sequence[str] | NDArray,
    languages: Sequence[str] | NDArray | None = None,
    *,
    cap: int = 15,
    order: str = "corpus",
    seed: int = 0,
) -> NDArray[np.intp]:
    """Rows that remain when no word type stands more than so many times.

    Frequent words would otherwise fill the clusters.

    Parameters
    ----------
    words
        ``(word,)`` the type of each occurrence.
    languages
        ``(word,)`` where given, a string in two languages is two types.
    cap
        Occurrences kept of a type.
    order
        ``"corpus"`` keeps the first ones as they stand, as published; ``"drawn"`` keeps random
        ones, so that early sentences have no privilege.
    seed
        Of the draw.

    Returns
    -------
    Row numbers, ascending.

    Raises
    ------
    ValueError
        For a cap below one, another order, or lengths that differ.

    References
    ----------
    Mousi et al. 2024: at most the first 15 occurrences in corpus order.

    Examples
    --------
    >>> capped(["the", "dog", "the", "the"], cap=2).tolist()
    [0, 1, 2]
    """
    import pandas as pd

    if cap < 1:
        raise ValueError(f"got cap={cap}; expected at least 1 occurrence of a type")
    if order not in ORDERS:
        raise ValueError(f"got order {order!r}; valid are {', '.join(ORDERS)}")
    table = pd.DataFrame({"word": np.asarray(words)})
    if languages is not None:
        if len(languages) != len(table):
            raise ValueError(f"got {len(table)} words and {len(languages)} languages")
        table["lang"] = np.asarray(languages)
    if order == "drawn":
        table = table.iloc[np.random.default_rng([seed, STREAM]).permutation(len(table))]
    earlier = table.groupby(list(table.columns), sort=False, dropna=False).cumcount()
    return np.sort(table.index.to_numpy()[earlier.to_numpy() < cap])


def _refuse_unfit(states: NDArray, number: NDArray, pool: str) -> None:
    if pool not in POOLS:
        raise ValueError(f"got pool {pool!r}; valid are {', '.join(POOLS)}")
    if states.ndim != 2 or number.shape != states.shape[:1]:
        raise ValueError(
            f"got states of shape {states.shape} and words of shape {number.shape}; expected "
            "(token, feature) and (token,)"
        )
    if number.dtype.kind not in "iu":
        raise ValueError(f"got words of dtype {number.dtype}; expected whole numbers")
