"""Figures of layers, languages and counts: what is traced beside the overlap of experts.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

from neurotrace.report.canvas import COLOURS, panels
from neurotrace.report.layer_panels import by_language, twin_span
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {
    "exactly_one": ("in exactly one language", "neurons"),
    "at_least_two": ("in two or more languages", "ceiling"),
    "all": ("in all languages", "other"),
}


def language_identification(results: Results) -> "Figure":
    """How well can the language of a token be read off each layer?

    Word types of training and test are disjoint. It specializes with depth where nothing is
    shared, too, and is no evidence of sharing.

    Raises
    ------
    ValueError
        Without ``language_id``, or where it has no ``chance``.
    """
    found = demand(results, "language_id")
    tokens, left_out = attribute(found, "tokens"), attribute(found, "left_out")
    figure, (panel,) = panels(
        found,
        "Language of a token, read off each layer",
        joined(
            attribute(found, "path"),
            "word types disjoint" if attribute(found, "disjoint_types") else "random tokens",
            f"{count(tokens)} tokens" if tokens else "",
            f"without {left_out}" if left_out else "",
        ),
        ylabels=["accuracy"],
        label_width=16,
    )
    panel.layers(by_family(found, "layer"), {})
    if "embed" in found:
        panel.line(curve(found, "embed"), "embeddings", COLOURS["embed"], style="--", width=1.6)
    twin_span(panel, results, "language_id_twin")
    panel.level(level(found), "chance", COLOURS["chance"])
    panel.finish(roof=1.02)
    return figure


def retrieval(results: Results) -> "Figure":
    """How often is a sentence's translation its nearest neighbour, layer by layer?

    Mean over language pairs. Alignment is necessary for transfer, not sufficient.

    Raises
    ------
    ValueError
        Without ``retrieval``, or where it has no ``chance``.
    """
    found = demand(results, "retrieval")
    candidates = attribute(found, "candidates")
    figure, (panel,) = panels(
        found,
        "Translations found among all sentences, by layer",
        joined(
            attribute(found, "path"),
            f"{count(candidates)} candidates" if candidates else "",
            "mean of each language taken off" if attribute(found, "center") else "",
        ),
        ylabels=["share of translations found"],
        label_width=16,
    )
    panel.layers(by_family(found, "layer"), {})
    twin_span(panel, results, "retrieval_twin")
    panel.level(level(found), "chance", COLOURS["chance"])
    panel.finish(floor=0.0, show=(0.0, 0.05))
    return figure


def language_neurons(results: Results) -> "Figure":
    """How many neurons tell one language from all the others?

    Their number falls where nothing is shared, too: no evidence of sharing.

    Raises
    ------
    ValueError
        Without ``language_neurons``, or where it has no ``chance``.
    """
    found = demand(results, "language_neurons")
    threshold, neurons = attribute(found, "threshold"), attribute(found, "neurons")
    figure, (panel,) = panels(
        found,
        "Neurons that tell one language from the others",
        joined(
            attribute(found, "path"),
            f"average precision at least {threshold:g} on both halves" if threshold else "",
            f"of {count(neurons)} neurons" if neurons else "",
        ),
        ylabels=["neurons"],
        label_width=16,
    )
    by_language(panel, by_family(found, "lang"))
    panel.level(level(found), "langs. shuffled", COLOURS["chance"])
    panel.finish(floor=0.0, show=(0.0, 10.0))
    return figure


def concept_neurons(results: Results) -> "Figure":
    """How many concept–neuron pairs pass in one language, in several, in all?

    Beside each count stand the mean and the band of the null that keeps every neuron's number of
    concepts and every layer's number of neurons.

    Raises
    ------
    ValueError
        Without ``concept_neurons``, or where a count has no ``…_chance``.
    """
    found = demand(results, "concept_neurons", chance="exactly_one_chance")
    for kind in KINDS:
        demand(results, "concept_neurons", chance=f"{kind}_chance")
    threshold, pairs = attribute(found, "threshold"), attribute(found, "pairs")
    figure, drawn = panels(
        found,
        "Concept–neuron pairs that pass in one language, in several, in all",
        joined(
            attribute(found, "path"),
            f"average precision at least {threshold:g} on both halves" if threshold else "",
            f"of {count(pairs)} pairs" if pairs else "",
            "grey: by coincidence",
        ),
        ylabels=["concept–neuron pairs", "", ""],
        headings=[heading for heading, _ in KINDS.values()],
        label_width=7,
    )
    for panel, (kind, (_, colour)) in zip(drawn, KINDS.items(), strict=True):
        panel.line(curve(found, kind), "found", COLOURS[colour])
        panel.line(
            curve(found, f"{kind}_chance"),
            "chance",
            COLOURS["chance"],
            style=":",
            width=1.4,
            low=curve(found, f"{kind}_chance_low"),
            high=curve(found, f"{kind}_chance_high"),
        )
        top = panel.ax.get_ylim()[1]
        panel.finish(floor=0.0, roof=max(1.18 * top, 5.0))  # room for the heading
    return figure


def loss(results: Results) -> "Figure":
    """Loss of every language, against the uniform guess.

    Raises
    ------
    ValueError
        Without ``loss``, or where it has no ``chance``.
    """
    found = demand(results, "loss")
    figure, (panel,) = panels(
        found,
        "Loss on the evaluation sentences",
        "nats a token, by language",
        ylabels=["loss (nats a token)"],
        label_width=16,
    )
    by_language(panel, by_family(found, "lang"))
    panel.level(level(found), "uniform guess", COLOURS["chance"])
    panel.finish()
    return figure
