"""One checkpoint of a run into its file: whoever does it, wherever, and whatever comes after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from neurotrace.capture.batches import Allowance
from neurotrace.capture.bringing import captured_hash, following
from neurotrace.capture.collect import rotations_of
from neurotrace.capture.job import Job
from neurotrace.capture.progress import Reporter
from neurotrace.capture.work import Work
from neurotrace.checkpoints import Checkpoint, weight_hash
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.runner.leases import Lease, hold, try_hold
from neurotrace.store.match import read_header

TWIN = "twin"
Afterwards = Callable[[Path, Lease], None]


@dataclass(frozen=True, kw_only=True)
class Capturing:
    """What captures the checkpoints of a run, by label; other processes get a copy of it.

    Attributes
    ----------
    files
        Where each checkpoint goes.
    twin, twin_file
        Folder or seed of a re-initialised model, and its file.
    afterwards
        What is done with a file once it is whole, by whoever holds its lease, which it is given,
        too; a file that is left from before is handed to it again.
    reporter
        Tells of progress; a copy in another process makes a plain one of its own.
    """

    job: Job
    files: Mapping[Checkpoint, Path]
    shelf: Shelf
    twin: str | Path | int | None
    twin_file: Path
    allow_equal: bool
    afterwards: Afterwards | None
    shown: bool
    reporter: Reporter | None = field(default=None, repr=False)
    _seen: dict[str, str] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        # Bars and what was learned of a device stay where they are.
        return {n: v for n, v in self.__dict__.items() if n not in ("_reporter", "_work")} | {
            "reporter": None
        }

    def __call__(self, label: str) -> bool:
        """Capture one checkpoint, or find that it is done.

        Returns
        -------
        False where another process is at it, and nothing was done here.
        """
        lease = try_hold(self._place(label)[1])
        if lease is not None:
            try:
                self._do(label, lease)
            finally:
                lease.release()
        return lease is not None

    def wait(self, label: str) -> None:
        """The same, waiting for whoever is at it."""
        with hold(self._place(label)[1]) as lease:
            assert lease is not None
            self._do(label, lease)

    def _place(self, label: str) -> tuple[Checkpoint | None, Path]:
        for checkpoint, file in self.files.items():
            if checkpoint.label == label:
                return checkpoint, file
        return None, self.twin_file

    def _do(self, label: str, lease: Lease) -> None:
        checkpoint, file = self._place(label)
        if checkpoint is not None:
            self._capture(checkpoint, file, lease)
        elif self.twin is not None:
            self._work.capture_twin(self.twin, file, lease=lease)
        if self.afterwards is not None:
            with lease.explaining():
                self.afterwards(file, lease)

    def _capture(self, checkpoint: Checkpoint, file: Path, lease: Lease) -> None:
        label, known = checkpoint.label, captured_hash(file, checkpoint)
        if known is not None:
            self._refuse_twice(known, label)
            self._work.recognise(checkpoint, file, weights=known, label=label)
            return
        then = following(self.files)[checkpoint]
        report = self._reporter.bringing
        with self.shelf.at_hand(checkpoint, then=then, report=report) as folder:
            # Hashing reads the file that loading maps next, so it costs no second read.
            found = weight_hash(folder)
            self._refuse_twice(found, label)
            self._work.capture(checkpoint, file, weights=found, label=label, lease=lease)

    def refuse_copies(self) -> None:
        """Refuse equal weights among all that is captured, whoever captured it."""
        for checkpoint, file in self.files.items():
            if file.exists():
                self._refuse_twice(str(read_header(file)["weight_hash"]), checkpoint.label)

    def _refuse_twice(self, found: str, label: str) -> None:
        twice = self._seen.setdefault(found, label)
        if twice != label and not self.allow_equal:
            raise ValueError(
                f"{twice} and {label} have equal weights; one of them is a copy "
                "(--allow, or allow_equal=True, lets them pass)"
            )

    @cached_property
    def _reporter(self) -> Reporter:
        return self.reporter or Reporter(0, len(self.job.concepts), shown=self.shown, bars=False)

    @cached_property
    def _work(self) -> Work:
        job = self.job
        rotations = rotations_of(job.targets, job.widths, job.n_layers)
        return Work(job, rotations, self._reporter, Allowance(job.options.device))
