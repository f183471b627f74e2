"""Hooks are gone afterwards, whatever happens, and wrong calls are refused in one line."""

import pytest
import torch

from neurotrace.causal.clamp import clamp
from neurotrace.causal.writes import Write

SOME = ["L0.N3", "L1.N70"]


@pytest.fixture(params=["plain", "bridge"])
def either(request, tiny):
    """A model of either back end."""
    return tiny.hooked("gpt_neox", request.param)


class State:
    """What a model is before a clamp, and must be again."""

    def __init__(self, tiny, model, batch):
        self.tiny, self.model, self.batch = tiny, model, batch
        self.hooks, self.logits = tiny.n_hooks(model), model.logits(*batch)

    def is_back(self) -> bool:
        same = torch.equal(self.model.logits(*self.batch), self.logits)
        return self.hooked() == 0 and same

    def hooked(self) -> int:
        return self.tiny.n_hooks(self.model) - self.hooks

    def run(self) -> torch.Tensor:
        return self.model.logits(*self.batch)


@pytest.fixture
def state(tiny, either, batch):
    return State(tiny, either, batch())


def fail(state):
    state.run()
    raise ZeroDivisionError


def test_no_hook_is_left_after_a_clamp_ends(state, either):
    with clamp(either, SOME, 1.0), clamp(either, SOME, how="zero", rows=[0], positions="last"):
        state.run()
        assert state.hooked() > 0
    assert state.is_back()


def test_no_hook_is_left_after_an_error_inside(state, either):
    with pytest.raises(ZeroDivisionError), clamp(either, SOME, 1.0):
        fail(state)
    assert state.is_back()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"values": torch.ones(8, 2)}, r"values of shape \(8, 1\)"),
        ({"values": 1.0, "rows": [7]}, "rows"),
        ({"values": 1.0, "rows": slice(9, 12)}, "rows"),
        ({"values": 1.0, "positions": torch.ones(2, 2, dtype=torch.bool)}, "positions of shape"),
    ],
)
def test_no_hook_is_left_after_an_error_in_the_forward_pass(state, either, arguments, line):
    # What does not fit the batch is met only when the model runs.
    with pytest.raises(ValueError, match=line), clamp(either, SOME, **arguments):
        state.run()
    assert state.is_back()


def test_no_hook_is_left_after_a_generator_is_closed(state, either):
    def passes():
        with clamp(either, SOME, 1.0):
            while True:
                yield state.run()

    running = passes()
    next(running)
    assert state.hooked() > 0
    running.close()
    assert state.is_back()


def test_a_refused_clamp_leaves_no_hook(tiny, either):
    hooks = tiny.n_hooks(either)
    for arguments in (
        {"positions": "first"},
        {"positions": torch.ones(3)},
        {"how": "flip"},
        {"site": "nowhere"},
        {"site": "mlp.hook_pre", "norm_like": Write(SOME, 1.0)},
        {"norm_like": Write(["L2.N0"], 1.0)},
        {"norm_like": Write(["L9.N0"], 1.0)},
    ):
        with pytest.raises(ValueError, match="got"), clamp(either, SOME, 1.0, **arguments):
            pass
        assert tiny.n_hooks(either) == hooks


def test_no_neurons_change_nothing(either, batch):
    ids, mask = batch()
    before = either.logits(ids, mask)
    with clamp(either, [], 1.0), clamp(either, ["L0.N1"], 5.0, norm_like=Write([], 1.0)):
        assert torch.equal(either.logits(ids, mask), before)
