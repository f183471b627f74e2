"""Figures of what neurons are called: counts of each kind over the checkpoints.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import numpy as np

from neurotrace.report.canvas import COLOURS, Panel, panels
from neurotrace.report.reading import Results, attribute, count, curve, demand, joined

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

CONTROLS = (
    ("chance", "deranged", "deranged"),
    ("pseudo", "pseudo", "pseudo"),
    ("words", "words", "other"),
)  # suffix of the count, its label, its colour
LANGUAGE = ("language", "script")
NEEDED = ("at_least_two_chance", "one_language_chance", "language_chance")


def neuron_labels(results: Results) -> "Figure":
    """How many neurons are called for a concept in several languages, in one, or for a language?

    Pairs in two or more languages stand beside the band of the null that keeps each neuron's
    number of concepts; neurons of a concept in one language beside deranged labels,
    pseudo-concepts and arbitrary words; neurons of a language beside shuffled languages.

    Raises
    ------
    ValueError
        Without ``labels``, or where a count has no chance level.
    """
    for chance in NEEDED:
        found = demand(results, "labels", chance=chance)
    alpha, neurons = attribute(found, "alpha"), attribute(found, "neurons")
    figure, (pairs, single, tongue) = panels(
        found,
        "Neurons called for a concept or a language, and what calls for nothing give",
        joined(
            attribute(found, "path"),
            f"false discovery rate {alpha:g}" if alpha else "",
            "confirmed on the other half",
            f"of {count(neurons)} neurons" if neurons else "",
        ),
        ylabels=["concept–neuron pairs", "neurons", "neurons"],
        headings=["a concept, two or more languages", "a concept, one language", "a language"],
        label_width=8,
    )
    pairs.line(curve(found, "at_least_two"), "called", COLOURS["ceiling"])
    low, high = (curve(found, f"at_least_two_chance_{end}") for end in ("low", "high"))
    pairs.line(
        curve(found, "at_least_two_chance"),
        "chance",
        COLOURS["chance"],
        style=":",
        width=1.4,
        low=low,
        high=high,
    )
    single.line(curve(found, "one_language"), "called", COLOURS["neurons"])
    for suffix, label, colour in CONTROLS:
        _control(single, curve(found, f"one_language_{suffix}"), label, COLOURS[colour])
    tongue.line(of_languages(found, ""), "called", COLOURS["language"])
    _control(tongue, of_languages(found, "_chance"), "shuffled", COLOURS["chance"])
    for panel in (pairs, single, tongue):
        top = panel.ax.get_ylim()[1]
        panel.finish(floor=0.0, roof=max(1.18 * top, 5.0))  # room for the heading
    return figure


def of_languages(found: "xr.Dataset", suffix: str) -> np.ndarray:
    """Neurons of a language or of a script ``(step,)``; a script that cannot be told is none."""
    return np.sum([np.nan_to_num(curve(found, f"{kind}{suffix}")) for kind in LANGUAGE], axis=0)


def _control(panel: Panel, y: np.ndarray, label: str, colour: str) -> None:
    if np.isfinite(y).any():  # what was not asked is no undefined curve
        panel.line(y, label, colour, style="--", width=1.4)
