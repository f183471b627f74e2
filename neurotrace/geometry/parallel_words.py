"""A dictionary learned from nothing but sentences and their translations."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.geometry.dictionary import Dictionary, Sentences, ordered_dictionary

SCORES = ("ibm1", "llr")
ITERATIONS = 10
LEAST = 0.05  # of both directions' mean probability: below lie leftovers of the iterations


def parallel_dictionary(
    source: Sentences,
    target: Sentences,
    *,
    top_n: int = 5,
    min_count: int = 2,
    score: str = "ibm1",
) -> Dictionary:
    """Which words translate which, learned from parallel sentences.

    Parameters
    ----------
    source, target
        ``(pair,)`` the words of each sentence and of its translation.
    top_n
        Translations kept of a word.
    min_count
        Sentence pairs in which both words must stand.
    score
        ``"ibm1"``: the geometric mean of the two translation probabilities of IBM model 1, learned
        in either direction with an empty word in ten iterations. Words compete for their
        translations, so that a topic's other words do not pass for them. ``"llr"``: the
        log-likelihood ratio of the two words' standing together, for pairs that do so more often
        than by chance; quicker, without competition.

    Returns
    -------
    ``probability`` of the target word given the source word (of ``"llr"``: the share of the source
    word's sentences in which the target word stands) and ``count``, the sentence pairs with both.
    Words without such a pair are left out. Strings that both languages write alike are kept.

    Raises
    ------
    ValueError
        For unequal numbers of sentences, none at all, or another score.

    References
    ----------
    Brown et al. 1993, "The mathematics of statistical machine translation" (IBM model 1); Dunning
    1993, "Accurate methods for the statistics of surprise and coincidence". Mousi et al. 2024 take
    FastAlign, which adds positions: see :func:`neurotrace.geometry.dictionary.read_alignments`.

    Examples
    --------
    >>> en = [["dog", "runs"], ["cat", "runs"], ["dog", "sleeps"], ["cat", "sleeps"]]
    >>> de = [["Hund", "rennt"], ["Katze", "rennt"], ["Hund", "schläft"], ["Katze", "schläft"]]
    >>> parallel_dictionary(en, de, top_n=1)["dog"]
    ('Hund',)
    """
    if len(source) != len(target) or not len(source):
        raise ValueError(
            f"got {len(source)} sentences and {len(target)} translations; expected equal numbers, "
            "at least one"
        )
    if score not in SCORES:
        raise ValueError(f"got score {score!r}; valid are {', '.join(SCORES)}")
    if min(top_n, min_count) < 1:
        raise ValueError(f"got top_n={top_n}, min_count={min_count}; expected at least 1 each")
    left, right = _read(source), _read(target)
    met = _meetings(left, right)
    forward, value = (_by_model if score == "ibm1" else _by_ratio)(met, left, right)
    floor = LEAST if score == "ibm1" else 0.0
    kept = np.flatnonzero((met.seen >= min_count) & (value > floor))
    order = kept[np.lexsort((met.right[kept], -met.seen[kept], -value[kept], met.left[kept]))]
    rank = pd.Series(met.left[order]).groupby(met.left[order]).cumcount().to_numpy()
    best = order[rank < top_n]
    words = left.types[met.left[best]], right.types[met.right[best]]
    return ordered_dictionary(*words, forward[best], met.seen[best], value[best])


class _Side(NamedTuple):
    """One language's sentences as a table of (sentence, type), each type once a sentence."""

    types: NDArray
    sentence: NDArray[np.intp]
    word: NDArray[np.intp]


class _Meetings(NamedTuple):
    """Every pair of types that stand in one sentence pair, and where they do."""

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    seen: NDArray[np.intp]  # sentence pairs that hold both
    pair: NDArray[np.intp]  # (meeting,) the row of the arrays above
    sentence: NDArray[np.intp]  # (meeting,)


def _read(sentences: Sentences) -> _Side:
    sizes = [len(words) for words in sentences]
    flat = np.array([word for words in sentences for word in words], dtype=object)
    codes, types = pd.factorize(flat, sort=True)
    rows = np.unique(np.column_stack((np.repeat(np.arange(len(sizes)), sizes), codes)), axis=0)
    return _Side(np.asarray(types, dtype=object), rows[:, 0].astype(np.intp), rows[:, 1])


def _meetings(left: _Side, right: _Side) -> _Meetings:
    a = pd.DataFrame({"sentence": left.sentence, "left": left.word})
    b = pd.DataFrame({"sentence": right.sentence, "right": right.word})
    both = a.merge(b, on="sentence")
    key = both["left"].to_numpy() * max(1, len(right.types)) + both["right"].to_numpy()
    pairs, pair, count = np.unique(key, return_inverse=True, return_counts=True)
    at = np.divmod(pairs, max(1, len(right.types)))
    return _Meetings(*at, count, pair.ravel(), both["sentence"].to_numpy())


def _by_model(met: _Meetings, left: _Side, right: _Side) -> tuple[NDArray, NDArray]:
    """Probabilities of the right word given the left, and the mean of both directions."""
    forward = _translation(met, met.left, met.right, len(right.types))
    backward = _translation(met, met.right, met.left, len(left.types))
    return forward, np.sqrt(forward * backward)


def _translation(
    met: _Meetings, giver: NDArray, taker: NDArray, n_taker: int
) -> NDArray[np.float64]:
    """``p(taker | giver)`` of every pair, by expectation and maximisation; any word may come from
    the empty one."""
    slot = met.sentence * n_taker + taker[met.pair]
    occurrences, slot = np.unique(slot, return_inverse=True)
    empty = np.full(n_taker, 1 / max(1, n_taker))
    p = np.full(len(met.seen), 1 / max(1, n_taker))
    of = occurrences % max(1, n_taker)
    for _ in range(ITERATIONS):
        weight = p[met.pair]
        total = np.bincount(slot, weight, len(occurrences)) + empty[of]
        expected = np.bincount(met.pair, weight / total[slot], len(p))
        p = expected / np.bincount(giver, expected)[giver]
        unexplained = np.bincount(of, empty[of] / total, n_taker)
        empty = unexplained / unexplained.sum()
    return p


def _by_ratio(met: _Meetings, left: _Side, right: _Side) -> tuple[NDArray, NDArray]:
    """Share of the left word's sentences with the right one; twice the log-likelihood ratio."""
    n = len(np.union1d(left.sentence, right.sentence))
    a = np.bincount(left.word)[met.left].astype(float)
    b = np.bincount(right.word)[met.right].astype(float)
    both = met.seen.astype(float)
    cells = (
        (both, a, b),
        (a - both, a, n - b),
        (b - both, n - a, b),
        (n - a - b + both, n - a, n - b),
    )
    ratio = 2 * sum(_part(seen, row * column / n) for seen, row, column in cells)
    return both / a, np.where(both > a * b / n, ratio, 0.0)


def _part(seen: NDArray, expected: NDArray) -> NDArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(seen > 0, seen * np.log(seen / expected), 0.0)
