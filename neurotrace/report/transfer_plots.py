"""Figures of transfer: what tuning moves against what a task gives, and concepts before and after.

Every value stands beside its own chance; a correlation stands beside the least that could be told.
"""

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.canvas import COLOURS, FAMILY
from neurotrace.report.grid import KEYED_AXIS, key, sheet
from neurotrace.report.reading import Results, attribute, count, demand, joined, level, number
from neurotrace.report.step_axis import spaced
from neurotrace.report.tuning_plots import (
    APART,
    MARKERS,
    band_handles,
    chance_band,
    chance_line,
    curves_of,
    draw_curve,
    draw_dots,
    language_ticks,
    layer_ticks,
    tuned_named,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS, COLUMNS, NAMED = 8, 4, 8  # layers drawn; in a row; languages in the key
TASK_ARMS = {"base": "untuned", "free": "tuned on the task"}
SHAPES = "osD^vPX*"


def tuning_transfer(results: Results) -> "Figure":
    """Does accuracy in T, taught in S, go with how far tuning on S moved T, layer by layer?

    Raises
    ------
    ValueError
        Without ``tuning_pairs`` and ``transfer``, or where one has no chance.
    """
    found = demand(results, "tuning_pairs", chance="zero_shot_chance")
    told = demand(results, "transfer")
    layers = [str(layer) for layer in found["layer"].values]
    kept = spaced(len(layers), PANELS)
    columns = min(len(kept), COLUMNS)
    steps, nodes = attribute(found, "steps"), attribute(told, "nodes")
    figure, axes = sheet(
        "Change by tuning on one language, and accuracy in another",
        joined(
            f"{nodes} languages, one point for tuning on S and reading another, T" if nodes else "",
            f"{count(steps)} steps" if steps is not None else "",
            "rank correlation r, p from permuted languages",
        ),
        headings=[f"layer {layers[at]}: {_correlation(told, at)}" for at in kept],
        columns=columns,
        width=3.15 * columns if columns > 2 else 8.0,
        height=2.0,
        gap=(0.5, 0.9),
        head=KEYED_AXIS,
    )
    for number_, (ax, at) in enumerate(zip(axes, kept, strict=True)):
        _points(ax, found, at)
        chance_line(ax, level(found, "zero_shot_chance"))
        ax.set_xlabel("Φ(S, T)", fontsize=9)
        ax.set_ylabel("accuracy in T" if number_ % columns == 0 else "", fontsize=9)
        ax.locator_params(axis="x", nbins=4)
        ax.locator_params(axis="y", nbins=5)
    key(figure, _sources(found), columns=NAMED + 1)
    return figure


def any_transfer(results: Results) -> bool:
    """Were accuracies held against what tuning moved?"""
    return "tuning_pairs" in results and "transfer" in results


def tuning_task(results: Results) -> "Figure":
    """Do word clusters find more twins after tuning on a task, and what does the task give?

    Raises
    ------
    ValueError
        Without ``tuning``, or where a value has no chance.
    """
    found = demand(results, "tuning", chance="task_align_chance")
    demand(results, "tuning", chance="zero_shot_chance")
    source = str(attribute(found, "source") or "")
    figure, (deep, wide, right) = sheet(
        "Latent concepts before and after tuning on a task, beside zero-shot accuracy",
        tuned_named(found),
        headings=["C-ALIGN from the source, by layer", "C-ALIGN from the source, by language",
                  "accuracy, tuned classifier"],
        columns=3,
        height=2.1,
        gap=(0.6, 0.7),
        head=KEYED_AXIS,
    )  # fmt: skip
    layers, langs = ([str(name) for name in found[axis].values] for axis in ("layer", "lang"))
    others = [lang for lang in langs if lang != source]
    away = found.sel(lang=others)
    for side, arm in enumerate(TASK_ARMS):
        aside = (side - 0.5) * APART / 3
        for y, thick in curves_of(away, arm, "task_align", "layer"):
            draw_curve(deep, np.arange(len(layers)), y, arm, side, thick=thick)
        _own_chance(deep, np.arange(len(layers)), away, arm, "layer")
        for ax, name, part in ((wide, "task_align", away), (right, "zero_shot", found)):
            x = np.arange(part.sizes["lang"]) + aside
            for y, thick in curves_of(part, arm, name, "lang"):
                draw_dots(ax, x, y, arm, side, thick=thick)
        chance_band(right, np.arange(len(langs)) + aside, found, arm, langs)
        _own_chance(wide, np.arange(len(others)) + aside, away, arm, "lang")
    chance_line(right, level(found, "zero_shot_chance"))
    layer_ticks(deep, layers)
    language_ticks(wide, others, source)
    language_ticks(right, langs, source)
    for ax in (deep, wide):
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    key(figure, [*_task_handles(), *band_handles(found)], columns=4)
    return figure


def any_task(results: Results) -> bool:
    """Were latent concepts looked for before and after tuning on the task?"""
    found = results.get("tuning")
    return found is not None and "task_align" in found


def _correlation(told: xr.Dataset, at: int) -> str:
    """``r = −0.41, detectable 0.80``: S ≠ T alone."""
    r, least = (float(told[name].values[at]) for name in ("crossed", "crossed_detectable"))
    if not isfinite(r):
        return "r undefined"
    worth = f"detectable {number(least, 2)}" if isfinite(least) else "none detectable"
    return f"r = {number(r, 2)}, {worth}"


def _points(ax: "Axes", found: xr.Dataset, at: int) -> None:
    moved = found["value"].isel(layer=at).transpose("lang_a", "lang_b").values
    reached = found["zero_shot"].transpose("lang_a", "lang_b").values
    targets = [str(lang) for lang in found["lang_b"].values]
    for number_, source in enumerate(found["lang_a"].values):
        others = [place for place, lang in enumerate(targets) if lang != str(source)]
        colour, shape = _look(number_)
        ax.plot(moved[number_, others], reached[number_, others], shape, color=colour,
                markersize=4.6, markeredgewidth=0, alpha=0.9, zorder=4)  # fmt: skip


def _look(at: int) -> tuple[str, str]:
    """Colour and marker of a source language: as many as there are colours times shapes."""
    return FAMILY[at % len(FAMILY)], SHAPES[(at + at // len(FAMILY)) % len(SHAPES)]


def _sources(found: xr.Dataset) -> "list[Artist]":
    from matplotlib.lines import Line2D

    named = [str(lang) for lang in found["lang_a"].values]
    drawn: list[Artist] = []
    for at in spaced(len(named), NAMED):
        colour, shape = _look(at)
        drawn.append(Line2D([], [], color=colour, marker=shape, linestyle="", markersize=5,
                            markeredgewidth=0, label=f"S = {named[at]}"))  # fmt: skip
    return [*drawn, Line2D([], [], color=COLOURS["chance"], linestyle=":", label="chance")]


def _own_chance(ax: "Axes", x: np.ndarray, found: xr.Dataset, arm: str, axis: str) -> None:
    """What permuted words give under this very model."""
    y, _ = curves_of(found, arm, "task_align_chance", axis)[-1]
    line, mark = (":", "") if axis == "layer" else ("", "_")
    ax.plot(x, y, color=arms.tint(arm), linestyle=line, marker=mark, linewidth=1.3, markersize=13,
            markeredgewidth=1.4, alpha=0.75, zorder=2)  # fmt: skip


def _task_handles() -> "list[Artist]":
    from matplotlib.lines import Line2D

    drawn: list[Artist] = [
        Line2D([], [], color=arms.tint(arm), marker=MARKERS[arm], markersize=5, label=name,
               linestyle="--" if arm == "base" else "-")
        for arm, name in TASK_ARMS.items()
    ]  # fmt: skip
    return [*drawn, Line2D([], [], color=COLOURS["chance"], linestyle=":",
                           label="chance; each model’s own, in its colour")]  # fmt: skip
