"""The loss on a seeded sample of the sentences: is this checkpoint as good as its step?

A causal model predicts each token from those before it. A masked one guesses some tokens that are
hidden from it, the same at every checkpoint. A model that turns one sentence into another has no
loss on one sentence alone.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurotrace.capture.checks import vocabulary_of
from neurotrace.capture.models import HookedModel
from neurotrace.capture.pooling import Batch
from neurotrace.capture.tokens import Tokenized

LOGITS = 2**24  # most logits held at once: with a vocabulary of 250,000 these are 64 tokens
HIDDEN = 0.15  # share of a sentence's content tokens that a masked model has to guess, as in BERT


@dataclass(frozen=True)
class Loss:
    """What loss a run takes.

    Attributes
    ----------
    kind
        ``causal`` (the next token), ``masked`` (hidden ones) or ``none``.
    rows
        ``example`` and ``n_tokens``, the tokens that are predicted; None without a loss.
    masked
        ``(token,)`` bool over all sentences: hidden and guessed; None of a causal model.
    """

    kind: str = "none"
    rows: pd.DataFrame | None = None
    masked: NDArray[np.bool_] | None = None


def plan_loss(
    auto: str,
    tokenizer: Any,
    tokenized: Tokenized,
    *,
    frame: pd.DataFrame,
    per_language: int,
    seed: int,
) -> Loss:
    """Decide what is predicted, before any model is run.

    Parameters
    ----------
    auto
        ``causal``, ``masked`` or ``seq2seq``.
    tokenizer
        Its mask token stands for what is hidden; without one there is no masked loss.
    per_language
        Sentences a language; 0 for no loss.
    """
    asked = per_language > 0
    if auto == "causal" and asked:
        return Loss("causal", sample(tokenized, frame, per_language=per_language, seed=seed))
    if auto != "masked" or not asked or tokenizer.mask_token_id is None:
        return Loss()
    rows = sample(tokenized, frame, per_language=per_language, seed=seed)["example"].to_numpy()
    masked = hidden(tokenized, rows, seed=seed)
    starts = tokenized.offsets[:-1]
    counts = np.add.reduceat(masked.astype(np.int64), starts)[rows]
    return Loss("masked", pd.DataFrame({"example": rows, "n_tokens": counts}), masked)


def hidden(tokenized: Tokenized, rows: NDArray[np.intp], *, seed: int) -> NDArray[np.bool_]:
    """``(token,)``: content tokens drawn to be guessed, at least one of each sentence."""
    rng = np.random.default_rng([seed, 4])
    masked = np.zeros(len(tokenized.ids), dtype=bool)
    for row in rows:
        begin, stop = tokenized.offsets[row : row + 2]
        content = begin + np.flatnonzero(tokenized.content[begin:stop])
        n = max(1, round(HIDDEN * len(content)))
        masked[rng.choice(content, size=n, replace=False)] = True
    return masked


def sample(
    tokenized: Tokenized, frame: pd.DataFrame, *, per_language: int, seed: int
) -> pd.DataFrame:
    """Sentences whose loss is taken, the same for every checkpoint.

    Returns
    -------
    ``example`` and ``n_tokens``: the content tokens that have a token before them.
    """
    n_tokens = _predicted(tokenized)
    rng = np.random.default_rng([seed, 3])
    drawn = []
    for lang in pd.unique(frame["lang"]):
        own = np.flatnonzero((frame["lang"].to_numpy() == lang) & (n_tokens > 0))
        drawn.append(rng.choice(own, size=min(per_language, len(own)), replace=False))
    rows = np.sort(np.concatenate(drawn))
    return pd.DataFrame({"example": rows, "n_tokens": n_tokens[rows]})


def nats(
    model: HookedModel,
    tokenized: Tokenized,
    rows: NDArray[np.intp],
    *,
    masked: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """``(example,)``: mean of −log p over the predicted tokens, in nats.

    Predicted are the content tokens, each from those before it; or the ``masked`` ones, all hidden
    at once, from the rest of the sentence.
    """
    vocabulary, predict = vocabulary_of(model.model.config), _next_token
    if masked is not None:
        # What is hidden takes the place of what is pooled: padding never counts among either.
        tokenized, predict = replace(tokenized, content=masked), _guessed
    order = rows[np.argsort(tokenized.lengths[rows], kind="stable")]
    found: dict[int, float] = {}
    # By length, as many as the logits allow: these dwarf everything else a small model holds.
    while len(order):
        padded = tokenized.lengths[order] * np.arange(1, len(order) + 1) * vocabulary
        size = max(1, int(np.searchsorted(padded, LOGITS, side="right")))
        some, order = order[:size], order[size:]
        each, wanted = predict(model, tokenized.batch(some, device=str(model.device)))
        means = ((each * wanted).sum(1) / wanted.sum(1)).tolist()
        found |= dict(zip(some.tolist(), means, strict=True))
    return np.array([found[int(row)] for row in rows])


@torch.inference_mode()
def _next_token(model: HookedModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """−log p of every token but the first, and which of them count."""
    logits = model.logits(batch.ids, batch.mask)[:, :-1].float()
    each = cross_entropy(logits.transpose(1, 2), batch.ids[:, 1:], reduction="none")
    return each, batch.content[:, 1:]


@torch.inference_mode()
def _guessed(model: HookedModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """−log p of every token where some are hidden, and which of them were hidden."""
    ids = batch.ids.masked_fill(batch.content, int(model.tokenizer.mask_token_id))
    logits = model.model(input_ids=ids, attention_mask=batch.mask).logits.float()
    each = cross_entropy(logits.transpose(1, 2), batch.ids, reduction="none")
    return each, batch.content


def _predicted(tokenized: Tokenized) -> NDArray[np.int64]:
    """Content tokens a sentence, not counting one that stands first: nothing predicts it."""
    return tokenized.n_tokens - tokenized.content[tokenized.offsets[:-1]]
