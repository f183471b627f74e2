"""The door to models: the only file that imports TransformerLens.

Models are loaded by transformers, unprocessed (folding norms or centring weights would make
checkpoints incomparable), and wrapped. Their numbers are Hugging Face's own; each loaded model is
run once and compared with plain hooks on the same weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from neurotrace.capture import checks, loading
from neurotrace.capture.plain import (
    Editor,
    Model,
    Place,
    Reader,
    UnsupportedModel,
    down_projection,
    family_of,
    plain_hooks,
)
from neurotrace.capture.sites import SITES
from neurotrace.checkpoints import Checkpoint

BACKENDS = ("bridge", "plain")
# The order in which a block meets its sites; the embedding comes before every block.
_ORDER = ("embed", "mlp.hook_pre", "mlp.hook_post", "mlp.hook_out", "hook_resid_post")

Pass = Callable[[Tensor, Tensor], None]


class _Stop(Exception):
    """No error: raised by the last reader, so that nothing behind it is computed."""


@dataclass(frozen=True)
class HookedModel:
    """A model with checked sites.

    Attributes
    ----------
    model
        The Hugging Face model; under the bridge back end its modules are rewritten in place.
    tokenizer
        As Hugging Face loads it.
    backend
        ``bridge`` or ``plain``.
    n_layers
        Blocks.
    widths
        Columns of each site, the same in every block.
    """

    model: Model
    tokenizer: Any
    backend: str
    n_layers: int
    widths: Mapping[str, int]
    _bridge: Any = field(default=None, repr=False)
    _down: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @contextmanager
    def watch(self, readers: Mapping[Place, Reader]) -> Iterator[Pass]:
        """Hook readers in, and hand out the forward pass that feeds them.

        The pass takes ids and mask ``(batch, token)``, runs no language-model head and stops
        after the last place that is read. The hooks are gone when the ``with`` ends.
        """
        with _hooked(self.model, self._bridge, readers):
            yield lambda ids, mask: _body(self.model, ids, mask)

    @contextmanager
    def edit(self, editors: Mapping[Place, Editor]) -> Iterator[None]:
        """Replace the values at some places by what their editors return, until the ``with`` ends.

        An editor takes ``(batch, token, width)`` and returns the same shape; places are
        ``(site, block)``. Edits nest: an inner one sees what the outer one has written.
        """
        with (
            plain_hooks(self.model, editors)
            if self._bridge is None
            else _bridge_hooks(self._bridge, editors)
        ):
            yield

    def w_out(self, layer: int) -> Tensor:
        """``(neuron, feature)``: what each neuron of a block writes into the residual stream.

        Raises
        ------
        UnsupportedModel
            When the model was hooked without its neurons.
        """
        if not self._down:
            raise UnsupportedModel("got a model hooked without its MLP neurons; expected them")
        return rearrange(self._down[layer].weight.detach(), "feature neuron -> neuron feature")

    def logits(self, ids: Tensor, mask: Tensor) -> Tensor:
        """``(batch, token, vocabulary)``: the whole model, head included."""
        with torch.inference_mode():
            return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits


def load_model(
    checkpoint: Checkpoint | str | Path,
    *,
    backend: str = "bridge",
    device: str = "cpu",
    dtype: str = "float32",
    trust_remote_code: bool = False,
    sites: Sequence[str] = tuple(SITES),
) -> HookedModel:
    """Load a checkpoint folder, hook it, and check the hooks by running it once.

    Parameters
    ----------
    checkpoint
        A checkpoint of a series, or its folder. Nothing is fetched from a network.
    backend
        ``bridge`` (TransformerLens) or ``plain`` (Hugging Face modules).
    dtype
        Of the computation, whatever the file holds.
    trust_remote_code
        Whether Python code that lies in the folder may run.
    sites
        Those that will be read; only they are checked.

    Raises
    ------
    UnsupportedModel
        For a family that is not known, a mixture of experts whose neurons are asked for, sites of
        unequal width, or a bridge that disagrees with plain hooks.
    BrokenCheckpoint
        When the weights cannot be read, or some are missing.
    """
    folder = checkpoint.path if isinstance(checkpoint, Checkpoint) else Path(checkpoint)
    model = loading.load_weights(
        folder, device=device, dtype=dtype, trust_remote_code=trust_remote_code
    )
    tokenizer = loading.load_tokenizer(folder, trust_remote_code=trust_remote_code)
    return hook(model, tokenizer, backend=backend, sites=sites)


def hook(
    model: Model,
    tokenizer: Any,
    *,
    backend: str = "bridge",
    sites: Sequence[str] = tuple(SITES),
) -> HookedModel:
    """Hook and check a model that is in memory already; the bridge rewrites it in place."""
    if backend not in BACKENDS:
        raise ValueError(f"got backend {backend!r}; valid are {', '.join(BACKENDS)}")
    family = family_of(model, sites)
    model.eval()
    n_layers = len(model.base_model.get_submodule(family.blocks))
    places = checks.places(sites, n_layers)
    # Plain hooks first: bridging rewrites the modules, and afterwards nothing plain is left.
    values = plain = _probe(model, None, places)
    bridge = None
    if backend == "bridge":
        bridge = _wrap(model)
        values = _probe(model, bridge, places)
        checks.refuse_difference(model, plain, values)
    checks.refuse_outputs(model, values)
    return HookedModel(
        model=model,
        tokenizer=tokenizer,
        backend=backend,
        n_layers=n_layers,
        widths=checks.widths(model, values, sites),
        _bridge=bridge,
        _down=tuple(down_projection(model, at) for at in range(n_layers)) if family.down else (),
    )


def _wrap(model: Model) -> Any:
    # A private module: the public boot_transformers rebuilds the tokenizer and asks the hub.
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    return build_bridge_from_module(
        model, type(model).__name__, hf_config=model.config, tokenizer=None
    )


def _probe(model: Model, bridge: Any, places: Sequence[Place]) -> dict[Place, Tensor]:
    """The values at some places, on the check's own two sentences."""
    ids, mask = checks.sentences(model)
    values: dict[Place, Tensor] = {}

    def keeping(place: Place) -> Reader:
        def read(x: Tensor) -> None:
            values[place] = x[mask.bool()].float()

        return read

    with _hooked(model, bridge, {place: keeping(place) for place in places}):
        _body(model, ids, mask)
    return values


