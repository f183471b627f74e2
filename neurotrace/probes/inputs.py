"""Responses as they come in: from any array, as plain numbers, some neurons at a time.

Lists, DataFrames, memory maps and tensors all become NumPy arrays here, without a copy where none
is needed and never modified. torch itself is not imported: a tensor that is handed in brings it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLUMNS = 256  # neurons held as float64 at a time


def plain_array(values: ArrayLike) -> NDArray[Any]:
    """A NumPy array of what was handed in; a tensor leaves its graph and its device first.

    Parameters
    ----------
    values
        Anything NumPy reads, or a tensor: attached to a graph, on a GPU, or in bfloat16.

    Examples
    --------
    >>> plain_array([[1, 2]]).shape
    (1, 2)
    """
    detach = getattr(values, "detach", None)
    if detach is not None:
        tensor = detach().cpu()
        # NumPy knows no bfloat16, and float32 holds every value of it.
        values = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    return np.asarray(values)


def check_responses(X: ArrayLike) -> NDArray[Any]:
    """X as a plain (example, neuron) array of real numbers, neither copied nor modified.

    Parameters
    ----------
    X : (example, neuron)

    Raises
    ------
    ValueError
        Another shape, nothing inside, or entries that are no real numbers.
    """
    X = plain_array(X)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"got X of shape {X.shape}, expected a non-empty (example, neuron) matrix")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"got X of dtype {X.dtype}, expected floating, integer or bool")
    return X


def not_finite(neuron: int) -> ValueError:
    """The error that names the neuron whose responses are not all finite."""
    return ValueError(f"got NaN or infinity in neuron (column) {neuron}, expected finite responses")


def blocks(X: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Some neurons after the other, as float64 copies: sums of float16 would lose digits.

    Parameters
    ----------
    X : (example, neuron), as `check_responses` returns it

    Yields
    ------
    The columns, and their responses (example, neuron of the block).

    Raises
    ------
    ValueError
        NaN or infinity, named by neuron.
    """
    for first in range(0, X.shape[1], COLUMNS):
        neurons = slice(first, min(first + COLUMNS, X.shape[1]))
        block = X[:, neurons].astype(np.float64)
        finite = np.isfinite(block).all(0)
        if not finite.all():
            raise not_finite(first + int(finite.argmin()))
        yield neurons, block
