"""Figures of latent concepts: clusters of words, aligned between languages or made of several.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import xarray as xr

from neurotrace.report.canvas import COLOURS, panels
from neurotrace.report.layer_panels import beyond_chance, by_layer, chance_curve, framed
from neurotrace.report.reading import Results, attribute, count, curve, demand, joined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEW = (-0.05, 0.05)


def latent_concepts(results: Results) -> "Figure":
    """Do clusters of words have a counterpart in other languages, and do they hold several?

    C-ALIGN, C-OVERLAP and the stability of the clusters by layer, mean over language pairs.

    Raises
    ------
    ValueError
        Without ``latent_concepts``, or where a value has no chance.
    """
    found = demand(results, "latent_concepts")
    for name in ("overlap", "stability"):
        demand(results, "latent_concepts", chance=f"{name}_chance")
    figure, drawn = panels(
        found,
        "Latent concepts: clusters of words, by layer",
        latent_named(found),
        ylabels=["C-ALIGN", "C-OVERLAP", "adjusted Rand index"],
        headings=["with a translated counterpart", "of several languages", "alike over seeds"],
        label_width=10,
    )
    names = (("value", "chance"), ("overlap", "overlap_chance"), ("stability", "stability_chance"))
    for panel, (name, chance) in zip(drawn, names, strict=True):
        by_layer(panel, found, name)
        chance_curve(panel, found, chance)
        allowed = name == "value" and "ceiling" in found
        if allowed:
            most = curve(found, "ceiling")  # what the dictionary allows
            panel.line(most, "ceiling", COLOURS["ceiling"], style="--", width=1.3)
        framed(panel, floor=0.0, ceiling=None if allowed else 1.0, show=VIEW)
    return figure


def latent_corrected(results: Results) -> "Figure":
    """The same beyond chance: what is aligned or shared, and not merely mixed.

    Raises
    ------
    ValueError
        Without ``latent_concepts``, or where a value has no chance.
    """
    found = demand(results, "latent_concepts")
    demand(results, "latent_concepts", chance="overlap_chance")
    figure, (aligned, shared) = panels(
        found,
        "Latent concepts beyond chance, by layer",
        latent_named(found),
        ylabels=["C-ALIGN minus chance", "C-OVERLAP minus chance"],
        headings=["with a translated counterpart", "of several languages"],
        label_width=16,
    )
    by_layer(aligned, found, "corrected")
    beyond_chance(aligned, found)
    by_layer(shared, found, "overlap_corrected")
    beyond_chance(shared, found, "overlap_chance")
    for panel in (aligned, shared):
        framed(panel, show=VIEW)
    return figure


def latent_named(found: xr.Dataset) -> str:
    """Path, clusters and thresholds: what stands under the title of figures of latent concepts."""
    clusters, words = attribute(found, "clusters"), attribute(found, "words")
    align, overlap = attribute(found, "theta_align"), attribute(found, "theta_overlap")
    return joined(
        attribute(found, "path"),
        f"{count(words)} words a language" if words else "",
        f"{count(clusters)} clusters" if clusters else "",
        f"thresholds {align:g} and {overlap:g}" if align and overlap else "",
    )
