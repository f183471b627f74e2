"""Neurons held at chosen values while a model runs.

Suau et al. 2020 ("Finding experts in transformer models", arXiv:2005.07647) force expert neurons
to their typical value in positive sentences, at every position; Kojima et al. 2024
(arXiv:2404.02431) do so with language neurons. Where we differ: a control can be rescaled to the
size of the change that the experts would have caused, and padding is never touched.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from neurotrace.capture import HookedModel
from neurotrace.capture.plain import Editor, Place, Reader
from neurotrace.capture.tokens import tokenize
from neurotrace.causal.neurons import Neurons, widths_of
from neurotrace.causal.positions import Edit, Positions, Rows, Where
from neurotrace.causal.writes import Part, Units, Values, Write, matched, norm, parts, units_of

_AT_ONCE = 64  # sentences a forward pass, when means are taken

Step = Callable[[Tensor], Tensor]


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
        ``all`` real tokens, the ``last`` real token of each row in each forward pass,
        ``content``: all but special tokens, or bool ``(batch, token)``: exactly those, in every
        pass (not for :func:`generate`, whose passes differ in length). Padding is left as it is
        by all but the last.
    rows
        Rows of the batch it applies to, all unless given.
    site
        ``mlp.hook_post`` or another site that was loaded.
    norm_like
        Rescale the change, token by token and layer by layer, to the size ‖Δa·W_out‖ that this
        other write would have caused in the same run: the control that matches norms. A layer in
        which the other writes nothing stays as it is. Exact in float32; a bfloat16 model rounds
        what is written, which moves the norm by some tenths of a percent.

    Raises
    ------
    ValueError
        For unknown names, neurons that do not exist, values of another shape (some are met only
        when the model runs), or ``norm_like`` in layers where the control has no unit.
    """
    form = parts(Write(neurons, values, how), widths_of(model, site), device=model.device)
    editors = _editors(model, form, norm_like, site)
    where = Positions(positions, rows, special=model.tokenizer.all_special_ids)
    placed: dict[Place, Editor] = {
        (site, layer): where.only(editor) for layer, editor in editors.items()
    }
    with where.following(model.entry), model.edit(placed):
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
    if isinstance(texts, str) or len(texts) == 0:
        raise ValueError("got no list of texts; expected at least one sentence to take means over")
    frame = pd.DataFrame({"group": [str(i) for i in range(len(texts))], "lang": "", "text": texts})
    tokens = tokenize(model.tokenizer, frame)
    units = units_of(neurons, widths_of(model, site))
    sums = {unit.layer: torch.zeros(len(unit), dtype=torch.float64) for unit, _ in units}
    order = np.argsort(tokens.lengths, kind="stable")
    for start in range(0, len(order) if units else 0, _AT_ONCE):
        batch = tokens.batch(order[start : start + _AT_ONCE], device=str(model.device))
        readers: dict[Place, Reader] = {
            (site, unit.layer): _adder(unit, sums, batch.content) for unit, _ in units
        }
        with model.watch(readers) as forward:
            forward(batch.ids, batch.mask)
    means = np.zeros(sum(len(unit) for unit, _ in units))
    for unit, columns in units:
        means[columns] = sums[unit.layer].numpy() / int(tokens.n_tokens.sum())
    return means


def _adder(unit: Units, sums: dict[int, Tensor], content: Tensor) -> Callable[[Tensor], None]:
    def read(x: Tensor) -> None:
        sums[unit.layer] += unit.read(x)[content.bool()].cpu().double().sum(dim=0)

    return read


def _editors(
    model: HookedModel, form: Sequence[Part], norm_like: Write | None, site: str
) -> dict[int, Edit]:
    """One a layer: the moved neurons of the rows it is given."""
    if norm_like is None:
        return {part.units.layer: _mover(part, part.shift) for part in form}
    other = parts(Write(*norm_like), widths_of(model, site), device=model.device)
    like = {part.units.layer: part for part in other if len(part.units)}
    missing = sorted(set(like) - {part.units.layer for part in form if len(part.units)})
    if missing:
        raise ValueError(f"got norm_like with neurons in layer {missing[0]}, where none is clamped")
    return {
        part.units.layer: _mover(part, _rescaled(part, like[part.units.layer], model, site))
        for part in form
        if part.units.layer in like
    }


def _mover(part: Part, step: Step) -> Edit:
    def edit(x: Tensor, tokens: Tensor | None) -> Tensor:
        moved = step(x)
        if tokens is not None:
            moved = moved.masked_fill(~rearrange(tokens, "row token -> row token 1"), 0.0)
        return part.units.move(x, moved)

    return edit


def _rescaled(part: Part, like: Part, model: HookedModel, site: str) -> Step:
    """The step of a control, of the size that another step has in the residual stream."""
    layer = part.units.layer
    own, others = (p.units.outputs(_outputs(model, layer, site)) for p in (part, like))

    def step(x: Tensor) -> Tensor:
        return matched(part.shift(x), own, norm(like.shift(x), others))

    return step


def _outputs(model: HookedModel, layer: int, site: str) -> Tensor:
    """``(neuron, feature)``: what a step of the site's columns adds to the residual stream."""
    if site == "mlp.hook_post":
        return model.w_out(layer)
    if site == "hook_resid_post":
        return torch.eye(model.widths[site], device=model.device)
    raise ValueError(f"got norm_like at {site!r}; valid are mlp.hook_post and hook_resid_post")
