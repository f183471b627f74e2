"""Series of checkpoints: found, audited, brought, and hashed by what their weights are."""

from neurotrace.checkpoints.audit import audit, refused
from neurotrace.checkpoints.find import Checkpoint, Series, find, gaps, select
from neurotrace.checkpoints.prefetch import prefetch
from neurotrace.checkpoints.remote import File, Remote
from neurotrace.checkpoints.retries import HubError
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.checkpoints.wanted import weights_mark
from neurotrace.checkpoints.weights import BrokenCheckpoint, fingerprint, weight_hash

__all__ = [
    "BrokenCheckpoint",
    "Checkpoint",
    "File",
    "HubError",
    "Remote",
    "Series",
    "Shelf",
    "audit",
    "find",
    "fingerprint",
    "gaps",
    "prefetch",
    "refused",
    "select",
    "weight_hash",
    "weights_mark",
]
