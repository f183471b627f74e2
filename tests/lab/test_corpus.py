"""Claims about the generated corpus: paired presets, full rows, clean evaluation sentences."""

import time

import numpy as np
import pytest

from neurotrace.lab import grammar as g
from neurotrace.lab.corpus import GrammarCorpus
from neurotrace.lab.preset import PRESETS
from neurotrace.lab.tokenizer import BOS_ID, PAD_ID, UNK_ID


@pytest.fixture(scope="module")
def corpora() -> dict[str, GrammarCorpus]:
    names = ("tiny", "default", "control", "late", "slow", "strong", "imbalanced")
    return {name: GrammarCorpus(PRESETS[name], seed=0) for name in names}


def test_rows_are_bos_and_32_tokens_without_padding(corpora):
    rows = np.concatenate([corpora["default"].batch(update) for update in range(1, 40)])
    assert rows.shape == (39 * 32, 33)
    assert (rows[:, 0] == BOS_ID).all()
    assert not np.isin(rows[:, 1:], [PAD_ID, BOS_ID, UNK_ID]).any()


@pytest.mark.parametrize("name", ["tiny", "strong"])
def test_presets_that_change_no_words_have_equal_batches(corpora, name):
    for update in (1, 33, 257):
        expected = corpora["default"].batch(update)
        np.testing.assert_array_equal(corpora[name].batch(update), expected)


@pytest.mark.parametrize("name", ["control", "late", "strong", "tiny"])
def test_presets_share_their_latent_documents(corpora, name):
    for field, values in vars(corpora["default"].meanings(2)).items():
        np.testing.assert_array_equal(vars(corpora[name].meanings(2))[field], values)


def test_control_differs_from_default_in_the_anchors_alone(corpora):
    default, control = corpora["default"].batch(5), corpora["control"].batch(5)
    differs = default != control
    assert 0.01 < differs.mean() < 0.2
    assert np.isin(default[differs], corpora["default"].shared_ids).all()
    first = corpora["default"].meanings(0).language[4 * 32 : 5 * 32] == 0
    assert not differs[first].any()  # shared nouns are the first language's


def test_late_shares_from_update_513_on(corpora):
    for update in (1, 511, 512):
        expected = corpora["control"].batch(update)
        np.testing.assert_array_equal(corpora["late"].batch(update), expected)
    for update in (513, 514, 1500):
        expected = corpora["default"].batch(update)
        np.testing.assert_array_equal(corpora["late"].batch(update), expected)


def test_languages_share_the_anchors_and_nothing_else(corpora):
    used = _ids_by_language(corpora["default"])
    for a in range(4):
        for b in range(a):
            common = used[a] & used[b]
            assert common == set(corpora["default"].shared_ids)
    assert len(corpora["default"].shared_ids) == 2 * g.TOPICS


def test_control_shares_no_word(corpora):
    used = _ids_by_language(corpora["control"])
    assert all(not used[a] & used[b] for a in range(4) for b in range(a))
    assert corpora["control"].shared_ids == []


def test_slow_shares_the_same_nouns_but_less_often(corpora):
    default, slow = corpora["default"], corpora["slow"]
    assert slow.shared_ids == default.shared_ids
    often = [
        np.mean([np.isin(c.batch(update), c.shared_ids).mean() for update in range(1, 33)])
        for c in (default, slow)
    ]
    assert often[1] < 0.7 * often[0]


def test_imbalanced_has_its_mix(corpora):
    language = np.concatenate([corpora["imbalanced"].meanings(b).language for b in range(6)])
    shares = np.bincount(language) / len(language)
    np.testing.assert_allclose(shares, [0.70, 0.15, 0.10, 0.05], atol=0.02)


def test_documents_do_not_depend_on_the_order_of_reading(corpora):
    late = corpora["default"].batch(70)
    corpora["default"].batch(1)
    np.testing.assert_array_equal(corpora["default"].batch(70), late)
    np.testing.assert_array_equal(GrammarCorpus(PRESETS["default"], seed=0).batch(70), late)
    assert not (GrammarCorpus(PRESETS["default"], seed=1).batch(70) == late).all()


def test_evaluation_is_512_groups_in_four_languages_without_shared_words(corpora):
    corpus = corpora["default"]
    concepts = corpus.evaluation()
    frame = concepts.frame
    assert len(frame) == 2048
    assert frame["group"].nunique() == 512
    assert concepts.concepts == [f"topic{n:02d}" for n in range(16)]
    assert (concepts.labels().sum(axis=0) == 32 * 4).all()
    assert frame["lexical"].all()
    assert not frame["cognate"].any()
    ids = corpus.tokenizer(frame["text"].tolist())["input_ids"]
    flat = np.concatenate([np.array(row) for row in ids])
    assert not np.isin(flat, corpus.shared_ids).any()
    assert UNK_ID not in flat
    ends = [text.replace("?", ".").count(".") for text in frame["text"]]
    assert set(ends) == {2}


def test_evaluation_languages_have_no_word_in_common(corpora):
    frame = corpora["default"].evaluation().frame
    used = [set(" ".join(rows).split()) - {".", "?"} for _, rows in frame.groupby("lang")["text"]]
    assert all(not used[a] & used[b] for a in range(4) for b in range(a))


def test_all_presets_of_a_seed_are_evaluated_on_the_same_sentences(corpora):
    digests = {corpus.evaluation().digest for corpus in corpora.values()}
    assert len(digests) == 1
    assert GrammarCorpus(PRESETS["default"], seed=1).evaluation().digest not in digests


def test_the_corpus_takes_less_time_than_training_on_it():
    corpus = GrammarCorpus(PRESETS["default"], seed=2)
    start = time.process_time()
    for update in range(1, 151):
        corpus.batch(update)
    assert time.process_time() - start < 150 * 0.020  # an update trains for about 0.04 s


def _ids_by_language(corpus: GrammarCorpus) -> list[set[int]]:
    used: list[set[int]] = [set() for _ in range(4)]
    for block in range(5):
        language = corpus.meanings(block).language
        for index in range(32):
            rows = corpus.batch(block * 32 + index + 1)
            for row, lang in zip(rows, language[index * 32 :], strict=False):
                used[lang].update(row.tolist())
    marks = {BOS_ID, *corpus.tokenizer.convert_tokens_to_ids([".", "?"])}
    return [ids - marks for ids in used]
