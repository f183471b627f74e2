"""Compiled loop behind BestExperts: a heap of the best neurons for each of many sets."""

from typing import Any

from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def keep_best(scores: Array, offset: int, filled: Array, best: Array, indices: Array) -> None:
    """Offer every score to its set's heap, whose root is the worst neuron kept.

    Parameters
    ----------
    scores : (set, neuron) floating.
    offset : flat index of the first of these neurons.
    filled : (set,) neurons kept so far, updated.
    best, indices : (set, k) scores and flat indices kept, updated, in heap order.
    """
    k = best.shape[1]
    for r in range(scores.shape[0]):
        heap, names = best[r], indices[r]
        n = filled[r]
        for j in range(scores.shape[1]):
            score, name = scores[r, j], offset + j
            if n < k:
                _rise(heap, names, n, score, name)
                n += 1
            elif score > heap[0] or (score == heap[0] and name < names[0]):
                _sink(heap, names, score, name)
        filled[r] = n


@njit(nogil=True, cache=True)
def _worse(score_a: float, name_a: int, score_b: float, name_b: int) -> bool:
    return score_a < score_b or (score_a == score_b and name_a > name_b)


@njit(nogil=True, cache=True)
def _rise(heap: Array, names: Array, place: int, score: float, name: int) -> None:
    """Insert at `place`, the first free one, and lift above everything better."""
    while place > 0:
        parent = (place - 1) // 2
        if not _worse(score, name, heap[parent], names[parent]):
            break
        heap[place], names[place] = heap[parent], names[parent]
        place = parent
    heap[place], names[place] = score, name


@njit(nogil=True, cache=True)
def _sink(heap: Array, names: Array, score: float, name: int) -> None:
    """Replace the root and lower the newcomer below everything worse."""
    place, k = 0, len(heap)
    while 2 * place + 1 < k:
        child = 2 * place + 1
        if child + 1 < k and _worse(heap[child + 1], names[child + 1], heap[child], names[child]):
            child += 1
        if not _worse(heap[child], names[child], score, name):
            break
        heap[place], names[place] = heap[child], names[child]
        place = child
    heap[place], names[place] = score, name
