"""Networks whose neurons write what was planted, and ingredients for any model."""

from functools import cache

import numpy as np
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from neurotrace.capture import HookedModel
from neurotrace.capture.models import hook
from neurotrace.causal.ingredients import Experts, Source
from neurotrace.causal.materials import Materials

CONCEPTS, LANGUAGES = ("cold", "rain", "snow"), ("qaa_Latn", "qab_Cyrl")
HIDDEN, WIDTH, FIRST_WORD = 8, 16, 10
CELLS = [(c, a) for c in range(len(CONCEPTS)) for a in range(len(LANGUAGES))]


@cache
def planted(*, shared: bool) -> HookedModel:
    """Two layers without attention; neuron (c, a) of the first writes the words' directions.

    Of its own language's word alone, or of the concept's words in both languages. All else is
    zero, so that a frame says nothing and every effect can be worked out by hand.
    """
    config = GPTNeoXConfig(
        vocab_size=24, hidden_size=HIDDEN, intermediate_size=WIDTH, num_hidden_layers=2,
        num_attention_heads=1, max_position_embeddings=16, use_parallel_residual=False,
        tie_word_embeddings=False, rotary_pct=0.5,
    )  # fmt: skip
    model = GPTNeoXForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.gpt_neox.final_layer_norm.weight.fill_(1)
        model.gpt_neox.embed_in.weight[:, :2] = torch.tensor([3.0, -3.0])
        down = model.gpt_neox.layers[0].mlp.dense_4h_to_h.weight
        for number, (c, a) in enumerate(CELLS):
            model.get_output_embeddings().weight[FIRST_WORD + number, 2 + number] = 1
            for other, (concept, lang) in enumerate(CELLS):
                down[2 + other, number] = float(concept == c and (shared or lang == a))
    return hook(model, None, backend="plain")


def by_hand(value: float, *, shared: bool) -> float:
    """The effect within a language: value / σ of the last layer norm."""
    h = np.array([3.0, -3, value, value if shared else 0, 0, 0, 0, 0])
    return value / float(np.sqrt(h.var() + 1e-5))


def planted_ingredients(value: float = 5.0) -> tuple[Experts, Source, Materials]:
    """One expert a concept and language, and two frames a language, of different length."""
    neurons = np.arange(len(CELLS)).reshape(len(CONCEPTS), len(LANGUAGES), 1)
    shape = (len(CONCEPTS), len(LANGUAGES), 1, 2 * WIDTH)
    target = Materials(
        languages=LANGUAGES,
        concepts=CONCEPTS,
        frames={LANGUAGES[0]: [[1, 4], [1, 5, 6]], LANGUAGES[1]: [[1, 7], [1, 8, 9]]},
        words={
            (CONCEPTS[c], LANGUAGES[a]): np.array([FIRST_WORD + number])
            for number, (c, a) in enumerate(CELLS)
        },
    )
    experts = Experts(CONCEPTS, LANGUAGES, neurons, (WIDTH, WIDTH))
    return experts, Source(np.full(shape, value, dtype=np.float32)), target


def random_ingredients(
    model: HookedModel, *, seed: int = 0, k: int = 20, rotation: int | None = None
) -> tuple[Experts, Source, Materials]:
    """Random experts, values and words, for a model of 48 types."""
    rng = np.random.default_rng(seed)
    widths = (int(model.widths["mlp.hook_post"]),) * model.n_layers
    shape, total = (len(CONCEPTS), len(LANGUAGES)), sum(widths)
    neurons = np.array([[rng.choice(total, k, replace=False) for _ in LANGUAGES] for _ in CONCEPTS])
    directions = rng.standard_normal((*shape, total)).astype(np.float32)
    experts = Experts(
        CONCEPTS, LANGUAGES, neurons, widths,
        directions=None if rotation is not None else directions, rotation=rotation,
    )  # fmt: skip
    values = rng.standard_normal((*shape, 3, total)).astype(np.float32)
    ids = rng.permutation(np.arange(10, 48))[: 3 * len(CELLS)].reshape(-1, 3)
    target = Materials(
        languages=LANGUAGES,
        concepts=CONCEPTS,
        frames={lang: [[1, *rng.integers(4, 10, size=n)] for n in (1, 2, 2)] for lang in LANGUAGES},
        words={(CONCEPTS[c], LANGUAGES[a]): ids[n] for n, (c, a) in enumerate(CELLS)},
    )
    return experts, Source(values), target


def reordered(
    experts: Experts, source: Source, target: Materials, order: list[int], langs: list[int]
) -> tuple[Experts, Source, Materials]:
    """The same with concepts and languages in another order."""
    pick = np.ix_(order, langs)
    turned = Experts(
        tuple(CONCEPTS[i] for i in order),
        tuple(LANGUAGES[i] for i in langs),
        experts.neurons[pick],
        experts.widths,
        directions=None if experts.directions is None else experts.directions[pick],
        rotation=experts.rotation,
    )
    return turned, Source(source.values[pick]), target
