"""What the terminal shows."""

from pathlib import Path

import pytest

from neurotrace import capture
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet


def test_where_there_is_no_terminal_every_checkpoint_is_one_plain_line(
    series: list[Checkpoint], few: ConceptSet, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    capture.run(series, few, tmp_path, twin=3)
    out, lines = capfd.readouterr()
    assert out == ""
    lines = lines.strip().splitlines()
    assert [line.split(":")[0] for line in lines] == ["step0", "step16", "step512", "twin"]
    assert lines[1].startswith("step16: captured, 2 of 4 checkpoints, ")
    assert "sentences/s" in lines[1]
    assert "\x1b" not in "".join(lines)
    capture.run(series, few, tmp_path, twin=3)
    assert capfd.readouterr().err.startswith("step0: was captured already, 1 of 4 checkpoints\n")


def test_nothing_is_said_where_nothing_is_wanted(
    series: list[Checkpoint], few: ConceptSet, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    capture.run(series, few, tmp_path, progress=False)
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_there_are_bars_with_speed_and_time_left(
    series: list[Checkpoint],
    few: ConceptSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    capture.run(series, few, tmp_path)
    shown = capfd.readouterr().err
    assert "checkpoints" in shown
    assert "3/3" in shown
    assert "sentences/s" in shown
