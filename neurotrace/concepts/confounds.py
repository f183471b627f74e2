"""What differs between the sentences themselves, before any model reads them.

Length, tokens a word and strings that languages share: each beside what it would be if it could
not be mistaken for meaning.
"""

from collections.abc import Sequence
from math import erfc, sqrt
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from neurotrace.concepts.concept_set import ConceptSet
from neurotrace.concepts.holm import holm
from neurotrace.concepts.lexicon import WITHOUT_SPACES, script
from neurotrace.concepts.strings import shared_strings, shares

__all__ = ["confounds", "shared_strings"]


def confounds(concepts: ConceptSet, n_tokens: ArrayLike | None = None) -> xr.Dataset:
    """Length, fertility and shared strings, by language, concept and pair of languages.

    *Eats* example → *leaves* lang, concept, lang_a, lang_b.

    Parameters
    ----------
    concepts
        The sentences.
    n_tokens
        ``(example,)`` tokens of each sentence without special tokens, as ``store.examples`` has
        them. Without it there are no ``tokens`` and no ``fertility``, and length is counted in
        the language's unit.

    Returns
    -------
    Over (lang, concept), means over the sentences that carry the concept: ``sentences`` (their
    number), ``words`` (NaN in scripts without spaces), ``characters`` (code points without white
    space), ``tokens``, ``fertility``; over (lang), means over all its sentences: the same with
    ``language_`` before the name. ``fertility = Σ tokens / Σ units``, and the coordinate ``unit``
    (lang) says whether a unit is a ``word`` or a ``character``; ``fertility_ratio`` (lang,
    concept) is that of a concept over that of its language (1: no confound).

    ``length_ratio`` (lang, concept) is the mean length of the concept's sentences over that of
    the concept's negatives (1: no confound), ``length_auroc`` the probability that the former is
    longer (``length_auroc_chance``: ½) with ``length_auroc_sd = √((n₁ + n₀ + 1) / (12 n₁ n₀))``
    without any difference, and ``length_p`` its two-sided normal p-value after Holm over
    languages and concepts. The attribute ``length`` names what was counted.

    ``shared`` (lang_a, lang_b) is the share of groups whose two sentences have a string in common,
    ``shared_by_concept`` the same by concept, ``recurring`` that of sentences of different groups
    with a common concept, ``shared_chance`` that of groups without one; ``shared_examples`` names
    the most frequent strings. See :func:`neurotrace.concepts.strings.shares`.

    Raises
    ------
    ValueError
        When ``n_tokens`` is not one count a sentence.

    Notes
    -----
    The sd is that without ties; among few distinct lengths the true one is smaller, so that the
    p-values err on the side of silence.
    """
    texts, labels = concepts.frame["text"].tolist(), concepts.labels()
    langs = concepts.frame["lang"].to_numpy()
    unspaced = np.array([script(lang) in WITHOUT_SPACES for lang in concepts.languages])
    spaced = ~np.isin(langs, np.array(concepts.languages)[unspaced])
    counted = {
        "words": np.where(spaced, [_n_words(text) for text in texts], np.nan),
        "characters": np.array([sum(map(len, text.split())) for text in texts], dtype=float),
    }
    units = np.where(spaced, counted["words"], counted["characters"])
    if n_tokens is not None:
        counted["tokens"] = _counts(n_tokens, len(texts))
    rows = [np.flatnonzero(langs == lang) for lang in concepts.languages]
    found = _means(counted, units, rows, labels == 1)
    found |= _lengths(counted.get("tokens", units), rows, labels)
    coords = {
        "lang": concepts.languages,
        "unit": ("lang", np.where(unspaced, "character", "word")),
        "concept": concepts.concepts,
        "lang_a": concepts.languages,
        "lang_b": concepts.languages,
    }
    told = "tokens" if n_tokens is not None else "words, or characters where no space parts words"
    return xr.Dataset(found | _pairs(concepts), coords, {"length": told})


def _n_words(text: str) -> int:
    """Pieces between white space that hold a letter or a digit."""
    return sum(any(map(str.isalnum, piece)) for piece in text.split())


def _counts(n_tokens: ArrayLike, n: int) -> NDArray[np.float64]:
    counts = np.asarray(n_tokens, dtype=float)
    if counts.shape != (n,) or not (counts >= 0).all():
        raise ValueError(
            f"got n_tokens of shape {counts.shape}; expected ({n},), one count for each sentence"
        )
    return counts


def _means(
    counted: dict[str, NDArray[np.float64]],
    units: NDArray[np.float64],
    rows: Sequence[NDArray[np.intp]],
    positive: NDArray[np.bool_],
) -> dict[str, Any]:
    """Means over a concept's sentences, and over all of a language."""

    def both(name: str, values: NDArray[np.float64], per: NDArray[np.float64]) -> dict[str, tuple]:
        """Σ values / Σ per: over sentences that carry a concept, and over all."""
        over, under = (
            np.array([np.append(x[own] @ positive[own], x[own].sum()) for own in rows])
            for x in (values, per)
        )
        mean = np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
        return {
            name: (("lang", "concept"), mean[:, :-1]),
            f"language_{name}": ("lang", mean[:, -1]),
        }

    ones = np.ones(len(units))
    found: dict[str, Any] = {
        "sentences": (("lang", "concept"), np.array([positive[own].sum(0) for own in rows])),
        "language_sentences": ("lang", np.array([len(own) for own in rows])),
    }
    for name, values in counted.items():
        found |= both(name, values, ones)
    if "tokens" not in counted:
        return found
    found |= both("fertility", counted["tokens"], units)
    ratio = found["fertility"][1] / found["language_fertility"][1][:, None]
    return found | {"fertility_ratio": (("lang", "concept"), ratio), "fertility_ratio_chance": 1.0}


def _lengths(
    length: NDArray[np.float64], rows: Sequence[NDArray[np.intp]], labels: NDArray[np.int8]
) -> dict[str, Any]:
    """Does length alone tell a concept's sentences from its negatives?"""
    shape = (len(rows), labels.shape[1])
    ratio, auroc, sd = (np.full(shape, np.nan) for _ in range(3))
    for at, own in enumerate(rows):
        for concept in range(labels.shape[1]):
            inside = length[own[labels[own, concept] == 1]]
            outside = np.sort(length[own[labels[own, concept] == 0]])
            if outside[-1] > 0:  # sentences of signs alone have no word
                ratio[at, concept] = inside.mean() / outside.mean()
            auroc[at, concept] = _longer(inside, outside)
            n_1, n_0 = len(inside), len(outside)
            sd[at, concept] = sqrt((n_1 + n_0 + 1) / (12 * n_1 * n_0))
    p = np.vectorize(lambda z: erfc(abs(z) / sqrt(2)))((auroc - 0.5) / sd)
    dims = ("lang", "concept")
    return {
        "length_ratio": (dims, ratio),
        "length_ratio_chance": 1.0,
        "length_auroc": (dims, auroc),
        "length_auroc_chance": 0.5,
        "length_auroc_sd": (dims, sd),
        "length_p": (dims, holm(p.ravel()).reshape(shape)),
    }


def _longer(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """P(inside > outside) + P(inside = outside) / 2, with ``outside`` sorted."""
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float(below.mean() / (2 * len(outside)))


def _pairs(concepts: ConceptSet) -> dict[str, tuple]:
    found, dims = shares(concepts), ("lang_a", "lang_b")
    return {
        "shared": (dims, found.overall),
        "shared_by_concept": (("concept", *dims), found.shared),
        "recurring": (dims, found.recurring),
        "shared_chance": (dims, found.chance),
        "shared_examples": (dims, found.examples),
    }
