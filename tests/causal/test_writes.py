"""A change is what it says, in plain neurons and along directions, and a norm can be asked for."""

import warnings

import numpy as np
import pytest
import torch

from neurotrace.capture.rotation import Rotation
from neurotrace.causal.writes import Units, Write, change, matched, norm, parts, units_of

X = torch.tensor([[[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]], [[2.0, 2.0, 2.0], [5.0, 0.0, 1.0]]])


def plain(*index: int) -> Units:
    return Units(0, index=np.array(index))


def random_basis(width: int, k: int, seed: int = 0) -> torch.Tensor:
    gaussian = torch.randn(width, k, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(gaussian).Q


@pytest.mark.parametrize(
    ("how", "values", "first", "last"),
    [
        ("set", [7.0, 8.0], [8.0, 2.0, 7.0], [8.0, 0.0, 7.0]),
        ("mean", [7.0, 8.0], [8.0, 2.0, 7.0], [8.0, 0.0, 7.0]),
        ("zero", None, [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]),
        ("scale", 3.0, [3.0, 2.0, 9.0], [15.0, 0.0, 3.0]),
        ("add", [1.0, -1.0], [0.0, 2.0, 4.0], [4.0, 0.0, 2.0]),
    ],
)
def test_each_way_of_writing_by_hand(how, values, first, last):
    written = X + change(X, plain(2, 0), values, how=how)
    assert written[0, 0].tolist() == first
    assert written[1, 1].tolist() == last


def test_values_may_differ_by_row_and_by_token():
    rows = X + change(X, plain(1), [[10.0], [20.0]])
    assert rows[:, :, 1].tolist() == [[10.0, 10.0], [20.0, 20.0]]
    own = X + change(X, plain(1), X[:, :, 1:2])
    assert torch.equal(own, X)


def test_plain_neurons_are_the_columns_of_the_identity():
    index = Units(0, index=np.array([2, 0]))
    columns = Units(0, basis=torch.eye(3)[:, [2, 0]])
    for how, values in (("set", [1.0, 2.0]), ("scale", 0.5), ("add", [3.0, 4.0]), ("zero", None)):
        assert torch.allclose(
            change(X, index, values, how=how), change(X, columns, values, how=how)
        )
        assert torch.allclose(
            index.move(X, index.read(X)), columns.move(X, columns.read(X)), atol=1e-6
        )
    w_out = torch.randn(3, 5)
    assert torch.allclose(index.outputs(w_out), columns.outputs(w_out))


def test_writing_along_a_basis_sets_its_coordinates_and_nothing_else():
    x = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(1))
    units = Units(0, basis=random_basis(16, 3))
    wanted = torch.tensor([1.0, -2.0, 0.5])
    written = x + change(x, units, wanted)
    assert torch.allclose(units.read(written), wanted.expand(2, 4, 3), atol=1e-5)
    rest = torch.eye(16) - units.basis @ units.basis.T
    assert torch.allclose(written @ rest, x @ rest, atol=1e-5)


def test_a_rotated_model_is_changed_like_the_plain_one():
    # Turning neurons and units together turns the change along.
    x = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(2))
    turn = random_basis(16, 16, seed=3)
    plain_units = Units(0, basis=torch.eye(16)[:, :3])
    turned_units = Units(0, basis=turn @ torch.eye(16)[:, :3])
    straight = change(x, plain_units, [1.0, 2.0, 3.0])
    turned = change(x @ turn.T, turned_units, [1.0, 2.0, 3.0])
    assert torch.allclose(turned, straight @ turn.T, atol=1e-5)


def test_units_of_a_rotated_basis_are_the_rotated_neurons():
    rotation = Rotation(16, seed=7, layer=2)
    x = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(5))
    units = Units(2, basis=rotation.matrix()[:, [3, 11]])
    assert torch.allclose(units.read(x), rotation(x)[..., [3, 11]], atol=1e-5)
    written = rotation(x + change(x, units, [8.0, 9.0]))
    assert torch.allclose(
        written[..., [3, 11]], torch.tensor([8.0, 9.0]).expand(2, 4, 2), atol=1e-5
    )
    others = [n for n in range(16) if n not in (3, 11)]
    assert torch.allclose(written[..., others], rotation(x)[..., others], atol=1e-5)


