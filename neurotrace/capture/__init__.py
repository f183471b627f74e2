"""Running sentences through checkpoints and keeping what their neurons say."""

from neurotrace.capture.embedding import embedding_matrix, token_texts
from neurotrace.capture.job import n_neurons
from neurotrace.capture.models import HookedModel, load_model
from neurotrace.capture.plain import UnsupportedModel
from neurotrace.capture.plan import Plan, plan
from neurotrace.capture.run import run

__all__ = [
    "HookedModel",
    "Plan",
    "UnsupportedModel",
    "embedding_matrix",
    "load_model",
    "n_neurons",
    "plan",
    "run",
    "token_texts",
]
