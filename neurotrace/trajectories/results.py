"""RUN/results.h5: one group a result, readable with xarray (h5netcdf) and with plain h5py.

Groups are added to ``results.h5.partial`` as they are finished, so that an interrupted trace goes
on where it stopped; the file gets its name when the last one is in.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import h5py
import xarray as xr

FILE = "results.h5"
FINISHED = "finished"
# What was read or written last: opening a result takes a tenth of a second, and there are dozens.
_LAST: dict[Path, tuple[tuple[int, int, int], dict[str, xr.Dataset]]] = {}


class Results:
    """The results of one run folder, computed once and read back afterwards.

    Parameters
    ----------
    folder
        Made with the first result.
    file
        Their file in it.
    """

    def __init__(self, folder: str | Path, *, file: str = FILE) -> None:
        self.folder = Path(folder)
        self.file = self.folder / file
        self.partial = self.folder / f"{file}.partial"
        self._done = set(_readable(self.partial)) or set(_groups(self.file))
        self._read: dict[str, xr.Dataset] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._done

    def get(self, name: str, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
        """The result of that name: read if it is there, computed and kept if it is not."""
        if name not in self._done:
            dataset = compute()
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.file.is_file() and not self.partial.is_file():
                shutil.copy(self.file, self.partial)  # a finished file is added to, never lost
            mode: Literal["a", "w"] = "a" if self.partial.is_file() else "w"
            # What was read from a file remembers how it was kept there; its heirs may be text.
            plain = dataset.drop_encoding()
            plain.to_netcdf(self.partial, mode=mode, group=name, engine="h5netcdf")
            with h5py.File(self.partial, "a") as file:
                file[name].attrs[FINISHED] = 1  # a group cut off while it was written lacks it
            self._done.add(name)
        return self[name]

    def __getitem__(self, name: str) -> xr.Dataset:
        if name not in self._read:
            file = self.partial if self.partial.is_file() else self.file
            self._read[name] = _load(file, name)
        return self._read[name].copy(deep=True)

    def finish(self) -> dict[str, xr.Dataset]:
        """Give the file its name; all results by name."""
        if not self.file.is_file() and not self.partial.is_file():
            h5py.File(self.partial, "w").close()  # all was left out, and that is a result
        if self.partial.is_file():
            self.partial.replace(self.file)
        found = {name: self[name] for name in _groups(self.file)}
        _LAST.clear()
        _LAST[self.file] = (_stamp(self.file), found)
        return _copies(found)


def read(folder: str | Path) -> dict[str, xr.Dataset]:
    """All results of a finished run.

    Raises
    ------
    FileNotFoundError
        When the run is not finished.
    """
    file = Path(folder) / FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"got run {Path(folder).name!r} without {FILE}; expected a finished run"
        )
    stamp = _stamp(file)
    if _LAST.get(file, (None,))[0] != stamp:
        _LAST.clear()
        _LAST[file] = (stamp, {name: _load(file, name) for name in _groups(file)})
    return _copies(_LAST[file][1])


def finished(folder: str | Path) -> bool:
    """Whether the folder holds the whole of its results."""
    return (Path(folder) / FILE).is_file()


def begun(folder: str | Path) -> list[str]:
    """Names of the results that an unfinished run has so far."""
    file = Path(folder) / f"{FILE}.partial"
    try:
        return _groups(file)
    except OSError:  # cut off while it was written
        return []


def _stamp(file: Path) -> tuple[int, int, int]:
    """What changes when a file does."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _copies(found: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    return {name: dataset.copy(deep=True) for name, dataset in found.items()}


def _load(file: Path, name: str) -> xr.Dataset:
    with xr.open_dataset(file, group=name, engine="h5netcdf") as opened:
        dataset = opened.load()
    dataset.attrs.pop(FINISHED, None)
    return dataset


def _groups(file: Path) -> list[str]:
    if not file.is_file():
        return []
    with h5py.File(file, "r") as opened:
        return [name for name, group in opened.items() if FINISHED in group.attrs]


def _readable(partial: Path) -> list[str]:
    """Finished groups of an interrupted file; what was cut off is removed, or all of it."""
    if not partial.is_file():
        return []
    try:
        names = _groups(partial)
        with h5py.File(partial, "a") as file:
            for name in set(file) - set(names):
                del file[name]
    except OSError:
        partial.unlink()
        return []
    return names
