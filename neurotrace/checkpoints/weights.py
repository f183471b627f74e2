"""What the weights of a checkpoint are: hashed by tensor, so that copies show whatever their name.

Published checkpoints are sometimes copies of another step. The hash covers every tensor's name,
type, shape and bytes, and nothing else: two files that differ in metadata alone hash the same.
"""

import hashlib
import json
import mmap
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

HEADER_LENGTH = 8  # a safetensors file begins with its header's length, little-endian
TYPES = {
    "torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16",
    "torch.bfloat16": "BF16", "torch.int64": "I64", "torch.int32": "I32",
    "torch.int16": "I16", "torch.int8": "I8",
    "torch.uint8": "U8", "torch.bool": "BOOL",
}  # fmt: skip
# An exponent of ones alone is a NaN or an infinity.
EXPONENTS = {
    "F64": ("<u8", 0x7FF << 52), "F32": ("<u4", 0xFF << 23),
    "F16": ("<u2", 0x1F << 10), "BF16": ("<u2", 0xFF << 7),
}  # fmt: skip
MASKS = ("masked_bias", "attn.bias", "attention.bias")
PIECE = 2**22  # numbers looked at at once
EDGE = 2**20  # bytes at either end of a file that its fingerprint covers
MAX_HEADER = 100_000_000  # the format's own limit


class BrokenCheckpoint(ValueError):
    """A checkpoint whose weight file is missing, truncated or unreadable."""


def weight_hash(path: str | Path) -> str:
    """SHA-256 over the tensors of a checkpoint folder, sorted by name.

    Parameters
    ----------
    path
        Folder with ``model.safetensors``, shards with an index, or ``pytorch_model.bin`` (read by
        torch with ``weights_only=True``; pickled code never runs).

    Returns
    -------
    64 hexadecimal digits.

    Raises
    ------
    BrokenCheckpoint
        Naming the file that is missing, truncated or not what its name says.
    """
    digest = hashlib.sha256()
    for name, kind, shape, file, start, stop in _tensors(Path(path)):
        digest.update(f"{name}|{kind}|{shape}|".encode())
        with _bytes_of(file, start, stop) as raw:
            digest.update(raw)
    return digest.hexdigest()


def not_finite(path: str | Path) -> list[str]:
    """Names of the tensors that hold a NaN or an infinity, sorted.

    Buffers of attention masks do not count: some hold minus infinity by design.

    Raises
    ------
    BrokenCheckpoint
        Naming the file that is missing, truncated or not what its name says.
    """
    found = []
    for name, kind, _, file, start, stop in _tensors(Path(path)):
        if kind in EXPONENTS and not name.endswith(MASKS):
            with _bytes_of(file, start, stop) as raw:
                if not finite(raw, kind):
                    found.append(name)
    return found


def finite(raw: memoryview | bytes, kind: str) -> bool:
    """Whether floats of a type (``F16 BF16 F32 F64``) hold neither NaN nor infinity."""
    import numpy as np

    if kind not in EXPONENTS:
        return True
    whole, exponent = EXPONENTS[kind]
    bits = np.frombuffer(raw, dtype=whole)
    pieces = (bits[at : at + PIECE] for at in range(0, len(bits), PIECE))
    return not any(bool((piece & exponent == exponent).any()) for piece in pieces)


def _tensors(folder: Path) -> "list[Tensor]":
    """The tensors of all files, sorted by name."""
    files = weight_files(folder)
    read = _torch_tensors if files[0].suffix == ".bin" else _safe_tensors
    return sorted((item for file in files for item in read(file)), key=lambda item: item[0])


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a checkpoint's weights, each seen to exist."""
    for stem, suffix in (("model", ".safetensors"), ("pytorch_model", ".bin")):
        single, index = folder / f"{stem}{suffix}", folder / f"{stem}{suffix}.index.json"
        if single.is_file():
            return [single]
        if index.is_file():
            shards = _shards(index)
            missing = [name for name in shards if not (folder / name).is_file()]
            if missing:
                raise BrokenCheckpoint(
                    f"{folder.name}: got no file {missing[0]}, which {index.name} names"
                )
            return [folder / name for name in shards]
    raise BrokenCheckpoint(f"{folder.name}: got no weights; expected model.safetensors")


