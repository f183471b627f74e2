"""The independent identifier, on sentences of our own."""

import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet
from neurotrace.concepts.checks import check
from neurotrace.concepts.identifier import identified_as, identify

pytest.importorskip("lingua")

GERMAN = [
    "Der Bäcker knetet den Teig lange vor Sonnenaufgang.",
    "Auf dem Küchentisch lag ein frischer Laib Brot.",
    "Wir schnitten das Brot noch warm in dicke Scheiben.",
    "Ohne Hefe wird dieser Teig niemals aufgehen.",
    "Seit heute Morgen fällt Regen auf das alte Dach.",
    "Die Kinder springen durch jede Pfütze auf dem Weg.",
    "Der Himmel hinter den Hügeln wurde plötzlich schwarz.",
    "Nach dem Regen roch die ganze Straße nach Erde.",
]
FINNISH = [
    "Leipuri vaivaa taikinaa kauan ennen auringonnousua.",
    "Keittiön pöydällä oli juuri paistettu leipä.",
    "Leikkasimme leivän vielä lämpimänä paksuiksi viipaleiksi.",
    "Ilman hiivaa tämä taikina ei koskaan nouse.",
    "Aamusta asti vanhalle katolle on satanut vettä.",
    "Lapset hyppivät jokaiseen lätäkköön tien varrella.",
    "Taivas kukkuloiden takana muuttui äkkiä mustaksi.",
    "Sateen jälkeen koko katu tuoksui mullalta.",
]


def sentences(german: list[str], second: str = "fin_Latn") -> ConceptSet:
    rows = [
        (f"g{i}", lang, text, "bread" if i < 4 else "rain")
        for lang, texts in (("deu_Latn", german), (second, FINNISH))
        for i, text in enumerate(texts)
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows, columns=["group", "lang", "text", "concept"]))


def read(concepts: ConceptSet) -> pd.DataFrame:
    return check(concepts).set_index(["check", "subject"]).loc["language"]


def test_sentences_in_the_declared_languages_are_ok():
    rows = read(sentences(GERMAN))
    assert rows["verdict"].tolist() == ["ok", "ok"]
    assert rows["figure"].tolist() == [1.0, 1.0]


def test_a_sentence_left_untranslated_is_an_error():
    """Though the set has no English, it is what such a sentence is read as."""
    row = read(sentences([*GERMAN[:7], "After the rain the whole street smelled of soil."]))
    assert row.loc["deu_Latn", "verdict"] == "error"
    assert row.loc["deu_Latn", "figure"] == 7 / 8
    assert row.loc["deu_Latn", "detail"].startswith("g7 'After the rain")
    assert row.loc["deu_Latn", "detail"].endswith("(read as eng)")


def test_a_language_it_does_not_know_is_not_checked():
    rows = read(sentences(GERMAN, "qaa_Latn"))
    assert rows["verdict"].to_dict() == {"deu_Latn": "ok", "qaa_Latn": "not checked"}


@pytest.mark.parametrize(
    ("lang", "iso"),
    [
        ("arb_Arab", "ara"), ("swh_Latn", "swa"), ("zho_Hans", "zho"), ("zho_Hant", "zho"),
        ("hin_Deva", "hin"), ("ell_Grek", "ell"), ("jpn_Jpan", "jpn"), ("rus_Cyrl", "rus"),
        ("de", "deu"), ("rus_Latn", None), ("deu_Grek", None), ("qaa_Latn", None),
        ("arz_Arab", None), ("elvish", None),
    ],
)  # fmt: skip
def test_codes_are_known_in_their_own_script(lang, iso):
    assert identified_as(lang) == iso


def test_one_language_is_told_from_english_and_english_from_french():
    assert identify([GERMAN[0], "There was bread on the table."], languages=["deu"]) == [
        "deu",
        "eng",
    ]
    assert identify(["Il y avait du pain sur la table."], languages=["eng"]) == ["fra"]
    with pytest.raises(ValueError, match="got language xxx; the identifier knows afr"):
        identify(["x"], languages=["xxx"])
