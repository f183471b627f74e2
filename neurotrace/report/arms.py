"""The arms of an experiment: what each is called, its colour, and its curve over the steps."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from neurotrace.report.canvas import COLOURS, FAMILY
from neurotrace.report.reading import curve, number, with_interval

NAMES = {
    "unforced": "unforced",
    "experts": "experts",
    "random_matched": "random, norm-matched",
    "random": "random, own values",
    "wrong_concept": "wrong concept",
    "source_only": "source-only experts",
    "rotated": "rotated units",
    "rotated_matched": "rotated, norm-matched",
    "direction": "difference of means",
    "shared": "neurons of several languages",
    "language": "neurons of one language",
    "random_shared": "random, as many (several)",
    "random_language": "random, as many (one)",
    "base": "untuned",
    "free": "nothing frozen",
    "frozen_embed": "embeddings frozen",
    "frozen_early": "first layers frozen",
    "frozen_late": "last layers frozen",
    "frozen_phi": "layers of most change frozen",
    "frozen_random": "random layers frozen",
}
TINTS = {
    "unforced": "embed",
    "experts": "neurons",
    "shared": "neurons",
    "random_matched": "chance",
    "random_shared": "chance",
    "random_language": "stratified",
    "random": "stratified",
    "wrong_concept": "wrong",
    "source_only": "source",
    "rotated": "rotated",
    "rotated_matched": "rotated",
    "direction": "ceiling",
    "language": "language",
    "base": "embed",
    "free": "free",
    "frozen_embed": "source",
    "frozen_early": "early",
    "frozen_late": "late",
    "frozen_phi": "phi",
    "frozen_random": "stratified",
}
# Arms in which nothing of the concept is written: where they act, the effect is not the concept's.
SILENT = ("random_matched", "random", "wrong_concept", "random_shared", "random_language")
SHORT = {"random, norm-matched": "random, matched", "difference of means": "direction",
         "source-only experts": "source-only"}  # fmt: skip


def named(arm: str) -> str:
    """What an arm is called in print; an arm of the user's own keeps its name."""
    return NAMES.get(arm, arm.replace("_", " "))


def short(arm: str) -> str:
    """The same, for the end of a curve."""
    return SHORT.get(named(arm), named(arm))


def tint(arm: str, at: int = 0) -> str:
    """The colour of an arm in every figure; one of several random lists has that of their mean."""
    if arm.startswith("frozen_random"):
        arm = "frozen_random"
    return COLOURS[TINTS[arm]] if arm in TINTS else FAMILY[at % len(FAMILY)]


def of(found: xr.Dataset) -> list[str]:
    """The arms there are, in the order of the experiment."""
    return [str(arm) for arm in found["arm"].values] if "arm" in found.coords else []


def pick(found: xr.Dataset, arm: str) -> xr.Dataset | None:
    """The results of one arm; None where there is no such arm."""
    names = of(found)
    return found.isel(arm=names.index(arm)) if arm in names else None


def each(found: xr.Dataset, name: str) -> Iterator[tuple[str, xr.Dataset]]:
    """Arms in which a variable has any value, with their results."""
    for arm in of(found):
        one = pick(found, arm)
        if one is not None and np.isfinite(curve(one, name)).any():
            yield arm, one


def said(found: xr.Dataset, arm: str, name: str, *, at: int = -1, digits: int = 2) -> str:
    """One arm's value with its interval at a checkpoint; empty where the arm is not there."""
    one = pick(found, arm)
    if one is None:
        return ""
    if f"{name}_low" in one:
        return with_interval(one, name, at, digits)
    return number(curve(one, name)[at], digits)
