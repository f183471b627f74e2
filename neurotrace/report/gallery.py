"""The figures of a report in reading order: what each shows, how to read it, what it needs."""

from neurotrace.report import (
    ablation_plots,
    cause_plots,
    forcing_plots,
    label_plots,
    layer_plots,
    life_plots,
    onset_plots,
    plots,
    role_plots,
    set_plots,
)
from neurotrace.report.contents import Plot
from neurotrace.report.space_gallery import SPACES

GALLERY = (
    Plot(
        plots.corrected_overlap,
        "summary",
        "overlap",
        "Are a concept's experts the same in two languages, as far as they could be?",
        "0 is chance; 1 means two languages agree as well as each agrees with itself. Shaded: 95 % "
        "over concepts and languages; where the null is drawn, as a grey area, the band of neurons "
        "holds at all checkpoints at once. What the rotated basis keeps belongs to the subspace, "
        "not to its neurons.",
    ),
    Plot(
        plots.excess_per_k,
        "summary",
        "overlap",
        "Does it hold for small and large sets of experts?",
        "Overlap minus the larger of two baselines, wrong concepts and chance by layer. A claim "
        "needs every curve to end above zero.",
    ),
    Plot(
        plots.raw_overlap,
        "summary",
        "overlap",
        "The same before correction, with the ceiling (left) and near chance (right).",
        "Raw overlap grows with the mere quality of experts, so it is no measure of sharing by "
        "itself. Deranged labels, pseudo-concepts and the re-initialised twin should stay at "
        "chance; wrong concepts may fall below it.",
        wide=True,
    ),
    Plot(
        onset_plots.onsets,
        "onset_overlap",
        "when",
        "When does it begin, and when is it half done?",
        "“Detect” is the first checkpoint from which the band stays outside the null; it "
        "depends on how much data there is. “Half” is the step at which a fitted rising curve"
        " reaches half of its end; a curve that still rises at the end has an early half.",
    ),
    Plot(
        onset_plots.turnover,
        "turnover",
        "when",
        "How fast do experts change hands?",
        "Share of a concept’s experts that were none at the checkpoint before. Chance is two "
        "random sets; below the floor nothing can fall, since a language’s halves do not "
        "agree with each other any better. Neurons are compared within this run only.",
    ),
    Plot(
        plots.overlap_per_layer,
        "summary_layers",
        "where",
        "Where in the model is it?",
        "Experts are chosen within each layer, so layers compete on equal terms; dark is early, "
        "light is late. Layers are counted from 0.",
    ),
    Plot(
        layer_plots.retrieval,
        "retrieval",
        "where",
        "Do translations lie nearest to each other?",
        "Mean over language pairs; dark is early, light is late. Alignment is necessary for "
        "transfer, not sufficient.",
    ),
    Plot(
        role_plots.layer_maps,
        "roles",
        "where",
        "What does each layer do, and when?",
        "Light is low, dark is high, on a scale of its own for every map. Concepts in other "
        "languages: trained on one language, tested on the others. This profile over depth is"
        " this model’s own and need not be that of a larger one.",
        wide=True,
    ),
    Plot(
        role_plots.division_of_labour,
        "division",
        "where",
        "Do layers come to differ?",
        "The spread of each role over the layers. Only what lies above the grey area, "
        "layers alike but as noisy, is division of labour. Layers divide the work on "
        "languages where nothing is shared, too: no evidence of sharing.",
        wide=True,
    ),
    Plot(
        plots.expert_quality,
        "expertise",
        "which",
        "How well do the best neurons tell their concept?",
        "Chosen on one half of the sentences, read on the other. Thin lines are languages. The "
        "twin shows how much a random model achieves: only what lies above it was learned. "
        "Dashed: a dense probe over all neurons, at home and elsewhere, as the ceiling.",
    ),
    Plot(
        life_plots.lives_counts,
        "lives_counts",
        "which",
        "How many neurons come to serve a concept in several languages?",
        "Grey: mean and 95 % band when each neuron keeps its number of concepts in every "
        "language; only what lies above it is shared.",
    ),
    Plot(
        set_plots.compression,
        "compression",
        "which",
        "Do languages come to share the same few neurons?",
        "Share of expert places saved where experts of several languages are the same neurons, "
        "in sets sized by the false discovery rate. Grey: what neurons with as many concepts each "
        "give by coincidence.",
    ),
    Plot(
        set_plots.participation,
        "participation",
        "which",
        "Does activity spread over more directions, or fewer?",
        "Dark is early, light is late. Chance: independent neurons of the same variances. Dashed:"
        " the re-initialised model. It says how the whole layer moves, not whether meaning is"
        " shared.",
    ),
    Plot(
        life_plots.lives,
        "lives",
        "which",
        "How does a neuron come to serve many languages?",
        "Chosen on half of the sentences, read on the other half. The grey area is the null; "
        "only above the dashed line lies what the re-initialised model does not reach. A neuron "
        "whose best other concept is as high is not of this concept alone. Coincidence: the share "
        "of such pairs that languages would have in common if they chose independently; a tinted "
        "panel has more than half and is no sign of sharing.",
        wide=True,
        there=life_plots.any_lives,
    ),
    Plot(
        label_plots.neuron_labels,
        "labels",
        "which",
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
        "which",
        "How many concept–neuron pairs serve one language, several, all?",
        "Grey: mean and 95 % band when each neuron keeps its number of concepts and each layer its "
        "number of neurons. These counts describe; they share sentences between languages.",
        wide=True,
        aside=True,
    ),
    Plot(
        cause_plots.use,
        "interchange",
        "use",
        "Does the model use in one language what it learned in another, and since when?",
        "Neuron values of a concept, taken from a sentence in one language, are written into "
        "a neutral sentence of another. 1: it raises the concept’s words there as much as at "
        "home. Diamonds: when each curve is half up. Alignment is necessary for transfer, not "
        "sufficient; use can exceed it, since experts of one language write what the others "
        "read.",
    ),
    Plot(
        cause_plots.interchange_arms,
        "interchange",
        "use",
        "Is it these neurons, or would any do?",
        "Norm-matched random neurons write a change of the same size into the residual "
        "stream; own-value random neurons hardly write any. Only what the experts do beyond "
        "both, and beyond the wrong concept, is theirs. A difference of means is the ceiling.",
    ),
    Plot(
        cause_plots.interchange_doses,
        "interchange_doses",
        "use",
        "Does a stronger change do more?",
        "An effect that is the concept’s grows with what is written; norm-matched random "
        "neurons show what any change of that strength does.",
    ),
    Plot(
        ablation_plots.ablation,
        "ablation",
        "use",
        "What is lost without them?",
        "Loss with the neurons silenced minus loss as it is; bars are 95 % intervals. Only what "
        "exceeds as many random neurons of the same layers, rescaled to change as much, is "
        "theirs. Right: one language’s own neurons at a time, mean over languages.",
        wide=True,
    ),
    Plot(
        layer_plots.language_identification,
        "language_id",
        "language",
        "How well can a token's language be read off each layer?",
        "No word type is in both training and test. Layers specialize where nothing is shared, "
        "too: no evidence of sharing. Shaded: the re-initialised twin over its layers.",
    ),
    Plot(
        layer_plots.language_neurons,
        "language_neurons",
        "language",
        "How many neurons tell one language from all others?",
        "Their rise and fall happens where nothing is shared, too: no evidence of sharing.",
    ),
    Plot(
        forcing_plots.forcing,
        "forcing",
        "language",
        "Switched on, do a language’s experts bring the topic, and the language?",
        "Left: how much likelier the concept’s words become than in the unforced model, which is "
        "0; bars are 95 % intervals. The judge counts words and does not know the condition. "
        "Middle: dashed is the unforced model. No share is drawn where more than 20 % of the texts "
        "are in no language or repeat themselves (right). A difference of means is the ceiling.",
        wide=True,
    ),
    *SPACES,
    Plot(
        layer_plots.loss,
        "loss",
        "checks",
        "Does the model learn every language?",
        "Loss on a sample of the evaluation sentences: of the next token, or of hidden ones where "
        "the model is a masked one. The dotted line is what guessing evenly among the vocabulary "
        "costs.",
    ),
)
