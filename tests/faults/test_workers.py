"""Local workers that run out of memory, and that are killed."""

from pathlib import Path

import pytest
from faults.conftest import Begin
from faults.forge import Forge
from faults.small_road import same


@pytest.mark.slow
@pytest.mark.parametrize("fault", [["memory"], ["told", "SIGKILL"]])
def test_a_worker_that_is_lost_once_costs_a_line_and_no_value(
    fault: list[str], begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    mark = tmp_path / "met"
    run = begin("--executor", "processes", "--workers", "2", traps=[["once", str(mark), *fault]])
    assert run.wait() == 0, run.said
    assert mark.exists()
    assert run.said.count("was lost (") == 1
    assert "it is tried again alone when the others are done" in run.said
    same(tmp_path / "run", forge.whole)


def test_a_run_that_is_out_of_memory_says_what_to_try(begin: Begin, tmp_path: Path) -> None:
    run = begin(traps=[["at", "capture", 3, "memory"]])
    assert run.wait() == 1
    assert run.last.startswith("neurotrace: out of memory")
    assert "fewer --workers or a smaller --batch-tokens" in run.last
    assert "1 checkpoints captured" in run.last
    assert str(tmp_path / "run") in run.last
