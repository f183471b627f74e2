"""Where along the steps does a curve pass a level? The monotone fit it is read from.

Beside the interpolated step stand the earliest and the latest it may be: where much of a rise falls
between two checkpoints, it may have happened anywhere between them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEEP = 1 / 3  # of the final excess between two checkpoints: where between them, none can say
CHUNK = 4_000_000  # numbers of one pass of the monotone fit


class Passing(NamedTuple):
    """Steps ``(replicate, …)`` at which curves pass a level, and between which they surely do.

    ``early`` and ``late`` are ``at`` itself, or the checkpoints around it where a third of the rise
    falls between those two.
    """

    at: Floats
    early: Floats
    late: Floats


def monotone(values: Floats) -> Floats:
    """Nearest never-falling curve along axis 0, by least squares; NaN is left out and stays.

    ``fit[i] = max over a ≤ i of min over b ≥ i of mean(values[a … b])`` (Barlow et al. 1972): as
    pool-adjacent-violators gives it, for many curves at once.

    >>> monotone(np.array([0.0, 2.0, 1.0, 3.0])).tolist()
    [0.0, 1.5, 1.5, 3.0]
    """
    n = len(values)
    flat = values.reshape(n, -1)
    size = max(1, CHUNK // n**2)
    parts = [_pooled(flat[:, at : at + size]) for at in range(0, flat.shape[1], size)]
    return np.concatenate([np.empty((n, 0)), *parts], axis=1).reshape(values.shape)


def _pooled(values: Floats) -> Floats:
    known = np.isfinite(values)
    zero = np.zeros((1, values.shape[1]))
    total = np.concatenate([zero, np.cumsum(np.where(known, values, 0.0), 0)])
    count = np.concatenate([zero, np.cumsum(known, 0)])
    best = np.full(values.shape, -np.inf)
    for a in range(len(values)):
        n = count[a + 1 :] - count[a]
        means = np.where(n > 0, (total[a + 1 :] - total[a]) / np.maximum(n, 1), np.inf)
        lowest = np.minimum.accumulate(means[::-1], 0)[::-1]
        # A window that starts or ends on an undefined value is that of its defined neighbours.
        best[a:] = np.maximum(best[a:], np.where(known[a], lowest, -np.inf))
    return np.where(known, best, np.nan)


def positions(steps: NDArray) -> Floats:
    """Steps on a log2 axis; step 0 stands at half the first positive one, if any."""
    if len(steps) == 1:
        return np.zeros(1)
    positive = steps[steps > 0]
    if len(positive) < len(steps) - 1 or not len(positive):
        raise ValueError(f"got steps {steps.tolist()}; expected 0 at most once, and some above it")
    return np.log2(np.where(steps > 0, steps, positive[0] / 2))


def last_defined(values: Floats) -> Floats:
    """Last defined value along axis 0, NaN where there is none."""
    at = len(values) - 1 - np.isfinite(values)[::-1].argmax(0)
    return np.take_along_axis(values, at[None], 0)[0]


def passed(
    curves: Floats, where: NDArray[np.bool_], level: float | None, places: Floats
) -> Passing:
    """When do monotone fits ``(replicate, step, …)`` pass a level, or half of where they end?

    NaN outside ``where``, and in a draw that has no excess; inf where a level is never passed.
    """
    # (replicate, step, onset) → (step, replicate · onset): only where something happened.
    picked = curves[:, :, where].swapaxes(0, 1)
    fitted = monotone(picked.reshape(len(places), -1))
    end = last_defined(fitted)
    targets = np.where(end > 0, end / 2, np.nan) if level is None else np.full_like(end, level)
    draws, early, late = (np.full((len(curves), *where.shape), np.nan) for _ in range(3))
    for into, at in zip((draws, early, late), _crossing(fitted, targets, places), strict=True):
        into[:, where] = at.reshape(len(curves), -1)
    return Passing(draws, early, late)


def between(early: Floats, late: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Interval ``(…)`` of what each draw ``(replicate, …)`` puts between two ends.

    Quantiles rounded outwards. A draw that says nothing (NaN) may lie anywhere, so that an end
    which depends on it is infinite; NaN without draws.
    """
    early, late = np.where(np.isnan(early), -np.inf, early), np.where(np.isnan(late), np.inf, late)
    return _quantile(early, alpha / 2), _quantile(late, 1 - alpha / 2)


def _crossing(fitted: Floats, targets: Floats, places: Floats) -> tuple[Floats, Floats, Floats]:
    """Steps ``(curve,)`` at which ``(step, curve)`` reach their targets; inf where never.

    With the earliest and the latest step it may be: the checkpoints around it, where a third of the
    rise falls between those two. A curve that starts above its target has its first defined step.
    """
    reached = fitted >= targets
    at = reached.argmax(0)
    order = np.where(np.isfinite(fitted), np.arange(len(fitted))[:, None], -1)
    before = np.concatenate([np.full((1, fitted.shape[1]), -1), np.maximum.accumulate(order)[:-1]])
    columns = np.arange(fitted.shape[1])
    left = before[at, columns]
    left = np.where(left < 0, at, left)
    low, high = fitted[left, columns], fitted[at, columns]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, (targets - low) / (high - low), 1.0)
    place = places[left] + share * (places[at] - places[left])
    steep = high - low > STEEP * last_defined(fitted)
    never = np.where(np.isnan(targets), np.nan, np.inf)
    ends = (place, np.where(steep, places[left], place), np.where(steep, places[at], place))
    found, early, late = (np.where(reached.any(0), 2.0**end, never) for end in ends)
    return found, early, late


def _quantile(draws: Floats, share: float) -> Floats:
    """Quantile over axis 0, rounded outwards; inf is later than all."""
    if not len(draws):
        return np.full(draws.shape[1:], np.nan)
    outwards = np.floor if share < 0.5 else np.ceil
    return np.sort(draws, axis=0)[int(outwards(share * (len(draws) - 1)))]
