"""``python -m neurotrace.checkpoints prefetch``: bring a series, for a run without a network."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.find import find, select
from neurotrace.checkpoints.prefetch import prefetch
from neurotrace.checkpoints.quantities import duration, human
from neurotrace.checkpoints.shelf import Report, Shelf

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_EVERY = 30.0  # seconds between two lines about one checkpoint where there is no terminal


@dataclass(frozen=True)
class Config:
    """Download all checkpoints of a series and pin what the Hub says of them.

    Run it where there is a network; a trace of the same source then needs none. The same command
    again goes on where the last one was stopped, and refreshes what was pinned.
    """

    source: str
    """Repository org/model, or a .toml file."""
    checkpoints: str = "all"
    """Selection by steps: all, 0,64,512, 64:1024, ::2 or log:12, joined by commas."""
    pattern: str | None = None
    """Regular expression of whole names, with a group named step."""
    tokenizer: str | None = None
    """Folder or repository whose tokenizer all checkpoints use."""
    dry_run: bool = False
    """Say what would be downloaded, how much disk and how long it takes; download nothing."""


def run(config: Config) -> int:
    """Bring a series and say what was brought; returns 0."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with hub.asking_anew():
        series = select(
            find(config.source, pattern=config.pattern, tokenizer=config.tokenizer),
            config.checkpoints,
        )
    remote = [checkpoint for checkpoint in series if checkpoint.remote is not None]
    if not remote:
        console.print(f"{series[0].model}: local folders, nothing to download", markup=False)
        return 0
    if config.dry_run:
        Console(highlight=False).print(str(Shelf(series).price(series)), soft_wrap=True)
        return 0
    with _telling(console) as report:
        freight = prefetch(series, report=report)
    told = f"{freight.n_files:,} files, {human(freight.n_bytes)} downloaded"
    Console(highlight=False).print(
        f"{len(remote)} checkpoints of {series[0].model} are here: {told} in "
        f"{duration(freight.seconds)}, {human(freight.n_here)} were here already",
        soft_wrap=True,
    )
    return 0


@contextmanager
def _telling(console: "Console") -> Iterator[Report]:
    """A line a checkpoint; on a terminal also a bar for the one that is on its way."""
    said: dict[str, float] = {}
    with console.status("") as status:

        def report(label: str, n_done: int, n_bytes: int) -> None:
            share, now = f"{label}: {human(n_done)} of {human(n_bytes)}", time.monotonic()
            status.update(share)
            if n_done >= n_bytes:
                console.print(f"{label}: {human(n_bytes)} downloaded", soft_wrap=True)
            elif not console.is_terminal and now - said.setdefault(label, now) > PLAIN_EVERY:
                said[label] = now
                console.print(share, soft_wrap=True)

        yield report
