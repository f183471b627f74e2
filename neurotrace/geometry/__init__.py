"""How the languages of a model lie to each other in its spaces: pure functions over matrices.

Neighbourhoods (ILO, MEXA, retrieval), similarity of whole spaces (CKA, canonical cosines), input
embeddings, latent concepts (C-ALIGN, C-OVERLAP), and tables of language distances.
"""

from neurotrace.geometry.canonical import (
    canonical_cosines,
    canonical_cosines_null,
    mean_cosine_null,
    mean_squared_cosine_null,
)
from neurotrace.geometry.cluster_alignment import ClusterAlignment, c_align
from neurotrace.geometry.cluster_overlap import ClusterOverlap, c_overlap
from neurotrace.geometry.components import InterlingualComponents, interlingual_components
from neurotrace.geometry.dictionary import read_alignments, read_muse
from neurotrace.geometry.distances import (
    complete,
    contrast,
    genetic,
    geographic,
    read_distances,
    scripts_apart,
)
from neurotrace.geometry.embeddings import (
    NeighbourScripts,
    TokenMap,
    neighbour_scripts,
    shared_tokens,
    token_map,
)
from neurotrace.geometry.ilo import ilo, ilo_by_strata
from neurotrace.geometry.language_table import language_table
from neurotrace.geometry.latent_concepts import cluster_words, discover, stability, sweep
from neurotrace.geometry.mantel import Mantel, mantel
from neurotrace.geometry.mrqap import mrqap
from neurotrace.geometry.nearest import Nearest, knn_agreement, knn_agreement_chance, nearest
from neurotrace.geometry.neighbours import mexa, mexa_chance, retrieval
from neurotrace.geometry.pair_correlation import pair_correlations
from neurotrace.geometry.parallel_words import parallel_dictionary
from neurotrace.geometry.scripts import decode_bytes, script_of, scripts_of
from neurotrace.geometry.separability import script_separability
from neurotrace.geometry.similarity import CKACalibration, cka, cka_calibrated
from neurotrace.geometry.token_translations import NeighbourTranslations, neighbour_translations
from neurotrace.geometry.uriel import uriel
from neurotrace.geometry.word_vectors import capped, word_vectors

__all__ = [
    "CKACalibration",
    "ClusterAlignment",
    "ClusterOverlap",
    "InterlingualComponents",
    "Mantel",
    "Nearest",
    "NeighbourScripts",
    "NeighbourTranslations",
    "TokenMap",
    "c_align",
    "c_overlap",
    "canonical_cosines",
    "canonical_cosines_null",
    "capped",
    "cka",
    "cka_calibrated",
    "cluster_words",
    "complete",
    "contrast",
    "decode_bytes",
    "discover",
    "genetic",
    "geographic",
    "ilo",
    "ilo_by_strata",
    "interlingual_components",
    "knn_agreement",
    "knn_agreement_chance",
    "language_table",
    "mantel",
    "mean_cosine_null",
    "mean_squared_cosine_null",
    "mexa",
    "mexa_chance",
    "mrqap",
    "nearest",
    "neighbour_scripts",
    "neighbour_translations",
    "pair_correlations",
    "parallel_dictionary",
    "read_alignments",
    "read_distances",
    "read_muse",
    "retrieval",
    "script_of",
    "script_separability",
    "scripts_apart",
    "scripts_of",
    "shared_tokens",
    "stability",
    "sweep",
    "token_map",
    "uriel",
    "word_vectors",
]