def test_values_may_be_lists_of_arrays_or_arrays_that_cannot_be_written():
    fixed = np.array([7.0, 8.0])
    fixed.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in (fixed, [np.array(7.0), np.array(8.0)], (7, 8), torch.tensor([7.0, 8.0])):
            part = parts(Write([2, 0], values), (3,))[0]
            assert torch.equal(part.shift(X), change(X, plain(2, 0), [7.0, 8.0])[..., [2, 0]])


def test_a_matched_change_has_the_norm_asked_for_and_its_own_direction():
    generator = torch.Generator().manual_seed(4)
    delta = torch.randn(5, 6, 32, generator=generator) * 10 ** torch.randn(5, 6, 1)
    w_out = torch.randn(32, 8, generator=generator)
    target = torch.rand(5, 6, generator=generator) * 100
    scaled = matched(delta, w_out, target)
    assert torch.allclose(norm(scaled, w_out), target, rtol=1e-4)
    cosine = torch.cosine_similarity(scaled, delta, dim=-1)
    assert torch.allclose(cosine, torch.ones(5, 6), atol=1e-5)


def test_a_change_that_writes_nothing_stays_nothing():
    delta = torch.zeros(1, 2, 3)
    delta[0, 1, 0] = 1.0
    w_out = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 1.0]])
    scaled = matched(delta, w_out, torch.full((1, 2), 10.0))
    assert scaled[0, 0].tolist() == [0.0, 0.0, 0.0]
    assert scaled[0, 1].tolist() == [2.0, 0.0, 0.0]  # (3, 4) has length 5
    dead = matched(delta, torch.zeros(3, 2), torch.ones(1, 2))
    assert torch.equal(dead, torch.zeros(1, 2, 3))


def test_a_change_of_bfloat16_neurons_is_computed_in_float32():
    x = torch.tensor([[[256.0, 1.0]]], dtype=torch.bfloat16)
    delta = change(x, plain(0), 257.0)
    assert delta.dtype == torch.float32
    assert delta[0, 0, 0] == 1.0  # bfloat16 has no 257
    assert plain(0).move(x, delta[..., :1]).dtype == torch.bfloat16


def test_values_follow_their_neurons_through_the_layers():
    found = parts(Write(["L1.N2", "L0.N3", "L1.N0"], [7.0, 5.0, 6.0]), (4, 4))
    assert [(p.units.layer, p.units.index.tolist(), p.values.tolist()) for p in found] == [
        (0, [3], [5.0]),
        (1, [2, 0], [7.0, 6.0]),
    ]
    rows = parts(Write([6, 3], [[1.0, 2.0], [3.0, 4.0]]), (4, 4))
    assert rows[0].values.tolist() == [[2.0], [4.0]]


@pytest.mark.parametrize(
    ("write", "line"),
    [
        (Write([0, 1], [1.0]), r"values of shape \(1,\) for 2 neurons"),
        (Write([0, 1], None), "no values"),
        (Write([0, 1], float("nan")), "not finite"),
        (Write([0, 1], 1.0, "flip"), "valid are set, zero, mean, scale, add"),
        (Write([Units(0, index=np.array([1])), 3], 1.0), "expected Units"),
        (Write([Units(0, index=np.array([1])), Units(0, index=np.array([2]))], 1.0), "one a layer"),
        (Write([Units(5, index=np.array([1]))], 1.0), "layer 5; the model has 2"),
        (Write([Units(0, index=np.array([9]))], 1.0), "L0.N9"),
        (Write([Units(1, basis=torch.eye(3))], 1.0), "basis over 3 neurons; expected 4"),
    ],
)
def test_a_write_that_cannot_be_is_refused(write, line):
    with pytest.raises(ValueError, match=line):
        parts(write, (4, 4))


def test_units_need_one_orthonormal_basis_or_an_index():
    with pytest.raises(ValueError, match="not orthonormal"):
        Units(0, basis=torch.ones(4, 2))
    with pytest.raises(ValueError, match="either a basis or an index"):
        Units(0)
    with pytest.raises(ValueError, match="shape"):
        Units(0, basis=torch.ones(4))
    with pytest.raises(ValueError, match=r"values of shape \(2, 2\)"):
        change(X, plain(0), [[1.0, 2.0], [3.0, 4.0]])
    assert [len(unit) for unit, _ in units_of([0, 5, 6], (4, 4))] == [1, 2]
