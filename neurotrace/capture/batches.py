"""Which sentences go through the model together: decided once, from their lengths alone.

Batches lie inside a slab, so a slab has the same batches whatever was captured before it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurotrace.store.layout import slabs


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
    batches: tuple[NDArray[np.intp], ...]


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


def _batches(lengths: NDArray[np.int64], start: int, budget: int) -> list[NDArray[np.intp]]:
    order = np.argsort(lengths, kind="stable")
    found, first = [], 0
    for last in range(1, len(order) + 1):
        # Sorted by length, so the next sentence is the longest and sets the padded width.
        if last == len(order) or lengths[order[last]] * (last + 1 - first) > budget:
            found.append(start + order[first:last])
            first = last
    return found
