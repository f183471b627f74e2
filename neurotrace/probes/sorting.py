"""Compiled loops behind a Ranking: sort a neuron's sentences, then walk down their order.

`order_rows` turns floating-point bits into integer keys that sort the same way and orders them by
radix, least significant digit first. `walk` goes down an order once for each split and closes
every tie group as a whole, so that no result depends on how tied sentences happen to be stored.
Nothing here checks its input: `ranking` does that. The loops release the interpreter lock and use
one thread each.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

LEFT_OUT = 2  # the side of a sentence that is in neither half


@njit(nogil=True, cache=True, error_model="numpy")
def order_rows(
    bits: Array,
    infinity: int,
    shift: int,
    digit: int,
    passes: int,
    packed: Array,
    spare: Array,
    order: Array,
) -> int:
    """Order the sentences of each neuron, highest value first.

    Parameters
    ----------
    bits : (neuron, example) uint16 or uint32, the bit patterns of float16 or float32 values.
    infinity : bit pattern of positive infinity.
    shift : bits kept below the key for the sentence index.
    digit, passes : width of a radix digit in bits, and the digits that cover a key.
    packed, spare : (example,) work space, wide enough for key and index together.
    order : (neuron, example) signed, written: sentence i, or ~i where i closes a tie group.

    Returns
    -------
    int
        The first neuron that holds a value which is not finite, or -1.
    """
    n_neurons, n = bits.shape
    magnitude = (1 << (8 * bits.itemsize - 1)) - 1
    index = (1 << shift) - 1
    for j in range(n_neurons):
        for i in range(n):
            b = np.int64(bits[j, i])
            if b & magnitude >= infinity:
                return j
            if b == magnitude + 1:  # -0.0 ties with 0.0
                b = np.int64(0)
            # Descending: the larger the value, the smaller its key.
            key = b if b > magnitude else b ^ magnitude
            packed[i] = (key << shift) | i
        done = _radix(packed, spare, shift, digit, passes)
        for p in range(n):
            closes = p == n - 1 or done[p] >> shift != done[p + 1] >> shift
            row = np.int64(done[p]) & index
            order[j, p] = ~row if closes else row
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def _radix(values: Array, spare: Array, shift: int, digit: int, passes: int) -> Array:
    """Sort by the digits above `shift`; the result is one of the two arrays handed in."""
    mask = (1 << digit) - 1
    # The digits' histograms do not depend on the order, so one reading makes all of them.
    places = np.zeros((passes, mask + 1), np.int64)
    for value in values:
        for d in range(passes):
            places[d, (np.int64(value) >> (shift + d * digit)) & mask] += 1
    for d in range(passes):
        total = 0
        for bucket in range(mask + 1):
            count = places[d, bucket]
            places[d, bucket] = total
            total += count
        for value in values:
            place = (np.int64(value) >> (shift + d * digit)) & mask
            spare[places[d, place]] = value
            places[d, place] += 1
        values, spare = spare, values
    return values


@njit(nogil=True, cache=True, error_model="numpy")
def walk(
    order: Array,
    starts: Array,
    concepts: Array,
    sides: Array,
    n_concepts: int,
    precision: bool,
    scores: Array,
) -> None:
    """Average precision, or AUROC, of every concept in both halves of every split.

    Parameters
    ----------
    order : (neuron, example) as `order_rows` writes it.
    starts, concepts : the concepts of sentence i are concepts[starts[i]:starts[i + 1]].
    sides : (split, example) uint8, 0 for half A, 1 for half B, LEFT_OUT for neither; a sentence
        that has a concept is never left out.
    precision : True for average precision, False for AUROC.
    scores : (neuron, split, 2, concept) floating, written; NaN where a half has no positive.
    """
    n_neurons, n = order.shape
    rows = np.empty(n, np.uint32)
    groups = np.empty(n, np.uint32)
    first = np.zeros(n + 1, np.uint32)
    falling = np.empty(len(concepts), np.uint32)
    passed = np.zeros((n + 1, 2), np.int32)  # sentences at or above a tie group, a half each
    counts = _positives(starts, concepts, sides, n_concepts)
    for j in range(n_neurons):
        _unfold(order[j], starts, concepts, rows, groups, first, falling)
        for s in range(sides.shape[0]):
            _pass(rows, groups, sides[s], passed)
            if precision:
                _mean_precision(
                    rows, groups, first, falling, sides[s], passed, counts[s], scores[j, s]
                )
            else:
                _mean_rank(rows, groups, first, falling, sides[s], passed, counts[s], scores[j, s])


@njit(nogil=True, cache=True, error_model="numpy")
def _positives(starts: Array, concepts: Array, sides: Array, n_concepts: int) -> Array:
    """Positives of each concept in each half: (split, 2, concept)."""
    counts = np.zeros((sides.shape[0], 2, n_concepts), np.int64)
    for s in range(sides.shape[0]):
        for i in range(sides.shape[1]):
            for e in range(starts[i], starts[i + 1]):
                counts[s, sides[s, i], concepts[e]] += 1
    return counts


@njit(nogil=True, cache=True, error_model="numpy")
def _unfold(
    order: Array,
    starts: Array,
    concepts: Array,
    rows: Array,
    groups: Array,
    first: Array,
    falling: Array,
) -> None:
    """Write an order out by position: sentence, tie group, and concepts as one falling list.

    The concepts at position p are falling[first[p]:first[p + 1]]. The walks of all splits then
    run over flat arrays, without a branch on ties.
    """
    group = np.uint32(0)
    n_entries = np.uint32(0)
    for p in range(len(order)):
        closes = order[p] < 0
        i = np.uint32(~order[p] if closes else order[p])
        rows[p] = i
        groups[p] = group
        group += np.uint32(closes)
        for e in range(starts[i], starts[i + np.uint32(1)]):
            falling[n_entries] = concepts[e]
            n_entries += np.uint32(1)
        first[p + 1] = n_entries


@njit(nogil=True, cache=True, error_model="numpy")
def _pass(rows: Array, groups: Array, side: Array, passed: Array) -> None:
    """Count each half's sentences down to the end of every tie group."""
    in_a = np.int32(0)
    in_b = np.int32(0)
    # No branch on side or tie: either is a coin toss, and a wrong guess costs more than the sum.
    for p in range(len(rows)):
        h = side[rows[p]]
        in_a += h == 0
        in_b += h == 1
        end = groups[p] + np.uint32(1)  # overwritten until the group's last sentence
        passed[end, 0] = in_a
        passed[end, 1] = in_b


