"""A head run by itself says what the whole model says, or is not run by itself at all."""

import pytest
import torch
from capture import tiny_families
from capture.conftest import model_of, tokenizer_of

from neurotrace.capture import head
from neurotrace.capture.head import Head
from neurotrace.capture.models import hook

KINDS = [
    (family, back) for family in ("gpt_neox", "bloom", "llama") for back in ("plain", "bridge")
]


def hooked(family: str, backend: str = "plain"):
    return hook(model_of(family), tokenizer_of(), backend=backend)


def batch():
    ids = torch.randint(4, 44, (3, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    return ids, mask


def capped():
    """A model that caps its logits, as some families do."""
    made = hooked("llama")

    def cap(_module, _given, out):
        out.logits = 0.1 * torch.tanh(out.logits / 0.1)
        return out

    made.model.register_forward_hook(cap)
    return made


@pytest.mark.parametrize(("family", "backend"), KINDS)
def test_logits_and_losses_are_those_of_the_whole_model(family, backend):
    model = hooked(family, backend)
    ids, mask = batch()
    whole = model.logits(ids, mask)
    own = Head.of(model)
    states = own.states(ids, mask)
    torch.testing.assert_close(own.logits(states), whole, atol=1e-5, rtol=1e-5)
    words = torch.tensor([7, 3, 41])
    torch.testing.assert_close(own.logits(states, words), whole[..., words], atol=1e-5, rtol=1e-5)
    expected = -whole.log_softmax(-1)[:, :-1].gather(2, ids[:, 1:, None]).double()
    lost = own.nats(states[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(lost, expected.flatten(), atol=1e-5, rtol=1e-5)


def test_losses_do_not_depend_on_how_many_logits_are_held(monkeypatch):
    model = hooked("bloom")
    ids, mask = batch()
    own = Head.of(model)
    states, told = own.states(ids, mask).flatten(0, 1), ids.flatten()
    at_once = own.nats(states, told)
    monkeypatch.setattr(head, "LOGITS", 1)
    torch.testing.assert_close(own.nats(states, told), at_once, atol=1e-5, rtol=1e-5)
    assert own.nats(states[:0], told[:0]).shape == (0,)


def test_never_more_logits_are_held_than_allowed(monkeypatch):
    own = Head.of(hooked("llama"))
    ids, mask = batch()
    states, held = own.states(ids, mask).flatten(0, 1), []
    plain = torch.nn.functional.linear

    def counted(*given):
        held.append(plain(*given))
        return held[-1]

    monkeypatch.setattr(head, "linear", counted)
    monkeypatch.setattr(head, "LOGITS", 4 * 48)
    own.nats(states, ids.flatten())
    assert max(logits.numel() for logits in held) == 4 * 48


def test_hooks_on_the_body_are_called_and_gone_afterwards():
    model = hooked("gpt_neox")
    ids, mask = batch()
    own = Head.of(model)
    before = own.states(ids, mask)
    with model.edit({("mlp.hook_post", 1): torch.zeros_like}):
        assert not torch.allclose(own.states(ids, mask), before)
    assert torch.equal(own.states(ids, mask), before)


def test_a_model_that_caps_its_logits_has_no_head_of_its_own():
    model = capped()
    ids, mask = batch()
    assert model.logits(ids, mask).abs().max() <= 0.1
    assert Head.of(model) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cap_far_above_the_first_logits_is_not_overlooked(dtype):
    made = tiny_families.model_of("gemma2", final_logit_softcapping=30.0).to(dtype)
    with torch.no_grad():
        made.get_input_embeddings().weight *= 1e-3 if dtype == torch.float32 else 0.1
    model = hook(made, tiny_families.tokenizer_of("gemma2"), backend="plain", sites=["embed"])
    assert model.logits(*batch()).abs().max() < 10
    assert Head.of(model) is None


def test_a_head_that_lies_on_no_device_is_not_run_by_itself():
    model = hooked("llama")
    model.model.lm_head = torch.nn.Linear(32, 48, device="meta")
    assert Head.of(model) is None
