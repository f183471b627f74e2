"""Files that were harmed after they were whole: told from good ones, and set aside."""

from pathlib import Path

import h5py
from numpy.typing import NDArray

from neurotrace.store import layout
from neurotrace.store.layout import StoreDamaged
from neurotrace.store.sums import TABLES, bad_rows, bad_slabs, dataset_names, tables_checksum

# Datasets that this process has seen to agree with their checksums, of files as they were then.
VERIFIED: set[tuple[Path, int, int, str]] = set()


def check_file(file: Path, *, quick: bool = False) -> str | None:
    """Why a file is no whole file of ours, or None.

    Parameters
    ----------
    quick
        Compare header, tables, names, shapes and size only, not the values of every slab: a
        tenth of a second instead of the time to read the file.

    Returns
    -------
    The rest of a sentence that starts with the file's name, such as ``"is truncated"`` or
    ``"differs from its checksum in mlp.hook_post/max/01, rows 256 to 511"``; None for a whole file.

    Raises
    ------
    FileNotFoundError
        When it is not there.
    PermissionError
        When it may not be read: nothing is known of it.
    """
    try:
        with layout.reading(file) as h5:
            return _reason(h5, quick)
    except (FileNotFoundError, PermissionError):
        raise
    # A flipped bit in HDF5's own structures may come out as nearly any error.
    except Exception as error:
        return _unreadable(file, error)


def refuse_damaged(file: Path, *, quick: bool = False) -> None:
    """Raise where :func:`check_file` finds something.

    Raises
    ------
    StoreDamaged
        Naming the file and what is wrong with it.
    """
    reason = check_file(file, quick=quick)
    if reason is not None:
        raise StoreDamaged(file.name, reason)


def verify_once(file: Path, h5: h5py.File, dataset: str, values: NDArray | None = None) -> None:
    """Raise where a dataset's values, read here unless given, are not those that were written.

    A process looks once, as long as the file stays as it is.

    Raises
    ------
    StoreDamaged
        Naming the file, the dataset and the rows.
    """
    as_it_is = file.stat()
    seen = (file.resolve(), as_it_is.st_mtime_ns, as_it_is.st_size, dataset)
    if seen in VERIFIED:
        return
    for where in bad_rows(h5, dataset, values):
        rows = f"rows {where.start} to {where.stop - 1}"
        raise StoreDamaged(file.name, f"differs from its checksum in {dataset}, {rows}")
    VERIFIED.add(seen)


def set_aside(file: Path) -> Path:
    """Rename a file to ``<name>.broken-N``, so that it is captured again and nothing is deleted.

    Returns
    -------
    Its new path, with the first N from 1 that is free.
    """
    number = 1
    while (broken := file.with_name(f"{file.name}.broken-{number}")).exists():
        number += 1
    return file.rename(broken)


def _reason(h5: h5py.File, quick: bool) -> str | None:
    found = h5.attrs.get("format"), h5.attrs.get("version")
    if found != (layout.FORMAT, layout.VERSION):
        return f"is another's file (format {found[0]!r} version {found[1]})"
    total = tables_checksum(h5)  # older files have none to compare with; all is read even so
    if total != int(h5.attrs.get(TABLES, total)):
        return "differs from its checksum in the header or a table"
    rows, n_done = h5["labels"].shape[0], int(h5.attrs["n_done"])
    if n_done != rows:
        return f"is not whole ({n_done} of {rows} rows)"
    kept = str(h5.attrs.get("kept", "activations"))
    for name in dataset_names(h5):
        if name not in h5 and layout.keeps(kept, layout.parse(name)[0]):
            return f"lacks {name}"
    bad = None if quick else next(bad_slabs(h5), None)
    if bad is None:
        return None
    _, name, where = bad
    return f"differs from its checksum in {name}, rows {where.start} to {where.stop - 1}"


def _unreadable(file: Path, error: Exception) -> str:
    text = " ".join(str(error).split())
    if file.stat().st_size == 0:
        return "is empty"
    if "truncated file" in text:
        return f"is truncated ({file.stat().st_size:,} bytes are left)"
    if "file signature not found" in text:
        return "is no HDF5 file"
    return f"cannot be read ({type(error).__name__}: {text[:120]})"
