"""Runs that are killed at random moments, and gone on with until they end."""

import random
from pathlib import Path

from faults.forge import Forge
from faults.small_road import arguments, same, stage


def killed(forge: Forge, out: Path, moments: list[float], *options: str) -> list[str]:
    """Kill a run at each of these shares of its time in turn, then let it end; stages met."""
    met = []
    for moment in moments:
        run = forge.start(arguments(forge.source, out, *options))
        if run.within(moment * forge.seconds) is None:
            run.send("SIGKILL")
        code = run.wait()
        assert code in (0, -9), run.said
        if code:
            met.append(stage(out))
    last = forge.start(arguments(forge.source, out, *options))
    assert last.wait() == 0, last.said
    return met


def test_a_run_killed_three_times_and_gone_on_with_equals_an_undisturbed_one(
    forge: Forge, tmp_path: Path
) -> None:
    draw = random.Random(0)
    # Together less than a run, however much of it each one leaves to do.
    moments = [draw.uniform(0.05, 0.25) for _ in range(3)]
    met = killed(forge, tmp_path / "run", moments)
    assert len(met) == 3, met
    same(tmp_path / "run", forge.whole)
