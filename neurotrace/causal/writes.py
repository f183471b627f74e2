"""What a change of neurons is: the one place where it is computed, in float32.

A layer's neurons are written either one by one or along the columns of an orthonormal basis: a
direction, or the neurons of a rotated basis. Everything is counted in the coordinates of those
units, so that a few neurons of a wide layer stay cheap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import einsum, rearrange
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from neurotrace.causal.neurons import Neurons, by_layer

WAYS = ("set", "zero", "mean", "scale", "add")
_SILENT = 1e-12  # norm under which a change has no direction that could be rescaled


@dataclass(frozen=True)
class Units:
    """What is written in one layer.

    Attributes
    ----------
    layer
        Block.
    basis
        ``(neuron, unit)`` with orthonormal columns: directions in the space of the neurons.
    index
        Neurons of the layer, in place of a basis: plain neurons need no matrix.
    """

    layer: int
    basis: Tensor | None = None
    index: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        if (self.basis is None) == (self.index is None):
            raise ValueError(f"layer {self.layer}: expected either a basis or an index of neurons")
        if self.basis is not None:
            _refuse_oblique(self.basis, self.layer)

    def __len__(self) -> int:
        """Units."""
        if self.basis is not None:
            return int(self.basis.shape[1])
        return 0 if self.index is None else len(self.index)

    def read(self, x: Tensor) -> Tensor:
        """Coordinates ``(batch, token, unit)`` of the neurons ``(batch, token, neuron)``."""
        if self.basis is None:
            return x[..., self._columns(x)].float()
        basis = self.basis.to(x.device, torch.float32)
        return einsum(x.float(), basis, "batch token neuron, neuron unit -> batch token unit")

    def spread(self, coordinates: Tensor, width: int) -> Tensor:
        """Coordinates ``(batch, token, unit)`` as neurons ``(batch, token, neuron)``."""
        if self.basis is None:
            whole = coordinates.new_zeros(*coordinates.shape[:-1], width)
            whole[..., self._columns(coordinates)] = coordinates
            return whole
        basis = self.basis.to(coordinates)
        return einsum(coordinates, basis, "batch token unit, neuron unit -> batch token neuron")

    def outputs(self, w_out: Tensor) -> Tensor:
        """``(unit, feature)``: what a step along each unit writes, by ``(neuron, feature)``."""
        if self.basis is None:
            return w_out[self._columns(w_out)].float()
        basis = self.basis.to(w_out.device, torch.float32)
        return einsum(basis, w_out.float(), "neuron unit, neuron feature -> unit feature")

    def _columns(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.index, dtype=torch.long, device=x.device)


def units_of(neurons: Neurons, widths: Sequence[int]) -> list[Units]:
    """Plain neurons as units, one a layer that has any; layers ascend."""
    return [Units(layer, index=index) for layer, index in by_layer(neurons, widths).items()]


def shift(x: Tensor, units: Units, values: ArrayLike | Tensor | None, *, how: str) -> Tensor:
    """How far each unit is moved, ``(batch, token, unit)``; see :func:`change`."""
    if how not in WAYS:
        raise ValueError(f"got how {how!r}; valid are {', '.join(WAYS)}")
    coordinates = units.read(x)
    if how == "zero":
        return -coordinates
    wanted = _broadcast(values, coordinates, how)
    if how == "add":
        return wanted.expand_as(coordinates)
    return (wanted - 1) * coordinates if how == "scale" else wanted - coordinates


def change(
    x: Tensor, units: Units, values: ArrayLike | Tensor | None = None, *, how: str = "set"
) -> Tensor:
    """What writing some units of a layer adds to its neurons.

    Parameters
    ----------
    x
        ``(batch, token, neuron)``: the values as the model computed them, of any float type.
    values
        ``(unit,)``, ``(batch, unit)`` or ``(batch, token, unit)``, or one number; none for
        ``zero``.
    how
        ``set`` (``mean`` is the same: the values are means): value − coordinate;
        ``scale``: (value − 1) · coordinate; ``zero``: −coordinate; ``add``: value.

    Returns
    -------
    ``(batch, token, neuron)`` float32; nothing is written outside the units' span.

    Raises
    ------
    ValueError
        For another ``how``, no values where some are needed, or values of another shape.
    """
    return units.spread(shift(x, units, values, how=how), x.shape[-1])


def norm(delta: Tensor, w_out: Tensor) -> Tensor:
    """``(batch, token)``: ‖Δ·W_out‖, the size of a change in the residual stream."""
    written = einsum(
        delta.float(), w_out.float(), "batch token n, n feature -> batch token feature"
    )
    return written.norm(dim=-1)


def matched(delta: Tensor, w_out: Tensor, target_norm: Tensor) -> Tensor:
    """A change rescaled, token by token, to the size that another one has.

    Parameters
    ----------
    delta
        ``(batch, token, neuron)``, or coordinates with ``w_out`` as ``(unit, feature)``.
    w_out
        ``(neuron, feature)``: what each neuron writes into the residual stream.
    target_norm
        ``(batch, token)``: wanted ‖Δ·W_out‖.

    Returns
    -------
    Same shape as ``delta``; zero where ``delta`` writes nothing.
    """
    own = norm(delta, w_out)
    factor = torch.where(own > _SILENT, target_norm / own.clamp_min(_SILENT), 0.0)
    return delta * rearrange(factor, "batch token -> batch token 1")


def _broadcast(values: ArrayLike | Tensor | None, coordinates: Tensor, how: str) -> Tensor:
    """Values that go with ``(batch, token, unit)``."""
    if values is None:
        raise ValueError(f"got no values; {how!r} needs some")
    wanted = torch.as_tensor(values, dtype=torch.float32, device=coordinates.device)
    batch, token, unit = coordinates.shape
    valid = ((), (unit,), (batch, unit), (batch, token, unit))
    if tuple(wanted.shape) not in valid:
        raise ValueError(
            f"got values of shape {tuple(wanted.shape)}; valid are one number, ({unit},), "
            f"({batch}, {unit}) and ({batch}, {token}, {unit})"
        )
    return rearrange(wanted, "batch unit -> batch 1 unit") if wanted.ndim == 2 else wanted


def _refuse_oblique(basis: Tensor, layer: int) -> None:
    if basis.ndim != 2:
        raise ValueError(
            f"layer {layer}: got a basis of shape {tuple(basis.shape)}; expected (neuron, unit)"
        )
    columns = basis.float()
    off = columns.T @ columns - torch.eye(columns.shape[1], device=columns.device)
    if off.numel() and float(off.abs().max()) > 1e-3:
        raise ValueError(
            f"layer {layer}: got a basis whose columns are not orthonormal "
            f"(off by {float(off.abs().max()):.2g})"
        )
