"""Claims about the command line: exit codes, one line an error, the next command."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from neurotrace.lab import __main__ as command
from neurotrace.lab import presets
from neurotrace.lab.corpus import GrammarCorpus


def _run(*arguments: str | Path) -> int:
    return command.main([str(argument) for argument in arguments])


def test_a_run_ends_with_the_next_command_and_again_does_nothing(tmp_path, capsys):
    out = tmp_path / "lab"
    assert _run("--preset", "tiny", "--steps", 2, "--out", out) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith(
        f"next: python -m neurotrace.trace --source {out} --out {out}-trace"
    )
    assert "step 2/2  loss" in said.err
    assert _run("--preset", "tiny", "--steps", 2, "--out", out) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "huge"], "got preset 'huge'; valid are tiny"),
        (["--preset", "clone"], "got preset clone without texts; expected --texts"),
        (["--preset", "late", "--steps", "3"], "got 3 steps"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    assert _run(*arguments, "--out", tmp_path / "lab") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert message in said.err


def test_an_interrupt_is_one_line_that_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(GrammarCorpus, "batch", Mock(side_effect=KeyboardInterrupt))
    assert _run("--preset", "tiny", "--out", tmp_path / "lab") == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("interrupted; the same command")


def test_the_help_names_every_preset_and_shows_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        _run("--help")
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in presets())
    assert "python -m neurotrace.lab --preset tiny --out runs/tiny" in said
