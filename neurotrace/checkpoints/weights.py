"""What the weights of a checkpoint are: hashed by tensor, so that copies show whatever their name.

Published checkpoints are sometimes copies of another step. The hash covers every tensor's name,
type, shape and bytes, and nothing else: two files that differ in metadata alone hash the same.
"""

import hashlib
import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER_LENGTH = 8  # a safetensors file begins with its header's length, little-endian
TYPES = {
    "torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16",
    "torch.bfloat16": "BF16", "torch.int64": "I64", "torch.int32": "I32",
    "torch.int16": "I16", "torch.int8": "I8",
    "torch.uint8": "U8", "torch.bool": "BOOL",
}  # fmt: skip
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
    files = weight_files(Path(path))
    digest = hashlib.sha256()
    read = _torch_tensors if files[0].suffix == ".bin" else _safe_tensors
    tensors = [item for file in files for item in read(file)]
    for name, kind, shape, file, start, stop in sorted(tensors, key=lambda item: item[0]):
        digest.update(f"{name}|{kind}|{shape}|".encode())
        _feed(digest, file, start, stop)
    return digest.hexdigest()


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


def _safe_tensors(file: Path) -> Iterator[Tensor]:
    """Where each tensor of a safetensors file lies; the header is read, no tensor is."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(HEADER_LENGTH), "little")
        if size < HEADER_LENGTH or length > min(MAX_HEADER, size - HEADER_LENGTH):
            raise BrokenCheckpoint(f"{_where(file)}: got {size} bytes, too few for its header")
        try:
            header = json.loads(stream.read(length))
            header.pop("__metadata__", None)
        except (ValueError, AttributeError, TypeError):
            raise BrokenCheckpoint(f"{_where(file)}: got a header that is no table") from None
    body = HEADER_LENGTH + length
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if body + end != size:
        raise BrokenCheckpoint(
            f"{_where(file)}: got {size} bytes; expected {body + end} (truncated or damaged)"
        )
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        yield name, entry["dtype"], str(entry["shape"]), file, body + start, body + stop


def _torch_tensors(file: Path) -> Iterator[Tensor]:
    import torch

    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BrokenCheckpoint(
            f"{_where(file)}: not loadable as weights ({error!s:.120})"
        ) from None
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            raise BrokenCheckpoint(f"{_where(file)}: got {name!r}, which is no tensor")
        raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        # Types by their safetensors names, so that the same weights hash alike in both formats.
        kind = TYPES.get(str(tensor.dtype), str(tensor.dtype))
        yield name, kind, str(list(tensor.shape)), raw, 0, len(raw)


def _feed(digest: Any, source: Path | bytes, start: int, stop: int) -> None:
    if isinstance(source, bytes):
        digest.update(source)
        return
    if stop == start:
        return
    with (
        source.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view,
    ):
        digest.update(memoryview(view)[start:stop])


def _where(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
