"""A lexicon is held against the set: a concept it misspells, a language it has beyond the set's."""

from concepts.invented_set import LANGS, invented, lexicon

from neurotrace.concepts.checks import check
from neurotrace.concepts.lexicon import Lexicon


def whole_lexicon_rows(words: Lexicon, concepts=None) -> list[list]:
    table = check(concepts or invented(), lexicon=words, identify=False)
    rows = table[(table["check"] == "lexicon") & (table["subject"] == "")]
    return rows[["figure", "bound", "verdict", "detail"]].values.tolist()


def test_a_concept_that_the_set_lacks_is_an_error():
    forms = dict(lexicon().forms)
    words = Lexicon({**forms, "dgo": forms["rain"]})
    detail = "lexicon names concept 'dgo', which the set lacks"
    assert whole_lexicon_rows(words) == [[0.75, 1, "error", detail]]


def test_languages_beyond_a_selection_are_a_note():
    some = invented().select(languages=LANGS[:3])
    detail = "lexicon names language qad_Hans, which the set lacks"
    assert whole_lexicon_rows(lexicon(), some) == [[1, 1, "note", detail]]
    assert whole_lexicon_rows(lexicon()) == []
