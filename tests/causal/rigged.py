"""A tiny model in which one neuron, held high, makes one word likely: the planted truth."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from neurotrace.capture import HookedModel
from neurotrace.capture.models import hook

LANGS = ("qaa_Latn", "qab_Latn")
CONCEPTS = ("c0", "c1", "c2")
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
# Ten words a concept and language, none of anything else.
WORDS = {
    (concept, lang): [f"{concept}{lang[2]}{number}" for number in range(10)]
    for concept in CONCEPTS
    for lang in LANGS
}
WIDTHS = (16, 16)
NEURONS = {"c0": 16 + 3, "c1": 5, "c2": 16 + 7}  # which writes the concept's words
HIDDEN = 32


def tokenizer() -> PreTrainedTokenizerFast:
    """Whole words, a start in front."""
    words = [*SPECIAL, *(word for own in WORDS.values() for word in own)]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    names = {"pad_token": "<pad>", "bos_token": "<s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def model(*, seed: int = 0) -> HookedModel:
    """Two blocks that hardly write, a head that reads one direction a concept."""
    torch.manual_seed(seed)
    made = tokenizer()
    config = GPTNeoXConfig(
        vocab_size=len(made), hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=WIDTHS[0], max_position_embeddings=32, bos_token_id=1,
        eos_token_id=len(made) + 5, use_parallel_residual=False,
    )  # fmt: skip
    language_model = GPTNeoXForCausalLM(config).eval()
    directions, _ = torch.linalg.qr(torch.randn(HIDDEN, len(CONCEPTS)))
    directions = directions - directions.mean(dim=0)  # what the last norm leaves in place
    with torch.no_grad():
        for parameter in language_model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.05)
        head = language_model.get_output_embeddings().weight
        for at, concept in enumerate(CONCEPTS):
            layer, neuron = divmod(NEURONS[concept], WIDTHS[0])
            down = language_model.gpt_neox.layers[layer].mlp.dense_4h_to_h.weight
            down[:, neuron] = directions[:, at]
            for lang in LANGS:
                head[made.convert_tokens_to_ids(WORDS[concept, lang])] += 0.4 * directions[:, at]
    return hook(language_model, made, backend="plain")


def identify(texts: list[str]) -> list[str]:
    """The language with most words; empty where neither has."""
    found = []
    for text in texts:
        counts = [sum(word[2] == lang[2] for word in text.split()) for lang in LANGS]
        alone = counts[0] != counts[1]
        found.append(LANGS[counts[1] > counts[0]] if alone else "")
    return found
