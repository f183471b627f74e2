"""Compiled walks down a Ranking: the scores of all concepts in one pass.

A walk closes every tie group as a whole, so that no result depends on how tied sentences happen to
be stored. Nothing here checks its input: `ranking` does that. The loops release the interpreter
lock and use one thread each.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

ONE = np.uint32(1)


@njit(nogil=True, cache=True, error_model="numpy")
def precision(order: Array, starts: Array, concepts: Array, counts: Array, scores: Array) -> None:
    """Average precision of every concept.

    From the bottom up, so that a count holds the positives at or above the place reached.

    Parameters
    ----------
    order : (neuron, example) as `sorting.order_rows` writes it.
    starts, concepts : the concepts of sentence i are concepts[starts[i]:starts[i + 1]].
    counts : (concept,) int32 positives.
    scores : (neuron, concept) float64, written.
    """
    n = order.shape[1]
    # Of each concept: positives left, those the last tie group met, that group's end, and the sum.
    # All four are float64 in one line of cache: arrays of their own were up to half slower.
    state = np.empty((len(counts), 4))
    for j in range(len(order)):
        for c in range(len(counts)):
            state[c, 0] = counts[c]
            state[c, 2] = -1.0
            state[c, 3] = 0.0
        end = np.float64(n)
        for p in range(n - 1, -1, -1):
            closes = order[j, p] < 0
            i = np.uint32(~order[j, p] if closes else order[j, p])
            end = np.float64(p + 1) if closes else end
            share = 1.0 / end
            for e in range(starts[i], starts[i + ONE]):
                mine = state[concepts[e]]
                # Tied positives share the count that the group's last one, met first, has seen.
                count = mine[1] if mine[2] == end else mine[0]
                mine[0] -= 1.0
                mine[1] = count
                mine[2] = end
                mine[3] += count * share
        for c in range(len(counts)):
            scores[j, c] = state[c, 3] / counts[c]


@njit(nogil=True, cache=True, error_model="numpy")
def mean_rank(order: Array, starts: Array, concepts: Array, counts: Array, scores: Array) -> None:
    """AUROC of every concept, by Mann and Whitney's U from the positives' falling mid-ranks.

    Parameters
    ----------
    order, starts, concepts, counts, scores : as in `precision`.
    """
    n = order.shape[1]
    ends = np.empty(n, np.int32)
    total = np.empty(len(counts))
    for j in range(len(order)):
        total[:] = 0.0
        end = np.int32(n)
        for p in range(n - 1, -1, -1):
            end = np.int32(p + 1) if order[j, p] < 0 else end
            ends[p] = end
        first = np.int32(0)
        for p in range(n):
            i = np.uint32(~order[j, p] if order[j, p] < 0 else order[j, p])
            # Mid-rank = (ranks before the group + 1 + rank at its end) / 2, halved at the end.
            twice = first + ends[p] + 1
            for e in range(starts[i], starts[i + ONE]):
                total[concepts[e]] += twice
            first = ends[p] if ends[p] == p + 1 else first
        for c in range(len(counts)):
            scores[j, c] = area(counts[c], n, total[c])


@njit(nogil=True, cache=True, error_model="numpy")
def area(positives: Any, size: Any, twice: float) -> Any:
    """AUROC from twice the sum of the positives' falling mid-ranks."""
    n_pos = np.int64(positives)
    pairs = n_pos * (size - n_pos)
    below = 0.5 * (n_pos * (n_pos + 1) - twice)
    return (pairs + below) / pairs
