"""Texts of one lab language to tune a model on: as those it was trained on, and none of them."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurotrace.lab import grammar as g
from neurotrace.lab.corpus import BLOCK, MARKS, SENTENCES, GrammarCorpus
from neurotrace.lab.folder import RECORD
from neurotrace.lab.language import LANGUAGES, arrange, pack
from neurotrace.lab.preset import preset_named
from neurotrace.lab.vocabulary import Vocabulary

FEWEST = 0.05  # share of a block's documents that must be new, lest the search never ends


def sample_texts(folder: str | Path, lang: str, *, n: int, seed: int = 0) -> list[str]:
    """Documents that a lab run's grammar goes on to say in one of its languages.

    Drawn as the run's own documents are, topics and words as frequent, from random numbers of
    their own, shared nouns as at the run's end. A document that holds an evaluation text, or any
    one of its sentences, is left out: short sentences do come up again by chance.

    Parameters
    ----------
    folder
        Of a finished run with a generated grammar.
    n
        Documents.

    Returns
    -------
    ``(n,)`` texts, words parted by blanks, each as long as a row in training; all different.

    Raises
    ------
    ValueError
        For a folder that no run of the lab has written, one whose words come from a text, a
        language it lacks, or ``n`` below 1.
    """
    if n < 1:
        raise ValueError(f"got n={n}; expected at least 1")
    languages = Vocabulary.of(folder).languages  # refuses folders that are no grammar's
    if lang not in languages:
        raise ValueError(f"got language {lang!r}; valid are {', '.join(languages)}")
    record = json.loads((Path(folder) / RECORD).read_text(encoding="utf-8"))
    corpus = GrammarCorpus(preset_named(record["preset"]), seed=int(record["seed"]))
    at = languages.index(lang)
    evaluated = corpus.evaluation().frame
    held = {part for text in evaluated.loc[evaluated["lang"] == lang, "text"]
            for part in _sentences(text.split())}  # fmt: skip
    found: dict[str, None] = {}
    block = 0
    while len(found) < n:
        said = [words for words in _documents(corpus, at, seed, block)
                if held.isdisjoint(_sentences(words))]  # fmt: skip
        if len(said) < FEWEST * BLOCK:
            raise ValueError(f"got a grammar that says nearly nothing new in {lang}")
        found |= dict.fromkeys(" ".join(words) for words in said)
        block += 1
    return list(found)[:n]


def _documents(corpus: GrammarCorpus, at: int, seed: int, block: int) -> list[list[str]]:
    """A block of documents as words, cut off after a training row's length."""
    # A stream of its own: the run's documents and its evaluation set are other draws.
    rng = np.random.default_rng([corpus.seed, 10, seed, block])
    language = np.full(BLOCK, at)
    said = g.meanings(
        corpus.grammar,
        corpus.frequencies,
        language=language,
        topic=corpus.frequencies.topic(language, rng.random(BLOCK)),
        draws=rng.random((BLOCK, SENTENCES, g.DRAWS)),
    )
    lemmas = arrange(LANGUAGES[at], said).reshape(BLOCK, -1)
    spelled = _spelled(corpus, at)
    rows = pack(lemmas, length=corpus.preset.length)
    return [spelled[row[row != g.ABSENT]].tolist() for row in rows]


def _spelled(corpus: GrammarCorpus, at: int) -> NDArray[np.object_]:
    """Lemma → word, nouns that the preset shares as in the first language."""
    spelled = np.array([*corpus.words[at], *MARKS], dtype=object)
    if corpus.preset.shared != "none":
        anchors = corpus.grammar.anchor_lemmas()
        spelled[anchors] = np.array(corpus.words[0], dtype=object)[anchors]
    return spelled


def _sentences(words: list[str]) -> list[str]:
    """The whole sentences of a text, each with its mark; a sentence cut off is none."""
    found, first = [], 0
    for place, word in enumerate(words, start=1):
        if word in MARKS:
            found.append(" ".join(words[first:place]))
            first = place
    return found
