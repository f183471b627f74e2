"""Runs that are asked to end: by a scheduler, or at the keyboard."""

from pathlib import Path

import pytest
from faults.conftest import Begin
from faults.forge import Forge
from faults.small_road import same

# The stage, its n-th piece of work, and what the line says then.
STAGES = {
    "capture": (2, "0 checkpoints captured"),
    "scoring": (1, "3 checkpoints captured, 0 scored, 0 results made"),
    "results": (3, "3 checkpoints captured, 0 scored, 3 being scored, 2 results made"),
    "report": (1, "3 checkpoints captured, 3 scored, 7 results made"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_asked_to_end_says_how_far_it_came_and_what_goes_on(
    stage: str, begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    nth, far = STAGES[stage]
    name = "SIGINT" if stage == "results" else "SIGTERM"
    run = begin(traps=[["at", stage, nth, "told", name]])
    assert run.wait() == 1
    assert run.last.startswith(f"neurotrace: interrupted; {far}")
    assert "all kept; the same command goes on: python -m neurotrace.trace --source " in run.last
    assert f"--out {tmp_path / 'run'}" in run.last
    # Whoever goes on waits for nobody: every lease was given back.
    again = begin()
    assert again.wait() == 0, again.said
    assert "waiting for" not in again.said
    same(tmp_path / "run", forge.whole)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_second_request_does_not_cut_short_what_the_first_began(name: str, begin: Begin) -> None:
    run = begin(traps=[["at", "capture", 2, "told", "SIGTERM"], ["at", "telling", 1, "told", name]])
    assert run.wait() == 1, run.said
    assert run.last.startswith("neurotrace: interrupted; 0 checkpoints captured")
