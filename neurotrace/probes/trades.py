"""Compiled loop behind the degree-preserving null: curveball trades between concepts."""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def trade(
    neurons: Array,
    starts: Array,
    n_concepts: int,
    n_neurons: int,
    trades: int,
    rng: np.random.Generator,
) -> None:
    """Shuffle which concept has which neuron, keeping every degree.

    Parameters
    ----------
    neurons : neurons of row r in neurons[starts[r]:starts[r + 1]], shuffled in place. Rows come in
        blocks of `n_concepts`; only rows of one block trade.
    trades : trades within each block.
    rng : NumPy generator.
    """
    owner = np.zeros(n_neurons, np.uint8)  # 1: only the first concept's, 3: both concepts'
    pool = np.empty(n_neurons, np.int64)
    if n_concepts == 1:
        return
    for block in range(0, len(starts) - 1, n_concepts):
        for _ in range(trades):
            a = int(rng.random() * n_concepts)
            b = int(rng.random() * (n_concepts - 1))
            b += b >= a
            first = neurons[starts[block + a] : starts[block + a + 1]]
            second = neurons[starts[block + b] : starts[block + b + 1]]
            _deal(first, second, owner, pool, rng)


@njit(nogil=True, cache=True)
def _deal(first: Array, second: Array, owner: Array, pool: Array, rng: np.random.Generator) -> None:
    """Pool the neurons that only one of two concepts has, and deal them out at random."""
    owner[first] = 1
    n_pool = 0
    common = 0
    for neuron in second:
        if owner[neuron] == 1:
            owner[neuron] = 3
            second[common] = neuron  # the common ones stay, in front
            common += 1
        else:
            pool[n_pool] = neuron
            n_pool += 1
    kept = 0
    for neuron in first:
        if owner[neuron] == 1:
            pool[n_pool] = neuron
            n_pool += 1
        else:
            first[kept] = neuron
            kept += 1
        owner[neuron] = 0
    for place in range(n_pool):
        other = place + int(rng.random() * (n_pool - place))
        pool[place], pool[other] = pool[other], pool[place]
        if place < len(first) - common:
            first[common + place] = pool[place]
        else:
            second[place - (len(first) - common) + common] = pool[place]
