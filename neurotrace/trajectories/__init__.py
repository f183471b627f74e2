"""Everything that keeps or eats `step`: lifts of pure methods over a store."""

from neurotrace.nodes import interval
from neurotrace.trajectories.analyses import Scoring, tasks
from neurotrace.trajectories.bands import confidence_band, null_envelope
from neurotrace.trajectories.cards import cards, neuron_card
from neurotrace.trajectories.ceilings import ceilings
from neurotrace.trajectories.changes import change_points, dips
from neurotrace.trajectories.compression import compression
from neurotrace.trajectories.confounds import confounds
from neurotrace.trajectories.counts import concept_neurons, language_neurons
from neurotrace.trajectories.decodability import concept_decodability
from neurotrace.trajectories.distance_study import distance_study, freeze_list, random_lists
from neurotrace.trajectories.division import division_of_labour, role_claims
from neurotrace.trajectories.evolution import evolution, impact
from neurotrace.trajectories.expert_sets import expert_sets
from neurotrace.trajectories.expertise import expertise, own_draws, top_neurons
from neurotrace.trajectories.handles import Handles, NeuronSets, half_a, handles, neuron_sets
from neurotrace.trajectories.ilo import companions, ilo
from neurotrace.trajectories.intervals import node_bootstrap, summarize
from neurotrace.trajectories.labels import label_counts, neuron_labels
from neurotrace.trajectories.lag import lag
from neurotrace.trajectories.latent_concepts import latent_concepts
from neurotrace.trajectories.latent_words import latent_words
from neurotrace.trajectories.layers import language_identification, loss, retrieval
from neurotrace.trajectories.lifts import along_steps, per_neuron
from neurotrace.trajectories.lives import neuron_lives
from neurotrace.trajectories.lives_counts import lives_counts
from neurotrace.trajectories.onset import onset
from neurotrace.trajectories.overlap import expert_overlap, expert_overlaps
from neurotrace.trajectories.overlap_tasks import (
    expert_sizes,
    main_overlap,
    series_of,
    why_no_onset,
)
from neurotrace.trajectories.participation import participation
from neurotrace.trajectories.parts import Parts, attach, attach_twin, read_scores
from neurotrace.trajectories.results import Results, finished, read
from neurotrace.trajectories.roles import layer_roles
from neurotrace.trajectories.scoring import Unit, compute, fold, score_step, units
from neurotrace.trajectories.transfer_study import transfer_study
from neurotrace.trajectories.turnover import expert_turnover, turnover
from neurotrace.trajectories.two_steps import two_steps
from neurotrace.trajectories.word_rows import usual_words

__all__ = [
    "Handles",
    "NeuronSets",
    "Parts",
    "Results",
    "Scoring",
    "Unit",
    "along_steps",
    "attach",
    "attach_twin",
    "cards",
    "ceilings",
    "change_points",
    "companions",
    "compression",
    "compute",
    "concept_decodability",
    "concept_neurons",
    "confidence_band",
    "confounds",
    "dips",
    "distance_study",
    "division_of_labour",
    "evolution",
    "expert_overlap",
    "expert_overlaps",
    "expert_sets",
    "expert_sizes",
    "expert_turnover",
    "expertise",
    "finished",
    "fold",
    "freeze_list",
    "half_a",
    "handles",
    "ilo",
    "impact",
    "interval",
    "label_counts",
    "lag",
    "language_identification",
    "language_neurons",
    "latent_concepts",
    "latent_words",
    "layer_roles",
    "lives_counts",
    "loss",
    "main_overlap",
    "neuron_card",
    "neuron_labels",
    "neuron_lives",
    "neuron_sets",
    "node_bootstrap",
    "null_envelope",
    "onset",
    "own_draws",
    "participation",
    "per_neuron",
    "random_lists",
    "read",
    "read_scores",
    "retrieval",
    "role_claims",
    "score_step",
    "series_of",
    "summarize",
    "tasks",
    "top_neurons",
    "transfer_study",
    "turnover",
    "two_steps",
    "units",
    "usual_words",
    "why_no_onset",
]
