"""The counted campaign; its table is the one in benchmarks/README.md."""

from pathlib import Path

import pytest
from faults.campaign import Campaign, Tally, table
from faults.forge import Forge


@pytest.mark.slow
def test_every_fault_of_the_campaign_leaves_a_run_that_ends_equal(
    forge: Forge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tallies = Campaign(forge, tmp_path).all()
    with capsys.disabled():
        print(f"\n{table(tallies)}")  # noqa: T201
    kills: Tally = tallies[0]
    assert kills.struck.total() >= 100
    # All stages were hit, and not by a few.
    assert all(kills.struck[stage] >= 3 for stage in ("capture", "scoring", "results"))
    assert all(tally.ended for tally in tallies)
