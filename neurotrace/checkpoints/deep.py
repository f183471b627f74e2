"""The part of an audit that reads weights: what is in them, and where on the path they lie."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np

from neurotrace.checkpoints import drift, signature
from neurotrace.checkpoints.copies import said
from neurotrace.checkpoints.headers import Entry, here, layout
from neurotrace.checkpoints.loss_curve import outliers
from neurotrace.checkpoints.series import Checkpoint
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.checkpoints.weights import BrokenCheckpoint, not_finite, weight_hash

WORKERS = 8  # requests at a time
SURELY = 1.5  # log by which a path must be shorter to make another of two equal steps the original
OFF, OK = "off the curve", "ok"

Loss = Callable[[Checkpoint], float | None]  # None: not to be had
Report = Callable[[Checkpoint], None]


@dataclass
class Found:
    """What is known of one checkpoint."""

    layout: dict[str, Entry] | None = None
    broken: str = ""
    mark: str = ""
    files: str = ""  # the mark before any weights were read
    values: signature.Values | None = None
    loss: float = np.nan
    drift: float = np.nan
    detour: float = np.nan
    duplicate_of: int | None = None
    verdict: str = OK
    notes: list[str] = field(default_factory=list)


def weigh(
    series: Sequence[Checkpoint],
    found: list[Found],
    loss: Loss | None,
    shelf: Shelf | None,
    report: Report | None,
) -> None:
    """Read every checkpoint that is not broken, into ``found``; equal files are read once."""
    usable = [at for at, one in enumerate(found) if not one.broken]
    files = {at: found[at].mark for at in usable}
    first = {files[at]: at for at in reversed(usable)}
    todo = sorted(first.values())
    far = shelf is None and any(not here(series[at]) for at in todo)
    layouts = [table for at in todo if (table := found[at].layout) is not None]
    pieces = signature.plan(layouts, far=far)
    if far:  # many small requests, of many checkpoints at a time
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda at: _read(series[at], found[at], pieces, loss), todo))
    else:
        for number, at in enumerate(todo):
            if report is not None:
                report(series[at])
            then = series[todo[number + 1]] if number + 1 < len(todo) else None
            with shelf.at_hand(series[at], then=then) if shelf is not None else nullcontext():
                _read(series[at], found[at], pieces, loss)
                if not pieces and found[at].values is not None:
                    # Headers that only torch reads: the first file at hand tells what there is.
                    pieces = signature.plan([found[at].layout or {}])
                    found[at].values = None
                    _sample(series[at], found[at], pieces)
    for at in usable:
        one, same = found[at], found[first[files[at]]]
        one.mark, one.values, one.loss = same.mark, same.values, same.loss
        one.broken, one.notes = same.broken, list(same.notes)


def _read(
    checkpoint: Checkpoint, one: Found, pieces: Sequence[signature.Piece], loss: Loss | None
) -> None:
    try:
        if here(checkpoint):
            bad = not_finite(checkpoint.path)
            if bad:
                more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
                one.broken = f"NaN or infinity in {bad[0]}{more}"
                return
            one.layout = one.layout or layout(checkpoint)
            one.mark = weight_hash(checkpoint.path)
        if one.layout is None:
            one.notes.append("weights not read: they are on the Hub, in a file that torch reads")
            return
        _sample(checkpoint, one, pieces)
        asked = loss if not one.broken and here(checkpoint) else None
        taken = asked(checkpoint) if asked is not None else None
        if taken is not None:
            one.loss = float(taken)
            one.broken = "" if np.isfinite(one.loss) else f"its loss is {one.loss}"
    except BrokenCheckpoint as error:
        one.broken = str(error)


def _sample(checkpoint: Checkpoint, one: Found, pieces: Sequence[signature.Piece]) -> None:
    table = one.layout or {}
    lost = [p.name for p in pieces if p.name not in table or not p.fits(table[p.name].shape)]
    if lost:
        one.broken = f"no {lost[0]} of the shape it has at other steps"
        return
    one.values = signature.values(checkpoint, table, pieces)
    strange = [k for k, numbers in one.values.items() if not np.isfinite(numbers).all()]
    if strange:
        one.broken = f"NaN or infinity in its {strange[0]}"


def original(found: list[Found], whole: Sequence[int], group: list[int]) -> int:
    """Of positions with equal weights, the one that fits its neighbours.

    The last of the series, or else the earliest, unless the path is shorter by another: a product
    of strides.
    """
    usual = len(whole) - 1 if len(whole) - 1 in group else group[0]
    if any(found[at].values is None for at in whole):
        return usual
    alike = {found[whole[at]].mark for at in group}
    lengths = {}
    for candidate in group:
        order = [at for p, at in enumerate(whole) if p == candidate or found[at].mark not in alike]
        distances = signature.distances([found[at].values or {} for at in order])
        lengths[candidate] = drift.length(distances) if distances else 0.0
    best = min(group, key=lambda at: lengths[at])
    return best if lengths[best] < lengths[usual] - SURELY else usual


def place_on_curve(series: Sequence[Checkpoint], found: list[Found], stage: Sequence[int]) -> None:
    """Drift, detours and losses of the steps of one stage that are nobody's copy."""
    own = [at for at in stage if found[at].verdict == OK]
    known = [at for at in own if found[at].values is not None]
    alone = _alone(found, own, {})
    _measure(found, known)
    whole = _misfits(series, found, known)
    moved = {at: series.index(fits[0]) for at, fits in whole.items() if len(fits) == 1}
    left = _alone(found, own, moved)
    ways = [(whole, left)]
    # Beside weights that no loss would own to, an honest neighbour may seem to be swapped; but
    # where every loss is right once the labels are, the path has told all there is.
    if alone and (left or not whole):
        ways.append((_misfits(series, found, [at for at in known if at not in alone]), alone))
    misfits, alone = min(ways, key=lambda way: len({*way[0], *way[1]}))
    for at in {*misfits, *alone}:
        one = found[at]
        one.verdict = OFF
        one.notes += [_place(misfits[at])] if at in misfits else []
        one.notes += [alone[at]] if at in alone else []


