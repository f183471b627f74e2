"""What an interchange takes from sentences: sets chosen on one half, values read on the other.

Plain arrays: whoever holds the activations makes these, no file and no model is met. From a
store, :func:`neurotrace.trajectories.handles` gives what they are made of.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Experts:
    """Which units stand for a concept in a language: chosen on half A alone.

    Attributes
    ----------
    concepts, languages
        Names, in the order of the arrays' axes.
    neurons
        ``(concept, lang, k)`` flat numbers over all layers in order.
    widths
        Neurons of each layer.
    directions
        ``(concept, lang, neuron)``: mean over half A of the concept's sentences minus that of the
        others, all layers side by side; not normalised. None where that ceiling is not wanted.
    rotation
        Seed of the rotated basis whose units the numbers mean; None for the neurons themselves.
    """

    concepts: tuple[str, ...]
    languages: tuple[str, ...]
    neurons: NDArray[np.intp]
    widths: tuple[int, ...]
    directions: NDArray[np.float32] | None = None
    rotation: int | None = None

    def __post_init__(self) -> None:
        shape, total = np.shape(self.neurons), sum(self.widths)
        if len(shape) != 3 or shape[:2] != (len(self.concepts), len(self.languages)):
            raise ValueError(
                f"got experts of shape {shape}; expected ({len(self.concepts)} concepts, "
                f"{len(self.languages)} languages, k)"
            )
        if shape[2] and not (0 <= np.min(self.neurons) and np.max(self.neurons) < total):
            raise ValueError(
                f"got expert numbers from {np.min(self.neurons)} to {np.max(self.neurons)}; "
                f"expected 0 to {total - 1}"
            )
        if self.directions is not None and self.directions.shape != (*shape[:2], total):
            raise ValueError(
                f"got directions of shape {self.directions.shape}; expected {(*shape[:2], total)}"
            )

    @property
    def spans(self) -> list[slice]:
        """Where each layer lies among the flat numbers."""
        edges = np.cumsum([0, *self.widths]).tolist()
        return [slice(low, high) for low, high in pairwise(edges)]

    def members(self) -> NDArray[np.bool_]:
        """``(concept, lang, neuron)``: the sets as a mask."""
        mask = np.zeros((*self.neurons.shape[:2], sum(self.widths)), dtype=bool)
        np.put_along_axis(mask, self.neurons, True, axis=-1)
        return mask


@dataclass(frozen=True)
class Source:
    """What the units do in sentences of half B.

    Attributes
    ----------
    values
        ``(concept, lang, sentence, neuron)``: pooled activations of a few sentences that carry the
        concept, in the order of the experts' axes; in the rotated basis where theirs is rotated.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if np.ndim(self.values) != 4 or 0 in np.shape(self.values):
            raise ValueError(
                f"got source values of shape {np.shape(self.values)}; expected "
                "(concept, lang, sentence, neuron) with at least one sentence"
            )
