"""A tiny random model of every family, made from its configuration, and a tokenizer for it.

Names are the families' own, with a word behind where a family lays its values out in several ways.
Sizes differ wherever they can (queries and keys, gate and state), so that no site can pass for
another. Ids of special tokens stand where the family's own tokenizers have them: models that
count positions from their padding id are only right with it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = [f"w{number}" for number in range(40)]
# T5 does not divide by the root of the width, Nemotron squares: both would magnify rounding.
STEEP = ("t5", "mt5", "umt5", "nemotron")
MASK = "<mask>"  # behind the words, as XLM-R has it
# Order of the special tokens, and the template of a sentence.
PLAIN = (("<pad>", "<s>", "</s>", "<unk>"), "<s> $A")
FAIRSEQ = (("<s>", "<pad>", "</s>", "<unk>"), "</s> $A")  # XGLM and OPT put their EOS in front
ENCODER = (("<s>", "<pad>", "</s>", "<unk>"), "<s> $A </s>")
BERT = (("<pad>", "<s>", "</s>", "<unk>"), "<s> $A </s>")
T5 = (("<pad>", "</s>", "<unk>", "<s>"), "$A </s>")
NAMES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}

SIZES = {"vocab_size": 48, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
GATED = {
    **SIZES,
    "intermediate_size": 72,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32,
}
GPT2 = {"vocab_size": 48, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_inner": 72, "n_positions": 32}
FALCON = {**SIZES, "ffn_hidden_size": 72, "new_decoder_architecture": False, "alibi": False}
GEMMA = {**GATED, "head_dim": 12}
EXPERTS = {**GATED, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 24}
T5_SIZES = {
    "vocab_size": 48,
    "d_model": 32,
    "d_kv": 12,
    "num_layers": 2,
    "num_heads": 2,
    "d_ff": 72,
}
MT5 = {**T5_SIZES, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
FAIRSEQ_SIZES = {"vocab_size": 48, "d_model": 32, "max_position_embeddings": 30}
OPT = {**SIZES, "ffn_dim": 72, "max_position_embeddings": 30}
ENCODER_SIZES = {**SIZES, "intermediate_size": 72, "max_position_embeddings": 34}
BART = {
    **FAIRSEQ_SIZES,
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 72 for side in ("encoder", "decoder")},
}


@dataclass(frozen=True)
class Tiny:
    """How the tiny model of a family is made.

    Attributes
    ----------
    maker
        Class of the model.
    config
        Class of its configuration.
    sizes
        What is given to the configuration.
    tokens
        Special tokens in the order of their ids, and the template of a sentence.
    """

    maker: str
    config: str
    sizes: dict[str, Any]
    tokens: tuple[tuple[str, ...], str] = field(default=PLAIN)


TINY = {
    "gpt2": Tiny("GPT2LMHeadModel", "GPT2Config", GPT2),
    "gpt_neox": Tiny(
        "GPTNeoXForCausalLM",
        "GPTNeoXConfig",
        {**SIZES, "intermediate_size": 72, "max_position_embeddings": 32},
    ),
    "bloom": Tiny(
        "BloomForCausalLM",
        "BloomConfig",
        {"vocab_size": 48, "hidden_size": 32, "n_layer": 2, "n_head": 2},
    ),
    "xglm": Tiny(
        "XGLMForCausalLM",
        "XGLMConfig",
        {**FAIRSEQ_SIZES, "num_layers": 2, "attention_heads": 2, "ffn_dim": 72},
        FAIRSEQ,
    ),
    "opt": Tiny("OPTForCausalLM", "OPTConfig", {**OPT, "word_embed_proj_dim": 32}, FAIRSEQ),
    "opt projected": Tiny(
        "OPTForCausalLM",
        "OPTConfig",
        {**OPT, "word_embed_proj_dim": 24, "do_layer_norm_before": False},
        FAIRSEQ,
    ),
    "llama": Tiny("LlamaForCausalLM", "LlamaConfig", GATED),
    "mistral": Tiny("MistralForCausalLM", "MistralConfig", {**GATED, "sliding_window": 4}),
    "qwen2": Tiny("Qwen2ForCausalLM", "Qwen2Config", GATED),
    "qwen3": Tiny("Qwen3ForCausalLM", "Qwen3Config", {**GATED, "head_dim": 12}),
    "gemma": Tiny("GemmaForCausalLM", "GemmaConfig", GEMMA),
    "gemma2": Tiny("Gemma2ForCausalLM", "Gemma2Config", {**GEMMA, "sliding_window": 4}),
    "gemma3_text": Tiny("Gemma3ForCausalLM", "Gemma3TextConfig", {**GEMMA, "sliding_window": 4}),
    "olmo": Tiny("OlmoForCausalLM", "OlmoConfig", GATED),
    "olmo2": Tiny("Olmo2ForCausalLM", "Olmo2Config", GATED),
    "olmo3": Tiny("Olmo3ForCausalLM", "Olmo3Config", {**GATED, "sliding_window": 4}),
    "apertus": Tiny("ApertusForCausalLM", "ApertusConfig", GATED),
    "smollm3": Tiny("SmolLM3ForCausalLM", "SmolLM3Config", GATED),
    "phi": Tiny("PhiForCausalLM", "PhiConfig", GATED),
    "falcon": Tiny("FalconForCausalLM", "FalconConfig", {**FALCON, "multi_query": True}),
    "falcon old": Tiny(
        "FalconForCausalLM", "FalconConfig", {**FALCON, "multi_query": False, "alibi": True}
    ),
    "falcon new": Tiny(
        "FalconForCausalLM",
        "FalconConfig",
        {**FALCON, "new_decoder_architecture": True, "num_attention_heads": 4, "num_kv_heads": 2},
    ),
    "gpt_neo": Tiny(
        "GPTNeoForCausalLM",
        "GPTNeoConfig",
        {"vocab_size": 48, "hidden_size": 32, "num_layers": 2, "num_heads": 2, "window_size": 4}
        | {"attention_types": [[["global", "local"], 1]], "intermediate_size": 72}
        | {"max_position_embeddings": 32},
    ),
    "gptj": Tiny("GPTJForCausalLM", "GPTJConfig", {**GPT2, "rotary_dim": 8}),
    "gpt_bigcode": Tiny("GPTBigCodeForCausalLM", "GPTBigCodeConfig", {**GPT2, "multi_query": True}),
    "gpt_bigcode heads": Tiny(
        "GPTBigCodeForCausalLM", "GPTBigCodeConfig", {**GPT2, "multi_query": False}
    ),
    "granite": Tiny(
        "GraniteForCausalLM",
        "GraniteConfig",
        {**GATED, "embedding_multiplier": 3.0, "residual_multiplier": 0.5},
    ),
    "stablelm": Tiny("StableLmForCausalLM", "StableLmConfig", GATED),
    "cohere": Tiny("CohereForCausalLM", "CohereConfig", GATED),
    "nemotron": Tiny("NemotronForCausalLM", "NemotronConfig", {**GATED, "head_dim": 16}),
    "starcoder2": Tiny("Starcoder2ForCausalLM", "Starcoder2Config", GATED),
    "phi3": Tiny("Phi3ForCausalLM", "Phi3Config", GATED),
    "bert": Tiny("BertForMaskedLM", "BertConfig", ENCODER_SIZES, BERT),
    "roberta": Tiny("RobertaForMaskedLM", "RobertaConfig", ENCODER_SIZES, ENCODER),
    "xlm-roberta": Tiny("XLMRobertaForMaskedLM", "XLMRobertaConfig", ENCODER_SIZES, ENCODER),
    "camembert": Tiny("CamembertForMaskedLM", "CamembertConfig", ENCODER_SIZES, ENCODER),
    "distilbert": Tiny(
        "DistilBertForMaskedLM",
        "DistilBertConfig",
        {"vocab_size": 48, "dim": 32, "hidden_dim": 72, "n_layers": 2, "n_heads": 2}
        | {"max_position_embeddings": 32},
        BERT,
    ),
    "modernbert": Tiny(
        "ModernBertForMaskedLM",
        "ModernBertConfig",
        {**ENCODER_SIZES, "local_attention": 4, "cls_token_id": 1, "sep_token_id": 2},
        BERT,
    ),
    "t5": Tiny("T5ForConditionalGeneration", "T5Config", T5_SIZES, T5),
    "mt5": Tiny("MT5ForConditionalGeneration", "MT5Config", MT5, T5),
    "umt5": Tiny("UMT5ForConditionalGeneration", "UMT5Config", MT5, T5),
    "m2m_100": Tiny("M2M100ForConditionalGeneration", "M2M100Config", BART, ENCODER),
    "mbart": Tiny(
        "MBartForConditionalGeneration", "MBartConfig", {**BART, "scale_embedding": True}, ENCODER
    ),
    "bart": Tiny("BartForConditionalGeneration", "BartConfig", BART, ENCODER),
    "mixtral": Tiny("MixtralForCausalLM", "MixtralConfig", {**GATED, "num_local_experts": 2}),
    "qwen2_moe": Tiny(
        "Qwen2MoeForCausalLM",
        "Qwen2MoeConfig",
        {**EXPERTS, "shared_expert_intermediate_size": 40},
    ),
    "qwen3_moe": Tiny("Qwen3MoeForCausalLM", "Qwen3MoeConfig", {**EXPERTS, "head_dim": 12}),
    "olmoe": Tiny("OlmoeForCausalLM", "OlmoeConfig", EXPERTS),
}


def config_of(family: str, **changes: Any) -> Any:
    """The configuration, with the ids of the family's own special tokens."""
    made = TINY[family]
    special = made.tokens[0]
    ids = {name + "_id": special.index(text) for name, text in NAMES.items() if name != "unk_token"}
    start = {"decoder_start_token_id": ids["pad_token_id"]} if "T5" in made.config else {}
    if made.config in ("M2M100Config", "MBartConfig", "BartConfig"):
        start = {"decoder_start_token_id": ids["eos_token_id"]}
    return getattr(transformers, made.config)(**{**made.sizes, **ids, **start, **changes})


def model_of(family: str, *, seed: int = 0, **changes: Any) -> Any:
    """A random model in evaluation mode, its activations of ordinary size."""
    torch.manual_seed(seed)
    model = getattr(transformers, TINY[family].maker)(config_of(family, **changes)).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15 if family in STEEP else 0.25)
        elif family != "apertus":  # whose other vectors bend its activation function
            # Norms and biases too, so that one that is left out is seen.
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    """Whole words between the family's special tokens."""
    special, template = TINY[family].tokens
    masks = [MASK] if "Masked" in TINY[family].maker else []
    vocabulary = {word: number for number, word in enumerate([*special, *WORDS, *masks])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    used = [(token, vocabulary[token]) for token in special if token in template.split()]
    raw.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    names = NAMES | ({"mask_token": MASK} if masks else {})
    return PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def save(folder: Path, family: str, *, seed: int = 0, **changes: Any) -> Path:
    """A Hugging Face checkpoint folder of a family's tiny model."""
    model_of(family, seed=seed, **changes).save_pretrained(folder)
    tokenizer_of(family).save_pretrained(folder)
    return folder
