"""How representations of translations lie to each other: pure functions over paired matrices."""

from neurotrace.geometry.neighbours import retrieval

__all__ = ["retrieval"]
