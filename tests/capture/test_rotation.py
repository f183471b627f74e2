"""Random orthogonal bases."""

import numpy as np
import pytest
import torch

from neurotrace.capture.rotation import Rotation


@pytest.mark.parametrize("width", [1, 7, 80, 256, 1024, 1026, 1536, 2048])
def test_the_map_is_orthogonal_at_every_width(width: int) -> None:
    Q = Rotation(width, seed=7, layer=2).matrix()
    error = (Q @ Q.T - torch.eye(width)).abs().max()
    assert error < 1e-5


def test_seed_and_layer_decide_the_map_and_nothing_else_does() -> None:
    torch.manual_seed(0)
    one = Rotation(64, seed=7, layer=2).matrix()
    torch.manual_seed(1)
    assert torch.equal(one, Rotation(64, seed=7, layer=2).matrix())
    for seed, layer in ((8, 2), (7, 3), (7, None)):
        assert not torch.allclose(one, Rotation(64, seed=seed, layer=layer).matrix(), atol=0.1)


@pytest.mark.parametrize("width", [256, 2048])
def test_every_neuron_is_spread_over_all_coordinates(width: int) -> None:
    Q = Rotation(width, seed=0, layer=0).matrix()
    assert Q.abs().max() < 8 / width**0.5
    assert (Q.abs() > 1e-4 / width**0.5).float().mean() > 0.99
    # Neither is there a coordinate that collects what all neurons have in common.
    assert Q.sum(0).abs().max() < 8


def test_dense_maps_have_no_preferred_sign() -> None:
    # Without the signs of R moved into Q, the diagonal of every draw leans to one side.
    diagonal = np.array(
        [Rotation(6, seed=s, layer=0).matrix().diagonal().numpy() for s in range(400)]
    )
    assert np.abs(diagonal.mean(0)).max() < 4 * diagonal.std() / 20


def test_a_map_applies_to_the_last_axis_of_a_batch() -> None:
    rotation = Rotation(1536, seed=3, layer=1)
    x = torch.randn(2, 3, 1536, generator=torch.Generator().manual_seed(0))
    expected = torch.einsum("bti,io->bto", x, rotation.matrix())
    torch.testing.assert_close(rotation(x), expected, atol=1e-4, rtol=0)
