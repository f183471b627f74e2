"""Claims about the exact judge of lab texts."""

import json
from pathlib import Path

import numpy as np
import pytest

from neurotrace.lab import grammar as g
from neurotrace.lab.corpus import GrammarCorpus
from neurotrace.lab.preset import PRESETS
from neurotrace.lab.vocabulary import Vocabulary

LANGS = ("qaa_Latn", "qab_Cyrl", "qac_Grek", "qad_Hebr")


def run_of(folder: Path, preset: str, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    record = {"preset": preset, "seed": seed, "complete": True}
    (folder / "lab.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory) -> Vocabulary:
    return Vocabulary.of(run_of(tmp_path_factory.mktemp("lab"), "default"))


@pytest.fixture(scope="module")
def corpus() -> GrammarCorpus:
    return GrammarCorpus(PRESETS["default"], seed=0)


def test_every_word_has_one_row_and_the_counts_of_the_grammar(vocabulary):
    table = vocabulary.table
    assert table["word"].is_unique
    assert vocabulary.languages == LANGS
    per_lang = table.groupby(["lang", "kind"]).size().unstack()
    expected = {"function": 10, "noun": 96, "verb": 64, "adjective": 48,
                "free_verb": 12, "free_adjective": 6}  # fmt: skip
    for kind, count in expected.items():
        assert (per_lang[kind] == count).all()
    assert table["shared"].sum() == 4 * 32


def test_a_topic_has_its_words_without_the_shared_nouns(vocabulary, corpus):
    # Topic 3: six nouns of which two are anchors, four verbs, three adjectives.
    kept = np.setdiff1d(np.arange(g.NOUNS), corpus.grammar.anchors[3])
    lemmas = [g.NOUN + 3 * g.NOUNS + at for at in kept]
    lemmas += [g.VERB + 3 * g.VERBS + at for at in range(g.VERBS)]
    lemmas += [g.ADJECTIVE + 3 * g.ADJECTIVES + at for at in range(g.ADJECTIVES)]
    for index, lang in enumerate(LANGS):
        expected = {corpus.words[index][lemma] for lemma in lemmas}
        assert set(vocabulary.words("topic03", lang)) == expected


@pytest.mark.parametrize("preset", ["default", "late", "slow", "imbalanced"])
def test_shared_nouns_tell_neither_topic_nor_language(tmp_path, preset, corpus):
    vocabulary = Vocabulary.of(run_of(tmp_path, preset))
    shared = [corpus.words[0][lemma] for lemma in corpus.grammar.anchor_lemmas()]
    assert vocabulary.identify([" ".join(shared)]) == [""]
    assert vocabulary.counts([" ".join(shared)]).sum() == 0
    rows = vocabulary.table.set_index("word").loc[shared]
    assert rows["shared"].all()
    assert all(langs == LANGS for langs in rows["langs"])


def test_in_the_control_nothing_is_shared(tmp_path, corpus):
    vocabulary = Vocabulary.of(run_of(tmp_path, "control"))
    assert not vocabulary.table["shared"].any()
    assert len(vocabulary.words("topic03", LANGS[1])) == 13
    anchor = corpus.words[1][corpus.grammar.anchor_lemmas()[0]]
    assert vocabulary.identify([anchor]) == [LANGS[1]]


def test_most_own_words_decide_the_language_and_ties_decide_nothing(vocabulary):
    latin, greek = vocabulary.words("topic00", LANGS[0]), vocabulary.words("topic01", LANGS[2])
    texts = [f"{latin[0]} {greek[0]} {greek[1]} .", f"{latin[0]} {greek[0]}", ". ? xyz", ""]
    assert vocabulary.identify(texts) == [LANGS[2], "", "", ""]


def test_all_evaluation_sentences_are_identified_and_carry_their_topic(vocabulary, corpus):
    frame = corpus.evaluation().frame
    assert vocabulary.identify(frame["text"].tolist()) == frame["lang"].tolist()
    counts = vocabulary.counts(frame["text"].tolist()).sum(-1)
    own = np.array([vocabulary.concepts.index(c[0]) for c in frame["concepts"]])
    share = counts[np.arange(len(own)), own].sum() / counts.sum()
    assert 0.85 < share < 0.97  # 8 % of the slots take another topic


def test_shares_sum_to_one_and_ids_count_as_their_text_does(vocabulary):
    a, b = vocabulary.words("topic00", LANGS[0])[0], vocabulary.words("topic05", LANGS[3])[0]
    text = f"{a} {b} {a} {a} ."
    shares = vocabulary.shares([text])
    assert float(shares.sel(concept="topic00", lang=LANGS[0])) == 0.75
    assert float(shares.sum()) == pytest.approx(1)
    ids = vocabulary.tokenizer(text)["input_ids"]
    np.testing.assert_array_equal(vocabulary.counts([ids]), vocabulary.counts([text]))
    assert bool(vocabulary.shares(["."]).isnull().all())


def test_frames_are_topic_free_verbs(vocabulary):
    frames = vocabulary.frames(LANGS[1])
    assert len(frames) == g.FREE_VERBS
    assert all(frame.endswith(" .") for frame in frames)
    assert vocabulary.counts(frames).sum() == 0
    assert set(vocabulary.identify(frames)) == {LANGS[1]}


def test_translations_say_the_same_lemma_and_are_never_the_same_string(vocabulary, corpus):
    table = vocabulary.translations()
    assert list(table.columns) == ["lang_a", "lang_b", "word_a", "word_b"]
    kept = g.LEMMAS - len(corpus.grammar.anchor_lemmas())
    assert (table.groupby(["lang_a", "lang_b"]).size() == kept).all()
    assert len(table) == 6 * kept  # every pair of four languages once
    assert (table["word_a"] != table["word_b"]).all()
    lemma = [{word: at for at, word in enumerate(own)} for own in corpus.words]
    place = {lang: lemma[index] for index, lang in enumerate(LANGS)}
    for row in table.itertuples():
        assert place[row.lang_a][row.word_a] == place[row.lang_b][row.word_b]
    anchors = {own[at] for own in corpus.words for at in corpus.grammar.anchor_lemmas()}
    assert anchors.isdisjoint({*table["word_a"], *table["word_b"]})


def test_token_translations_go_both_ways_and_never_within_a_language(vocabulary):
    found = vocabulary.token_translations()
    assert len(found) == 4 * (g.LEMMAS - 32)
    lang = vocabulary.table.set_index("word")["lang"]
    for one, others in list(found.items())[::50]:
        assert all(one in found[other] for other in others)
        words = vocabulary.tokenizer.convert_ids_to_tokens([one, *others])
        assert sorted(lang[words]) == sorted(LANGS)
        assert others == sorted(others)


def test_in_the_control_every_word_has_its_translations(tmp_path):
    found = Vocabulary.of(run_of(tmp_path, "control")).token_translations()
    assert len(found) == 4 * g.LEMMAS


def test_strangers_are_refused_by_name(tmp_path, vocabulary):
    with pytest.raises(ValueError, match=r"got no readable lab\.json; expected a folder"):
        Vocabulary.of(tmp_path)
    with pytest.raises(ValueError, match="got preset 'clone', whose words come from a text; valid"):
        Vocabulary.of(run_of(tmp_path / "clone", "clone"))
    with pytest.raises(ValueError, match="got concept 'war'; valid are topic00"):
        vocabulary.words("war", LANGS[0])
    with pytest.raises(ValueError, match="got language 'eng_Latn'; valid are qaa_Latn"):
        vocabulary.frames("eng_Latn")
