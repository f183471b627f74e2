"""Where a model runs, in which type, and what it says when its memory is full."""

import ctypes
import gc
import os
import weakref
from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

import torch

AUTO = "auto"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DeviceMap = str | Mapping[str, int | str]  # "auto", or the device of each module

# How allocators say it that raise no error of their own kind: the host's, Metal's, cuBLAS'.
_FULL = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "invalid buffer size",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


def resolve(device: str = AUTO, dtype: str = AUTO, *, here: bool = True) -> tuple[str, str]:
    """The device and the type of the computation that a run gets.

    Parameters
    ----------
    device
        ``auto`` takes the first that is there of ``cuda``, ``mps`` and ``cpu``; any other name is
        taken at its word.
    dtype
        ``auto`` is bfloat16 on an accelerator that computes in it, float32 elsewhere; or
        ``float32``, ``bfloat16``, ``float16``.
    here
        Whether this machine computes. A device of others is taken at its word where this one has
        none, as a cluster's login node; then the type has to be said, too.

    Returns
    -------
    Both names, none of them ``auto``.

    Raises
    ------
    ValueError
        For a device that is not to be had, an unknown type, and float16 on a CPU.

    >>> resolve("cpu", "auto")
    ('cpu', 'float32')
    """
    device = str(device)
    if device == AUTO:
        device = _best_device()
    # A name that is not to be had is refused before it is tried out.
    try:
        torch_dtype("float32" if dtype == AUTO else dtype, device)
    except ValueError:
        if here or dtype not in (AUTO, *DTYPES) or device.startswith("cpu"):
            raise
        if dtype == AUTO:
            raise ValueError(
                f"got device {device!r} of other machines with compute_dtype 'auto', which cannot "
                "be tried out on this one; expected bfloat16 or float32"
            ) from None
    if dtype == AUTO:
        dtype = "bfloat16" if _has_bfloat16(device) else "float32"
    return device, dtype


def usual_batch(device: str) -> int:
    """Tokens a batch where none are given: on a CPU few, whose values stay near the cores."""
    return 1024 if device.startswith("cpu") else 8192


def torch_dtype(dtype: str, device: str) -> torch.dtype:
    """The type to compute in; refuses float16 on a CPU, where it is several times slower."""
    if dtype not in DTYPES:
        raise ValueError(f"got compute_dtype {dtype!r}; valid are {AUTO}, {', '.join(DTYPES)}")
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


def home(model: Any) -> torch.device:
    """Where a model takes its token ids: where its first weights lie that lie on a device at all.

    Weights that are kept on disk, or in the host's memory until they are needed, show as ``meta``;
    a model of nothing else takes its ids where its modules run.
    """
    for parameter in model.parameters():
        if parameter.device.type != "meta":
            return parameter.device
    mapped = dict(getattr(model, "hf_device_map", None) or {}).values()
    running = [place for place in mapped if str(place) not in ("cpu", "disk")]
    return torch.device(running[0]) if running else torch.device("cpu")


def offload_folder(device_map: DeviceMap | None) -> TemporaryDirectory | None:
    """Where weights lie that fit on no device; gone with the model that uses them."""
    if device_map is None:
        return None
    return TemporaryDirectory(prefix="neurotrace-offload-", ignore_cleanup_errors=True)


def spread(device_map: DeviceMap | None, offload: TemporaryDirectory | None) -> dict[str, Any]:
    """What transformers is told of a map; nothing where a model lies on one device."""
    if device_map is None or offload is None:
        return {}
    mapped = device_map if isinstance(device_map, str) else dict(device_map)
    return {"device_map": mapped, "offload_folder": offload.name}


def keep_offload(model: Any, offload: TemporaryDirectory | None) -> Any:
    """The model, with its folder on disk tied to its life."""
    if offload is not None:
        weakref.finalize(model, offload.cleanup)
    return model


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, in whatever words a device says it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in words for phrase in _FULL)


def free(device: str) -> None:
    """Give memory back that nothing holds any more: the last model's, or that of a failed batch."""
    # Wrapped modules point at each other in circles: counting references alone keeps them.
    gc.collect()
    if str(device).startswith("cuda"):
        torch.cuda.empty_cache()
    elif str(device).startswith("mps"):
        torch.mps.empty_cache()
    trim()


def trim() -> None:
    """Hand free pages back to the system: what lies between others the C library keeps."""
    found = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if found is not None:
        found(0)


def _has_bfloat16(device: str) -> bool:
    if device.startswith("cpu"):
        return False
    # Older cards emulate it, slower than float32.
    if device.startswith("cuda") and not torch.cuda.is_bf16_supported(including_emulation=False):
        return False
    try:
        ones = torch.ones(4, 4, device=device, dtype=torch.bfloat16)
        return float((ones @ ones)[0, 0]) == 4.0
    except (RuntimeError, TypeError):
        return False


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
