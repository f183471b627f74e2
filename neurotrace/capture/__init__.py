"""Running sentences through checkpoints and keeping what their neurons say."""

from typing import TYPE_CHECKING, Any

from neurotrace.capture.embedding import embedding_matrix, token_texts
from neurotrace.capture.job import n_neurons
from neurotrace.capture.models import HookedModel, load_model
from neurotrace.capture.plain import UnsupportedModel
from neurotrace.capture.plan import Plan, plan
from neurotrace.capture.run import run

if TYPE_CHECKING:
    from neurotrace.capture.live import LiveCapture

__all__ = [
    "HookedModel",
    "LiveCapture",
    "Plan",
    "UnsupportedModel",
    "embedding_matrix",
    "load_model",
    "n_neurons",
    "plan",
    "run",
    "token_texts",
]


def __getattr__(name: str) -> Any:
    # Its base class loads all of Trainer's settings, which a capture of checkpoints never needs.
    if name == "LiveCapture":
        from neurotrace.capture.live import LiveCapture

        return LiveCapture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
