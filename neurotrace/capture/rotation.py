"""A random orthogonal basis of a site: what is left of a claim about neurons when there are none.

Applied to every token before pooling. The same seed and layer give the same map for every
language, checkpoint and machine.
"""

from functools import cache

import numpy as np
import torch
from einops import einsum, rearrange
from numpy.typing import NDArray
from torch import Tensor

DENSE = 1024  # widest site for which a full matrix is drawn
FACTOR = 64  # largest part of a Hadamard matrix that is multiplied as one


class Rotation:
    """A seeded orthogonal map of one layer of a site.

    Up to a width of 1024 it is drawn from the Haar measure: the Q of a Gaussian matrix's QR
    decomposition with the signs of R's diagonal moved into it (Mezzadri 2007; without that it is
    not uniform). Wider sites get random signs, a permutation and the product H ⊗ Q of a Hadamard
    matrix over the width's power of two and a dense Q over the odd rest: orthogonal, mixing all
    coordinates, at a cost of w log w.

    Parameters
    ----------
    width
        Neurons or features.
    seed
        Of the run's rotation.
    layer
        Block, combined with the seed; None for the embedding.
    """

    def __init__(self, width: int, *, seed: int, layer: int | None):
        # NumPy's generator and not torch's, whose streams differ between devices and versions.
        rng = np.random.default_rng([seed, 0 if layer is None else layer + 1])
        self.width = width
        self.power = 1 if width <= DENSE else width & -width
        self.dense = torch.from_numpy(_haar(width // self.power, rng).astype(np.float32))
        self.order = torch.from_numpy(rng.permutation(width))
        self.signs = torch.from_numpy(rng.choice([-1.0, 1.0], size=width).astype(np.float32))

    def to(self, device: str | torch.device) -> "Rotation":
        """The same map on another device, in place."""
        self.dense, self.order = self.dense.to(device), self.order.to(device)
        self.signs = self.signs.to(device)
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """Rotate ``(batch, token, feature)``, in float32."""
        x = x.float()
        if self.power == 1:
            return einsum(x, self.dense, "batch token i, i o -> batch token o")
        mixed = x[..., self.order] * self.signs
        parts = rearrange(mixed, "b t (power rest) -> b t power rest", power=self.power)
        turned = einsum(_hadamard(parts), self.dense, "b t power i, i o -> b t power o")
        return rearrange(turned, "b t power rest -> b t (power rest)")

    def matrix(self) -> Tensor:
        """The map as ``(feature, feature)``: rows are the images of the neurons."""
        return rearrange(self(torch.eye(self.width)[None]), "1 neuron out -> neuron out")


def _haar(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    # In float64: float32 would leave errors of the size that tests of orthogonality look for.
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.sign(np.diagonal(r))


def _hadamard(x: Tensor) -> Tensor:
    """Normalised Walsh–Hadamard transform over the last but one axis, a power of two."""
    # In a few small products: sums and differences of pairs pass over memory once a power of two.
    power = done = x.shape[-2]
    while done > 1:
        size = min(FACTOR, done)
        done //= size
        parts = rearrange(
            x, "b t (left size right) rest -> b t left size right rest", size=size, right=done
        )
        signs = torch.from_numpy(_signs(size)).to(x.device)
        turned = einsum(parts, signs, "b t left i right rest, i o -> b t left o right rest")
        x = rearrange(turned, "b t left o right rest -> b t (left o right) rest")
    return x / power**0.5


@cache
def _signs(size: int) -> NDArray[np.float32]:
    """``(size, size)`` Hadamard matrix, in the order of Sylvester."""
    signs = np.ones((1, 1), np.float32)
    while len(signs) < size:
        signs = np.block([[signs, signs], [signs, -signs]])
    return signs
