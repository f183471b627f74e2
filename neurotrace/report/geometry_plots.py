"""Figures of how the languages' sentence states lie to each other: ILO and its companions.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report.canvas import COLOURS, panels
from neurotrace.report.layer_panels import (
    beyond_chance,
    by_class,
    by_language,
    by_layer,
    chance_curve,
    framed,
    twin_span,
)
from neurotrace.report.reading import (
    Results,
    attribute,
    by_family,
    count,
    curve,
    demand,
    joined,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEW = (-0.05, 0.05)
ROOM = 10  # characters of a label where three panels stand side by side


def ilo(results: Results) -> "Figure":
    """Do the nearest neighbours of a sentence speak other languages, beyond what mixing gives?

    Interlingual overlap of every layer as it is, beyond the chance of languages permuted over the
    same points, and beyond chance after each language's mean is taken off.

    Raises
    ------
    ValueError
        Without ``ilo``, or where a value has no chance.
    """
    found = demand(results, "ilo")
    demand(results, "ilo", chance="centered_chance")
    figure, (raw, corrected, centred) = panels(
        found,
        "Interlingual overlap (ILO) of sentence states, by layer",
        ilo_named(found),
        ylabels=["ILO", "ILO minus chance", "ILO minus chance"],
        headings=["as it is", "beyond chance", "beyond chance, means taken off"],
        label_width=ROOM,
    )
    by_layer(raw, found)
    chance_curve(raw, found)
    by_layer(corrected, found, "corrected")
    beyond_chance(corrected, found)
    by_layer(centred, found, "centered_corrected")
    beyond_chance(centred, found, "centered_chance")
    twin_span(raw, results, "ilo_twin")
    twin_span(corrected, results, "ilo_twin", "corrected")
    twin_span(centred, results, "ilo_twin", "centered_corrected")
    framed(raw, floor=0.0, ceiling=1.0)
    framed(corrected, show=VIEW)
    framed(centred, show=VIEW)
    return figure


def ilo_named(found: xr.Dataset) -> str:
    """Path, neighbours and sentences: what stands under the title of figures of ILO."""
    k, t, sentences = (attribute(found, name) for name in ("k", "t", "sentences"))
    return joined(
        attribute(found, "path"),
        f"{k} {attribute(found, 'metric') or ''} neighbours".replace("  ", " ") if k else "",
        f"{t} other languages among them" if t else "",
        f"{count(sentences)} sentences a language" if sentences else "",
    )


def ilo_spread(results: Results) -> "Figure":
    """Are all languages drawn in alike: ILO beyond chance by language, by class, and its spread?

    The spread is the standard deviation over languages; its chance permutes languages.

    Raises
    ------
    ValueError
        Without ``ilo``, or where the spread has no chance.
    """
    found = demand(results, "ilo", chance="spread_chance")
    classes = "by_stratum" in found
    figure, drawn = panels(
        found,
        "ILO beyond chance: do languages differ?",
        joined(attribute(found, "path"), "mean over layers where languages or classes are drawn"),
        ylabels=["ILO minus chance", *(["ILO minus chance"] if classes else []), "spread"],
        headings=["each language", *(["each class of languages"] if classes else []),
                  "standard deviation over languages"],
        label_width=ROOM,
    )  # fmt: skip
    by_language(drawn[0], by_family(found, "lang", "corrected"))
    if classes:
        by_class(drawn[1], by_family(found, "stratum", "by_stratum"))
    for panel in drawn[:-1]:
        beyond_chance(panel, found)
        framed(panel, show=VIEW)
    by_layer(drawn[-1], found, "spread")
    chance_curve(drawn[-1], found, "spread_chance")
    framed(drawn[-1], floor=0.0, show=(0.0, VIEW[1]))
    return figure


def shared_core(results: Results) -> "Figure":
    """Which share of all sentence states belongs to a core that languages have in common?

    Raises
    ------
    ValueError
        Without ``ilo``, or where the share has no chance.
    """
    found = demand(results, "ilo", chance="shared_core_chance")
    figure, (panel,) = panels(
        found,
        "Sentence states in the shared core, by layer",
        ilo_named(found),
        ylabels=["share of states"],
        label_width=16,
    )
    by_layer(panel, found, "shared_core")
    chance_curve(panel, found, "shared_core_chance")
    framed(panel, floor=0.0, ceiling=1.0, show=VIEW)
    return figure


def any_core(results: Results) -> bool:
    """Was a shared core looked for?"""
    return "ilo" in results and "shared_core" in results["ilo"]


def companions(results: Results) -> "Figure":
    """Do translations find each other, and do languages arrange their sentences alike?

    MEXA, mutual nearest neighbours and uncentred retrieval by layer, mean over language pairs.

    Raises
    ------
    ValueError
        Without ``companions``, or where a value has no chance.
    """
    found = demand(results, "companions")
    for name in ("mutual", "retrieval"):
        demand(results, "companions", chance=f"{name}_chance")
    k = attribute(found, "k")
    figure, drawn = panels(
        found,
        "Translations between languages, by layer",
        joined(attribute(found, "path"), "mean over language pairs"),
        ylabels=["MEXA", "share of neighbours", "share found"],
        headings=["translation nearest both ways (MEXA)",
                  f"the same {k} neighbours" if k else "the same neighbours",
                  "translation retrieved, states as they are"],
        label_width=ROOM,
    )  # fmt: skip
    names = (
        ("value", "chance"),
        ("mutual", "mutual_chance"),
        ("retrieval_raw", "retrieval_chance"),
    )
    for panel, (name, chance) in zip(drawn, names, strict=True):
        by_layer(panel, found, name)
        chance_curve(panel, found, chance)
    if "deranged" in found and np.isfinite(curve(found, "deranged")).any():
        deranged = curve(found, "deranged")
        drawn[0].line(deranged, "deranged", COLOURS["deranged"], style="--", width=1.4)
    for panel in drawn:
        framed(panel, floor=0.0, ceiling=1.0, show=VIEW)
    return figure
