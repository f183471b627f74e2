"""Sentences that share concepts across languages."""

from neurotrace.concepts.concept_set import ConceptSet

__all__ = ["ConceptSet"]
