"""Several runs at work in one folder at once."""

from pathlib import Path

import pytest
from faults.conftest import Begin
from faults.forge import Forge
from faults.small_road import same, stage

ALL = ["step0", "step16", "step512", "twin"]


def captures(log: Path) -> list[str]:
    return sorted(log.read_text().split())


def test_two_runs_of_one_folder_share_the_work_and_both_end(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    log = tmp_path / "captures"
    traps = [["counted", str(log)], ["slowly", "results", 0.2]]
    runs = [begin(traps=traps), begin(traps=traps)]
    assert [run.wait() for run in runs] == [0, 0], [run.said for run in runs]
    assert captures(log) == ALL
    waited = [run.said for run in runs if "waiting for host" in run.said]
    assert len(waited) == 1
    assert "at work on results.h5 since" in waited[0]
    same(tmp_path / "run", forge.whole)
    assert not (tmp_path / "run" / ".leases").exists()


@pytest.mark.slow
def test_three_runs_by_different_executors_end_alike(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    log = tmp_path / "captures"
    traps = [["counted", str(log)], ["slowly", "capture", 0.1]]
    runs = [begin("--keep", keep, traps=traps) for keep in ("activations",) * 2]
    runs.append(begin("--shard", "0/1", traps=traps))
    assert [run.wait() for run in runs] == [0] * 3, [run.said for run in runs]
    assert captures(log) == ALL
    same(tmp_path / "run", forge.whole)


@pytest.mark.parametrize("point", [pytest.param("capture", marks=pytest.mark.slow), "results"])
def test_other_settings_are_refused_while_a_run_is_at_work(
    point: str, begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    run = begin(traps=[["at", point, 2, "told", "SIGSTOP"]])
    run.stopped()
    there = stage(out)
    other = begin("--top", "20")
    assert other.wait() == 2, other.said
    assert "got folder run, in which host " in other.last
    assert "is at work with another trace: top (was 0.05, now 20.0)" in other.last
    assert stage(out) == there
    run.send("SIGCONT")
    assert run.wait() == 0, run.said
    same(out, forge.whole)
