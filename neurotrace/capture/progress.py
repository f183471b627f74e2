"""What the terminal shows while checkpoints are captured; plain lines where it is no terminal."""

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from neurotrace.checkpoints.quantities import human

PLAIN_EVERY = 30.0  # seconds between two plain lines


class Reporter:
    """Two bars, checkpoints and sentences, with sentences a second and the time left.

    Parameters
    ----------
    n_checkpoints, n_examples
        Of the run, and of each checkpoint.
        0 where others capture too.
    shown
        Nothing is printed otherwise.
    bars
        Bars where there is a terminal; plain lines for one of several processes.
    """

    def __init__(
        self, n_checkpoints: int, n_examples: int, *, shown: bool = True, bars: bool = True
    ):
        self._console = Console(stderr=True, quiet=not shown)
        self._n_checkpoints, self._n_examples = n_checkpoints, n_examples
        self._number = self._here = self._captured = 0
        self._label = ""
        self._coming: dict[str, tuple[float, TaskID | None]] = {}  # label: when last said, its bar
        self._lock = threading.Lock()
        self._begun = self._said = time.monotonic()
        self._bars: Progress | None = None
        if shown and bars and self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._all = self._bars.add_task("checkpoints", total=n_checkpoints, speed="")
            self._one = self._bars.add_task("sentences", total=n_examples, speed="")

    def __enter__(self) -> "Reporter":
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def checkpoint(self, label: str, n_done: int) -> None:
        """A checkpoint begins, with some sentences there already."""
        self._label, self._here = label, n_done
        if self._bars:
            self._bars.reset(self._one, completed=n_done, description=label, speed="")

    def bringing(self, label: str, n_done: int, n_bytes: int) -> None:
        """A checkpoint is on its way here; called from whichever thread brings it."""
        share, whole = f"{human(n_done)} of {human(n_bytes)}", n_done >= n_bytes
        with self._lock:
            said, bar = self._coming.setdefault(label, (time.monotonic(), self._bar_of(label)))
            if self._bars and bar is not None:
                percent = 100 * n_done / max(n_bytes, 1)
                self._bars.update(bar, completed=percent, speed=share, visible=not whole)
            elif whole or time.monotonic() - said > PLAIN_EVERY:
                self._coming[label] = (time.monotonic(), None)
                line = f"{label}: {share} downloaded"
                self._console.print(line, highlight=False, soft_wrap=True)

    def _bar_of(self, label: str) -> TaskID | None:
        if self._bars is None or label in self._coming:
            return None
        return self._bars.add_task(f"{label} from the Hub", total=100, speed="")

    def advance(self, n_examples: int) -> None:
        """A batch is done."""
        self._here += n_examples
        self._captured += n_examples
        if self._bars:
            speed = f"{self._speed():,.0f} sentences/s"
            self._bars.update(self._one, completed=self._here, speed=speed)
            share = self._number + self._here / self._n_examples
            self._bars.update(self._all, completed=share)
        elif time.monotonic() - self._said > PLAIN_EVERY:
            self._say(f"{self._here:,} of {self._n_examples:,} sentences")

    def done(self, what: str = "captured") -> None:
        """A checkpoint is whole."""
        self._number += 1
        self._here = 0
        if self._bars:
            self._bars.update(self._all, completed=self._number)
        else:
            self._say(what)

    def _say(self, what: str) -> None:
        self._said = time.monotonic()
        parts = [f"{self._label}: {what}"]
        if self._n_checkpoints:
            parts.append(f"{self._number} of {self._n_checkpoints} checkpoints")
        if self._captured:
            parts.append(f"{self._speed():,.0f} sentences/s")
        if self._captured and self._n_checkpoints:
            left = (self._n_checkpoints - self._number) * self._n_examples - self._here
            parts.append(f"{left / self._speed():,.0f} s left")
        self._console.print(", ".join(parts), highlight=False, soft_wrap=True)

    def _speed(self) -> float:
        return self._captured / max(time.monotonic() - self._begun, 1e-6)
