"""What became of one item, in a form that travels between processes.

A worker sends back a value or an exception, never a broken pipe instead of an answer: what
cannot be pickled becomes an error that says so.
"""

import pickle
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Outcome:
    """One item's value, or the exception it ended with and where that was raised."""

    value: Any = None
    error: BaseException | None = None
    trace: str = ""


class WorkerLost(OSError):
    """Raised when a worker ended without an answer, and again when it had the item alone."""


class _Elsewhere(Exception):
    """Carries a worker's traceback, shown as the cause of what it raised."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def noted(fn: Callable[[Item], Value], item: Item) -> Value:
    """``fn(item)``; an exception gets a note naming the item."""
    try:
        return fn(item)
    except Exception as error:
        error.add_note(f"while working on {item}")
        raise


def attempt(fn: Callable[[Item], Value], item: Item) -> Outcome:
    """``fn(item)`` with its exception as a thing to send, not one that ends the worker."""
    try:
        return Outcome(noted(fn, item))
    except Exception as error:
        return failed(error)


def failed(error: BaseException) -> Outcome:
    """An exception and its traceback, without the frames and what they hold."""
    trace = "".join(traceback.format_exception(error))
    return Outcome(error=error.with_traceback(None), trace=trace)


def sealed(outcome: Outcome) -> bytes:
    """An outcome as bytes that are known to open again."""
    try:
        packed = packed_of(outcome)
        if outcome.error is not None:
            pickle.loads(packed)  # some exceptions are written and cannot be read
        return packed
    except Exception as trouble:
        what = outcome.error if outcome.error is not None else outcome.value
        said = f": {what}" if outcome.error is not None else ""
        error = ValueError(
            f"got a {type(what).__name__} that cannot be pickled ({trouble}){said}; "
            "expected values and exceptions that travel between processes"
        )
        for note in getattr(what, "__notes__", ()):
            error.add_note(note)
        return packed_of(Outcome(error=error, trace=outcome.trace))


def opened(packed: bytes) -> Outcome:
    """The outcome in :func:`sealed` bytes."""
    outcome: Outcome = pickle.loads(packed)
    if outcome.error is not None and outcome.trace:
        outcome.error.__cause__ = _Elsewhere(outcome.trace)
    return outcome


def packed_of(thing: Any) -> bytes:
    """Pickled, functions of notebooks, scripts and closures by value.

    ``cloudpickle`` is a small dependency of its own: joblib holds a copy, but does not offer it.
    """
    import cloudpickle

    packed: bytes = cloudpickle.dumps(thing)
    return packed


def short_of_memory(error: BaseException | None) -> bool:
    """Whether an item may succeed where nothing else takes memory: torch has its own class."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def say(line: str) -> None:
    """One line for whoever waits at the terminal."""
    sys.stderr.write(f"neurotrace: {line}\n")
    sys.stderr.flush()
