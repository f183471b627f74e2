"""Null distributions of AP and AUROC under a random ranking: one table for each size and ties.

Which table is made, and what is proven about it:

- Few placements (binary neurons, a handful of positives): all are listed. Exact.
- AUROC up to n n_pos² n_neg / 4 = 4·10⁹ cells, with n_pos and n_neg swapped where that is less:
  exact sum over all placements (60 of 720 takes about a second). Beyond: `rank_sums`.
- AP: the sum over ranks of precision at each positive is spread over a grid, each term shared
  between two cells so that its mean is kept. The grid's sum S' is then S + N, where N is, given the
  placement, a sum of at most E = min(n_pos, groups) independent terms of mean 0 and range one
  cell. Hoeffding's inequality bounds P(N <= -κ √E cells | placement) by q = exp(-2 κ²), hence

      P(S >= s) (1 - q) <= P(S' >= s - κ √E cells)          for every κ,

  and the same inequality for N from above, summed over what lies below s, bounds P(S >= s) from
  below. `RankNull.bracket` takes the best κ. The cell is chosen so that both bounds lie within
  10 % of the value handed out at 1e-8 and above. These are inequalities, so the tail needs no
  extrapolation: 1e-8 is as proven as 1e-2. The realised error is of second order, about
  (θ √E cell)² / 12 with θ the slope of -log P, below 0.001.
- Where single placements matter (few positives, few groups), the highest ones are listed exactly
  and replace the grid from there up.

Grid probabilities below 1e-15 are handed out as 1e-15, an upper bound.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FLOOR = 1e-15  # least probability read off a grid
TRIM = 1e-24  # mass cut off at either end of a row of the grid
LISTED = 1_000_000  # steps that a list of placements may take
CELLS = 4_000_000_000  # that an exact AUROC table may take
WORK = 60_000_000_000  # cells that an AP table may take before its bracket widens
ROW = 1_000_000  # cells that the finest grid may have
TARGET = 1e-8  # the tail for which the bracket is promised
BLUR = 0.05  # slope of the tail times √E cells, at which the bracket is within 10 %
PASSES = 3  # grids made at most: where single placements weigh, none is fine enough
FEW = 20  # positives below which a saddlepoint is not to be trusted
Floats = NDArray[np.float64]


class Summed(NamedTuple):
    """What is summed over placements: as `placements.spread` takes it, and the score's scale."""

    sizes: NDArray[np.int64]
    n_pos: int
    precision: bool
    scale: float
    placements: float  # that differ


