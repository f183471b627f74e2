"""What a disk says no to, in one line each: full, read-only, without locks; and making it keep."""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from neurotrace.store.layout import StoreFull

# HDF5 raises its own errors, with the number of the cause only in the text.
NUMBER = re.compile(r"errno = (\d+),")
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
LOCKING = "unable to lock file"


class Unlocked(OSError):
    """HDF5 got no lock: another process writes the file, or its file system has no locks."""


def sync(path: Path) -> None:
    """Ask the disk to keep a file, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def number_of(error: BaseException) -> int:
    """The system's number of what went wrong, wherever it stands; 0 where it stands nowhere."""
    number = getattr(error, "errno", None)
    found = NUMBER.search(str(error))
    return int(found[1]) if number is None and found else int(number or 0)


def refused_lock(error: BaseException) -> bool:
    """Whether HDF5 failed only because it got no lock."""
    return LOCKING in str(error)


@contextlib.contextmanager
def naming_a_full_disk(file: Path, needed: int | None = None) -> Iterator[None]:
    """Turn "no space left", in whatever words HDF5 says it, into one line.

    Parameters
    ----------
    file
        What is written.
    needed
        Its size in bytes, where that is known.
    """
    try:
        yield
    except StoreFull:
        raise
    except (OSError, RuntimeError) as error:
        if number_of(error) not in FULL:
            raise
        raise StoreFull(_full(file, needed, number_of(error))) from None


@contextlib.contextmanager
def naming_a_refused_lock(file: Path) -> Iterator[None]:
    """Explain in one line that HDF5 got no lock of a file, which is then not known to be harmed."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, Unlocked) or not refused_lock(error):
            raise
        raise _unlocked(file, error) from None


@contextlib.contextmanager
def naming_the_disk(file: Path, needed: int | None = None) -> Iterator[None]:
    """As :func:`naming_a_full_disk`; a read-only folder and a refused lock are explained, too."""
    try:
        with naming_a_refused_lock(file), naming_a_full_disk(file, needed):
            yield
    except Unlocked:
        raise
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and number_of(error) in READ_ONLY:
            why = os.strerror(number_of(error))
            raise PermissionError(
                f"{file.parent.name} cannot be written ({why}): {file.name} is not whole yet; "
                "expected a folder of one's own (a finished run is read as it is)"
            ) from None
        raise


def refuse_small_disk(file: Path, needed: int) -> None:
    """Raise before anything is written where the disk has less than a file needs, in bytes."""
    if shutil.disk_usage(file.parent).free < needed:
        raise StoreFull(_full(file, needed))


def _full(file: Path, needed: int | None, number: int = errno.ENOSPC) -> str:
    want = "" if needed is None else f"{needed:,} bytes needed for {file.name}, "
    if number == errno.EFBIG:
        return (
            f"{file.name}: {want}more than this system lets one file have; "
            "rows counted so far stay (see `ulimit -f`)"
        )
    free = shutil.disk_usage(file.parent).free
    return f"the disk of {file.parent.name} is full: {want}{free:,} free; rows counted so far stay"


def _unlocked(file: Path, error: BaseException) -> Unlocked:
    number = number_of(error)
    advice = "set HDF5_USE_FILE_LOCKING=FALSE"
    if number in (errno.EAGAIN, errno.EACCES):
        return Unlocked(
            f"{file.name} is being written by another process (if there is none, a network file "
            f"system keeps the lock of one that ended: {advice})"
        )
    return Unlocked(
        f"{file.name}: HDF5 got no lock (errno {number}: {os.strerror(number)}), as on network "
        f"file systems that have none; {advice} and let one process write a file"
    )
