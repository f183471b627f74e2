"""Compiled loops behind a Ranking: sort a neuron's sentences, and leave some of them out.

`order_rows` turns floating-point bits into integer keys that sort the same way and orders them by
radix, least significant digit first; `walks` and `halves_walk` go down what it writes. Nothing here
checks its input: `ranking` does that. The loops release the interpreter lock and use one thread
each.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


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
def drop_sentences(order: Array, left_out: Array, kept: Array) -> None:
    """Copy orders without some sentences; a tie group closes at the last one kept of it.

    Parameters
    ----------
    order : (neuron, example) as `order_rows` writes it.
    left_out : (example,) bool.
    kept : (neuron, example kept), written.
    """
    for j in range(len(order)):
        at = 0
        for p in range(order.shape[1]):
            closes = order[j, p] < 0
            i = ~order[j, p] if closes else order[j, p]
            if not left_out[i]:
                kept[j, at] = i
                at += 1
            if closes and at > 0 and kept[j, at - 1] >= 0:
                kept[j, at - 1] = ~kept[j, at - 1]
