"""Activations on disk: one HDF5 file a checkpoint, complete when it exists."""

from neurotrace.store.layout import StoreFull, StoreMismatch
from neurotrace.store.reader import ActivationStore
from neurotrace.store.writer import CheckpointWriter

__all__ = ["ActivationStore", "CheckpointWriter", "StoreFull", "StoreMismatch"]
