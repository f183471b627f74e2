"""Where the sites lie in Hugging Face's own modules, family by family: data, no code.

Adding a family is adding a row: names are relative to ``model.base_model`` and, for the parts of
a block, to the block. The row serves the plain back end, and the bridge is checked against it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Module names of one model family.

    Attributes
    ----------
    blocks
        The list of blocks; a block's output is ``hook_resid_post``.
    embed
        The token embedding; its output is ``embed``.
    pre
        Module of a block whose output is ``mlp.hook_pre`` (the gate, where there is one).
    down
        Module of a block whose input is ``mlp.hook_post``. Empty where neurons cannot be reached:
        mixtures of experts run theirs inside one fused module.
    mlp
        Module of a block whose output is the MLP's.
    """

    blocks: str
    embed: str
    pre: str
    down: str
    mlp: str = "mlp"


_GATED = Family("layers", "embed_tokens", pre="mlp.gate_proj", down="mlp.down_proj")
_EXPERTS = Family("layers", "embed_tokens", pre="", down="")

FAMILIES = {
    "gpt_neox": Family("layers", "embed_in", pre="mlp.dense_h_to_4h", down="mlp.dense_4h_to_h"),
    "bloom": Family("h", "word_embeddings", pre="mlp.dense_h_to_4h", down="mlp.dense_4h_to_h"),
    "llama": _GATED,
    "mixtral": _EXPERTS,
    "qwen2_moe": _EXPERTS,
    "qwen3_moe": _EXPERTS,
    "olmoe": _EXPERTS,
}
