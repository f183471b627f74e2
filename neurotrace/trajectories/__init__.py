"""Everything that keeps or eats `step`: lifts of pure methods over a store."""

from neurotrace.nodes import interval
from neurotrace.trajectories.analyses import tasks
from neurotrace.trajectories.bands import confidence_band, null_envelope
from neurotrace.trajectories.cards import cards, neuron_card
from neurotrace.trajectories.ceilings import ceilings
from neurotrace.trajectories.changes import change_points, dips
from neurotrace.trajectories.compression import compression
from neurotrace.trajectories.confounds import confounds
from neurotrace.trajectories.counts import concept_neurons, language_neurons
from neurotrace.trajectories.decodability import concept_decodability
from neurotrace.trajectories.division import division_of_labour, role_claims
from neurotrace.trajectories.expert_sets import expert_sets
from neurotrace.trajectories.expertise import expertise, own_draws, top_neurons
from neurotrace.trajectories.handles import Handles, NeuronSets, half_a, handles, neuron_sets
from neurotrace.trajectories.intervals import node_bootstrap, summarize
from neurotrace.trajectories.labels import label_counts, neuron_labels
from neurotrace.trajectories.lag import lag
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
from neurotrace.trajectories.results import Results, finished, read
from neurotrace.trajectories.roles import layer_roles
from neurotrace.trajectories.turnover import expert_turnover, turnover

__all__ = [
    "Handles",
    "NeuronSets",
    "Results",
    "along_steps",
    "cards",
    "ceilings",
    "change_points",
    "compression",
    "concept_decodability",
    "concept_neurons",
    "confidence_band",
    "confounds",
    "dips",
    "division_of_labour",
    "expert_overlap",
    "expert_overlaps",
    "expert_sets",
    "expert_sizes",
    "expert_turnover",
    "expertise",
    "finished",
    "half_a",
    "handles",
    "interval",
    "label_counts",
    "lag",
    "language_identification",
    "language_neurons",
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
    "read",
    "retrieval",
    "role_claims",
    "series_of",
    "summarize",
    "tasks",
    "top_neurons",
    "turnover",
    "why_no_onset",
]
