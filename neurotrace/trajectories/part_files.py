"""Datasets of parts in HDF5: small, exact, and plain to read.

An analysis gives back what it gave: types, axes, coordinates and attributes. Their description
stands once in the group's attribute ``layout``, so that a dataset costs little more than its bytes.
"""

import contextlib
import json
import secrets
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.store.disk import Unlocked, naming_a_refused_lock, naming_the_disk, sync
from neurotrace.trajectories.result_files import CHECKSUM, checksum, whole

SMALL = 512  # bytes below which a compressed dataset is larger than a plain one
SAMPLE = 1 << 15  # values that tell how a dataset is best compressed
CHUNK = 1 << 20  # bytes of a compressed piece
STALE = 86400.0  # seconds after which a draft has no writer any more
TRIES = 100


def write(group: h5py.Group, dataset: xr.Dataset) -> None:
    """Write every variable and coordinate as a dataset of its own."""
    described: dict[str, Any] = {}
    for name, variable in dataset.variables.items():
        values, kind = _stored(np.asarray(variable.values))
        _put(group, str(name), values)
        described[str(name)] = [[str(dim) for dim in variable.dims], kind]
    layout = {
        "variables": described,
        "coords": [str(name) for name in dataset.coords],
        "attrs": dataset.attrs,
    }
    group.attrs["layout"] = json.dumps(layout, default=_number)
    group.attrs[CHECKSUM] = np.uint32(checksum(group))


def read(file: Path, group: str, checkpoint: str, *, look: bool = False) -> xr.Dataset | None:
    """A part that is of the same checkpoint, None where there is none.

    Raises
    ------
    ValueError
        For a file that is no HDF5 file any more.
    """
    try:
        with _naming_damage(file), h5py.File(file, "r", locking=False) as h5:
            if group not in h5 or h5[group].attrs.get("checkpoint") != checkpoint:
                return None
            _refuse_torn(h5[group])
            return xr.Dataset() if look else _loaded(h5[group])
    except FileNotFoundError:
        return None


def harm(file: Path) -> str | None:
    """Why a file of parts is not as it was written, as the rest of a sentence; None for one."""
    try:
        with h5py.File(file, "r", locking=False) as h5:
            for name in h5:
                for digest in h5[name]:
                    if not whole(h5[name][digest]):
                        return f"differs from its checksum in {name}"
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a flipped bit may come out as nearly any error
        return f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:80]})"
    return None


def read_all(file: Path, key: tuple[int, int] | None) -> dict[str, xr.Dataset]:
    """Every part of a file by its group, with the settings as an attribute; of one step only."""
    with h5py.File(file, "r", locking=False) as h5:
        if key is not None and key != (int(h5.attrs["stage"]), int(h5.attrs["step"])):
            return {}
        groups = [f"{name}/{digest}" for name in h5 for digest in h5[name]]
        return {
            group: _loaded(h5[group]).assign_attrs(settings=str(h5[group].attrs["settings"]))
            for group in groups
        }


def gather(files: Sequence[Path], whole: Path, *, into: Path, checkpoint: str) -> None:
    """Write a file of what these hold and what the whole one held, the newer of either.

    Raises
    ------
    ValueError
        For one that is not as it was written, naming it.
    """
    with create(into) as h5:
        for file in (*files, whole):
            # Nobody has folded yet; or a part was folded, by one who hung since, and is removed.
            with contextlib.suppress(FileNotFoundError):
                _copy(file, h5, checkpoint)


@contextlib.contextmanager
def create(file: Path) -> Iterator[h5py.File]:
    """A new file in the format of HDF5 1.10, in which many small groups take half the room.

    It is made in memory: HDF5 may crash the process where a disk is full.
    """
    memory = {"driver": "core", "backing_store": False}
    with h5py.File(file, "w", libver=("v110", "v110"), **memory) as h5:
        yield h5
        h5.flush()
        image = h5.id.get_file_image()
    file.write_bytes(image)


