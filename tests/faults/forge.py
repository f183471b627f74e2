"""A process that has loaded everything and forks runs of the road, so that each costs seconds.

Run as a script it answers one line of JSON with one line: ``start`` gives the number of a new
process, ``wait`` its exit status once it has ended or stopped.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds after which a run is taken to hang


class Run:
    """One run of the road in a process of its own."""

    def __init__(self, forge: "Forge", pid: int, log: Path) -> None:
        self.forge, self.pid, self.log = forge, pid, log
        self.code: int | None = None

    @property
    def said(self) -> str:
        """Everything it wrote to its standard error so far."""
        return self.log.read_text()

    @property
    def last(self) -> str:
        """The last line of that."""
        return self.said.strip().splitlines()[-1]

    def send(self, name: str) -> None:
        """Send a signal."""
        os.kill(self.pid, signal.Signals[name])

    def wait(self, *, patience: float = PATIENCE) -> int:
        """Its exit code, negative for the signal that ended it."""
        code = self.within(patience)
        if code is None:
            self.send("SIGKILL")
            self.within(PATIENCE)
            raise AssertionError(f"a run hangs; it said: {self.said}")
        return code

    def within(self, seconds: float) -> int | None:
        """The same, None while it runs."""
        if self.code is None:  # a process is waited for once
            self.code = self.forge.ask({"wait": self.pid, "seconds": seconds})["code"]
        return self.code

    def stopped(self) -> None:
        """Wait until it has stopped, by SIGSTOP."""
        until = time.monotonic() + PATIENCE
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < until, self.said
            time.sleep(0.02)


class Forge:
    """The door to the process that forks; ``close`` it in the end."""

    def __init__(self, folder: Path) -> None:
        tests = Path(__file__).parent.parent
        self.folder, self.runs = folder, 0
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "forge.log").open("w"),
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent), *sys.path[1:]]),
                "OMP_NUM_THREADS": "1",
                "TOKENIZERS_PARALLELISM": "false",
            },
            text=True,
        )
        self.seconds = self._answer()["seconds"]  # of an undisturbed run

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def whole(self) -> Path:
        """An undisturbed run. Not to be changed."""
        return self.folder / "whole"

    def start(self, arguments: list[str], *traps: list[Any]) -> Run:
        """Begin a run in a process of its own."""
        self.runs += 1
        log = self.folder / f"run-{self.runs}.log"
        pid = self.ask({"start": arguments, "traps": traps, "log": str(log)})["pid"]
        return Run(self, pid, log)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "forge.log").read_text()
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def serve(folder: Path) -> None:
    """Load, make the source and an undisturbed run, then fork what is asked for."""
    from faults import small_source
    from faults.small_road import arguments

    speak = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(1)
    from neurotrace.trace import main

    source = small_source.made(folder / "source")
    # Everything is imported and compiled by this one, so that no child pays for it.
    if main(arguments(source, folder / "warm")):
        sys.exit("a run that nothing disturbed failed")
    gc.collect()
    gc.freeze()  # no child looks through what was loaded here
    begun = time.monotonic()
    child = _forked(arguments(source, folder / "whole"), [], folder / "whole.log")
    if os.waitpid(child, 0)[1]:
        sys.exit((folder / "whole.log").read_text())
    print(json.dumps({"seconds": time.monotonic() - begun}), file=speak, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if "start" in asked:
            child = _forked(asked["start"], asked["traps"], Path(asked["log"]))
            told: dict[str, Any] = {"pid": child}
        else:
            told = {"code": _ended(asked["wait"], asked["seconds"])}
        print(json.dumps(told), file=speak, flush=True)


def _forked(arguments: list[str], trapped: list[list[Any]], log: Path) -> int:
    child = os.fork()
    if child:
        return child
    status = 70
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        from faults.traps import FAULTS

        from neurotrace.trace import main

        for name, *values in trapped:
            FAULTS[name](*values)
        # A shell's background jobs ignore it, and so would every run.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _ended(child: int, seconds: float) -> int | None:
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(0.01)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
