"""Word vectors from sub-words, and no type more often than the cap."""

import numpy as np
import pytest

from neurotrace.geometry.word_vectors import capped, word_vectors

STATES = np.array([[1.0, 0], [2, 0], [6, 0], [9, 9], [4, 4]])
WORDS = [0, 0, 0, -1, 1]


@pytest.mark.parametrize(("pool", "first"), [("last", 6), ("first", 1), ("mean", 3)])
def test_a_word_is_its_last_first_or_mean_subword(pool, first):
    assert word_vectors(STATES, WORDS, pool=pool).tolist() == [[first, 0], [4, 4]]


def test_numbers_need_not_stand_in_order():
    order = [4, 3, 0, 1, 2]
    moved = word_vectors(STATES[order], np.array(WORDS)[order])
    assert moved.tolist() == word_vectors(STATES, WORDS).tolist()


@pytest.mark.parametrize(
    ("words", "pool", "message"),
    [
        ([0, 0, 2, 2, 2], "last", "got no token of word 1"),
        ([-1] * 5, "last", "got no token of word any"),
        ([0, 1], "last", "got states of shape"),
        (WORDS, "max", "got pool 'max'; valid are last, first, mean"),
        ([0.0, 0, 0, 0, 1], "last", "expected whole numbers"),
    ],
)
def test_unfit_words_are_refused(words, pool, message):
    with pytest.raises(ValueError, match=message):
        word_vectors(STATES, words, pool=pool)


def test_the_first_occurrences_are_kept_in_corpus_order():
    words = ["the"] * 20 + ["dog"] * 2
    assert capped(words).tolist() == [*range(15), 20, 21]


def test_a_string_of_two_languages_is_two_types():
    assert capped(["a", "a"], ["de", "en"], cap=1).tolist() == [0, 1]
    assert capped(["a", "a"], ["de", "de"], cap=1).tolist() == [0]


def test_drawn_occurrences_come_from_everywhere_and_from_the_seed():
    words = ["the"] * 300
    kept = capped(words, cap=30, order="drawn", seed=1)
    assert len(kept) == 30
    assert kept.max() > 200
    assert (np.diff(kept) > 0).all()
    assert kept.tolist() == capped(words, cap=30, order="drawn", seed=1).tolist()
    assert kept.tolist() != capped(words, cap=30, order="drawn", seed=2).tolist()


def test_unfit_caps_are_refused():
    with pytest.raises(ValueError, match="got cap=0"):
        capped(["a"], cap=0)
    with pytest.raises(ValueError, match="valid are corpus, drawn"):
        capped(["a"], order="random")
    with pytest.raises(ValueError, match="got 1 words and 2 languages"):
        capped(["a"], ["de", "en"])
