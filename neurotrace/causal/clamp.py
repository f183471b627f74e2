"""Neurons held at chosen values while a model runs.

Suau et al. 2020 ("Finding experts in transformer models", arXiv:2005.07647) force expert neurons
to their typical value in positive sentences, at every position; Kojima et al. 2024
(arXiv:2404.02431) do so with language neurons. Where we differ: a control can be rescaled to the
size of the change that the experts would have caused, and padding is never touched.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from neurotrace.capture import HookedModel
from neurotrace.capture.tokens import tokenize
from neurotrace.causal.neurons import Neurons, widths_of
from neurotrace.causal.writes import WAYS, Units, matched, norm, shift, units_of

POSITIONS = ("all", "last", "content")
_AT_ONCE = 64  # sentences a forward pass, when means are taken

Values = ArrayLike | Tensor
Rows = slice | Sequence[int] | NDArray[Any] | Tensor
Where = str | Tensor | NDArray[np.bool_]


class Write(NamedTuple):
    """What a clamp writes: the argument of ``norm_like``.

    Attributes
    ----------
    neurons
        As :func:`clamp` takes them.
    values
        Likewise; none for ``zero``.
    how
        Likewise.
    """

    neurons: Neurons | Sequence[Units]
    values: Values | None = None
    how: str = "set"


@contextmanager
def clamp(
    model: HookedModel,
    neurons: Neurons | Sequence[Units],
    values: Values | None = None,
    *,
    how: str = "set",
    positions: Where = "all",
    rows: Rows | None = None,
    site: str = "mlp.hook_post",
    norm_like: Write | None = None,
) -> Iterator[None]:
    """What does the model do when these neurons hold these values?

    Clamps nest: an inner one sees what the outer one has written. Several that address different
    rows share one batch. The hooks are gone when the ``with`` ends, however it ends.

    Parameters
    ----------
    neurons
        Flat numbers over all layers, pairs (layer, neuron), names such as ``L3.N117``, a bool
        mask; or :class:`Units`, at most one a layer, for directions and rotated neurons.
    values
        One number, ``(unit,)`` in the order of ``neurons``, or ``(row, unit)`` with one line for
        each row the clamp applies to, or ``(row, token, unit)``. The coordinates of several
        :class:`Units` follow each other. None for ``zero``.
    how
        ``set``; ``zero``; ``mean``: like ``set``, with the values of :func:`mean_values`;
        ``scale``: by that factor; ``add``.
    positions
        ``all`` tokens of the mask, ``last`` real token of each row of each forward pass,
        ``content``: all but special tokens, or bool ``(batch, token)``: exactly those. Padding is
        changed by none but the last.
    rows
        Rows of the batch it applies to, all unless given.
    site
        ``mlp.hook_post`` or another site that was loaded.
    norm_like
        Rescale the change, token by token and layer by layer, to the size ‖Δa·W_out‖ that this
        other write would have caused in the same run: the control that matches norms. A layer in
        which the other writes nothing stays as it is.

    Raises
    ------
    ValueError
        For unknown names, neurons that do not exist, values of another shape (some are met only
        when the model runs), or ``norm_like`` in layers where the control has no unit.
    """
    form = _formed(model, Write(neurons, values, how), site)
    if isinstance(positions, str) and positions not in POSITIONS:
        valid = ", ".join(POSITIONS)
        raise ValueError(f"got positions {positions!r}; valid are {valid} and a bool tensor")
    targets = _targets(model, form, norm_like, site)
    with ExitStack() as stack:
        places = _Places(positions, rows, model.tokenizer)
        stack.enter_context(places.seen(model.model))
        editors = {
            (site, part.units.layer): _editor(part, places, targets.get(part.units.layer))
            for part in form
        }
        stack.enter_context(model.edit(editors))
        yield


def mean_values(
    model: HookedModel,
    neurons: Neurons | Sequence[Units],
    texts: Sequence[str],
    *,
    site: str = "mlp.hook_post",
) -> NDArray[np.float64]:
    """What do neurons hold on average over the content tokens of some texts?

    Returns
    -------
    ``(unit,)`` in the order of ``neurons``: what a clamp with ``how="mean"`` writes.

    Raises
    ------
    ValueError
        For no text, one without content tokens, or neurons that do not exist.
    """
    if not texts or isinstance(texts, str):
        raise ValueError("got no list of texts; expected at least one sentence to take means over")
    frame = pd.DataFrame({"group": [str(i) for i in range(len(texts))], "lang": "", "text": texts})
    tokens = tokenize(model.tokenizer, frame)
    form = _formed(model, Write(neurons, None, "zero"), site)
    sums: dict[int, Tensor] = {part.units.layer: torch.zeros(()) for part in form}
    order = np.argsort(tokens.lengths, kind="stable")
    for start in range(0, len(order) if form else 0, _AT_ONCE):
        batch = tokens.batch(order[start : start + _AT_ONCE], device=str(model.device))
        readers = {(site, p.units.layer): _adder(p.units, sums, batch.content) for p in form}
        with model.watch(readers) as forward:
            forward(batch.ids, batch.mask)
    means = np.zeros(sum(len(part.units) for part in form))
    for part in form:
        total = sums[part.units.layer].cpu().numpy()
        means[part.columns] = total / int(tokens.n_tokens.sum())
    return means


@dataclass(frozen=True)
class _Part:
    """The share of one layer in a write; ``columns`` are its places on the axis of values."""

    units: Units
    columns: NDArray[np.intp]
    values: Tensor | None
    how: str


def _formed(model: HookedModel, write: Write, site: str) -> list[_Part]:
    """A write layer by layer."""
    neurons, values, how = write
    if how not in WAYS:
        raise ValueError(f"got how {how!r}; valid are {', '.join(WAYS)}")
    if values is None and how != "zero":
        raise ValueError(f"got no values; how={how!r} needs some")
    widths = widths_of(model, site)
    units, columns = _units(neurons, widths)
    n_units = sum(len(u) for u in units)
    held = None if values is None or how == "zero" else torch.as_tensor(values).float()
    if held is not None and held.ndim and held.shape[-1] != n_units:
        raise ValueError(f"got values of shape {tuple(held.shape)} for {n_units} units")
    if held is not None and not bool(torch.isfinite(held).all()):
        raise ValueError("got a value that is not finite; expected numbers")
    return [
        _Part(u, at, held[..., at].to(model.device) if held is not None and held.ndim else held, how)
        for u, at in zip(units, columns, strict=True)
    ]


def _units(
    neurons: Neurons | Sequence[Units], widths: Sequence[int]
) -> tuple[list[Units], list[NDArray[np.intp]]]:
    """Units a layer, and where the values of each stand."""
    given = list(neurons) if isinstance(neurons, list | tuple) else []
    if given and all(isinstance(unit, Units) for unit in given):
        for unit in given:
            _refuse_misfit(unit, widths)
        layers = [unit.layer for unit in given]
        if len(set(layers)) < len(layers):
            raise ValueError(f"got layers {layers}; expected at most one Units a layer")
        ends = np.cumsum([0, *map(len, given)])
        return given, [np.arange(a, b) for a, b in zip(ends, ends[1:], strict=False)]
    units = units_of(neurons, widths)
    place = {number: at for at, number in enumerate(flat(neurons, widths).tolist())}
    starts = np.cumsum([0, *widths])
    columns = [
        np.array([place[starts[u.layer] + n] for n in np.asarray(u.index)], dtype=np.intp)
        for u in units
    ]
    return units, columns


def _refuse_misfit(unit: Units, widths: Sequence[int]) -> None:
    if not 0 <= unit.layer < len(widths):
        raise ValueError(f"got layer {unit.layer}; the model has {len(widths)} layers")
