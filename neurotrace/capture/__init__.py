"""Running sentences through checkpoints and keeping what their neurons say."""

from neurotrace.capture.models import HookedModel, load_model
from neurotrace.capture.plain import UnsupportedModel

__all__ = ["HookedModel", "UnsupportedModel", "load_model"]
