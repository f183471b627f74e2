"""Series of checkpoints: found, ordered, and hashed by what their weights are."""

from neurotrace.checkpoints.find import Checkpoint, find, select
from neurotrace.checkpoints.weights import BrokenCheckpoint, fingerprint, weight_hash

__all__ = ["BrokenCheckpoint", "Checkpoint", "find", "fingerprint", "select", "weight_hash"]
