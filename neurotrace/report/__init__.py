"""Shows what was traced: figures, sentences, one HTML page, one summary for the terminal.

Nothing here computes: every number comes with its chance level from ``neurotrace.trajectories``.
matplotlib, jinja2 and rich load where they are used.
"""

from neurotrace.report.ablation_plots import ablation
from neurotrace.report.canvas import svg
from neurotrace.report.cause_plots import interchange_arms, interchange_doses, use
from neurotrace.report.claim import Claim, claim
from neurotrace.report.files import figures
from neurotrace.report.forcing_plots import forcing
from neurotrace.report.gallery import GALLERY, Plot
from neurotrace.report.label_plots import neuron_labels
from neurotrace.report.layer_plots import (
    concept_neurons,
    language_identification,
    language_neurons,
    loss,
    retrieval,
)
from neurotrace.report.life_plots import lives, lives_counts
from neurotrace.report.onset_plots import onsets, turnover
from neurotrace.report.origin import Provenance
from neurotrace.report.page import FILE, page, summary, write
from neurotrace.report.pair_plots import overlap_by_strings
from neurotrace.report.paragraph import Opening, opening
from neurotrace.report.plots import (
    corrected_overlap,
    excess_per_k,
    expert_quality,
    overlap_per_layer,
    raw_overlap,
)
from neurotrace.report.role_plots import division_of_labour, layer_maps
from neurotrace.report.set_plots import compression, participation
from neurotrace.report.terminal import terminal
from neurotrace.report.words import Finding, findings

__all__ = [
    "FILE",
    "GALLERY",
    "Claim",
    "Finding",
    "Opening",
    "Plot",
    "Provenance",
    "ablation",
    "claim",
    "compression",
    "concept_neurons",
    "corrected_overlap",
    "division_of_labour",
    "excess_per_k",
    "expert_quality",
    "figures",
    "findings",
    "forcing",
    "interchange_arms",
    "interchange_doses",
    "language_identification",
    "language_neurons",
    "layer_maps",
    "lives",
    "lives_counts",
    "loss",
    "neuron_labels",
    "onsets",
    "opening",
    "overlap_by_strings",
    "overlap_per_layer",
    "page",
    "participation",
    "raw_overlap",
    "retrieval",
    "summary",
    "svg",
    "terminal",
    "turnover",
    "use",
    "write",
]
