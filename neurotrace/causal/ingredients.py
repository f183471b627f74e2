"""What an interchange takes from sentences: sets chosen on one half, values read on the other.

Plain arrays in and out: whoever holds the activations makes these, no file and no model is met.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.causal.controls import named

SENTENCES = 13  # stream of random numbers


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


def experts_and_source(
    pooled: ArrayLike,
    neurons: ArrayLike,
    *,
    labels: ArrayLike,
    lang: ArrayLike,
    in_a: ArrayLike,
    concepts: Sequence[str],
    languages: Sequence[str],
    widths: Sequence[int],
    sentences: int = 4,
    rotation: int | None = None,
    seed: int = 0,
) -> tuple[Experts, Source]:
    """Both ingredients from one checkpoint's pooled activations.

    Parameters
    ----------
    pooled
        ``(example, neuron)``: activations pooled over a sentence, the layers side by side; in the
        rotated basis where ``rotation`` is given.
    neurons
        ``(lang, concept, k)`` expert sets, chosen on half A.
    labels
        ``(example, concept)``: 1 carries the concept, 0 does not, −1 not judged.
    lang
        ``(example,)`` language of each sentence.
    in_a
        ``(example,)`` bool: half A.
    sentences
        Sentences of half B whose values are taken, for each concept and language; seeded.
    rotation
        Seed of the rotated basis; directions are made in the basis of the neurons alone.

    Raises
    ------
    ValueError
        For a concept that a language has no sentence of in half B.
    """
    X, y = np.asarray(pooled), np.asarray(labels)
    langs, half = np.asarray(lang), np.asarray(in_a, dtype=bool)
    shape = (len(concepts), len(languages))
    values = np.empty((*shape, sentences, X.shape[1]), dtype=np.float32)
    directions = np.empty((*shape, X.shape[1]), dtype=np.float32)
    for c, concept in enumerate(concepts):
        for a, language in enumerate(languages):
            own = langs == language
            taken = _taken(np.flatnonzero(own & ~half & (y[:, c] == 1)), sentences,
                           key=(concept, language), seed=seed)  # fmt: skip
            values[c, a] = X[taken]
            if rotation is None:
                directions[c, a] = _difference(X, y[:, c], own & half)
    experts = Experts(
        tuple(concepts),
        tuple(languages),
        np.swapaxes(np.asarray(neurons, dtype=np.intp), 0, 1),
        tuple(int(width) for width in widths),
        directions=directions if rotation is None else None,
        rotation=rotation,
    )
    return experts, Source(values)


def _taken(rows: NDArray[np.intp], n: int, *, key: tuple[str, str], seed: int) -> NDArray[np.intp]:
    """Rows of the sentences to read; some twice where there are fewer."""
    if not len(rows):
        raise ValueError(f"got no sentence of {key[0]!r} in {key[1]} in half B; expected some")
    # By name, so that the order of concepts and languages decides nothing.
    rng = np.random.default_rng(named(seed, SENTENCES, *key))
    return np.resize(rng.permutation(rows), n)


def _difference(X: NDArray, label: NDArray, chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Difference in means (Marks & Tegmark 2023, arXiv:2310.06824)."""
    with_it, without = X[chosen & (label == 1)], X[chosen & (label == 0)]
    return (with_it.mean(0, dtype=np.float64) - without.mean(0, dtype=np.float64)).astype(
        np.float32
    )
