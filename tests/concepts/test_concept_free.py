"""Sets without concepts are checked for what they are: sentences and their translations."""

import pytest
from concepts.invented_set import LANGS, frame, invented, lexicon_file

from neurotrace.concepts.__main__ import main
from neurotrace.concepts.checks import check

OF_CONCEPTS = ["lexicon", "lexical", "other words", "length probe", "length AP", "n-gram AP"]


@pytest.fixture
def free():
    table = frame().drop(columns="concept").assign(concepts=[()] * len(frame()))
    return invented(table, concept_free=True)


def test_checks_that_need_concepts_are_left_out_with_one_row(free):
    found = check(free, identify=False)
    assert not found["check"].str.startswith(tuple(OF_CONCEPTS)).any()
    (row,) = found[found["check"] == "concepts"].itertuples()
    assert (row.figure, row.verdict) == (0, "not checked")
    others = found[~found["check"].isin(["concepts", "language"])]
    assert not others["verdict"].isin(["error", "not checked"]).any()
    assert {"script", "duplicates", "shared strings"} <= set(others["check"])


def test_with_concepts_they_are_counted_and_nothing_is_left_out():
    found = check(invented(), identify=False)
    (row,) = found[found["check"] == "concepts"].itertuples()
    assert (row.figure, row.verdict) == (3, "ok")
    assert set(found["check"]) >= {"lexical", "length probe"}


@pytest.mark.parametrize("lexicon", [False, True])
def test_the_command_says_so_in_one_plain_line(free, tmp_path, capsys, lexicon):
    file = free.to_jsonl(tmp_path / "free.jsonl")
    if lexicon:
        lexicon_file(tmp_path / "free.lexicon.tsv")
    assert main(["check", str(file), "--no-identify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("not checked: ")]
    assert told == [
        "not checked: concepts: the set names none, so that lexicon, length and n-gram checks are "
        "left out",
        f"not checked: language, {LANGS[0]} and 3 more: not asked for",
    ]
    assert not [line for line in lines if "reshape" in line or line.startswith("word, none")]
