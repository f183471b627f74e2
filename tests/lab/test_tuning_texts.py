"""Claims about the texts that a lab language is tuned on."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from neurotrace.lab.corpus import MARKS, GrammarCorpus
from neurotrace.lab.preset import PRESETS
from neurotrace.lab.tuning_texts import sample_texts
from neurotrace.lab.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """The record of a run: nothing else of it is read."""
    return record(tmp_path_factory.mktemp("lab"), "default")


def record(folder: Path, preset: str, *, seed: int = 0) -> Path:
    facts = {"preset": preset, "seed": seed, "complete": True}
    (folder / "lab.json").write_text(json.dumps(facts))
    return folder


def sentences(text: str) -> set[str]:
    ended = text.replace(" . ", " .\n").replace(" ? ", " ?\n").split("\n")
    return {part for part in ended if part.endswith(MARKS)}


@pytest.mark.parametrize("lang", ["qaa_Latn", "qad_Hebr"])
def test_all_words_are_of_the_language_as_it_is_written_at_the_end(lab, lang):
    table = Vocabulary.of(lab).table
    known = {word for word, langs in zip(table["word"], table["langs"], strict=True)
             if lang in langs}  # fmt: skip
    texts = sample_texts(lab, lang, n=200)
    assert {word for text in texts for word in text.split()} <= known | set(MARKS)
    assert {len(text.split()) for text in texts} == {PRESETS["default"].length}


def test_none_is_a_training_document_and_none_holds_an_evaluation_sentence(lab):
    corpus = GrammarCorpus(PRESETS["default"], seed=0)
    texts = sample_texts(lab, "qaa_Latn", n=1500)
    trained = {text for update in range(1, 101)
               for text in corpus.tokenizer.batch_decode(corpus.batch(update)[:, 1:])}  # fmt: skip
    assert not set(texts) & trained
    frame = corpus.evaluation().frame
    held = {part for text in frame["text"] for part in sentences(text)}
    assert held
    assert not held & {part for text in texts for part in sentences(text)}


def test_words_are_as_frequent_as_in_training(lab):
    corpus = GrammarCorpus(PRESETS["default"], seed=0)
    rows = np.concatenate([corpus.batch(update)[:, 1:] for update in range(1, 161)])
    own = set(Vocabulary.of(lab).table.query("lang == 'qab_Cyrl'")["word"])
    trained = Counter(w for text in corpus.tokenizer.batch_decode(rows) for w in text.split()
                      if w in own)  # fmt: skip
    drawn = Counter(w for text in sample_texts(lab, "qab_Cyrl", n=1500) for w in text.split())
    words = sorted(own)
    counts = np.array([[counter[word] for word in words] for counter in (trained, drawn)])
    assert np.corrcoef(counts)[0, 1] > 0.98


def test_texts_are_the_same_for_a_seed_all_different_and_longer_lists_begin_alike(lab):
    texts = sample_texts(lab, "qaa_Latn", n=1200)
    assert len(set(texts)) == 1200
    assert sample_texts(lab, "qaa_Latn", n=50) == texts[:50]
    assert not set(sample_texts(lab, "qaa_Latn", n=50, seed=1)) & set(texts)


def test_nouns_are_shared_where_the_preset_shares_them(tmp_path):
    folders = [tmp_path / preset for preset in ("default", "control")]
    for folder in folders:
        folder.mkdir()
        record(folder, folder.name)
    first = set(Vocabulary.of(folders[0]).table.query("lang == 'qaa_Latn'")["word"])
    said = [" ".join(sample_texts(folder, "qab_Cyrl", n=300)).split() for folder in folders]
    borrowed = [first & set(words) for words in said]
    assert len(borrowed[0]) == 32
    assert not borrowed[1]


def test_what_cannot_be_said_is_refused(lab, tmp_path):
    with pytest.raises(ValueError, match="got language 'deu_Latn'; valid are qaa_Latn, qab_Cyrl"):
        sample_texts(lab, "deu_Latn", n=1)
    with pytest.raises(ValueError, match="got n=0; expected at least 1"):
        sample_texts(lab, "qaa_Latn", n=0)
    with pytest.raises(ValueError, match="got no readable lab.json"):
        sample_texts(tmp_path, "qaa_Latn", n=1)
    with pytest.raises(ValueError, match="got preset 'texts', whose words come from a text"):
        sample_texts(record(tmp_path, "texts"), "qaa_Latn", n=1)
