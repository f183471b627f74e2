"""The input embedding of a checkpoint, read alone from its files: no model is built in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from neurotrace.capture import loading
from neurotrace.checkpoints import BrokenCheckpoint, Checkpoint
from neurotrace.checkpoints.weights import weight_files


def embedding_matrix(
    checkpoint: Checkpoint | str | Path, *, trust_remote_code: bool = False
) -> NDArray[np.float32]:
    """W_E, the row of every token id before positions and norms.

    Of safetensors only this tensor is read, whichever shard holds it; ``.bin`` files are mapped.
    Encoders and encoder-decoders (XLM-R, mT5) are read as well as causal models.

    Parameters
    ----------
    checkpoint
        A checkpoint of a series, or its folder. Nothing is fetched from a network.
    trust_remote_code
        Whether Python code that lies in the folder may run.

    Returns
    -------
    float32 ``(vocab, feature)``, equal to that of the loaded model.

    Raises
    ------
    BrokenCheckpoint
        When the files cannot be read, hold no such tensor, or one of another shape than the
        configuration says.
    """
    folder = loading.weights_folder(checkpoint)
    names, shape = _expected(folder, trust_remote_code=trust_remote_code)
    for file in weight_files(folder):
        tensor = _read(file, names)
        if tensor is not None:
            if tuple(tensor.shape) != shape:
                got = tuple(tensor.shape)
                raise BrokenCheckpoint(
                    f"{folder.name}/{file.name}: got embedding {got}; expected {shape}"
                )
            return tensor.to(torch.float32).numpy()
    raise BrokenCheckpoint(f"{folder.name}: got no tensor {names[0]} in its weight files")


def token_texts(
    checkpoint: Checkpoint | str | Path, *, trust_remote_code: bool = False
) -> list[str]:
    """The vocabulary as the tokenizer writes it, by id: ``▁the``, ``Ġthe``, ``<s>``.

    Returns
    -------
    ``(vocab,)`` strings, one for every row of :func:`embedding_matrix`; empty for ids without a
    token, since many models round their vocabulary up.
    """
    folder = loading.weights_folder(checkpoint)
    config = loading.load_config(folder, trust_remote_code=trust_remote_code)
    tokenizer = loading.load_tokenizer(checkpoint, trust_remote_code=trust_remote_code)
    texts = [""] * int(config.get_text_config().vocab_size)
    for token, number in tokenizer.get_vocab().items():
        if 0 <= number < len(texts):
            texts[number] = token
    return texts


def _expected(folder: Path, *, trust_remote_code: bool) -> tuple[list[str], tuple[int, ...]]:
    """What the tensor may be called in a file, likeliest first, and its shape."""
    model = _skeleton(folder, trust_remote_code=trust_remote_code)
    weight = model.get_input_embeddings().weight
    prefix = f"{model.base_model_prefix}."
    # A matrix that is tied to the head may be kept under the head's name alone.
    tied = [n for n, p in model.named_parameters(remove_duplicate=False) if p is weight]
    # Files of a model without head lack the prefix that its causal model would put in front.
    bare = [name.removeprefix(prefix) for name in tied]
    names = dict.fromkeys([*tied, *bare, *(prefix + name for name in bare)])
    return list(names), tuple(weight.shape)


def _skeleton(folder: Path, *, trust_remote_code: bool) -> Any:
    try:
        return loading.skeleton(folder, trust_remote_code=trust_remote_code)
    except ValueError as error:
        if isinstance(error, BrokenCheckpoint):
            raise
    # A family without a row, and no causal model of it: what it is without a head.
    from transformers import AutoModel

    config = loading.load_config(folder, trust_remote_code=trust_remote_code)
    with torch.device("meta"):
        return AutoModel.from_config(config, trust_remote_code=trust_remote_code)


def _read(file: Path, names: list[str]) -> Tensor | None:
    """The first tensor of a file that has one of the names, or None."""
    try:
        return next(_tensors(file, names), None)
    except Exception as error:
        line = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        raise BrokenCheckpoint(
            f"{file.parent.name}/{file.name}: truncated or unreadable ({line:.160})"
        ) from None


def _tensors(file: Path, names: list[str]) -> Iterator[Tensor]:
    if file.suffix == ".bin":
        state = _mapped(file)
        yield from (state[name] for name in names if name in state)
        return
    with safe_open(file, framework="pt") as opened:
        held = set(opened.keys())
        yield from (opened.get_tensor(name) for name in names if name in held)


def _mapped(file: Path) -> dict[str, Tensor]:
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:
        # Files older than torch 1.6 are no zip archives, and only those can be mapped.
        return torch.load(file, map_location="cpu", weights_only=True)
