"""Random neurons that stand in for chosen ones: as many in every layer, and never the same."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurotrace.causal.neurons import Neurons, by_layer


def alike(neurons: Neurons, widths: Sequence[int], *, key: Sequence[int]) -> NDArray[np.intp]:
    """Random neurons of the same layers, as many in each as were chosen there.

    Drawn among those not chosen. Where most of a layer is chosen there are not enough: then all
    that are left stand in, and where none is left the chosen ones themselves.

    Parameters
    ----------
    neurons
        As :func:`neurotrace.causal.clamp` takes them, no units.
    widths
        Neurons of each layer.
    key
        Seeds of the stream of random numbers.

    Returns
    -------
    Flat numbers, ascending.
    """
    rng = np.random.default_rng(list(key))
    starts = np.cumsum([0, *widths])
    drawn: list[NDArray[np.intp]] = []
    for layer, chosen in by_layer(neurons, widths).items():
        others = np.setdiff1d(np.arange(widths[layer]), chosen)
        pool = others if len(others) else np.sort(chosen)
        drawn.append(starts[layer] + rng.permutation(pool)[: len(chosen)])
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, dtype=np.intp)


def named(seed: int, stream: int, *names: str) -> list[int]:
    """A key that follows from names, not from their order in a list."""
    return [seed, stream, *"\0".join(names).encode()]