@njit(nogil=True, cache=True, error_model="numpy")
def _mean_precision(
    rows: Array,
    groups: Array,
    first: Array,
    falling: Array,
    side: Array,
    passed: Array,
    counts: Array,
    scores: Array,
) -> None:
    """From the bottom up, so that `left` holds the positives at or above the place reached."""
    n_concepts = np.uint32(counts.shape[1])
    left = counts.astype(np.int32).ravel()
    held = np.zeros(len(left), np.int32)
    last = np.full(len(left), 0xFFFFFFFF, np.uint32)
    total = np.zeros(len(left))
    for p in range(len(rows) - 1, -1, -1):
        h = np.uint32(side[rows[p]])
        if h == LEFT_OUT:  # has no concepts, and no place in `passed`
            continue
        group = groups[p]
        share = 1.0 / passed[group + np.uint32(1), h]
        for e in range(first[p], first[p + 1]):
            slot = h * n_concepts + falling[e]
            # Tied positives share the count that the group's last one, met first, has seen.
            count = held[slot] if last[slot] == group else left[slot]
            held[slot] = count
            last[slot] = group
            left[slot] -= np.int32(1)
            total[slot] += count * share
    scores[:] = total.reshape(counts.shape) / counts


@njit(nogil=True, cache=True, error_model="numpy")
def _mean_rank(
    rows: Array,
    groups: Array,
    first: Array,
    falling: Array,
    side: Array,
    passed: Array,
    counts: Array,
    scores: Array,
) -> None:
    """Mann-Whitney U from the sum of the positives' falling mid-ranks."""
    total = np.zeros(counts.shape)
    for p in range(len(rows)):
        h = side[rows[p]]
        if h == LEFT_OUT:
            continue
        group = groups[p]
        # Mid-rank = (ranks before the group + 1 + rank at its end) / 2, halved at the end.
        twice = passed[group, h] + passed[group + np.uint32(1), h] + 1
        for e in range(first[p], first[p + 1]):
            total[h, falling[e]] += twice
    size = passed[groups[len(rows) - 1] + 1]
    for h in range(2):
        for c in range(counts.shape[1]):
            positives = counts[h, c]
            pairs = positives * (size[h] - positives)
            below = 0.5 * (positives * (positives + 1) - total[h, c])
            scores[h, c] = (pairs + below) / pairs
