"""What a change of neurons is: the one place where it is computed, in float32.

A layer's neurons are written either one by one or along the columns of an orthonormal basis: a
direction, or the neurons of a rotated basis. Everything is counted in the coordinates of those
units, so that a few neurons of a wide layer stay cheap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from einops import einsum, rearrange
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from neurotrace.causal.neurons import Neurons, flat, located

WAYS = ("set", "zero", "mean", "scale", "add")
_SILENT = 1e-12  # norm under which a change has no direction that could be rescaled

Values = ArrayLike | Tensor


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

    def move(self, x: Tensor, coordinates: Tensor) -> Tensor:
        """The neurons ``(batch, token, neuron)`` after a step, in the type they came in."""
        if self.basis is not None:
            return (x.float() + self.spread(coordinates, x.shape[-1])).to(x.dtype)
        columns, moved = self._columns(x), x.clone()
        moved[..., columns] = (x[..., columns].float() + coordinates).to(x.dtype)
        return moved

    def _columns(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.index, dtype=torch.long, device=x.device)


class Write(NamedTuple):
    """What is written: which neurons, which values, and how.

    Attributes
    ----------
    neurons
        Flat numbers over all layers, pairs (layer, neuron), names such as ``L3.N117``, a bool
        mask, or :class:`Units`, at most one a layer.
    values
        One number, ``(unit,)``, ``(row, unit)`` or ``(row, token, unit)``, units in the order of
        ``neurons``; the coordinates of several :class:`Units` follow each other. None for
        ``zero``.
    how
        See :func:`change`.
    """

    neurons: Neurons | Sequence[Units]
    values: Values | None = None
    how: str = "set"


@dataclass(frozen=True)
class Part:
    """The share of one layer in a write.

    Attributes
    ----------
    units
        What is written there.
    columns
        Where the values of these units stand on the last axis of the write's.
    values
        Theirs alone.
    how
        See :func:`change`.
    """

    units: Units
    columns: NDArray[np.intp]
    values: Tensor | None
    how: str

    def shift(self, x: Tensor) -> Tensor:
        """How far each unit is moved, ``(batch, token, unit)``."""
        return shift(x, self.units, self.values, how=self.how)


def parts(write: Write, widths: Sequence[int], *, device: torch.device | str = "cpu") -> list[Part]:
    """A write layer by layer, checked.

    Raises
    ------
    ValueError
        For neurons that do not exist, units that do not fit, an unknown ``how``, and values that
        are missing, not finite, or not as many as the units.
    """
    neurons, values, how = write
    if how not in WAYS:
        raise ValueError(f"got how {how!r}; valid are {', '.join(WAYS)}")
    if values is None and how != "zero":
        raise ValueError(f"got no values; how={how!r} needs some")
    units = units_of(neurons, widths)
    held = None if values is None or how == "zero" else _tensor(values, device)
    n_units = sum(len(columns) for _, columns in units)
    if held is not None and held.ndim and held.shape[-1] != n_units:
        raise ValueError(f"got values of shape {tuple(held.shape)} for {n_units} neurons")
    if held is not None and not bool(torch.isfinite(held).all()):
        raise ValueError("got a value that is not finite; expected numbers")
    if held is None or not held.ndim:
        return [Part(unit, at, held, how) for unit, at in units]
    return [Part(unit, at, held[..., at], how) for unit, at in units]


def units_of(
    neurons: Neurons | Sequence[Units], widths: Sequence[int]
) -> list[tuple[Units, NDArray[np.intp]]]:
    """What is written in each layer, and where its values stand among all values."""
    if isinstance(neurons, list | tuple) and any(isinstance(unit, Units) for unit in neurons):
        return _given(neurons, widths)
    layers, own = located(flat(cast(Neurons, neurons), widths), widths)
    groups = ((layer, np.flatnonzero(layers == layer)) for layer in np.unique(layers).tolist())
    return [(Units(layer, index=own[at]), at) for layer, at in groups]


def shift(x: Tensor, units: Units, values: Values | None, *, how: str) -> Tensor:
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


def change(x: Tensor, units: Units, values: Values | None = None, *, how: str = "set") -> Tensor:
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
    delta, w_out = delta.float(), w_out.float()
    moved = (delta != 0).any(dim=0).any(dim=0)
    if 2 * int(moved.sum()) < len(moved):  # a few neurons of a wide layer stay cheap
        delta, w_out = delta[..., moved], w_out[moved]
    written = einsum(delta, w_out, "batch token n, n feature -> batch token feature")
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
    return rescaled(delta, norm(delta, w_out), target_norm)[0]


def rescaled(delta: Tensor, own: Tensor, target_norm: Tensor) -> tuple[Tensor, Tensor]:
    """A change whose size ``(batch, token)`` is known, at the wanted size, and the size it got."""
    factor = torch.where(own > _SILENT, target_norm / own.clamp_min(_SILENT), 0.0)
    return delta * rearrange(factor, "batch token -> batch token 1"), own * factor


def _given(units: Sequence[Any], widths: Sequence[int]) -> list[tuple[Units, NDArray[np.intp]]]:
    """Units as the caller made them, which must fit the model."""
    layers = [unit.layer if isinstance(unit, Units) else None for unit in units]
    if None in layers or len(set(layers)) < len(layers):
        raise ValueError(f"got units of layers {layers}; expected Units, at most one a layer")
    for unit in units:
        if not 0 <= unit.layer < len(widths):
            raise ValueError(f"got units of layer {unit.layer}; the model has {len(widths)} layers")
        width = widths[unit.layer]
        if unit.basis is not None and unit.basis.shape[0] != width:
            raise ValueError(
                f"layer {unit.layer}: got a basis over {unit.basis.shape[0]} neurons; "
                f"expected {width}"
            )
        if unit.index is not None:
            flat([(unit.layer, int(neuron)) for neuron in unit.index], widths)
    ends = np.cumsum([0, *map(len, units)])
    spans = pairwise(ends.tolist())
    return [(unit, np.arange(*span)) for unit, span in zip(units, spans, strict=True)]


def _broadcast(values: Values | None, coordinates: Tensor, how: str) -> Tensor:
    """Values that go with ``(batch, token, unit)``."""
    if values is None:
        raise ValueError(f"got no values; {how!r} needs some")
    wanted = _tensor(values, coordinates.device)
    batch, token, unit = coordinates.shape
    valid = ((), (unit,), (batch, unit), (batch, token, unit))
    if tuple(wanted.shape) not in valid:
        raise ValueError(
            f"got values of shape {tuple(wanted.shape)}; valid are one number, ({unit},), "
            f"({batch}, {unit}) and ({batch}, {token}, {unit})"
        )
    return rearrange(wanted, "batch unit -> batch 1 unit") if wanted.ndim == 2 else wanted


def _tensor(values: Values, device: torch.device | str) -> Tensor:
    """Values in float32; arrays are copied, since torch warns of those that are read-only."""
    if isinstance(values, Tensor):
        return values.to(device, torch.float32)
    return torch.from_numpy(np.array(values, dtype=np.float32)).to(device)


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
