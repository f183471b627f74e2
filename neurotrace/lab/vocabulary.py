"""What every word of a lab language is: the exact judge of texts that a lab model has written.

Nothing is read but the run's record. The preset and the seed decide grammar and words, so language
and topic of each word are known, not estimated.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from neurotrace.lab import grammar as g
from neurotrace.lab.corpus import GrammarCorpus
from neurotrace.lab.folder import RECORD
from neurotrace.lab.preset import PRESETS, Preset, preset_named

KINDS = ("function", "noun", "verb", "adjective", "free_verb", "free_adjective")
_FIRST = (0, g.NOUN, g.VERB, g.ADJECTIVE, g.FREE_VERB, g.FREE_ADJECTIVE)
_A_TOPIC = {"noun": g.NOUNS, "verb": g.VERBS, "adjective": g.ADJECTIVES}

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Which language, which topic and which kind each word of a lab run belongs to.

    Attributes
    ----------
    table
        One row a word: ``word``, ``lang`` (that has it as its own), ``concept`` (empty for words
        without a topic), ``kind`` (``function noun verb adjective free_verb free_adjective``),
        ``shared`` (bool) and ``langs``, the tuple of languages that write it at the end of the
        run: empty for a word whose place a shared noun has taken.
    languages, concepts
        In the order of the run's evaluation set.
    tokenizer
        The run's own: reads ids back as words.
    """

    table: pd.DataFrame = field(repr=False)
    languages: tuple[str, ...]
    concepts: tuple[str, ...]
    tokenizer: PreTrainedTokenizerFast = field(repr=False)

    @classmethod
    def of(cls, lab_folder: str | Path) -> "Vocabulary":
        """The vocabulary of a run, computed from its preset and seed.

        A noun that languages share, from the first update on or later (``late``), counts as shared
        at every step: it tells neither language nor, fairly, what a language's experts bring.

        Raises
        ------
        ValueError
            For a folder that no run of the lab has written, and for presets whose words come from
            a text.
        """
        preset, seed = _facts(Path(lab_folder))
        corpus = GrammarCorpus(preset, seed=seed)
        concepts = tuple(f"topic{topic:02d}" for topic in range(g.TOPICS))
        table = _table(corpus, concepts)
        return cls(table, tuple(corpus.languages), concepts, corpus.tokenizer)

    def identify(self, texts: Sequence[str]) -> list[str]:
        """The language of each text: the one with most words that only it has.

        Empty where no word tells a language, or where two languages have equally many.

        Parameters
        ----------
        texts
            ``(text,)``, words parted by blanks.
        """
        own = self.table[~self.table["shared"]]
        place = self._index("lang", self.languages, own)
        found = []
        for text in texts:
            at = [place[word] for word in text.split() if word in place]
            counts = np.bincount(at, minlength=len(self.languages))
            alone = (counts == counts.max()).sum() == 1
            found.append(self.languages[int(counts.argmax())] if alone else "")
        return found

    def words(self, concept: str, lang: str) -> list[str]:
        """Nouns, verbs and adjectives of a topic in a language, shared nouns left out.

        Raises
        ------
        ValueError
            For a topic or language that the run lacks.
        """
        self._refuse_unknown("concept", concept, self.concepts)
        self._refuse_unknown("language", lang, self.languages)
        rows = self._topical
        return rows.loc[(rows["concept"] == concept) & (rows["lang"] == lang), "word"].tolist()

    def translations(self) -> pd.DataFrame:
        """Which words say the same in two languages: one row a lemma and pair of languages.

        Words that languages share, at once or later, are left out: the same string is no
        translation. Function words are kept.

        Returns
        -------
        ``lang_a lang_b word_a word_b``; every pair of languages once, in the run's order.
        """
        own = self.table[~self.table["shared"]].assign(
            lemma=self.table.groupby("lang", sort=False).cumcount()
        )
        by_lemma = own.pivot(index="lemma", columns="lang", values="word")
        tables = [
            pd.DataFrame({"lang_a": a, "lang_b": b, "word_a": by_lemma[a], "word_b": by_lemma[b]})
            for a, b in combinations(self.languages, 2)
        ]
        return pd.concat(tables, ignore_index=True)

    def token_translations(self) -> dict[int, list[int]]:
        """Ids of the translations of each word's id, in both directions, ascending."""
        pairs, ids = self.translations(), self.tokenizer.get_vocab()
        a, b = (pairs[f"word_{side}"].map(ids).tolist() for side in "ab")
        found: dict[int, list[int]] = {}
        for one, other in sorted([*zip(a, b, strict=True), *zip(b, a, strict=True)]):
            found.setdefault(one, []).append(other)
        return found

    def frames(self, lang: str) -> list[str]:
        """A neutral opening a topic-free verb: the verb and a full stop, ``(12,)`` texts.

        Any topic can follow, and nothing has been said that would prefer one.

        Raises
        ------
        ValueError
            For a language that the run lacks.
        """
        self._refuse_unknown("language", lang, self.languages)
        rows = self.table[(self.table["lang"] == lang) & (self.table["kind"] == "free_verb")]
        return [f"{word} ." for word in rows["word"]]

    def counts(self, texts: Sequence[str | Sequence[int]]) -> Counts:
        """How many words of each topic and language does each text hold?

        Parameters
        ----------
        texts
            ``(text,)`` strings, or their token ids.

        Returns
        -------
        ``(text, concept, lang)``; shared nouns and words without a topic are not counted.
        """
        rows = self._topical
        concept = self._index("concept", self.concepts, rows)
        lang = self._index("lang", self.languages, rows)
        counts = np.zeros((len(texts), len(self.concepts), len(self.languages)), dtype=np.int64)
        for number, text in enumerate(texts):
            for word in self._read(text).split():
                if word in concept:
                    counts[number, concept[word], lang[word]] += 1
        return counts

    def shares(self, texts: Sequence[str | Sequence[int]]) -> xr.DataArray:
        """Of the topical words in some texts, the share of each topic and language.

        Parameters
        ----------
        texts
            ``(text,)`` strings, or their token ids.

        Returns
        -------
        ``(concept, lang)`` fractions that sum to one; NaN where there is no topical word.
        """
        counts = self.counts(texts).sum(axis=0)
        share = counts / counts.sum() if counts.any() else np.full(counts.shape, np.nan)
        coords = {"concept": list(self.concepts), "lang": list(self.languages)}
        return xr.DataArray(share, dims=("concept", "lang"), coords=coords)

    def _read(self, text: str | Sequence[int]) -> str:
        return text if isinstance(text, str) else str(self.tokenizer.decode([*map(int, text)]))

    @cached_property
    def _topical(self) -> pd.DataFrame:
        return self.table[(self.table["concept"] != "") & ~self.table["shared"]]

    @staticmethod
    def _index(column: str, names: Sequence[str], rows: pd.DataFrame) -> dict[str, int]:
        at = {name: number for number, name in enumerate(names)}
        return dict(zip(rows["word"], rows[column].map(at), strict=True))

    @staticmethod
    def _refuse_unknown(kind: str, given: str, valid: Sequence[str]) -> None:
        if given not in valid:
            raise ValueError(f"got {kind} {given!r}; valid are {', '.join(valid)}")


