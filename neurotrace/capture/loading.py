"""Hugging Face folders into memory: weights, tokenizer, shapes, and the re-initialised twin."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from neurotrace.capture.devices import (
    DeviceMap,
    keep_offload,
    offload_folder,
    out_of_memory,
    resolve,
    spread,
    torch_dtype,
)
from neurotrace.capture.families import FAMILIES
from neurotrace.capture.plain import Model, known_family
from neurotrace.checkpoints import BrokenCheckpoint, Checkpoint
from neurotrace.checkpoints.weights import weight_files

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
)
HEADS = {
    "causal": "AutoModelForCausalLM",
    "masked": "AutoModelForMaskedLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
}


def load_weights(
    folder: Path,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    device_map: DeviceMap | None = None,
    trust_remote_code: bool = False,
) -> Model:
    """The language model of a folder with its family's head, in evaluation mode.

    Parameters
    ----------
    device_map
        Lays a model that does not fit over several devices: ``auto``, or the device of each module
        (a number, a name, ``cpu``, ``disk``). Without it, all of it lies on ``device``.

    Raises
    ------
    UnsupportedModel
        For a family that is not known.
    BrokenCheckpoint
        When the file cannot be read, or tensors are missing or of another shape: transformers
        would fill the gaps with random numbers.
    ValueError
        When the weights do not fit into the memory of the device.
    """
    device, dtype = resolve(device, dtype)
    kind, offload = torch_dtype(dtype, device), offload_folder(device_map)
    # Read before transformers does, whose own errors for a damaged file span many lines.
    shapes(folder)
    loader = _auto(load_config(folder, trust_remote_code=trust_remote_code), known=True)
    with _quiet():
        try:
            model, report = loader.from_pretrained(
                folder,
                dtype=kind,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                weights_only=True,
                output_loading_info=True,
                **spread(device_map, offload),
            )
            if device_map is None:
                model = model.to(device)
        except (OSError, RuntimeError, MemoryError, SafetensorError, UnpicklingError) as error:
            if out_of_memory(error):
                raise ValueError(
                    f"{folder.name}: its weights do not fit into the memory of {device} as "
                    f"{dtype}; --device-map auto lays them over all devices and the disk"
                ) from None
            line = str(error).strip().splitlines()[0]
            raise BrokenCheckpoint(f"{folder.name}: not loadable ({line:.160})") from None
    missing = sorted(report["missing_keys"])
    if missing:
        raise BrokenCheckpoint(f"{folder.name}: got weights without {missing[0]} ({len(missing)})")
    return keep_offload(model, offload).eval()


def load_tokenizer(checkpoint: Checkpoint | str | Path, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a checkpoint or of a folder, as Hugging Face loads it.

    Parameters
    ----------
    checkpoint
        A checkpoint whose tokenizer may lie in another folder than its weights, or a folder.

    Raises
    ------
    BrokenCheckpoint
        When the folder has none, or one that cannot be read.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder = tokenizer_folder(checkpoint)
    _refuse_no_tokenizer(folder)
    with _quiet():
        try:
            found = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trust_remote_code
            )
            # For some families transformers overrules the folder and builds the family's usual
            # tokenizer around its vocabulary, which splits a text in another way.
            if _is_whole(folder) and type(found) is not PreTrainedTokenizerFast:
                return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
            return found
        except (OSError, ValueError, KeyError) as error:
            line = str(error).strip().splitlines()[0]
            raise BrokenCheckpoint(f"{folder.name}: no tokenizer ({line:.160})") from None


def _is_whole(folder: Path) -> bool:
    """Whether a folder says that its tokenizer.json is all there is to its tokenizer."""
    config = folder / "tokenizer_config.json"
    if not (config.is_file() and (folder / "tokenizer.json").is_file()):
        return False
    said = json.loads(config.read_text(encoding="utf-8")).get("tokenizer_class")
    return said in ("PreTrainedTokenizerFast", "TokenizersBackend")


def refuse_incomplete(checkpoint: Checkpoint | str | Path) -> None:
    """Refuse a checkpoint without configuration or tokenizer, before anything is read."""
    folder = weights_folder(checkpoint)
    if not (folder / "config.json").is_file():
        raise BrokenCheckpoint(f"{folder.name}: got no config.json")
    _refuse_no_tokenizer(tokenizer_folder(checkpoint))


def weights_folder(checkpoint: Checkpoint | str | Path) -> Path:
    """Where configuration and weights lie."""
    return checkpoint.path if isinstance(checkpoint, Checkpoint) else Path(checkpoint)


def tokenizer_folder(checkpoint: Checkpoint | str | Path) -> Path:
    """Where the tokenizer lies: beside the weights, or where the checkpoint says."""
    if isinstance(checkpoint, Checkpoint):
        return getattr(checkpoint, "tokenizer", None) or checkpoint.path
    return Path(checkpoint)


def _refuse_no_tokenizer(folder: Path) -> None:
    # Without any file transformers makes up a tokenizer that knows no word.
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise BrokenCheckpoint(
            f"{folder.name}: no tokenizer (expected one of {', '.join(TOKENIZER_FILES)})"
        )


def load_config(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The configuration of a folder."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, KeyError) as error:
        line = str(error).strip().splitlines()[0]
        if "custom code" in line:
            line = "it brings code of its own, which runs only with --trust-remote-code"
        raise BrokenCheckpoint(f"{folder.name}: no usable config.json ({line:.160})") from None


def reinitialized(
    folder: Path,
    *,
    seed: int,
    dtype: str = "float32",
    device: str = "cpu",
    trust_remote_code: bool = False,
) -> Model:
    """A model of the folder's configuration with other random weights: step 0 of nothing.

    The seed is mixed first, so that no small number repeats the weights of a run that started
    from the same one.
    """
    config = load_config(folder, trust_remote_code=trust_remote_code)
    mixed = int(np.random.SeedSequence([seed, 2]).generate_state(1)[0])
    # The caller's random state is left as it was.
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(mixed)
        model = _auto(config).from_config(
            config, dtype=torch.float32, trust_remote_code=trust_remote_code
        )
    return model.to(device=device, dtype=torch_dtype(dtype, device)).eval()


def skeleton(folder: Path, *, trust_remote_code: bool = False) -> Model:
    """The model of a folder without weights, to read its widths from."""
    config = load_config(folder, trust_remote_code=trust_remote_code)
    with torch.device("meta"), _quiet():
        return _auto(config).from_config(config, trust_remote_code=trust_remote_code)


def _auto(config: Any, *, known: bool = False) -> Any:
    """The class of transformers that builds a configuration's model with its family's head.

    Parameters
    ----------
    known
        Refuse a family without a row, instead of taking it for a causal one.
    """
    import transformers

    row = known_family(config) if known else FAMILIES.get(str(config.model_type))
    return getattr(transformers, HEADS["causal" if row is None else row.auto])


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a checkpoint; safetensors are not read beyond their header.

    Raises
    ------
    BrokenCheckpoint
        Naming the file that is missing, truncated or unreadable.
    """
    found: dict[str, tuple[int, ...]] = {}
    for file in weight_files(folder):
        try:
            if file.suffix == ".bin":
                state = torch.load(file, map_location="meta", weights_only=True)
                found |= {name: tuple(tensor.shape) for name, tensor in state.items()}
            else:
                with safe_open(file, framework="numpy") as opened:
                    slices = {name: opened.get_slice(name) for name in opened.keys()}
                    found |= {name: tuple(part.get_shape()) for name, part in slices.items()}
        except Exception as error:
            line = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
            raise BrokenCheckpoint(
                f"{folder.name}/{file.name}: truncated or unreadable ({line:.160})"
            ) from None
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and load reports off the terminal."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
