"""The generated corpus: batches of documents for training, sentences for evaluation.

Document d of a seed is the same in every preset; update i reads documents 32(i − 1) to 32i − 1.
Nothing is kept but the block in use, so that memory does not grow with the steps.
"""

from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from neurotrace.concepts import ConceptSet
from neurotrace.lab import grammar as g
from neurotrace.lab.language import LANGUAGES, arrange, pack, words
from neurotrace.lab.preset import Preset
from neurotrace.lab.tokenizer import BOS_ID, PAD_ID, SPECIALS, word_level

BLOCK = 1024  # documents drawn at once
SENTENCES = 8  # four tokens each at the least, so that a document of 33 tokens is always full
GROUPS = 32  # evaluation groups a topic
MARKS = (".", "?")


class Corpus(Protocol):
    """What the training loop reads."""

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Saved beside every checkpoint."""

    @property
    def languages(self) -> list[str]:
        """Language codes."""

    @property
    def shared_ids(self) -> list[int]:
        """Ids that more than one language writes words with; marks and special tokens left out."""

    def batch(self, update: int) -> NDArray[np.int64]:
        """``(row, token)`` ids of an update, counted from 1: BOS first, one token past length."""

    def evaluation(self) -> ConceptSet | None:
        """Sentences to evaluate on, where the corpus has them."""


class GrammarCorpus:
    """Four languages that say the same kinds of things with words of their own.

    Parameters
    ----------
    preset
        Which nouns are shared and from which update on, and the mix of languages.
    seed
        Grammar, frequencies, words and documents follow from it.
    """

    def __init__(self, preset: Preset, *, seed: int) -> None:
        self.preset, self.seed = preset, seed
        self.grammar = g.Grammar.draw(seed)
        shuffled = g.Frequencies.shuffled(seed, n_languages=len(LANGUAGES))
        rare = preset.shared == "rarest"
        self.frequencies = shuffled.with_rare(self.grammar.anchors) if rare else shuffled
        self.words = [words(language, seed=seed) for language in LANGUAGES]
        self.tokenizer = word_level([*MARKS, *(word for own in self.words for word in own)])
        self.languages = [language.code for language in LANGUAGES]
        self._ids = _word_ids(self.grammar)
        self._block: tuple[int, g.Ints] = (-1, np.empty((0, 0), dtype=np.int64))

    @property
    def shared_ids(self) -> list[int]:
        """Ids of the nouns that this preset shares, at once or later."""
        if self.preset.shared == "none":
            return []
        return sorted(self._ids[1, 0, self.grammar.anchor_lemmas()].tolist())

    def batch(self, update: int) -> NDArray[np.int64]:
        """``(batch, length + 1)`` token ids of an update, counted from 1."""
        size = self.preset.batch
        documents = np.arange((update - 1) * size, update * size)
        shares = self.preset.shared != "none" and update > self.preset.shared_after
        rows = [self._documents(block)[documents[documents // BLOCK == block] % BLOCK]
                for block in np.unique(documents // BLOCK)]  # fmt: skip
        language, lemmas = np.split(np.concatenate(rows), [1], axis=1)
        ids = self._ids[int(shares), language, lemmas]
        return np.concatenate([np.full((size, 1), BOS_ID), ids], axis=1)

    def meanings(self, block: int) -> g.Meanings:
        """The latent documents of one block of 1024."""
        rng = np.random.default_rng([self.seed, 4, block])
        first = rng.random((BLOCK, 2))
        draws = rng.random((BLOCK, SENTENCES, g.DRAWS))
        language = np.searchsorted(np.cumsum(self.preset.mix)[:-1], first[:, 0], side="right")
        topic = self.frequencies.topic(language, first[:, 1])
        return g.meanings(
            self.grammar, self.frequencies, language=language, topic=topic, draws=draws
        )

    def evaluation(self) -> ConceptSet:
        """32 groups a topic, two sentences each, in every language: flat, without anchors.

        They depend on the seed alone: the presets of a seed are evaluated on the same sentences.
        """
        said = self._evaluation_meanings()
        texts = np.array([self._texts(said, index) for index in range(len(LANGUAGES))])
        table = pd.DataFrame(_distinct(said.topic, texts), columns=["concept", "group", "texts"])
        long = table.explode("texts", ignore_index=True)
        frame = pd.DataFrame(
            {
                "group": long["group"],
                "lang": self.languages * len(table),
                "text": long["texts"],
                "concept": long["concept"],
                "lexical": True,
                "cognate": False,
            }
        )
        header = {"name": f"lab-seed{self.seed}", "languages": self.languages, "parallel": True,
                  "about": "pseudo-words of a generated grammar; a concept is a topic; no word "
                           "that languages share occurs"}  # fmt: skip
        return ConceptSet.from_frame(frame, header=header)

    def _documents(self, block: int) -> g.Ints:
        """``(1024, 1 + length)``: language, then lemmas."""
        if self._block[0] != block:
            said = self.meanings(block)
            rows = np.empty((BLOCK, 1 + self.preset.length), dtype=np.int64)
            rows[:, 0] = said.language
            for index, language in enumerate(LANGUAGES):
                mine = said.language == index
                lemmas = arrange(language, _rows(said, mine)).reshape(mine.sum(), -1)
                rows[mine, 1:] = pack(lemmas, length=self.preset.length)
            self._block = (block, rows)
        return self._block[1]

    def _evaluation_meanings(self) -> g.Meanings:
        """Twice as many groups as needed: those that some language says alike are dropped."""
        rng = np.random.default_rng([self.seed, 5])
        topic = np.repeat(np.arange(g.TOPICS), 2 * GROUPS)
        return g.meanings(
            self.grammar,
            g.Frequencies.flat(self.grammar),
            language=np.zeros_like(topic),
            topic=topic,
            draws=rng.random((len(topic), 2, g.DRAWS)),
        )

    def _texts(self, said: g.Meanings, index: int) -> list[str]:
        spelled = np.array([*self.words[index], *MARKS], dtype=object)
        lemmas = arrange(LANGUAGES[index], said).reshape(len(said.topic), -1)
        return [" ".join(spelled[row[row != g.ABSENT]]) for row in lemmas]


def _word_ids(grammar: g.Grammar) -> g.Ints:
    """``(shared or not, lang, lemma)`` → token id; lemma −1 is padding.

    Shared nouns are written as in the first language. Ids that are thereby unused keep their
    word, so that all presets have one vocabulary and equal initial weights.
    """
    first = len(SPECIALS)
    own = np.empty((len(LANGUAGES), g.LEMMAS + 3), dtype=np.int64)
    for index in range(len(LANGUAGES)):
        start = first + len(MARKS) + index * g.LEMMAS
        own[index] = [*range(start, start + g.LEMMAS), first, first + 1, PAD_ID]
    shared = own.copy()
    anchors = grammar.anchor_lemmas()
    shared[:, anchors] = own[0, anchors]
    return np.stack([own, shared])


def _rows(said: g.Meanings, mine: g.Bools) -> g.Meanings:
    return g.Meanings(**{name: values[mine] for name, values in vars(said).items()})


def _distinct(topic: g.Ints, texts: NDArray[np.str_]) -> list[tuple[str, str, list[str]]]:
    """The first groups of each topic whose text is new in every language."""
    seen: set[str] = set()
    kept: list[tuple[str, str, list[str]]] = []
    filled = np.zeros(g.TOPICS, dtype=int)
    for at, row in zip(topic, texts.T.tolist(), strict=True):
        if filled[at] == GROUPS or not seen.isdisjoint(row):
            continue
        seen.update(row)
        kept.append((f"topic{at:02d}", f"topic{at:02d}-{filled[at]:02d}", row))
        filled[at] += 1
    return kept
