"""How a command ends that does not come through: at a signal, or at what a disk says no to."""

import errno
import math
import shlex
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from neurotrace.store.disk import FULL

UNUSABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
ENDING = 30.0  # seconds within which a run that was asked to has ended
KEPT = "what is written is kept; the same command resumes"


@contextmanager
def ending_tidily() -> Iterator[None]:
    """Have a scheduler's request to end do what the keyboard does: leases are given back.

    The first request counts; those that follow within half a minute would cut short what it began.
    """
    heard = -math.inf

    def end(_number: int, _frame: object) -> None:
        nonlocal heard
        now = time.monotonic()
        # One may be lost, where Python may raise nothing; so a later one counts again.
        if now - heard > ENDING:
            heard = now
            raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        # What ignores the keyboard, or answers it in its own way, goes on doing so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            before[signal.SIGINT] = signal.signal(signal.SIGINT, end)
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: it was set by no Python, which cannot set it again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def how_to_go_on(out: Path, arguments: Sequence[str]) -> str:
    """How far a run has come, and the command that goes on."""
    from neurotrace.stages import state

    again = shlex.join(["python", "-m", "neurotrace.trace", *arguments])
    done = f"{state(out)}, all kept; " if out.name and out.is_dir() else ""
    return f"{done}the same command goes on: {again}"


def told(error: OSError | ValueError, out: Path) -> tuple[str, int]:
    """One line and the exit code for an error: 2 where the input is wrong, 1 for anything else."""
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk of {out.name} is full ({KEPT})", 1
    if isinstance(error, OSError) and error.errno in UNUSABLE:
        named = error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
        return named or str(error), 2
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return f"{error} ({KEPT})", 1
    return str(error), 2
