"""Strings that sentences of two languages have in common: words, or pairs of Han characters.

A neuron that answers to a string answers in every language that writes it, whatever it means. So
what two languages spell alike is counted before anything is said of what they share.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import regex
from numpy.typing import NDArray

from neurotrace.concepts.concept_set import ConceptSet

Shared = dict[int, dict[str, set[str]]]
MIN_LETTERS = 4  # shorter words coincide by accident: "den" is German, Turkish and English
MOST_GROUPS = 1000  # of which every two are compared for the chance level
EXAMPLES = 3
# Marks that fold away: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowel signs and the
# lengthening stroke. In other scripts, as Devanagari, a mark is a vowel and stays.
ACCENTS = regex.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
HAN = regex.compile(r"\p{Han}+")
WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*")


class Shares(NamedTuple):
    """How often two languages write the same string; ``lang`` axes are in set order."""

    shared: NDArray[np.float64]
    """``(concept, lang, lang)``: of the groups of a concept, those whose two sentences share one"""
    overall: NDArray[np.float64]
    """``(lang, lang)``: the same over all groups"""
    recurring: NDArray[np.float64]
    """``(lang, lang)``: the same between sentences of different groups with a concept in common"""
    chance: NDArray[np.float64]
    """``(lang, lang)``: the same between sentences of groups without a common concept"""
    examples: NDArray[np.str_]
    """``(lang, lang)``: the strings shared most often, joined by commas"""


def strings(text: str) -> frozenset[str]:
    """What of a sentence could be read alike in another language.

    Words of at least four letters (vowel signs count), case folded, without accents; of Han
    characters every two neighbours, since no space tells where a word ends. Letters are of one
    script, so equal strings are of the same script.

    >>> sorted(strings("Le thé à l'hôpital, 2 cafés!"))
    ['cafes', 'hopital']
    >>> sorted(strings("音楽が好き"))
    ['音楽']
    """
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = unicodedata.normalize("NFC", ACCENTS.sub("", folded))
    runs = HAN.findall(plain)
    words = WORD.findall(HAN.sub(" ", plain) if runs else plain)
    found = {run[at : at + 2] for run in runs for at in range(len(run) - 1)}
    return frozenset(found.union(word for word in words if len(word) >= MIN_LETTERS))


def shared_strings(concepts: ConceptSet) -> Shared:
    """Which strings does each sentence share with its own translations?

    Time grows with the number of words, not with the number of language pairs.

    Returns
    -------
    Row number → other language → the strings (see :func:`strings`) that stand in both. Rows and
    languages without any are absent, as are groups that stand in one language alone.
    """
    frame = concepts.frame
    return _shared(frame, [strings(text) for text in frame["text"]])


def shares(concepts: ConceptSet) -> Shares:
    """How often do two languages share a string: in translations, in a concept, by accident?

    Experts of two languages come from disjoint groups. A string in one pair of translations can
    therefore not make them agree; one that recurs among the sentences of a concept can. So three
    figures stand beside each other, and the last is the chance level of both others.

    Returns
    -------
    Fractions in 0–1, symmetric, NaN on the diagonal and where two languages have no group in
    common. The two over different groups are exact up to 1,000 groups; of more, 1,000 evenly
    spaced ones are compared.
    """
    frame, languages = concepts.frame, concepts.languages
    held = [strings(text) for text in frame["text"]]
    group = pd.factorize(frame["group"])[0]
    lang = pd.Index(languages).get_indexer(pd.Index(frame["lang"]))
    carries = np.zeros((group.max() + 1, len(concepts.concepts)), dtype=bool)
    np.logical_or.at(carries, group, concepts.labels() == 1)
    present = np.zeros((len(languages), len(carries)), dtype=bool)
    present[lang, group] = True

    found = _shared(frame, held)
    spots = [(row, languages.index(other)) for row, others in found.items() for other in others]
    shared, overall = _in_translations(spots, lang, group, present, carries)
    recurring, chance = _across_groups(held, lang, group, present, carries)
    return Shares(shared, overall, recurring, chance, _examples(found, lang, languages))


def _shared(frame: pd.DataFrame, held: Sequence[frozenset[str]]) -> Shared:
    langs = frame["lang"].tolist()
    shared: Shared = {}
    groups = pd.factorize(frame["group"])[0]
    order = np.argsort(groups, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        holders: dict[str, list[int]] = {}
        for row in members.tolist():
            for string in held[row]:
                holders.setdefault(string, []).append(row)
        for string, rows in holders.items():
            for row, other in combinations(rows, 2):
                shared.setdefault(row, {}).setdefault(langs[other], set()).add(string)
                shared.setdefault(other, {}).setdefault(langs[row], set()).add(string)
    return dict(sorted(shared.items()))


def _in_translations(
    spots: Sequence[tuple[int, int]],
    lang: NDArray[np.intp],
    group: NDArray[np.intp],
    present: NDArray[np.bool_],
    carries: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares among translations: ``(concept, lang, lang)`` and, over all groups, ``(lang, lang)``.

    ``spots`` are the sentences that share a string with a language, as (row, language).
    """
    n = len(present)
    # A last column that every group carries makes the overall share one more concept.
    weights = np.column_stack([carries, np.ones(len(carries))]).astype(float)
    total = np.zeros((n, n, weights.shape[1]))
    for row, other in spots:
        total[lang[row], other] += weights[group[row]]
    both = np.stack([(present[a] & present).astype(float) @ weights for a in range(n)])
    result = np.divide(total, both, out=np.full_like(total, np.nan), where=both > 0)
    result[range(n), range(n)] = np.nan
    return np.moveaxis(result[..., :-1], -1, 0), result[..., -1]


