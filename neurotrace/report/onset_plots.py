"""Figures of when things happen: onsets of curves and layers, turnover of the experts.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report.canvas import COLOURS, depth, panels
from neurotrace.report.grid import key, rows_of
from neurotrace.report.marks import onset_of
from neurotrace.report.reading import Results, attribute, curve, demand, joined
from neurotrace.report.step_axis import place, spaced, step_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

CURVES = {
    "onset_overlap": ("corrected overlap", "neurons"),
    "onset_expertise": ("own-language AP", "neurons"),
    "onset_use": ("use (share)", "use"),
    "onset_effect": ("use (nats)", "use"),
}
Row = tuple[str, xr.Dataset, str]
MOST_LAYERS = 24


def onsets(results: Results) -> "Figure":
    """When does each curve, and each layer, leave its null and reach half of its end?

    Triangles are ``detect``, diamonds ``half`` with its interval, bars across a row the change
    points. A row without marks never left its null.

    Raises
    ------
    ValueError
        Without ``onset_overlap``, or where it has no ``chance``.
    """
    base = demand(results, "onset_overlap")
    rows = _rows(results)
    run, alpha = attribute(base, "run"), attribute(base, "alpha")
    figure, ax = rows_of(
        "When each curve leaves its null, and when it is half up",
        joined(
            f"outside the null for {run} checkpoints in a row" if run else "",
            f"{100 * (1 - alpha):g} % bands over all steps" if alpha else "",
        ),
        [name for name, _, _ in rows],
        left=1.45,
    )
    x = step_axis(ax, base)
    for at, (_, found, colour) in enumerate(rows):
        _row(ax, at, found, colour, base=base, x=x)
    if "changes" in results:
        _changes(ax, demand(results, "changes"), base, x)
    key(figure, _handles())
    return figure


def _rows(results: Results) -> list[Row]:
    """Curves of the whole model, then layers; only some where they are many."""
    rows = [
        (words, demand(results, name), COLOURS[colour])
        for name, (words, colour) in CURVES.items()
        if name in results
    ]
    if "onset_layers" in results:
        found = demand(results, "onset_layers")
        n = found.sizes.get("layer", 0)
        rows += [
            (f"layer {found['layer'].values[at]}", found.isel(layer=at), depth(at, n))
            for at in spaced(n, MOST_LAYERS)
        ]
    return rows


def _row(
    ax: "Axes", at: int, found: xr.Dataset, colour: str, *, base: xr.Dataset, x: np.ndarray
) -> None:
    detect, half, low, high = (place(step, base, x) for step in onset_of(found))
    if isfinite(low) and isfinite(high):
        ax.plot([low, high], [at, at], color=colour, linewidth=2.2, zorder=3)
    if isfinite(half):
        ax.plot([half], [at], "D", color=colour, markersize=6, zorder=4)
    if isfinite(detect):
        ax.plot([detect], [at], "v", color="white", markeredgecolor=colour, markersize=7.5,
                markeredgewidth=1.5, zorder=5)  # fmt: skip
    if not (isfinite(half) or isfinite(detect)):
        ax.text(0.02, at, "no onset", transform=ax.get_yaxis_transform(), va="center", fontsize=8,
                color="#777777")  # fmt: skip


def _changes(ax: "Axes", found: xr.Dataset, base: xr.Dataset, x: np.ndarray) -> None:
    """Change points of corrected overlap, on its own row, which is the first."""
    for at in range(found.sizes.get("pair", 0)):
        one = found.isel(pair=at)
        step, low, high = (place(float(one[name]), base, x) for name in ("at", "at_low", "at_high"))
        if isfinite(low) and isfinite(high):
            ax.plot([low, high], [0.3, 0.3], color=COLOURS["wrong"], linewidth=1.6, zorder=2)
        if isfinite(step):
            ax.plot([step], [0.3], "|", color=COLOURS["wrong"], markersize=8, markeredgewidth=2.2)


def _handles() -> "list[Line2D]":
    from matplotlib.lines import Line2D

    grey = "#555555"
    return [
        Line2D([], [], marker="v", color="white", markeredgecolor=grey, markersize=7,
               markeredgewidth=1.4, label="detect", linestyle=""),
        Line2D([], [], marker="D", color=grey, markersize=5.5, label="half, with its interval"),
        Line2D([], [], marker="|", color=COLOURS["wrong"], markersize=8, markeredgewidth=2,
               label="change point of corrected overlap"),
    ]  # fmt: skip


def turnover(results: Results) -> "Figure":
    """How many of a concept's experts are others than at the checkpoint before?

    Between the floor, which is how little a language agrees with itself, and chance, two random
    sets.

    Raises
    ------
    ValueError
        Without ``turnover``, or where it has no ``chance``.
    """
    found = demand(results, "turnover")
    figure, (panel,) = panels(
        found,
        "Experts that are new since the checkpoint before",
        joined(attribute(found, "path"), "within this training run"),
        ylabels=["share of experts that are new"],
        label_width=16,
    )
    low, high = (curve(found, f"value_{end}") for end in ("low", "high"))
    panel.line(curve(found, "value"), "turnover", COLOURS["neurons"], low=low, high=high)
    panel.line(curve(found, "chance"), "chance", COLOURS["chance"], style=":", width=1.3)
    if np.isfinite(curve(found, "ceiling")).any():
        floor = curve(found, "ceiling")
        panel.line(floor, "floor", COLOURS["ceiling"], style="--", width=1.4)
    panel.finish(floor=0.0, roof=1.02)
    return figure
