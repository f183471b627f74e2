"""The door to models: loaded, hooked and checked.

Models are loaded by transformers, unprocessed (folding norms or centring weights would make
checkpoints incomparable), and wrapped. Their numbers are Hugging Face's own; each loaded model is
run once and compared with plain hooks on the same weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from neurotrace.capture import checks, loading
from neurotrace.capture.bridge import wrap
from neurotrace.capture.devices import DeviceMap, home, out_of_memory
from neurotrace.capture.forward import editing, watching
from neurotrace.capture.plain import (
    Editor,
    Model,
    Place,
    Reader,
    UnsupportedModel,
    down_projection,
    family_of,
    is_turned,
    known_family,
    row_of,
    stack_of,
)
from neurotrace.capture.sites import SHARED, SITES
from neurotrace.checkpoints import Checkpoint

BACKENDS = ("bridge", "plain")

Forward = Callable[[Tensor, Tensor], None]


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
        ``bridge`` or ``plain``: the one that is used, whichever was asked for.
    n_layers
        Blocks of the stack.
    widths
        Columns of each site, the same in every block.
    stack
        ``encoder`` or ``decoder``: the one that is read.
    """

    model: Model
    tokenizer: Any
    backend: str
    n_layers: int
    widths: Mapping[str, int]
    stack: str = "decoder"
    _bridge: Any = field(default=None, repr=False)
    _down: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def device(self) -> torch.device:
        """Where token ids go."""
        return home(self.model)

    @property
    def entry(self) -> Any:
        """The module that every forward pass gives its token ids to."""
        return self.model.base_model.get_submodule(row_of(self.model, self.stack).entry)

    @contextmanager
    def watch(self, readers: Mapping[Place, Reader]) -> Iterator[Forward]:
        """Hook readers in, and hand out the forward pass that feeds them.

        The pass takes ids and mask ``(batch, token)``, runs no language-model head and stops
        after the last place that is read. The hooks are gone when the ``with`` ends.
        """
        with watching(self.model, self._bridge, readers, stack=self.stack) as forward:
            yield forward

    @contextmanager
    def edit(self, editors: Mapping[Place, Editor]) -> Iterator[None]:
        """Replace the values at some places by what their editors return, until the ``with`` ends.

        An editor takes ``(batch, token, width)`` and returns the same shape; places are
        ``(site, block)``. Edits nest: an inner one sees what the outer one has written.

        Raises
        ------
        UnsupportedModel
            For a model that is not causal, and for the experts of a mixture.
        """
        self.require_causal("editing its activations")
        if any(site == SHARED for site, _ in editors):
            raise UnsupportedModel(f"got editors at {SHARED}; a mixture's experts can only be read")
        with editing(self.model, self._bridge, editors):
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
        weight = self._down[layer].weight.detach()
        if is_turned(self._down[layer]):
            return weight
        return rearrange(weight, "feature neuron -> neuron feature")

    def logits(self, ids: Tensor, mask: Tensor) -> Tensor:
        """``(batch, token, vocabulary)``: the whole model, head included.

        Raises
        ------
        UnsupportedModel
            For a model that does not predict the next token.
        """
        self.require_causal("predicting the next token")
        with torch.inference_mode():
            return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits

    def require_causal(self, task: str) -> None:
        """Refuse, by the name of what is asked of it, a model that does not predict what follows.

        Raises
        ------
        UnsupportedModel
            For a masked or an encoder-decoder model.
        """
        kind = known_family(self.model.config).auto
        if kind != "causal":
            raise UnsupportedModel(
                f"got a {self.model.config.model_type} model, which is {kind}; {task} takes a "
                "causal language model"
            )


