"""Next-token loss on a seeded sample of the sentences: is this checkpoint as good as its step?"""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from neurotrace.capture.models import HookedModel
from neurotrace.capture.tokens import Tokenized

LOGITS = 2**24  # most logits held at once: with a vocabulary of 250,000 these are 64 tokens


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


def nats(model: HookedModel, tokenized: Tokenized, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """``(example,)``: mean of −log p(token | tokens before it) over the content tokens, in nats."""
    vocabulary = int(model.model.config.vocab_size)
    order = rows[np.argsort(tokenized.lengths[rows], kind="stable")]
    found: dict[int, float] = {}
    # By length, as many as the logits allow: these dwarf everything else a small model holds.
    while len(order):
        padded = tokenized.lengths[order] * np.arange(1, len(order) + 1) * vocabulary
        size = max(1, int(np.searchsorted(padded, LOGITS, side="right")))
        found |= dict(
            zip(order[:size].tolist(), _nats(model, tokenized, order[:size]), strict=True)
        )
        order = order[size:]
    return np.array([found[int(row)] for row in rows])


def _nats(model: HookedModel, tokenized: Tokenized, rows: NDArray[np.intp]) -> list[float]:
    batch = tokenized.batch(rows, device=str(model.device))
    logits = model.logits(batch.ids, batch.mask)[:, :-1].float()
    with torch.inference_mode():
        each = cross_entropy(logits.transpose(1, 2), batch.ids[:, 1:], reduction="none")
        wanted = batch.content[:, 1:]
        return ((each * wanted).sum(1) / wanted.sum(1)).double().tolist()


def _predicted(tokenized: Tokenized) -> NDArray[np.int64]:
    """Content tokens a sentence, not counting one that stands first: nothing predicts it."""
    return tokenized.n_tokens - tokenized.content[tokenized.offsets[:-1]]
