"""The order in which a neuron puts the sentences, by radix where it can be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurotrace.probes.inputs import not_finite
from neurotrace.probes.sorting import order_rows

TILE = 256  # sentences turned to one neuron a row at a time, so that they stay in cache


def index_type(n_examples: int) -> type[np.signedinteger]:
    """The smallest signed integers that name every sentence and its complement."""
    return np.int16 if n_examples <= np.iinfo(np.int16).max + 1 else np.int32


def ordered(X: NDArray[Any], neurons: slice) -> NDArray[np.signedinteger]:
    """Order the sentences of some neurons, (neuron, example), by falling value.

    Parameters
    ----------
    X : (example, neuron), as `check_responses` returns it
    neurons : columns of X, with start and stop

    Returns
    -------
    As `Ranking.order` holds it.

    Raises
    ------
    ValueError
        NaN or infinity, named by neuron.
    """
    n = len(X)
    # A copy with one neuron a row: contiguous, writable, and never the caller's memory.
    values = np.empty((neurons.stop - neurons.start, n), X.dtype)
    for first in range(0, n, TILE):
        values[:, first : first + TILE] = X[first : first + TILE, neurons].T
    order = np.empty(values.shape, index_type(n))
    if values.dtype.newbyteorder("=") in (np.float16, np.float32):
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        half = values.dtype == np.float16
        shift = max(n - 1, 1).bit_length()
        packed = np.empty(n, np.uint32 if half and shift <= 16 else np.int64)
        bits, infinity = (np.uint16, 0x7C00) if half else (np.uint32, 0x7F800000)
        digit, passes = (8, 2) if half else (11, 3)
        bad = order_rows(
            values.view(bits), infinity, shift, digit, passes, packed, np.empty_like(packed), order
        )
    else:
        bad = _order_by_numpy(values, order)
    if bad >= 0:
        raise not_finite(neurons.start + bad)
    return order


def _order_by_numpy(values: NDArray, order: NDArray[np.signedinteger]) -> int:
    finite = np.isfinite(values).all(1)
    if not finite.all():
        return int(np.flatnonzero(~finite)[0])
    falling = np.argsort(values, axis=1)[:, ::-1]
    ranked = np.take_along_axis(values, falling, axis=1)
    closes = np.ones(values.shape, bool)
    closes[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    order[:] = np.where(closes, ~falling, falling)
    return -1
