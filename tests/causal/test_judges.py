"""Claims about the judges of generated texts, with counts made by hand."""

import numpy as np
import pytest

from neurotrace.causal.judges import (
    LanguageIdentifier,
    LexiconJudge,
    WordLists,
    degenerate,
    distinct,
)
from neurotrace.concepts import Lexicon, identifier

ENG, DEU, ZHO = "eng_Latn", "deu_Latn", "zho_Hans"
LISTS = {
    ("war", ENG): ["war", "battle"], ("war", DEU): ["Krieg", "Opfer"],
    ("rain", ENG): ["rain"], ("rain", DEU): ["Regen", "war"],
}  # fmt: skip


@pytest.fixture(scope="module")
def lists() -> WordLists:
    return WordLists(("war", "rain"), (ENG, DEU), LISTS)


@pytest.fixture(scope="module")
def lexicon() -> LexiconJudge:
    forms = {
        "war": {ENG: ("war*", "cease fire"), ZHO: ("战争", "大战争")},
        "rain": {ENG: ("rain*",)},
    }
    return LexiconJudge(Lexicon(forms), ("war", "rain"), (ENG, ZHO))


def test_words_count_for_their_concept_and_language_whatever_the_text_is_in(lists):
    found, content = lists.counts(["Battle, KRIEG; rain? krieg!"], [ENG])
    assert found[0].tolist() == [[1, 2], [1, 0]]
    assert content[0].tolist() == [2, 2]


@pytest.mark.parametrize(("lang", "place"), [(ENG, (0, 0)), (DEU, (1, 1)), ("", None)])
def test_a_word_of_two_languages_counts_in_the_text_s_own(lists, lang, place):
    found, _ = lists.counts(["war"], [lang])
    assert found.sum() == (place is not None)
    assert place is None or found[(0, *place)] == 1


def test_one_word_for_two_concepts_of_a_language_is_refused():
    with pytest.raises(ValueError, match="got 'war' in eng_Latn for war and rain; expected it for"):
        WordLists(("war", "rain"), (ENG,), {("war", ENG): ["war"], ("rain", ENG): ["War"]})
    with pytest.raises(ValueError, match="got words of 'snow' in 'eng_Latn'; valid concepts are"):
        WordLists(("war",), (ENG,), {("snow", ENG): ["snow"]})


def test_forms_of_a_lexicon_are_counted_of_all_words(lexicon):
    text = "The wars and the war: a cease fire before the rain."
    found, content = lexicon.counts([text], [ENG])
    assert found[0].tolist() == [[4, 0], [1, 0]]  # wars, war, and the two words of "cease fire"
    assert content[0].tolist() == [11, 0]


def test_without_spaces_letters_that_lie_in_a_form_are_counted(lexicon):
    found, content = lexicon.counts(["大战争,战争了"], [ZHO])
    assert found[0].tolist() == [[0, 5], [0, 0]]
    assert content[0].tolist() == [0, 6]


def test_a_lexicon_counts_nothing_in_texts_without_a_language(lexicon):
    found, content = lexicon.counts(["war war", "war"], ["", DEU])
    assert found.sum() == 0
    assert content.sum() == 0


def test_counts_of_texts_do_not_depend_on_their_order(lexicon, lists):
    texts, langs = ["war", "rain rain", "大战争", "x"], [ENG, ENG, ZHO, ""]
    for judge in (lexicon, lists):
        there, _ = judge.counts(texts, langs)
        back, _ = judge.counts(texts[::-1], langs[::-1])
        np.testing.assert_array_equal(there, back[::-1])


@pytest.mark.parametrize(
    ("ids", "n", "expected"),
    [([1, 2, 3, 4], 2, 1.0), ([5, 5, 5, 5, 5], 2, 0.25), ([1, 2, 1, 2], 1, 0.5)],
)
def test_distinct_n_counts_different_n_grams(ids, n, expected):
    assert distinct(ids, n=n) == expected


def test_too_short_a_text_has_no_distinct_2():
    assert np.isnan(distinct([3]))


def test_loops_scraps_and_texts_of_no_language_are_degenerate():
    found = degenerate([0.9, 0.5, 0.49, np.nan, 0.9], [ENG, ENG, ENG, ENG, ""])
    assert found.tolist() == [False, False, True, True, True]


@pytest.mark.skipif(not identifier.available(), reason="needs the extra `language`")
def test_real_languages_come_back_under_the_set_s_own_codes():
    identify = LanguageIdentifier.of((ENG, "arb_Arab", DEU))
    texts = [
        "The river was full of water after the storm.",
        "Der Fluss war nach dem Sturm voller Wasser.",
        "كان النهر ممتلئا بالماء",
        "12 34",
    ]
    assert identify(texts) == [ENG, DEU, "arb_Arab", ""]


@pytest.mark.skipif(not identifier.available(), reason="needs the extra `language`")
def test_what_is_held_for_english_among_others_is_left_empty():
    identify = LanguageIdentifier.of((DEU, "fra_Latn"))
    assert identify(["The river was full of water after the storm."]) == [""]


@pytest.mark.skipif(not identifier.available(), reason="needs the extra `language`")
def test_languages_that_cannot_be_told_are_refused():
    with pytest.raises(ValueError, match="got deu_Cyrl, which the identifier does not know"):
        LanguageIdentifier.of((ENG, "deu_Cyrl"))
    with pytest.raises(ValueError, match="holds for one language"):
        LanguageIdentifier.of(("lvs_Latn", "lav_Latn"))


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lingua", None)
    with pytest.raises(ImportError, match=r"neurotrace\[language\]"):
        LanguageIdentifier.of((ENG, DEU))
