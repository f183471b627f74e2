"""Where work runs: one call over a list of items. Knows nothing of neurons."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")

EXECUTORS = ("serial",)


def map_each(
    fn: Callable[[Item], Value], items: Iterable[Item], *, executor: str = "serial"
) -> list[Value]:
    """Apply ``fn`` to each item, in order, and return the values in the same order.

    An exception is re-raised unchanged with a note naming the item it came from.

    Parameters
    ----------
    executor
        Where to run. ``"serial"`` is this process.

    Raises
    ------
    ValueError
        For an executor that is not offered.

    >>> map_each(abs, [-1, 2])
    [1, 2]
    """
    if executor not in EXECUTORS:
        raise ValueError(f"got executor {executor!r}; valid are {', '.join(EXECUTORS)}")
    return [_noted(fn, item) for item in items]


def _noted(fn: Callable[[Item], Value], item: Item) -> Value:
    try:
        return fn(item)
    except Exception as error:
        error.add_note(f"while working on {item}")
        raise