def _alone(found: list[Found], own: Sequence[int], moved: Mapping[int, int]) -> dict[int, str]:
    """Steps whose loss is off the curve, by position, once those moved are where they fit."""
    at_label = {label: at for at, label in moved.items()}
    order = [at_label.get(at, at) for at in own]
    return {order[at]: why for at, why in outliers([found[at].loss for at in order]).items()}


def _measure(found: list[Found], known: Sequence[int]) -> None:
    values = _values(found, known)
    distances = signature.distances(values)
    if len(known) < 2 or not distances:
        return
    for at, before, after in zip(known[1:], values, values[1:], strict=False):
        found[at].drift = signature.drift(before, after)
    for at, turn in zip(known, drift.turns(distances), strict=True):
        found[at].detour = float(turn)


def _misfits(
    series: Sequence[Checkpoint], found: list[Found], known: Sequence[int]
) -> dict[int, list[Checkpoint]]:
    """Steps off the path, by position, and those that they fit between or as."""
    values = _values(found, known)
    distances = signature.distances(values)
    if not distances:
        return {}
    steps, cosine = [series[at].step for at in known], signature.cosines(values)
    return {
        known[misfit.at]: [series[known[at]] for at in misfit.fits]
        for misfit in drift.misfits(distances, steps, cosine=cosine)
    }


def _values(found: list[Found], known: Sequence[int]) -> list[signature.Values]:
    return [values for at in known if (values := found[at].values) is not None]


def _place(fits: Sequence[Checkpoint]) -> str:
    if not fits:
        return "fits at no step"
    if len(fits) == 1:
        return f"fits as {said(fits[0])}: swapped labels?"
    return f"fits between {said(fits[0])} and {said(fits[1])}"
