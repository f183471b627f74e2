"""Each check sees the fault that is planted for it, and no other check does."""

import sys

import numpy as np
import pandas as pd
import pytest
from concepts.invented_set import (
    CONCEPTS,
    LANGS,
    N_GROUPS,
    frame,
    invented,
    lexicon,
    lexicon_file,
    own_word,
    word,
)

from neurotrace.concepts import ConceptSet, surface
from neurotrace.concepts.checks import CHECKS, FIGURES, check, check_file
from neurotrace.concepts.lexicon import Lexicon

LATIN, OTHER, CYRILLIC, HAN = LANGS


def checked(concepts: ConceptSet, words: Lexicon | None = None) -> pd.DataFrame:
    return check(concepts, lexicon=words or lexicon(), identify=False)


def found(table: pd.DataFrame) -> dict[str, str]:
    """Checks that are not ok, beside the identifier, which is not asked."""
    rows = table[(table["verdict"] != "ok") & ~table["check"].isin([*FIGURES, "language"])]
    return dict(zip(rows["check"], rows["verdict"], strict=True))


def row_of(table: pd.DataFrame, group: str, lang: str) -> int:
    return table.index[(table["group"] == group) & (table["lang"] == lang)][0]


def planted(group: str, lang: str, change) -> pd.DataFrame:
    """The invented sentences, one of them changed; -02 lacks the concept's word."""
    table = frame()
    at = row_of(table, group, lang)
    table.loc[at, "text"] = change(table.loc[at, "text"])
    return table


def without_first_words(text: str) -> str:
    return " ".join(text.split()[-3:])


def with_one_word_changed(text: str) -> str:
    words = text.split()
    return " ".join([*words[:4], word(LATIN, np.random.default_rng(9)), *words[5:]])


def copied(lang: str, change) -> pd.DataFrame:
    table = frame()
    source, at = row_of(table, "rain-02", lang), row_of(table, "rain-05", lang)
    table.loc[at, "text"] = change(table.loc[source, "text"])
    return table


def test_a_good_set_passes_every_check():
    table = checked(invented())
    assert found(table) == {}
    assert set(table["check"]) == {*CHECKS, *FIGURES} - {"file"}
    by_lang = table[table["subject"] != ""].groupby("check")["subject"].apply(list)
    assert (by_lang.map(sorted) == pd.Series([LANGS] * len(by_lang), by_lang.index)).all()


TEXT_FAULTS = {
    "unicode": ("error", LATIN, lambda t: t.replace(t[0], "e\N{COMBINING ACUTE ACCENT}", 1)),
    "length": ("note", LATIN, without_first_words),
    "digits": ("note", CYRILLIC, lambda t: f"7 {t}"),
    "script": ("error", CYRILLIC, lambda _t: "Wholly anders szczur gjorde vihreä kwam lugar."),
    "lexical": ("error", HAN, lambda t: t[:4] + own_word("rain", HAN) + t[4:]),
    "other words": ("error", OTHER, lambda t: f"{own_word('bread', OTHER)} {t}"),
}


@pytest.mark.parametrize(("name", "fault"), TEXT_FAULTS.items(), ids=TEXT_FAULTS)
def test_a_fault_in_one_sentence_is_seen_by_its_check_alone(name, fault):
    verdict, lang, change = fault
    table = checked(invented(planted("rain-02", lang, change)))
    assert found(table) == {name: verdict}
    bad = table[(table["check"] == name) & (table["verdict"] == verdict)]
    assert bad["subject"].tolist() == [lang]
    assert bad["detail"].str.startswith("rain-02 '").all()


@pytest.mark.parametrize(
    ("lang", "change", "name"),
    [
        (LATIN, lambda t: f"{t.upper()[:-1]}!", "duplicates"),
        (HAN, lambda t: f"，{t[:-1]}！", "duplicates"),
        (LATIN, with_one_word_changed, "near-duplicates"),
        (HAN, lambda t: f"{t[:5]}\u4e01{t[6:12]}\u4e01{t[13:]}", "near-duplicates"),
    ],
)
def test_copies_are_errors(lang, change, name):
    table = checked(invented(copied(lang, change)))
    assert found(table) == {name: "error"}
    bad = table[(table["check"] == name) & (table["verdict"] == "error")].iloc[0]
    assert bad["subject"] == lang
    assert "rain-02" in bad["detail"]
    assert "rain-05" in bad["detail"]


def test_marks_are_held_to_the_words_both_ways():
    table = frame()
    table.loc[row_of(table, "rain-00", LATIN), "lexical"] = False
    table.loc[row_of(table, "rain-02", CYRILLIC), "lexical"] = True
    result = checked(invented(table))
    assert found(result) == {"lexical": "error"}
    told = result[result["check"] == "lexical"].set_index("subject")["detail"]
    assert f"marked not lexical, holds {own_word('rain', LATIN)}" in told[LATIN]
    assert "marked lexical, holds no form of rain" in told[CYRILLIC]


def test_what_carries_two_concepts_is_lexical_when_both_words_stand():
    at = planted("rain-00", LATIN, lambda t: f"{own_word('bread', LATIN)} {t}")
    both = at["group"] == "rain-00"
    at.loc[both, "text"] = [
        f"{own_word('bread', lang)}{'' if lang == HAN else ' '}{text}"
        for lang, text in zip(at.loc[both, "lang"], at.loc[both, "text"], strict=True)
    ]
    at["concepts"] = [("bread", "rain") if two else () for two in both]
    assert found(checked(invented(at))) == {}
    at.loc[row_of(at, "rain-00", LATIN), "lexical"] = False
    assert found(checked(invented(at))) == {"lexical": "error"}


