"""The figures of a report in reading order: what each shows, how to read it, what it needs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from neurotrace.report import label_plots, layer_plots, plots
from neurotrace.report.reading import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plot(NamedTuple):
    """One figure: how it is drawn and what is written under it."""

    draw: Callable[[Results], "Figure"]
    needs: str
    shows: str
    reading: str
    wide: bool = False

    @property
    def name(self) -> str:
        return str(getattr(self.draw, "__name__", self.needs))


GALLERY = (
    Plot(
        plots.corrected_overlap,
        "summary",
        "Are a concept's experts the same in two languages, as far as they could be?",
        "0 is chance; 1 means two languages agree as well as each agrees with itself. Shaded: 95 % "
        "intervals over concepts and languages, at each checkpoint by itself. What the rotated "
        "basis keeps belongs to the subspace, not to its neurons.",
    ),
    Plot(
        plots.excess_per_k,
        "summary",
        "Does it hold for small and large sets of experts?",
        "Overlap minus the larger of two baselines, wrong concepts and chance by layer. A claim "
        "needs every curve to end above zero.",
    ),
    Plot(
        plots.raw_overlap,
        "summary",
        "The same before correction, with the ceiling (left) and near chance (right).",
        "Raw overlap grows with the mere quality of experts, so it is no measure of sharing by "
        "itself. Deranged labels, pseudo-concepts and the re-initialised twin should stay at "
        "chance; wrong concepts may fall below it.",
        wide=True,
    ),
    Plot(
        plots.overlap_per_layer,
        "summary_layers",
        "Where in the model is it?",
        "Experts are chosen within each layer, so layers compete on equal terms; dark is early, "
        "light is late. Layers are counted from 0.",
    ),
    Plot(
        plots.expert_quality,
        "expertise",
        "How well do the best neurons tell their concept?",
        "Chosen on one half of the sentences, read on the other. Thin lines are languages. The "
        "twin shows how much a random model achieves: only what lies above it was learned. "
        "Dashed: a dense probe over all neurons, at home and elsewhere, as the ceiling.",
    ),
    Plot(
        label_plots.neuron_labels,
        "labels",
        "How many neurons are called for a concept in several languages, in one, or for a "
        "language?",
        "Left, grey: mean and 95 % band of languages that are independent, where each neuron keeps "
        "its number of concepts; only what lies above it is shared. Middle: neurons of no other "
        "kind, beside the same calls for deranged labels, pseudo-concepts and arbitrary words as "
        "frequent as the concepts. Right: neurons of a language come and go where nothing is "
        "shared, too.",
        wide=True,
    ),
    Plot(
        layer_plots.concept_neurons,
        "concept_neurons",
        "How many concept–neuron pairs serve one language, several, all?",
        "Grey: mean and 95 % band when each neuron keeps its number of concepts and each layer its "
        "number of neurons. These counts describe; they share sentences between languages.",
        wide=True,
    ),
    Plot(
        layer_plots.language_identification,
        "language_id",
        "How well can a token's language be read off each layer?",
        "No word type is in both training and test. Layers specialize where nothing is shared, "
        "too: no evidence of sharing. Shaded: the re-initialised twin over its layers.",
    ),
    Plot(
        layer_plots.language_neurons,
        "language_neurons",
        "How many neurons tell one language from all others?",
        "Their rise and fall happens where nothing is shared, too: no evidence of sharing.",
    ),
    Plot(
        layer_plots.retrieval,
        "retrieval",
        "Do translations lie nearest to each other?",
        "Mean over language pairs; dark is early, light is late. Alignment is necessary for "
        "transfer, not sufficient.",
    ),
    Plot(
        layer_plots.loss,
        "loss",
        "Does the model learn every language?",
        "Next-token loss on a sample of the evaluation sentences. The dotted line is what guessing "
        "evenly among the vocabulary costs.",
    ),
)
