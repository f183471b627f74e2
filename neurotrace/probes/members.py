"""Counting what many sets share: every set of one list with every set of another."""

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def count_shared(
    a: NDArray[np.int64], b: NDArray[np.int64], n_neurons: int, shared: NDArray[np.int64]
) -> None:
    """Fill ``shared`` (batch, set_a, set_b) from ``a`` (batch, set_a, k), ``b`` (batch, set_b, k).

    Each neuron lists the sets of ``b`` that hold it, so a set of ``a`` costs its own neurons and
    their hits, and never a pass over all neurons.
    """
    starts = np.empty(n_neurons + 1, np.int64)
    held_by = np.empty(b.shape[1] * b.shape[2], np.int64)
    for item in range(len(a)):
        starts[:] = 0
        for neuron in b[item].ravel():
            starts[neuron + 1] += 1
        for neuron in range(n_neurons):
            starts[neuron + 1] += starts[neuron]
        filled = starts[:-1].copy()
        for which in range(b.shape[1]):
            for neuron in b[item, which]:
                held_by[filled[neuron]] = which
                filled[neuron] += 1
        for which in range(a.shape[1]):
            for neuron in a[item, which]:
                for at in range(starts[neuron], starts[neuron + 1]):
                    shared[item, which, held_by[at]] += 1
