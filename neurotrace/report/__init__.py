"""Shows what was traced: figures, sentences, one HTML page, one summary for the terminal.

Nothing here computes: every number comes with its chance level from ``neurotrace.trajectories``.
matplotlib, jinja2 and rich load where they are used.
"""

from neurotrace.report.canvas import svg
from neurotrace.report.claim import Claim, claim
from neurotrace.report.gallery import GALLERY, Plot
from neurotrace.report.label_plots import neuron_labels
from neurotrace.report.layer_plots import (
    concept_neurons,
    language_identification,
    language_neurons,
    loss,
    retrieval,
)
from neurotrace.report.page import FILE, Provenance, page, summary, write
from neurotrace.report.pair_plots import overlap_by_strings
from neurotrace.report.plots import (
    corrected_overlap,
    excess_per_k,
    expert_quality,
    overlap_per_layer,
    raw_overlap,
)
from neurotrace.report.terminal import terminal
from neurotrace.report.words import Finding, findings

__all__ = [
    "FILE",
    "GALLERY",
    "Claim",
    "Finding",
    "Plot",
    "Provenance",
    "claim",
    "concept_neurons",
    "corrected_overlap",
    "excess_per_k",
    "expert_quality",
    "findings",
    "language_identification",
    "language_neurons",
    "loss",
    "neuron_labels",
    "overlap_by_strings",
    "overlap_per_layer",
    "page",
    "raw_overlap",
    "retrieval",
    "summary",
    "svg",
    "terminal",
    "write",
]
