"""Which neurons: flat numbers over all layers, (layer, neuron) pairs, or names such as L3.N117.

A flat number counts the neurons of all layers in order, as the last axis of an expert set does.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Neurons = ArrayLike | Sequence[str] | Sequence[tuple[int, int]]

_NAME = re.compile(r"L(\d+)\.N(\d+)")


def widths_of(model: Any, site: str = "mlp.hook_post") -> tuple[int, ...]:
    """Neurons of each layer of a hooked model.

    Raises
    ------
    ValueError
        When the model was loaded without that site.
    """
    if site not in model.widths:
        raise ValueError(f"got site {site!r}; valid are {', '.join(sorted(model.widths))}")
    return (int(model.widths[site]),) * int(model.n_layers)


def parse(name: str) -> tuple[int, int]:
    """Layer and neuron of a name.

    Raises
    ------
    ValueError
        For another form.

    >>> parse("L3.N117")
    (3, 117)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"got neuron {name!r}; expected a name such as L3.N117")
    return int(match[1]), int(match[2])


def flat(neurons: Neurons, widths: Sequence[int]) -> NDArray[np.intp]:
    """Neurons as flat numbers, in the order they are given.

    Parameters
    ----------
    neurons
        Flat numbers ``(n,)``, a bool mask over all neurons, pairs ``(n, 2)`` of layer and neuron,
        or names.
    widths
        Neurons of each layer.

    Raises
    ------
    ValueError
        For a neuron that does not exist, one named twice, or another shape.

    >>> flat(["L0.N3", "L1.N0"], [8, 8]).tolist()
    [3, 8]
    """
    numbers = _numbers(neurons, widths)
    seen, counts = np.unique(numbers, return_counts=True)
    if len(seen) < len(numbers):
        twice = names(seen[counts > 1][:1], widths)[0]
        raise ValueError(f"got neuron {twice} twice; expected every neuron once")
    return numbers


def by_layer(neurons: Neurons, widths: Sequence[int]) -> dict[int, NDArray[np.intp]]:
    """Neurons of each layer that has any, in the order they are given; layers ascend.

    Parameters and errors are those of :func:`flat`.

    >>> by_layer([(1, 5), (0, 3), (1, 2)], [8, 8])
    {0: array([3]), 1: array([5, 2])}
    """
    layers, own = located(flat(neurons, widths), widths)
    return {int(layer): own[layers == layer] for layer in np.unique(layers).tolist()}


def names(neurons: Neurons, widths: Sequence[int]) -> list[str]:
    """How the neurons print, in the order they are given.

    >>> names([3, 8], [8, 8])
    ['L0.N3', 'L1.N0']
    """
    layers, own = located(_numbers(neurons, widths), widths)
    return [f"L{layer}.N{neuron}" for layer, neuron in zip(layers, own, strict=True)]


def located(
    numbers: NDArray[np.intp], widths: Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Layer of each flat number, and which of the layer's neurons it is."""
    starts = np.cumsum([0, *widths])
    layers = np.searchsorted(starts, numbers, side="right") - 1
    return layers, numbers - starts[layers]


def _numbers(neurons: Neurons, widths: Sequence[int]) -> NDArray[np.intp]:
    total = int(sum(widths))
    given = np.asarray(neurons)
    if given.size == 0:
        return np.zeros(0, dtype=np.intp)
    if given.dtype.kind in "US":
        return _from_pairs(np.array([parse(str(name)) for name in given.ravel()]), widths)
    if given.dtype == bool:
        if given.shape != (total,):
            raise ValueError(f"got a mask of shape {given.shape}; expected ({total},)")
        return np.flatnonzero(given)
    if given.dtype.kind not in "iu" or not (given.ndim == 1 or given.shape[1:] == (2,)):
        raise ValueError(
            f"got neurons of type {given.dtype} and shape {given.shape}; expected flat numbers, "
            "pairs (layer, neuron), names such as L3.N117, or a bool mask"
        )
    if given.ndim == 2:
        return _from_pairs(given, widths)
    wrong = given[(given < 0) | (given >= total)]
    if len(wrong):
        raise ValueError(f"got neuron number {wrong[0]}; the model has {total} in all")
    return given.astype(np.intp)


def _from_pairs(pairs: NDArray[Any], widths: Sequence[int]) -> NDArray[np.intp]:
    spans = list(pairwise(np.cumsum([0, *widths]).tolist()))
    for layer, neuron in pairs.tolist():
        if not 0 <= layer < len(spans) or not 0 <= neuron < widths[layer]:
            raise ValueError(
                f"got neuron L{layer}.N{neuron}; the model has {len(spans)} layers of "
                f"{max(widths, default=0)} neurons"
            )
    return np.array([spans[layer][0] + neuron for layer, neuron in pairs.tolist()], dtype=np.intp)
