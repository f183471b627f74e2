"""Compiled loop behind p-values that need no table for ties: scores with ties broken downwards."""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(nogil=True, cache=True, error_model="numpy")
def lowest_scores(
    order: Array,
    left_out: Array,
    starts: Array,
    concepts: Array,
    n_pos: Array,
    precision: bool,
    scores: Array,
) -> None:
    """Score as if the positives of a tie group stood below its negatives.

    Parameters
    ----------
    order : (neuron, example) as in a Ranking.
    left_out : (example,) bool, sentences that have no place.
    starts, concepts : the concepts of sentence i are concepts[starts[i]:starts[i + 1]].
    n_pos : (concept,) positives.
    precision : True for average precision, False for AUROC.
    scores : (neuron, concept) floating, written.
    """
    n = len(left_out) - left_out.sum()
    held = np.zeros(len(n_pos), np.int64)
    tied = np.zeros(len(n_pos), np.int64)
    total = np.zeros(len(n_pos))
    met = np.empty(len(concepts), np.int64)
    for row in range(len(order)):
        held[:] = 0
        total[:] = 0.0
        passed = size = n_met = 0
        for place in order[row]:
            i = place if place >= 0 else ~place
            if not left_out[i]:
                size += 1
                for e in range(starts[i], starts[i + 1]):
                    concept = concepts[e]
                    if tied[concept] == 0:
                        met[n_met] = concept
                        n_met += 1
                    tied[concept] += 1
            if place >= 0:
                continue
            passed += size
            for concept in met[:n_met]:
                k, before = tied[concept], held[concept]
                total[concept] += (
                    _precisions(before, k, passed)
                    if precision
                    else k * float(n - passed - (n_pos[concept] - before - k))
                )
                held[concept] = before + k
                tied[concept] = 0
            size = n_met = 0
        scores[row] = total / n_pos if precision else total / (n_pos * (n - n_pos))


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _precisions(before: int, k: int, end: int) -> float:
    """Precisions at the k positives that end a group, summed."""
    total = 0.0
    for i in range(1, k + 1):
        total += (before + i) / (end - k + i)
    return total
