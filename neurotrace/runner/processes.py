"""Local worker processes: fresh interpreters, one item at a time, one GPU and one thread each.

Children are started as commands, not by ``multiprocessing``, which would run the caller's script
once more in each of them and could not set their environment before that script imports NumPy.
They are spoken to through ``multiprocessing.connection``. POSIX only.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from typing import Any

from neurotrace.runner.driver import drive
from neurotrace.runner.outcome import Outcome, WorkerLost, opened, packed_of, say
from neurotrace.runner.surroundings import around, cores, gpus
from neurotrace.runner.worker import END

GRACE = 5.0  # seconds a worker has to end by itself
LOOK = 0.25  # seconds between looks at whether the workers live
QUIET = 1800.0  # seconds without a word after which a line is said
_CODE = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from neurotrace.runner.worker import serve; serve(int(sys.argv[1]))"
)


def in_processes(
    fn: Callable[[Any], Any], items: Sequence[Any], *, workers: int | None = None
) -> list[Any]:
    """Values of ``fn`` over ``items``, each computed in one of several child processes."""
    devices = gpus()
    wanted = workers or len(devices) or cores()
    return drive(Processes(packed_of(fn), min(wanted, len(items)), devices), items)


class Processes:
    """Workers in numbered slots; each is started when it is first needed."""

    def __init__(self, function: bytes, slots: int, devices: list[str]) -> None:
        self.slots = slots
        self._function = function
        self._devices = devices
        self._idle: dict[int, Worker] = {}
        self._busy: dict[int, tuple[int, Worker]] = {}

    def begin(self, index: int, item: Any) -> None:
        """Give an item to an idle worker, a new one where there is none."""
        packed = packed_of(item)
        slot, worker = self._idle.popitem() if self._idle else self._started()
        self._busy[slot] = index, worker
        worker.send(packed)

    def _started(self) -> "tuple[int, Worker]":
        slot = min(set(range(self.slots)) - self._busy.keys())
        return slot, Worker(self._function, around(slot, self._devices))

    def ended(self) -> list[tuple[int, Outcome | str]]:
        """Wait for answers, and for workers that will give none."""
        found: list[tuple[int, Outcome | str]] = []
        begun = time.monotonic()
        while not found:
            if time.monotonic() - begun >= QUIET:
                begun = time.monotonic()
                pids = ", ".join(str(worker.process.pid) for _, worker in self._busy.values())
                say(
                    f"no worker has ended anything for {QUIET / 60:.0f} minutes: {pids}; "
                    "one that hangs can be killed: its item is tried again"
                )
            # A grandchild may hold the connection open, so that its end says too little.
            wait([worker.connection for _, worker in self._busy.values()], timeout=LOOK)
            for slot, (index, worker) in list(self._busy.items()):
                answer = worker.answer()
                if answer is None:
                    continue
                del self._busy[slot]
                found.append((index, answer))
                if isinstance(answer, str):
                    worker.connection.close()
                else:
                    self._idle[slot] = worker
        return found

    def alone(self) -> None:
        """End all workers."""
        self.close()

    def close(self) -> None:
        """Ask idle workers to end, tell busy ones to; whatever takes too long is killed."""
        busy = [worker for _, worker in self._busy.values()]
        workers = [*self._idle.values(), *busy]
        try:
            for worker in busy:
                worker.process.terminate()
            for worker in self._idle.values():
                worker.send(END)
            deadline = time.monotonic() + GRACE
            for worker in workers:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass  # killed below
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.wait()
                worker.connection.close()
            self._idle.clear()
            self._busy.clear()


class Worker:
    """One child process and the connection to it."""

    def __init__(self, function: bytes, environment: dict[str, str]) -> None:
        self.connection, theirs = Pipe()
        path = [part or str(Path.cwd()) for part in sys.path]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CODE, str(theirs.fileno()), *path],
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        self._ready = False
        self.send(function)

    def send(self, message: bytes) -> None:
        """Send, whether or not there is still somebody to read it: ``answer`` finds out."""
        try:
            self.connection.send_bytes(message)
        except OSError:
            self.process.kill()

    def answer(self) -> Outcome | str | None:
        """The outcome of the item, how the process ended without one, or None: still at work."""
        code = self.process.poll()  # asked first: what it sent before its end is still read
        try:
            while self.connection.poll():
                message = self.connection.recv_bytes()
                if self._ready:
                    return opened(message)
                self._ready = True
        except (EOFError, OSError):
            code = self.process.wait()
        if code is None:
            return None
        if not self._ready and code >= 0:
            raise WorkerLost(
                f"got exit code {code} from a worker that had not begun; expected a Python that "
                f"starts, with neurotrace: {sys.executable}"
            )
        return ending(code)


def ending(code: int) -> str:
    """How a process ended, from what ``wait`` returned.

    >>> ending(-9), ending(3)
    ('killed by SIGKILL', 'ended by itself with exit code 3')
    """
    if code >= 0:
        return f"ended by itself with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
