"""A causal model's head by itself: from the states of its body to the words that may come next.

With a vocabulary of 250,000 words a head costs as much as the body, and its logits dwarf whatever
else is held. So the body runs on many rows at once, and the head afterwards: on a few positions at
a time, or for the few words that are asked for.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import linear

from neurotrace.capture.checks import TOLERANCE
from neurotrace.capture.models import HookedModel

LOGITS = 1 << 25  # most logits held at once: with a vocabulary of 250,000 these are 134 positions


@dataclass(frozen=True)
class Head:
    """The linear map behind a body. Use :meth:`of`."""

    model: HookedModel
    _map: nn.Linear

    @classmethod
    def of(cls, model: HookedModel) -> "Head | None":
        """The head of a model; None where there is more to it than a linear map.

        Found out by running the model on two tokens: some families scale or cap their logits, and
        some lay the head out of memory.
        """
        model.require_causal("predicting the next token")
        own = model.model.get_output_embeddings()
        inner = getattr(own, "original_component", own)  # a bridge wraps it
        if not isinstance(inner, nn.Linear) or inner.weight.is_meta:
            return None
        # Small logits, as of an untrained model, do not show a cap that larger ones would meet.
        if getattr(model.model.config.get_text_config(), "final_logit_softcapping", None):
            return None
        head = cls(model, inner)
        ids = torch.arange(2, device=model.device)[None] % inner.out_features
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            whole = model.model(input_ids=ids, attention_mask=mask, use_cache=False).logits.float()
            parted = head.logits(head.states(ids, mask)).to(whole.device)
        limit = TOLERANCE[inner.weight.dtype] * whole.abs().max().clamp(min=1e-6)
        same = whole.shape == parted.shape and bool(((whole - parted).abs() <= limit).all())
        return head if same else None

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """``(row, token, feature)``: what the head is given. Hooks on the body are called."""
        with torch.inference_mode():
            # No cache of keys: with many rows it would be larger than the model.
            body = self.model.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
        return body.last_hidden_state

    def logits(self, states: Tensor, words: Tensor | None = None) -> Tensor:
        """``(…, vocabulary)`` float32, or ``(…, word)`` of some words alone."""
        weight: Tensor = self._map.weight
        bias: Tensor | None = self._map.bias
        if words is not None:
            words = words.to(weight.device)
            weight, bias = weight[words], None if bias is None else bias[words]
        with torch.inference_mode():
            return linear(states.to(weight.device), weight, bias).float()

    def nats(self, states: Tensor, told: Tensor) -> Tensor:
        """−log p of a token at each of some positions.

        Parameters
        ----------
        states
            ``(position, feature)``
        told
            ``(position,)`` ids of the tokens that follow.

        Returns
        -------
        ``(position,)`` float64, on the CPU.
        """
        step = max(1, LOGITS // self._map.out_features)
        lost = [torch.empty(0, dtype=torch.float64)]
        for some, own in zip(states.split(step), told.split(step), strict=True):
            logits = self.logits(some)
            place = rearrange(own.to(logits.device), "position -> position 1")
            chosen = rearrange(logits.gather(1, place), "position 1 -> position")
            lost.append((logits.logsumexp(dim=1) - chosen).cpu().double())
        return torch.cat(lost)
