"""The latent grammar: what the lab's languages can say, before any of them says it.

A *lemma* is a meaning, an integer; languages give it words (:mod:`neurotrace.lab.language`).
There are 16 topics with 6 nouns, 4 verbs and 3 adjectives each, 12 verbs and 6 adjectives without
a topic, 10 function lemmas and two marks that end a sentence. A document is about one topic.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOPICS, NOUNS, VERBS, ADJECTIVES, FREE_VERBS, FREE_ADJECTIVES = 16, 6, 4, 3, 12, 6
FUNCTION = (
    "the", "the_many", "and", "at", "not", "past", "subject", "object", "it", "whether",
)  # fmt: skip
# "and" and "it" are words of every language that no sentence needs.
THE, THE_MANY, _, AT, NOT, PAST, SUBJECT, OBJECT, _, WHETHER = range(len(FUNCTION))
NOUN = len(FUNCTION)
VERB = NOUN + TOPICS * NOUNS
ADJECTIVE = VERB + TOPICS * VERBS
FREE_VERB = ADJECTIVE + TOPICS * ADJECTIVES
FREE_ADJECTIVE = FREE_VERB + FREE_VERBS
LEMMAS = FREE_ADJECTIVE + FREE_ADJECTIVES
FULL_STOP, QUESTION_MARK = LEMMAS, LEMMAS + 1
ABSENT = -1

ZIPF = {
    "topics": (TOPICS, 0.5), "nouns": (NOUNS, 1.0), "verbs": (VERBS, 0.8),
    "adjectives": (ADJECTIVES, 0.8), "free_verbs": (FREE_VERBS, 1.0),
    "free_adjectives": (FREE_ADJECTIVES, 1.0),
}  # fmt: skip
OFF_TOPIC, REPEATED, PREFERRED = 0.08, 0.4, 0.5
DESCRIBED, TOPICAL_ADJECTIVE, TOPICAL_VERB, TRANSITIVE, PLACED = 0.4, 0.5, 0.6, 0.8, 0.3
NEGATED, IN_PAST, ASKED, PLURAL = 0.1, 0.3, 0.1, 0.3
DRAWS = 34  # uniform numbers a sentence, taken whether or not its slots are filled

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grammar:
    """What is drawn once a seed and is the same in every language and preset.

    Attributes
    ----------
    anchors
        ``(topic, 2)`` noun indices 0–5: the words that languages may share. Evaluation sentences
        never hold them, whether a preset shares them or not.
    preference
        ``(verb, topic, noun)`` cumulative: which objects a verb likes, Dirichlet(0.4).
    """

    anchors: Ints
    preference: Floats

    @classmethod
    def draw(cls, seed: int) -> "Grammar":
        """Draw anchors and preferences."""
        rng = np.random.default_rng([seed, 1])
        anchors = np.argsort(rng.random((TOPICS, NOUNS)), axis=1)[:, :2]
        liking = rng.dirichlet(np.full(NOUNS, 0.4), size=(TOPICS * VERBS + FREE_VERBS, TOPICS))
        return cls(np.sort(anchors, axis=1), np.cumsum(liking, axis=-1))

    def anchor_lemmas(self) -> Ints:
        """The lemmas that may be shared, ascending."""
        return np.sort((noun_lemma(np.arange(TOPICS)[:, None], self.anchors)).ravel())


@dataclass(frozen=True)
class Frequencies:
    """How often each language talks about what: Zipf shapes, and who stands at which rank.

    All languages have the same shapes and each its own order. With one common order neurons come
    to code "topic of that frequency" across languages that share nothing, and a control would not
    be silent.

    Attributes
    ----------
    ranked
        For each class of lemmas ``(lang, …, rank)``: the index within the class at that rank.
    cumulative
        For each class ``(rank,)``: cumulative probability.
    preferred
        Share of objects that follow the verb's preference.
    """

    ranked: dict[str, Ints]
    cumulative: dict[str, Floats]
    preferred: float = PREFERRED

    @classmethod
    def shuffled(cls, seed: int, *, n_languages: int) -> "Frequencies":
        """Zipf frequencies in an order drawn for each language (and topic)."""
        rng = np.random.default_rng([seed, 2])
        ranked = {}
        for name, (size, _) in ZIPF.items():
            topical = (TOPICS,) if name in ("nouns", "verbs", "adjectives") else ()
            ranked[name] = np.argsort(rng.random((n_languages, *topical, size)), axis=-1)
        return cls(ranked, {name: _zipf(size, power) for name, (size, power) in ZIPF.items()})

    @classmethod
    def flat(cls, grammar: Grammar) -> "Frequencies":
        """Every topic, noun, verb and adjective alike, anchors left out: for evaluation."""
        ranked: dict[str, Ints] = {name: np.arange(n)[None] for name, (n, _) in ZIPF.items()}
        for name in ("verbs", "adjectives"):
            ranked[name] = np.broadcast_to(ranked[name], (1, TOPICS, ZIPF[name][0]))
        own = [np.setdiff1d(np.arange(NOUNS), pair) for pair in grammar.anchors]
        ranked["nouns"] = np.stack(own)[None]
        even = {name: _zipf(order.shape[-1], 0.0) for name, order in ranked.items()}
        return cls(ranked, even, preferred=0.0)

    def with_rare(self, anchors: Ints) -> "Frequencies":
        """The same order of all nouns but the anchors, which become the rarest two everywhere."""
        nouns = self.ranked["nouns"]
        is_anchor = (nouns[..., None] == anchors[None, :, None, :]).any(axis=-1)
        moved = np.take_along_axis(nouns, np.argsort(is_anchor, axis=-1, kind="stable"), axis=-1)
        return Frequencies({**self.ranked, "nouns": moved}, self.cumulative, self.preferred)

    def topic(self, language: Ints, draw: Floats) -> Ints:
        """One topic a document."""
        return self.ranked["topics"][language, _rank(self.cumulative["topics"], draw)]

    def member(self, kind: str, language: Ints, topic: Ints, draw: Floats) -> Ints:
        """Index within a topical class, ``nouns``, ``verbs`` or ``adjectives``."""
        return self.ranked[kind][language, topic, _rank(self.cumulative[kind], draw)]

    def free(self, kind: str, language: Ints, draw: Floats) -> Ints:
        """Index within a class that belongs to no topic."""
        return self.ranked[kind][language, _rank(self.cumulative[kind], draw)]


@dataclass(frozen=True)
class Meanings:
    """Documents as meanings: every array is ``(document, sentence)``, lemmas or :data:`ABSENT`.

    ``language`` and ``topic`` are ``(document,)``; ``plural`` is ``(document, sentence, 3)`` for
    subject, object and place.
    """

    language: Ints
    topic: Ints
    subject: Ints
    adjective: Ints
    verb: Ints
    object: Ints
    place: Ints
    plural: Bools
    negated: Bools
    past: Bools
    asked: Bools


def meanings(
    grammar: Grammar, frequencies: Frequencies, *, language: Ints, topic: Ints, draws: Floats
) -> Meanings:
    """Turn uniform numbers into documents.

    Parameters
    ----------
    language, topic
        ``(document,)``. The language says which order of frequencies holds.
    draws
        ``(document, sentence, DRAWS)`` in [0, 1). Each number has one use, whatever the preset:
        this is what pairs the presets.
    """
    u = iter(np.moveaxis(draws, -1, 0))
    lang = np.broadcast_to(language[:, None], draws.shape[:2])
    verb, verb_index = _verbs(frequencies, lang, topic, u)
    nouns = [
        noun_lemma(at, frequencies.member("nouns", lang, at, next(u)))
        for at in (_slot_topic(topic, u) for _ in range(3))
    ]
    liked_topic = (nouns[1] - NOUN) // NOUNS
    liked = _liked(grammar.preference[verb_index, liked_topic], next(u))
    follows = next(u) < frequencies.preferred
    nouns[1] = np.where(follows, noun_lemma(liked_topic, liked), nouns[1])
    adjective = _adjectives(frequencies, lang, topic, u)
    present = [np.ones(draws.shape[:2], bool), next(u) < TRANSITIVE, next(u) < PLACED]
    subject, object_, place = _repeat(nouns, present, [(next(u), next(u)) for _ in range(3)])
    plural = np.stack([next(u) < PLURAL for _ in range(3)], axis=-1)
    negated, past, asked = next(u) < NEGATED, next(u) < IN_PAST, next(u) < ASKED
    return Meanings(
        language=language,
        topic=topic,
        subject=subject,
        adjective=adjective,
        verb=verb,
        object=object_,
        place=place,
        plural=plural,
        negated=negated,
        past=past,
        asked=asked,
    )


def noun_lemma(topic: Ints, index: Ints) -> Ints:
    """The lemma of a topic's noun."""
    return NOUN + topic * NOUNS + index


