"""Where each family keeps its values, written down here once more on purpose, and how to read them.

One sentence at a time, without padding, through a model that Hugging Face alone has touched. A
name is relative to the block; ``>`` in front means what the module is given instead of what it
gives. Behind ``|`` stands the part of a fused output that is meant.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Values = dict[tuple[str, int | None], NDArray[np.float32]]
N_HEADS = 2  # of every tiny model


def _of_heads(x: NDArray, which: int) -> NDArray:
    """Queries, keys or values, where those of one head lie side by side."""
    heads = x.reshape(len(x), N_HEADS, 3, -1)
    return heads[:, :, which].reshape(len(x), -1)


def _of_groups(x: NDArray, which: int) -> NDArray:
    """The same where two heads share a key and a value: query query key value, group by group."""
    groups = x.reshape(len(x), 2, 4, 8)
    return groups[:, :, [[0, 1], [2], [3]][which]].reshape(len(x), -1)


PARTS: dict[str, Callable[[NDArray], NDArray]] = {
    "": lambda x: x,
    **{f"third {n}": lambda x, n=n: np.split(x, 3, 1)[n] for n in range(3)},
    **{f"heads {n}": lambda x, n=n: _of_heads(x, n) for n in range(3)},
    **{f"groups {n}": lambda x, n=n: _of_groups(x, n) for n in range(3)},
    # One key and one value head behind all query heads.
    **{f"shared {n}": lambda x, n=n: np.split(x, [32, 48], 1)[n] for n in range(3)},
    "first half": lambda x: np.split(x, 2, 1)[0],
    "second half": lambda x: np.split(x, 2, 1)[1],
}


@dataclass(frozen=True)
class Stack:
    """A stack of blocks: where it lies in the model and what lies where in a block."""

    blocks: str
    embed: str
    sites: dict[str, str]
    decoder: bool = field(default=False)  # of an encoder-decoder: reads behind its start token


def _attention(module: str, names: str = "q_proj k_proj v_proj o_proj") -> dict[str, str]:
    keys = ("attn.q", "attn.k", "attn.v", "attn.out")
    return {key: f"{module}.{name}" for key, name in zip(keys, names.split(), strict=True)}


def _fused(module: str, how: str) -> dict[str, str]:
    return {f"attn.{part}": f"{module}|{how} {n}" for n, part in enumerate("qkv")}


def _mlp(up: str, down: str, gate: str = "") -> dict[str, str]:
    before = gate or up
    plain = {"mlp.hook_pre": before, "mlp.hook_post": f">{down}", "mlp.in": up, "mlp.out": down}
    return plain | ({"mlp.gate": gate} if gate else {})


OUT = {"hook_resid_post": ""}
LLAMA = _attention("self_attn") | _mlp("mlp.up_proj", "mlp.down_proj", gate="mlp.gate_proj") | OUT
FAIRSEQ = _attention("self_attn", "q_proj k_proj v_proj out_proj") | _mlp("fc1", "fc2") | OUT
DENSE = _mlp("mlp.dense_h_to_4h", "mlp.dense_4h_to_h") | OUT
ROBERTA = (
    _attention("attention", "self.query self.key self.value output.dense")
    | _mlp("intermediate.dense", "output.dense")
    | OUT
)
STATES = _attention("self_attn") | OUT  # mixtures of experts: all but their neurons


def _llama(sites: dict[str, str] = LLAMA) -> dict[str, Stack]:
    return {"": Stack("model.layers", "model.embed_tokens", sites)}


def _t5(*, gated: bool) -> dict[str, Stack]:
    found = {}
    for side, feed in (("encoder", "layer.1"), ("decoder", "layer.2")):
        dense = f"{feed}.DenseReluDense"
        names = ("wi_1", "wi_0") if gated else ("wi", "")
        up, gate = (name and f"{dense}.{name}" for name in names)
        sites = _attention("layer.0.SelfAttention", "q k v o") | _mlp(up, f"{dense}.wo", gate) | OUT
        found[side] = Stack(
            f"{side}.block", f"{side}.embed_tokens", sites, decoder=side == "decoder"
        )
    return found


def _bart() -> dict[str, Stack]:
    return {
        side: Stack(
            f"model.{side}.layers",
            f"model.{side}.embed_tokens",
            FAIRSEQ,
            decoder=side == "decoder",
        )
        for side in ("encoder", "decoder")
    }


# Family, then stack; a model with one stack has it under the empty name.
STACKS: dict[str, dict[str, Stack]] = {
    **{
        family: {
            "": Stack(
                "transformer.h",
                "transformer.wte",
                _fused("attn.c_attn", how)
                | {"attn.out": "attn.c_proj"}
                | _mlp("mlp.c_fc", "mlp.c_proj")
                | OUT,
            )
        }
        for family, how in (
            *(("gpt2", "third"), ("gpt_bigcode", "shared"), ("gpt_bigcode heads", "heads")),
        )
    },
    "gpt_neo": {
        "": Stack(
            "transformer.h",
            "transformer.wte",
            _attention("attn.attention", "q_proj k_proj v_proj out_proj")
            | _mlp("mlp.c_fc", "mlp.c_proj")
            | OUT,
        )
    },
    "gptj": {
        "": Stack(
            "transformer.h",
            "transformer.wte",
            _attention("attn", "q_proj k_proj v_proj out_proj")
            | _mlp("mlp.fc_in", "mlp.fc_out")
            | OUT,
        )
    },
    "gpt_neox": {
        "": Stack(
            "gpt_neox.layers",
            "gpt_neox.embed_in",
            _fused("attention.query_key_value", "heads") | {"attn.out": "attention.dense"} | DENSE,
        )
    },
    **{
        family: {
            "": Stack(
                "transformer.h",
                "transformer.word_embeddings",
                _fused("self_attention.query_key_value", how)
                | {"attn.out": "self_attention.dense"}
                | DENSE,
            )
        }
        for family, how in (
            *(("bloom", "heads"), ("falcon", "shared")),
            *(("falcon old", "heads"), ("falcon new", "groups")),
        )
    },
    "xglm": {"": Stack("model.layers", "model.embed_tokens", FAIRSEQ)},
    **{
        family: {"": Stack("model.decoder.layers", "model.decoder.embed_tokens", FAIRSEQ)}
        for family in ("opt", "opt projected")
    },
    **{
        family: _llama(_attention("self_attn") | _mlp(*feed) | OUT)
        for family, *feed in (
            ("apertus", "mlp.up_proj", "mlp.down_proj"),
            ("nemotron", "mlp.up_proj", "mlp.down_proj"),
            ("starcoder2", "mlp.c_fc", "mlp.c_proj"),
        )
    },
    "phi": _llama(
        _attention("self_attn", "q_proj k_proj v_proj dense") | _mlp("mlp.fc1", "mlp.fc2") | OUT
    ),
    "phi3": _llama(
        _fused("self_attn.qkv_proj", "shared")
        | {"attn.out": "self_attn.o_proj"}
        | _mlp("mlp.gate_up_proj|second half", "mlp.down_proj", gate="mlp.gate_up_proj|first half")
        | OUT
    ),
    **{
        family: _llama()
        for family in (
            *("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"),
            *("olmo", "olmo2", "olmo3", "smollm3", "granite", "stablelm", "cohere"),
        )
    },
    **{
        family: {"": Stack(f"{root}.encoder.layer", f"{root}.embeddings.word_embeddings", ROBERTA)}
        for family, root in (
            *(("bert", "bert"), ("roberta", "roberta"), ("xlm-roberta", "roberta")),
            ("camembert", "roberta"),
        )
    },
    "distilbert": {
        "": Stack(
            "distilbert.transformer.layer",
            "distilbert.embeddings.word_embeddings",
            _attention("attention", "q_lin k_lin v_lin out_lin")
            | _mlp("ffn.lin1", "ffn.lin2")
            | OUT,
        )
    },
    "modernbert": {
        "": Stack(
            "model.layers",
            "model.embeddings.tok_embeddings",
            _fused("attn.Wqkv", "third")
            | {"attn.out": "attn.Wo"}
            # The half that goes through the activation function is the gate.
            | _mlp("mlp.Wi|second half", "mlp.Wo", gate="mlp.Wi|first half")
            | OUT,
        )
    },
    "t5": _t5(gated=False),
    "mt5": _t5(gated=True),
    "umt5": _t5(gated=True),
    **{family: _bart() for family in ("m2m_100", "mbart", "bart")},
    "qwen2_moe": _llama({**STATES, "mlp.shared_expert.hook_post": ">mlp.shared_expert.down_proj"}),
    **{family: _llama(STATES) for family in ("mixtral", "qwen3_moe", "olmoe")},
}


def values(model: Any, stack: Stack, ids: list[int]) -> Values:
    """Every site's ``(token, feature)`` values for one sentence."""
    with reading(model, stack) as seen, torch.no_grad():
        sentence = torch.tensor([ids])
        if stack.decoder:
            start = torch.tensor([[model.config.decoder_start_token_id]])
            model(input_ids=sentence, decoder_input_ids=torch.cat([start, sentence], 1))
        else:
            # An encoder-decoder gives its encoder values only if its decoder has something to read.
            more = {"decoder_input_ids": sentence[:, :1]} if has_two_stacks(model) else {}
            model(input_ids=sentence, **more)
    # A decoder's value behind token p stands one further on, behind the start token.
    return {place: x[1:] if stack.decoder else x for place, x in seen.items()}


def has_two_stacks(model: Any) -> bool:
    """Whether a model has an encoder and a decoder."""
    return bool(model.config.is_encoder_decoder)


@contextmanager
def reading(model: Any, stack: Stack) -> Iterator[Values]:
    """Fill the returned values while the model runs."""
    seen: Values = {}
    with ExitStack() as hooks:

        def attach(module: torch.nn.Module, key: tuple[str, int | None], name: str) -> None:
            part = PARTS[name.partition("|")[2]]

            def keep(x: Any) -> None:
                x = x[0] if isinstance(x, tuple) else x
                # A copy: Falcon adds to what its MLP has returned.
                seen[key] = part(x.detach().float().clone().numpy().reshape(-1, x.shape[-1]))

            handle = (
                module.register_forward_pre_hook(lambda _, given: keep(given))
                if name.startswith(">")
                else module.register_forward_hook(lambda _, __, given: keep(given))
            )
            hooks.callback(handle.remove)

        for layer, block in enumerate(model.get_submodule(stack.blocks)):
            for site, name in stack.sites.items():
                path = name.lstrip(">").partition("|")[0]
                attach(block.get_submodule(path) if path else block, (site, layer), name)
        attach(model.get_submodule(stack.embed), ("embed", None), "")
        yield seen
