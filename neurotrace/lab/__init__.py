"""The embedded lab: pre-training runs, small enough for one core, whose answer is known.

Languages generated from one latent grammar share nothing but some nouns, a model is pre-trained on
them from nothing, and its checkpoints are what neurotrace's findings are tested on.
"""

from neurotrace.lab.preset import presets
from neurotrace.lab.run import pretrain
from neurotrace.lab.tuning_texts import sample_texts
from neurotrace.lab.typology import syntactic_distances
from neurotrace.lab.vocabulary import Vocabulary

__all__ = ["Vocabulary", "presets", "pretrain", "sample_texts", "syntactic_distances"]
