"""From token values to one row a sentence, token or word, on the device, inside the hook.

Padding never counts, nor does BOS or another special token (but for ``mean_all``, which is there
for papers that average over all tokens). Sums are taken in float32.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import einsum, rearrange, reduce
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
    words
        ``(word, 3)`` row, first position and the one behind the last, for ``/words`` paths.
    """

    ids: Tensor
    mask: Tensor
    content: Tensor
    drawn: Tensor
    words: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same sentences on another device."""
        parts = (self.ids, self.mask, self.content, self.drawn, self.words)
        return Batch(*(part.to(device) for part in parts))


def pool(x: Tensor, batch: Batch, pooling: str) -> Tensor:
    """Reduce ``(batch, token, feature)`` to one row a sentence, drawn token or drawn word."""
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
    return _weighted(x, batch.content)


def _mean_all(x: Tensor, batch: Batch) -> Tensor:
    # Interlingual overlap as published (Wilie et al. 2025) averages BOS in.
    return _weighted(x, batch.mask)


def _weighted_mean(x: Tensor, batch: Batch) -> Tensor:
    # A causal model has seen most of the sentence at its last tokens (Muennighoff 2022; MEXA).
    return _weighted(x, batch.content.cumsum(1) * batch.content)


def _weighted(x: Tensor, weight: Tensor) -> Tensor:
    """Mean over tokens, weights ``(batch, token)`` of any sum."""
    share = weight / reduce(weight.float(), "batch token -> batch 1", "sum")
    return einsum(x.float(), share, "batch token feature, batch token -> batch feature")


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


def _words(x: Tensor, batch: Batch) -> Tensor:
    return x[batch.words[:, 0], batch.words[:, 2] - 1].float()


def _words_first(x: Tensor, batch: Batch) -> Tensor:
    return x[batch.words[:, 0], batch.words[:, 1]].float()


def _words_mean(x: Tensor, batch: Batch) -> Tensor:
    row, first, stop = batch.words.unbind(1)
    length = stop - first
    total = x[row, first].float()
    # Token after token and not word after word: the longest word sets the number of additions,
    # and their order, the same on every device.
    for further in range(1, int(length.max()) if len(length) else 0):
        longer = length > further
        total[longer] += x[row[longer], first[longer] + further].float()
    return total / rearrange(length, "word -> word 1")


_POOL: dict[str, Callable[[Tensor, Batch], Tensor]] = {
    "max": _max,
    "mean": _mean,
    "mean_all": _mean_all,
    "weighted_mean": _weighted_mean,
    "rate": _rate,
    "last": _last,
    "tokens": _tokens,
    "words": _words,
    "words_first": _words_first,
    "words_mean": _words_mean,
}
