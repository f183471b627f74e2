"""Scores, experts, nulls and probes of single neurons: pure functions over NumPy arrays.

The room that other papers import. It knows no store, no model and no torch.
"""

from neurotrace.probes.experts import (
    BestExperts,
    experts,
    layer_counts,
    n_experts,
    overlap,
    pairwise_overlap,
)
from neurotrace.probes.layers import LanguageAccuracy, PairAccuracy, language_id, language_pairs
from neurotrace.probes.nulls import (
    OverlapNull,
    SharedCounts,
    degree_preserving,
    hypergeometric,
    layer_stratified,
    shared_counts,
)
from neurotrace.probes.ranking import Ranking, rank, rankings
from neurotrace.probes.scores import (
    auroc,
    average_precision,
    average_precision_halves,
    expected_average_precision,
)

__all__ = [
    "BestExperts",
    "LanguageAccuracy",
    "OverlapNull",
    "PairAccuracy",
    "Ranking",
    "SharedCounts",
    "auroc",
    "average_precision",
    "average_precision_halves",
    "degree_preserving",
    "expected_average_precision",
    "experts",
    "hypergeometric",
    "language_id",
    "language_pairs",
    "layer_counts",
    "layer_stratified",
    "n_experts",
    "overlap",
    "pairwise_overlap",
    "rank",
    "rankings",
    "shared_counts",
]
