"""Ways to harm a file that is whole."""

from collections.abc import Callable
from pathlib import Path

import h5py


def truncated(file: Path) -> None:
    """Half of it is gone."""
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)


def flipped(file: Path) -> None:
    """One bit of the first number of its largest dataset is another."""
    with h5py.File(file, locking=False) as h5:
        found: list[h5py.Dataset] = []
        h5.visititems(lambda _, item: found.append(item) if _numbers(item) else None)
        largest = max(found, key=lambda item: item.id.get_storage_size())
        chunked = largest.chunks is not None
        at = largest.id.get_chunk_info(0).byte_offset if chunked else largest.id.get_offset()
    with file.open("r+b") as stream:
        stream.seek(at + 8)
        byte = stream.read(1)[0]
        stream.seek(at + 8)
        stream.write(bytes([byte ^ 4]))


def _numbers(item: h5py.Group | h5py.Dataset) -> bool:
    return isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and item.size > 4


def foreign(file: Path) -> None:
    """Another program's HDF5."""
    with h5py.File(file, "w") as h5:
        h5["spectra"] = [1.0, 2.0]


def garbled(file: Path) -> None:
    """A text cut off in the middle, with a byte that is no UTF-8."""
    text = file.read_bytes()
    file.write_bytes(text[: len(text) // 2] + b"\xff\n")


WAYS: dict[str, Callable[[Path], None]] = {
    "truncated": truncated, "flipped": flipped, "foreign": foreign, "garbled": garbled,
}  # fmt: skip
