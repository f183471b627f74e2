"""What a checkpoint's weight files say of themselves, read without their tensors.

A safetensors file begins with a table of its tensors. That table is a few hundred kilobytes, here
or on the Hub, and shows whether the file is whole and which parts of it are worth reading.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neurotrace.checkpoints import hub, wanted
from neurotrace.checkpoints.remote import File, Remote
from neurotrace.checkpoints.series import Checkpoint
from neurotrace.checkpoints.weights import (
    TYPES,
    BrokenCheckpoint,
    safe_header,
    torch_state,
    weight_files,
)

AHEAD = 2**18  # bytes of a remote file asked for at once: most headers are shorter


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies.

    Attributes
    ----------
    dtype
        As safetensors names it: ``F32 F16 BF16 …``.
    shape
        Lengths of its axes.
    file
        Name of the weight file.
    start, stop
        Its bytes in that file; both 0 in a file that only torch reads.
    """

    dtype: str
    shape: tuple[int, ...]
    file: str
    start: int = 0
    stop: int = 0


def here(checkpoint: Checkpoint) -> bool:
    """Whether the weights lie on this machine, whole or not."""
    if checkpoint.remote is None:
        return True
    try:
        return bool(weight_files(checkpoint.path))
    except BrokenCheckpoint:
        return False


def layout(checkpoint: Checkpoint) -> dict[str, Entry] | None:
    """Every tensor of a checkpoint by name, from the headers of its files.

    Returns
    -------
    None where the weights are not here and are of a kind whose header only torch reads.

    Raises
    ------
    BrokenCheckpoint
        When a file is missing, or has not the size that its header says.
    HubError
        When the Hub does not answer.
    """
    if here(checkpoint):
        return _local(checkpoint.path)
    assert checkpoint.remote is not None
    return _remote(checkpoint.remote, checkpoint.label)


def tensors(checkpoint: Checkpoint) -> dict[str, tuple[str, tuple[int, ...]]] | None:
    """Type and shape of every tensor, by name; no weights are read or downloaded.

    Returns
    -------
    As :func:`layout`, None where it cannot be known.

    Raises
    ------
    BrokenCheckpoint
        When a file is missing, or has not the size that its header says.
    HubError
        When the Hub does not answer.
    """
    found = layout(checkpoint)
    if found is None:
        return None
    return {name: (entry.dtype, entry.shape) for name, entry in found.items()}


def reader(checkpoint: Checkpoint, name: str) -> Callable[[int, int], bytes]:
    """``read(start, stop)`` of one of a checkpoint's files, on this machine or on the Hub."""
    if here(checkpoint):
        return _from_disk(checkpoint.path / name)
    assert checkpoint.remote is not None
    return _from_hub(checkpoint.remote, name)


def _local(folder: Path) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for file in weight_files(folder):
        if file.suffix == ".bin":
            found |= {
                name: Entry(TYPES.get(str(t.dtype), str(t.dtype)), tuple(t.shape), file.name)
                for name, t in torch_state(file, device="meta").items()
            }
        else:
            where = f"{folder.name}/{file.name}"
            found |= _entries(_from_disk(file), file.stat().st_size, file.name, where)
    return found


def _remote(remote: Remote, label: str) -> dict[str, Entry] | None:
    listing = hub.files(remote.repo, remote.commit)
    weights = wanted.weights_of(listing)
    index = next((f for f in wanted.small_of(listing) if f.name.endswith(".index.json")), None)
    if index is not None:
        content = _from_hub(remote, index.name)(0, index.size)
        weights = _shards(content, listing, index=index.name, where=label)
    if not weights:
        raise BrokenCheckpoint(f"{label}: got no weights; expected model.safetensors")
    if weights[0].name.endswith(".bin"):
        return None
    found: dict[str, Entry] = {}
    for file in weights:
        first = _from_hub(remote, file.name)(0, min(AHEAD, file.size))
        found |= _entries(
            _with(first, _from_hub(remote, file.name)), file.size, file.name, f"{label}/{file.name}"
        )
    return found


def _entries(
    read: Callable[[int, int], bytes], size: int, name: str, where: str
) -> dict[str, Entry]:
    header, body = safe_header(read, size, where=where)
    return {
        tensor: Entry(
            entry["dtype"],
            tuple(entry["shape"]),
            name,
            body + entry["data_offsets"][0],
            body + entry["data_offsets"][1],
        )
        for tensor, entry in header.items()
    }


def _shards(
    content: bytes, listing: tuple[File, ...], *, index: str, where: str
) -> tuple[File, ...]:
    """The files that an index names, each seen to be listed."""
    try:
        named = set(json.loads(content)["weight_map"].values())
    except (ValueError, KeyError, AttributeError, TypeError):
        raise BrokenCheckpoint(f"{where}/{index}: got no table weight_map") from None
    missing = sorted(named - {file.name for file in listing})
    if missing:
        raise BrokenCheckpoint(f"{where}: got no file {missing[0]}, which {index} names")
    return tuple(file for file in listing if file.name in named)


def _from_disk(file: Path) -> Callable[[int, int], bytes]:
    def read(start: int, stop: int) -> bytes:
        with file.open("rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)

    return read


def _from_hub(remote: Remote, name: str) -> Callable[[int, int], bytes]:
    return lambda start, stop: hub.read_range(remote.repo, remote.commit, name, start, stop)


def _with(first: bytes, read: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    """A reader that has the beginning of its file already."""

    def known(start: int, stop: int) -> bytes:
        return first[start:stop] if stop <= len(first) else read(start, stop)

    return known
