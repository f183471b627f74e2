"""The training loop: its schedule, its optimizer, and what it saves when."""

import math
from typing import Any

import torch
from torch import nn
from transformers import GPTNeoXForCausalLM

from neurotrace.lab.corpus import Corpus
from neurotrace.lab.folder import LabFolder
from neurotrace.lab.model import build
from neurotrace.lab.preset import Preset, checkpoint_steps
from neurotrace.lab.progress import Progress

PEAK, WARM_UP, FLOOR = 3e-3, 50, 0.1
BETAS, CLIP = (0.9, 0.98), 1.0


def learning_rate(update: int, *, steps: int) -> float:
    """Rate of an update counted from 1: ``peak · i / 50``, then a cosine to a tenth of the peak.

    >>> [round(learning_rate(i, steps=250), 6) for i in (1, 50, 150, 250)]
    [6e-05, 0.003, 0.00165, 0.0003]
    """
    if update <= WARM_UP:
        return PEAK * update / WARM_UP
    done = (update - WARM_UP) / (steps - WARM_UP)
    return PEAK * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * done)) / 2)


def train(
    folder: LabFolder, preset: Preset, corpus: Corpus, *, seed: int, progress: bool = True
) -> None:
    """Train from the start, or from where the folder says an earlier run stood, to the end.

    The resumed run ends in the weights of an undisturbed one: batches depend on the update alone,
    and weights and moments are kept at every checkpoint.
    """
    vocab_size = len(corpus.tokenizer)
    model = build(preset, vocab_size=vocab_size, seed=seed)
    optimizer = _optimizer(model, preset.weight_decay)
    state = folder.resume()
    losses: list[float] = []
    if state is None:
        folder.save_evaluation(corpus.evaluation(), corpus.shared_ids)
        twin = build(preset, vocab_size=vocab_size, seed=seed, twin=True)
        folder.save_step("twin", twin, corpus.tokenizer)
        folder.save_step(_step_name(0), model, corpus.tokenizer)
        _keep(folder, model, optimizer, losses)
    else:
        losses = list(state["losses"])
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    saved = set(checkpoint_steps(preset.steps))
    model.train()
    with Progress(preset.steps, start=len(losses), shown=progress) as shown:
        for update in range(len(losses) + 1, preset.steps + 1):
            rate = learning_rate(update, steps=preset.steps)
            losses.append(_update(model, optimizer, torch.from_numpy(corpus.batch(update)), rate))
            shown.advance(update, losses[-1])
            if update in saved:
                folder.save_step(_step_name(update), model, corpus.tokenizer)
                _keep(folder, model, optimizer, losses)
    folder.finish()


def _update(
    model: GPTNeoXForCausalLM, optimizer: torch.optim.Optimizer, ids: torch.Tensor, rate: float
) -> float:
    """One step of AdamW; returns the loss before it, in nats a token."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()
    value = loss.item()
    if not math.isfinite(value):
        raise FloatingPointError(f"got loss {value}; expected a finite one")
    return value


def _optimizer(model: GPTNeoXForCausalLM, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW that lets matrices decay, and neither biases nor norms."""
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK, betas=BETAS)


def _keep(
    folder: LabFolder,
    model: GPTNeoXForCausalLM,
    optimizer: torch.optim.Optimizer,
    losses: list[float],
) -> None:
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    folder.save_resume(state, losses)


def _step_name(step: int) -> str:
    return f"step-{step:06d}"
