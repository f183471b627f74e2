"""Progress of a training run: a bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINES = 10  # plain lines a run


class Progress:
    """Step, loss and time left, on the standard error stream.

    Parameters
    ----------
    steps
        Updates of the whole run.
    start
        Updates done before.
    shown
        Show anything at all.
    """

    def __init__(self, steps: int, *, start: int = 0, shown: bool = True) -> None:
        self.steps, self.start, self.shown = steps, start, shown
        console = Console(stderr=True)
        self._terminal = shown and console.is_terminal
        self._console = console
        self._bar = Bar(
            TextColumn("pre-training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps · loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not self._terminal,
        )

    def __enter__(self) -> "Progress":
        self._began = time.monotonic()
        self._bar.start()
        self._task = self._bar.add_task("", total=self.steps, completed=self.start, loss="-")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self, update: int, loss: float) -> None:
        """Show an update and its loss, in nats a token."""
        if self._terminal:
            self._bar.update(self._task, completed=update, loss=f"{loss:.3f}")
        elif self.shown and (update % max(1, self.steps // LINES) == 0 or update == self.steps):
            left = (time.monotonic() - self._began) / (update - self.start) * (self.steps - update)
            line = f"step {update}/{self.steps}  loss {loss:.3f}  {left:.0f} s left"
            self._console.print(line, highlight=False)
