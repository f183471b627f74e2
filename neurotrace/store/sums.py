"""Checksums: of every slab of every dataset, and of the header and the small tables at once."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.store import layout

# Root attribute; 0 while the file is being written, absent in files older than it.
TABLES = "tables_checksum"
BLOCK = 1 << 20  # bytes read at once while checking: they stay in the cache until they are summed


def checksum(values: NDArray, start: int = 0) -> int:
    """CRC-32 of an array's bytes, in row order, going on from ``start``."""
    return zlib.crc32(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data, start)


def verified(h5: h5py.File) -> int:
    """Rows, counted from the first, whose slabs read back as they were written."""
    return min((first for first, _, _ in bad_slabs(h5)), default=int(h5.attrs["n_done"]))


def bad_slabs(h5: h5py.File) -> Iterator[tuple[int, str, slice]]:
    """Counted slabs that do not read back: first sentence, dataset, and the dataset's rows.

    Dataset after dataset, as they lie on disk. What a stripped file does not hold is passed over.
    """
    tables = drawn_tables(h5)
    sums = h5["checksums"][...]
    counted = list(layout.slabs(int(h5.attrs["n_done"])))
    for column, name in enumerate(dataset_names(h5)):
        if name not in h5:
            continue
        path = layout.parse(name)[0]
        rows = [layout.rows_of(path, tables, first, stop) for first, stop in counted]
        for slab, values in enumerate(_in_blocks(h5[name], rows)):
            if checksum(values) != sums[slab, column]:
                yield counted[slab][0], name, rows[slab]


def bad_rows(h5: h5py.File, name: str, values: NDArray | None = None) -> Iterator[slice]:
    """Rows of one dataset whose values are not those that were written.

    Parameters
    ----------
    values
        All of them, where they are in memory; else they are read, some at a time.
    """
    sums = h5["checksums"][:, dataset_names(h5).index(name)]
    path = layout.parse(name)[0]
    tables = drawn_tables(h5) if layout.holds_tokens(path) else {}
    slabs = layout.slabs(int(h5.attrs["n_done"]))
    rows = [layout.rows_of(path, tables, first, stop) for first, stop in slabs]
    found = _in_blocks(h5[name], rows) if values is None else (values[where] for where in rows)
    for where, part, expected in zip(rows, found, sums, strict=False):
        if checksum(part) != expected:
            yield where


def _in_blocks(dataset: h5py.Dataset, rows: Sequence[slice]) -> Iterator[NDArray]:
    """The values of adjoining rows, several slabs a read: narrow datasets have many of them."""
    a_row = max(1, dataset.shape[1] * dataset.dtype.itemsize)
    start = 0
    while start < len(rows):
        stop = start + 1
        while stop < len(rows) and (rows[stop].stop - rows[start].start) * a_row <= BLOCK:
            stop += 1
        base = rows[start].start
        block = dataset[base : rows[stop - 1].stop]
        for where in rows[start:stop]:
            yield block[where.start - base : where.stop - base]
        start = stop


def dataset_names(h5: h5py.File) -> list[str]:
    """Every dataset that was captured, in the order of the checksums' columns."""
    return [str(name) for name in h5["checksums"].attrs["datasets"]]


def drawn_tables(h5: h5py.File) -> dict[str, pd.DataFrame]:
    """The tables of drawn tokens and words that a file has."""
    names = sorted(set(layout.DRAWN.values()))
    return {name: layout.read_table(h5, name) for name in names if name in h5}


def tables_checksum(h5: h5py.File) -> int:
    """CRC-32 of everything but the slabs: root attributes, tables, labels, names, slab checksums.

    It is of values, not of bytes on disk: a compressed copy has the same.
    """
    captured = set(dataset_names(h5))
    total = 0
    for name in sorted(set(h5.attrs) - {TABLES}):
        total = _add(total, f"@{name}", np.asarray(h5.attrs[name]))
    for name in sorted(_datasets(h5)):
        dataset = h5[name]
        if name in captured:
            total = zlib.crc32(f"{name} {dataset.shape} {dataset.dtype}".encode(), total)
        else:
            total = _add(total, name, np.asarray(dataset[...]))
    for name, value in sorted(h5["checksums"].attrs.items()):
        total = _add(total, f"@checksums {name}", np.asarray(value))
    return total


def _datasets(h5: h5py.File) -> list[str]:
    found: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(name)

    h5.visititems(note)
    return found


def _add(total: int, name: str, values: NDArray) -> int:
    total = zlib.crc32(f"{name} {values.shape}".encode(), total)
    if values.dtype.kind in "OSU":
        parts = (part if isinstance(part, bytes) else str(part).encode() for part in values.flat)
        return zlib.crc32(b"\0".join(parts), total)
    return checksum(values, zlib.crc32(values.dtype.str.encode(), total))
