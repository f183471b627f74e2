"""Scores, experts, nulls and probes of single neurons: pure functions over NumPy arrays.

The room that other papers import. It knows no store, no model and no torch, and loads scikit-learn
when it is asked for `SparseProbe`, a scikit-learn classifier.
"""

from typing import TYPE_CHECKING

from neurotrace.probes.batched import LinearProbes, fit_logistic, fit_ridge
from neurotrace.probes.calls import (
    Calls,
    Method,
    Served,
    call_experts,
    languages_served,
    partial_conjunction,
)
from neurotrace.probes.curve import SparsityCurve, sparsity_curve
from neurotrace.probes.discoveries import benjamini_hochberg, benjamini_yekutieli
from neurotrace.probes.experts import (
    BestExperts,
    experts,
    layer_counts,
    n_experts,
    overlap,
    pairwise_overlap,
)
from neurotrace.probes.information import mutual_information
from neurotrace.probes.kinds import KINDS, HeldOut, Told, kinds_of, neuron_kinds
from neurotrace.probes.lape import lape, lape_neurons
from neurotrace.probes.layers import LanguageAccuracy, PairAccuracy, language_id, language_pairs
from neurotrace.probes.moments import f_statistic, mean_difference
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
    SCORES,
    auroc,
    average_precision,
    average_precision_halves,
    expected_average_precision,
)
from neurotrace.probes.significance import auroc_p_value, average_precision_p_value, p_values
from neurotrace.probes.wins import (
    LEAST,
    LanguageSet,
    language_sets,
    language_wins,
    set_wins,
    wins_p_value,
)

if TYPE_CHECKING:
    from neurotrace.probes.sparse import SparseProbe

__all__ = [
    "KINDS",
    "LEAST",
    "SCORES",
    "BestExperts",
    "Calls",
    "HeldOut",
    "LanguageAccuracy",
    "LanguageSet",
    "LinearProbes",
    "Method",
    "OverlapNull",
    "PairAccuracy",
    "Ranking",
    "Served",
    "SharedCounts",
    "SparseProbe",
    "SparsityCurve",
    "Told",
    "auroc",
    "auroc_p_value",
    "average_precision",
    "average_precision_halves",
    "average_precision_p_value",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "call_experts",
    "degree_preserving",
    "expected_average_precision",
    "experts",
    "f_statistic",
    "fit_logistic",
    "fit_ridge",
    "hypergeometric",
    "kinds_of",
    "language_id",
    "language_pairs",
    "language_sets",
    "language_wins",
    "languages_served",
    "lape",
    "lape_neurons",
    "layer_counts",
    "layer_stratified",
    "mean_difference",
    "mutual_information",
    "n_experts",
    "neuron_kinds",
    "overlap",
    "p_values",
    "pairwise_overlap",
    "partial_conjunction",
    "rank",
    "rankings",
    "set_wins",
    "shared_counts",
    "sparsity_curve",
    "wins_p_value",
]


def __getattr__(name: str) -> object:
    if name == "SparseProbe":
        from neurotrace.probes.sparse import SparseProbe

        return SparseProbe
    raise AttributeError(f"neurotrace.probes has no {name!r}; valid are {', '.join(__all__)}")
