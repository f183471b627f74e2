"""The command line: what it prints, and what it ends with."""

import os
import subprocess
import sys

import pytest
from concepts.invented_set import LANGS, frame, invented, lexicon_file

from neurotrace.concepts.__main__ import main


@pytest.fixture
def good(tmp_path):
    lexicon_file(tmp_path / "mine.lexicon.tsv")
    return invented().to_jsonl(tmp_path / "mine.jsonl")


@pytest.fixture
def bad(tmp_path):
    table = frame()
    table.loc[table["group"] == "rain-02", "lexical"] = True
    table.loc[0, "text"] = f"7 {table.loc[0, 'text']}"
    lexicon_file(tmp_path / "bad.lexicon.tsv")
    return invented(table).to_jsonl(tmp_path / "bad.jsonl")


def printed(capsys, *arguments) -> tuple[int, list[str]]:
    code = main(["check", *map(str, arguments), "--no-identify"])
    return code, capsys.readouterr().out.splitlines()


def test_a_good_set_ends_with_zero_and_shows_every_language(good, capsys):
    code, lines = printed(capsys, good)
    assert code == 0
    assert lines[0] == "mine.jsonl: 216 sentences, 54 groups, 3 concepts, 4 languages"
    assert lines[-1] == "0 errors"
    assert [line.split()[0] for line in lines if line.startswith("qa")] == LANGS


def test_errors_end_with_two_and_name_their_rows(bad, capsys):
    code, lines = printed(capsys, bad)
    assert code == 2
    told = [line for line in lines if line.startswith("error: lexical")]
    assert [line.split()[2].strip(",:") for line in told] == LANGS
    assert all("rain-02 '" in line for line in told)
    assert any(line.startswith("note: digits, qaa_Latn: bread-00 '7 ") for line in lines)
    assert lines[-1] == "4 errors"


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal_whole(bad, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    _, lines = printed(capsys, bad)
    end = next(number for number, line in enumerate(lines) if line.startswith("script: least"))
    assert max(map(len, lines[:end])) <= width
    assert "…" not in "".join(lines[:end])
    head = next(line for line in lines if line.startswith("language ") and "words" in line)
    assert ("match" in head) == (width == 120)
    assert ("sentences with numerals" in "".join(lines)) == (width == 120)


def test_a_lexicon_may_lie_elsewhere(good, tmp_path, capsys):
    other = (tmp_path / "mine.lexicon.tsv").rename(tmp_path / "words.tsv")
    _, without = printed(capsys, good)
    assert any(line.startswith("not checked: lexical") for line in without)
    _, given = printed(capsys, good, "--lexicon", other)
    assert not any(line.startswith("not checked: lexical") for line in given)


def refused(capsys, *arguments) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_what_cannot_be_read_is_told_in_one_line(good, tmp_path, capsys):
    assert "looked in" in refused(capsys, "check", "nowhere")
    assert "bad.tsv" in refused(capsys, "check", _written(tmp_path / "bad.tsv", "a\tb\n1\t2\n"))
    lexicon = _written(tmp_path / "words.tsv", "a\tb\n")
    line = refused(capsys, "check", good, "--lexicon", lexicon)
    assert line.startswith("error: words.tsv: line 1")
    line = refused(capsys, "check", good, "--lexicon", "nope")
    assert line == "error: got nope; expected a file"
    assert "got command 'czech'; valid is check" in refused(capsys, "czech", good)


def test_a_concept_that_one_translation_lacks_is_refused(good, tmp_path, capsys):
    lines = good.read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace('"concepts": ["bread"]', '"concepts": []')
    line = refused(capsys, "check", _written(tmp_path / "torn.jsonl", "\n".join(lines)))
    assert line.startswith("error: torn.jsonl: line 4: got concepts none in qac_Cyrl for group")


def _written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_without_arguments_it_says_what_it_can_do(capsys):
    assert main([]) == 0
    assert "python -m neurotrace.concepts check FILE_OR_NAME" in capsys.readouterr().out


def test_a_log_that_knows_no_unicode_stops_nothing(bad):
    done = subprocess.run(
        [sys.executable, "-m", "neurotrace.concepts", "check", str(bad), "--no-identify"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONWARNINGS": "error:::neurotrace"},
    )
    assert done.returncode == 2
    assert b"4 errors" in done.stdout
    assert b"Traceback" not in done.stderr
