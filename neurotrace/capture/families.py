"""Where the sites lie in Hugging Face's own modules, family by family: a table.

Adding a family is adding a row: names are relative to ``model.base_model`` and, for the parts of
a block, to the block. The row serves the plain back end, and the bridge is checked against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True)
class Part:
    """A share of what one fused linear map gives.

    Attributes
    ----------
    module
        The fused map, a module of the block.
    layout
        ``first``: all queries, then all keys, then all values. ``by_head``: query, key and value of
        one head (or of one group of heads that share a key) side by side. ``by_config``: one of the
        two, as the configuration says. ``halves``: two halves of equal size.
    index
        Which part, counted from 0.
    """

    module: str
    layout: str
    index: int


# A module of a block; of several names the first that the block has, if any; nothing.
Name = str | tuple[str, ...] | Part


@dataclass(frozen=True)
class Stack:
    """Module names of one stack of blocks.

    Attributes
    ----------
    blocks
        The list of blocks; a block's output is ``hook_resid_post``.
    embed
        The token embedding; its output is ``embed``.
    up, gate, down
        Linear maps of the MLP: their outputs are ``mlp.in``, ``mlp.gate`` and ``mlp.out``. The
        input of ``down`` is ``mlp.hook_post``; ``mlp.hook_pre`` is the gate, or without one ``up``.
        All empty where neurons cannot be reached: mixtures of experts run theirs inside one fused
        module.
    q, k, v, out
        Linear maps of the attention; of a decoder that also reads an encoder, the self-attention.
    mlp
        Module whose output is the MLP's, where there is one.
    shared
        Down-projection of the expert that every token passes through, in some mixtures.
    points
        What the bridge calls the list of blocks.
    attn
        What the bridge calls the attention.
    entry
        Module that is given the ids in every pass, where that is not the body (OPT's head).
    embed_point
        The bridge's hook on the embedding; empty where it has none and the module is hooked.
    """

    blocks: str
    embed: str
    up: Name = ""
    gate: Name = ""
    down: Name = ""
    q: Name = ""
    k: Name = ""
    v: Name = ""
    out: Name = ""
    mlp: str = "mlp"
    shared: str = ""
    points: str = "blocks"
    attn: str = "attn"
    embed_point: str = "embed.hook_out"
    entry: str = ""


@dataclass(frozen=True)
class Family:
    """A model family.

    Attributes
    ----------
    stacks
        By name, ``encoder`` or ``decoder``; the first is the one that is read if none is named.
    auto
        ``causal``, ``masked`` or ``seq2seq``: which head it is loaded with.
    adapter
        Class whose bridge fits, where the model's own name is not registered.
    bridge
        Whether there is a bridge at all.
    bridge_narrow
        Whether it computes in types narrower than float32 as well.
    positions
        ``config``: as many as the configuration says; ``after_padding``: position ids begin behind
        the padding's id; ``free``: relative ones without an end.
    """

    stacks: Mapping[str, Stack]
    auto: str = "causal"
    adapter: str = ""
    bridge: bool = True
    bridge_narrow: bool = True
    positions: str = "config"

    def bridged(self, dtype: str) -> bool:
        """Whether a bridge can read it when it computes in this type."""
        return self.bridge and (self.bridge_narrow or dtype == "float32")

    @property
    def blocks(self) -> str:
        """The list of blocks of the stack that is read if none is named."""
        return next(iter(self.stacks.values())).blocks


def _causal(stack: Stack, *, positions: str = "config") -> Family:
    return Family(MappingProxyType({"decoder": stack}), positions=positions)


def _masked(stack: Stack, *, adapter: str = "", bridge: bool = True, after: bool = False) -> Family:
    positions = "after_padding" if after else "config"
    stacks = MappingProxyType({"encoder": stack})
    return Family(stacks, auto="masked", adapter=adapter, bridge=bridge, positions=positions)


def _two(encoder: Stack, decoder: Stack, *, bridge: bool = True, positions: str) -> Family:
    stacks = MappingProxyType({"encoder": encoder, "decoder": decoder})
    return Family(stacks, auto="seq2seq", bridge=bridge, positions=positions)


def _fused(stack: Stack, module: str, layout: str) -> Stack:
    """Queries, keys and values out of one map."""
    q, k, v = (Part(module, layout, index) for index in range(3))
    return replace(stack, q=q, k=k, v=v)


_ATTENTION = Stack(
    "layers",
    "embed_tokens",
    q="self_attn.q_proj",
    k="self_attn.k_proj",
    v="self_attn.v_proj",
    out="self_attn.o_proj",
)
_PLAIN = replace(_ATTENTION, up="mlp.up_proj", down="mlp.down_proj")
_GATED = replace(_PLAIN, gate="mlp.gate_proj")
_NEOX = _fused(
    Stack(
        "layers",
        "embed_in",
        up="mlp.dense_h_to_4h",
        down="mlp.dense_4h_to_h",
        out="attention.dense",
    ),
    "attention.query_key_value",
    "by_head",
)
_BLOOM = _fused(
    replace(_NEOX, blocks="h", embed="word_embeddings", out="self_attention.dense"),
    "self_attention.query_key_value",
    "by_head",
)
_GPT2 = _fused(
    Stack("h", "wte", up="mlp.c_fc", down="mlp.c_proj", out="attn.c_proj"), "attn.c_attn", "first"
)
_GPT_NEO = replace(
    _GPT2,
    q="attn.attention.q_proj",
    k="attn.attention.k_proj",
    v="attn.attention.v_proj",
    out="attn.attention.out_proj",
)
_GPTJ = Stack(
    "h", "wte", up="mlp.fc_in", down="mlp.fc_out",
    q="attn.q_proj", k="attn.k_proj", v="attn.v_proj", out="attn.out_proj",
)  # fmt: skip
# Descendants of fairseq: no module holds the whole MLP.
_FAIRSEQ = replace(_ATTENTION, up="fc1", down="fc2", out="self_attn.out_proj", mlp="")
_OPT = replace(_FAIRSEQ, blocks="decoder.layers", embed="decoder.embed_tokens", entry="decoder")
_PHI3 = replace(
    _fused(_GATED, "self_attn.qkv_proj", "first"),
    gate=Part("mlp.gate_up_proj", "halves", 0),
    up=Part("mlp.gate_up_proj", "halves", 1),
)
_BERT = Stack(
    "encoder.layer",
    "embeddings.word_embeddings",
    up="intermediate.dense",
    down="output.dense",
    q="attention.self.query",
    k="attention.self.key",
    v="attention.self.value",
    out="attention.output.dense",
    mlp="",
)
_DISTILBERT = Stack(
    "transformer.layer", "embeddings.word_embeddings", up="ffn.lin1", down="ffn.lin2",
    q="attention.q_lin", k="attention.k_lin", v="attention.v_lin", out="attention.out_lin",
    mlp="ffn",
)  # fmt: skip
_MODERNBERT = replace(
    _fused(Stack("layers", "embeddings.tok_embeddings", out="attn.Wo"), "attn.Wqkv", "first"),
    gate=Part("mlp.Wi", "halves", 0),
    up=Part("mlp.Wi", "halves", 1),
    down="mlp.Wo",
)
_T5_ENCODER = Stack(
    "encoder.block",
    "encoder.embed_tokens",
    up=("layer.1.DenseReluDense.wi_1", "layer.1.DenseReluDense.wi"),
    gate=("layer.1.DenseReluDense.wi_0",),
    down="layer.1.DenseReluDense.wo",
    q="layer.0.SelfAttention.q",
    k="layer.0.SelfAttention.k",
    v="layer.0.SelfAttention.v",
    out="layer.0.SelfAttention.o",
    mlp="layer.1.DenseReluDense",
    points="encoder_blocks",
    embed_point="",
)
# Between its self-attention and its MLP a decoder's block reads the encoder.
_T5_DECODER = replace(
    _T5_ENCODER,
    blocks="decoder.block",
    embed="decoder.embed_tokens",
    up=("layer.2.DenseReluDense.wi_1", "layer.2.DenseReluDense.wi"),
    gate=("layer.2.DenseReluDense.wi_0",),
    down="layer.2.DenseReluDense.wo",
    mlp="layer.2.DenseReluDense",
    points="decoder_blocks",
    attn="self_attn",
)
_BART_ENCODER = replace(
    _FAIRSEQ, blocks="encoder.layers", embed="encoder.embed_tokens", points="encoder_blocks"
)
_BART_DECODER = replace(
    _FAIRSEQ,
    blocks="decoder.layers",
    embed="decoder.embed_tokens",
    points="decoder_blocks",
    attn="self_attn",
    embed_point="decoder_embed.hook_out",
)
_T5 = _two(_T5_ENCODER, _T5_DECODER, positions="free")
_BART = _two(_BART_ENCODER, _BART_DECODER, positions="config")
_ROBERTA = _masked(_BERT, adapter="RobertaForMaskedLM", after=True)
_LLAMA = _causal(_GATED)
_EXPERTS = _causal(_ATTENTION)

FAMILIES: dict[str, Family] = {
    "gpt2": _causal(_GPT2),
    "gpt_neo": _causal(_GPT_NEO),
    "gptj": _causal(_GPTJ),
    "gpt_neox": _causal(_NEOX),
    "gpt_bigcode": _causal(_fused(_GPT2, "attn.c_attn", "by_config")),
    "bloom": _causal(_BLOOM, positions="free"),
    "falcon": _causal(_fused(_BLOOM, "self_attention.query_key_value", "by_config")),
    "xglm": _causal(_FAIRSEQ),
    "opt": _causal(_OPT),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    # Their bridge multiplies float32 by what is narrower, which torch refuses.
    "olmo": replace(_LLAMA, bridge_narrow=False),
    "olmo2": replace(_LLAMA, bridge_narrow=False),
    "olmo3": replace(_LLAMA, bridge_narrow=False),
    "smollm3": _LLAMA,
    # The bridge's own embedding is that of the block's input: scaled.
    "granite": _causal(replace(_GATED, embed_point="")),
    "stablelm": _LLAMA,
    "cohere": _LLAMA,
    "apertus": _causal(_PLAIN),
    "nemotron": _causal(_PLAIN),
    "starcoder2": _causal(replace(_ATTENTION, up="mlp.c_fc", down="mlp.c_proj")),
    "phi": _causal(replace(_ATTENTION, up="mlp.fc1", down="mlp.fc2", out="self_attn.dense")),
    "phi3": _causal(_PHI3),
    "mixtral": _EXPERTS,
    "qwen2_moe": _causal(replace(_ATTENTION, shared="mlp.shared_expert.down_proj")),
    "qwen3_moe": _EXPERTS,
    "olmoe": _EXPERTS,
    "bert": _masked(_BERT),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": _masked(_DISTILBERT, bridge=False),
    "modernbert": _masked(_MODERNBERT, bridge=False),
    "t5": _T5,
    "mt5": _T5,
    "umt5": replace(_T5, bridge=False),
    "mbart": _BART,
    "bart": _BART,
    "m2m_100": _BART,
}

# Models that read images too: the family of their text model, which they hold as `language_model`.
AROUND = {"gemma3": "gemma3_text"}


def inside(family: Family) -> Family:
    """The row of a model that holds another one of this family."""
    stacks = {
        name: replace(
            stack,
            blocks=f"language_model.{stack.blocks}",
            embed=f"language_model.{stack.embed}",
        )
        for name, stack in family.stacks.items()
    }
    return replace(family, stacks=MappingProxyType(stacks))