def fingerprint(path: str | Path) -> str:
    """A cheap mark of a checkpoint's weights: sizes, first and last MiB of its files.

    Enough to tell another checkpoint under the same name; :func:`weight_hash` says more.

    Raises
    ------
    BrokenCheckpoint
        When there are no weights.
    """
    digest = hashlib.sha256()
    for file in weight_files(Path(path)):
        size = file.stat().st_size
        digest.update(f"{file.name}|{size}|".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(EDGE))
            stream.seek(max(0, size - EDGE))
            digest.update(stream.read(EDGE))
    return digest.hexdigest()


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError):
        raise BrokenCheckpoint(f"{_where(index)}: got no table weight_map") from None


Tensor = tuple[str, str, str, Any, int, int]  # name, type, shape, where the bytes are, from, to


def safe_header(
    read: Callable[[int, int], bytes], size: int, *, where: str
) -> tuple[dict[str, dict[str, Any]], int]:
    """The header of a safetensors file, and the byte at which its tensors begin.

    Parameters
    ----------
    read
        ``read(start, stop)`` gives those bytes of the file.
    size
        Bytes of the whole file; the header is checked against it.
    where
        Name of the file, for what goes wrong.

    Raises
    ------
    BrokenCheckpoint
        When the file is too short or too long for its header, or the header is no table.
    """
    length = int.from_bytes(read(0, HEADER_LENGTH), "little")
    if size < HEADER_LENGTH or length > min(MAX_HEADER, size - HEADER_LENGTH):
        raise BrokenCheckpoint(f"{where}: got {size} bytes, too few for its header")
    body = HEADER_LENGTH + length
    try:
        header = json.loads(read(HEADER_LENGTH, body))
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (ValueError, AttributeError, TypeError, KeyError, IndexError):
        raise BrokenCheckpoint(f"{where}: got a header that is no table") from None
    if body + end != size:
        raise BrokenCheckpoint(
            f"{where}: got {size} bytes; expected {body + end} (truncated or damaged)"
        )
    return header, body


def _safe_tensors(file: Path) -> Iterator[Tensor]:
    """Where each tensor of a safetensors file lies; the header is read, no tensor is."""
    with file.open("rb") as stream:

        def read(start: int, stop: int) -> bytes:
            stream.seek(start)
            return stream.read(stop - start)

        header, body = safe_header(read, file.stat().st_size, where=_where(file))
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        yield name, entry["dtype"], str(entry["shape"]), file, body + start, body + stop


def torch_state(file: Path, *, device: str = "cpu") -> "dict[str, torch.Tensor]":
    """The tensors of a file that only torch reads; pickled code never runs.

    Parameters
    ----------
    device
        ``"meta"`` gives types and shapes without reading a tensor.

    Raises
    ------
    BrokenCheckpoint
        When torch cannot read it, or something in it is no tensor.
    """
    import torch

    try:
        # Mapped, so that one tensor at a time is in memory; files of old are no archives.
        mapped = device == "cpu" and zipfile.is_zipfile(file)
        state = torch.load(file, map_location=device, weights_only=True, mmap=mapped)
        items = list(state.items())
    except Exception as error:
        raise BrokenCheckpoint(
            f"{_where(file)}: not loadable as weights ({error!s:.120})"
        ) from None
    for name, tensor in items:
        if not isinstance(tensor, torch.Tensor):
            raise BrokenCheckpoint(f"{_where(file)}: got {name!r}, which is no tensor")
    return dict(items)


def _torch_tensors(file: Path) -> Iterator[Tensor]:
    for name, tensor in torch_state(file).items():
        # Types by their safetensors names, so that the same weights hash alike in both formats.
        kind = TYPES.get(str(tensor.dtype), str(tensor.dtype))
        yield name, kind, str(list(tensor.shape)), tensor, 0, tensor.nbytes


@contextmanager
def _bytes_of(source: Any, start: int, stop: int) -> Iterator[memoryview]:
    """The bytes of one tensor: mapped from its file, or those of a torch tensor."""
    if not isinstance(source, Path):
        import torch

        yield memoryview(source.contiguous().reshape(-1).view(torch.uint8).numpy())
    elif start == stop:
        yield memoryview(b"")
    else:
        with (
            source.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as whole,
            whole[start:stop] as view,
        ):
            yield view


def _where(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
