"""What bringing a series would cost: files, bytes, disk and time."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.find import Checkpoint
from neurotrace.checkpoints.quantities import duration, human
from neurotrace.checkpoints.room import Room, poor
from neurotrace.checkpoints.wanted import Want, wants

SAMPLE = 8 * 2**20  # bytes on which the speed of downloads is measured


@dataclass(frozen=True)
class Freight:
    """Downloads, counted before they are made.

    Attributes
    ----------
    n_files, n_bytes
        To download.
    n_here
        Bytes of these checkpoints that lie in the cache already.
    peak
        Most bytes of these checkpoints on disk at any time.
    seconds
        Of the downloads, from one timed request; 0 where there is nothing to download.
    """

    n_files: int
    n_bytes: int
    n_here: int
    peak: int
    seconds: float

    def __str__(self) -> str:
        wanted = f"{self.n_files:,} files, {human(self.n_bytes)}" if self.n_files else "nothing"
        time = f", roughly {duration(self.seconds)} at the speed of one request"
        return (
            f"downloads               {wanted} ({human(self.n_here)} here already)\n"
            f"in the cache            at most {human(self.peak)}{time if self.n_files else ''}"
        )


def price(series: Sequence[Checkpoint], room: Room) -> Freight:
    """What bringing a series costs: its listings, and one range of a file that is missing."""
    remote = [checkpoint for checkpoint in series if checkpoint.remote is not None]
    every = {(want.repo, want.file.digest): want for c in remote for want in wants(c, weights=True)}
    missing, fixed = room.sorted_out(every.values())
    n_all, n_missing, n_fixed = (_size(some) for some in (every.values(), missing, fixed))
    bound = n_all if room.budget is None else room.budget
    return Freight(
        n_files=len(missing),
        n_bytes=n_missing,
        n_here=n_all - n_missing,
        peak=n_fixed + min(bound, n_all - n_fixed),
        seconds=_seconds(missing, n_missing),
    )


def refuse_poor_budget(series: Sequence[Checkpoint], room: Room) -> None:
    """Refuse a budget below any one checkpoint and the small files of all.

    Raises
    ------
    ValueError
        With both numbers.
    """
    remote = [checkpoint for checkpoint in series if checkpoint.remote is not None]
    if room.budget is None or not remote:
        return
    of_each = {checkpoint.label: wants(checkpoint, weights=True) for checkpoint in remote}
    every = {want for found in of_each.values() for want in found}
    counted = every - set(room.sorted_out(every)[1])
    small = {want.file.digest: want for want in counted if not want.weights}
    for label, found in of_each.items():
        heavy = {w.file.digest: w for w in found if w.weights and w in counted}
        needed = _size({**small, **heavy}.values())
        if needed > room.budget:
            raise poor(room.budget, needed, label)


def _size(wanted: Iterable[Want]) -> int:
    return sum(want.file.size for want in wanted)


def _seconds(missing: Sequence[Want], n_bytes: int) -> float:
    """How long the downloads take at the speed of one request."""
    if not missing:
        return 0.0
    largest = max(missing, key=lambda want: want.file.size)
    n = min(SAMPLE, largest.file.size)
    begun = time.perf_counter()
    hub.read_range(largest.repo, largest.commit, largest.file.name, 0, n)
    return (time.perf_counter() - begun) * n_bytes / max(n, 1)
