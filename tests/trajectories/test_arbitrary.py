"""Arbitrary words: as frequent as the concept, on both halves, and none where none are written."""

import numpy as np
import pytest
from planted import Stage

from neurotrace.trajectories import label_counts
from neurotrace.trajectories.arbitrary import arbitrary_words

WORDS = {"rare": 8, "common": 30, "often": 60}


def sentences(n: int, rng: np.random.Generator) -> list[str]:
    """n sentences with each word in as many as planted, "the" in all and a name in each."""
    table = [{f"name{number}", "The"} for number in range(n)]
    for word, count in WORDS.items():
        for number in rng.permutation(n)[:count]:
            table[number].add(word)
    return [" ".join(sorted(words)) + "." for words in table]


@pytest.mark.parametrize(("positives", "word"), [(9, "rare"), (25, "common"), (80, "often")])
def test_the_word_is_about_as_frequent_as_the_concept(monkeypatch, positives, word):
    monkeypatch.setattr("neurotrace.trajectories.arbitrary.NEAREST", 1)
    texts = sentences(100, np.random.default_rng(0))
    labels = (np.arange(100) < positives)[:, None].astype(np.int8)
    found = arbitrary_words(texts, np.array(["qaa"] * 100), labels, np.arange(100) % 2 == 0)
    assert found[:, 0].tolist() == [int(word in text) for text in texts]


def test_words_are_different_ones_and_the_seed_decides():
    texts = sentences(100, np.random.default_rng(0))
    labels, langs = np.eye(3, dtype=np.int8).repeat(34, 0)[:100], np.array(["qaa"] * 100)
    first, again, other = (
        arbitrary_words(texts, langs, labels, np.arange(100) % 2 == 0, seed=seed)
        for seed in (0, 0, 2)
    )
    assert sorted(first.sum(0)) == sorted(WORDS.values())
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_without_blanks_there_are_no_words():
    labels = np.ones((4, 1), np.int8)
    half = np.array([True, True, False, False])
    assert arbitrary_words(["一", "二", "三", "四"], np.array(["zho"] * 4), labels, half) is None


def test_neurons_of_arbitrary_words_are_counted_beside_those_of_concepts(tmp_path):
    stage = Stage(n_concepts=3, n_groups=30, n_langs=2, widths=(60,))
    rng = np.random.default_rng(1)
    texts = [text for _ in range(2) for text in sentences(90, rng)]
    X = rng.standard_normal((180, 60))
    X[:, :12] += 8 * np.array(["common" in text for text in texts])[:, None]
    X[:, 20:24] += 8 * (stage.concept == 0)[:, None]
    store = stage.write(tmp_path, {0: X})
    found = label_counts(store, texts=texts, replicates=2).isel(step=0)
    assert float(found["shared"]) == 4
    assert float(found["shared_words"] + found["one_language_words"]) == 12
    assert np.isnan(label_counts(store, replicates=2)["shared_words"]).all()
