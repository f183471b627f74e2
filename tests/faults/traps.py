"""What a run of the road meets at a named point, set in its own process before it begins."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where a stage does its work, each time it does some.
POINTS = {
    "capture": ("neurotrace.store.writer:CheckpointWriter", "write"),
    "naming": ("neurotrace.store.writer:CheckpointWriter", "finish"),
    "scoring": ("neurotrace.trajectories.parts:Parts", "_write"),
    "results": ("neurotrace.trajectories.results:Results", "get"),
    "report": ("neurotrace.report", "write"),
    "telling": ("neurotrace.stages", "state"),
    "keeping": ("neurotrace.trajectories.results:Results", "_write"),
}


def at(point: str, nth: int, name: str, *values: Any) -> None:
    """Have a fault happen just before a stage does its n-th piece of work, counted from 1."""
    owner, attribute = _owner(POINTS[point][0]), POINTS[point][1]
    work, calls = getattr(owner, attribute), [0]

    def met(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            FAULTS[name](*values)
        return work(*args, **options)

    setattr(owner, attribute, met)


def expiry(seconds: float) -> None:
    """Have leases lapse sooner, and look for them more often."""
    from neurotrace.runner import leases

    leases.hold.__wrapped__.__kwdefaults__.update(expiry=seconds, poll=0.05)
    leases.try_hold.__kwdefaults__.update(expiry=seconds)


def slowly(point: str, seconds: float) -> None:
    """Have each piece of work of a stage take a while longer."""
    owner, attribute = _owner(POINTS[point][0]), POINTS[point][1]
    work = getattr(owner, attribute)

    def slow(*args: Any, **options: Any) -> Any:
        time.sleep(seconds)
        return work(*args, **options)

    setattr(owner, attribute, slow)


def counted(file: str) -> None:
    """Write a line into a file for every checkpoint that is captured here."""
    from neurotrace.capture.work import Work

    fill = Work._fill

    def one(self: Work, writer: Any, hooked: Any, label: str) -> None:
        with Path(file).open("a") as log:
            log.write(f"{label}\n")
        fill(self, writer, hooked, label)

    Work._fill = one  # type: ignore[method-assign]


def full(folder: str) -> None:
    """Fill the disk of a folder to its last byte."""
    disk = os.statvfs(folder)
    with (Path(folder) / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize))


def told(name: str) -> None:
    """Get a signal."""
    os.kill(os.getpid(), signal.Signals[name])
    time.sleep(0)


def memory() -> None:
    raise MemoryError("got no memory")


def unlocked() -> None:
    """A file system without locks, as HDF5 says it."""
    raise BlockingIOError(
        11,
        "[Errno 11] Unable to synchronously open file (unable to lock file, errno = 37, "
        "error message = 'No locks available')",
    )


FAULTS: dict[str, Callable[..., None]] = {
    "at": at, "expiry": expiry, "slowly": slowly, "counted": counted, "full": full,
    "told": told, "memory": memory, "unlocked": unlocked,
}  # fmt: skip


def _owner(place: str) -> Any:
    import importlib

    module, _, name = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


@dataclass(frozen=True)
class Harmed:
    """What a worker does, with a fault on the first item that any worker takes up."""

    fn: Callable[[Any], Any]
    mark: Path
    fault: str
    values: tuple[Any, ...]

    def __call__(self, item: Any) -> Any:
        with contextlib.suppress(FileExistsError):
            self.mark.touch(exist_ok=False)
            FAULTS[self.fault](*self.values)
        return self.fn(item)


def once(mark: str, fault: str, *values: Any) -> None:
    """Have one of the workers of the capture meet a fault, once."""
    import sys

    import neurotrace.capture

    module = sys.modules[neurotrace.capture.run.__module__]
    each = module.map_each  # type: ignore[attr-defined]

    def harmed(fn: Callable[[Any], Any], items: Any, **options: Any) -> Any:
        return each(Harmed(fn, Path(mark), fault, values), items, **options)

    module.map_each = harmed  # type: ignore[attr-defined]


FAULTS["once"] = once
