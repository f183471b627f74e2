"""Experiments on the model: its neurons held, exchanged or cut out, each beside its controls."""

from neurotrace.causal.ablate import ablate, summarize_ablation
from neurotrace.causal.ablate import sample as ablation_sample
from neurotrace.causal.clamp import clamp, mean_values
from neurotrace.causal.doses import interchange_doses
from neurotrace.causal.finetune import finetune
from neurotrace.causal.forcing import ARMS as FORCING_ARMS
from neurotrace.causal.forcing import DEFAULT_ARMS as DEFAULT_FORCING_ARMS
from neurotrace.causal.forcing import force, sampling_seeds, summarize_forcing
from neurotrace.causal.generate import Generated, generate, log_likelihood, perplexity
from neurotrace.causal.ingredients import Experts, Source
from neurotrace.causal.interchange import interchange
from neurotrace.causal.intervention import Intervention
from neurotrace.causal.judges import LanguageIdentifier, LexiconJudge, WordLists
from neurotrace.causal.materials import Materials
from neurotrace.causal.neurons import by_layer, names, parse
from neurotrace.causal.prompts import start_ids, start_of
from neurotrace.causal.tuning_heads import classify
from neurotrace.causal.use import summarize_interchange
from neurotrace.causal.writes import Units, Write, change, matched

__all__ = [
    "DEFAULT_FORCING_ARMS",
    "FORCING_ARMS",
    "Experts",
    "Generated",
    "Intervention",
    "LanguageIdentifier",
    "LexiconJudge",
    "Materials",
    "Source",
    "Units",
    "WordLists",
    "Write",
    "ablate",
    "ablation_sample",
    "by_layer",
    "change",
    "clamp",
    "classify",
    "finetune",
    "force",
    "generate",
    "interchange",
    "interchange_doses",
    "log_likelihood",
    "matched",
    "mean_values",
    "names",
    "parse",
    "perplexity",
    "sampling_seeds",
    "start_ids",
    "start_of",
    "summarize_ablation",
    "summarize_forcing",
    "summarize_interchange",
]
