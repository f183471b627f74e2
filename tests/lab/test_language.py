"""Claims about word orders and vocabularies, by hand-made sentences."""

import unicodedata

import numpy as np
import pytest

from neurotrace.lab import grammar as g
from neurotrace.lab.language import LANGUAGES, arrange, pack, words

DOG, BONE, GARDEN = g.NOUN, g.NOUN + 1, g.NOUN + 2
EAT, BIG = g.VERB, g.ADJECTIVE
SPELLED = {
    **dict(enumerate(g.FUNCTION)), DOG: "dog", BONE: "bone", GARDEN: "garden", EAT: "eat",
    BIG: "big", g.FULL_STOP: ".", g.QUESTION_MARK: "?",
}  # fmt: skip


def _sentence(**changes: int | bool) -> g.Meanings:
    said: dict[str, int | bool] = {
        "subject": DOG, "adjective": BIG, "verb": EAT, "object": BONE, "place": GARDEN,
        "negated": False, "past": False, "asked": False, **changes,
    }  # fmt: skip
    plural = np.array([[[False, True, False]]])
    arrays = {name: np.array([[value]]) for name, value in said.items()}
    return g.Meanings(language=np.array([0]), topic=np.array([0]), plural=plural, **arrays)


def _read(index: int, said: g.Meanings) -> str:
    lemmas = arrange(LANGUAGES[index], said)[0, 0]
    return " ".join(SPELLED[lemma] for lemma in lemmas.tolist() if lemma != g.ABSENT)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "the big dog eat the_many bone at the garden ."),
        (1, "dog subject big garden at bone object eat ."),
        (2, "eat the dog big the_many bone at the garden ."),
        (3, "big dog subject at garden bone object eat ."),
    ],
)
def test_each_language_orders_a_sentence_its_own_way(index, expected):
    assert _read(index, _sentence()) == expected


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "whether the dog not past eat ?"),
        (1, "dog subject not eat past whether ?"),
        (2, "whether not past eat the dog ?"),
        (3, "dog subject not eat past whether ?"),
    ],
)
def test_particles_stand_where_the_language_puts_them(index, expected):
    said = _sentence(
        adjective=g.ABSENT, object=g.ABSENT, place=g.ABSENT,
        negated=True, past=True, asked=True,
    )  # fmt: skip
    assert _read(index, said) == expected


def test_vocabularies_are_disjoint_and_each_in_its_script():
    vocabularies = [words(language, seed=3) for language in LANGUAGES]
    together = [word for vocabulary in vocabularies for word in vocabulary]
    assert len(set(together)) == len(together) == 4 * g.LEMMAS
    names = ("LATIN", "CYRILLIC", "GREEK", "HEBREW")
    for name, vocabulary in zip(names, vocabularies, strict=True):
        assert all(unicodedata.name(char).startswith(name) for char in "".join(vocabulary))


def test_words_change_with_the_seed():
    assert words(LANGUAGES[0], seed=0) != words(LANGUAGES[0], seed=1)


def test_codes_are_kept_for_private_use():
    assert [language.code for language in LANGUAGES] == [
        "qaa_Latn", "qab_Cyrl", "qac_Grek", "qad_Hebr",
    ]  # fmt: skip


def test_packing_closes_holes_and_cuts():
    holes = np.array([[-1, 5, -1, 6, 7], [1, -1, 2, -1, -1]])
    np.testing.assert_array_equal(pack(holes, length=3), [[5, 6, 7], [1, 2, -1]])
    np.testing.assert_array_equal(pack(holes, length=2), [[5, 6], [1, 2]])
