"""Items as jobs of a SLURM array, through submitit; done is what has a result file.

A job that is preempted or nears its time limit is queued again by itself. One that left the
queue without a result (killed, out of memory, a lost node) is submitted again a few times.
"""

import contextlib
import os
import pickle
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from neurotrace.runner.each import Executor
from neurotrace.runner.outcome import (
    Outcome,
    WorkerLost,
    attempt,
    failed,
    opened,
    packed_of,
    say,
    sealed,
)
from neurotrace.runner.queues import Queue, patience_of, queue_of
from neurotrace.runner.sbatch import RESTARTS

TRIES = 4  # the first, and three more
POLL = 2.0  # seconds between looks at the result files, at most


class Unit:
    """What a job does: one item, its outcome packed.

    The function lies in a file that all jobs read: it may hold all sentences of a run, and each
    job has a file of its own.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, item: bytes) -> bytes:
        """Work; an exception is an outcome like any other."""
        try:
            function, opened_item = pickle.loads(self.file.read_bytes()), pickle.loads(item)
        except Exception as error:
            return sealed(failed(error))
        outcome = attempt(function, opened_item)
        if type(outcome.error).__name__ == "UncompletedJobError":  # raised by submitit, into ours
            text = (
                f"got a job at its time limit for the {RESTARTS}th time; expected one that ends: "
                "what is done is kept, try a longer time"
            )
            outcome = Outcome(error=WorkerLost(text), trace=outcome.trace)
        return sealed(outcome)

    def checkpoint(self, item: bytes) -> Any:
        """What submitit queues when SLURM warns of the time limit: the same once more."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, item)


def on_slurm(fn: Callable[[Any], Any], items: Sequence[Any], where: Executor) -> list[Any]:
    """Values of ``fn`` over ``items``, each from a job of its own."""
    queue = queue_of(where.options, where.workers)
    patience = patience_of(where.options)
    values: list[Any] = []
    lost: list[str] = []
    with _written(fn, queue.folder) as file:
        for start in range(0, len(items), queue.together):
            array = Array(queue, Unit(file), items[start : start + queue.together], patience)
            found, gone = array.results()
            values += found
            lost += gone
    if lost:
        raise WorkerLost(
            f"got no result for {len(lost)} of {len(items)} items, whose jobs left the queue "
            f"{TRIES} times without one: {'; '.join(lost)}; expected jobs that end; the others "
            "are done; where memory is short, try a larger mem or a smaller --batch-tokens"
        )
    return values


@contextlib.contextmanager
def _written(fn: Callable[[Any], Any], folder: Path) -> Iterator[Path]:
    """A function in a file, for as long as jobs may read it."""
    file = folder.absolute() / f"function-{secrets.token_hex(4)}.pkl"
    try:
        with file.open("wb") as stream:
            stream.write(packed_of(fn))
            os.fsync(stream.fileno())  # other nodes read it at once
        yield file
    finally:
        file.unlink(missing_ok=True)


class Array:
    """Jobs submitted together, and what became of them."""

    def __init__(self, queue: Queue, unit: Unit, items: Sequence[Any], patience: float) -> None:
        self.queue, self.unit, self.items, self.patience = queue, unit, items, patience
        self.jobs: dict[int, Any] = {}  # those without an outcome
        self.tries = dict.fromkeys(range(len(items)), 1)
        self.gone: dict[int, float] = {}  # since when they are out of the queue
        self.lost: dict[int, str] = {}

    def results(self) -> tuple[list[Any], list[str]]:
        """Wait for all; values in order (None where lost), and the lost ones by name."""
        outcomes: dict[int, Outcome] = {}
        packed = [packed_of(item) for item in self.items]
        try:
            self.jobs = dict(enumerate(self.queue.submit(self.unit, packed)))
            looked, stopping = time.monotonic(), False
            while self.jobs:
                outcomes |= self._arrived()
                if not stopping and any(one.error for one in outcomes.values()):
                    stopping = True
                    self.queue.cancel(self.jobs.values(), waiting_only=True)
                if time.monotonic() - looked >= min(self.queue.interval, self.patience / 3):
                    looked = time.monotonic()
                    self._look(packed, stopping=stopping)
                time.sleep(min(POLL, self.queue.interval / 5))
        finally:
            self.queue.cancel(self.jobs.values(), waiting_only=False)
        self._raise(outcomes)
        done = [outcomes[at].value if at in outcomes else None for at in range(len(self.items))]
        return done, [f"{self.items[at]} ({how})" for at, how in sorted(self.lost.items())]

    def _arrived(self) -> dict[int, Outcome]:
        """Outcomes whose files are there; they are read once and removed."""
        found = {}
        # Listing a folder makes a network file system look again; asking for a file may not.
        folders = {job.paths.result_pickle.parent for job in self.jobs.values()}
        present = {file for folder in folders for file in folder.iterdir()}
        for index, job in list(self.jobs.items()):
            if job.paths.result_pickle in present:
                found[index] = _read(job.paths.result_pickle)
                job.paths.submitted_pickle.unlink(missing_ok=True)
                del self.jobs[index]
                self.gone.pop(index, None)
        return found

    def _look(self, packed: list[bytes], *, stopping: bool) -> None:
        """Deal with jobs that are neither in the queue nor done."""
        there = self.queue.present(self.jobs.values())
        now = time.monotonic()
        for index, job in list(self.jobs.items()):
            if job.job_id in there:
                self.gone.pop(index, None)
            elif stopping:
                del self.jobs[index]
            elif now - self.gone.setdefault(index, now) >= self.patience:
                del self.gone[index]
                self._again(index, packed[index])

    def _again(self, index: int, packed: bytes) -> None:
        job = self.jobs[index]
        if self.tries[index] >= TRIES:
            del self.jobs[index]
            self.lost[index] = f"job {job.job_id}, log {job.paths.stderr}"
            return
        self.tries[index] += 1
        say(
            f"{self.items[index]} left the queue without a result (job {job.job_id}); "
            f"it is submitted again, {self.tries[index]} of {TRIES}"
        )
        self.jobs[index] = self.queue.submit(self.unit, [packed])[0]

    def _raise(self, outcomes: dict[int, Outcome]) -> None:
        """Raise the earliest item's exception; others stand in its notes."""
        errors = {at: one.error for at, one in sorted(outcomes.items()) if one.error}
        for first, error in errors.items():
            for at, other in errors.items():
                if at != first:
                    told = f"{type(other).__name__}: {other}"
                    error.add_note(f"{self.items[at]} failed, too: {told}")
            raise error


def _read(file: Path) -> Outcome:
    """A job's outcome; what submitit itself had to say is an error, too."""
    told, result = pickle.loads(file.read_bytes())
    file.unlink()
    if told == "success":
        return opened(result)
    last = str(result).strip().splitlines()[-1]
    log = Path(str(file).replace("_result.pkl", "_log.err"))
    error = WorkerLost(f"got no outcome from a job: {last}; expected one; its log is {log}")
    return Outcome(error=error, trace=str(result))
