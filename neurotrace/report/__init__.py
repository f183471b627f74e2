"""Shows what was traced: figures, sentences, one HTML page, one summary for the terminal.

Nothing here computes: every number comes with its chance level from ``neurotrace.trajectories``.
matplotlib, jinja2 and rich load where they are used.
"""

from neurotrace.report.ablation_plots import ablation
from neurotrace.report.canvas import svg
from neurotrace.report.cause_plots import interchange_arms, interchange_doses, use
from neurotrace.report.claim import Claim, claim
from neurotrace.report.contents import Plot
from neurotrace.report.distance_plots import evolution, language_distance, languages_apart
from neurotrace.report.embedding_plots import embedding_drift, embedding_map, embeddings
from neurotrace.report.files import figures
from neurotrace.report.forcing_plots import forcing
from neurotrace.report.gallery import GALLERY
from neurotrace.report.geometry_plots import companions, ilo, ilo_spread, shared_core
from neurotrace.report.label_plots import neuron_labels
from neurotrace.report.latent_plots import latent_concepts, latent_corrected
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
from neurotrace.report.transfer_plots import tuning_task, tuning_transfer
from neurotrace.report.tuning_plots import tuning_languages, tuning_layers
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
    "companions",
    "compression",
    "concept_neurons",
    "corrected_overlap",
    "division_of_labour",
    "embedding_drift",
    "embedding_map",
    "embeddings",
    "evolution",
    "excess_per_k",
    "expert_quality",
    "figures",
    "findings",
    "forcing",
    "ilo",
    "ilo_spread",
    "interchange_arms",
    "interchange_doses",
    "language_distance",
    "language_identification",
    "language_neurons",
    "languages_apart",
    "latent_concepts",
    "latent_corrected",
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
    "shared_core",
    "summary",
    "svg",
    "terminal",
    "tuning_languages",
    "tuning_layers",
    "tuning_task",
    "tuning_transfer",
    "turnover",
    "use",
    "write",
]
