"""RUN/results.h5: one group a result, readable with xarray (h5netcdf) and with plain h5py.

Groups are added to an unfinished file beside it as they are finished, so that an interrupted trace
goes on where it stopped; the file gets its name when the last one is in.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import xarray as xr

from neurotrace.runner.leases import Lease
from neurotrace.store.disk import Unlocked, naming_a_refused_lock, naming_the_disk, sync
from neurotrace.trajectories import result_files
from neurotrace.trajectories.result_files import CHECKSUM, FINISHED

FILE = "results.h5"
REPAIR = "--repair sets it aside and makes it again"
# What was read or written last: opening a result takes a tenth of a second, and there are dozens.
_LAST: dict[Path, tuple[tuple[int, int, int], dict[str, xr.Dataset]]] = {}


class ResultsDamaged(ValueError):
    """A file of results was harmed since it was written; nothing is read of it."""


class ResultsLost(OSError):
    """What this process had made was removed by another before it was whole."""


class Results:
    """The results of one run folder, computed once and read back afterwards.

    Parameters
    ----------
    folder
        Made with the first result.
    file
        Their file in it.
    lease
        The right to make that file, where several processes may want to: whoever loses it is
        refused before anything of its own gets a name.
    """

    def __init__(self, folder: str | Path, *, file: str = FILE, lease: Lease | None = None) -> None:
        self.folder = Path(folder)
        self.file = self.folder / file
        self.partial = result_files.name_of(self.file, lease)
        self._lease = lease
        with naming_the_disk(self.file):
            begun = set(result_files.inherit(self.file, lease))
        self._done = begun or set(_groups(self.file))
        self._read: dict[str, xr.Dataset] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._done

    def get(self, name: str, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
        """The result of that name: read if it is there, computed and kept if it is not."""
        if name not in self._done:
            dataset = compute()
            self._refuse_if_lost()
            try:
                with naming_the_disk(self.file):
                    self._write(name, dataset)
            except Exception:
                self._refuse_if_lost()  # whoever took over has moved the file away meanwhile
                raise
            self._done.add(name)
        return self[name]

    def _write(self, name: str, dataset: xr.Dataset) -> None:
        self._refuse_if_gone()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.file.is_file() and not self.partial.is_file():
            shutil.copy(self.file, self.partial)  # a finished file is added to, never lost
        # What was read from a file remembers how it was kept there; its heirs may be text.
        plain = dataset.drop_encoding()
        result_files.reserve(self.partial, plain)
        plain.to_netcdf(self.partial, mode="a", group=name, engine="h5netcdf")
        result_files.reserve(self.partial)
        with h5py.File(self.partial, "a") as file:
            result_files.seal(file[name])

    def _refuse_if_gone(self) -> None:
        """A file that lacks what was put into it is not gone on with: it would look whole."""
        file = self.partial if self.partial.is_file() else self.file
        gone = self._done - set(_groups(file))
        if gone:
            raise ResultsLost(
                f"{self.file.name}: {len(gone)} of the results made so far are gone "
                f"({', '.join(sorted(gone)[:3])}): another process removed or renamed their file "
                "(--repair, or other settings, beside this run); they are made again by the same "
                "command"
            )

    def _refuse_if_lost(self) -> None:
        """Whoever hung until another took the file over leaves nothing of its own."""
        if self._lease is not None and not self._lease.still_ours():
            self.partial.unlink(missing_ok=True)
            self._lease.refuse_if_lost()

    def __getitem__(self, name: str) -> xr.Dataset:
        if name not in self._read:
            if name in self._done:
                self._refuse_if_gone()
            file = self.partial if self.partial.is_file() else self.file
            self._read[name] = _load(file, name)
        return self._read[name].copy(deep=True)

    def finish(self) -> dict[str, xr.Dataset]:
        """Give the file its name; all results by name.

        Raises
        ------
        ResultsLost
            When something that was put into it is not there any more; nothing gets a name then.
        """
        self._refuse_if_lost()
        self._refuse_if_gone()
        if not self.file.is_file() and not self.partial.is_file():
            result_files.reserve(self.partial)  # all was left out, and that is a result
            h5py.File(self.partial, "a").close()
        if self.partial.is_file():
            sync(self.partial)
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
    found = []
    for file in result_files.unfinished(Path(folder) / FILE):
        with contextlib.suppress(ResultsDamaged):  # cut off while it was written
            found.append(_groups(file))
    return max(found, key=len, default=[])


def _stamp(file: Path) -> tuple[int, int, int]:
    """What changes when a file does."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _copies(found: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    return {name: dataset.copy(deep=True) for name, dataset in found.items()}


def _load(file: Path, name: str) -> xr.Dataset:
    with _naming_damage(file):
        with h5py.File(file, "r", locking=False) as opened:
            if not result_files.whole(opened[name]):
                raise ResultsDamaged(f"{file.name} differs from its checksum in {name}; {REPAIR}")
        unlocked = {"locking": False}
        with xr.open_dataset(file, group=name, engine="h5netcdf", driver_kwds=unlocked) as read:
            dataset = read.load()
    for mark in (FINISHED, CHECKSUM):
        dataset.attrs.pop(mark, None)
    return dataset


def _groups(file: Path) -> list[str]:
    with _naming_damage(file):
        found = result_files.groups(file)
        if not found and file.is_file() and result_files.holds_others(file):
            raise ResultsDamaged(f"{file.name} holds no results of ours; {REPAIR}")
        return found


@contextlib.contextmanager
def _naming_damage(file: Path) -> Iterator[None]:
    """One line for a file that HDF5 cannot read, in whatever words it says so. One that may not
    be read, or not now, is not known to be harmed.
    """
    try:
        with naming_a_refused_lock(file):
            yield
    except (FileNotFoundError, PermissionError, Unlocked, ResultsDamaged, ResultsLost):
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        told = " ".join(str(error).split())[:120]
        raise ResultsDamaged(f"{file.name} cannot be read ({told}); {REPAIR}") from None