def test_what_is_not_judged_for_a_concept_may_hold_its_word():
    table = planted("rain-02", OTHER, lambda t: f"{own_word('bread', OTHER)} {t}")
    table["negative_for"] = [[c for c in CONCEPTS if c != own] for own in table["concept"]]
    assert found(checked(invented(table))) == {"other words": "error"}
    for lang in LANGS:
        table.at[row_of(table, "rain-02", lang), "negative_for"] = ["river"]
    assert found(checked(invented(table))) == {}


@pytest.mark.parametrize(
    ("mark", "verdict"), [("none", {"shared strings": "note"}), ("elsewhere", None), ("there", {})]
)
def test_shared_strings_are_an_error_where_the_set_marks_cognates(mark, verdict):
    table = frame()
    for lang in (LATIN, OTHER):
        at = row_of(table, "river-02", lang)
        table.loc[at, "text"] = f"telegraph {table.loc[at, 'text']}"
    marked = {"none": "nowhere", "elsewhere": "river-05", "there": "river-02"}[mark]
    table["cognate"] = table["group"] == marked
    result = checked(invented(table))
    assert found(result) == ({"shared strings": "error"} if verdict is None else verdict)
    bad = result[(result["check"] == "shared strings") & (result["figure"] > 0)]
    assert bad["subject"].tolist() == ([] if mark == "there" else [LATIN, OTHER])


def test_concepts_told_by_length_are_an_error():
    table = frame()
    rng = np.random.default_rng(5)
    long = (table["concept"] == "bread") & (table["lang"] == LATIN)
    extra = (" ".join(word(LATIN, rng) for _ in range(4)) for _ in range(N_GROUPS))
    table.loc[long, "text"] = [
        f"{more} {text}" for more, text in zip(extra, table.loc[long, "text"], strict=True)
    ]
    result = checked(invented(table))
    assert found(result) == {"length probe": "error"}
    bad = result[(result["check"] == "length probe") & (result["verdict"] == "error")]
    assert bad["subject"].tolist() == [LATIN]
    assert "furthest is bread, 83." in bad["detail"].item()


def test_what_a_header_lacks_is_a_note():
    result = checked(invented(licence=None, about=None))
    assert found(result) == {"header": "note"}
    assert result.loc[result["check"] == "header", "detail"].item() == "no licence; no about"


def test_a_language_only_the_set_knows_is_a_note_and_its_script_is_not_checked():
    table = frame().replace({"lang": {LATIN: "elvish"}})
    words = {c: {lang.replace(LATIN, "elvish"): f for lang, f in forms.items()}
             for c, forms in lexicon().forms.items()}  # fmt: skip
    result = checked(invented(table, languages=["elvish", *LANGS[1:]]), Lexicon(words))
    assert found(result) == {"codes": "note", "script": "not checked"}


def test_a_hole_is_an_error_and_no_question_where_groups_need_not_match():
    whole = invented()
    holed = ConceptSet(whole.frame.iloc[1:].reset_index(drop=True), whole.header)
    assert found(checked(holed)) == {"groups": "error"}
    loose = ConceptSet(holed.frame, {**whole.header, "parallel": False})
    assert found(checked(loose)) == {"groups": "not checked"}


def test_without_lexicon_or_with_half_of_one_words_are_not_checked():
    table = check(invented(), identify=False)
    expected = dict.fromkeys(("lexicon", "lexical", "other words"), "not checked")
    assert found(table) == expected
    half = Lexicon({c: {LATIN: f[LATIN]} for c, f in lexicon().forms.items() if c != "river"})
    result = checked(invented(), half).set_index(["check", "subject"])
    assert result.loc[("lexicon", LATIN), "detail"] == "no forms for river"
    assert result.loc[("lexicon", LATIN), "verdict"] == "not checked"
    assert result.loc[("lexical", LATIN), "verdict"] == "ok"
    assert result.loc[("lexical", HAN), "verdict"] == "not checked"


def test_too_few_groups_leave_the_probes_unchecked(monkeypatch):
    def none(*_arguments, **_options):
        raise ValueError("got 1 group(s)")

    monkeypatch.setattr(surface, "length_probe", none)
    monkeypatch.setattr(surface, "ngram_probe", none)
    table = checked(invented())
    assert found(table) == {"length probe": "not checked"}
    assert (table.loc[table["check"].str.startswith("n-gram"), "verdict"] == "not checked").all()


def test_the_lexicon_beside_a_file_is_found(tmp_path):
    path = invented().to_jsonl(tmp_path / "mine.jsonl")
    assert found(check_file(path, identify=False))["lexical"] == "not checked"
    lexicon_file(tmp_path / "mine.lexicon.tsv")
    assert found(check_file(path, identify=False)) == {}


def test_what_loading_refuses_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b'{"name": "\xff"}\n')
    table = check_file(path)
    assert table[["check", "verdict"]].values.tolist() == [["file", "error"]]
    assert table["detail"].str.startswith("mine.jsonl").all()
    with pytest.raises(FileNotFoundError, match="looked in"):
        check_file(tmp_path / "nowhere.jsonl")


def test_without_the_extra_languages_are_not_checked(monkeypatch):
    monkeypatch.setitem(sys.modules, "lingua", None)
    rows = check(invented(), lexicon=lexicon()).set_index("check").loc["language"]
    assert set(rows["verdict"]) == {"not checked"}
    assert rows["detail"].str.contains("pip install 'neurotrace[language]'", regex=False).all()
