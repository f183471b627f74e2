"""Figures of single neurons: how each comes to serve a concept in many languages, and how many do.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurotrace.report import coincidence
from neurotrace.report.canvas import COLOURS, FAMILY, STYLES, panels
from neurotrace.report.grid import KEYED_AXIS, key, sheet
from neurotrace.report.reading import (
    Results,
    attribute,
    by_family,
    count,
    curve,
    demand,
    joined,
    level,
)
from neurotrace.report.step_axis import step_axis

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST, COLUMNS, KEY_COLUMNS = 12, 4, 9
LEVELS: dict[str, tuple[str, str, Any]] = {
    "chance": ("chance", "chance", ":"),
    "learned": ("learned from here", "twin", (0, (4, 3))),
    "best_other": ("best other concept", "pseudo", "-."),
}
DOUBTFUL = "#FBEFE3"  # ground of a life that is mostly coincidence
KEY_LINE = 0.17  # inches a line of the key takes


def lives(results: Results) -> "Figure":
    """How does each neuron come to tell its concept in one language after another?

    Held-out AP in every language, beside chance, the null's upper bound, the threshold of what was
    learned and the neuron's best other concept; levels that differ between languages are drawn at
    their mean. Each panel has its share of coincidence; one above a half is tinted and marked.

    Raises
    ------
    ValueError
        Without ``lives``, or where it has no ``chance``.
    """
    found = demand(results, "lives")
    langs = [str(lang) for lang in found["lang"].values]
    shown = min(found.sizes["neuron"], MOST)
    lines = -(-(len(langs) + len(LEVELS) + 1) // KEY_COLUMNS)
    selected = attribute(found, "selected_at")
    figure, axes = sheet(
        "Lives of neurons: average precision in each language, held out",
        joined(
            attribute(found, "path"),
            f"chosen at step {count(selected)}" if selected is not None else "",
            f"{shown} of {found.sizes['neuron']} neurons" if shown < found.sizes["neuron"] else "",
            "tinted: mostly coincidence" if _doubtful(found, shown) else "",
        ),
        headings=[_heading(found, at) for at in range(shown)],
        columns=COLUMNS,
        height=1.35,
        gap=(0.42, 0.62),
        head=KEYED_AXIS + KEY_LINE * (lines - 1),
    )
    for at, ax in enumerate(axes):
        _life(ax, found.isel(neuron=at))
    key(figure, _handles(langs), columns=KEY_COLUMNS)
    return figure


def any_lives(results: Results) -> bool:
    """Is there a neuron whose life could be drawn?"""
    return "lives" in results and results["lives"].sizes.get("neuron", 0) > 0


def _heading(found: xr.Dataset, at: int) -> str:
    one = found.isel(neuron=at)
    name = str(one["name"].values) if "name" in one.coords else f"neuron {at}"
    concept = str(one["of_concept"].values) if "of_concept" in one.coords else ""
    return joined(name, concept)


def _doubtful(found: xr.Dataset, shown: int) -> bool:
    return any(coincidence.is_mostly(value) for value in coincidence.coincidences(found)[:shown])


def _life(ax: "Axes", one: xr.Dataset) -> None:
    x = step_axis(ax, one, small=True)
    for at, y in enumerate(by_family(one, "lang").values()):
        marker = "o" if len(x) == 1 else ""
        ax.plot(
            x, y, linestyle=_style(at), color=FAMILY[at % len(FAMILY)], linewidth=1.4, marker=marker
        )
    high = level(one, "null_high") if "null_high" in one else float("nan")
    if isfinite(high):
        ax.axhspan(0, high, color=COLOURS["chance"], alpha=0.12, linewidth=0, zorder=0)
    for name, (_, colour, style) in LEVELS.items():
        y = curve(one, name)
        if name == "best_other" and len(x) > 1:
            ax.plot(x, y, linestyle=style, color=COLOURS[colour], linewidth=1.1)
        elif np.isfinite(y).any():
            ax.axhline(y[np.isfinite(y)][-1], linestyle=style, color=COLOURS[colour], linewidth=1.1)
    _remarks(ax, one)
    ax.set_ylim(0, 1.02)
    ax.set_yticks([0, 0.5, 1])


def _remarks(ax: "Axes", one: xr.Dataset) -> None:
    """Since when it serves, and how much of that is coincidence."""
    since = float(one["since"]) if "since" in one else float("nan")
    value = float(one["coincidence"]) if "coincidence" in one else float("nan")
    mark = coincidence.is_mostly(value)
    lines = [
        (f"serves from step {count(since)}" if isfinite(since) else "", "#555555"),
        (_said(value, mark), COLOURS["rotated"] if mark else "#555555"),
    ]
    for row, (text, colour) in enumerate(line for line in lines if line[0]):
        ax.text(0.03, 0.94 - 0.11 * row, text, transform=ax.transAxes, va="top", fontsize=7.5,
                color=colour, fontweight="bold" if colour != "#555555" else "normal")  # fmt: skip
    if mark:
        ax.set_facecolor(DOUBTFUL)


def _said(value: float, mark: bool) -> str:
    if not isfinite(value):
        return ""
    return f"{coincidence.MARK if mark else 'coincidence'} {coincidence.share(value)}"


def _style(at: int) -> Any:
    """Dashes for languages beyond the number of colours."""
    return STYLES[(at // len(FAMILY)) % len(STYLES)]


def _handles(langs: list[str]) -> "list[Artist]":
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines: list[Artist] = [
        Line2D([], [], color=FAMILY[at % len(FAMILY)], linewidth=1.6, label=lang,
               linestyle=_style(at))
        for at, lang in enumerate(langs)
    ]  # fmt: skip
    for words, colour, style in LEVELS.values():
        lines.append(Line2D([], [], color=COLOURS[colour], linestyle=style, label=words))
    return [*lines, Patch(color=COLOURS["chance"], alpha=0.14, linewidth=0, label="null")]


def lives_counts(results: Results) -> "Figure":
    """How many pairs of a neuron and a concept serve several languages?

    Beside the band of the null that keeps every neuron's number of concepts, and deranged labels.

    Raises
    ------
    ValueError
        Without ``lives_counts``, or where it has no ``chance``.
    """
    found = demand(results, "lives_counts")
    least = attribute(found, "least_languages")
    figure, (panel,) = panels(
        found,
        "Concept–neuron pairs that serve several languages",
        joined(attribute(found, "path"), f"{least} languages or more" if least else ""),
        ylabels=["concept–neuron pairs"],
        label_width=16,
    )
    panel.line(curve(found, "value"), "found", COLOURS["neurons"])
    low, high = (curve(found, f"chance_{end}") for end in ("low", "high"))
    panel.line(curve(found, "chance"), "chance", COLOURS["chance"], style=":", width=1.4,
               low=low, high=high)  # fmt: skip
    if np.isfinite(curve(found, "deranged")).any():
        deranged = curve(found, "deranged")
        panel.line(deranged, "deranged labels", COLOURS["deranged"], style="--", width=1.4)
    panel.finish(floor=0.0, show=(0.0, 10.0))
    return figure
