"""The unfinished file: starting it at full size, taking it over, and reading back what it holds."""

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from neurotrace.runner.leases import Lease
from neurotrace.store import layout
from neurotrace.store.disk import naming_the_disk, number_of, refuse_small_disk, refused_lock
from neurotrace.store.layout import StoreFull
from neurotrace.store.plan import Plan, refuse_other
from neurotrace.store.sums import TABLES, tables_checksum, verified

# Whole chunks are written, once: HDF5's own cache would keep 8 MiB of them for every dataset.
NO_CACHE = 0
# What HDF5 and NumPy say of a file that is torn or harmed; no class derived from these.
TORN = (
    OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError,
    UnicodeDecodeError, OverflowError, ZeroDivisionError, NotImplementedError,
)  # fmt: skip


def start(file: Path, plan: Plan, lease: Lease | None = None) -> tuple[Path, h5py.File]:
    """Create the partial file with all its blocks on disk.

    HDF5 allocates early and the file system is asked for every block, so that a full disk is met
    here: without it rows were seen to be counted that had never reached the disk.
    """
    held = name_of(file, lease)
    h5 = None
    try:
        with naming_the_disk(file, plan.n_bytes):
            refuse_small_disk(file, plan.n_bytes)
            h5 = _h5(held, "w", unlocked=lease is not None)
            _fill(h5, plan)
            h5.flush()
            _reserve(h5)
            # Written last: a file without it was never ready.
            h5.attrs["n_done"] = np.int64(0)
            h5.flush()
    except BaseException:
        if h5 is not None:
            with contextlib.suppress(OSError, RuntimeError):
                h5.close()
        with contextlib.suppress(OSError):  # what went wrong is said, not what followed from it
            held.unlink(missing_ok=True)
        raise
    return held, h5


def resume(file: Path, plan: Plan, lease: Lease | None = None) -> tuple[Path, h5py.File] | None:
    """Take over the partial file with the most counted rows, or None where there is none.

    Counted slabs are read against their checksums first; what does not read back is written anew.
    A file whose structure HDF5 finds broken, or that was never ready, is removed: nothing in it
    counts. Where the disk, the memory or a signal keeps it from being read, it stays.

    What a holder that may wake has written is copied, and its name removed: it goes on, if ever,
    in a file that nobody reads. Everybody else's file is renamed.
    """
    found = sorted(file.parent.glob(_pattern(file)))
    # Who hung before it came here must not touch what its own heir writes by now.
    if lease is not None and any(_owner(lease, file, held) == "heir" for held in found):
        lease.refuse_if_lost()
    awake = [held for held in found if _owner(lease, file, held) == "lapsed"]
    copies = _copied(file, plan, awake, lease)
    ready: list[tuple[Path, h5py.File]] = []
    try:
        for held in [*(f for f in found if f not in awake), *copies]:
            h5 = _open(file, held, lease)
            if h5 is not None:
                ready.append((held, h5))
        ready.sort(key=lambda item: int(item[1].attrs["n_done"]), reverse=True)
        with naming_the_disk(file):
            chosen = _best(file, plan, ready)
    except BaseException:
        for _, h5 in ready:
            h5.close()
        for held in copies:  # what they are of is still there
            held.unlink(missing_ok=True)
        raise
    for held in awake:
        held.unlink(missing_ok=True)
    if chosen is None:
        return None
    held, h5, good = chosen
    if good < int(h5.attrs["n_done"]):
        h5.attrs.modify("n_done", np.int64(good))
        h5.flush()
    # The heir's own name: whoever is thought dead and is not finds its file gone, not shared.
    return held.rename(name_of(file, lease)), h5


def _best(
    file: Path, plan: Plan, ready: Sequence[tuple[Path, h5py.File]]
) -> tuple[Path, h5py.File, int] | None:
    """The first file that can be read, and its good rows; the others are closed and removed."""
    chosen = None
    for held, h5 in ready:
        if chosen is None:
            try:
                refuse_other(file, h5, plan)
                tables_checksum(h5)  # read through now: what cannot be read would fail the end
                chosen = held, h5, verified(h5)
                continue
            except Exception as error:
                if not _torn(error):
                    raise
        h5.close()
        held.unlink()
    return chosen


def _torn(error: Exception) -> bool:
    """Whether an error says that a file is not as it was written, and not that it could not be
    read: then the system has a number for it, or memory was short, or a signal came."""
    return type(error) in TORN and not number_of(error)


def name_of(file: Path, lease: Lease | None) -> Path:
    """Name of an unfinished file: its final one and its owner's token."""
    token = secrets.token_hex(4) if lease is None else lease.token
    return file.with_name(f"{file.name}.{token}.partial")


