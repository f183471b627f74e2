"""Files of results on disk: which groups of one are whole, and who goes on with an unfinished one.

A group that is whole has the attributes ``finished`` and ``checksum``, the CRC-32 of its values.
The name of an unfinished file holds the token of its writer's lease, so that a writer that was
thought dead and its heir never share one.
"""

import io
import os
import shutil
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from neurotrace.runner.leases import Lease

FINISHED, CHECKSUM = "finished", "checksum"
BOOKKEEPING = 1 << 15  # bytes that a dataset takes beside its values, generously


def checksum(group: h5py.Group) -> int:
    """CRC-32 over names, shapes and values of all datasets of a group."""
    found: dict[str, h5py.Dataset] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    group.visititems(note)
    total = 0
    for name in sorted(found):
        values = np.asarray(found[name][()])
        total = zlib.crc32(f"{name} {values.shape}".encode(), total)
        if values.dtype.kind == "O":
            parts = (one if isinstance(one, bytes) else str(one).encode() for one in values.flat)
            total = zlib.crc32(b"\0".join(parts), total)
        else:
            total = zlib.crc32(values.tobytes(), total)
    return total


def seal(group: h5py.Group) -> None:
    """Mark a group as whole: one that was cut off while it was written lacks the marks."""
    group.attrs[CHECKSUM] = np.uint32(checksum(group))
    group.attrs[FINISHED] = 1


def whole(group: h5py.Group) -> bool:
    """Whether a group reads back as it was written; older ones have no checksum to tell by."""
    found = group.attrs.get(CHECKSUM)
    return found is None or int(found) == checksum(group)


def groups(file: Path) -> list[str]:
    """Names of the finished groups of a file; none where there is no file."""
    if not file.is_file():
        return []
    with h5py.File(file, "r", locking=False) as opened:
        return [name for name, group in opened.items() if FINISHED in group.attrs]


def holds_others(file: Path) -> bool:
    """Whether a file holds anything that is no finished group."""
    with h5py.File(file, "r", locking=False) as opened:
        return len(groups(file)) < len(opened)


def reserve(file: Path, dataset: xr.Dataset | None = None) -> None:
    """Have a file ready to be added to, with blocks of the disk for what comes next.

    HDF5 has been seen to crash the process where a disk is full in the middle of a result; so the
    disk is asked before. What is not needed is given back when HDF5 closes the file.

    Raises
    ------
    OSError
        When the disk does not have them.
    """
    if not file.is_file():
        image = io.BytesIO()
        h5py.File(image, "w").close()
        file.write_bytes(image.getvalue())
    needed = BOOKKEEPING
    for variable in dataset.variables.values() if dataset is not None else ():
        needed += BOOKKEEPING + 2 * variable.nbytes
        if variable.dtype.kind == "O":
            needed += 2 * sum(len(str(one).encode()) for one in variable.values.flat)
    size = file.stat().st_size
    with file.open("r+b") as stream:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(stream.fileno(), size, needed)
            except OSError:
                stream.truncate(size)
                raise


def harm(file: Path) -> str | None:
    """Why a file of results is not as it was written, as the rest of a sentence; None for one."""
    try:
        with h5py.File(file, "r", locking=False) as opened:
            for name in opened:
                if FINISHED not in opened[name].attrs:
                    return f"has an unfinished {name}"
                if not whole(opened[name]):
                    return f"differs from its checksum in {name}"
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a flipped bit may come out as nearly any error
        return f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:80]})"
    return None


def guard(run: Path, file: Path) -> Path:
    """What a file of a run is leased as, by everybody. Leases of files in its folders lie with the
    run's others, which are cleared in the end; all of one checkpoint's scores have one.

    >>> guard(Path("RUN"), Path("RUN/scores/0007_step512/experts.1f0c.h5")).as_posix()
    'RUN/scores_0007_step512'
    >>> guard(Path("RUN"), Path("RUN/0007_step512.h5")).as_posix()
    'RUN/0007_step512.h5'
    """
    folder, *rest = file.relative_to(run).parts
    return run / f"{folder}_{rest[0].removesuffix('.h5')}" if rest else file


def name_of(file: Path, lease: Lease | None) -> Path:
    """Name of an unfinished file of results."""
    token = "" if lease is None else f".{lease.token}"
    return file.with_name(f"{file.name}{token}.partial")


def unfinished(file: Path) -> list[Path]:
    """What there is of a file that is not finished, whoever began it."""
    return sorted([*file.parent.glob(f"{file.name}.partial"), *_tokened(file)])


def inherit(file: Path, lease: Lease | None) -> list[str]:
    """Put what others began of a file under one's own name; names of the results in it.

    Of several the one with most results is taken. A writer that hangs may wake: its file is
    copied and its name removed, so that it goes on, if ever, in a file that nobody reads.
    """
    own = name_of(file, lease)
    if lease is not None:
        found = [held for held in unfinished(file) if held != own]
        if any(_owner(file, held, lease) == "heir" for held in found):
            lease.refuse_if_lost()
        best = max(found, key=lambda held: len(_readable(held)), default=None)
        if best is not None and not own.is_file():
            _take(best, own, copied=_owner(file, best, lease) == "lapsed")
        for held in found:
            held.unlink(missing_ok=True)
    return _cleared(own)


def _tokened(file: Path) -> list[Path]:
    return list(file.parent.glob(f"{file.name}.{'[0-9a-f]' * 8}.partial"))


def _owner(file: Path, held: Path, lease: Lease) -> str:
    return lease.owner_of(held.name.removeprefix(f"{file.name}.").removesuffix(".partial"))


def _take(held: Path, own: Path, *, copied: bool) -> None:
    if not copied:
        held.replace(own)
        return
    shutil.copyfile(held, own)


def _readable(file: Path) -> list[str]:
    """Groups of a file that are whole; none where it cannot be read, nearly any error being one
    that a write which was cut off may leave."""
    try:
        with h5py.File(file, "r", locking=False) as opened:
            return [n for n, group in opened.items() if FINISHED in group.attrs and whole(group)]
    except Exception:
        return []


def _cleared(partial: Path) -> list[str]:
    """Whole groups of an unfinished file; what was cut off is removed, or all of it."""
    if not partial.is_file():
        return []
    names = _readable(partial)
    try:
        with h5py.File(partial, "a", locking=False) as file:
            for name in set(file) - set(names):
                del file[name]
    except Exception:
        names = []
    if not names:
        partial.unlink(missing_ok=True)
    return names
