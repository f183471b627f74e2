"""A run that hangs until another has taken its work over, and wakes up later."""

from pathlib import Path

import pytest
from faults.conftest import Begin
from faults.forge import Forge
from faults.small_road import same

EXPIRY = 0.6  # seconds


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("capture", 2),
        pytest.param("scoring", 3, marks=pytest.mark.slow),
        pytest.param("results", 4, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_hangs_past_its_lease_harms_nothing_when_it_wakes(
    point: str, nth: int, begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    short = ["expiry", EXPIRY]
    hung = begin(traps=[short, ["at", point, nth, "told", "SIGSTOP"]])
    hung.stopped()
    heir = begin(traps=[short])
    assert heir.wait() == 0, heir.said
    same(tmp_path / "run", forge.whole)
    hung.send("SIGCONT")
    code = hung.wait()
    # Where nothing of its own was left to do, it ends as well as the other one did.
    assert code in (0, 1), hung.said
    if code:
        assert "another took the file over" in hung.last
        assert "the same command" in hung.last
    same(tmp_path / "run", forge.whole)
    assert begin().wait() == 0
    same(tmp_path / "run", forge.whole)