@dataclass(frozen=True, eq=False)
class RankNull:
    """Upper tail of one score for one number of positives, of sentences, and one tie pattern.

    Attributes
    ----------
    scale : what the summed terms are divided by to give the score.
    step, first : cell i of the grid stands for the sum (first + i) step.
    survival : (cell + 1,) P(sum >= cell); empty where every placement is listed.
    smooth : whether terms were shared between cells, so that cells are read with interpolation.
    spare : E in the module's docstring, with the mass cut off; what the bracket needs.
    sums, tails : (placement,) the listed sums, rising, and P(sum >= that one), exact.
    method : "listed", "summed", "grid" or "saddlepoint".
    """

    scale: float
    step: float
    first: float
    survival: Floats
    smooth: bool
    spare: tuple[int, float]
    sums: Floats
    tails: Floats
    method: str

    def p_value(self, value: Floats, slack: float) -> Floats:
        """P(score >= value) for (value,) scores that may be too low by the fraction `slack`."""
        sums = value * self.scale
        p = np.ones(len(sums)) if not len(self.survival) else self._read(sums, slack)
        if len(self.sums):
            listed = sums * (1 + slack) >= self.sums[0]
            place = np.searchsorted(self.sums, sums[listed] * (1 - slack))
            p[listed] = self.tails[np.minimum(place, len(self.tails) - 1)]
        return np.where(np.isnan(value), np.nan, np.minimum(p, 1.0))  # sums of floats pass 1

    def _read(self, sums: Floats, slack: float) -> Floats:
        """Probabilities off the grid."""
        place = np.nan_to_num(sums) / self.step - self.first
        last = len(self.survival) - 1
        if not self.smooth:
            cell = np.ceil(place - slack * (np.abs(place) + abs(self.first)) - 1e-9)
            # The last cell holds nothing: no value a ranking can reach lies there.
            return self.survival[np.clip(cell, 0, last - 1).astype(np.int64)]
        # A cell's mass is centred on it, so P(sum >= middle of two cells) is what is known.
        place = np.clip(place + 0.5, 0, last)
        cell = np.minimum(place.astype(np.int64), last - 1)
        share = place - cell
        p = self.survival[cell] * (1 - share) + self.survival[cell + 1] * share
        return np.clip(p, FLOOR, 1.0)

    def bracket(self, value: Floats) -> tuple[Floats, Floats]:
        """Proven lower and upper bound of P(score >= value), for (value,) scores.

        Raises
        ------
        ValueError
            A saddlepoint table, about which nothing is proven.
        """
        if self.method == "saddlepoint":
            raise ValueError("got a saddlepoint table, expected a grid or an exact one")
        p = self.p_value(value, 1e-12)
        if not self.smooth:
            return p, p
        place = value * self.scale / self.step - self.first
        listed = value * self.scale >= (self.sums[0] if len(self.sums) else np.inf)
        lower, upper = self._lower(place), self._upper(place)
        return np.where(listed, p, lower), np.where(listed, p, upper)

    def _at(self, place: Floats) -> Floats:
        """P(S' >= place) for places in cells."""
        cell = np.clip(np.ceil(place), 0, len(self.survival) - 1)
        return self.survival[cell.astype(np.int64)]

    def _upper(self, place: Floats) -> Floats:
        events, cut = self.spare
        widths = np.arange(0.3, 4.0, 0.05)[:, None]
        missed = -np.expm1(-2 * widths**2)
        return np.minimum(((self._at(place - widths * events**0.5) + cut) / missed).min(0), 1.0)

    def _lower(self, place: Floats) -> Floats:
        """P(S' >= s + c), less what noise lifts there from below s."""
        root, hop = self.spare[0] ** 0.5, 0.1
        hops = np.arange(1, 60)
        below = np.array([self._upper(place - hop * k * root) for k in hops])
        best = np.zeros(len(place))
        for width in np.arange(0.3, 4.0, 0.1):
            passes = np.exp(-2 * (width + hop * np.arange(60)) ** 2)
            lifted = ((passes[:-1] - passes[1:])[:, None] * below).sum(0) + passes[-1]
            best = np.maximum(best, (self._at(place + width * root) - lifted) / (1 - passes[0]))
        return best


@lru_cache(maxsize=128)
def average_precision_null(n_pos: int, n: int, ties: tuple[int, ...] | None) -> RankNull:
    """The null of AP; `ties` are group sizes from the highest value down, None for none."""
    sizes = np.ones(n, np.int64) if ties is None else np.array(ties, np.int64)
    what = Summed(sizes, n_pos, True, float(n_pos), _placements(sizes, n_pos))
    if (table := _listed(what)) is not None:
        return table
    middling = n_pos / n * (n_pos + np.log(n))  # n_pos times an AP that chance gives
    return _gridded(what, min(0.05, 0.01 * middling))


@lru_cache(maxsize=128)
def auroc_null(n_pos: int, n: int, ties: tuple[int, ...] | None) -> RankNull:
    """The null of AUROC; `ties` as in `average_precision_null`."""
    from neurotrace.probes.placements import spread
    from neurotrace.probes.rank_sums import saddlepoint_null

    pairs = float(n_pos * (n - n_pos))
    if 2 * n_pos > n:  # the pairs won by positives are those lost by negatives, read upwards
        n_pos, ties = n - n_pos, ties if ties is None else ties[::-1]
    sizes = np.ones(n, np.int64) if ties is None else np.array(ties, np.int64)
    what = Summed(sizes, n_pos, False, pairs, _placements(sizes, n_pos))
    if (table := _listed(what)) is not None:
        return table
    step = 1.0 if ties is None else 0.5  # a tie is half a win, so that nothing is shared
    nothing = np.empty(0)
    if n * n_pos * pairs / 4 / step <= CELLS:
        mass, first, _, _ = spread(sizes, n_pos, False, step, 0.0)
        survival = _survival(mass)
        return RankNull(
            pairs, step, float(first), survival, False, (0, 0.0), nothing, nothing, "summed"
        )
    if n_pos < FEW:
        grid = _gridded(what, (pairs * n / 12) ** 0.5 / 50)
        # U >= u says the same as U >= u - step / 2, and a grid reads that without half of u.
        return replace(grid, first=grid.first + step / 2 / grid.step)
    low, width, survival = saddlepoint_null(sizes, n_pos, step)
    low /= width
    return RankNull(pairs, width, low, survival, True, (0, 0.0), nothing, nothing, "saddlepoint")


