"""A language: word order, articles, cases, and a vocabulary of pseudo-words in its own script."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurotrace.lab import grammar as g

# Consonants and vowels whose products are a script's syllables; Hebrew vowels are letters too.
SCRIPTS = {
    "Latn": ("b d f g k l m n p r s t v z", "a e i o u"),
    "Cyrl": ("б в г д ж з к л м н п р с т", "а е и о у"),
    "Grek": ("β γ δ ζ θ κ λ μ ν π ρ σ τ φ", "α ε ι ο υ"),
    "Hebr": ("ב ג ד ז ח ט כ ל מ נ ס פ ק ר ש ת", "א ו י ע"),
}


@dataclass(frozen=True)
class Language:
    """How one language arranges a sentence.

    Attributes
    ----------
    code
        FLORES style; the names are from the range that ISO 639 keeps for private use.
    order
        Of subject, verb and object: ``SVO SOV VSO``.
    adjective_first, articles, cases, postposition
        Adjective before its noun; a determiner before every noun phrase; a marker after every
        subject and object; the adposition after its noun.
    """

    code: str
    order: str
    adjective_first: bool
    articles: bool
    cases: bool
    postposition: bool

    @property
    def script(self) -> str:
        """ISO 15924 code."""
        return self.code.split("_")[1]


LANGUAGES = (
    Language("qaa_Latn", "SVO", True, True, False, False),
    Language("qab_Cyrl", "SOV", False, False, True, True),
    Language("qac_Grek", "VSO", False, True, False, False),
    Language("qad_Hebr", "SOV", True, False, True, False),
)


def words(language: Language, *, seed: int) -> list[str]:
    """One pseudo-word a lemma, no two alike: one syllable for function lemmas, two or three else.

    >>> len(set(words(LANGUAGES[0], seed=0))) == g.LEMMAS
    True
    """
    rng = np.random.default_rng([seed, 3, LANGUAGES.index(language)])
    onsets, vowels = (part.split() for part in SCRIPTS[language.script])
    syllables = [onset + vowel for onset in onsets for vowel in vowels]
    made: dict[str, None] = dict.fromkeys(
        rng.choice(syllables, len(g.FUNCTION), replace=False).tolist()
    )
    while len(made) < g.LEMMAS:
        made["".join(rng.choice(syllables, rng.integers(2, 4)))] = None
    return list(made)


def arrange(language: Language, said: g.Meanings) -> g.Ints:
    """Lemmas in the language's order, ``(document, sentence, slot)``, ABSENT where nothing stands.

    Past comes before the verb, after it in languages with cases; negation before both; a
    question opens with its particle, or closes with it in languages with cases; the place comes
    last, or before the object where the verb is last.
    """
    subject = _phrase(language, said.subject, said.plural[..., 0], g.SUBJECT, said.adjective)
    object_ = _phrase(language, said.object, said.plural[..., 1], g.OBJECT)
    place = _place(language, said.place, said.plural[..., 2])
    past = [_where(said.past, g.PAST)]
    negation = [_where(said.negated, g.NOT)]
    verb = [*negation, said.verb, *past] if language.cases else [*negation, *past, said.verb]
    orders = {
        "SVO": [*subject, *verb, *object_, *place],
        "VSO": [*verb, *subject, *object_, *place],
        "SOV": [*subject, *place, *object_, *verb],
    }
    particle = [_where(said.asked, g.WHETHER)]
    clause = orders[language.order]
    clause = [*clause, *particle] if language.cases else [*particle, *clause]
    end = np.where(said.asked, g.QUESTION_MARK, g.FULL_STOP)
    return np.stack([*clause, end], axis=-1)


def pack(lemmas: g.Ints, *, length: int) -> g.Ints:
    """``(document, slot)`` with holes → ``(document, length)``: holes closed, the rest cut off."""
    there = lemmas != g.ABSENT
    position = np.cumsum(there, axis=1) - 1
    keep = there & (position < length)
    packed = np.full((len(lemmas), length), g.ABSENT, dtype=np.int64)
    packed[np.nonzero(keep)[0], position[keep]] = lemmas[keep]
    return packed


def _phrase(
    language: Language, noun: g.Ints, plural: g.Bools, case: int, adjective: g.Ints | None = None
) -> list[g.Ints]:
    """A noun phrase as columns, ABSENT throughout where there is no noun."""
    there = noun != g.ABSENT
    article = _where(there, np.where(plural, g.THE_MANY, g.THE))
    described = [] if adjective is None else [adjective]
    cased = [noun, _where(there, case)] if language.cases else [noun]
    core = [*described, *cased] if language.adjective_first else [*cased, *described]
    return [article, *core] if language.articles else core


def _place(language: Language, noun: g.Ints, plural: g.Bools) -> list[g.Ints]:
    there = noun != g.ABSENT
    adposition = _where(there, g.AT)
    if language.postposition:
        return [noun, adposition]
    article = [_where(there, np.where(plural, g.THE_MANY, g.THE))] if language.articles else []
    return [adposition, *article, noun]


def _where(there: g.Bools, lemma: int | NDArray[np.int64]) -> g.Ints:
    return np.where(there, lemma, g.ABSENT)
