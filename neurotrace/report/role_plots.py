"""Figures of what each layer does: heat maps over layers and steps, and how unlike layers are.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from neurotrace.report.canvas import COLOURS
from neurotrace.report.grid import sheet
from neurotrace.report.reading import (
    Curve,
    Results,
    by_family,
    curve,
    demand,
    level,
    short_count,
    steps_of,
)
from neurotrace.report.step_axis import spaced, step_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROLES = {
    "language_id": ("language identification", "accuracy"),
    "within": ("concepts, own language", "AP"),
    "across": ("concepts, other languages", "AP"),
    "experts": ("experts", "share of all experts"),
    "language_neurons": ("language neurons", "share of the layer"),
}
COLUMNS = 3
SHADES = 40  # above 50 the scale would become a picture instead of shapes


class Map(NamedTuple):
    """One quantity over layers and steps, with its chance level."""

    title: str
    unit: str
    value: np.ndarray  # (layer, step)
    chance: float
    layers: list[str]
    dataset: xr.Dataset


def layer_maps(results: Results) -> "Figure":
    """What does each layer do, and when: one map for each role, layers up, checkpoints across.

    The colour of every map runs from the smaller of chance and the least value to the largest;
    a line on its scale marks chance.

    Raises
    ------
    ValueError
        Without ``roles``, or where a role has no ``…_chance``.
    """
    found = _maps(results)
    figure, axes = sheet(
        "What each layer does over training",
        "layers upwards from 0; training steps across, one column a checkpoint; the black line on "
        "each scale is chance",
        headings=[one.title for one in found],
        columns=COLUMNS,
        height=1.55,
        gap=(1.35, 0.74),
        right=1.1,
    )
    for ax, one in zip(axes, found, strict=True):
        _heat(ax, one)
    return figure


def _maps(results: Results) -> list[Map]:
    roles = demand(results, "roles")
    for name in ROLES:
        if name in roles:
            demand(results, "roles", chance=f"{name}_chance")
    found = []
    if "summary_layers" in results:
        layers = demand(results, "summary_layers")
        found.append(_map(layers, "corrected", "corrected overlap", "corrected", 0.0))
    for name, (title, unit) in ROLES.items():
        if name in roles and np.isfinite(roles[name].values).any():
            found.append(_map(roles, name, title, unit, level(roles, f"{name}_chance")))
    return found


def _map(dataset: xr.Dataset, name: str, title: str, unit: str, chance: float) -> Map:
    family = by_family(dataset, "layer", name)
    return Map(title, unit, np.stack(list(family.values())), chance, list(family), dataset)


def _heat(ax: "Axes", one: Map) -> None:
    from matplotlib import colormaps

    known = one.value[np.isfinite(one.value)]
    chance = [one.chance] if isfinite(one.chance) else []
    low, high = min([*known, *chance], default=0.0), max([*known, *chance], default=1.0)
    high = high if high > low else low + 1e-6
    ax.set_facecolor("#F1F0EC")  # undefined
    drawn = ax.pcolormesh(
        np.ma.masked_invalid(one.value),
        cmap=colormaps["YlGnBu"].resampled(SHADES),
        vmin=low,
        vmax=high,
        edgecolors="face",
        linewidth=0.35,
    )
    ax.grid(visible=False)
    steps, rows = steps_of(one.dataset), spaced(len(one.layers), 6)
    kept = spaced(len(steps), 5)
    ax.set_xticks([at + 0.5 for at in kept], [short_count(steps[at]) for at in kept])
    ax.set_yticks([at + 0.5 for at in rows], [one.layers[at] for at in rows])
    ax.tick_params(length=0)
    ax.set_ylabel("layer", fontsize=8, labelpad=2)
    _scale(ax, drawn, one)


def _scale(ax: "Axes", drawn: object, one: Map) -> None:
    """The colour scale at the right of a map, with chance marked on it."""
    box = ax.get_position()
    figure: Any = ax.figure
    width, height = figure.get_size_inches()
    side = figure.add_axes((box.x1 + 0.09 / width, box.y0, 0.11 / width, box.height))
    bar = figure.colorbar(drawn, cax=side)
    bar.outline.set_visible(False)
    bar.solids.set_edgecolor("face")
    side.locator_params(axis="y", nbins=4)
    side.tick_params(labelsize=7.5, length=2, colors="#555555")
    if isfinite(one.chance):
        side.axhline(one.chance, color="black", linewidth=1.6)
    side.text(0.0, 1 + 0.05 / (box.height * height), one.unit, transform=side.transAxes,
              fontsize=7.5, color="#666666", ha="left", va="bottom")  # fmt: skip


def division_of_labour(results: Results) -> "Figure":
    """How unlike are the layers: the spread of each role over them, against a flat profile.

    The null has the same noise and no differences between layers.

    Raises
    ------
    ValueError
        Without ``division``, or where a spread has no ``…_chance``.
    """
    names = [name for name in ROLES if name in results.get("division", ())]
    for name in names or ["language_id"]:
        found = demand(results, "division", chance=f"{name}_chance")
    figure, axes = sheet(
        "Division of labour: how much each role differs between layers",
        "standard deviation over layers, with its interval; grey: a flat profile as noisy",
        headings=[ROLES[name][0] for name in names],
        columns=len(names),
        height=1.75,
        gap=(0.55, 0.7),
    )
    for ax, name in zip(axes, names, strict=True):
        ends = curve(found, f"{name}_low"), curve(found, f"{name}_high")
        null = curve(found, f"{name}_chance"), curve(found, f"{name}_chance_high")
        _spread(ax, found, curve(found, name), ends, null)
    return figure


def _spread(
    ax: "Axes",
    found: xr.Dataset,
    value: Curve,
    ends: tuple[Curve, Curve],
    null: tuple[Curve, Curve],
) -> None:
    x = step_axis(ax, found, small=True)
    low, high = ends
    chance, limit = null
    one = len(x) == 1
    ax.plot(x, value, "o-", color=COLOURS["neurons"], linewidth=1.8, markersize=2.8)
    if one:
        ax.vlines(x, low, high, color=COLOURS["neurons"])
    else:
        ax.fill_between(x, low, high, color=COLOURS["neurons"], alpha=0.16, linewidth=0)
    ax.plot(x, chance, "o:" if one else ":", color=COLOURS["chance"], linewidth=1.4, markersize=3)
    if np.isfinite(limit).any() and not one:
        ax.fill_between(x, 0, limit, color=COLOURS["chance"], alpha=0.12, linewidth=0)
    known = np.concatenate([c[np.isfinite(c)] for c in (value, high, chance)])
    ax.set_ylim(0, 1.12 * max([*known, 1e-3]))
    ax.locator_params(axis="y", nbins=5)
