"""What an experiment on concepts needs of languages: neutral frames, and words to look for."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from neurotrace.causal.judges import Identifier, LexiconJudge, TopicJudge, WordLists
from neurotrace.causal.next_tokens import (
    Cell,
    Ids,
    complete,
    encode,
    first_of,
    telling,
    unambiguous,
)
from neurotrace.causal.words import listed_words, openings, typical_words
from neurotrace.concepts import ConceptSet, Lexicon
from neurotrace.concepts.lexicon import fold

FRAMES = 8  # openings that are kept for a language
TYPICAL = 8  # words of a concept, where no lexicon lists them


@dataclass(frozen=True)
class Materials:
    """Frames and words of some concepts in some languages, as token ids.

    Every concept has words in every language: what has none is left out and named.

    Attributes
    ----------
    languages, concepts
        Names, in order.
    frames
        Of each language, lists of token ids: the start token, then words of no concept.
    words
        ``{(concept, lang): ids}``: the first token of each of the concept's words, as it stands
        after a frame. An id stands for one concept in one language alone.
    identify
        The language of texts, for generated ones.
    word_forms
        Counts the concepts' words in texts, and knows nothing else of them.
    left_out
        Languages and concepts that are missing, each with its reason.
    """

    languages: tuple[str, ...]
    concepts: tuple[str, ...]
    frames: Mapping[str, Sequence[Sequence[int]]] = field(repr=False)
    words: Mapping[Cell, Ids] = field(repr=False)
    identify: Identifier | None = field(default=None, repr=False)
    word_forms: TopicJudge | None = field(default=None, repr=False)
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.concepts) < 2 or not self.languages:
            raise ValueError(
                f"got words of {len(self.concepts)} concepts in {len(self.languages)} languages; "
                "expected two concepts and a language at least; left out: "
                f"{'; '.join(self.left_out) or 'nothing'}"
            )
        for lang in self.languages:
            if not self.frames.get(lang) or min(map(len, self.frames[lang])) < 2:
                raise ValueError(f"got no frame in {lang}; expected a start token and a word")
            for concept in self.concepts:
                if not len(self.words.get((concept, lang), ())):
                    raise ValueError(f"got no words of {concept!r} in {lang}; expected some")

    @classmethod
    def from_words(
        cls,
        words: Mapping[Cell, Sequence[str]],
        frames: Mapping[str, Sequence[str]],
        *,
        tokenizer: Any,
        start: int | None = None,
        identify: Identifier | None = None,
        word_forms: TopicJudge | None = None,
        corpus: Mapping[str, Sequence[str]] | None = None,
    ) -> Self:
        """From lists of words and of frames, as texts.

        Parameters
        ----------
        words
            ``{(concept, lang): words}``
        frames
            ``{lang: texts}`` that words of the language may follow.
        start
            Token that every frame starts with: by default the tokenizer's BOS, else EOS.
            :func:`neurotrace.causal.prompts.start_ids` tells a family's own.
        word_forms
            A judge of topics; by default one that counts the words given.
        corpus
            ``{lang: texts}``, in which a word's first token must open words of its concept at
            least as often as all other words: a piece of one or two letters tells nothing.

        Raises
        ------
        ValueError
            When fewer than two concepts, or no language, have words and frames.
        """
        names = list(dict.fromkeys(concept for concept, _ in words))
        spoken = list(dict.fromkeys(lang for _, lang in words))
        framed = [lang for lang in spoken if frames.get(lang)]
        ids: dict[Cell, Ids] = {}
        for lang in framed:
            own = {concept: words[concept, lang] for concept in names if (concept, lang) in words}
            texts = None if corpus is None else corpus[lang]
            told = telling(tokenizer, own, lang=lang, frames=frames[lang], texts=texts)
            ids |= {(concept, lang): one for concept, one in told.items()}
        ids = unambiguous(ids)
        concepts, languages, gone = complete(ids, names, framed)
        first = first_of(tokenizer, start)
        return cls(
            languages=tuple(languages),
            concepts=tuple(concepts),
            frames={
                lang: [[first, *encode(tokenizer, text)] for text in frames[lang]]
                for lang in languages
            },
            words={(c, lang): ids[c, lang] for c in concepts for lang in languages},
            identify=identify,
            word_forms=word_forms or _lists(words, concepts, languages),
            left_out=(*(f"{lang}: no frame" for lang in spoken if lang not in framed), *gone),
        )

    @classmethod
    def from_set(
        cls,
        concepts: ConceptSet,
        tokenizer: Any,
        *,
        lexicon: Lexicon | None = None,
        in_a: ArrayLike | None = None,
        start: int | None = None,
        identify: Identifier | None = None,
        seed: int = 0,
    ) -> Self:
        """From sentences: frames are how they begin, words a lexicon's or the most typical ones.

        Only sentences of half A are read, so that what is measured with values of half B meets no
        word that was chosen there.

        Parameters
        ----------
        lexicon
            Forms of the concepts' words. Where it has none for a concept and language, and where
            there is no lexicon, the words are those that half A uses most for the concept.
        in_a
            ``(example,)`` half A; by default of the first of the set's own divisions.

        Raises
        ------
        ValueError
            As :meth:`from_words`.
        """
        half = np.asarray(concepts.halves(1, seed=seed)[0] if in_a is None else in_a, dtype=bool)
        frame, labels = concepts.frame[half], concepts.labels()[half]
        words: dict[Cell, Sequence[str]] = {}
        frames: dict[str, Sequence[str]] = {}
        corpus: dict[str, Sequence[str]] = {}
        for lang in concepts.languages:
            own = (frame["lang"] == lang).to_numpy()
            texts, label = frame["text"].to_numpy()[own], labels[own]
            corpus[lang] = texts.tolist()
            for column, concept in enumerate(concepts.concepts):
                with_it = texts[label[:, column] == 1].tolist()
                without = texts[label[:, column] == 0].tolist()
                words[concept, lang] = _words(concept, lang, with_it, without, lexicon)
            begun = openings(corpus[lang], list(frame["concepts"][own]), lang, n=2 * FRAMES)
            holds = _holding(lexicon, concepts.concepts, lang)
            frames[lang] = [text for text in begun if not holds(text)][:FRAMES]
        return cls.from_words(
            words, frames, tokenizer=tokenizer, start=start, identify=identify,
            word_forms=_lexicon_judge(lexicon, concepts), corpus=corpus,
        )  # fmt: skip


def _words(
    concept: str, lang: str, own: list[str], others: list[str], lexicon: Lexicon | None
) -> list[str]:
    if lexicon is not None and lexicon.covers(concept, lang):
        return listed_words(lexicon, concept, lang, own)
    return typical_words(own, others, lang, n=TYPICAL)


def _holding(lexicon: Lexicon | None, concepts: Sequence[str], lang: str) -> Callable[[str], bool]:
    """Whether a text holds the word of any concept."""
    if lexicon is None:
        return lambda _: False
    covered = [concept for concept in concepts if lexicon.covers(concept, lang)]
    return lambda text: any(lexicon.occurs(concept, lang, text) for concept in covered)


def _lexicon_judge(lexicon: Lexicon | None, concepts: ConceptSet) -> TopicJudge | None:
    if lexicon is None:
        return None
    return LexiconJudge(lexicon, tuple(concepts.concepts), tuple(concepts.languages))


def _lists(
    words: Mapping[Cell, Sequence[str]], concepts: Sequence[str], languages: Sequence[str]
) -> WordLists:
    """A judge by the words themselves; what a language says of two concepts counts for none."""
    times = Counter(
        (lang, word) for (_, lang), own in words.items() for word in set(map(fold, own))
    )
    kept = {
        (concept, lang): [word for word in own if times[lang, fold(word)] == 1]
        for (concept, lang), own in words.items()
        if concept in concepts and lang in languages
    }
    return WordLists(tuple(concepts), tuple(languages), kept)