def _facts(folder: Path) -> tuple[Preset, int]:
    """Preset and seed of a run's record."""
    file = folder / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        name, seed = str(record["preset"]), int(record["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"{folder}: got no readable {RECORD}; expected a folder that neurotrace.lab has written"
        ) from None
    preset = preset_named(name)
    if preset.source != "grammar":
        valid = [made.name for made in PRESETS.values() if made.source == "grammar"]
        raise ValueError(
            f"{folder}: got preset {name!r}, whose words come from a text; "
            f"valid are {', '.join(valid)}"
        )
    return preset, seed


def _table(corpus: GrammarCorpus, concepts: Sequence[str]) -> pd.DataFrame:
    anchors = np.isin(np.arange(g.LEMMAS), corpus.grammar.anchor_lemmas())
    shared = anchors & (corpus.preset.shared != "none")
    kinds = [KINDS[int(np.searchsorted(_FIRST, at, side="right")) - 1] for at in range(g.LEMMAS)]
    rows = []
    for index, (lang, own) in enumerate(zip(corpus.languages, corpus.words, strict=True)):
        for lemma, word in enumerate(own):
            both = tuple(corpus.languages) if index == 0 else ()
            langs = both if shared[lemma] else (lang,)
            concept = _concept(lemma, kinds[lemma], concepts)
            rows.append((word, lang, concept, kinds[lemma], bool(shared[lemma]), langs))
    return pd.DataFrame(rows, columns=["word", "lang", "concept", "kind", "shared", "langs"])


def _concept(lemma: int, kind: str, concepts: Sequence[str]) -> str:
    """The topic a lemma belongs to; empty for those that serve every topic."""
    if kind not in _A_TOPIC:
        return ""
    return concepts[(lemma - _FIRST[KINDS.index(kind)]) // _A_TOPIC[kind]]
