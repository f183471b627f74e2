"""Texts that a model writes by itself, each from a random stream of its own."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import rearrange, repeat
from numpy.typing import NDArray
from torch import Tensor

from neurotrace.capture import HookedModel
from neurotrace.capture.head import Head
from neurotrace.causal.prompts import start_ids

_STREAM = 7  # of sampling, apart from other draws with the same seed
_MOST_LOGITS = 1 << 25  # numbers at once, when texts are scored
_MOST_CHANCES = 1 << 22  # numbers at once, when tokens are drawn
_TOKENS = 2048  # of a forward pass that scores texts


@dataclass(frozen=True)
class Generated:
    """Texts and the tokens they consist of.

    Attributes
    ----------
    ids
        ``(row, token)`` int64: what was generated, EOS included; the rest is padding.
    mask
        ``(row, token)`` bool: what is no padding.
    texts
        One a row, without prompt and special tokens.
    prompt
        ``(token,)``: what every row starts with.
    seeds
        One a row.
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.bool_]
    texts: tuple[str, ...]
    prompt: NDArray[np.int64]
    seeds: tuple[int, ...]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, EOS included."""
        return self.mask.sum(axis=1)

    def __len__(self) -> int:
        """Rows."""
        return len(self.texts)


def generate(
    model: HookedModel,
    *,
    seeds: int | Sequence[int] = 0,
    n: int | None = None,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    top_p: float | None = None,
    prompt: str | None = None,
    during: AbstractContextManager[Any] | None = None,
) -> Generated:
    """What does the model write?

    Each row draws from a stream that its seed alone decides, by inverting the cumulative
    distribution: in float32 a row's text does not depend on the batch it is in, save where a draw
    falls within rounding (1e-7) of a border between two tokens. Every row stays in the batch
    until the last one is done, so that clamps may address rows by number.

    Parameters
    ----------
    seeds
        One a row; one number s stands for s, s + 1, …, s + n − 1.
    n
        Rows; may be left out where ``seeds`` lists them, else 1.
    max_new_tokens
        A row ends here or with EOS.
    temperature
        Of the softmax; 0 takes the likeliest token and draws nothing.
    top_p
        Draw from the smallest set of likeliest tokens with at least this probability.
    prompt
        What every row starts with; None for the start of the model's family.
    during
        What is entered while the model writes and closed afterwards: a clamp.

    Raises
    ------
    ValueError
        For settings out of range, seeds that are not n, a prompt without tokens, a text longer
        than the model's positions, or a model that is not causal or whose logits are not numbers.

    Notes
    -----
    Kojima et al. 2024 (arXiv:2404.02431) draw 64 tokens at temperature .8 from the start of text,
    seeds 1 to 100, one seed a text as here; their stream is torch's and its numbers are others.
    """
    model.require_causal("writing text")
    rows = _seeds(seeds, n)
    check(max_new_tokens, temperature, top_p)
    start = start_ids(model, prompt)
    _refuse_long(model, len(start) + max_new_tokens)
    draws = np.stack([_stream(seed).random(max_new_tokens) for seed in rows])
    with during or nullcontext(), torch.inference_mode():
        ids, mask = _write(model, start, draws, temperature, top_p)
    tokens = [row[kept].tolist() for row, kept in zip(ids, mask, strict=True)]
    decode = model.tokenizer.decode
    texts = tuple(decode(row, skip_special_tokens=True) for row in tokens)
    return Generated(ids, mask, texts, start, rows)


def log_likelihood(model: HookedModel, generated: Generated) -> NDArray[np.float64]:
    """How likely does the model find texts: mean log-probability a token, in nats?

    Returns
    -------
    ``(row,)``: of the generated tokens (EOS included) given the prompt and those before, at
    temperature 1. Call it outside a clamp to judge forced texts by the unedited model.
    """
    start = len(generated.prompt)
    prompts = repeat(generated.prompt, "token -> row token", row=len(generated))
    ids = torch.from_numpy(np.concatenate([prompts, generated.ids], axis=1))
    mask = torch.from_numpy(
        np.concatenate([np.ones_like(prompts, dtype=bool), generated.mask], axis=1)
    )
    head = Head.of(model)
    size = _TOKENS if head else _MOST_LOGITS // int(model.model.config.vocab_size)
    parts = (part.to(model.device).split(max(1, size // ids.shape[1])) for part in (ids, mask))
    scored = [_scored(model, head, some, real, start) for some, real in zip(*parts, strict=True)]
    return np.average(torch.cat(scored).double().numpy(), axis=1, weights=generated.mask)


def _scored(model: HookedModel, head: Head | None, ids: Tensor, mask: Tensor, start: int) -> Tensor:
    """``(row, token)`` log-probabilities behind the prompt; 0 on padding that a head skips."""
    told = ids[:, start:]
    if head is not None:
        real = mask[:, start:]
        states = head.states(ids, mask.long())[:, start - 1 : -1]
        scores = torch.zeros(told.shape, dtype=torch.float64)
        scores[real.cpu()] = -head.nats(states[real], told[real])
        return scores
    logits = model.logits(ids, mask.long())[:, start - 1 : -1].float()
    place = rearrange(told, "row token -> row token 1")
    chosen = rearrange(logits.gather(2, place), "row token 1 -> row token")
    return (chosen - logits.logsumexp(dim=2)).cpu()


def perplexity(model: HookedModel, generated: Generated) -> NDArray[np.float64]:
    """How surprised is the model by texts: e to the mean negative log-likelihood a token?

    Returns
    -------
    ``(row,)``, from 1 (certain) upwards; see :func:`log_likelihood`.
    """
    return np.exp(-log_likelihood(model, generated))


def check(max_new_tokens: int, temperature: float, top_p: float | None) -> None:
    """Refuse settings of sampling that are out of range, by name."""
    if max_new_tokens < 1:
        raise ValueError(f"got max_new_tokens {max_new_tokens}; expected at least 1")
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"got temperature {temperature}; expected 0 (greedy) or above")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"got top_p {top_p}; expected a share above 0, at most 1")


def _write(
    model: HookedModel,
    start: NDArray[np.int64],
    draws: NDArray[np.float64],
    temperature: float,
    top_p: float | None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ids and mask ``(row, token)``, a token at a time with a cache of keys and values."""
    n, longest = draws.shape
    ends, pad = _ends(model), model.tokenizer.pad_token_id or 0
    ids = np.full((n, longest), pad, dtype=np.int64)
    kept = np.zeros((n, longest), dtype=bool)
    alive = np.ones(n, dtype=bool)
    now = torch.from_numpy(repeat(start, "token -> row token", row=n)).to(model.device)
    mask, cache = torch.ones_like(now), None
    for at in range(longest):
        logits, cache = _forward(model, now, mask, cache)
        chosen = _choose(logits, draws[:, at], temperature, top_p)
        ids[alive, at], kept[alive, at] = chosen[alive], True
        now = torch.from_numpy(ids[:, at : at + 1].copy()).to(model.device)
        mask = torch.cat([mask, torch.from_numpy(kept[:, at : at + 1]).to(mask)], dim=1)
        alive &= ~np.isin(chosen, ends)
        if not alive.any():
            break
    used = kept.any(axis=0)
    return ids[:, used], kept[:, used]


