"""Which sentences go through the model together: decided once, from their lengths alone.

Batches lie inside a slab, so a slab has the same batches whatever was captured before it. Where
the device's memory does not suffice for one, it travels in halves.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neurotrace.capture.devices import free, out_of_memory
from neurotrace.store.layout import slabs

Rows = NDArray[np.intp]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Slab:
    """Sentences that are written together.

    Attributes
    ----------
    start, stop
        First sentence, and the one behind the last.
    batches
        Their row numbers, by length, batch after batch.
    """

    start: int
    stop: int
    batches: tuple[Rows, ...]


class DoesNotFit(ValueError):
    """One sentence alone is too much for the device's memory.

    Attributes
    ----------
    row, n_tokens
        Its number, and its length.
    """

    def __init__(self, row: int, n_tokens: int):
        super().__init__(f"sentence {row} of {n_tokens} tokens does not fit into memory")
        self.row, self.n_tokens = row, n_tokens


@dataclass
class Allowance:
    """How much of a batch goes through at once: all of it, until the memory has run out once.

    One of these serves a whole run, so that what was learned of a device is not learned again.

    Attributes
    ----------
    device
        Whose unused memory is given back before the next attempt.
    n_tokens
        Most tokens of a pass, padding included; None as long as everything has fitted. A sentence
        that is longer goes alone.
    """

    device: str = "cpu"
    n_tokens: int | None = None

    def through(
        self, rows: Rows, lengths: NDArray[np.int64], attempt: Callable[[Rows], Value]
    ) -> Iterator[tuple[Rows, Value]]:
        """Send a batch through, whole or in parts of its order.

        Parameters
        ----------
        rows
            Numbers of its sentences, by length.
        lengths
            Tokens of every sentence, in the order of the numbers.
        attempt
            What is done with a part. It is called again with half of it where memory runs out.

        Yields
        ------
        Each part with what the attempt returned.

        Raises
        ------
        DoesNotFit
            For a sentence whose memory does not suffice alone.
        """
        waiting = [rows]
        while waiting:
            part = waiting.pop(0)
            size = len(part) * int(lengths[part].max())
            if len(part) > 1 and self.n_tokens is not None and size > self.n_tokens:
                waiting[:0] = np.array_split(part, 2)
                continue
            done, value = _tried(attempt, part)
            if done:
                yield part, value[0]
                continue
            if len(part) == 1:
                raise DoesNotFit(int(part[0]), size) from None
            # Only here, behind the handler: its traceback held what the pass had computed.
            free(self.device)
            self.n_tokens = size // 2
            waiting.insert(0, part)
            warnings.warn(
                f"the memory of {self.device} did not suffice for {size:,} tokens at once; "
                f"from here on at most {self.n_tokens:,} go together (--batch-tokens "
                f"{self.n_tokens} spares the attempts)",
                stacklevel=2,
            )


def plan_batches(lengths: NDArray[np.int64], batch_tokens: int) -> list[Slab]:
    """Batches of similar length under a budget.

    Parameters
    ----------
    lengths
        Tokens a sentence.
    batch_tokens
        Most tokens of a batch, padding included. A sentence that is longer goes alone.
    """
    if batch_tokens < 1:
        raise ValueError(f"got batch_tokens {batch_tokens}; expected at least 1")
    return [
        Slab(start, stop, tuple(_batches(lengths[start:stop], start, batch_tokens)))
        for start, stop in slabs(len(lengths))
    ]


def _batches(lengths: NDArray[np.int64], start: int, budget: int) -> list[Rows]:
    order = np.argsort(lengths, kind="stable")
    found, first = [], 0
    for last in range(1, len(order) + 1):
        # Sorted by length, so the next sentence is the longest and sets the padded width.
        if last == len(order) or lengths[order[last]] * (last + 1 - first) > budget:
            found.append(start + order[first:last])
            first = last
    return found


def _tried(attempt: Callable[[Rows], Value], rows: Rows) -> tuple[bool, tuple[Value, ...]]:
    try:
        return True, (attempt(rows),)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return False, ()
