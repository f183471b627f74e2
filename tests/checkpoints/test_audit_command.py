"""``python -m neurotrace.checkpoints audit``: verdicts on the terminal, and the exit code."""

import shutil

import pandas as pd
import planted_suites as plant
import pytest

from neurotrace.checkpoints.__main__ import main


@pytest.fixture
def suite(tiny_lab, tmp_path):
    return plant.suite(tiny_lab, tmp_path / "suite")


def audited(capsys, *arguments):
    code = main(["audit", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_an_honest_series_ends_with_0_and_a_copy_with_1(suite, capsys):
    code, out, _ = audited(capsys, suite)
    assert code == 0
    assert out.splitlines()[0].split() == ["step", "weights", "verdict"]
    assert out.splitlines()[-2:] == ["12 steps: 12 ok", "missing: none known"]
    plant.serve(suite, 96, weights_of=32)
    code, out, _ = audited(capsys, suite)
    assert code == 1
    assert "copy of step 32" in out
    assert "12 steps: 11 ok, 1 copies of another step" in out


def test_steps_that_stand_still_are_no_failure(suite, capsys):
    plant.serve(suite, 1, weights_of=0)
    code, out, _ = audited(capsys, suite)
    assert code == 0
    assert "unmoved since step 0" in out


def test_deep_takes_the_loss_of_the_sources_own_sentences(suite, tiny_lab, tmp_path, capsys):
    shutil.copy(tiny_lab / "concepts.jsonl", suite)
    plant.noise(suite, 256, kind="added")
    for number in (1, 2, 4, 8, 16):
        plant.lose(suite, number)
    code, out, _ = audited(capsys, suite, "--deep", "--table", tmp_path / "audit.csv")
    assert code == 1
    table = pd.read_csv(tmp_path / "audit.csv").set_index("step")
    assert table["loss"].notna().all()
    assert table["loss"][0] > table["loss"][192] + 1
    assert table.loc[table["verdict"] != "ok", "verdict"].to_dict() == {256: "off the curve"}
    assert "nats above the step before" in table["note"][256]
    assert out.splitlines()[0].split()[:5] == ["step", "weights", "drift", "detour", "loss"]


def test_wrong_input_is_told_in_one_line(tmp_path, capsys):
    code, _, err = audited(capsys, tmp_path / "nowhere")
    assert code == 2
    assert err.count("\n") == 1


def test_a_budget_that_is_no_number_of_bytes_is_told_in_one_line(suite, capsys):
    code, _, err = audited(capsys, suite, "--deep", "--cache-budget", "much")
    assert code == 2
    assert "got cache budget 'much'; expected bytes" in err


def test_a_narrow_terminal_hides_nothing_of_a_long_reason(suite, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    plant.truncate(suite, 96, share=0.5)
    _, out, _ = audited(capsys, suite, "--deep", "--no-loss")
    assert "…" not in out
