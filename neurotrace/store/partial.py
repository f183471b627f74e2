"""The unfinished file: starting it at full size, taking it over, and reading back what it holds."""

import contextlib
import errno
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.store import layout
from neurotrace.store.layout import Key, Spec, StoreFull, StoreMismatch
from neurotrace.store.match import equal

# Whole chunks are written, once: HDF5's own cache would keep 8 MiB of them for every dataset.
NO_CACHE = 0
# Attributes that may differ between a start and its resumption.
UNCOMPARED = frozenset({"n_done", "packages"})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a file is to hold; see :meth:`neurotrace.store.CheckpointWriter.open`."""

    header: Mapping[str, Any]
    examples: pd.DataFrame
    labels: NDArray[np.int8]
    concepts: Sequence[str]
    arrays: Mapping[Key, Spec]
    tokens: pd.DataFrame | None = None
    words: pd.DataFrame | None = None
    languages: Sequence[str] | None = None
    loss: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        missing = {"group", "lang"} - set(self.examples.columns)
        if missing:
            raise ValueError(f"got examples without {', '.join(sorted(missing))}")
        expected = (len(self.examples), len(self.concepts))
        if np.shape(self.labels) != expected:
            raise ValueError(f"got labels {np.shape(self.labels)}; expected {expected}")
        if not self.arrays or len(self.examples) == 0:
            raise ValueError("got nothing to write; expected a dataset and a sentence at least")
        for path in (path for path, _ in self.arrays if layout.table_of(path) not in self.tables):
            what = layout.table_of(path).removesuffix("s")
            raise ValueError(f"got path {path!r} without a {what} table; expected one")

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes, without those that are unknown."""
        given = {name: value for name, value in self.header.items() if value is not None}
        return {"format": layout.FORMAT, "version": layout.VERSION} | given

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Row tables by name; a loss that is still to come is NaN."""
        tables = {"examples": self.examples}
        if self.tokens is not None:
            tables["tokens"] = self.tokens
        if self.words is not None:
            tables["words"] = self.words
        if self.loss is not None:
            tables["loss"] = self.loss.assign(nats=np.full(len(self.loss), np.nan))
        return tables

    @property
    def names(self) -> dict[str, list[str]]:
        """Concepts and languages, in set order."""
        languages = self.languages or list(pd.unique(self.examples["lang"]))
        return {"concepts": list(self.concepts), "languages": list(languages)}

    @property
    def n_bytes(self) -> int:
        """Size of the file, rounded up."""
        return layout.bytes_needed(
            self.arrays,
            n_examples=len(self.examples),
            n_tokens=0 if self.tokens is None else len(self.tokens),
            n_words=0 if self.words is None else len(self.words),
        )


def start(file: Path, plan: Plan) -> tuple[Path, h5py.File]:
    """Create the partial file with all its blocks on disk.

    HDF5 allocates early and the file system is asked for every block, so that a full disk is met
    here: without it rows were seen to be counted that had never reached the disk.
    """
    held = file.with_name(f"{file.name}.{secrets.token_hex(4)}.partial")
    h5 = None
    try:
        with naming_a_full_disk(file, plan.n_bytes):
            _refuse_small_disk(file, plan.n_bytes)
            h5 = h5py.File(held, "w", rdcc_nbytes=NO_CACHE)
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
        held.unlink(missing_ok=True)
        raise
    return held, h5


def resume(file: Path, plan: Plan) -> tuple[Path, h5py.File] | None:
    """Take over the partial file with the most counted rows, or None where there is none.

    Counted slabs are read against their checksums first; what does not read back is written anew.
    A file that HDF5 cannot open, or that was never ready, is removed: nothing in it was counted.
    """
    opened = [(held, _open(file, held)) for held in sorted(file.parent.glob(_pattern(file)))]
    ready = [(held, h5) for held, h5 in opened if h5 is not None]
    ready.sort(key=lambda item: int(item[1].attrs["n_done"]))
    for held, h5 in ready[:-1]:
        h5.close()
        held.unlink()
    if not ready:
        return None
    held, h5 = ready[-1]
    try:
        _refuse_other(file, h5, plan)
    except StoreMismatch:
        h5.close()
        raise
    good = verified(h5)
    if good < int(h5.attrs["n_done"]):
        h5.attrs.modify("n_done", np.int64(good))
        h5.flush()
    # The heir's own name: whoever is thought dead and is not finds its file gone, not shared.
    heir = file.with_name(f"{file.name}.{secrets.token_hex(4)}.partial")
    return held.rename(heir), h5


def verified(h5: h5py.File) -> int:
    """Rows, counted from the first, whose slabs read back as they were written."""
    tables = drawn_tables(h5)
    names = [str(name) for name in h5["checksums"].attrs["datasets"]]
    sums = h5["checksums"][...]
    good = 0
    for number, (first, stop) in enumerate(layout.slabs(int(h5.attrs["n_done"]))):
        for column, name in enumerate(names):
            where = layout.rows_of(layout.parse(name)[0], tables, first, stop)
            if checksum(h5[name][where]) != sums[number, column]:
                return good
        good = stop
    return good


def drawn_tables(h5: h5py.File) -> dict[str, pd.DataFrame]:
    """The tables of drawn tokens and words that a file has."""
    names = sorted(set(layout.DRAWN.values()))
    return {name: layout.read_table(h5, name) for name in names if name in h5}


def checksum(values: NDArray) -> int:
    """CRC-32 of an array's bytes, in row order."""
    return zlib.crc32(values.tobytes())


