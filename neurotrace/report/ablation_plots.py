"""Figure of ablation: what the model loses over training when neurons are silenced.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.canvas import COLOURS, Panel, panels
from neurotrace.report.interval_bars import barred
from neurotrace.report.reading import Results, count, curve, demand, joined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEW = (-0.02, 0.05)  # always in sight, so that noise about zero looks like what it is
HEADINGS = ("neurons of several languages", "neurons of one language", "one language at a time")


class Curve(NamedTuple):
    """A variable of a Dataset, and what it is called and coloured."""

    found: xr.Dataset | None
    name: str
    label: str
    colour: str


def ablation(results: Results) -> "Figure":
    """What does the model lose without neurons of several languages, or of one?

    Left and middle: each set beside as many random neurons of the same layers. Right: the neurons
    of one language, silenced alone, on its own text and on that of the others; means over
    languages. Bars are 95 % intervals.

    Raises
    ------
    ValueError
        Without ``ablation``, or where it has no ``chance``.
    """
    found = demand(results, "ablation")
    figure, drawn = panels(
        found,
        "Change in loss when neurons are silenced",
        joined("nats a token, mean over languages; 0 is none", _sizes(found)),
        ylabels=["change in loss (nats a token)", "", ""],
        headings=HEADINGS,
        label_width=16,
    )
    for panel, curves in zip(drawn, _curves(found), strict=True):
        _draw(panel, curves)
    low = min(panel.ax.get_ylim()[0] for panel in drawn)
    high = max(panel.ax.get_ylim()[1] for panel in drawn)
    for panel in drawn:  # one scale, so that the sets compare
        panel.finish(show=(min(low, VIEW[0]), max(high + 0.15 * (high - low), VIEW[1])))
    return figure


def _curves(found: xr.Dataset) -> list[list[Curve]]:
    return [
        [
            Curve(arms.pick(found, "shared"), "value", "of several", COLOURS["neurons"]),
            Curve(arms.pick(found, "random_shared"), "value", "random", COLOURS["chance"]),
        ],
        [
            Curve(arms.pick(found, "language"), "value", "of one", COLOURS["language"]),
            Curve(arms.pick(found, "random_language"), "value", "random", COLOURS["chance"]),
        ],
        [
            Curve(found, "own", "on its own text", COLOURS["language"]),
            Curve(found, "other", "on other text", COLOURS["source"]),
            Curve(found, "own_chance", "random, own text", COLOURS["chance"]),
            Curve(found, "other_chance", "random, other text", COLOURS["stratified"]),
        ],
    ]


def _draw(panel: Panel, curves: list[Curve]) -> None:
    panel.ax.axhline(0.0, color=COLOURS["chance"], linestyle=":", linewidth=1.0, zorder=2)
    shown = [
        one for one in curves
        if one.found is not None and np.isfinite(curve(one.found, one.name)).any()
    ]  # fmt: skip
    for at, one in enumerate(shown):
        if one.found is not None:
            barred(panel, one.found, one.name, one.label, one.colour, at=at, of=len(shown))


def _sizes(found: xr.Dataset) -> str:
    """How many neurons each set has at the last checkpoint, where that is known."""
    said = []
    for name in ("shared", "language"):
        one = arms.pick(found, name)
        many = float("nan") if one is None else curve(one, "neurons")[-1]
        if isfinite(many):
            said.append(f"{count(many)} {arms.named(name)}")
    return f"{' and '.join(said)} at the end" if said else ""