def _owner(lease: Lease | None, file: Path, held: Path) -> str:
    """What is known of a partial file's owner: see :meth:`Lease.owner_of`."""
    token = held.name.removeprefix(f"{file.name}.").split(".")[0]
    # Owners without a lease are unknown: they guard their file with HDF5's lock instead.
    return "" if lease is None else lease.owner_of(token)


def _copied(file: Path, plan: Plan, awake: Sequence[Path], lease: Lease | None) -> list[Path]:
    """Copies, under the heir's token, of files whose owners may go on writing them.

    The bytes are copied before HDF5 sees them, so that they stand still while it reads; whatever
    was torn in the middle of a write is found by the checksums. One that the disk cannot hold
    twice is removed, where that makes room to begin anew: else nobody would ever go on.
    """
    copies: list[Path] = []
    for held in awake:
        copy, number = name_of(file, lease), 0
        while copy.exists():
            number += 1
            copy = name_of(file, lease).with_suffix(f".{number}.partial")
        try:
            size = held.stat().st_size
            with naming_the_disk(file, size):
                refuse_small_disk(file, size)
                shutil.copyfile(held, copy)
        except FileNotFoundError:
            continue  # its owner woke, finished, or removed it
        except StoreFull as error:
            copy.unlink(missing_ok=True)
            if shutil.disk_usage(file.parent).free + size < plan.n_bytes:
                raise
            sys.stderr.write(f"{_begun_anew(error)}\n")
            held.unlink(missing_ok=True)
            continue
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        copies.append(copy)
    return copies


def _begun_anew(error: StoreFull) -> str:
    told = str(error).partition("; ")[0]
    return f"{told} to go on with what a process wrote that is not heard of; it is begun anew"


def _fill(h5: h5py.File, plan: Plan) -> None:
    h5.attrs.update(plan.attributes)
    h5.attrs[TABLES] = np.uint32(0)  # its place, so that a disk full at the end has room for it
    for name, table in plan.tables.items():
        layout.write_table(h5, name, table)
    for name, values in plan.names.items():
        layout.write_column(h5, name, values)
    h5.create_dataset("labels", data=np.asarray(plan.labels, dtype=np.int8))
    names = [layout.dataset_name(*key) for key in plan.arrays]
    for (path, _), name, (width, dtype) in zip(
        plan.arrays, names, plan.arrays.values(), strict=True
    ):
        rows = len(plan.tables[layout.table_of(path)])
        _allocate(h5, name, (rows, width), dtype)
    n_slabs = len(list(layout.slabs(len(plan.examples))))
    sums = h5.create_dataset("checksums", data=np.zeros((n_slabs, len(names)), dtype=np.uint32))
    sums.attrs["datasets"] = np.asarray(names, dtype=object)


def _allocate(h5: h5py.File, name: str, shape: tuple[int, int], dtype: str) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    h5.create_dataset(
        name,
        shape=shape,
        dtype=dtype,
        chunks=layout.chunks(*shape) if shape[0] else None,
        fill_time="never",  # the blocks come from the file system; zeros need not be written twice
        dcpl=properties,
    )


def _reserve(h5: h5py.File) -> None:
    """Ask the file system for every block of the file now."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(h5.id.get_vfd_handle(), 0, h5.id.get_filesize())


def _pattern(file: Path) -> str:
    return f"{file.name}.*.partial"


def _h5(held: Path, mode: Literal["w", "r+"], *, unlocked: bool) -> h5py.File:
    """An HDF5 file for writing, whose lock dies with its process.

    Parameters
    ----------
    unlocked
        Whether a lease guards the file, so that a file system without locks will do.
    """
    try:
        return h5py.File(held, mode, rdcc_nbytes=NO_CACHE)
    except OSError as error:
        if not (unlocked and refused_lock(error)):
            raise
        return h5py.File(held, mode, rdcc_nbytes=NO_CACHE, locking=False)


def _open(file: Path, held: Path, lease: Lease | None) -> h5py.File | None:
    """The partial file for writing; None, and it is gone, where it cannot be used."""
    h5 = None
    try:
        with naming_the_disk(file):
            h5 = _h5(held, "r+", unlocked=_owner(lease, file, held) == "free")
        if "n_done" in h5.attrs and "checksums" in h5:
            int(h5.attrs["n_done"])  # that it can be read
            return h5
        h5.close()
    except FileNotFoundError:
        return None  # its owner finished or removed it
    except Exception as error:
        if h5 is not None:
            h5.close()
        if not _torn(error):
            raise
    held.unlink(missing_ok=True)
    return None
