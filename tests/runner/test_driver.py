"""What becomes of items whose workers vanish or raise, with workers that are only played."""

from collections.abc import Callable
from typing import Any

import pytest

from neurotrace.runner.driver import drive
from neurotrace.runner.outcome import Outcome, WorkerLost


class Stage:
    """Ends items in the order they were begun, each as a function of (item, times tried) says."""

    def __init__(self, slots: int, end: Callable[[Any, int], Outcome | str]) -> None:
        self.slots, self._end = slots, end
        self._running: list[tuple[int, Any]] = []
        self.log: list[str] = []
        self.tries: dict[Any, int] = {}

    def begin(self, index: int, item: Any) -> None:
        self._running.append((index, item))
        self.log.append(f"{item}|{len(self._running)}")

    def ended(self) -> list[tuple[int, Outcome | str]]:
        index, item = self._running.pop(0)
        self.tries[item] = self.tries.get(item, 0) + 1
        return [(index, self._end(item, self.tries[item]))]

    def alone(self) -> None:
        self.log.append("alone")

    def close(self) -> None:
        self.log.append("close")


def test_values_come_in_the_order_of_the_items_and_no_more_run_than_there_are_slots():
    stage = Stage(2, lambda item, _: Outcome(item.upper()))
    assert drive(stage, ["a", "b", "c"]) == ["A", "B", "C"]
    assert stage.log == ["a|1", "b|2", "c|2", "close"]


def test_an_item_that_lost_its_worker_is_tried_again_alone_when_the_rest_is_done(capsys):
    stage = Stage(
        2, lambda item, n: "killed by SIGKILL" if item == "a" and n == 1 else Outcome(item)
    )
    assert drive(stage, ["a", "b", "c"]) == ["a", "b", "c"]
    assert stage.log == ["a|1", "b|2", "c|2", "alone", "a|1", "close"]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "a was lost (killed by SIGKILL); it is tried again alone" in said


def test_items_that_lose_their_worker_twice_are_named_after_everything_else_is_done():
    stage = Stage(3, lambda item, _: "killed by SIGKILL" if item in "bd" else Outcome(item))
    with pytest.raises(WorkerLost) as caught:
        drive(stage, list("abcde"))
    assert stage.tries == {"a": 1, "b": 2, "c": 1, "d": 2, "e": 1}
    said = str(caught.value)
    assert "got no result for 2 of 5 items" in said
    assert "b (killed by SIGKILL); d (killed by SIGKILL)" in said
    assert "fewer --workers or a smaller --batch-tokens" in said
    assert "\n" not in said


def test_an_exception_lets_what_runs_end_and_begins_nothing_new():
    def end(item: str, _: int) -> Outcome:
        return Outcome(error=KeyError(item)) if item == "a" else Outcome(item)

    stage = Stage(2, end)
    with pytest.raises(KeyError, match="a"):
        drive(stage, ["a", "b", "c", "d"])
    assert stage.tries == {"a": 1, "b": 1}
    assert stage.log[-1] == "close"


def test_of_several_failures_the_earliest_item_is_raised_and_notes_tell_the_others():
    class LastFirst(Stage):
        def ended(self) -> list[tuple[int, Outcome | str]]:
            self._running.reverse()
            return super().ended()

    ends = {"a": Outcome(error=ValueError("of a")), "b": "killed by SIGKILL"}
    ends["c"] = Outcome(error=KeyError("of c"))
    with pytest.raises(ValueError, match="of a") as caught:
        drive(LastFirst(3, lambda item, _: ends[item]), ["a", "b", "c"])
    assert caught.value.__notes__ == [
        "c failed, too: KeyError: 'of c'",
        "b was lost: killed by SIGKILL",
    ]


@pytest.mark.parametrize("error", [MemoryError(), type("OutOfMemoryError", (RuntimeError,), {})()])
def test_an_item_that_lacked_memory_beside_others_is_tried_again_alone(error):
    stage = Stage(
        2, lambda item, n: Outcome(error=error) if item == 1 and n == 1 else Outcome(item)
    )
    assert drive(stage, [0, 1, 2]) == [0, 1, 2]
    assert stage.log[-3:] == ["alone", "1|1", "close"]


def test_an_item_that_lacks_memory_alone_raises_what_it_raised():
    stage = Stage(2, lambda item, _: Outcome(error=MemoryError(item)) if item else Outcome(item))
    with pytest.raises(MemoryError):
        drive(stage, [0, 1])
    assert stage.tries == {0: 1, 1: 2}


def test_an_interrupt_closes_the_place():
    def end(_item: int, _n: int) -> Outcome:
        raise KeyboardInterrupt

    stage = Stage(2, end)
    with pytest.raises(KeyboardInterrupt):
        drive(stage, [0, 1, 2])
    assert stage.log[-1] == "close"
