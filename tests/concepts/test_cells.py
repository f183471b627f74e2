"""Cells and the doors they come by: one rule for frames and files, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet, cells
from neurotrace.concepts.lexicon import Lexicon

LANGS = ["eng_Latn", "deu_Latn"]


def frame(**columns) -> pd.DataFrame:
    rows = [(f"g{n}", lang, f"{lang} {n}", "ab"[n % 2]) for n in range(4) for lang in LANGS]
    made = pd.DataFrame(rows, columns=["group", "lang", "text", "concept"])
    return made.assign(**columns)


@pytest.mark.parametrize("column", ["concept", "concepts", "negative_for"])
@pytest.mark.parametrize("cell", ["dog|wet dog", " wet dog ; dog;", ("dog ", " wet dog")])
def test_names_are_parted_and_stripped_in_every_column(column, cell):
    assert cells.names(column, cell) == ("dog", "wet dog")


@pytest.mark.parametrize("cell", [None, "", " ", ";", (), [], np.nan])
def test_a_cell_may_hold_no_name(cell):
    assert cells.names("concepts", cell) == ()


@pytest.mark.parametrize(
    "cell",
    [
        *("['cat']", "['cat' 'dog']", "('cat',)", "()", "[]", " {'cat'} ", "['a|b']", "cat, dog"),
        *(["cat, dog"], ["cat|dog"], ["cat;dog"], ["['cat']"]),
    ],
)
def test_lists_that_were_printed_and_commas_are_refused_with_a_hint(cell):
    with pytest.raises(ValueError, match=r"^got concepts .*; expected names parted by \| or ;"):
        cells.names("concepts", cell)


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_a_frame_that_was_printed_to_a_file_is_refused_in_its_line(tmp_path, ending):
    made = ConceptSet.from_frame(frame())
    path = tmp_path / f"x{ending}"
    made.frame.to_csv(path, index=False, sep="," if ending == ".csv" else "\t")
    with pytest.raises(ValueError, match=rf"^x{ending}: line 2: got concepts .*parted by \| or ;"):
        ConceptSet.load(path)


def test_frames_and_files_split_names_alike(tmp_path):
    both = frame(concept=["a;b"] * 2 + ["b"] * 2 + ["a|c"] * 2 + ["c"] * 2)
    both.to_csv(tmp_path / "x.csv", index=False)
    made = ConceptSet.from_frame(both)
    assert made.concepts == ["a", "b", "c"]
    assert ConceptSet.load(tmp_path / "x.csv").digest == made.digest


def test_blanks_at_the_ends_of_names_do_not_part_them():
    padded = frame().astype(str)
    for name in ("group", "lang", "concept"):
        padded.loc[::2, name] = " " + padded.loc[::2, name] + "\u00a0 "
    padded["text"] = padded["text"] + " "
    made = ConceptSet.from_frame(padded)
    assert made.languages == LANGS
    assert made.concepts == ["a", "b"]
    assert made.frame["group"].nunique() == 4
    assert made.frame["text"][0] == "eng_Latn 0 "


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "Float64"])
def test_numbers_that_are_whole_name_groups_alike(kind):
    made = frame(group=pd.Series([1, 1, 2, 2, 3, 3, 4, 4], dtype=kind))
    assert ConceptSet.from_frame(made).frame["group"].unique().tolist() == ["1", "2", "3", "4"]
    assert cells.text("group", 1.5) == "1.5"
    assert cells.text("group", 10**400) == "1" + "0" * 400


def test_what_is_asked_for_wins_over_the_header(tmp_path):
    path = ConceptSet.from_frame(frame()).to_jsonl(tmp_path / "x.jsonl")
    assert ConceptSet.from_table(path).header["parallel"] is True
    assert ConceptSet.from_table(path, parallel=False).header["parallel"] is False


def test_the_home_folder_may_be_named_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "eng_Latn").mkdir()
    (tmp_path / "lines").mkdir()
    frame().to_csv(tmp_path / "x.csv", index=False)
    assert len(ConceptSet.from_table("~/x.csv")) == 8
    for lang in LANGS:
        (tmp_path / "lines" / f"{lang}.txt").write_text(f"{lang} a\n{lang} b\n")
    (tmp_path / "lines.tsv").write_text("concept\tline\na\t1\n")
    assert len(ConceptSet.from_parallel("~/lines", concepts="~/lines.tsv")) == 4
    (tmp_path / "eng_Latn" / "a.json").write_text(
        '{"concept": "a ", "group": "x", "sentences": {"positive": ["A."], "negative": ["B."]}}'
    )
    onesec = ConceptSet.from_onesec("~/eng_Latn")
    assert list(onesec.header["categories"]) == onesec.concepts == ["a"]
    (tmp_path / "words.tsv").write_text("concept\tlang\tforms\na\ten\ta\n")
    assert Lexicon.read("~/words.tsv").covers("a", "en")
    bank = "# sent_id = {0}\n# text = {0}\n1\t{0}\t{0}" + "\t_" * 7 + "\n\n"
    (tmp_path / "en.conllu").write_text(bank.format("a") + bank.format("b"))
    assert len(ConceptSet.from_conllu({"en": "~/en.conllu"}, lemmas={"a": ["a"]})) == 2
    with pytest.raises(FileNotFoundError, match="expected a file"):
        ConceptSet.from_table("~nobody-of-this-name/x.csv")
