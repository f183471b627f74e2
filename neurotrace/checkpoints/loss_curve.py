"""Losses of a series that fall out of it: a step much worse or better than both its neighbours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ALONE = 0.3  # nats above or below both neighbours
END = 0.5  # nats above the only neighbour: the last step of a series that learned to its end
MANY = 10  # steps from which on what is usual can be told
USUAL = 4.0  # times what three of four steps stay below


def outliers(losses: Sequence[float]) -> dict[int, str]:
    """Steps whose loss is off the curve, by position, and how.

    Training may raise the loss of a few sentences slowly, and does so at any size of model; what
    counts is a step that stands alone. The first step has nothing before it and is not judged.

    Parameters
    ----------
    losses
        ``(step,)`` in nats a token; NaN where there is none.
    """
    values = np.asarray(losses, dtype=float)
    left = np.flatnonzero(np.isfinite(values)).tolist()
    margin = _margin(values[left])
    found: dict[int, str] = {}
    # The worst first, and the others without it: beside a spike its neighbours look low.
    while len(left) > 2:
        above, below = _alone(values[left])
        far = np.maximum(above, below)
        worst = int(np.argmax(far))
        if far[worst] <= margin:
            break
        way = "above" if above[worst] > below[worst] else "below"
        at = left.pop(worst + 1)
        found[at] = f"loss {far[worst]:.2f} nats {way} both neighbours"
    if len(left) > 2 and (rise := values[left[-1]] - values[left[-2]]) > max(END, margin):
        found[left[-1]] = f"loss {rise:.2f} nats above the step before"
    return found


def _alone(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each inner step lies above, and below, both its neighbours."""
    before, here, after = values[:-2], values[1:-1], values[2:]
    return here - np.maximum(before, after), np.minimum(before, after) - here


def _margin(values: NDArray[np.float64]) -> float:
    """A curve that goes up and down everywhere has a larger one; one step alone hardly moves it."""
    if len(values) < MANY:
        return ALONE
    above, below = _alone(values)
    return max(ALONE, USUAL * float(np.quantile(np.maximum(above, below), 0.75)))
