"""The arms: who is written, along what, and from which half."""

import numpy as np
import pytest
import torch
from causal.networks import CONCEPTS, LANGUAGES, random_ingredients

from neurotrace.capture.rotation import Rotation
from neurotrace.causal.arms import Arms, Cases
from neurotrace.causal.ingredients import Experts, Source

CASES = Cases(np.array([0, 1, 2]), np.array([0, 1, 1]), np.array([1, 1, 0]), np.array([0, 1, 2]))


@pytest.fixture
def arms(model):
    experts, source, _ = random_ingredients(model)
    turned = random_ingredients(model, seed=1, rotation=7)[:2]
    return Arms(experts, source, turned, 5, 0, model.device)


@pytest.fixture
def x():
    return torch.randn(3, 2, 80, generator=torch.Generator().manual_seed(0))


def test_random_neurons_are_as_many_in_every_layer_and_no_experts(arms):
    for own in arms.experts.spans:
        drawn, members = arms.drawn[..., own], arms.members[..., own]
        assert (drawn.sum(-1) == members.sum(-1)[:, :, None]).all()
    assert not (arms.drawn & arms.members[:, :, None]).any()
    assert len({arms.drawn[0, 0, frame].tobytes() for frame in range(5)}) == 5


def test_where_most_of_a_layer_is_expert_the_rest_is_filled_from_them():
    neurons = np.arange(6)[None, None].repeat(2, 0)
    experts = Experts(("a", "b"), ("x",), neurons, (8,))
    arms = Arms(experts, Source(np.ones((2, 1, 1, 8))), None, 1, 0, torch.device("cpu"))
    assert (arms.drawn.sum(-1) == 6).all()
    assert arms.drawn[..., 6:].all()


def test_the_wrong_concept_is_never_the_right_one(arms):
    other = arms.other
    assert (other != np.arange(3)[:, None]).all()
    # Two frames see both others; each frame is a permutation.
    assert (np.sort(other, axis=0) == np.arange(3)[:, None]).all()
    assert (other[:, 0] != other[:, 1]).all()


def test_experts_are_set_to_the_sentences_values_and_nothing_else_is_touched(arms, x):
    after = x + arms.change("experts")(1, x, CASES)
    own = arms.experts.spans[1]
    for row, (c, a, f) in enumerate(zip(CASES.concept, CASES.lang_a, CASES.frame, strict=True)):
        chosen = torch.as_tensor(arms.members[c, a, own])
        wanted = torch.as_tensor(arms.source.values[c, a, f % 3, own])
        assert torch.allclose(after[row][:, chosen], wanted[chosen].expand(2, -1), atol=1e-6)
        assert torch.equal(after[row][:, ~chosen], x[row][:, ~chosen])


def test_wrong_concepts_and_the_sources_own_experts_are_written_with_their_values(arms, x):
    own, b = arms.experts.spans[1], CASES.lang_b
    wrong = x + arms.change("wrong_concept")(1, x, CASES)
    alone = x + arms.change("source_only")(1, x, CASES)
    for row, (c, a, f) in enumerate(zip(CASES.concept, CASES.lang_a, CASES.frame, strict=True)):
        other = arms.other[c, f]
        only = arms.members[c, a] & ~arms.members[c, b[row]]
        for after, who, whose in ((wrong, arms.members[other, a], other), (alone, only, c)):
            chosen = torch.as_tensor(who[own])
            wanted = torch.as_tensor(arms.source.values[whose, a, f % 3, own])
            assert torch.allclose(after[row][:, chosen], wanted[chosen].expand(2, -1), atol=1e-6)
            assert torch.equal(after[row][:, ~chosen], x[row][:, ~chosen])


def test_rotated_units_are_set_in_the_rotated_basis_and_no_other_unit_moves(arms, x):
    turn = Rotation(80, seed=7, layer=2).matrix()
    before, after = x @ turn, (x + arms.change("rotated")(2, x, CASES)) @ turn
    sets, source = arms.rotated
    own = sets.spans[2]
    for row, (c, a, f) in enumerate(zip(CASES.concept, CASES.lang_a, CASES.frame, strict=True)):
        chosen = torch.as_tensor(sets.members()[c, a, own])
        wanted = torch.as_tensor(source.values[c, a, f % 3, own])
        assert torch.allclose(after[row][:, chosen], wanted[chosen].expand(2, -1), atol=1e-5)
        assert torch.allclose(after[row][:, ~chosen], before[row][:, ~chosen], atol=1e-5)


def test_one_coordinate_is_set_along_the_direction(arms, x):
    delta = arms.change("direction")(0, x, CASES)
    own = arms.experts.spans[0]
    for row, (c, a, f) in enumerate(zip(CASES.concept, CASES.lang_a, CASES.frame, strict=True)):
        along = torch.as_tensor(arms.experts.directions[c, a, own])
        along = along / along.norm()
        wanted = float(torch.as_tensor(arms.source.values[c, a, f % 3, own]) @ along)
        assert torch.allclose((x + delta)[row] @ along, torch.tensor(wanted), atol=1e-5)
        assert torch.linalg.matrix_rank(delta[row]) <= 1


def test_experts_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"got experts of shape \(3, 2\); expected"):
        Experts(CONCEPTS, LANGUAGES, np.zeros((3, 2), int), (4,))
    with pytest.raises(ValueError, match="got expert numbers from 0 to 9; expected 0 to 3"):
        Experts(CONCEPTS, LANGUAGES, np.full((3, 2, 2), [0, 9]), (4,))
    with pytest.raises(ValueError, match="got source values of shape"):
        Source(np.zeros((3, 2, 4)))
