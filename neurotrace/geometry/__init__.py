"""How representations of translations lie to each other: pure functions over paired matrices."""

from neurotrace.geometry.mantel import Mantel, mantel
from neurotrace.geometry.neighbours import retrieval

__all__ = ["Mantel", "mantel", "retrieval"]
