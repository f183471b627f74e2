"""Claims about the schedule and the optimizer."""

import numpy as np
import pytest
import torch

from neurotrace.lab import training
from neurotrace.lab.model import build
from neurotrace.lab.preset import PRESETS


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (1, 3e-3 / 50),
        (25, 1.5e-3),
        (50, 3e-3),
        # a quarter of the way: 0.1 + 0.9 (1 + cos 45°) / 2 = 0.86820
        (100, 3e-3 * 0.8681980515),
        (150, 3e-3 * 0.55),
        (250, 3e-4),
    ],
)
def test_the_rate_warms_up_and_falls_to_a_tenth(update, expected):
    assert training.learning_rate(update, steps=250) == pytest.approx(expected)


def test_a_run_shorter_than_the_warm_up_only_warms_up():
    assert training.learning_rate(10, steps=10) == pytest.approx(6e-4)


def test_only_matrices_decay():
    model = build(PRESETS["default"], vocab_size=20, seed=0)
    decaying, rest = training._optimizer(model, 0.01).param_groups
    assert decaying["weight_decay"] == 0.01
    assert rest["weight_decay"] == 0.0
    assert {p.ndim for p in decaying["params"]} == {2}
    assert {p.ndim for p in rest["params"]} == {1}
    assert len(decaying["params"]) + len(rest["params"]) == len(list(model.parameters()))
    assert decaying["betas"] == (0.9, 0.98)


def test_the_loss_is_that_of_the_next_token_before_the_update():
    model = build(PRESETS["default"], vocab_size=20, seed=0)
    ids = torch.from_numpy(np.random.default_rng(0).integers(3, 20, (4, 9)))
    with torch.no_grad():
        logits = model(input_ids=ids).logits.log_softmax(-1)
    by_hand = -np.mean(
        [logits[row, at, ids[row, at + 1]].item() for row in range(4) for at in range(8)]
    )
    loss = training._update(model, training._optimizer(model, 0.01), ids, 1e-3)
    assert loss == pytest.approx(by_hand, rel=1e-5)


def test_the_first_update_changes_the_weights():
    model = build(PRESETS["default"], vocab_size=20, seed=0)
    before = model.gpt_neox.embed_in.weight.detach().clone()
    ids = torch.from_numpy(np.random.default_rng(0).integers(3, 20, (4, 9)))
    rate = training.learning_rate(1, steps=256)
    training._update(model, training._optimizer(model, 0.01), ids, rate)
    moved = (model.gpt_neox.embed_in.weight - before).abs().max().item()
    assert moved == pytest.approx(rate, rel=0.05)  # Adam's first step is the rate itself


def test_a_loss_that_is_not_finite_stops_the_run():
    model = build(PRESETS["default"], vocab_size=20, seed=0)
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="got loss nan"):
        training._update(model, training._optimizer(model, 0.01), torch.ones(2, 4).long(), 1e-3)