def _across_groups(
    held: Sequence[frozenset[str]],
    lang: NDArray[np.intp],
    group: NDArray[np.intp],
    present: NDArray[np.bool_],
    carries: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares among sentences of different groups, with and without a common concept."""
    n_langs, n_groups = present.shape
    kept = np.unique(np.linspace(0, n_groups - 1, min(n_groups, MOST_GROUPS)).round().astype(int))
    matrices = [m[kept] for m in _incidence(held, lang, group, present.shape)]
    alike = (carries[kept].astype(float) @ carries[kept].T.astype(float)) > 0
    apart = ~np.eye(len(kept), dtype=bool)
    both = np.full((2, n_langs, n_langs), np.nan)
    for a, b in combinations(range(n_langs), 2):
        rows, columns = (matrices[a] @ matrices[b].T).nonzero()
        for at, wanted in enumerate((alike & apart, ~alike & apart)):
            compared = wanted[present[a, kept]][:, present[b, kept]].sum()
            if compared:
                both[at, a, b] = both[at, b, a] = wanted[rows, columns].sum() / compared
    return both[0], both[1]


def _incidence(
    held: Sequence[frozenset[str]],
    lang: NDArray[np.intp],
    group: NDArray[np.intp],
    shape: tuple[int, int],
) -> list:
    """For each language a sparse ``(group, string)`` matrix of which sentence has which string."""
    from scipy.sparse import csr_array

    number: dict[str, int] = {}
    columns = [np.array([number.setdefault(s, len(number)) for s in h], dtype=int) for h in held]
    sizes = np.array([len(c) for c in columns])
    flat = np.concatenate(columns) if columns else np.array([], dtype=int)
    langs, groups = np.repeat(lang, sizes), np.repeat(group, sizes)
    made = []
    for at in range(shape[0]):
        own = langs == at
        spots = (groups[own], flat[own])
        made.append(csr_array((np.ones(own.sum()), spots), shape=(shape[1], max(len(number), 1))))
    return made


def _examples(found: Shared, lang: NDArray[np.intp], languages: Sequence[str]) -> NDArray[np.str_]:
    """Most frequent shared strings of each pair; of equally frequent ones the first by letter."""
    counts: dict[tuple[int, str], Counter[str]] = {}
    for row, others in found.items():
        for other, both in others.items():
            counts.setdefault((int(lang[row]), other), Counter()).update(both)
    texts = [["" for _ in languages] for _ in languages]
    for (a, other), counter in counts.items():
        ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        texts[a][languages.index(other)] = ", ".join(string for string, _ in ranked[:EXAMPLES])
    return np.array(texts, dtype=str)
