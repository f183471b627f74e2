"""The lab's model: a small GPT-NeoX, built from a config with weights drawn from a seed."""

import numpy as np
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from neurotrace.lab.preset import Preset
from neurotrace.lab.tokenizer import BOS_ID, PAD_ID

N_LAYERS, N_HEADS, MLP_RATIO = 4, 4, 4


def build(preset: Preset, *, vocab_size: int, seed: int, twin: bool = False) -> GPTNeoXForCausalLM:
    """A model at step 0, in float32, without dropout, its blocks sequential.

    All presets of one width and vocabulary get equal weights from one seed; a tied model those of
    the untied one, whose output matrix it lacks.

    Parameters
    ----------
    twin
        Draw other weights of the same kind: the re-initialised baseline of the same seed.
    """
    weight_seed = int(np.random.SeedSequence([seed, 6, int(twin)]).generate_state(1)[0])
    # The global generator is the only one that transformers initialises from: lend it out.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weight_seed)
        model = GPTNeoXForCausalLM(_config(preset, vocab_size, tied=False))
        if preset.tied:
            untied, model = model, GPTNeoXForCausalLM(_config(preset, vocab_size, tied=True))
            model.gpt_neox.load_state_dict(untied.gpt_neox.state_dict())
    return model


def _config(preset: Preset, vocab_size: int, *, tied: bool) -> GPTNeoXConfig:
    return GPTNeoXConfig(
        vocab_size=vocab_size,
        hidden_size=preset.hidden,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        intermediate_size=MLP_RATIO * preset.hidden,
        max_position_embeddings=512,
        rope_parameters={
            "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
        },
        use_parallel_residual=False,
        tie_word_embeddings=tied,
        attention_dropout=0.0,
        hidden_dropout=0.0,
        bos_token_id=BOS_ID,
        eos_token_id=None,  # documents are cut off, they never end
        pad_token_id=PAD_ID,
    )  # fmt: skip
