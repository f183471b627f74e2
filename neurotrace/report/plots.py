"""Figures of expert overlap and expert quality: raw, corrected, by layer, by size of the sets.

Every function takes the results of a run and returns a matplotlib Figure. None computes more than
a mean over what it does not show, none shows or saves, and none draws a number without chance.
"""

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from neurotrace.report.canvas import COLOURS, Panel, depth, panels
from neurotrace.report.marks import draw_marks, draw_null, onset_of, roof
from neurotrace.report.reading import (
    Results,
    attribute,
    count,
    curve,
    demand,
    experts_named,
    headline,
    joined,
    level,
    mean_of,
    other_languages,
    own_language,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CORRECTED_VIEW, EXCESS_VIEW = (-0.04, 0.16), (-0.02, 0.08)
LOOSE = (0, (4, 3))  # dashes of a level that is no chance level


def corrected_overlap(results: Results) -> "Figure":
    """Is a concept's expert set shared between languages, as far as it could be?

    ``(cross − chance) / √((rel_a − chance)(rel_b − chance))`` with its interval, for neurons, for
    a random rotation of the same site and for the re-initialised twin. 0 is chance; 1 means that
    two languages agree as well as each agrees with itself. With ``onset_overlap`` the band is
    simultaneous over the steps, beside the null's and when it began.

    Raises
    ------
    ValueError
        Without ``summary``, or where a summary has no ``chance``.
    """
    main = headline(results)
    figure, (panel,) = panels(
        main,
        "Corrected overlap of experts between languages",
        _subtitle(results),
        ylabels=["corrected overlap"],
        label_width=16,
    )
    panel.level(0.0, "chance", COLOURS["chance"])
    onset = results.get("onset_overlap")
    fits = onset is not None and onset.sizes.get("step") == len(panel.x)
    if onset is not None and fits:
        draw_null(panel, onset)
        low, high = curve(onset, "low"), curve(onset, "high")
        panel.line(curve(main, "corrected"), "neurons", COLOURS["neurons"], low=low, high=high)
    else:
        _summary_line(
            panel, results, "summary", variable="corrected", label="neurons", colour="neurons"
        )
    if "summary_rotated" in results:
        _summary_line(
            panel,
            results,
            "summary_rotated",
            variable="corrected",
            label="rotated basis",
            colour="rotated",
        )
    _twin_level(panel, results, "corrected")
    if onset is not None and fits and isfinite(onset_of(onset).half):
        draw_marks(panel, main, onset, COLOURS["neurons"])
        panel.finish(roof=roof(panel, CORRECTED_VIEW[1]), show=CORRECTED_VIEW)
    else:
        panel.finish(show=CORRECTED_VIEW)
    return figure


def raw_overlap(results: Results) -> "Figure":
    """Overlap before any correction, with its ceiling and everything it must exceed.

    The left panel has the ceiling (chance + the geometric mean of two languages' excess
    agreement with themselves) in view; the right one is the same near the chance level: k/n,
    the chance that keeps each layer's number of experts, wrong concepts, deranged labels,
    pseudo-concepts and the re-initialised twin.

    Raises
    ------
    ValueError
        Without ``summary``, or where a summary has no ``chance``.
    """
    main = headline(results)
    figure, (whole, near) = panels(
        main,
        "Overlap of a concept's experts in two languages, before correction",
        _subtitle(results),
        ylabels=["overlap", "overlap, near chance"],
        label_width=16,
    )
    _summary_line(
        whole, results, "summary", variable="ceiling", label="ceiling", colour="ceiling", style="--"
    )
    _summary_line(
        whole, results, "summary", variable="value", label="same concept", colour="neurons"
    )
    near.line(curve(main, "value"), "same concept", COLOURS["neurons"])  # its band would fill all
    for panel in (whole, near):
        panel.level(level(main), "chance k/n", COLOURS["chance"])
    _summary_line(
        whole, results, "summary", variable="wrong_concept", label="wrong concept", colour="wrong"
    )
    _baselines(near, results)
    whole.finish(floor=0.0)
    bottom, top = _near_chance(results)
    near.ends = [
        (y, label, colour) if y < top else (top, f"{label} \N{UPWARDS ARROW}", colour)
        for y, label, colour in near.ends
    ]
    near.finish(floor=bottom, roof=top)
    return figure


def overlap_per_layer(results: Results) -> "Figure":
    """Corrected overlap when experts are chosen within each layer.

    Raises
    ------
    ValueError
        Without ``summary_layers``, or where it has no ``chance``.
    """
    layers = demand(results, "summary_layers")
    figure, (panel,) = panels(
        layers,
        "Corrected overlap, experts chosen within each layer",
        _subtitle(results, sets=""),
        ylabels=["corrected overlap"],
        label_width=16,
    )
    curves, bands = {}, {}
    for at, layer in enumerate(layers["layer"].values):
        one = layers.isel(layer=at)
        curves[str(layer)] = curve(one, "corrected")
        bands[str(layer)] = (curve(one, "corrected_low"), curve(one, "corrected_high"))
    panel.level(0.0, "chance", COLOURS["chance"])
    panel.layers(curves, bands)
    panel.finish(show=CORRECTED_VIEW)
    return figure


def excess_per_k(results: Results) -> "Figure":
    """Does the excess keep its sign whatever the size of the expert sets?

    ``excess = overlap − max(wrong concept, layer-stratified chance)`` at every k that was traced.

    Raises
    ------
    ValueError
        Without ``summary``, or where it has no ``chance``.
    """
    summary = demand(results, "summary")
    several = "k" in summary.dims
    parts = [summary.isel(k=at) for at in range(summary.sizes["k"])] if several else [summary]
    figure, (panel,) = panels(
        summary,
        "Excess overlap at several sizes of the expert sets",
        _subtitle(results, sets=""),
        ylabels=["overlap above its baselines"],
        label_width=16,
    )
    panel.level(0.0, "no excess", COLOURS["chance"])
    for at, part in enumerate(parts):
        label = (
            f"k = {count(float(part['k']))} ({100 * level(part):.2g} %)" if several else "excess"
        )
        panel.line(
            curve(part, "excess"),
            label,
            depth(at, len(parts)) if several else COLOURS["neurons"],
            low=curve(part, "excess_low"),
            high=curve(part, "excess_high"),
        )
    panel.finish(show=EXCESS_VIEW)
    return figure


def expert_quality(results: Results) -> "Figure":
    """How well do the best neurons tell their concept, at home and in the other languages?

    Held-out average precision: chosen on one half of the sentences, read on the other. Thin lines
    are languages, the thick line is their mean. A random model has fair "experts" too, so the
    re-initialised twin is drawn beside the exact chance.

    Raises
    ------
    ValueError
        Without ``expertise``, or where it has no ``chance``.
    """
    expertise = demand(results, "expertise")
    best = attribute(expertise, "n_best")
    figure, (panel,) = panels(
        expertise,
        "Average precision of a concept's best neurons",
        joined(attribute(expertise, "path"), f"best {best} neurons" if best else "", "held out"),
        ylabels=["average precision"],
        label_width=16,
    )
    n_steps = expertise.sizes["step"]
    kinds = (
        ("own language", own_language(expertise), COLOURS["neurons"]),
        ("other languages", other_languages(expertise), COLOURS["other"]),
    )
    for label, family, colour in kinds:
        for one in family.values():
            panel.line(one, "", colour, width=0.6)
        if family:
            panel.line(mean_of(family, n_steps), label, colour)
    if "ceilings" in results:
        ceiling = demand(results, "ceilings")
        for part, colour in ((own_language, "neurons"), (other_languages, "other")):
            family = part(ceiling, "dense")
            if family:
                label = "dense probe" if part is own_language else "dense, others"
                panel.line(mean_of(family, n_steps), label, COLOURS[colour], style="--", width=1.2)
    if "expertise_twin" in results:
        twin = mean_of(own_language(demand(results, "expertise_twin")), 1)
        panel.level(float(twin[0]), "twin, own lang.", COLOURS["twin"], style=LOOSE)
    panel.level(level(expertise), "chance", COLOURS["chance"])
    panel.finish(floor=0.0, roof=1.02)
    return figure


def _baselines(panel: Panel, results: Results) -> None:
    _summary_line(
        panel,
        results,
        "summary",
        variable="stratified",
        label="chance by layer",
        colour="stratified",
        style="-.",
    )
    for name, variable, label, colour in (
        ("summary", "wrong_concept", "wrong concept", "wrong"),
        ("summary_deranged", "value", "deranged labels", "deranged"),
        ("summary_pseudo", "value", "pseudo-concepts", "pseudo"),
    ):
        if name in results:
            _summary_line(panel, results, name, variable=variable, label=label, colour=colour)
    _twin_level(panel, results, "value")


def _near_chance(results: Results) -> tuple[float, float]:
    """Limits of y that hold every baseline, whatever the matched overlap does."""
    found = [curve(headline(results), name) for name in ("wrong_concept", "stratified", "chance")]
    for name in ("summary_deranged", "summary_pseudo", "summary_twin"):
        if name in results:
            found.append(curve(headline(results, name), "value"))
    values = np.concatenate(found)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(0.35 * (high - low), 0.2 * level(headline(results)))
    return low - room, high + room


def _summary_line(
    panel: Panel,
    results: Results,
    name: str,
    *,
    variable: str,
    label: str,
    colour: str,
    style: str = "-",
) -> None:
    dataset = headline(results, name)
    value = curve(dataset, variable)
    if colour in ("neurons", "rotated"):
        low, high = (curve(dataset, f"{variable}_{end}") for end in ("low", "high"))
        panel.line(value, label, COLOURS[colour], style=style, low=low, high=high)
    else:
        panel.line(value, label, COLOURS[colour], style=style, width=1.4)  # bands would pile up


def _twin_level(panel: Panel, results: Results, variable: str) -> None:
    if "summary_twin" in results:
        value = float(curve(headline(results, "summary_twin"), variable)[0])
        panel.level(value, "twin", COLOURS["twin"], style=LOOSE)


def _subtitle(results: Results, *, sets: str | None = None) -> str:
    """Path, expert sets and splits: what stands under the title of every figure of overlaps."""
    dataset = headline(results) if "summary" in results else demand(results, "summary_layers")
    splits = attribute(dataset, "n_splits")
    return joined(
        attribute(dataset, "path"),
        experts_named(results) if sets is None else sets,
        f"{splits} splits into disjoint halves" if splits else "",
    )
