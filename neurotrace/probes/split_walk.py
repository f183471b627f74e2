"""Compiled walks down a Ranking for one split into halves after the other: for a few splits.

What `halves_walk` does for many, without its rows of lanes. Nothing here checks its input:
`ranking` does that. The loops release the interpreter lock and use one thread each.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neurotrace.probes.walks import ONE, area

Array = NDArray[Any]


@njit(nogil=True, cache=True, error_model="numpy")
def walk_splits(
    order: Array,
    starts: Array,
    concepts: Array,
    counts: Array,
    in_b: Array,
    precision: bool,
    scores: Array,
) -> None:
    """Average precision, or AUROC, of every concept in both halves of every split.

    Parameters
    ----------
    order : (neuron, example) as `sorting.order_rows` writes it.
    starts, concepts : the concepts of sentence i are concepts[starts[i]:starts[i + 1]].
    counts : (split, 2, concept) int32 positives of each half.
    in_b : (split, example) uint8, 0 for half A and 1 for half B.
    precision : True for average precision, False for AUROC.
    scores : (neuron, split, 2, concept) floating, written.
    """
    n = order.shape[1]
    state = np.empty((2 * counts.shape[2], 4))
    ends, ends_a = np.empty(n, np.int32), np.empty(n, np.int32)
    for s in range(len(in_b)):
        for j in range(len(order)):
            if precision:
                _precision(order[j], starts, concepts, counts[s], in_b[s], state, scores[j, s])
            else:
                _mean_rank(
                    order[j], starts, concepts, counts[s], in_b[s], ends, ends_a, scores[j, s]
                )


@njit(nogil=True, cache=True, error_model="numpy")
def _precision(
    order: Array,
    starts: Array,
    concepts: Array,
    counts: Array,
    in_b: Array,
    state: Array,
    scores: Array,
) -> None:
    """From the bottom up, as `walks.precision`, with counters of their own for each half."""
    n, n_concepts = len(order), np.uint32(counts.shape[1])
    for h in range(2):
        for c in range(n_concepts):
            mine = state[h * n_concepts + c]
            mine[0] = counts[h, c]
            mine[2] = -1.0
            mine[3] = 0.0
    reached = np.int64(n)  # in half A, down to the place reached
    for p in range(n):
        reached -= np.int64(in_b[~order[p] if order[p] < 0 else order[p]])
    end, end_a = np.int64(n), reached
    for p in range(n - 1, -1, -1):
        closes = order[p] < 0
        i = np.uint32(~order[p] if closes else order[p])
        end = np.int64(p + 1) if closes else end
        end_a = reached if closes else end_a
        half = np.uint32(in_b[i])
        share = 1.0 / (end - end_a if half else end_a)
        reached -= np.int64(half == 0)
        for e in range(starts[i], starts[i + ONE]):
            mine = state[half * n_concepts + concepts[e]]
            count = mine[1] if mine[2] == end else mine[0]
            mine[0] -= 1.0
            mine[1] = count
            mine[2] = end
            mine[3] += count * share
    for h in range(2):
        for c in range(n_concepts):
            scores[h, c] = state[h * n_concepts + c, 3] / counts[h, c]


@njit(nogil=True, cache=True, error_model="numpy")
def _mean_rank(
    order: Array,
    starts: Array,
    concepts: Array,
    counts: Array,
    in_b: Array,
    ends: Array,
    ends_a: Array,
    scores: Array,
) -> None:
    """Mann and Whitney's U in each half, as `walks.mean_rank`."""
    n = len(order)
    reached = np.int32(0)
    for p in range(n):
        i = np.uint32(~order[p] if order[p] < 0 else order[p])
        reached += np.int32(in_b[i] == 0)
        ends_a[p] = reached  # so far of this place alone
    size = reached
    end, end_a = np.int32(n), size
    for p in range(n - 1, -1, -1):
        closes = order[p] < 0
        end = np.int32(p + 1) if closes else end
        end_a = ends_a[p] if closes else end_a
        ends[p], ends_a[p] = end, end_a
    total = np.zeros(counts.shape)
    first, first_a = np.int32(0), np.int32(0)
    for p in range(n):
        i = np.uint32(~order[p] if order[p] < 0 else order[p])
        both, twice_a = first + ends[p], first_a + ends_a[p]
        h = np.uint32(in_b[i])
        twice = np.float64(both - twice_a + 1 if h else twice_a + 1)
        for e in range(starts[i], starts[i + ONE]):
            total[h, concepts[e]] += twice
        if ends[p] == p + 1:
            first, first_a = ends[p], ends_a[p]
    for c in range(counts.shape[1]):
        scores[0, c] = area(counts[0, c], size, total[0, c])
        scores[1, c] = area(counts[1, c], n - size, total[1, c])
