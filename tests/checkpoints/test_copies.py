"""Equal weights: which step they belong to, whatever stands beside it."""

from pathlib import Path

from neurotrace.checkpoints import Checkpoint
from neurotrace.checkpoints.copies import Copy, copies


def series(*steps: int) -> list[Checkpoint]:
    return [Checkpoint("run", step, Path(f"step{step}")) for step in steps]


def test_a_step_that_stands_still_on_a_copy_is_the_same_copy():
    final = copies(series(0, 1, 2, 64, 128), ["w", "w", "a", "b", "w"])
    assert final == {0: Copy(4, "final"), 1: Copy(4, "final")}
    later = copies(series(0, 4, 5, 64, 128), ["w", "a", "a", "a", "b"], best=lambda _: 3)
    assert later == {1: Copy(3, "copy"), 2: Copy(3, "copy")}


def test_a_step_that_stands_still_on_an_original_is_unmoved():
    assert copies(series(0, 1, 2, 64), ["w", "w", "w", "a"]) == {
        1: Copy(0, "unmoved"),
        2: Copy(0, "unmoved"),
    }
