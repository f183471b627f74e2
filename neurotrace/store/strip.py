"""A checkpoint's file without its activations, once they have been scored."""

from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from neurotrace.runner.leases import Lease
from neurotrace.store import layout
from neurotrace.store.repair import refuse_damaged
from neurotrace.store.replacing import replacing
from neurotrace.store.sums import TABLES, dataset_names, tables_checksum

# What may be kept, from most to least: a file can only go down.
LEVELS = ("activations", "states", "scores")
CHUNK = 65_536  # rows of a table's column
GZIP = 6


def strip(file: Path, keep: Literal["states", "scores"], *, lease: Lease | None = None) -> Path:
    """Drop what a file need not keep: a smaller copy is written, checked and renamed over it.

    All tables, labels, names, the header and the checksums of what is dropped stay, compressed;
    the root attribute ``kept`` says what was kept. A file stripped as far already is left alone.

    Parameters
    ----------
    file
        A whole file. Whoever strips it holds its lease.
    keep
        ``"states"``: residual states and embeddings. ``"scores"``: no rows of activations at all.
    lease
        The right to replace the file: whoever loses it meanwhile leaves the file as it is.

    Raises
    ------
    ValueError
        For another word, and for states of a file that kept scores alone.
    StoreDamaged
        When a table, or a dataset that is kept, is not as it was written; the file stays as it is.
    StoreFull
        When the disk cannot hold the copy; the file stays as it is.
    LeaseLost
        When another process took the file over; it stays as that one has it.
    """
    if keep not in LEVELS[1:]:
        raise ValueError(f"got keep {keep!r}; valid are {', '.join(LEVELS[1:])}")
    refuse_damaged(file, quick=True)  # a harmed table must not get a new checksum
    with layout.reading(file) as h5:
        kept = str(h5.attrs.get("kept", LEVELS[0]))
        if kept == keep:
            return file
        if LEVELS.index(kept) > LEVELS.index(keep):
            raise ValueError(f"got keep {keep!r} for {file.name}, which kept {kept} alone")
        with replacing(file, "stripping", lease) as draft:
            with h5py.File(draft, "w", locking=False) as stripped:
                _copy(h5, stripped, keep)
            refuse_damaged(draft)
    return file


def _copy(h5: h5py.File, stripped: h5py.File, keep: str) -> None:
    names = dataset_names(h5)
    for name, value in h5.attrs.items():
        stripped.attrs[name] = value
    stripped.attrs["kept"] = keep
    for name in _tables(h5, set(names)):
        _compress(stripped, name, h5[name])
    for name in names:
        if layout.keeps(keep, layout.parse(name)[0]):
            stripped.require_group(name.rpartition("/")[0])
            h5.copy(name, stripped, name=name)
    sums = stripped["checksums"]
    sums.attrs["datasets"] = np.asarray(names, dtype=object)
    sums.attrs["widths"] = np.asarray(layout.widths(h5), dtype=np.int64)
    stripped.attrs[TABLES] = np.uint32(tables_checksum(stripped))


def _tables(h5: h5py.File, captured: set[str]) -> list[str]:
    found: list[str] = []
    h5.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
    return [name for name in found if name not in captured]


def _compress(stripped: h5py.File, name: str, source: h5py.Dataset) -> None:
    values: NDArray = np.asarray(source[...])
    dtype = source.dtype
    if h5py.check_string_dtype(dtype):
        # Texts of variable length lie where no filter reaches them.
        values = np.asarray([bytes(text) for text in values.flat], dtype="S").reshape(values.shape)
        dtype = h5py.string_dtype("utf-8", max(1, values.dtype.itemsize))
        values = values.astype(dtype)  # the type says that these bytes are UTF-8
    if not values.size:
        stripped.create_dataset(name, data=values, dtype=dtype)
        return
    chunks = (min(CHUNK, len(values)), *values.shape[1:])
    stripped.create_dataset(
        name, data=values, dtype=dtype, chunks=chunks, shuffle=True, compression=GZIP
    )
