"""Romanised twins: the same sentences in Latin letters, under the twin's own code."""

import sys

import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet

pytest.importorskip("uroman")

TEXTS = {
    "rus_Cyrl": ["Собака спит.", "Река шумит."],
    "ell_Grek": ["Ο σκύλος κοιμάται.", "Το ποτάμι βουίζει."],
    "eng_Latn": ["The dog sleeps.", "The river roars."],
}


@pytest.fixture
def concepts() -> ConceptSet:
    return ConceptSet.from_frame(
        pd.DataFrame(
            {"group": f"g{i}", "lang": lang, "text": text, "concept": ["dog", "river"][i]}
            for lang, texts in TEXTS.items()
            for i, text in enumerate(texts)
        )
    )


def test_a_twin_says_the_same_in_latin_letters(concepts):
    both = concepts.romanised(["ru"])
    assert both.languages == ["rus_Cyrl", "ell_Grek", "eng_Latn", "rus_Latn"]
    twin = both.frame[both.frame["lang"] == "rus_Latn"]
    assert twin["text"].tolist() == ["Sobaka spit.", "Reka shumit."]
    assert both.header["romanised"] == ["rus_Latn"]
    assert "rus_Latn" in both.notes[-1]


def test_twins_share_group_concept_and_half_with_their_language(concepts):
    both = concepts.romanised(["ell_Grek"])
    own = both.frame[both.frame["lang"] == "ell_Grek"].drop(columns=["text", "lang"])
    twin = both.frame[both.frame["lang"] == "ell_Latn"].drop(columns=["text", "lang"])
    pd.testing.assert_frame_equal(own.reset_index(drop=True), twin.reset_index(drop=True))
    assert both.labels().shape == (8, 2)


def test_latin_and_absent_languages_are_refused(concepts):
    with pytest.raises(ValueError, match="got eng_Latn to romanise; expected a language in an"):
        concepts.romanised(["eng_Latn"])
    with pytest.raises(ValueError, match="got language hin_Deva; the set has rus_Cyrl"):
        concepts.romanised(["hin_Deva"])


def test_without_uroman_the_extra_is_named(concepts, monkeypatch):
    monkeypatch.setitem(sys.modules, "uroman", None)
    with pytest.raises(ImportError, match=r"pip install 'neurotrace\[language\]'"):
        concepts.romanised(["rus_Cyrl"])


def test_chinese_characters_become_syllables_of_their_own():
    df = pd.DataFrame({"group": ["a", "b"], "lang": "zho_Hans", "text": ["天下雨", "河水"]})
    both = ConceptSet.from_frame(df.assign(concept=["rain", "river"])).romanised("zh")
    assert both.frame["text"].tolist()[2:] == ["tian xia yu", "he shui"]


def test_a_trace_leaves_twins_out_unless_they_are_named(concepts, tmp_path, monkeypatch):
    from neurotrace import road
    from neurotrace.config import TraceConfig

    monkeypatch.setattr(road, "MIN_GROUPS", 1)
    path = str(concepts.romanised("ru").to_jsonl(tmp_path / "both.jsonl"))
    plain = road._sentences(TraceConfig(concepts=path), tmp_path / "none")
    assert (plain.languages, plain.twins) == (["rus_Cyrl", "ell_Grek", "eng_Latn"], [])
    named = TraceConfig(concepts=path, languages=("rus_Cyrl", "rus_Latn"))
    assert road._sentences(named, tmp_path / "none").twins == ["rus_Latn"]
