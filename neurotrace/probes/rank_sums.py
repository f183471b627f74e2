"""Tails of a rank sum where summing over all placements would take too long: a saddlepoint.

Whether a sentence is positive is a coin toss of its own, given that n_pos of them come up. The
sum of ranks and the number of positives have the cumulant generating function

    K(a, b) = Σ_groups t log(1 - π + π exp(a + b u)),   π = n_pos / n,

with t a group's size and u its mid-rank, exactly and for any ties. Skovgaard's double saddlepoint
conditions on the number of positives. Its error is relative and hardly grows into the tail:
against exact sums of 20 and more positives it stays below 1 % down to 1e-8 without ties.

It takes U for nearly continuous. A tie group of t sentences makes U jump by about t / 2, so that
p may be too small by some 3 t / sd(U) at 1e-8: little where this is used, at sizes too large for
an exact sum (500 among 3,000 have sd 18,000), but not where one group holds most sentences.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

Floats = NDArray[np.float64]
REACH = 9.0  # normal deviates tabulated: beyond 1e-18
TILTS = 400
CELLS = 1 << 15


class Tilted(NamedTuple):
    """Placements tilted towards high ranks, their mean number of positives kept.

    Each field is (tilt,): the shift of log odds, the mean pairs won, and the deviate r*.
    """

    shift: Floats
    won: Floats
    deviate: Floats


def saddlepoint_null(
    sizes: NDArray[np.int64], n_pos: int, lattice: float
) -> tuple[float, float, Floats]:
    """Upper tail of U, the pairs that positives win, on a grid.

    P(U >= u) = 1 - Φ(r*),  r* = r + log(v / r) / r

    Parameters
    ----------
    sizes : (group,) tie groups from the highest value down.
    n_pos : positives.
    lattice : distance of the values that U takes; the tail starts half of it below a value.

    Returns
    -------
    low, step, survival : P(U >= low + (i - 1/2) step) at index i, (cell + 1,)

    References
    ----------
    Skovgaard 1987, "Saddlepoint expansions for conditional distributions", doi:10.2307/3214212;
    here in Barndorff-Nielsen's form of the deviate r*, which stays smooth in the middle.
    """
    from scipy.interpolate import CubicSpline

    tilted = _tilted(sizes.astype(float), n_pos)
    # Near no tilt r and v vanish together; the curve through the others is smooth there.
    use = (np.abs(tilted.shift) > 0) & np.isfinite(tilted.deviate)
    won, deviate = tilted.won[use], tilted.deviate[use]
    inner = np.abs(deviate) < REACH
    won, deviate = won[inner], deviate[inner]
    curve = CubicSpline(won, deviate)
    step = (won[-1] - won[0]) / CELLS
    places = won[0] + (np.arange(CELLS + 1) - 0.5) * step
    survival = ndtr(-curve(np.clip(places, won[0], won[-1])))
    return float(won[0] + lattice / 2), float(step), np.minimum.accumulate(survival)


def _tilted(size: Floats, n_pos: int) -> Tilted:
    """Solve the saddlepoint for a range of tilts of the mid-ranks."""
    n = size.sum()
    share = n_pos / n
    rank = n - np.cumsum(size) + (size + 1) / 2  # mid-rank from the bottom
    spread = np.sqrt((size * (rank - rank @ size / n) ** 2).sum() * share * (1 - share))
    unit = (rank - rank @ size / n) / spread  # so that a tilt is in standard deviations
    tilts = np.sinh(np.linspace(-4.5, 4.5, TILTS)) / np.sinh(4.5) * 4 * REACH
    rows = [_solve(tilt, unit, size, share, n_pos) for tilt in tilts]
    shift, sums, deviate = np.array(rows).T
    won = sums * spread + n_pos * (rank @ size / n) - n_pos * (n_pos + 1) / 2
    return Tilted(shift, won, deviate)


def _solve(
    tilt: float, unit: Floats, size: Floats, share: float, n_pos: int
) -> tuple[float, float, float]:
    """One tilt: the log odds that keep the number of positives, the mean sum and r*."""
    odds = np.log(share / (1 - share))
    shift = _balance(tilt, unit, size, odds, n_pos)
    logit = odds + shift + tilt * unit
    chance = expit(logit)
    weight = size * chance * (1 - chance)
    total = float(size @ (chance * unit))
    # K = Σ t [log(1 + e^logit) - log(1 + e^odds)]
    cumulant = float(size @ (np.logaddexp(0, logit) - np.logaddexp(0, odds)))
    r = np.sign(tilt) * np.sqrt(max(2 * (shift * n_pos + tilt * total - cumulant), 0.0))
    curvature = weight.sum() * (weight @ unit**2) - (weight @ unit) ** 2
    v = tilt * np.sqrt(max(curvature, 0.0) / (size.sum() * share * (1 - share)))
    with np.errstate(invalid="ignore", divide="ignore"):
        deviate = r + np.log(v / r) / r if abs(r) > 0.05 else np.nan
    return shift if abs(r) > 0.05 else 0.0, total, float(deviate)


def _balance(tilt: float, unit: Floats, size: Floats, odds: float, n_pos: int) -> float:
    """The shift of log odds at which the tilted tosses come up n_pos times on average."""
    from scipy.optimize import brentq

    edge = abs(tilt) * np.abs(unit).max() + 1.0
    return float(
        brentq(
            lambda shift: size @ expit(odds + shift + tilt * unit) - n_pos,
            -edge,
            edge,
            xtol=1e-13,
            rtol=1e-13,
        )
    )
