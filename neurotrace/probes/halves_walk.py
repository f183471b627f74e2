"""Compiled walks down a Ranking for many splits into halves at once.

Splits lie side by side in lanes of one loop: the sides of a sentence are the bits of a word, and a
step updates every split of a chunk. First the ranks inside half A are counted down an order, a row
of lanes a tie group; those inside half B are what remains. Then each concept goes through its own
positives, whose few counters stay in the nearest cache whatever the number of concepts. Nothing
here checks its input: `ranking` does that. The loops release the interpreter lock and use one
thread each.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neurotrace.probes.walks import ONE, area

Array = NDArray[Any]


@njit(nogil=True, cache=True, error_model="numpy")
def walk_halves(
    order: Array,
    starts: Array,
    concepts: Array,
    counts: Array,
    sides: Array,
    counts_a: Array,
    precision: bool,
    scores: Array,
) -> None:
    """Average precision, or AUROC, of every concept in both halves of every split.

    Parameters
    ----------
    order : (neuron, example) as `sorting.order_rows` writes it.
    starts, concepts : the concepts of sentence i are concepts[starts[i]:starts[i + 1]].
    counts : (concept,) int32 positives.
    sides : (chunk, example) uint32; bit l is 1 where the sentence is in half A of the chunk's
        split l.
    counts_a : (chunk, concept, lane) int32 positives in half A; spare lanes of the last chunk have
        none.
    precision : True for average precision, False for AUROC.
    scores : (neuron, split, 2, concept) floating, written.
    """
    n, n_splits, n_lanes = order.shape[1], scores.shape[1], counts_a.shape[2]
    rows, group_at = np.empty(n, np.uint32), np.empty(n, np.uint32)
    ends = np.empty(n, np.int32)  # rank of each tie group's last sentence
    begin = np.zeros(len(counts) + 1, np.uint32)
    begin[1:] = np.cumsum(counts)
    sentence, group = np.empty(len(concepts), np.uint32), np.empty(len(concepts), np.uint32)
    passed = np.zeros((n + 1, n_lanes), np.int32)  # half A before each tie group, and in all
    left = np.empty(n_lanes, np.int32)
    total_a, total_b = np.empty(n_lanes), np.empty(n_lanes)
    for j in range(len(order)):
        _list(order[j], starts, concepts, begin, rows, group_at, ends, sentence, group)
        for b in range(len(sides)):
            side = sides[b]
            _count(rows, group_at, side, left, passed)
            for c in range(len(counts)):
                mine, my_groups = sentence[begin[c] : begin[c + 1]], group[begin[c] : begin[c + 1]]
                total_a[:], total_b[:] = 0.0, 0.0
                if precision:
                    left[:] = counts_a[b, c]
                    _precision(mine, my_groups, side, passed, ends, left, total_a, total_b)
                else:
                    _mean_rank(mine, my_groups, side, passed, ends, total_a, total_b)
                for lane in range(min(n_lanes, n_splits - b * n_lanes)):
                    in_a = counts_a[b, c, lane]
                    in_b = counts[c] - in_a
                    a, b_ = total_a[lane] / in_a, total_b[lane] / in_b
                    if not precision:
                        size = passed[group_at[n - 1] + ONE, lane]
                        a = area(in_a, size, total_a[lane])
                        b_ = area(in_b, n - size, total_b[lane])
                    scores[j, b * n_lanes + lane, 0, c] = a
                    scores[j, b * n_lanes + lane, 1, c] = b_


@njit(nogil=True, cache=True, error_model="numpy")
def _list(
    order: Array,
    starts: Array,
    concepts: Array,
    begin: Array,
    rows: Array,
    group_at: Array,
    ends: Array,
    sentence: Array,
    group: Array,
) -> None:
    """Write an order out by position, and each concept's positives with their tie groups."""
    cursor = begin.copy()
    now = np.uint32(0)
    for p in range(len(order)):
        closes = order[p] < 0
        i = np.uint32(~order[p] if closes else order[p])
        rows[p] = i
        group_at[p] = now
        ends[now] = p + 1  # overwritten until the group's last sentence
        for e in range(starts[i], starts[i + ONE]):
            c = concepts[e]
            sentence[cursor[c]] = i
            group[cursor[c]] = now
            cursor[c] += ONE
        now += np.uint32(closes)


