"""Language codes: every form of one language is one code, and nothing unknown slips through."""

import sys
from types import ModuleType

import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet, languages


@pytest.mark.parametrize(
    "given", ["de", "deu", "ger", "DE", "de-AT", "de_DE", "deu-latn", "deu_Latn"]
)
def test_every_form_of_a_language_is_one_code(given):
    assert languages.code(given) == "deu_Latn"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("pt-BR", "por_Latn"), ("zh", "zho_Hans"), ("zh-TW", "zho_Hant"), ("cmn", "zho_Hans"),
        ("ja", "jpn_Jpan"), ("ko", "kor_Hang"), ("hi", "hin_Deva"), ("el", "ell_Grek"),
        ("sr", "srp_Cyrl"), ("sr-Latn", "srp_Latn"), ("iw", "heb_Hebr"), ("grc", "grc_Grek"),
    ],
)  # fmt: skip
def test_a_missing_script_is_the_usual_one(given, expected):
    assert languages.code(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ara", "arb_Arab"), ("ar", "arb_Arab"), ("sw", "swh_Latn"), ("fas", "pes_Arab"),
        ("lv", "lvs_Latn"), ("no", "nob_Latn"), ("ms", "zsm_Latn"), ("tl", "tgl_Latn"),
        ("fil", "tgl_Latn"), ("mn", "khk_Cyrl"), ("sq", "als_Latn"), ("prs", "prs_Arab"),
        ("azb", "azb_Arab"), ("yi", "ydd_Hebr"), ("ps", "pbt_Arab"), ("uz", "uzn_Latn"),
    ],
)  # fmt: skip
def test_a_macrolanguage_becomes_the_individual_language_of_flores(given, expected):
    assert languages.code(given) == expected
    assert languages.code(expected) == expected
    assert languages.code(expected[:3]) == expected


@pytest.mark.parametrize(
    "given", ["ara_Arab", "zho_Hans", "rus_Latn", "qaa_Latn", "qtz_Cyrl", "aaa_Latn"]
)
def test_flores_style_stays_as_it_is(given):
    assert languages.code(given) == given


@pytest.mark.parametrize(
    "given",
    ["zzz_Latn", "eng_Xxxx", "zz", "german", "", " ", "x", "und", "de\n", "ſv", "de_DE.UTF-8",
     "a" * 500, "txt_Orig", "qua_ταξι", None, 3, ["de"], float("nan")],
)  # fmt: skip
def test_what_is_no_language_is_refused_in_one_line(given):
    with pytest.raises(ValueError, match="no known language code; valid are FLORES style") as error:
        languages.code(given)
    assert "\n" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize("given", ["zzz_Latn", "txt_Orig", "my own", "aaa"])
def test_a_declared_code_that_no_register_knows_passes_unchanged(given):
    assert languages.code(given, declared=["eng_Latn", given]) == given
    assert languages.code("de", declared=[given, "de"]) == "deu_Latn"


@pytest.mark.parametrize("given", ["qaa", "aaa"])
def test_a_language_of_unknown_script_is_asked_for_with_it(given):
    with pytest.raises(ValueError, match=f"expected it with its script, such as {given}_Latn"):
        languages.code(given)


def test_a_script_is_read_off_a_code():
    given = ["eng_Latn", "zho_Hant", "qab_Cyrl", "de", "txt_Orig", "my own", ""]
    scripts = [languages.script(code) for code in given]
    assert scripts == ["Latn", "Hant", "Cyrl", "Latn", "Zzzz", "Zzzz", "Zzzz"]


def test_without_the_package_of_names_a_name_is_the_code(monkeypatch, capsys):
    monkeypatch.setattr(languages, "find_spec", lambda _: None)
    assert languages.name("deu_Latn") == "deu_Latn"
    assert capsys.readouterr().out == ""  # langcodes itself prints advice


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("deu_Latn", "German"), ("arb_Arab", "Arabic"), ("rus_Latn", "Russian (Latin)"),
        ("zho_Hans", "Chinese"), ("qaa_Latn", "qaa_Latn"), ("txt_Orig", "txt_Orig"),
    ],
)  # fmt: skip
def test_names_are_english_where_the_package_is(code, name, monkeypatch):
    english = {"de": "German", "ar": "Arabic", "ru": "Russian", "zh": "Chinese", "Latn": "Latin"}
    fake = ModuleType("language_data.names")
    fake.code_to_names = lambda code: {"en": english[code]}
    monkeypatch.setitem(sys.modules, "language_data", ModuleType("language_data"))
    monkeypatch.setitem(sys.modules, "language_data.names", fake)
    monkeypatch.setattr(languages, "find_spec", lambda _: fake)
    assert languages.name(code) == name


def frame(*langs: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"group": f"g{at}", "lang": lang, "text": f"{lang} {at}", "concept": "ab"[at % 2]}
            for at in range(4)
            for lang in langs
        ]
    )


def test_a_set_speaks_flores_whatever_its_rows_say():
    assert ConceptSet.from_frame(frame("de", "fra", "zh-TW")).languages == [
        "deu_Latn", "fra_Latn", "zho_Hant",
    ]  # fmt: skip


def test_a_set_keeps_codes_that_its_header_declares():
    made = ConceptSet.from_frame(frame("txt_Orig", "en"), header={"languages": ["txt_Orig", "en"]})
    assert made.languages == ["txt_Orig", "eng_Latn"]


def test_an_unknown_code_that_nobody_declared_is_refused():
    with pytest.raises(ValueError, match="got 'txt_Orig', no known language code"):
        ConceptSet.from_frame(frame("txt_Orig", "en"))
    with pytest.raises(ValueError, match="got rows in txt_Orig; the header names eng_Latn"):
        ConceptSet.from_frame(frame("txt_Orig", "en"), header={"languages": ["eng_Latn"]})


def test_two_forms_of_one_language_meet_as_duplicates():
    with pytest.raises(ValueError, match="stands twice with the same group and language"):
        ConceptSet.from_frame(frame("de", "deu_Latn"))
