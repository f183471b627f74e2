"""A clamp writes what and where it promises, and leaves nothing behind."""

import numpy as np
import pytest
import torch

from neurotrace.causal.clamp import clamp, mean_values
from neurotrace.causal.writes import Units, Write, norm

SITE = "mlp.hook_post"
SOME = ["L0.N3", "L1.N70", "L0.N60", "L2.N11"]
VALUES = [1.5, -2.0, 0.5, 3.0]
FAMILIES = ["gpt_neox", "bloom", "llama"]
BACKENDS = ["plain", "bridge"]


def seen(model, ids, mask):
    """Neurons ``(layer)`` of one pass, as whatever is behind a clamp reads them."""
    found = {}

    def reader(layer):
        return lambda x: found.update({layer: x.float().clone()})

    with model.watch({(SITE, layer): reader(layer) for layer in range(3)}) as forward:
        forward(ids, mask)
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_writing_a_neurons_own_values_changes_no_logit(tiny, batch, family, backend):
    model = tiny.hooked(family, backend)
    ids, mask = batch()
    before, own = model.logits(ids, mask), seen(model, ids, mask)
    values = torch.stack([own[0][..., 3], own[1][..., 70], own[0][..., 60], own[2][..., 11]], -1)
    with clamp(model, SOME, values):
        assert torch.allclose(model.logits(ids, mask), before, atol=1e-5)
    with clamp(model, SOME, VALUES):
        assert not torch.allclose(model.logits(ids, mask), before, atol=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_neurons_hold_what_is_written_and_their_neighbours_are_untouched(tiny, batch, backend):
    model = tiny.hooked("gpt_neox", backend)
    ids, mask = batch((7, 7))
    before = seen(model, ids, mask)
    with clamp(model, SOME, VALUES):
        inside = seen(model, ids, mask)
    assert torch.allclose(inside[0][..., [3, 60]], torch.tensor([1.5, 0.5]).expand(2, 7, 2))
    assert torch.allclose(inside[2][..., 11], torch.full((2, 7), 3.0))
    others = [n for n in range(80) if n not in (3, 60)]
    assert torch.equal(inside[0][..., others], before[0][..., others])


@pytest.mark.parametrize("family", FAMILIES)
def test_both_back_ends_are_clamped_alike(tiny, batch, family):
    ids, mask = batch()
    logits = []
    for backend in BACKENDS:
        model = tiny.hooked(family, backend)
        with clamp(model, SOME, VALUES, positions="content"):
            logits.append(model.logits(ids, mask)[mask.bool()])
    assert torch.allclose(*logits, atol=1e-4)


def test_scaling_by_one_changes_nothing_and_by_nought_is_zero(model, batch):
    ids, mask = batch()
    before = model.logits(ids, mask)
    with clamp(model, SOME, 1.0, how="scale"):
        assert torch.equal(model.logits(ids, mask), before)
    with clamp(model, SOME, 0.0, how="scale"):
        scaled = model.logits(ids, mask)
    with clamp(model, SOME, how="zero"):
        assert torch.equal(model.logits(ids, mask), scaled)
    assert not torch.allclose(scaled, before, atol=1e-3)


@pytest.mark.parametrize(
    ("positions", "changed"),
    [
        ("all", [[0, 1, 2, 3, 4], [0, 1, 2]]),
        ("last", [[4], [2]]),
        ("content", [[1, 2, 3, 4], [1, 2]]),
        (torch.eye(2, 5, dtype=torch.bool), [[0], [1]]),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_promised_tokens_are_changed(tiny, batch, backend, positions, changed):
    model = tiny.hooked("gpt_neox", backend)
    ids, mask = batch((5, 3))
    before = seen(model, ids, mask)[0]
    with clamp(model, ["L0.N3", "L0.N60"], 9.0, positions=positions):
        after = seen(model, ids, mask)[0]
    moved = (after != before).any(dim=-1)
    assert [torch.nonzero(row)[:, 0].tolist() for row in moved] == changed


def test_the_last_token_is_the_rightmost_real_one_under_left_padding_too(model):
    ids = torch.tensor([[0, 0, 1, 9, 8], [1, 9, 8, 7, 6]])
    mask = (ids > 0).long()
    before = seen(model, ids, mask)[0]
    with clamp(model, ["L0.N3"], 9.0, positions="last"):
        moved = (seen(model, ids, mask)[0] != before).any(dim=-1)
    assert torch.nonzero(moved).tolist() == [[0, 4], [1, 4]]


@pytest.mark.parametrize("positions", ["all", "content"])
def test_padding_is_what_the_mask_says_whatever_stands_there(model, positions):
    ids, mask = torch.tensor([[1, 9, 8, 7]]), torch.tensor([[1, 1, 1, 0]])
    before = seen(model, ids, mask)[0]
    with clamp(model, ["L0.N3"], 9.0, positions=positions):
        moved = (seen(model, ids, mask)[0] != before).any(dim=-1)
    assert moved[0].tolist() == [positions == "all", True, True, False]


@pytest.mark.parametrize("rows", [None, [1]])
def test_values_that_somebody_else_has_read_are_not_rewritten(model, batch, rows):
    ids, mask = batch()
    held = {}
    with (
        model.edit({(SITE, 0): lambda x: held.setdefault("x", x)}),
        clamp(model, ["L0.N3"], 9.0, rows=rows),
    ):
        model.logits(ids, mask)
    assert torch.equal(held["x"], seen(model, ids, mask)[0])


@pytest.mark.parametrize("rows", [slice(1, 3), [2, 1], np.array([1, 2]), [False, True, True]])
def test_a_clamp_touches_its_own_rows_alone(model, batch, rows):
    ids, mask = batch()
    before = model.logits(ids, mask)
    with clamp(model, SOME, VALUES, rows=rows):
        after = model.logits(ids, mask)
    assert torch.equal(after[0], before[0])
    with clamp(model, SOME, VALUES):
        assert torch.allclose(after[1:], model.logits(ids, mask)[1:], atol=1e-5)


def test_arms_in_one_batch_are_what_they_are_alone(model, batch):
    ids, mask = batch((6, 6, 6), seed=3)
    ids[:] = ids[0]
    before = model.logits(ids, mask)
    with (
        clamp(model, SOME, [VALUES], rows=[1]),
        clamp(model, ["L1.N5"], 4.0, rows=[2], positions="content"),
    ):
        together = model.logits(ids, mask)
    with clamp(model, SOME, VALUES):
        first = model.logits(ids, mask)
    with clamp(model, ["L1.N5"], 4.0, positions="content"):
        second = model.logits(ids, mask)
    assert torch.equal(together[0], before[0])
    assert torch.allclose(together[1], first[1], atol=1e-5)
    assert torch.allclose(together[2], second[2], atol=1e-5)


def test_an_inner_clamp_sees_what_the_outer_one_wrote(model, batch):
    ids, mask = batch()
    with clamp(model, ["L0.N3"], 5.0), clamp(model, ["L0.N3"], 2.0, how="scale"):
        held = seen(model, ids, mask)[0][..., 3]
    assert torch.allclose(held[mask.bool()], torch.full((17,), 10.0))


@pytest.mark.parametrize("site", [SITE, "hook_resid_post"])
def test_a_control_writes_the_norm_that_the_experts_would_have_written(model, batch, site):
    ids, mask = batch((6, 6))
    width = model.widths[site]
    control = [(layer, n) for layer in range(3) for n in range(10, 16)]
    experts = Write([(layer, n) for layer in range(3) for n in range(6)], 2.0)
    x, written = {}, {}

    def keep(into, layer):
        return lambda value: into.update({layer: value.clone()}) or value

    # The outer editor sees what comes in, the inner one what the clamp has made of it.
    with (
        model.edit({(site, layer): keep(x, layer) for layer in range(3)}),
        clamp(model, control, 1.0, site=site, norm_like=experts),
        model.edit({(site, layer): keep(written, layer) for layer in range(3)}),
    ):
        model.logits(ids, mask)
    for layer in range(3):
        w_out = model.w_out(layer) if site == SITE else torch.eye(width)
        wanted = torch.zeros_like(x[layer])
        wanted[..., :6] = 2.0 - x[layer][..., :6]
        target = norm(wanted, w_out)
        assert torch.allclose(norm(written[layer] - x[layer], w_out), target, rtol=1e-2)
        moved = (written[layer] != x[layer]).any(dim=1).any(dim=0)
        assert torch.nonzero(moved)[:, 0].tolist() == list(range(10, 16))


def test_directions_are_matched_to_neurons_and_silent_layers_stay_silent(model, batch):
    ids, mask = batch()
    before = seen(model, ids, mask)
    turn = torch.linalg.qr(torch.randn(80, 2, generator=torch.Generator().manual_seed(0))).Q
    directions = [Units(0, basis=turn), Units(2, basis=turn)]
    with clamp(model, directions, 1.0, how="add", norm_like=Write(["L0.N3"], 9.0)):
        after = seen(model, ids, mask)
    with clamp(model, ["L0.N3"], 9.0):
        alone = seen(model, ids, mask)
    sizes = [norm(run[0] - before[0], model.w_out(0))[mask.bool()] for run in (after, alone)]
    assert torch.allclose(*sizes, rtol=1e-2)
    with pytest.raises(ValueError, match="neurons in layer 1, where none is clamped"):
        clamp(model, directions, 1.0, norm_like=Write(["L1.N3"], 9.0)).__enter__()


def test_bfloat16_models_are_clamped_in_their_own_type(tiny, batch):
    model = tiny.hooked("llama", "plain", "bfloat16")
    ids, mask = batch()
    before = model.logits(ids, mask)
    with clamp(model, SOME, 1.0, how="scale", norm_like=Write(SOME, 0.5)):
        assert model.logits(ids, mask).dtype == torch.bfloat16
    with clamp(model, SOME, VALUES, rows=[0], norm_like=Write(SOME, VALUES)):
        after = model.logits(ids, mask)
    assert torch.equal(after[1:], before[1:])
    assert not torch.equal(after[0], before[0])


def test_means_are_over_content_tokens_of_all_texts(model):
    texts = ["word1 word2 word3", "word4", "word5 word6"]
    sums = torch.zeros(2, dtype=torch.float64)
    for text in texts:
        ids = torch.tensor([model.tokenizer(text)["input_ids"]])
        found = seen(model, ids, torch.ones_like(ids))
        sums += torch.stack([found[1][0, 1:, 7], found[0][0, 1:, 2]], dim=1).double().sum(dim=0)
    means = mean_values(model, ["L1.N7", "L0.N2"], texts)
    assert np.allclose(means, (sums / 6).numpy(), atol=1e-6)
    with pytest.raises(ValueError, match="no list of texts"):
        mean_values(model, SOME, [])