def _zipf(size: int, power: float) -> Floats:
    weights = np.arange(1, size + 1) ** -power
    return np.cumsum(weights / weights.sum())


def _rank(cumulative: Floats, draw: Floats) -> Ints:
    # The last sum may be 1 - 1e-16, so that a draw can lie above it.
    return np.minimum(np.searchsorted(cumulative, draw, side="right"), len(cumulative) - 1)


def _liked(cumulative: Floats, draw: Floats) -> Ints:
    return np.minimum((draw[..., None] >= cumulative).sum(axis=-1), NOUNS - 1)


def _slot_topic(topic: Ints, u: Iterator[Floats]) -> Ints:
    off, draw = next(u) < OFF_TOPIC, next(u)
    other = (topic[:, None] + 1 + (draw * (TOPICS - 1)).astype(np.int64)) % TOPICS
    return np.where(off, other, topic[:, None])


def _verbs(f: Frequencies, lang: Ints, topic: Ints, u: Iterator[Floats]) -> tuple[Ints, Ints]:
    """Verb lemmas, and the row of the preference table that each has."""
    at, topical, draw = _slot_topic(topic, u), next(u) < TOPICAL_VERB, next(u)
    own = at * VERBS + f.member("verbs", lang, at, draw)
    free = f.free("free_verbs", lang, draw)
    row = np.where(topical, own, TOPICS * VERBS + free)
    return np.where(topical, VERB + own, FREE_VERB + free), row


