import io

import pytest
from rich.console import Console

from neurotrace import report


def printed(results, width, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    console.print(report.terminal(results, width=width))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_no_cell_is_cut(width, default_like):
    text = printed(default_like, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert width < 80 or "…" not in text


def test_a_log_gets_plain_text_without_colours(control_like):
    text = printed(control_like, 80)
    assert "\x1b" not in text
    assert text.startswith("not found")
    assert text.replace("─", "").isascii()


def test_the_last_checkpoint_and_its_interval_are_shown(default_like):
    row = [line for line in printed(default_like, 120).splitlines() if "1,500 " in line][-1]
    summary = default_like["summary"].sel(k=51).isel(step=-1)
    low, high = float(summary["corrected_low"]), float(summary["corrected_high"])
    assert f"{float(summary['corrected']):.3f} [{low:.3f}, {high:.3f}]" in row
    assert f"{float(summary['wrong_concept']):.3f}" in row


def test_the_table_says_that_language_identification_is_no_evidence(control_like):
    assert "no evidence of sharing" in printed(control_like, 100)


def test_one_checkpoint_and_absent_analyses_are_borne(single):
    text = printed(single, 80)
    assert "own AP" in text
    assert "loss" not in text
    printed({}, 80)


def test_every_question_has_an_aligned_line_with_its_chance(default_like):
    lines = printed(default_like, 140).splitlines()
    names = ("onset", "use", "silenced", "lives", "compression", "language ID", "forced")
    found = [next(line for line in lines if line.startswith(f"{name} ")) for name in names]
    assert {line[:13].rstrip() for line in found} == set(names)
    assert all(line[13] != " " for line in found)
    assert "half at 180 [144, 234]" in found[0]
    assert "across / within 0.78 [0.66, 0.90]" in found[1]
    assert "chance 24 [17, 34]" in found[3]
    assert "no evidence of sharing" in found[5]


def test_a_control_has_no_onset_in_the_terminal(control_like):
    assert "corrected overlap is never seen to leave its null" in " ".join(
        printed(control_like, 120).split()
    )
