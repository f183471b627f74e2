"""Figures of tuning on one language: alignment layer by layer, and what each language gains.

Every arm freezes other layers; the untuned model is what they are held against. Thin lines are
training runs. The rules are those of ``plots``.
"""

from collections.abc import Collection, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.canvas import COLOURS
from neurotrace.report.grid import KEYED_AXIS, key, sheet
from neurotrace.report.reading import Curve, Results, attribute, count, demand, joined, level
from neurotrace.report.step_axis import spaced
from neurotrace.report.tuning_words import chosen_on, held_out

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"base": "s", "free": "o", "frozen_embed": "X", "frozen_early": "^", "frozen_late": "v",
           "frozen_phi": "D", "frozen_random": "P"}  # fmt: skip
RANDOM = "frozen_random"
APART = 0.7  # of the room of a language: its arms stand side by side
BY_LAYER = {
    "ilo_corrected": ("ILO beyond chance", ""),
    "mexa": ("MEXA", "mexa_chance"),
    "retrieval": ("translations found", "retrieval_chance"),
    "phi": ("change from the untuned model", "phi_chance"),
}
BAND = ("zero_shot_chance_low", "zero_shot_chance_high")
BY_LANGUAGE = {
    "loss": ("loss, nats a token", "loss_chance"),
    "zero_shot": ("accuracy, tuned classifier", "zero_shot_chance"),
    "probe": ("accuracy, linear probe", "zero_shot_chance"),
}


def tuning_layers(results: Results) -> "Figure":
    """What does tuning on one language do to alignment, layer by layer and arm by arm?

    Means over the languages that were neither tuned on nor chosen on: those can judge the arms.
    Thick lines are means over runs, thin ones are the runs.

    Raises
    ------
    ValueError
        Without ``tuning``, or where a value has no chance.
    """
    found = _demanded(results, BY_LAYER)
    demand(results, "tuning", chance="ilo_chance")
    names, found = [name for name in BY_LAYER if name in found], held_out(found)
    figure, axes = sheet(
        "Alignment before and after tuning on one language, layer by layer",
        joined(tuned_named(found), _held_named(found)),
        headings=[BY_LAYER[name][0] for name in names],
        columns=len(names) or 1,
        height=2.1,
        gap=(0.55, 0.7),
        head=KEYED_AXIS,
    )
    layers = [str(layer) for layer in found["layer"].values]
    for ax, name in zip(axes, names, strict=True):
        chance = BY_LAYER[name][1]
        chance_line(ax, level(found, chance) if chance else 0.0)
        for arm, at in _in_order(found):
            for y, thick in curves_of(found, arm, name, "layer"):
                draw_curve(ax, np.arange(len(layers)), y, arm, at, thick=thick)
        layer_ticks(ax, layers)
        if not chance:
            _hold(ax, (-0.05, 0.05))
    key(figure, _handles(found), columns=8)
    return figure


def tuning_languages(results: Results) -> "Figure":
    """What does tuning on one language give to the others: loss, and a concept's classifier?

    Raises
    ------
    ValueError
        Without ``tuning``, or where a value has no chance.
    """
    found = _demanded(results, BY_LANGUAGE)
    names = [name for name in BY_LANGUAGE if name in found and BY_LANGUAGE[name][1] in found]
    figure, axes = sheet(
        "Each language before and after tuning on one",
        tuned_named(found),
        headings=[BY_LANGUAGE[name][0] for name in names],
        columns=len(names) or 1,
        height=2.1,
        gap=(0.6, 0.7),
        head=KEYED_AXIS,
    )
    langs = [str(lang) for lang in found["lang"].values]
    order = _in_order(found)
    shown = [arm for arm, _ in order if not _one_of_random(arm, found)]
    for ax, name in zip(axes, names, strict=True):
        chance_line(ax, level(found, BY_LANGUAGE[name][1]))
        for arm, at in order:
            if arm not in shown:
                continue
            aside = APART * (shown.index(arm) - (len(shown) - 1) / 2) / max(len(shown), 6)
            x = np.arange(len(langs)) + aside
            if name == "zero_shot":
                chance_band(ax, x, found, arm, langs)
            for y, thick in curves_of(found, arm, name, "lang"):
                draw_dots(ax, x, y, arm, at, thick=thick)
        language_ticks(ax, langs, str(attribute(found, "source") or ""), chosen_on(found))
    key(figure, [*_handles(found, lines=False), *band_handles(found)], columns=8)
    return figure


def tuned_named(found: xr.Dataset) -> str:
    """Source, steps and runs: what stands under the title of figures of tuning."""
    source, steps, runs = attribute(found, "source"), attribute(found, "steps"), found.sizes["run"]
    return joined(
        f"tuned on {source}" if source else "",
        f"{count(steps)} steps" if steps is not None else "",
        f"{runs} runs: thin lines or small dots, their mean drawn thick" if runs > 1 else "one run",
    )


def _held_named(found: xr.Dataset) -> str:
    n = found.sizes.get("lang", 0)
    return f"mean of {n} languages held out" if n > 1 else "one language held out" if n else ""


