"""A model in the middle of its training, read without being touched.

Nothing is hooked into it, switched to evaluation or cast: its weights are taken as they lie in
memory, as a checkpoint saved now would hold them, and a second model is put on them. On the same
device and in the same type the two share their memory, so that the second costs none.
"""

import copy
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurotrace.capture import loading
from neurotrace.capture.devices import home, torch_dtype
from neurotrace.capture.plain import Model, UnsupportedModel
from neurotrace.checkpoints.weights import TYPES

COMPILED = "_orig_mod"  # what torch.compile calls the module it wraps


def unwrapped(model: Any) -> Model:
    """The transformers model inside of what training wraps around it.

    ``torch.compile``, ``DataParallel``, ``DistributedDataParallel`` and whatever else keeps its
    model as ``module`` are looked through; nothing is taken off the model itself.

    Raises
    ------
    UnsupportedModel
        For anything else than a transformers model that holds all of its weights in memory: one
        whose weights are sharded over processes, or offloaded, or saved in another form than they
        compute in (adapters, quantised weights).
    """
    from transformers import PreTrainedModel

    inner = model
    while not isinstance(inner, PreTrainedModel):
        wrapped = getattr(inner, COMPILED, None) or getattr(inner, "module", None)
        if not isinstance(wrapped, nn.Module):
            got = type(inner).__name__
            raise UnsupportedModel(f"got a {got}; expected a transformers PreTrainedModel")
        inner = wrapped
    # A sharded state dict is gathered by all processes together: asked for by one, it would hang.
    for module in inner.modules():
        if type(module).__name__ == "FullyShardedDataParallel":
            raise UnsupportedModel(_SHARDED)
    for parameter in inner.parameters():
        if hasattr(parameter, "ds_id") or hasattr(parameter, "device_mesh"):
            raise UnsupportedModel(_SHARDED)
        if parameter.is_meta:
            raise UnsupportedModel("got a model with offloaded weights; expected them in memory")
    if getattr(inner, "_hf_peft_config_loaded", False) or getattr(inner, "hf_quantizer", None):
        raise UnsupportedModel(
            "got a model with adapters or quantised weights; expected one that is saved as it is"
        )
    return inner


_SHARDED = (
    "got weights sharded over processes (FSDP, ZeRO stage 3); expected a whole model in each "
    "process: save checkpoints, and trace these"
)


def saved_state(model: Model) -> dict[str, Tensor]:
    """Name → tensor, as ``save_pretrained`` would write them now; nothing is copied or written.

    Names and tying are those of a checkpoint's file, which some families change on loading.
    """
    # What save_pretrained itself calls; it writes into the model's configuration besides.
    from transformers.core_model_loading import revert_weight_conversion
    from transformers.modeling_utils import remove_tied_weights_from_state_dict

    state = {name.replace(f"{COMPILED}.", ""): x for name, x in model.state_dict().items()}
    for name in model._keys_to_ignore_on_save or ():
        state.pop(name, None)
    with torch.no_grad():
        return revert_weight_conversion(model, remove_tied_weights_from_state_dict(state, model))


def state_hash(state: Mapping[str, Tensor]) -> str:
    """:func:`neurotrace.checkpoints.weight_hash` of the file that would hold these tensors."""
    digest = hashlib.sha256()
    for name, x in sorted(state.items()):
        kind = TYPES.get(str(x.dtype), str(x.dtype))
        digest.update(f"{name}|{kind}|{list(x.shape)}|".encode())
        raw = x.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(raw.numpy().data)
    return digest.hexdigest()


def write_shell(model: Model, tokenizer: Any, folder: Path) -> None:
    """What a checkpoint's folder holds beside its weights: configuration and tokenizer."""
    # Copies: saving writes into a configuration, and a tokenizer in use has a state.
    config, tokenizer = copy.deepcopy(model.config), copy.deepcopy(tokenizer)
    config.dtype = str(model.dtype).removeprefix("torch.")
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def second_model(
    folder: Path,
    state: Mapping[str, Tensor],
    *,
    device: str,
    dtype: str,
    trust_remote_code: bool = False,
) -> Model:
    """The model that loading a checkpoint of these weights would give, in evaluation mode.

    Parameters
    ----------
    folder
        Configuration and tokenizer, see :func:`write_shell`.
    state
        As :func:`saved_state` gives it. Tensors of the right type on the right device are not
        copied: the model must not be trained.

    Raises
    ------
    UnsupportedModel
        When the state lacks tensors of the model that would be loaded, such as its head.
    """
    config = loading.load_config(folder, trust_remote_code=trust_remote_code)
    # The class that loading would choose, whatever class is trained.
    kind: Any = type(loading.skeleton(folder, trust_remote_code=trust_remote_code))
    # Without a map everything would go through the processor's memory.
    where = {} if device.startswith("cpu") else {"device_map": {"": device}}
    with loading._quiet():
        model, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(state),
            dtype=torch_dtype(dtype, device),
            output_loading_info=True,
            **where,
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise UnsupportedModel(
            f"got a model without {missing[0]} ({len(missing)} such tensors), which a "
            f"{kind.__name__} needs"
        )
    return model.to(device).eval().requires_grad_(False)


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Leave a training process as it was found, whatever is computed inside.

    Random states of Python, NumPy and torch on every device, autocast, and the precision of matrix
    products: the last two are the defaults inside, as where a saved checkpoint is traced.
    """
    kind, places = home(model).type, _with_precision()
    with ExitStack() as stack:
        for get, put in _random_states(kind):
            stack.callback(put, get())
        stack.callback(_set_precisions, places, [place.fp32_precision for place in places])
        _set_precisions(places, ["none"] * len(places))
        for each in {"cpu", kind}:
            stack.enter_context(torch.autocast(each, enabled=False))
        yield


def _random_states(kind: str) -> Iterator[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """How each is read, and restored."""
    yield random.getstate, random.setstate
    # The legacy generator is what training draws from.
    yield np.random.get_state, np.random.set_state
    yield torch.get_rng_state, torch.set_rng_state
    if kind == "cuda":
        yield torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all
    elif kind == "mps":
        yield torch.mps.get_rng_state, torch.mps.set_rng_state


def _with_precision() -> list[Any]:
    """What keeps a precision of float32 products (TF32 and the like), the general one first."""
    backends: Any = torch.backends
    places = (backends, backends.cuda.matmul, backends.mkldnn, backends.mkldnn.matmul)
    return [place for place in places if hasattr(place, "fp32_precision")]


def _set_precisions(places: Sequence[Any], values: Sequence[str]) -> None:
    # The general one sets the others, so all are set, in this order.
    for place, value in zip(places, values, strict=True):
        place.fp32_precision = value
