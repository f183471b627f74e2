"""Figures of change and distance: states between checkpoints, between languages, and typology.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report.canvas import COLOURS, depth, panels
from neurotrace.report.grid import KEYED_AXIS, key, sheet
from neurotrace.report.layer_panels import by_language, by_layer, chance_curve, framed, twin_span
from neurotrace.report.reading import (
    Results,
    attribute,
    by_family,
    curve,
    demand,
    joined,
)
from neurotrace.report.step_axis import spaced, step_axis

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALPHA = 0.05
ROOM = 10
COLUMNS, NAMED = 3, 8  # panels in a row; layers in the key
UNRELATED = "unrelated"


def evolution(results: Results) -> "Figure":
    """How much do a language's sentence states change from one checkpoint to the next?

    1 − CKA, debiased, by layer and by language; at the right the estimate as published, with what
    unrelated states give for it, and the same calibrated by that.

    Raises
    ------
    ValueError
        Without ``evolution``, or where it has no ``chance``.
    """
    found = demand(results, "evolution")
    figure, (layers, langs, published) = panels(
        found,
        "Change of sentence states from the checkpoint before",
        joined(attribute(found, "path"), "1 − CKA; 0: unchanged but for rotation and scale"),
        ylabels=["1 − CKA, debiased", "1 − CKA, debiased", "1 − CKA"],
        headings=["by layer", "by language", "three estimates, mean of both"],
        label_width=ROOM,
    )
    by_layer(layers, found)
    by_language(langs, by_family(found, "lang"))
    for panel in (layers, langs):
        panel.level(1.0, UNRELATED, COLOURS["chance"])
    for name, label, style in (("value", "debiased", "-"), ("biased", "published", "--"),
                               ("calibrated", "calibrated", "-.")):  # fmt: skip
        published.line(curve(found, name), label, COLOURS["embed"], style=style, width=1.5)
    chance_curve(published, found)
    for panel in (layers, langs, published):
        framed(panel, show=(0.0, 1.0))
    return figure


def any_change(results: Results) -> bool:
    """Is there a checkpoint with one before it?"""
    found = results.get("evolution")
    return found is not None and "value" in found and found.sizes.get("step", 1) > 1


def languages_apart(results: Results) -> "Figure":
    """How far are two languages' states of the same sentences apart, and how far from the end?

    Left: 1 − debiased CKA over translations, mean over language pairs, beside deranged
    translations. Right: the same of each language against its own last checkpoint.

    Raises
    ------
    ValueError
        Without ``evolution``, or where the distance has no chance.
    """
    found = demand(results, "evolution", chance="apart_chance")
    ending = "to_last" in found and found.sizes.get("step", 1) > 1
    figure, drawn = panels(
        found,
        "How far languages lie apart, and how far each is from its end",
        joined(attribute(found, "path"), "1 − CKA, debiased; 0: alike but for rotation and scale"),
        ylabels=["1 − CKA", *(["1 − CKA"] if ending else [])],
        headings=["two languages, translations", *(["the last checkpoint"] if ending else [])],
        label_width=16,
    )
    by_layer(drawn[0], found, "apart")
    chance_curve(drawn[0], found, "apart_chance", label="deranged")
    twin_span(drawn[0], results, "evolution_twin", "apart")
    if ending:
        by_layer(drawn[1], found, "to_last")
        drawn[1].level(1.0, UNRELATED, COLOURS["chance"])
    for panel in drawn:
        framed(panel, show=(0.0, 1.0))
    return figure


def any_pairs(results: Results) -> bool:
    """Were languages compared over translations?"""
    return "evolution" in results and "apart" in results["evolution"]


def language_distance(results: Results) -> "Figure":
    """Do languages lie further apart in the model the more distant they are?

    Rank correlation by layer for every distance; filled dots hold after Holm over the layers of a
    checkpoint. The grey area is what so few languages cannot tell from chance.

    Raises
    ------
    ValueError
        Without ``distances``, where it has no ``chance``, or no steps.
    """
    found = demand(results, "distances")
    if "step" not in found.dims:
        raise ValueError("got a study of one moment; expected a series over steps, as a trace has")
    names = [str(name) for name in found["distance"].values]
    nodes, covariates = attribute(found, "nodes"), attribute(found, "covariates")
    columns = min(len(names), COLUMNS)
    figure, axes = sheet(
        "Distance between languages and distance in the model, by layer",
        joined(
            f"{nodes} languages" if nodes else "",
            "rank correlation over pairs, p from permuted languages",
            f"covariates in the table: {covariates}" if covariates else "",
        ),
        headings=[name.replace("_", " ") for name in names],
        columns=columns,
        right=0.2 if columns > 1 else 6.8,  # a single panel keeps the width of one
        height=1.9,
        gap=(0.5, 0.72),
        head=KEYED_AXIS,
    )
    for at, ax in enumerate(axes):
        _correlations(ax, found.isel(distance=at))
        ax.set_ylabel("correlation" if at % columns == 0 else "", fontsize=9)
    key(figure, _handles(found), columns=11)
    return figure


def _correlations(ax: "Axes", one: xr.Dataset) -> None:
    x = step_axis(ax, one, small=True)
    ax.axhline(0.0, color=COLOURS["chance"], linestyle=":", linewidth=1.3)
    _undetectable(ax, x, one)
    family = by_family(one, "layer")
    kept = by_family(one, "layer", "p_holm") if "p_holm" in one else {}
    for at, (layer, y) in enumerate(family.items()):
        colour = depth(at, len(family))
        holds = kept.get(layer, np.full(len(x), np.nan)) <= ALPHA
        ax.plot(x, y, "-", color=colour, linewidth=1.4, zorder=3)
        ax.plot(x[~holds], y[~holds], "o", color="white", markeredgecolor=colour, markersize=3.4,
                markeredgewidth=0.9, zorder=4)  # fmt: skip
        ax.plot(x[holds], y[holds], "o", color=colour, markersize=5, zorder=5)
    ax.set_xlabel("training step", fontsize=9)
    ax.set_ylim(-1.05, 1.05)
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])


def _undetectable(ax: "Axes", x: np.ndarray, one: xr.Dataset) -> None:
    least = curve(one, "detectable")
    none = np.isnan(least) if "detectable" in one else np.zeros(len(x), bool)
    least = np.where(none, 1.0, least)  # no correlation at all could be told from chance
    if len(x) == 1:
        ax.axhspan(-least[0], least[0], color=COLOURS["chance"], alpha=0.12, linewidth=0, zorder=0)
    else:
        ax.fill_between(x, -least, least, color=COLOURS["chance"], alpha=0.12, linewidth=0)


def _handles(found: xr.Dataset) -> "list[Artist]":
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    layers = list(by_family(found, "layer"))
    named = set(spaced(len(layers), NAMED))
    lines: list[Artist] = [
        Line2D([], [], color=depth(at, len(layers)), linewidth=1.6, label=f"layer {layer}")
        for at, layer in enumerate(layers) if at in named
    ]  # fmt: skip
    lines.append(Line2D([], [], color="#555555", marker="o", linestyle="", markersize=5,
                        label=f"p ≤ {ALPHA:g} after Holm"))  # fmt: skip
    band = Patch(color=COLOURS["chance"], alpha=0.14, linewidth=0, label="too weak to be told")
    return [*lines, band]
