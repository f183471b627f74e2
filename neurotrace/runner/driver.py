"""Hands items to workers and deals with those that vanish; the same for every place."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from neurotrace.runner.outcome import Outcome, WorkerLost, say, short_of_memory


class Place(Protocol):
    """Workers somewhere: each has at most one item at a time."""

    slots: int

    def begin(self, index: int, item: Any) -> None:
        """Give an item to a worker that has none."""

    def ended(self) -> list[tuple[int, Outcome | str]]:
        """Wait until an item has its outcome, or its worker vanished (then: how)."""

    def alone(self) -> None:
        """End all workers, so that the next one finds the memory free."""

    def close(self) -> None:
        """End all workers, also those in the middle of an item."""


def drive(place: Place, items: Sequence[Any]) -> list[Any]:
    """Values of all items, in order. Items whose worker vanished are tried again, one by one.

    Alone, one that lacked memory beside others succeeds, and one that kills its worker by itself
    is known for it.

    Raises
    ------
    WorkerLost
        Naming the items that lost their worker twice, when all others are done.
    """
    try:
        values, lost = _round(place, items, range(len(items)), slots=place.slots)
        dead: dict[int, str] = {}
        for index in sorted(lost):
            place.alone()
            found, died = _round(place, items, [index], slots=1, last=True)
            values |= found
            dead |= died
    finally:
        place.close()
    if dead:
        raise WorkerLost(_lost(dead, items))
    return [values[index] for index in range(len(items))]


def _round(
    place: Place, items: Sequence[Any], wanted: Iterable[int], *, slots: int, last: bool = False
) -> tuple[dict[int, Any], dict[int, str]]:
    """Values, and how the workers of the other items ended."""
    waiting, running = deque(wanted), 0
    values: dict[int, Any] = {}
    lost: dict[int, str] = {}
    errors: dict[int, BaseException] = {}
    while running or (waiting and not errors):
        while waiting and running < slots and not errors:
            index = waiting.popleft()
            place.begin(index, items[index])
            running += 1
        for index, outcome in place.ended():
            running -= 1
            if isinstance(outcome, str):
                lost[index] = outcome
            elif outcome.error is None:
                values[index] = outcome.value
            elif short_of_memory(outcome.error) and not last:
                lost[index] = f"out of memory: {type(outcome.error).__name__}"
            else:
                errors[index] = outcome.error
            if index in lost and not last:
                then = "tried again alone when the others are done"
                say(f"{items[index]} was lost ({lost[index]}); it is {then}")
    if errors:
        raise _first(errors, lost, items)
    return values, lost


def _first(
    errors: dict[int, BaseException], lost: dict[int, str], items: Sequence[Any]
) -> BaseException:
    """The exception of the earliest item; what else went wrong stands in its notes."""
    first, *others = sorted(errors)
    for index in others:
        told = f"{type(errors[index]).__name__}: {errors[index]}"
        errors[first].add_note(f"{items[index]} failed, too: {told}")
    for index in sorted(lost):
        errors[first].add_note(f"{items[index]} was lost: {lost[index]}")
    return errors[first]


def _lost(dead: dict[int, str], items: Sequence[Any]) -> str:
    named = "; ".join(f"{items[index]} ({how})" for index, how in sorted(dead.items()))
    return (
        f"got no result for {len(dead)} of {len(items)} items, whose workers vanished, the last "
        f"time with nothing beside them: {named}; expected workers that live, the others are "
        "done; where memory is short, try fewer --workers or a smaller --batch-tokens"
    )
