"""Is every step on the path its weights travel? Judged by the distances between checkpoints alone.

Training moves weights along a path: from a step to the next but one it is further than to the
next. Through three neighbours a, i, b a straight path has ``(d(a,i) + d(i,b)) / d(a,b) = 1``, a
random walk of equal strides √2, and weights that only tremble about one place 2. Weights from
another place of the path, or from none, make a detour beyond that. Where two labels are swapped,
the path becomes shorter by swapping them back: by a factor √2 at least on a random walk of equal
strides. Nothing is assumed of how far a step travels, since warm-up and decay change that by
orders of magnitude.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

DETOUR = 2.1  # beyond what trembling about one place (2) gives
SHORTER = 0.05  # log of the product of distances that swapping two labels back must save
RELATED = 0.1  # cosine with the nearest other checkpoint; independent weights have 0
JUMP, PROGRESS = 4.0, 0.2  # of an end: stride against the stride beside it, and how much of that
TRIED = 40  # swaps, those that shorten the path most first
FLOOR = 0.01  # of a usual stride: what rounding does is no detour

Distances = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Misfit:
    """A step that is not where its label says.

    Attributes
    ----------
    at
        Position in the series as it was given.
    fits
        Positions between (or at) which its weights fit: one position for swapped labels, two
        neighbours for a place between them, none where they fit nowhere.
    """

    at: int
    fits: tuple[int, ...] = ()


def turns(distances: Distances) -> NDArray[np.float64]:
    """``(step,)``: detour of the way through each step, by all kinds together; NaN at both ends.

    Parameters
    ----------
    distances
        For each kind of tensor ``(step, step)`` distances.
    """
    whole = together(distances)
    return _ratios(whole, np.arange(len(whole)), rounding=0.0)


def detours(distances: Distances, order: Sequence[int] | None = None) -> NDArray[np.float64]:
    """``(position,)``: the largest detour of any kind of tensor; NaN at both ends.

    Less than what rounding can do is no detour: the distance spanned counts a hundredth of a
    usual stride more.

    Parameters
    ----------
    distances
        For each kind of tensor ``(step, step)`` distances.
    order
        Which steps, in which order; all of them as they stand without it.
    """
    some = next(iter(distances.values()))
    at = np.arange(len(some)) if order is None else np.asarray(order, dtype=int)
    strides = [
        float(np.median(d[at[:-1], at[1:]])) if len(at) > 1 else 0.0 for d in distances.values()
    ]
    found = [
        _ratios(d, at, rounding=FLOOR * stride)
        for d, stride in zip(distances.values(), strides, strict=True)
    ]
    return np.asarray(np.max(found, axis=0))


def together(distances: Distances) -> NDArray[np.float64]:
    """``(step, step)``: all kinds as one distance, each in units of its own median."""
    scaled = [d / scale for d in distances.values() if (scale := _scale(d)) > 0]
    if not scaled:
        return np.zeros_like(next(iter(distances.values())))
    return np.asarray(np.sqrt(np.mean(np.square(scaled), axis=0)))


def length(distances: Distances) -> float:
    """Log of the product of strides, all kinds together: the better of two orders is shorter."""
    return float(np.log(np.maximum(np.diag(together(distances), 1), 1e-300)).sum())


def misfits(
    distances: Distances, steps: Sequence[int], *, cosine: NDArray[np.float64] | None = None
) -> list[Misfit]:
    """Steps off the curve, each with the place where its weights would fit.

    Parameters
    ----------
    distances
        For each kind of tensor ``(step, step)`` distances between checkpoints, no two of them
        the same weights.
    steps
        Optimiser updates, ascending.
    cosine
        ``(step, step)`` cosines of weights whose mean is near zero; without it, weights that
        are related to no other are known by their detour alone.

    Returns
    -------
    In the order of the series. Fewer than three checkpoints say nothing.
    """
    if len(steps) < 3:
        return []
    path = Path(distances, together(distances), np.asarray(steps, dtype=float))
    order = list(range(len(steps)))
    lost = _unrelated(path, cosine)
    order = [at for at in order if at not in lost]
    while len(order) > 2 and (bad := path.bad(order) or path.apart(order)):
        swap = path.best_swap(order, bad)
        drop, left = path.best_drop(order, bad)
        if swap and swap[2] <= left:
            i, j, _ = swap
            order[i], order[j] = order[j], order[i]
        else:
            lost.append(drop)
            order.remove(drop)
    kept = sorted(order)  # the labels that the kept steps have among them
    found = [Misfit(at, path.place(order, kept, at)) for at in lost]
    found += [Misfit(at, (label,)) for label, at in zip(kept, order, strict=True) if label != at]
    return sorted(found, key=lambda misfit: misfit.at)


@dataclass(frozen=True)
class Path:
    """What is bad in an order of steps, and what would mend it."""

    kinds: Distances
    whole: NDArray[np.float64]
    steps: NDArray[np.float64]

    def bad(self, order: Sequence[int]) -> set[int]:
        """Positions in ``order`` that are on a detour, out of turn, or beyond an end."""
        turns = np.nan_to_num(detours(self.kinds, order), nan=0.0)
        found = set(np.flatnonzero(turns > DETOUR).tolist())
        near = [(at, at + by) for by in (1, 2) for at in range(len(order) - by)]
        for at, other in near:  # by two: three steps in reverse order
            if self.saved(order, at, other) > SHORTER:
                found |= {at, other}
        return found | self._beyond(order)

    def apart(self, order: Sequence[int]) -> set[int]:
        """Two positions that should change places, however far apart; what ``bad`` may not see."""
        pairs = combinations(range(len(order)), 2)
        gain, i, j = max((self.saved(order, i, j), i, j) for i, j in pairs)
        return {i, j} if gain > SHORTER else set()

    def saved(self, order: Sequence[int], i: int, j: int) -> float:
        """Log of what the product of strides loses when positions i and j change places."""
        swapped = list(order)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        edges = {edge for at in (i, j) for edge in (at - 1, at) if 0 <= edge < len(order) - 1}
        return sum(self._log(order, edge) - self._log(swapped, edge) for edge in edges)

    def best_swap(self, order: Sequence[int], bad: set[int]) -> tuple[int, int, int] | None:
        """Positions to swap and how many stay bad; None where no swap shortens the path."""
        pairs = combinations(range(len(order)), 2)
        gains = sorted(((self.saved(order, i, j), i, j) for i, j in pairs), reverse=True)
        best: tuple[int, int, int] | None = None
        for gain, i, j in gains[:TRIED]:
            if gain <= SHORTER:
                break
            swapped = list(order)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            left = len(self.bad(swapped))
            if left < len(bad) and (best is None or left < best[2]):
                best = i, j, left
        return best

    def best_drop(self, order: Sequence[int], bad: set[int]) -> tuple[int, int]:
        """The step without which fewest stay bad, and how many do; ties by the longest detour."""
        turns = np.nan_to_num(detours(self.kinds, order), nan=0.0)
        left = {
            at: len(self.bad([*order[:at], *order[at + 1 :]])) if len(order) > 3 else 0
            for at in bad
        }
        at = min(bad, key=lambda at: (left[at], -turns[at], at))
        return order[at], left[at]

    def place(self, order: Sequence[int], labels: Sequence[int], at: int) -> tuple[int, ...]:
        """The two neighbours, by their labels, between which a dropped step makes no detour."""
        if len(order) < 2:
            return ()
        tries = []
        for left in range(len(order) - 1):
            a, b = order[left], order[left + 1]
            ratios = [(d[a, at] + d[at, b]) / d[a, b] for d in self.kinds.values() if d[a, b] > 0]
            tries.append(max(ratios, default=np.inf))
        best = int(np.argmin(tries))
        return (labels[best], labels[best + 1]) if tries[best] < DETOUR else ()

    def _beyond(self, order: Sequence[int]) -> set[int]:
        """Ends that lie far off and in no direction that the path takes."""
        if len(order) < 4:
            return set()
        found = set()
        for end, near, far, at in (
            (order[0], order[1], order[2], 0),
            (order[-1], order[-2], order[-3], len(order) - 1),
        ):
            gaps = abs(self.steps[at] - self.steps[order.index(near)])
            beside = abs(self.steps[order.index(near)] - self.steps[order.index(far)])
            jump = self.whole[end, near] / max(self.whole[near, far], 1e-300)
            progress = (self.whole[end, far] - self.whole[end, near]) / max(
                self.whole[near, far], 1e-300
            )
            if jump > JUMP * max(1.0, gaps / max(beside, 1.0)) and progress < PROGRESS:
                found.add(at)
        return found

    def _log(self, order: Sequence[int], edge: int) -> float:
        return float(np.log(max(self.whole[order[edge], order[edge + 1]], 1e-300)))


def _ratios(
    distance: NDArray[np.float64], at: NDArray[np.intp], *, rounding: float
) -> NDArray[np.float64]:
    found = np.full(len(at), np.nan)
    if len(at) > 2:
        before, here, after = at[:-2], at[1:-1], at[2:]
        way = distance[before, here] + distance[here, after]
        span = distance[before, after] + rounding
        found[1:-1] = np.where(way > 0, way / np.maximum(span, 1e-300), 1.0)
    return found


def _unrelated(path: Path, cosine: NDArray[np.float64] | None) -> list[int]:
    """Steps whose weights point nowhere near those of any other step."""
    if cosine is None or len(cosine) < 4:
        return []
    others = np.where(np.eye(len(cosine), dtype=bool), -np.inf, cosine)
    nearest = others.max(axis=1)
    if np.median(nearest) < 3 * RELATED:
        return []  # a series so sparse that its steps are no neighbours
    strange = np.flatnonzero(nearest < RELATED).tolist()
    stride, after = path.whole[0, 1], path.whole[1, 2]
    gaps = (path.steps[1] - path.steps[0]) / max(path.steps[2] - path.steps[1], 1.0)
    # The start of training is noise by nature: it is strange only where the next step is close.
    return [at for at in strange if at or stride > 2 * JUMP * max(1.0, gaps) * after]


def _scale(distance: NDArray[np.float64]) -> float:
    positive = distance[distance > 0]
    return float(np.median(positive)) if positive.size else 0.0
