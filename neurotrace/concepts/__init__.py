"""Sentences that share concepts across languages."""

from neurotrace.concepts.checks import check
from neurotrace.concepts.concept_set import ConceptSet
from neurotrace.concepts.confounds import confounds
from neurotrace.concepts.lexicon import Lexicon

__all__ = ["ConceptSet", "Lexicon", "check", "confounds"]