def _demanded(results: Results, names: Mapping[str, tuple[str, str]]) -> xr.Dataset:
    """The result, refused where a value that would be drawn has no chance; loss may lack its own
    and is then left out."""
    found = demand(results, "tuning")
    for name, (_, chance) in names.items():
        if name in found and chance and name != "loss":
            demand(results, "tuning", chance=chance)
    return found


def _in_order(found: xr.Dataset) -> list[tuple[str, int]]:
    """Arms with their places, random lists first, so that they lie below the others."""
    named = [(arm, at) for at, arm in enumerate(arms.of(found))]
    return sorted(named, key=lambda one: not one[0].startswith(RANDOM))


def _one_of_random(arm: str, found: xr.Dataset) -> bool:
    """Is it one of several random lists whose mean is an arm, too?"""
    return arm.startswith(f"{RANDOM}_") and RANDOM in arms.of(found)


def curves_of(found: xr.Dataset, arm: str, name: str, axis: str) -> list[tuple[Curve, bool]]:
    """Every run's curve over an axis, then their mean; only the first where an arm is a draw."""
    array = found.isel(arm=arms.of(found).index(arm))[name].astype(float)
    runs = array.mean([dim for dim in array.dims if dim not in ("run", axis)])
    runs = runs.transpose("run", axis)
    each = [(np.asarray(one), False) for one in runs.values]
    mean = [(runs.mean("run").values, True)]
    if _one_of_random(arm, found):
        return [(y, False) for y, _ in mean]
    return mean if len(each) == 1 else [*each, *mean]


def draw_curve(ax: "Axes", x: np.ndarray, y: Curve, arm: str, at: int, *, thick: bool) -> None:
    colour = arms.tint(arm, at)
    marker = MARKERS.get(arm, "o") if thick else ""
    style = "--" if arm == "base" else "-"
    ax.plot(x, y, linestyle=style, marker=marker, color=colour, linewidth=1.8 if thick else 0.6,
            markersize=4.4, alpha=1.0 if thick else 0.55, zorder=3 + thick)  # fmt: skip


def draw_dots(ax: "Axes", x: np.ndarray, y: Curve, arm: str, at: int, *, thick: bool) -> None:
    marker = MARKERS.get(arm, "o")
    ax.plot(x, y, marker, color=arms.tint(arm, at), markersize=6 if thick else 2.4,
            markeredgewidth=0, alpha=1.0 if thick else 0.55, zorder=3 + thick)  # fmt: skip


def chance_line(ax: "Axes", value: float) -> None:
    if isfinite(value):
        ax.axhline(value, color=COLOURS["chance"], linestyle=":", linewidth=1.3, zorder=2)


def chance_band(ax: "Axes", x: np.ndarray, found: xr.Dataset, arm: str, langs: list[str]) -> None:
    """What permuted names of concepts give in each language, behind an arm's dots."""
    if any(name not in found for name in BAND):
        return
    one = found.isel(arm=arms.of(found).index(arm)).sel(lang=langs)
    low, high = (one[name].astype(float).mean("run").values for name in BAND)
    ax.vlines(x, low, high, color=COLOURS["chance"], linewidth=3.2, alpha=0.35, zorder=1)


def band_handles(found: xr.Dataset) -> "list[Artist]":
    from matplotlib.lines import Line2D

    if any(name not in found for name in ("zero_shot", *BAND)):
        return []
    return [Line2D([], [], color=COLOURS["chance"], linewidth=3.2, alpha=0.35,
                   label="95 % under permuted names")]  # fmt: skip


def layer_ticks(ax: "Axes", layers: list[str]) -> None:
    kept = spaced(len(layers), 8)
    ax.set_xticks(kept, [layers[at] for at in kept])
    ax.set_xlim(-0.3, len(layers) - 0.7)
    ax.set_xlabel("layer", fontsize=9)
    ax.locator_params(axis="y", nbins=6)


def language_ticks(ax: "Axes", langs: list[str], source: str, chosen: Collection[str] = ()) -> None:
    told = {source: "\n(tuned on)"} | dict.fromkeys(chosen, "\n(chosen on)")
    names = [f"{lang}{told.get(lang, '')}" for lang in langs]
    many = len(langs) > 4
    ax.set_xticks(range(len(langs)), names, rotation=60 if many else 0,
                  ha="right" if many else "center", fontsize=7 if many else 8)  # fmt: skip
    ax.set_xlim(-0.5, len(langs) - 0.5)
    ax.locator_params(axis="y", nbins=6)


def _hold(ax: "Axes", view: tuple[float, float]) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, view[0]), max(high, view[1]))


def _handles(found: xr.Dataset, *, lines: bool = True) -> "list[Artist]":
    from matplotlib.lines import Line2D

    drawn: list[Artist] = []
    for at, arm in enumerate(arms.of(found)):
        if _one_of_random(arm, found):
            continue
        style: Any = ("--" if arm == "base" else "-") if lines else ""
        drawn.append(Line2D([], [], color=arms.tint(arm, at), marker=MARKERS.get(arm, "o"),
                            linestyle=style, markersize=5, label=arms.named(arm)))  # fmt: skip
    chance = Line2D([], [], color=COLOURS["chance"], linestyle=":", label="chance")
    return [*drawn, chance]
