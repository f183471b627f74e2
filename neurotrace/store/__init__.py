"""Activations on disk: one HDF5 file a checkpoint, complete when it exists."""

from neurotrace.store.layout import NotKept, StoreDamaged, StoreFull, StoreMismatch
from neurotrace.store.reader import ActivationStore
from neurotrace.store.repair import check_file, set_aside
from neurotrace.store.strip import strip
from neurotrace.store.writer import CheckpointWriter

__all__ = [
    "ActivationStore",
    "CheckpointWriter",
    "NotKept",
    "StoreDamaged",
    "StoreFull",
    "StoreMismatch",
    "check_file",
    "set_aside",
    "strip",
]
