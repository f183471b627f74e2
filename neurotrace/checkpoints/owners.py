"""Who downloads and holds what: a name with a lock, which the system lets go when a process ends.

However it ends: nobody has to be told that it was killed.
"""

import contextlib
import fcntl
import os
import uuid
import weakref
from pathlib import Path
from typing import IO


class Owner:
    """A name under which downloads and holds are entered, alive as long as this object.

    Parameters
    ----------
    cache
        The hub cache, in whose folder of locks the name's lock lies.
    """

    def __init__(self, cache: Path):
        self.name = uuid.uuid4().hex[:12]
        file = _lock_of(cache, self.name)
        # Where a file system knows no locks nobody is ever taken for dead, and nothing is reaped;
        # where it cannot be written nothing is entered under the name.
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            stream = file.open("w")
            weakref.finalize(self, _end, stream, file)
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


_here: dict[tuple[int, Path], Owner] = {}


def owner_here(cache: Path) -> str:
    """The name of this process: it waits for others, and never for itself."""
    key = os.getpid(), cache
    if key not in _here:
        _here[key] = Owner(cache)
    return _here[key].name


def alive(cache: Path, name: str) -> bool:
    """Whether an owner still is."""
    file = _lock_of(cache, name)
    try:
        with file.open("r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink(missing_ok=True)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def downloading(cache: Path, repo: str, digest: str) -> bool:
    """Whether huggingface_hub's own lock says that a content is being downloaded now."""
    try:
        with (cache / ".locks" / repo / f"{digest}.lock").open("r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _lock_of(cache: Path, name: str) -> Path:
    return cache / ".locks" / f"neurotrace-{name}.lock"


def _end(stream: IO[str], file: Path) -> None:
    file.unlink(missing_ok=True)
    stream.close()
