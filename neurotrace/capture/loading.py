"""Hugging Face folders into memory: weights, tokenizer, shapes, and the re-initialised twin."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from neurotrace.capture.plain import Model
from neurotrace.checkpoints import BrokenCheckpoint
from neurotrace.checkpoints.weights import weight_files

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_weights(
    folder: Path, *, device: str = "cpu", dtype: str = "float32", trust_remote_code: bool = False
) -> Model:
    """The causal language model of a folder, in evaluation mode.

    Raises
    ------
    BrokenCheckpoint
        When the file cannot be read, or tensors are missing or of another shape: transformers
        would fill the gaps with random numbers.
    """
    from transformers import AutoModelForCausalLM

    kind = torch_dtype(dtype, device)
    # Read before transformers does, whose own errors for a damaged file span many lines.
    shapes(folder)
    loader: Any = AutoModelForCausalLM  # typed as if it always gave a model alone
    with _quiet():
        try:
            model, report = loader.from_pretrained(
                folder,
                dtype=kind,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                weights_only=True,
                output_loading_info=True,
            )
        except (OSError, RuntimeError, SafetensorError, UnpicklingError) as error:
            line = str(error).strip().splitlines()[0]
            raise BrokenCheckpoint(f"{folder.name}: not loadable ({line:.160})") from None
    missing = sorted(report["missing_keys"])
    if missing:
        raise BrokenCheckpoint(f"{folder.name}: got weights without {missing[0]} ({len(missing)})")
    return model.to(device).eval()


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a folder, as Hugging Face loads it.

    Raises
    ------
    BrokenCheckpoint
        When the folder has none, or one that cannot be read.
    """
    from transformers import AutoTokenizer

    _refuse_no_tokenizer(folder)
    with _quiet():
        try:
            return AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trust_remote_code
            )
        except (OSError, ValueError, KeyError) as error:
            line = str(error).strip().splitlines()[0]
            raise BrokenCheckpoint(f"{folder.name}: no tokenizer ({line:.160})") from None


def refuse_incomplete(folder: Path) -> None:
    """Refuse a checkpoint folder without configuration or tokenizer, before anything is read."""
    if not (folder / "config.json").is_file():
        raise BrokenCheckpoint(f"{folder.name}: got no config.json")
    _refuse_no_tokenizer(folder)


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


def reinitialized(folder: Path, *, seed: int, dtype: str = "float32", device: str = "cpu") -> Model:
    """A model of the folder's configuration with other random weights: step 0 of nothing.

    The seed is mixed first, so that no small number repeats the weights of a run that started
    from the same one.
    """
    from transformers import AutoModelForCausalLM

    config = load_config(folder)
    mixed = int(np.random.SeedSequence([seed, 2]).generate_state(1)[0])
    # The caller's random state is left as it was.
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(mixed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model.to(device=device, dtype=torch_dtype(dtype, device)).eval()


def skeleton(folder: Path, *, trust_remote_code: bool = False) -> Model:
    """The model of a folder without weights, to read its widths from."""
    from transformers import AutoModelForCausalLM

    config = load_config(folder, trust_remote_code=trust_remote_code)
    with torch.device("meta"), _quiet():
        return AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)


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


def torch_dtype(dtype: str, device: str) -> torch.dtype:
    """The type to compute in; refuses float16 on a CPU, where it is several times slower."""
    if dtype not in DTYPES:
        raise ValueError(f"got compute_dtype {dtype!r}; valid are {', '.join(DTYPES)}")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        line = str(error).strip().splitlines()[0]
        raise ValueError(f"got device {device!r}, which is not to be had: {line:.100}") from None
    if dtype == "float16" and str(device).startswith("cpu"):
        raise ValueError(
            "got compute_dtype 'float16' on a CPU, which is several times slower than float32; "
            "valid there are float32 and bfloat16"
        )
    return DTYPES[dtype]


def free(device: str) -> None:
    """Give the memory of the last model back before the next is loaded."""
    # Wrapped modules point at each other in circles: counting references alone keeps them.
    gc.collect()
    if str(device).startswith("cuda"):
        torch.cuda.empty_cache()


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