def sync(path: Path) -> None:
    """Ask the disk to keep a file, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def naming_a_full_disk(file: Path, needed: int | None = None) -> Iterator[None]:
    """Turn "no space left", in whatever words HDF5 says it, into one line."""
    try:
        yield
    except StoreFull:
        raise
    except (OSError, RuntimeError) as error:
        # HDF5 raises its own errors, with the number of the cause only in the text.
        quota = getattr(errno, "EDQUOT", errno.ENOSPC)
        full = getattr(error, "errno", None) in (errno.ENOSPC, quota)
        if not full and not any(f"errno = {code}," in str(error) for code in (errno.ENOSPC, quota)):
            raise
        raise StoreFull(_full(file, needed)) from None


def _full(file: Path, needed: int | None) -> str:
    free = shutil.disk_usage(file.parent).free
    want = "" if needed is None else f"{needed:,} bytes needed for {file.name}, "
    return f"the disk of {file.parent.name} is full: {want}{free:,} free; rows counted so far stay"


def _refuse_small_disk(file: Path, needed: int) -> None:
    if shutil.disk_usage(file.parent).free < needed:
        raise StoreFull(_full(file, needed))


def _fill(h5: h5py.File, plan: Plan) -> None:
    h5.attrs.update(plan.attributes)
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


def _open(file: Path, held: Path) -> h5py.File | None:
    """The partial file for writing; None, and it is gone, where it cannot be used."""
    h5 = None
    try:
        h5 = h5py.File(held, "r+", rdcc_nbytes=NO_CACHE)
        # An open that succeeds also takes HDF5's lock, which dies with its process.
        if "n_done" in h5.attrs and "checksums" in h5:
            return h5
        h5.close()
    except BlockingIOError:
        raise OSError(f"{file.name} is being written by another process") from None
    except (OSError, RuntimeError, KeyError):
        if h5 is not None:
            h5.close()
    held.unlink()
    return None


def _refuse_other(file: Path, h5: h5py.File, plan: Plan) -> None:
    """Refuse to go on with a file that was started for something else."""
    wanted = plan.attributes
    differing = [
        f"{name} (there {h5.attrs.get(name, 'none')}, here {wanted.get(name, 'none')})"
        for name in sorted((set(h5.attrs) | set(wanted)) - UNCOMPARED)
        if not equal(h5.attrs.get(name), wanted.get(name))
    ]
    names = {layout.dataset_name(*key): spec for key, spec in plan.arrays.items()}
    if set(h5["checksums"].attrs["datasets"]) != set(names):
        differing.append("what is captured")
    elif any(_spec(h5[name]) != (s[0], np.dtype(s[1])) for name, s in names.items()):
        differing.append("width or dtype")
    if not np.array_equal(h5["labels"][...], plan.labels):
        differing.append("labels")
    for name, table in plan.tables.items():
        columns = [c for c in table.columns if c != "nats"]
        if name not in h5 or not layout.read_table(h5, name)[columns].equals(
            _plain(table[columns])
        ):
            differing.append(name)
    if differing:
        raise StoreMismatch(f"{file.name} was started with another {', '.join(differing)}")


def _spec(dataset: h5py.Dataset) -> tuple[int, np.dtype]:
    return int(dataset.shape[1]), dataset.dtype


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table as it reads back: text as objects, a fresh index."""
    columns = {}
    for name in table.columns:
        values = np.asarray(table[name])
        if values.dtype.kind in "OUST":
            values = np.asarray([str(value) for value in values], dtype=object)
        columns[name] = values
    return pd.DataFrame(columns)
