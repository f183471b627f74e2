"""When things began, in words: onsets with their intervals, layers, change points, the lag."""

from collections.abc import Iterator
from math import isfinite

import numpy as np
import xarray as xr

from neurotrace.report.marks import onset_of
from neurotrace.report.reading import (
    Kind,
    Results,
    Said,
    at_scalar,
    attribute,
    between,
    count,
    curve,
    demand,
    number,
)

CURVES = {
    "onset_overlap": "the corrected overlap",
    "onset_expertise": "average precision in the own language",
    "onset_use": "use across languages",
    "onset_effect": "the effect of an interchange, in nats,",
}


def when(results: Results) -> Iterator[Said]:
    """One entry on onsets; nothing where none was traced.

    Raises
    ------
    ValueError
        Where an onset has no ``chance``.
    """
    if "onset_overlap" not in results:
        return
    found = demand(results, "onset_overlap")
    parts = [_sentence(found, CURVES["onset_overlap"]), _layers(results), _changes(results)]
    kind: Kind = "found" if isfinite(onset_of(found).half) else "not_found"
    yield Said("When", " ".join(part for part in parts if part), kind)


def _sentence(found: xr.Dataset, name: str) -> str:
    """Both numbers of an onset; ``detect`` depends on power, ``half`` on where the curve ends."""
    onset, run = onset_of(found), attribute(found, "run")
    null = curve(found, "null_high")
    bound = f" (95 % bound of the null at most {number(float(np.nanmax(null)))})" if (
        np.isfinite(null).any()) else ""  # fmt: skip
    subject = f"{name[0].upper()}{name[1:]}"
    in_a_row = f" for {run} checkpoints in a row" if run else ""
    if not isfinite(onset.detect):
        text = f"{subject} {without_onset(found)}{bound}"
    else:
        text = f"{subject} leaves its null{in_a_row} from step {count(onset.detect)}{bound}"
    if at_scalar(found, "censored") == 1:
        text += ", where it is first defined: it may have begun before"
    if isfinite(onset.half):
        text += f". It is half of its end at step {steps_between(onset.half, onset[2], onset[3])}"
    text += _fixed_level(found)
    if still_rising(found):
        text += ". It still rises at the end, so its half is early"
    return text + "."


def without_onset(found: xr.Dataset) -> str:
    """Why a curve has no onset: it never rose, was there from the start, or rose too late."""
    run = attribute(found, "run")
    outcome = str(found["outcome"].values) if "outcome" in found else ""
    if outcome == "present":
        return "is above its null, but no rise is shown"
    if outcome == "unconfirmed":
        return "leaves its null only at the end, too late to be confirmed"
    if outcome == "undefined":
        return "cannot be held against a null here: too few checkpoints, concepts or defined values"
    return f"is never seen to leave its null{f' for {run} checkpoints in a row' if run else ''}"


def _fixed_level(found: xr.Dataset) -> str:
    """The step of a fixed level, which does not depend on where the curve ends."""
    step, level = at_scalar(found, "level_step"), attribute(found, "level")
    if not (isfinite(step) and level):
        return ""
    low, high = (at_scalar(found, f"level_step_{end}") for end in ("low", "high"))
    return f". It reaches {level:g} at step {steps_between(step, low, high)}"


def still_rising(found: xr.Dataset) -> bool:
    """Is the curve flagged as still rising at its last checkpoint?"""
    flag = attribute(found, "still_rising")
    flag = at_scalar(found, "still_rising") if flag is None else flag
    return bool(flag == 1)


def _layers(results: Results) -> str:
    """The range of the layers' halves, and how many have none."""
    if "onset_layers" not in results:
        return ""
    found = demand(results, "onset_layers")
    if "layer" not in found.dims:
        return ""
    halves = found["half"].values.astype(float)
    known, n = np.flatnonzero(np.isfinite(halves)), len(halves)
    if not len(known):
        return f"None of {n} layers has an onset of its own."
    first, last = known[halves[known].argmin()], known[halves[known].argmax()]
    said = [
        f"step {steps_between(*onset_of(found.isel(layer=at))[1:])} (layer "
        f"{found['layer'].values[at]})"
        for at in dict.fromkeys((first, last))
    ]
    without = f"; {n - len(known)} of {n} layers have no onset" if len(known) < n else ""
    return f"Layer by layer, half is reached from {' to '.join(said)}{without}."


def _changes(results: Results) -> str:
    """Where its level changes, and how sure that is."""
    if "changes" not in results or attribute(results["changes"], "reason"):
        return ""
    found = demand(results, "changes")
    known = found["chance"].values[np.isfinite(found["chance"].values)]
    chance = number(float(known.max()), 2) if known.size else ""
    said = []
    for at in range(found.sizes.get("pair", 0)):
        one = {str(k): float(v.isel(pair=at)) for k, v in found.items() if "pair" in v.dims}
        if isfinite(one["at"]):
            said.append(
                f"step {steps_between(one['at'], one['at_low'], one['at_high'])}, from "
                f"{number(one['before'])} to {number(one['after'])}, seen in "
                f"{number(one['support'], 2)} of resamples"
            )
    beside = f" (under the null {chance})" if chance else ""
    if said:
        return f"Change points: {'; '.join(said)}{beside}."
    usual = f" (under the null {chance} of resamples have one)" if chance else ""
    return f"No change point is found{usual}."


def lag(results: Results) -> str:
    """Whether use or overlap comes first; empty where it was not traced."""
    if "lag_use_overlap" not in results:
        return ""
    found = demand(results, "lag_use_overlap")
    what, before = "use", ""
    if not isfinite(at_scalar(found, "value")) and "lag_effect_overlap" in results:
        found = demand(results, "lag_effect_overlap")
        what, before = (
            "the effect in nats",
            "The share that is used across has no onset of its own. ",
        )
    value, low, high = (at_scalar(found, name) for name in ("value", "low", "high"))
    if not isfinite(value):
        return "No lag between use and overlap can be given, since one of them has no onset."
    use, overlap = attribute(found, "half_use"), attribute(found, "half_overlap")
    known = use is not None and overlap is not None
    subject = f"{what[0].upper()}{what[1:]}"
    halves = f"{subject} is half up at step {count(use)}, overlap at {count(overlap)}. " if (
        known) else ""  # fmt: skip
    first = "neither is shown to come first"
    first = f"{what} comes first" if high < 0 else "overlap comes first" if low > 0 else first
    return (
        f"{before}{halves}The lag is {number(value, 2)} {between(low, high, 2)} doublings of the "
        f"step (0: together), so {first}."
    )


def steps_between(value: float, low: float, high: float) -> str:
    """A step with its interval: ``180 [144, 234]``."""
    if not isfinite(low):
        return count(value)
    return f"{count(value)} [{count(low)}, {count(high) if isfinite(high) else 'beyond the end'}]"
