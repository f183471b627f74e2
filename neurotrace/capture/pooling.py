"""From token values to one row a sentence, on the device, inside the hook.

Only content tokens count: never padding, BOS or another special token. Sums are taken in float32.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import einsum, reduce
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Sentences on their way through the model, padded on the right.

    Attributes
    ----------
    ids
        ``(batch, token)`` token ids.
    mask
        ``(batch, token)`` 1 where there is a token, 0 on padding.
    content
        ``(batch, token)`` bool: the tokens that are pooled.
    drawn
        ``(drawn, 2)`` row and position of the tokens kept for ``/tokens`` paths.
    """

    ids: Tensor
    mask: Tensor
    content: Tensor
    drawn: Tensor


def pool(x: Tensor, batch: Batch, pooling: str) -> Tensor:
    """Reduce ``(batch, token, feature)`` to ``(batch, feature)``, or ``(drawn, feature)``."""
    return _POOL[pooling](x, batch)


def finite(x: Tensor) -> Tensor:
    """``(batch,)`` bool: whether every value of a sentence is a number.

    One sum a sentence says it: NaN and infinity never leave a sum. Pooled values alone would not:
    a maximum hides −inf, a rate hides NaN.
    """
    return torch.isfinite(reduce(x, "batch token feature -> batch", _float_sum))


def _float_sum(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return x.sum(axes, dtype=torch.float32)


def _max(x: Tensor, batch: Batch) -> Tensor:
    kept = x.masked_fill(~batch.content[:, :, None], float("-inf"))
    return reduce(kept, "batch token feature -> batch feature", "max").float()


def _mean(x: Tensor, batch: Batch) -> Tensor:
    weight = batch.content / reduce(batch.content.float(), "batch token -> batch 1", "sum")
    return einsum(x.float(), weight, "batch token feature, batch token -> batch feature")


def _rate(x: Tensor, batch: Batch) -> Tensor:
    # Above zero, not "not zero": in a gated MLP this is asked of the gate (mlp.hook_pre).
    active = (x > 0) & batch.content[:, :, None]
    counts = reduce(active.float(), "batch token feature -> batch feature", "sum")
    return counts / reduce(batch.content.float(), "batch token -> batch 1", "sum")


def _last(x: Tensor, batch: Batch) -> Tensor:
    # Content need not be contiguous, and the last position may be padding or an end token.
    position = torch.arange(x.shape[1], device=x.device) * batch.content
    last = reduce(position, "batch token -> batch", "max")
    return x[torch.arange(len(x), device=x.device), last].float()


def _tokens(x: Tensor, batch: Batch) -> Tensor:
    return x[batch.drawn[:, 0], batch.drawn[:, 1]].float()


_POOL: dict[str, Callable[[Tensor, Batch], Tensor]] = {
    "max": _max,
    "mean": _mean,
    "rate": _rate,
    "last": _last,
    "tokens": _tokens,
}
