"""Arbitrary words as concepts: how many neurons would a task get that no meaning unites?

A neuron that detects a word is easily had, even in a random model. Concepts are worth speaking of
where they have more neurons than words picked by frequency alone.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

NEAREST = 10  # words as frequent as the concept, of which one is drawn
MIN_SIDE = 2  # sentences with and without the word that either half must hold


def arbitrary_words(
    texts: list[str],
    langs: NDArray,
    labels: NDArray[np.int8],
    in_a: NDArray[np.bool_],
    *,
    seed: int = 0,
) -> NDArray[np.int8] | None:
    """Labels of a control task: for every concept in every language a word as frequent.

    Of the ten words of the language whose number of sentences is nearest to the concept's number
    of positives, one is drawn; no word serves twice while there are others. Words are what stands
    between blanks, without punctuation at their ends.

    Parameters
    ----------
    texts, langs
        ``(example,)``
    labels
        ``(example, concept)`` of the real concepts.
    in_a
        ``(example,)`` bool, half A: every word occurs in both halves, and not everywhere.

    Returns
    -------
    ``(example, concept)`` 1 or 0, or None where a language has no such words, as where it writes
    without blanks.

    Notes
    -----
    The control task of Hewitt & Liang (2019, doi:10.18653/v1/D19-1275) gives word types random
    labels; here one type is one label, since a concept's positives share a word, too.
    """
    rng = np.random.default_rng([seed, 5])
    control = np.zeros_like(labels)
    for lang in np.unique(langs):
        rows = np.flatnonzero(langs == lang)
        occurs = _occurrences([texts[row] for row in rows], in_a[rows])
        if not len(occurs):
            return None
        counts = occurs.sum(1)
        used = np.zeros(len(occurs), bool)
        for concept in range(labels.shape[1]):
            wanted = int((labels[rows, concept] > 0).sum())
            # Random among equals, so that the order of words plays no part.
            order = np.lexsort((rng.random(len(counts)), np.abs(counts - wanted)))
            unused = order[~used[order]]
            word = int(rng.choice((unused if len(unused) else order)[:NEAREST]))
            used[word] = True
            control[rows, concept] = occurs[word]
    return control


def _occurrences(texts: list[str], in_a: NDArray[np.bool_]) -> NDArray[np.int8]:
    """``(word, sentence)``: the words that both halves can be asked about, in sorted order."""
    where: dict[str, set[int]] = defaultdict(set)
    for number, text in enumerate(texts):
        for word in text.split():
            where[word.strip(".,;:!?¿¡«»\"'()…—").casefold()].add(number)
    kept = []
    for word in sorted(where):
        present = np.zeros(len(texts), np.int8)
        present[list(where[word])] = 1
        sides = [present[in_a], present[~in_a]]
        if word and all(MIN_SIDE <= side.sum() <= len(side) - MIN_SIDE for side in sides):
            kept.append(present)
    return np.array(kept, dtype=np.int8).reshape(-1, len(texts))
