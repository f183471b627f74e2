"""The files of leases: their names and numbers, what stands in one, and how old it is."""

import contextlib
import errno
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from neurotrace.runner.owners import Owner

FOLDER = ".leases"
# Of one length, so that a release overwrites bytes in place: a full disk cannot refuse it.
HELD, RELEASED = "occupied", "released"
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
# What a disk says that may answer in a while.
PASSING = (*FULL, errno.EIO, errno.EAGAIN, getattr(errno, "ESTALE", errno.EIO))

NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


@dataclass(frozen=True)
class Record:
    """What stands in a lease's file.

    Attributes
    ----------
    state
        ``"occupied"`` or ``"released"``.
    token
        Drawn anew for every lease.
    expiry
        Seconds without a touch after which it lapses.
    since
        When it was taken, for messages only.
    """

    state: str
    token: str
    owner: Owner
    expiry: float
    since: str

    def dump(self, state: str) -> bytes:
        """One line of JSON."""
        return (json.dumps(asdict(self) | {"state": state}) + "\n").encode()

    @classmethod
    def load(cls, text: str) -> "Record | None":
        """None for a file that is empty or half written."""
        try:
            fields = json.loads(text)
            return cls(**(fields | {"owner": Owner(**fields["owner"])}))
        except (ValueError, TypeError, KeyError):
            return None


def folder(file: Path) -> Path:
    """Where the leases of what lies beside a file are."""
    return file.parent / FOLDER


def named(file: Path, number: int) -> Path:
    """The lease of that number.

    >>> named(Path("RUN/0007_step512.h5"), 3).as_posix()
    'RUN/.leases/0007_step512.h5.3.lease'
    """
    return folder(file) / f"{file.name}.{number}.lease"


def numbers(file: Path) -> list[int]:
    """Numbers of the leases that a file has had, ascending; the last is its holder's."""
    pattern = re.compile(re.escape(file.name) + r"\.(\d+)\.lease")
    matches = (pattern.fullmatch(path.name) for path in folder(file).iterdir())
    return sorted(int(match[1]) for match in matches if match)


def make(path: Path, record: Record) -> bool:
    """Make a lease's file, which must not exist; False where another was quicker.

    Its text is there as soon as its name: a file whose maker was killed in between would say
    nothing of it, and be waited for until it lapses.
    """
    draft = path.with_name(f".{record.token}.draft")
    try:
        draft.write_bytes(record.dump(HELD))
        os.link(draft, path)
    except FileExistsError:
        # A network file system may have made it and lost the answer.
        return draft.stat().st_nlink > 1
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _made_openly(path, record)
    finally:
        with contextlib.suppress(OSError):  # what went wrong is said, not what followed
            draft.unlink(missing_ok=True)
    return True


def _made_openly(path: Path, record: Record) -> bool:
    """The same where there are no hard links."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    try:
        text = record.dump(HELD)
        if os.write(handle, text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        path.unlink(missing_ok=True)  # our own, and nobody could read it
        raise
    finally:
        os.close(handle)
    return True


def read(path: Path) -> tuple[Record | None, float]:
    """What a lease says, and when it was touched, by the file system's time."""
    # Opened before it is asked for its age: network file systems look again at an open alone.
    with path.open(encoding="utf-8", errors="replace") as stream:
        return Record.load(stream.read()), os.fstat(stream.fileno()).st_mtime


def now(file: Path) -> float:
    """The time of the file system, as it stamps a file that is made now."""
    path = folder(file) / f".now-{secrets.token_hex(4)}"
    try:
        path.touch(exist_ok=False)
        return path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)


def age(file: Path, touched: float) -> float | None:
    """Seconds since a lease was touched, None while a disk (a full one, say) cannot tell."""
    try:
        return now(file) - touched
    except OSError as error:
        if error.errno not in PASSING:
            raise
        return None


@contextlib.contextmanager
def explained(file: Path) -> Iterator[None]:
    """Say in one line that leases of what lies beside a file cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise PermissionError(
                f"{file.parent} cannot be written ({error.strerror}), so that {file.name} cannot "
                "be made; expected a folder of one's own (a finished run is read as it is)"
            ) from None
        if error.errno in FULL:
            raise OSError(
                error.errno, f"the disk of {file.parent.name} is full: no lease of {file.name}"
            ) from None
        raise