def load_model(
    checkpoint: Checkpoint | str | Path,
    *,
    backend: str = "bridge",
    device: str = "cpu",
    dtype: str = "float32",
    device_map: DeviceMap | None = None,
    trust_remote_code: bool = False,
    sites: Sequence[str] = tuple(SITES),
    stack: str = "auto",
) -> HookedModel:
    """Load a checkpoint folder, hook it, and check the hooks by running it once.

    Parameters
    ----------
    checkpoint
        A checkpoint of a series, or its folder. Nothing is fetched from a network.
    backend
        ``bridge`` (TransformerLens) or ``plain`` (Hugging Face modules).
    device, dtype
        Of the computation, whatever the file holds; ``auto`` as in
        :func:`neurotrace.capture.devices.resolve`.
    device_map
        Lays the model over several devices, as in :func:`neurotrace.capture.run`; plain hooks read
        it then.
    trust_remote_code
        Whether Python code that lies in the folder may run.
    sites
        Those that will be read; only they are checked.
    stack
        ``encoder`` or ``decoder`` of a model that has both; ``auto`` is the encoder there, else
        the only one.

    Raises
    ------
    UnsupportedModel
        For a family that is not known, a site or stack that it lacks, sites of unequal width, or a
        bridge that disagrees with plain hooks.
    BrokenCheckpoint
        When the weights cannot be read, or some are missing.
    """
    folder = loading.weights_folder(checkpoint)
    model = loading.load_weights(
        folder,
        device=device,
        dtype=dtype,
        device_map=device_map,
        trust_remote_code=trust_remote_code,
    )
    backend = backend if device_map is None else "plain"
    tokenizer = loading.load_tokenizer(checkpoint, trust_remote_code=trust_remote_code)
    return hook(model, tokenizer, backend=backend, sites=sites, stack=stack)


def hook(
    model: Model,
    tokenizer: Any,
    *,
    backend: str = "bridge",
    sites: Sequence[str] = tuple(SITES),
    stack: str = "auto",
) -> HookedModel:
    """Hook and check a model that is in memory already; the bridge rewrites it in place.

    Families without a bridge are hooked plainly, whichever back end is asked for.
    """
    if backend not in BACKENDS:
        raise ValueError(f"got backend {backend!r}; valid are {', '.join(BACKENDS)}")
    stack = stack_of(model, stack)
    family = family_of(model, sites, stack=stack)
    row = row_of(model, stack)
    model.eval()
    n_layers = len(model.base_model.get_submodule(row.blocks))
    places = checks.places(sites, n_layers, whole_mlp=bool(row.mlp))
    # Before bridging, which rewrites the modules; the projections themselves stay what they are.
    down = [down_projection(model, at, stack=stack) for at in range(n_layers) if row.down]
    values = plain = _probe(model, None, places, stack)
    bridge = None
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    if backend == "bridge" and family.bridged(dtype):
        bridge, values = _bridged(model, places, stack)
        checks.refuse_difference(model, plain, values)
    checks.refuse_outputs(model, values)
    return HookedModel(
        model=model,
        tokenizer=tokenizer,
        backend="plain" if bridge is None else "bridge",
        n_layers=n_layers,
        widths=checks.widths(model, values, sites),
        stack=stack,
        _bridge=bridge,
        _down=tuple(down),
    )


def _bridged(model: Model, places: Sequence[Place], stack: str) -> tuple[Any, dict[Place, Tensor]]:
    """A bridge around the model, and its values."""
    try:
        bridge = wrap(model)
        return bridge, _probe(model, bridge, places, stack)
    except Exception as error:
        if isinstance(error, UnsupportedModel) or out_of_memory(error):
            raise
        # Some bridges were written for one of several architectures under the same name.
        line = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        raise UnsupportedModel(
            f"{model.config.model_type}: the bridge fails ({line:.120}); use backend='plain'"
        ) from error


def _probe(model: Model, bridge: Any, places: Sequence[Place], stack: str) -> dict[Place, Tensor]:
    """The values at some places, on the check's own two sentences."""
    ids, mask = checks.sentences(model)
    values: dict[Place, Tensor] = {}

    def keeping(place: Place) -> Reader:
        def read(x: Tensor) -> None:
            values[place] = x[mask.bool()].float()

        return read

    readers = {place: keeping(place) for place in places}
    with watching(model, bridge, readers, stack=stack) as forward:
        forward(ids, mask)
    return values