def _body(model: Model, ids: Tensor, mask: Tensor) -> None:
    """Run the model without its head, until its readers have had enough."""
    with torch.inference_mode(), suppress(_Stop):
        # The base model, since a head of 250,000 words costs 3.5 times the body; no cache of keys.
        model.base_model(input_ids=ids, attention_mask=mask, use_cache=False)


@contextmanager
def _hooked(model: Model, bridge: Any, readers: Mapping[Place, Reader]) -> Iterator[None]:
    # Readers may be given in any order; the forward pass meets them in this one.
    last = max(readers, key=lambda place: (place[1] is not None, place[1] or 0, _rank(place)))
    stopping = {**readers, last: _then_stop(readers[last])}
    with plain_hooks(model, stopping) if bridge is None else _bridge_hooks(bridge, stopping):
        yield


def _rank(place: Place) -> int:
    return _ORDER.index(place[0])


def _then_stop(reader: Reader) -> Reader:
    def read(x: Tensor) -> None:
        reader(x)
        raise _Stop

    return read


@contextmanager
def _bridge_hooks(bridge: Any, hooks: Mapping[Place, Reader | Editor]) -> Iterator[None]:
    """Hooks by block and site: what a hook calls itself may be another name for the same point."""
    points = [(_point(place), _nameless(hook)) for place, hook in hooks.items()]
    with bridge.hooks(fwd_hooks=points):
        yield


def _nameless(hook: Reader | Editor) -> Callable[..., Tensor | None]:
    # What a hook returns takes the place of the values: a reader returns nothing.
    def function(x: Tensor, hook: Any, own: Reader | Editor = hook) -> Tensor | None:  # noqa: ARG001
        return own(x)

    return function


def _point(place: Place) -> str:
    site, layer = place
    return "embed.hook_out" if layer is None else f"blocks.{layer}.{site}"
