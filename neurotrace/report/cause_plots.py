"""Figures of use: what happens when experts are written into another language.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.canvas import COLOURS, Panel, panels
from neurotrace.report.grid import KEYED, key, rows_of, sheet
from neurotrace.report.marks import draw_marks, onset_of, roof
from neurotrace.report.reading import (
    Results,
    attribute,
    between,
    count,
    curve,
    demand,
    headline,
    joined,
    number,
    step_names,
)
from neurotrace.report.step_axis import places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

USE_VIEW, EFFECT_VIEW = (-0.05, 0.3), (-0.1, 0.5)


def use(results: Results) -> "Figure":
    """Does the model use in one language what it learned in another, and since when?

    The ratio of interchange across languages to interchange within one (1 is fully shared), beside
    corrected overlap; diamonds are the halves of both.

    Raises
    ------
    ValueError
        Without ``interchange``, or where it has no ``chance``.
    """
    found = demand(results, "interchange")
    base = headline(results) if "summary" in results else found
    base = found if base.sizes.get("step", 1) < found.sizes.get("step", 1) else base
    figure, (panel,) = panels(
        base,
        "Use across languages beside overlap of experts",
        joined("interchange across languages / within one", lag_named(results)),
        ylabels=["ratio, corrected overlap"],
        label_width=16,
    )
    panel.level(0.0, "chance", COLOURS["chance"])
    low, high = (curve(found, f"ratio_{end}") for end in ("low", "high"))
    x = places(found, base, panel.x)
    panel.line(
        curve(found, "ratio"), "use", COLOURS["use"], low=_clipped(low), high=_clipped(high), x=x
    )
    if "summary" in results and base is not found:
        panel.line(curve(base, "corrected"), "overlap", COLOURS["neurons"], style="--", width=1.5)
    panel.ax.set_ylim(*_view(found, "ratio"))
    _halves(panel, results, base)
    return figure


def _halves(panel: Panel, results: Results, base: xr.Dataset) -> None:
    marked = [
        (demand(results, name), COLOURS[colour])
        for name, colour in (("onset_use", "use"), ("onset_overlap", "neurons"))
        if name in results and isfinite(onset_of(results[name]).half)
    ]
    for row, (onset, colour) in enumerate(marked):
        draw_marks(panel, base, onset, colour, names=["half"], row=row)
    if marked:
        panel.finish(roof=roof(panel, USE_VIEW[1]), show=USE_VIEW)
    else:
        panel.finish(show=USE_VIEW)


def _clipped(y: np.ndarray) -> np.ndarray:
    """Bounds of a ratio without those where its denominator is near nothing."""
    return np.where(np.abs(y) <= 3, y, np.sign(y) * 3)


def _view(found: xr.Dataset, name: str) -> tuple[float, float]:
    """Limits that show the curve, whatever the width of its widest interval."""
    values = curve(found, name)
    known = values[np.isfinite(values)]
    low, high = min([*known, 0.0]), max([*known, 1.0])
    room = 0.25 * (high - low)
    return max(low - room, -1.5), min(high + room, 3.0)


def lag_named(results: Results) -> str:
    """The lag between the halves of use and overlap, in words; empty where there is none."""
    if "lag_use_overlap" not in results:
        return ""
    found = demand(results, "lag_use_overlap")
    value, low, high = (float(found[name]) for name in ("value", "low", "high"))
    what = "lag"
    if not isfinite(value) and "lag_effect_overlap" in results:
        found = demand(results, "lag_effect_overlap")
        value, low, high = (float(found[name]) for name in ("value", "low", "high"))
        what = "lag of its effect"
    if not isfinite(value):
        return "no lag: one of them has no half"
    return f"{what} {number(value, 2)} {between(low, high, 2)} doublings (0: together)"


def interchange_arms(results: Results) -> "Figure":
    """What does writing each set of neurons do at the last checkpoint, across and within?

    Filled: in another language; rings: within the language. Norm-matched random neurons are what
    an effect must exceed.

    Raises
    ------
    ValueError
        Without ``interchange``, or where it has no ``chance``.
    """
    found = demand(results, "interchange")
    shown = _shown(found, "across")
    figure, ax = rows_of(
        "Interchange with each set of neurons",
        joined(step_names(found)[-1], "change in log-odds of the concept's words, in nats"),
        [arms.named(arm) for arm in shown],
        head=KEYED,
    )
    ax.axvline(0.0, color=COLOURS["chance"], linestyle=":", linewidth=1.3)
    for at, arm in enumerate(shown):
        one, colour = arms.pick(found, arm), arms.tint(arm, at)
        if one is not None:
            _dot(ax, one, "across", at - 0.13, colour, filled=True)
            _dot(ax, one, "within", at + 0.17, colour, filled=False)
    ax.set_xlabel("effect (nats; 0 is none)", fontsize=9)
    _hold(ax, EFFECT_VIEW)
    key(figure, _two_handles("into another language", "within the language"))
    return figure


def _shown(found: xr.Dataset, name: str) -> list[str]:
    """Arms with any value; all of them, their rows empty, where nothing is defined."""
    return [arm for arm, _ in arms.each(found, name)] or arms.of(found)


def _dot(ax: "Axes", one: xr.Dataset, name: str, y: float, colour: str, *, filled: bool) -> None:
    value, low, high = (curve(one, name + end)[-1] for end in ("", "_low", "_high"))
    if isfinite(low) and isfinite(high):
        ax.plot([low, high], [y, y], color=colour, linewidth=1.8 if filled else 1.0, zorder=3)
    if isfinite(value):
        ax.plot([value], [y], "o", color=colour if filled else "white", markeredgecolor=colour,
                markersize=6 if filled else 5, markeredgewidth=1.3, zorder=4)  # fmt: skip


def _two_handles(filled: str, ring: str) -> "list[Line2D]":
    from matplotlib.lines import Line2D

    grey = "#555555"
    return [
        Line2D([], [], marker="o", color=grey, markersize=6, linewidth=1.8, label=filled),
        Line2D([], [], marker="o", color=grey, markerfacecolor="white", markersize=5,
               linewidth=1.0, label=ring),
    ]  # fmt: skip


def _hold(ax: "Axes", view: tuple[float, float]) -> None:
    """Keep a range in view, so that noise about zero looks like what it is."""
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, view[0]), max(high, view[1]))


def interchange_doses(results: Results) -> "Figure":
    """Does the effect across languages grow with the strength of what is written?

    Raises
    ------
    ValueError
        Without ``interchange_doses``, or where it has no ``chance``.
    """
    found = demand(results, "interchange_doses")
    step = attribute(found, "step")
    figure, (ax,) = sheet(
        "Effect across languages by dose",
        joined(
            f"step {count(step)}" if step is not None else "",
            "strength as a share of the residual stream's norm",
        ),
        headings=[""],
        columns=1,
        width=6.2,
        height=2.3,
        head=KEYED,
    )
    ax.axhline(0.0, color=COLOURS["chance"], linestyle=":", linewidth=1.3)
    for at, (arm, one) in enumerate(arms.each(found, "across")):
        _dose_curve(ax, one, arms.tint(arm, at), arms.named(arm))
    ax.set_xlabel("strength", fontsize=9)
    ax.set_ylabel("effect (nats)")
    ax.locator_params(axis="y", nbins=6)
    key(figure, ax.get_legend_handles_labels()[0])
    return figure


def _dose_curve(ax: "Axes", one: xr.Dataset, colour: str, label: str) -> None:
    dose = one["dose"].values.astype(float)
    value, low, high = (
        one[name].transpose("dose", ...).values.astype(float).reshape(len(dose), -1)[:, 0]
        if name in one
        else np.full(len(dose), np.nan)
        for name in ("across", "across_low", "across_high")
    )
    ax.plot(dose, value, "o-", color=colour, linewidth=1.8, markersize=4, label=label)
    ax.vlines(dose, low, high, color=colour, linewidth=1.2, alpha=0.7)
