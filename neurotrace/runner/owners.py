"""Who holds a lease: a host, a process on it, and whether that process is still there."""

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """One process, told apart from a later one that was given the same number.

    Attributes
    ----------
    host
        Name of its machine, for messages.
    place
        What only processes that can see each other have in common: name, boot and process
        namespace of the machine.
    pid, started
        Its number, and when it was started in the units of its machine; empty where unknown.
    """

    host: str
    place: str
    pid: int
    started: str

    def gone(self) -> bool:
        """Whether this process is known to have ended; False wherever that cannot be known.

        A process of another machine (or container) is never known to have ended. One that was
        killed and not yet collected by its parent has ended.
        """
        return self.place == _place() and not _runs(self.pid, self.started)

    def __str__(self) -> str:
        return f"host {self.host}, process {self.pid}"


def here() -> Owner:
    """This process."""
    return Owner(socket.gethostname(), _place(), os.getpid(), _started(os.getpid()))


@cache
def _place() -> str:
    """Empty parts (systems without /proc) leave the name of the machine."""
    boot = namespace = ""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = str((PROC / "self/ns/pid").readlink())
    except OSError:
        pass
    return f"{socket.gethostname()} {boot} {namespace}"


def _runs(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's: it is there
    state, now = _stat(pid)
    if state in "ZX" and state and _threads(pid) <= 1:
        return False
    return not (started and now) or started == now


def _started(pid: int) -> str:
    return _stat(pid)[1]


def _stat(pid: int) -> tuple[str, str]:
    """State and start of a process; empty where the system does not say (none but Linux)."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return "", ""
    # The name stands in parentheses and may hold anything, parentheses too.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]


def _threads(pid: int) -> int:
    """Threads left: one that is stuck in a write outlives the first of a killed process."""
    try:
        return len(list((PROC / str(pid) / "task").iterdir()))
    except OSError:
        return 0
