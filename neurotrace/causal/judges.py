"""Judges of generated texts: their language, their topic, and whether they are texts at all.

A judge sees the text and nothing else: not the condition under which it was written, and never the
probe that chose the neurons.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, Self

import numpy as np
import regex
from numpy.typing import ArrayLike, NDArray

from neurotrace.concepts import Lexicon, identifier
from neurotrace.concepts.lexicon import WITHOUT_SPACES, canonical, fold, script

LEAST_DISTINCT = 0.5  # distinct-2 below which a text is degenerate
MOST_DEGENERATE = 0.2  # share of degenerate texts above which languages are not reported
WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}\u200c\u200d'’-]*")
LETTER = regex.compile(r"\p{L}")

Identifier = Callable[[Sequence[str]], list[str]]
"""Texts → the language code of each, empty where the text decides nothing."""

Counts = NDArray[np.int64]


class TopicJudge(Protocol):
    """Counts the words of concepts in texts, blind to how the texts came about."""

    @property
    def concepts(self) -> Sequence[str]:
        """Names along the axis ``concept``."""

    @property
    def languages(self) -> Sequence[str]:
        """Codes along the axis ``lang``."""

    def counts(self, texts: Sequence[str], langs: Sequence[str]) -> tuple[Counts, Counts]:
        """Words of each concept ``(text, concept, lang)`` and content words ``(text, lang)``."""


@dataclass(frozen=True)
class WordLists:
    """Topic from lists of words: exact where every word belongs to one concept and language.

    Content words are those of the lists, so the shares of the concepts sum to one. Each word says
    its own language; the language of the whole text does not matter.

    Parameters
    ----------
    concepts, languages
        Names of the axes.
    words
        ``{(concept, lang): words}``, compared without case, parted by what is no letter or digit.

    Raises
    ------
    ValueError
        For a word in the lists of two concepts of one language, an unknown concept or language.
    """

    concepts: tuple[str, ...]
    languages: tuple[str, ...]
    words: Mapping[tuple[str, str], Sequence[str]] = field(repr=False)

    def __post_init__(self) -> None:
        for concept, lang in self.words:
            if concept not in self.concepts or lang not in self.languages:
                raise ValueError(
                    f"got words of {concept!r} in {lang!r}; valid concepts are "
                    f"{', '.join(self.concepts)}; languages {', '.join(self.languages)}"
                )
        _ = self._places

    @cached_property
    def _places(self) -> dict[str, list[tuple[int, int]]]:
        """Where each word counts: more than one place where languages spell alike."""
        places: dict[str, list[tuple[int, int]]] = {}
        for (concept, lang), words in self.words.items():
            at = self.concepts.index(concept), self.languages.index(lang)
            for word in dict.fromkeys(fold(word) for word in words):
                taken = [own for own in places.get(word, []) if own[1] == at[1]]
                if taken:
                    other = self.concepts[taken[0][0]]
                    raise ValueError(
                        f"got {word!r} in {lang} for {other} and {concept}; expected it for one"
                    )
                places.setdefault(word, []).append(at)
        return places

    def counts(self, texts: Sequence[str], langs: Sequence[str]) -> tuple[Counts, Counts]:
        """Words of each concept ``(text, concept, lang)`` and content words ``(text, lang)``.

        A word that several languages spell alike counts in the text's own language, if that is
        one of them, else in none.
        """
        found = _zeros(texts, self.concepts, self.languages)
        for row, (text, lang) in enumerate(zip(texts, langs, strict=True)):
            for word in WORD.findall(fold(text)):
                places = self._places.get(word, [])
                own = [at for at in places if self.languages[at[1]] == lang]
                for concept, at in places if len(places) == 1 else own:
                    found[row, concept, at] += 1
        return found, found.sum(axis=1)


@dataclass(frozen=True)
class LexiconJudge:
    """Topic from a lexicon's forms, sought in the language that the text is in.

    Content words are all words of the text. In scripts without spaces between words the letters
    that lie in a form are counted, of all letters. Texts without a language count nothing, as do
    those in a language that the lexicon lacks.

    Parameters
    ----------
    lexicon
        The forms.
    concepts, languages
        Names of the axes.
    """

    lexicon: Lexicon = field(repr=False)
    concepts: tuple[str, ...]
    languages: tuple[str, ...]

    def counts(self, texts: Sequence[str], langs: Sequence[str]) -> tuple[Counts, Counts]:
        """Words of each concept ``(text, concept, lang)`` and content words ``(text, lang)``."""
        found = _zeros(texts, self.concepts, self.languages)
        content = np.zeros((len(texts), len(self.languages)), dtype=np.int64)
        for row, (text, lang) in enumerate(zip(texts, langs, strict=True)):
            if lang not in self.languages:
                continue
            at = self.languages.index(lang)
            content[row, at] = len((WORD if _spaced(lang) else LETTER).findall(text))
            for column, concept in enumerate(self.concepts):
                if self.lexicon.covers(concept, lang):
                    found[row, column, at] = self._count(concept, lang, text)
        return np.minimum(found, content[:, None, :]), content

    def _count(self, concept: str, lang: str, text: str) -> int:
        held = self.lexicon.occurs(concept, lang, text)
        if not held:
            return 0
        if not _spaced(lang):
            longest_first = sorted((fold(form).strip("*") for form in held), key=len, reverse=True)
            pattern = regex.compile("|".join(map(regex.escape, longest_first)))
            return sum(len(form) for form in pattern.findall(fold(text)))
        single = [word for word in WORD.findall(text) if self.lexicon.occurs(concept, lang, word)]
        # A form of several words is in no single word; it counts as many words as it has.
        several = [form for form in held if " " in form.strip()]
        return len(single) + sum(len(form.split()) for form in several)


@dataclass(frozen=True)
class LanguageIdentifier:
    """The language of real texts, by the offline identifier of :mod:`neurotrace.concepts`.

    Parameters
    ----------
    languages
        The set's codes (``deu_Latn``). The identifier chooses among them, with English beside
        them; what it takes for a language that is not one of them is left empty.

    Raises
    ------
    ImportError
        Naming the extra ``language``, when it is not installed.
    ValueError
        For a language that it does not know, and for two that it holds for one.
    """

    languages: tuple[str, ...]
    _own: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, languages: Sequence[str]) -> Self:
        """An identifier of the languages of a set."""
        known = {lang: identifier.identified_as(lang) for lang in languages}
        missing = [lang for lang, iso in known.items() if iso is None]
        if missing:
            raise ValueError(
                f"got {', '.join(missing)}, which the identifier does not know in that script; "
                "expected other languages, or a judge of your own"
            )
        own: dict[str, str] = {}
        for lang, iso in known.items():
            if own.setdefault(str(iso), lang) != lang:
                raise ValueError(
                    f"got {own[str(iso)]} and {lang}, which the identifier holds for one language "
                    f"({iso}); expected one of them, or a judge of your own"
                )
        return cls(tuple(languages), own)

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """The set's code of each text's language, ``(text,)``; empty where there is none."""
        found = identifier.identify(list(texts), languages=list(self._own))
        return [self._own.get(iso, "") for iso in found]


def distinct(ids: ArrayLike, *, n: int = 2) -> float:
    """Distinct-n: of the n-grams of a text, how many differ?

    Li et al. 2016, https://arxiv.org/abs/1510.03055, counted there over all outputs together, here
    within one text: loops are found, however different the texts are from each other.

    Parameters
    ----------
    ids
        ``(token,)`` token ids (or words) of one text, special tokens left out.

    Returns
    -------
    Fraction 0–1; NaN for a text of fewer than n tokens.

    >>> distinct([7, 8, 7, 8, 7]), distinct([1, 2, 3])
    (0.5, 1.0)
    """
    tokens = np.asarray(ids).tolist()
    grams = [tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams) if grams else float("nan")


def degenerate(distinctness: ArrayLike, langs: Sequence[str]) -> NDArray[np.bool_]:
    """Which outputs are no texts of any language?

    Those whose language cannot be identified, those with distinct-2 below ½ (most pairs of
    neighbouring tokens have been there before), and those too short to have a pair.

    Parameters
    ----------
    distinctness
        ``(text,)`` as :func:`distinct` gives it.
    langs
        ``(text,)`` codes, empty where a text decides nothing.

    Returns
    -------
    ``(text,)`` bool
    """
    looping = ~(np.asarray(distinctness, dtype=float) >= LEAST_DISTINCT)
    return looping | np.array([lang == "" for lang in langs], dtype=bool)


def _zeros(texts: Sequence[str], concepts: Sequence[str], languages: Sequence[str]) -> Counts:
    return np.zeros((len(texts), len(concepts), len(languages)), dtype=np.int64)


def _spaced(lang: str) -> bool:
    return script(canonical(lang)) not in WITHOUT_SPACES
