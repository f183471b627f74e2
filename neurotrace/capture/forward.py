"""One forward pass: no head, no cache, and nothing behind the last place that is read.

Sentences are padded on the right and always come with their mask: the one combination that is
exact for every family. An encoder reads the sentence; a decoder behind an encoder reads the same
sentence behind its start token, and what stands at position p + 1 belongs to token p.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from neurotrace.capture.bridge import bridge_hooks
from neurotrace.capture.plain import (
    Editor,
    Model,
    Place,
    Reader,
    UnsupportedModel,
    known_family,
    plain_hooks,
    row_of,
    stack_of,
)

_LISTED = "(batch token) feature -> batch token feature"
_LIST = "batch token feature -> (batch token) feature"


class _Stop(Exception):
    """No error: raised by the last reader, so that nothing behind it is computed."""


class Pass:
    """A forward pass that feeds readers, in whatever order the model meets them.

    Attributes
    ----------
    hooks
        The readers as they are to be attached.
    """

    def __init__(self, model: Model, readers: Mapping[Place, Reader], *, stack: str = "auto"):
        self._model = model
        self._stack = stack_of(model, stack)
        self._waiting: set[Place] = set()
        self._shape = (0, 0)
        self._places = frozenset(readers)
        self.hooks = {place: self._counted(place, reader) for place, reader in readers.items()}

    def __call__(self, ids: Tensor, mask: Tensor) -> None:
        """Run ids and mask ``(batch, token)`` through the model, as far as they are read.

        Raises
        ------
        UnsupportedModel
            When the model never came by one of the places.
        """
        self._waiting, self._shape = set(self._places), (ids.shape[0], ids.shape[1])
        with torch.inference_mode(), suppress(_Stop):
            run_body(self._model, ids, mask, stack=self._stack)
        if self._waiting:
            site, layer = min(self._waiting, key=str)
            where = site if layer is None else f"{site} of layer {layer}"
            raise UnsupportedModel(
                f"{self._model.config.model_type}: a forward pass never came by {where}"
            )

    def _counted(self, place: Place, reader: Reader) -> Reader:
        def read(x: Tensor) -> None:
            reader(self._aligned(x))
            self._waiting.discard(place)
            if not self._waiting:
                raise _Stop

        return read

    def _aligned(self, x: Tensor) -> Tensor:
        """``(batch, token, width)``, a row for every token of the sentence."""
        if x.ndim == 2:  # mixtures of experts and OPT run all tokens of a batch as one list
            x = rearrange(x, _LISTED, batch=self._shape[0])
        return x[:, x.shape[1] - self._shape[1] :]  # without a decoder's start token


@contextmanager
def watching(
    model: Model, bridge: Any, readers: Mapping[Place, Reader], *, stack: str = "auto"
) -> Iterator[Pass]:
    """Readers hooked in, as long as the ``with`` lasts, and the pass that feeds them."""
    made = Pass(model, readers, stack=stack)
    with hooked(model, bridge, made.hooks, stack=stack):
        yield made


@contextmanager
def editing(model: Model, bridge: Any, editors: Mapping[Place, Editor]) -> Iterator[None]:
    """Editors hooked in, as long as the ``with`` lasts; each sees ``(batch, token, width)``."""
    shape = [0]

    def note(_: Any, __: Any, embedded: Tensor) -> None:
        shape[0] = len(embedded)

    def laid_out(editor: Editor) -> Editor:
        def edit(x: Tensor) -> Tensor:
            if x.ndim != 2:
                return editor(x)
            # OPT runs all tokens of a batch through its MLP as one list.
            return rearrange(editor(rearrange(x, _LISTED, batch=shape[0])), _LIST)

        return edit

    # Not the body: some heads go past it to the stack that it holds.
    handle = model.base_model.get_submodule(row_of(model).embed).register_forward_hook(note)
    try:
        hooks = {place: laid_out(editor) for place, editor in editors.items()}
        with hooked(model, bridge, hooks):
            yield
    finally:
        handle.remove()


@contextmanager
def hooked(
    model: Model, bridge: Any, hooks: Mapping[Place, Reader | Editor], *, stack: str = "auto"
) -> Iterator[None]:
    """Hooks of either back end; without a bridge, plain ones."""
    with (
        plain_hooks(model, hooks, stack=stack)
        if bridge is None
        else bridge_hooks(model, bridge, hooks, stack=stack)
    ):
        yield


def run_body(model: Model, ids: Tensor, mask: Tensor, *, stack: str) -> None:
    """One stack of a model over a batch; the head, which can cost most, only if nobody stops it."""
    kind = known_family(model.config).auto
    if kind == "causal":
        model.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
    elif kind == "masked":
        model.base_model(input_ids=ids, attention_mask=mask)
    elif stack == "encoder":
        model.get_encoder()(input_ids=ids, attention_mask=mask)
    else:
        first = torch.full_like(ids[:, :1], start_id(model))
        model.base_model(
            input_ids=ids,
            attention_mask=mask,
            decoder_input_ids=torch.cat([first, ids], dim=1),
            decoder_attention_mask=torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1),
            use_cache=False,
        )


def start_id(model: Model) -> int:
    """The token that a decoder's input begins with.

    Raises
    ------
    UnsupportedModel
        When the configuration names none.
    """
    found = getattr(model.config, "decoder_start_token_id", None)
    if found is None:
        found = getattr(model.generation_config, "decoder_start_token_id", None)
    if found is None:
        raise UnsupportedModel(
            f"got a {model.config.model_type} model without decoder_start_token_id; its decoder "
            "cannot be read (valid is stack='encoder')"
        )
    return int(found)