@contextlib.contextmanager
def draft_of(file: Path, *, beside: Path) -> Iterator[Path]:
    """A file to write, which gets its name once the disk holds it."""
    draft = beside / f"{secrets.token_hex(4)}.draft"
    try:
        with naming_the_disk(beside / file.name):  # its own folder may be gone
            beside.mkdir(parents=True, exist_ok=True)
            yield draft
        sync(draft)
        for _ in range(TRIES):
            file.parent.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # the emptied folder was just removed
                draft.replace(file)
                # Activations are let go once this is kept: so must be every name on its way.
                with contextlib.suppress(FileNotFoundError):  # it was folded, and kept elsewhere
                    sync(file.parent)
                sync(beside)
                sync(beside.parent)
                return
        raise FileNotFoundError(f"got no folder {file.parent.name} to put {file.name} in")
    finally:
        draft.unlink(missing_ok=True)


def clear(newest: Path) -> None:
    """Remove drafts so much older than the newest file that nobody writes them any more."""
    for draft in newest.parent.glob("*.draft"):
        with contextlib.suppress(FileNotFoundError):
            if newest.stat().st_mtime - draft.stat().st_mtime > STALE:
                draft.unlink()


@contextlib.contextmanager
def _naming_damage(file: Path) -> Iterator[None]:
    try:
        with naming_a_refused_lock(file):
            yield
    except (FileNotFoundError, PermissionError, Unlocked):
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        told = " ".join(str(error).split())[:120]
        raise ValueError(
            f"got {file.parent.name}/{file.name}, which is damaged ({told}); expected scores: "
            "--repair sets it aside, and they are computed again"
        ) from None


def _refuse_torn(group: h5py.Group) -> None:
    if not whole(group):
        raise KeyError(f"another checksum in {group.name.strip('/')}")


def _copy(file: Path, into: h5py.File, checkpoint: str) -> None:
    with _naming_damage(file), h5py.File(file, "r", locking=False) as h5:
        for name, value in h5.attrs.items():
            into.attrs[name] = value
        for name in h5:
            for digest in h5[name]:
                group = f"{name}/{digest}"
                if h5[group].attrs.get("checkpoint") == checkpoint and group not in into:
                    _refuse_torn(h5[group])
                    h5.copy(h5[group], into, name=group)


def _loaded(group: h5py.Group) -> xr.Dataset:
    layout = json.loads(group.attrs["layout"])
    found = {
        name: (tuple(dims), _restored(group[name][()], kind))
        for name, (dims, kind) in layout["variables"].items()
    }
    coords = {name: found.pop(name) for name in layout["coords"]}
    return xr.Dataset(found, coords, layout["attrs"])


def _put(group: h5py.Group, name: str, values: NDArray) -> None:
    if values.nbytes < SMALL:
        group.create_dataset(name, data=values, track_times=False)
        return
    group.create_dataset(
        name,
        data=values,
        chunks=_chunks(values),
        compression="gzip",
        shuffle=_shuffled_is_smaller(values),
        track_times=False,
    )


def _chunks(values: NDArray) -> tuple[int, ...]:
    """Whole trailing axes, so many of the leading ones as make about a mebibyte."""
    shape = list(values.shape)
    for axis in range(values.ndim):
        rest = values.dtype.itemsize * int(np.prod(shape[axis + 1 :]))
        shape[axis] = max(1, min(shape[axis], CHUNK // max(rest, 1)))
        if shape[axis] > 1:
            break
    return tuple(shape)


def _shuffled_is_smaller(values: NDArray) -> bool:
    """Whether bytes deflate better place by place than number by number, as of few numbers."""
    width = values.dtype.itemsize
    some = np.ascontiguousarray(values.ravel()[:SAMPLE])
    shuffled = some.view(np.uint8).reshape(-1, width).T.tobytes()
    return width > 1 and len(zlib.compress(shuffled, 4)) < len(zlib.compress(some.tobytes(), 4))


def _stored(values: NDArray) -> tuple[NDArray, str]:
    """As HDF5 has it, and the type to give back; text as UTF-8 of fixed length."""
    if values.dtype.kind in "OUT":
        plain = np.array([str(one) for one in values.ravel()] or [""], "U")
        raw = np.char.encode(plain, "utf-8")[: values.size].reshape(values.shape)
        return raw, "O" if values.dtype.kind == "O" else values.dtype.str
    return values, values.dtype.str


def _restored(values: Any, kind: str) -> NDArray:
    array = np.asarray(values)
    if kind == "O" or np.dtype(kind).kind in "UT":
        return np.char.decode(array, "utf-8").astype(object if kind == "O" else kind)
    return array.astype(kind, copy=False)


def _number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"got an attribute {value!r}; expected text or a number")
