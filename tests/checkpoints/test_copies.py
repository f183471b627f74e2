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


def test_a_stage_may_begin_with_the_weights_that_the_one_before_ended_with():
    staged = [
        Checkpoint("run", step, Path("x"), stage=stage)
        for stage, step in ((1, 1000), (1, 2000), (2, 0), (2, 1000))
    ]
    assert copies(staged, ["a", "b", "b", "c"]) == {2: Copy(1, "unmoved")}
    assert copies(staged, ["a", "b", "a", "c"]) == {2: Copy(0, "copy")}
    assert copies(staged, ["a", "b", "c", "b"]) == {1: Copy(3, "final")}