@njit(nogil=True, cache=True, error_model="numpy")
def _count(rows: Array, group_at: Array, side: Array, reached: Array, passed: Array) -> None:
    """Sentences of half A down to the end of every tie group, in every split."""
    reached[:] = 0
    for p in range(len(rows)):
        word = side[rows[p]]
        row = passed[group_at[p] + ONE]
        for lane in range(len(reached)):
            reached[lane] += np.int32((word >> np.uint32(lane)) & ONE)
            row[lane] = reached[lane]


@njit(nogil=True, cache=True, error_model="numpy")
def _precision(
    sentence: Array,
    group: Array,
    side: Array,
    passed: Array,
    ends: Array,
    left: Array,
    total_a: Array,
    total_b: Array,
) -> None:
    """From the bottom up, so that `left` holds the positives at or above the place reached."""
    stop = len(sentence)
    while stop > 0:
        now = group[stop - 1]
        first = stop - 1
        while first > 0 and group[first - 1] == now:
            first -= 1
        row, end = passed[now + ONE], ends[now]
        if stop - first == 1:
            _add_alone(side[sentence[first]], row, end, left, stop, total_a, total_b)
        else:  # tied positives share the count at their group's end
            for q in range(stop - 1, first - 1, -1):
                _add(side[sentence[q]], row, end, left, stop, total_a, total_b)
            for q in range(first, stop):
                for lane in range(len(left)):
                    left[lane] -= np.int32((side[sentence[q]] >> np.uint32(lane)) & ONE)
        stop = first


@njit(nogil=True, cache=True, error_model="numpy")
def _add_alone(
    word: int, row: Array, end: int, left: Array, reached: int, total_a: Array, total_b: Array
) -> None:
    """Add a positive's precision to the half it is in, and take it out of `left`."""
    for lane in range(len(left)):
        in_a = np.int32((word >> np.uint32(lane)) & ONE)
        count = left[lane] if in_a else reached - left[lane]
        gain = np.float64(count) * (1.0 / (row[lane] if in_a else end - row[lane]))
        total_a[lane] += gain if in_a else 0.0
        total_b[lane] += 0.0 if in_a else gain
        left[lane] -= in_a


@njit(nogil=True, cache=True, error_model="numpy")
def _add(
    word: int, row: Array, end: int, left: Array, reached: int, total_a: Array, total_b: Array
) -> None:
    """As `_add_alone`, with `left` as it is for the others of the tie group."""
    for lane in range(len(left)):
        in_a = np.int32((word >> np.uint32(lane)) & ONE)
        count = left[lane] if in_a else reached - left[lane]
        gain = np.float64(count) * (1.0 / (row[lane] if in_a else end - row[lane]))
        total_a[lane] += gain if in_a else 0.0
        total_b[lane] += 0.0 if in_a else gain


@njit(nogil=True, cache=True, error_model="numpy")
def _mean_rank(
    sentence: Array,
    group: Array,
    side: Array,
    passed: Array,
    ends: Array,
    total_a: Array,
    total_b: Array,
) -> None:
    """Twice the sum of the positives' falling mid-ranks in each half."""
    for q in range(len(sentence)):
        now = group[q]
        word = side[sentence[q]]
        above, down_to = passed[now], passed[now + ONE]
        both = ends[now] + (ends[now - ONE] if now > 0 else 0)
        for lane in range(len(total_a)):
            in_a = (word >> np.uint32(lane)) & ONE
            in_half_a = above[lane] + down_to[lane]
            twice = np.float64(in_half_a if in_a else both - in_half_a) + 1.0
            total_a[lane] += twice if in_a else 0.0
            total_b[lane] += 0.0 if in_a else twice
