"""Everything that keeps or eats `step`: lifts of pure methods over a store."""

from neurotrace.trajectories.analyses import expert_sizes, tasks
from neurotrace.trajectories.ceilings import ceilings
from neurotrace.trajectories.confounds import confounds
from neurotrace.trajectories.counts import concept_neurons, language_neurons
from neurotrace.trajectories.expertise import expertise, top_neurons
from neurotrace.trajectories.intervals import interval, node_bootstrap, summarize
from neurotrace.trajectories.labels import label_counts, neuron_labels
from neurotrace.trajectories.layers import language_identification, loss, retrieval
from neurotrace.trajectories.lifts import along_steps, per_neuron
from neurotrace.trajectories.overlap import expert_overlap
from neurotrace.trajectories.results import Results, finished, read

__all__ = [
    "Results",
    "along_steps",
    "ceilings",
    "concept_neurons",
    "confounds",
    "expert_overlap",
    "expert_sizes",
    "expertise",
    "finished",
    "interval",
    "label_counts",
    "language_identification",
    "language_neurons",
    "loss",
    "neuron_labels",
    "node_bootstrap",
    "per_neuron",
    "read",
    "retrieval",
    "summarize",
    "tasks",
    "top_neurons",
]
