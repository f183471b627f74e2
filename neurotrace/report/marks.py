"""Onsets drawn onto a curve: the null, and when the curve leaves it and is half up."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import xarray as xr

from neurotrace.report.canvas import COLOURS, Panel
from neurotrace.report.reading import count, curve, level
from neurotrace.report.step_axis import place

HEADROOM = 1.22  # of the height of the axes, for marks above the curves
TOP_ROW, ROW = 0.965, 0.08  # of the height: where the first row of marks stands, and the next
ROOM_LEFT = 0.4  # of the width that a mark's words need at its left


class Onset(NamedTuple):
    """When a curve leaves its null, and when it is half up; NaN where it never is."""

    detect: float
    half: float
    low: float
    high: float


def onset_of(found: xr.Dataset) -> Onset:
    """The two numbers of an onset and the interval of the second, in steps."""
    names = ("detect", "half", "half_low", "half_high")
    return Onset(*(level(found, name) if name in found else float("nan") for name in names))


def draw_null(panel: Panel, found: xr.Dataset) -> None:
    """The simultaneous upper bound of the null, as a grey area from zero."""
    high = curve(found, "null_high")
    panel.band(high * 0, high, COLOURS["chance"], shade=0.13)


def draw_marks(
    panel: Panel,
    base: xr.Dataset,
    found: xr.Dataset,
    colour: str,
    *,
    names: Sequence[str] = ("half", "detect"),
    row: int = 0,
) -> None:
    """``half`` as a diamond with its interval and ``detect`` as a triangle, above the curves."""
    onset = onset_of(found)
    drawn = {"half": (onset.half, (onset.low, onset.high), "D"), "detect": (onset.detect, (), "v")}
    for at, name in enumerate(names):
        step, ends, marker = drawn[name]
        x = place(step, base, panel.x)
        span = [place(end, base, panel.x) for end in ends]
        if isfinite(x):
            bar = span if all(map(isfinite, span)) else []
            words = f"{name}: step {count(step)}"
            height = TOP_ROW - ROW * (row + at)
            _mark(panel, [x, *bar], words, marker=marker, colour=colour, height=height)


def _mark(
    panel: Panel, at: list[float], words: str, *, marker: str, colour: str, height: float
) -> None:
    """A marker at the first place, a bar to the others, and its words where there is room."""
    ax, axis = panel.ax, panel.ax.get_xaxis_transform()
    x, left, right = at[0], min(at), max(at)
    ax.plot([left, right], [height] * 2, color=colour, linewidth=1.6, transform=axis, zorder=4)
    ax.plot([x], [height], marker, color=colour, markersize=5.5, transform=axis, zorder=5)
    late = ax.transLimits.transform(ax.transScale.transform((left, 0)))[0] > ROOM_LEFT
    ax.annotate(words, (left if late else right, height), xycoords=axis, va="center",
                xytext=(-7 if late else 7, 0), textcoords="offset points",
                ha="right" if late else "left", fontsize=8, color=colour)  # fmt: skip


def roof(panel: Panel, least: float = 0.0) -> float:
    """A limit of y that leaves the marks above everything drawn so far."""
    bottom, top = panel.ax.get_ylim()
    return bottom + (max(top, least) - bottom) * HEADROOM
