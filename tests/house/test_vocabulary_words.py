"""Counts, languages and translations of tokens, as the sentences tell them."""

import pandas as pd

from neurotrace.capture import embedding, loading
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.vocabulary_words import sentence_dictionaries, token_counts, token_dictionary

TEXTS = ["<s>", "▁dog", "▁cat", "▁runs", "▁Hund", "▁Katze", "rennt", "▁1", "", "in", "▁in"]


def sentences():
    said = {"eng_Latn": ["dog runs", "cat runs", "dog in", "cat in"] * 3,
            "deu_Latn": ["Hund rennt", "Katze rennt", "Hund in", "Katze in"] * 3}  # fmt: skip
    common = {"lexical": True, "cognate": False}
    rows = [
        {"group": f"g{at:02d}", "lang": lang, "text": f"{text} {at}", **common}
        | {"concept": ("dog", "cat")[at % 2]}
        for lang, texts in said.items()
        for at, text in enumerate(texts)
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows))


class Tokenizer:
    """One token a word, without special tokens; digits have one token together."""

    def __call__(self, texts, *, add_special_tokens):
        assert not add_special_tokens
        known = {text.strip("▁"): at for at, text in enumerate(TEXTS) if text}
        return {"input_ids": [[known.get(word, 7) for word in text.split()] for text in texts]}


def test_counts_and_the_language_of_most_occurrences(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_tokenizer", lambda *_, **__: Tokenizer())
    monkeypatch.setattr(embedding, "token_texts", lambda *_, **__: TEXTS)
    found = token_counts(Checkpoint("made", 0, tmp_path), sentences())
    assert found.frequency.tolist() == [0, 6, 6, 6, 6, 6, 6, 24, 0, 0, 12]
    languages = dict(zip(TEXTS, found.languages.tolist(), strict=True))
    assert languages["▁dog"] == "eng_Latn"
    assert languages["rennt"] == "deu_Latn"
    assert languages["<s>"] == ""


def test_the_tokenizer_may_lie_in_another_folder_than_the_weights(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(embedding, "token_texts", lambda *_, **__: TEXTS)

    def load(where, **_):
        read.append(loading.tokenizer_folder(where))
        return Tokenizer()

    monkeypatch.setattr(loading, "load_tokenizer", load)
    lent = Checkpoint("made", 0, tmp_path / "weights", tokenizer=tmp_path / "final")
    token_counts(lent, sentences())
    assert read == [tmp_path / "final"]


def test_words_that_are_one_token_translate_both_ways():
    words = {("eng", "deu"): {"dog": ["Hund"], "runs": ["rennt"], "cow": ["Kuh"], "in": ["in"]}}
    # "rennt" is there without a mark only; "Kuh" is no token; "in" is one token in both.
    assert token_dictionary(words, TEXTS) == {1: [4], 3: [6], 4: [1], 6: [3]}


def test_parallel_sentences_teach_the_dictionary():
    (pair, found), *more = sentence_dictionaries(sentences()).items()
    assert not more
    assert set(pair) == {"eng_Latn", "deu_Latn"}
    one = {"dog": "hund", "cat": "katze", "runs": "rennt", "in": "in"}
    expected = one if pair[0] == "eng_Latn" else {b: a for a, b in one.items()}
    assert {word: found[word][0] for word in found} == expected


def test_a_lab_teaches_its_own_dictionary():
    from neurotrace.lab.corpus import GrammarCorpus
    from neurotrace.lab.preset import PRESETS

    corpus = GrammarCorpus(PRESETS["control"], seed=0)
    found = sentence_dictionaries(corpus.evaluation())
    assert len(found) == 6
    lemma = {word: at for own in corpus.words for at, word in enumerate(own)}
    pairs = [(a, b) for words in found.values() for a in words for b in words[a]]
    right = sum(lemma[a] == lemma[b] for a, b in pairs)
    assert right / len(pairs) > 0.95
    assert len(pairs) > 900


def test_words_that_are_no_tokens_leave_an_empty_dictionary():
    assert token_dictionary({("a", "b"): {"x": ["y"]}}, TEXTS) == {}
