"""Queries, keys and values out of one linear map, and back into it: four layouts are in use."""

from typing import Any

from einops import rearrange
from torch import Tensor

from neurotrace.capture.families import Part

_APART = "batch token (group part feature) -> batch token group part feature"
_TOGETHER = "batch token group part feature -> batch token (group part feature)"


def take(x: Tensor, part: Part, config: Any) -> Tensor:
    """One part of a fused output.

    Parameters
    ----------
    x
        ``(batch, token, width)``, what the fused map gives.
    config
        The model's configuration: how many heads there are, and how many share a key.

    Returns
    -------
    ``(batch, token, part's width)``, head after head.
    """
    n_groups, begin, stop, n_parts = _place(part, config)
    apart = rearrange(x, _APART, group=n_groups, part=n_parts)
    return rearrange(apart[:, :, :, begin:stop], _TOGETHER)


def put(x: Tensor, part: Part, config: Any, values: Tensor) -> Tensor:
    """The fused output with one part replaced: a new tensor of the same shape."""
    n_groups, begin, stop, n_parts = _place(part, config)
    apart = rearrange(x.clone(), _APART, group=n_groups, part=n_parts)
    apart[:, :, :, begin:stop] = rearrange(values, _APART, group=n_groups, part=stop - begin)
    return rearrange(apart, _TOGETHER)


def _place(part: Part, config: Any) -> tuple[int, int, int, int]:
    """Groups, where the part begins and stops inside a group, and how many pieces a group has."""
    n_groups, sizes = _layout(part.layout, config)
    begin = sum(sizes[: part.index])
    return n_groups, begin, begin + sizes[part.index], sum(sizes)


def _layout(layout: str, config: Any) -> tuple[int, tuple[int, ...]]:
    """Groups side by side, and in each how many pieces of a head's width every part has."""
    if layout == "halves":
        return 1, (1, 1)
    config = config.get_text_config()
    heads = int(config.num_attention_heads)
    keys = int(getattr(config, "num_key_value_heads", None) or heads)
    if layout == "by_config":
        # Falcon's second architecture, its first one with a single key, and without.
        if getattr(config, "new_decoder_architecture", False):
            layout, keys = "by_head", int(config.num_kv_heads)
        elif config.multi_query:
            layout, keys = "first", 1
        else:
            layout, keys = "by_head", heads
    if layout == "first":
        return 1, (heads, keys, keys)
    return keys, (heads // keys, 1, 1)