def _gridded(what: Summed, step: float) -> RankNull:
    """A grid as fine as the steepest part of the tail asks for, found on coarser ones."""
    from neurotrace.probes.placements import spread

    events = min(what.n_pos, len(what.sizes))
    for left in range(PASSES, 0, -1):
        mass, first, cut, work = spread(what.sizes, what.n_pos, what.precision, step, TRIM)
        survival = _survival(mass)
        sums, tails = _top(what, survival, first * step, step)
        rest = max(TARGET, tails[0] if len(tails) else 0.0)  # listed from there on
        wanted = max(
            BLUR / (_steepest(survival, step, rest) * events**0.5),
            step * work / WORK,
            step * len(survival) / ROW,
        )
        if left == 1 or step <= 1.1 * wanted:
            break
        step = max(wanted, step / 40)  # a coarse grid may hide how steep it is
    place, spare = float(first), (events, cut)
    return RankNull(what.scale, step, place, survival, True, spare, sums, tails, "grid")


def _steepest(survival: Floats, step: float, least: float) -> float:
    """Largest slope of -log P between the median and `least`."""
    levels = np.array([0.5, 0.3, 0.1, *10.0 ** np.arange(-2.0, -9.0, -1.0)])
    levels = np.append(levels[levels > least], least) if least < 0.5 else levels[:2]
    cells = np.array([_quantile(survival, p) for p in levels])
    cells = np.minimum(cells, len(survival) - 2)  # where the rarest placement is above the target
    drops = np.log(survival[cells[:-1]] / survival[cells[1:]])
    return max(float((drops / (np.maximum(cells[1:] - cells[:-1], 1) * step)).max()), 1e-12)


def _placements(sizes: NDArray[np.int64], n_pos: int) -> float:
    """How many placements differ, as far as a float reaches."""
    count = np.zeros(n_pos + 1)
    count[0] = 1.0
    for size in sizes:
        if size == 1:
            count[1:] += count[:-1].copy()
        else:
            count = np.convolve(count, np.ones(size + 1))[: n_pos + 1]
        np.minimum(count, 1e300, out=count)
    return float(count[-1])


def _listed(what: Summed) -> RankNull | None:
    """All placements, where they are few."""
    from neurotrace.probes.placements import highest

    if what.placements > LISTED / 2:
        return None
    found = highest(what.sizes, what.n_pos, what.precision, 0.0, 8 * LISTED)
    if not found[2]:  # few but long to walk: nearly everything is positive
        return None
    sums, tails = _ranked(*found[:2])
    return RankNull(what.scale, 1.0, 0.0, np.empty(0), False, (0, 0.0), sums, tails, "listed")


def _ranked(sums: Floats, chances: Floats) -> tuple[Floats, Floats]:
    """Sums that differ, rising, and the probability of each or more."""
    order = np.argsort(-sums)
    tails = np.cumsum(chances[order])  # from the smallest probabilities up
    sums = sums[order]
    last = np.append(sums[1:] < sums[:-1] * (1 - 1e-12), True)
    return sums[last][::-1].copy(), np.minimum(tails[last][::-1], 1.0)


def _top(what: Summed, survival: Floats, low: float, step: float) -> tuple[Floats, Floats]:
    """The highest placements, as far down as a list of them stays short."""
    from neurotrace.probes.placements import highest

    for p in 10.0 ** np.arange(-1, -16, -1):
        if p * what.placements > 100 * LISTED:
            continue
        least = low + _quantile(survival, p) * step
        sums, chances, whole = highest(what.sizes, what.n_pos, what.precision, least, LISTED)
        if whole and len(sums):
            return _ranked(sums, chances)
    return np.empty(0), np.empty(0)


def _survival(mass: Floats) -> Floats:
    return np.append(np.cumsum(mass[::-1])[::-1], 0.0)


def _quantile(survival: Floats, p: float) -> int:
    """The first cell with no more than p at or above it."""
    return int(np.searchsorted(-survival, -p))
