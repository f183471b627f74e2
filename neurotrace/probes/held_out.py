"""What probes say about sentences that they have never seen, and what all neurons say together."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from neurotrace.probes.batched import fit_ridge
from neurotrace.probes.scores import average_precision

Floats = NDArray[np.float64]
States = NDArray[np.int8]

RIDGE = 0.1  # of the mean squared length of a sentence: between a direction and an exact fit


class HeldOut(NamedTuple):
    """Scores on sentences that took no part in ranking or fitting; fractions.

    Attributes
    ----------
    average_precision
        Of the probe's score; chance is the curve's `chance`.
    f1
        Of the positives, at the threshold between the balanced classes.
    accuracy
        Share of the known sentences, at the same threshold. Classes count as they are: where
        positives are few, a probe that always says no has a high one.
    """

    average_precision: Floats
    f1: Floats
    accuracy: Floats

    def mean(self) -> Self:
        """Means over the leading axis."""
        return type(self)(*(part.mean(0) for part in self))

    def at(self, *index: Any) -> Self:
        """The same part of each."""
        return type(self)(*(part[index] for part in self))


def judge(scores: NDArray[np.floating], truth: States) -> HeldOut:
    """Compare scores with the truth.

    Parameters
    ----------
    scores : (concept, column, example), above 0 where the probe says yes.
    truth : (example, concept), 1 positive, 0 negative, -1 unknown.

    Returns
    -------
    HeldOut of (concept, column)
    """
    n_concepts, _, n = scores.shape
    # A concept's own columns are some of many; ranking them together is cheaper.
    every = average_precision(scores.reshape(-1, n).T, truth).reshape(n_concepts, n_concepts, -1)
    known = (truth >= 0).T[:, None]
    positive, called = (truth == 1).T[:, None], (scores > 0) & known
    right = (called & positive).sum(-1)
    f1 = 2 * right / (called.sum(-1) + positive.sum(-1))
    accuracy = ((called == positive) & known).sum(-1) / known.sum(-1)
    return HeldOut(every[np.arange(n_concepts), np.arange(n_concepts)], f1, accuracy)


def ceilings_of(
    rows: NDArray[Any], others: NDArray[Any], states: States, truth: States
) -> dict[str, HeldOut]:
    """A ridge probe of all neurons and the difference of means, fitted on rows, read on others.

    Parameters
    ----------
    rows, others : (example, neuron), training and held out.
    states, truth : (example, concept), 1 positive, 0 negative, -1 unknown.

    Returns
    -------
    ``dense`` and ``direction``, each HeldOut of (concept,)
    """
    scores = np.empty((2, states.shape[1], 1, len(others)))
    unknown, which = np.unique(states < 0, axis=1, return_inverse=True)
    for number, left_out in enumerate(unknown.T):
        members = np.flatnonzero(which.reshape(-1) == number)
        train, test = _standardised(rows[~left_out], others)
        y = states[np.ix_(~left_out, members)]
        target = ((y == 1) / (y == 1).sum(0) - (y == 0) / (y == 0).sum(0)).T
        ridge = fit_ridge(train, target, alpha=RIDGE * float(np.square(train).sum()))
        for place, coef in enumerate((ridge.coef, target.astype(train.dtype) @ train)):
            inside, outside = train @ coef.T, test @ coef.T
            # Halfway between the classes: both count alike, as with balanced weights.
            middle = (np.abs(target.T) * inside).sum(0) / 2
            scores[place, members, 0] = (outside - middle).T
    return {
        name: judge(part, truth).at(slice(None), 0)
        for name, part in zip(("dense", "direction"), scores, strict=True)
    }


def _standardised(rows: NDArray[Any], others: NDArray[Any]) -> tuple[NDArray, NDArray]:
    """Both in units of the first, in single precision: products of all neurons are the cost."""
    mean, scale = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    scale[scale <= 1e-12 * np.abs(mean)] = np.inf  # never changes: says nothing
    train, test = (((part - mean) / scale).astype(np.float32) for part in (rows, others))
    return train, test