def _adjectives(f: Frequencies, lang: Ints, topic: Ints, u: Iterator[Floats]) -> Ints:
    at, topical, draw = _slot_topic(topic, u), next(u) < TOPICAL_ADJECTIVE, next(u)
    own = ADJECTIVE + at * ADJECTIVES + f.member("adjectives", lang, at, draw)
    free = FREE_ADJECTIVE + f.free("free_adjectives", lang, draw)
    return np.where(next(u) < DESCRIBED, np.where(topical, own, free), ABSENT)


def _repeat(
    nouns: list[Ints], present: list[Bools], chances: list[tuple[Floats, Floats]]
) -> list[Ints]:
    """Let some nouns name an entity again that the document has named before, in text order."""
    documents, sentences = nouns[0].shape
    named = np.zeros((documents, sentences * 3), dtype=np.int64)
    count = np.zeros(documents, dtype=np.int64)
    rows = np.arange(documents)
    result = [np.full((documents, sentences), ABSENT) for _ in nouns]
    for sentence in range(sentences):
        for slot, (noun, there) in enumerate(zip(nouns, present, strict=True)):
            again = (chances[slot][0][:, sentence] < REPEATED) & (count > 0)
            earlier = named[rows, (chances[slot][1][:, sentence] * count).astype(np.int64)]
            chosen = np.where(again, earlier, noun[:, sentence])
            named[rows, count] = np.where(there[:, sentence], chosen, named[rows, count])
            count += there[:, sentence]
            result[slot][:, sentence] = np.where(there[:, sentence], chosen, ABSENT)
    return result
