"""Which rows and tokens of a batch a clamp changes, found anew in each forward pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

KINDS = ("all", "last", "content")

Rows = slice | Sequence[int] | NDArray[Any] | Tensor
Where = str | Tensor | NDArray[np.bool_]
# Values of some rows and a bool (row, token), or None where it is true throughout.
Edit = Callable[[Tensor, Tensor | None], Tensor]


class Positions:
    """Rows and tokens to change.

    A hook at a neuron sees values alone; so the ids and the mask of each forward pass are noted
    when the model receives them.

    Parameters
    ----------
    where
        ``all``, ``last``, ``content`` or bool ``(batch, token)``; see :func:`clamp`.
    rows
        Of the batch; None for all.
    special
        Token ids that are no content.

    Raises
    ------
    ValueError
        For another name, or an array that is not bool ``(batch, token)``.
    """

    def __init__(self, where: Where, rows: Rows | None = None, *, special: Sequence[int] = ()):
        if isinstance(where, str):
            if where not in KINDS:
                valid = ", ".join(KINDS)
                raise ValueError(f"got positions {where!r}; valid are {valid} and a bool tensor")
        else:
            where = torch.as_tensor(where)
            if where.dtype != torch.bool or where.ndim != 2:
                raise ValueError(
                    f"got positions of type {where.dtype} and shape {tuple(where.shape)}; "
                    "expected bool (batch, token)"
                )
        self._where = where
        self._special = sorted(set(special))
        self._rows = rows if rows is None or isinstance(rows, slice) else torch.as_tensor(rows)
        self._tokens: Tensor | None = None

    @contextmanager
    def following(self, body: Any) -> Iterator[None]:
        """Note what each forward pass of a Hugging Face base model is given, in the ``with``."""
        names = tuple(signature(body.forward).parameters)

        def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given = {**kwargs, **dict(zip(names, args, strict=False))}
            self._note(given.get("input_ids"), given.get("attention_mask"))

        handle = body.register_forward_pre_hook(note, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def only(self, edit: Edit) -> Callable[[Tensor], Tensor]:
        """An editor of whole batches from one of these rows and tokens."""

        def editor(x: Tensor) -> Tensor:
            if self._rows is None:
                return edit(x, self._tokens)
            whole = x.clone()
            whole[self._rows] = edit(x[self._rows], self._tokens)
            return whole

        return editor

    def _note(self, ids: Tensor | None, mask: Tensor | None) -> None:
        """The tokens to change in the pass that begins."""
        if ids is None:
            raise ValueError("got a forward pass without input_ids; a clamp needs them")
        real = torch.ones_like(ids, dtype=torch.bool)
        if mask is not None:  # with a cache of keys it reaches further back than the ids
            real = mask[:, -ids.shape[1] :].bool()
        tokens = self._chosen(ids, real)
        if self._rows is not None:
            tokens = self._of_rows(tokens)
        self._tokens = None if bool(tokens.all()) else tokens

    def _chosen(self, ids: Tensor, real: Tensor) -> Tensor:
        if isinstance(self._where, Tensor):
            if self._where.shape != ids.shape:
                raise ValueError(
                    f"got positions of shape {tuple(self._where.shape)} in a forward pass of "
                    f"shape {tuple(ids.shape)}"
                )
            return self._where.to(ids.device)
        if self._where == "content":
            return real & ~torch.isin(ids, torch.tensor(self._special, device=ids.device))
        if self._where == "last":
            place = torch.arange(ids.shape[1], device=ids.device)
            last = torch.where(real, place, -1).amax(dim=1)
            return place == rearrange(last, "row -> row 1")
        return real

    def _of_rows(self, tokens: Tensor) -> Tensor:
        try:
            chosen = tokens[self._rows]
        except IndexError:
            raise ValueError(f"got rows {self._rows} of a batch of {len(tokens)}") from None
        if len(chosen) == 0:
            raise ValueError(f"got rows {self._rows}, none of a batch of {len(tokens)}")
        return chosen