def _forward(model: HookedModel, ids: Tensor, mask: Tensor, cache: Any) -> tuple[Tensor, Any]:
    """Logits ``(row, vocabulary)`` of the next token, and the cache for the one after."""
    out = model.model(
        input_ids=ids,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,  # a head of 250,000 words is not run where nobody reads it
    )
    return out.logits[:, -1].float(), out.past_key_values


def _choose(
    logits: Tensor, draws: NDArray[np.float64], temperature: float, top_p: float | None
) -> NDArray[np.int64]:
    """One token a row."""
    if bool((logits.isnan() | logits.isposinf()).any()):
        raise ValueError("got logits that are no numbers; the checkpoint or a clamp has run away")
    if temperature == 0:
        return logits.argmax(dim=1).cpu().numpy()
    # In float64 a large vocabulary is many times its logits: some rows at a time.
    rows = max(1, _MOST_CHANCES // logits.shape[1])
    parts = logits.split(rows), torch.from_numpy(draws).split(rows)
    return np.concatenate([_drawn(*part, temperature, top_p) for part in zip(*parts, strict=True)])


def _drawn(
    logits: Tensor, draws: Tensor, temperature: float, top_p: float | None
) -> NDArray[np.int64]:
    chances = torch.softmax(logits.cpu().double() / temperature, dim=1)
    if top_p is not None and top_p < 1:
        chances = _nucleus(chances, top_p)
    sums = chances.cumsum(dim=1)
    wanted = rearrange(draws.to(sums.device), "row -> row 1") * sums[:, -1:]
    chosen = torch.searchsorted(sums, wanted, right=True)
    return rearrange(chosen, "row 1 -> row").cpu().numpy()


def _nucleus(chances: Tensor, top_p: float) -> Tensor:
    """Zero for tokens outside the smallest set that holds ``top_p`` (Holtzman et al. 2020)."""
    ordered, order = chances.sort(dim=1, descending=True, stable=True)
    outside = ordered.cumsum(dim=1) - ordered >= top_p
    return chances.masked_fill(torch.zeros_like(outside).scatter(1, order, outside), 0.0)


def _ends(model: HookedModel) -> NDArray[np.int64]:
    """Ids after which a text is over."""
    told = getattr(getattr(model.model, "generation_config", None), "eos_token_id", None)
    several = told if isinstance(told, list | tuple) else [told]
    ids = {i for i in (*several, model.tokenizer.eos_token_id) if i is not None}
    return np.array(sorted(ids), dtype=np.int64)


def _stream(seed: int) -> np.random.Generator:
    # NumPy's and not torch's, whose streams differ between devices and versions.
    return np.random.default_rng([seed, _STREAM])


def _seeds(seeds: int | Sequence[int], n: int | None) -> tuple[int, ...]:
    if isinstance(seeds, int | np.integer):
        rows = tuple(range(int(seeds), int(seeds) + (1 if n is None else n)))
    else:
        rows = tuple(int(seed) for seed in seeds)
    if not rows or (n is not None and len(rows) != n):
        raise ValueError(f"got {len(rows)} seeds and n {n}; expected one seed a row, at least one")
    if min(rows) < 0:
        raise ValueError(f"got seed {min(rows)}; expected 0 or above")
    return rows


def _refuse_long(model: HookedModel, length: int) -> None:
    # Models without learned positions (ALiBi) name none.
    most = getattr(model.model.config, "max_position_embeddings", None)
    if most is not None and length > most:
        raise ValueError(f"got {length} tokens with the prompt; the model has {most} positions")
