"""``python -m neurotrace.checkpoints list``: what a series has, and what it lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.find import Checkpoint, find, gaps, select
from neurotrace.checkpoints.quantities import human
from neurotrace.checkpoints.remote import File
from neurotrace.checkpoints.wanted import small_of, weights_of

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 12  # gaps that the line below the table names


@dataclass(frozen=True)
class Config:
    """The checkpoints of a series: steps, tokens, revisions, sizes, and what is missing."""

    source: str
    """Folder of checkpoints, repository org/model, or a .toml file."""
    checkpoints: str = "all"
    """Selection by steps: all, 0,64,512, 64:1024, ::2 or log:12, joined by commas."""
    pattern: str | None = None
    """Regular expression of whole names, with a group named step."""
    tokenizer: str | None = None
    """Folder or repository whose tokenizer all checkpoints use."""


def run(config: Config) -> int:
    """Print the table, the gaps and the notes of a series; returns 0."""
    from rich.console import Console

    series = select(
        find(config.source, pattern=config.pattern, tokenizer=config.tokenizer), config.checkpoints
    )
    console = Console(highlight=False)
    console.print(_table(series))
    for line in lines(series):
        console.print(line, markup=False, soft_wrap=True)
    return 0


def lines(series: Sequence[Checkpoint]) -> list[str]:
    """What is said below the table: how much there is, gaps, notes, tokenizer."""
    sizes = [_sizes(checkpoint) for checkpoint in series]
    here, whole = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
    number = _count(len(series), "checkpoint")
    told = [f"{number}, {human(whole)}, {human(here)} of it here"]
    told.append(gaps_line(gaps(series)))
    elsewhere = sorted({_tokenizer(c) for c in series if c.tokenizer is not None})
    if elsewhere:
        told.append(f"tokenizer: {', '.join(elsewhere)}")
    return told + list(getattr(series, "notes", ()))


def gaps_line(absent: Sequence[tuple[int, int]]) -> str:
    """The missing steps in one line.

    Examples
    --------
    >>> gaps_line([(0, 512), (0, 1024)])
    'missing: 2 steps: 512, 1024'
    >>> gaps_line([])
    'missing: none known'
    """
    if not absent:
        return "missing: none known"
    names = [f"stage {stage} {step}" if stage else str(step) for stage, step in absent]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"missing: {_count(len(names), 'step')}: {', '.join(names[:SHOWN])}{more}"


def token_text(tokens: int | None) -> str:
    """Tokens for people.

    Examples
    --------
    >>> token_text(2_097_152_000), token_text(None)
    ('2.1B', '')
    """
    if tokens is None:
        return ""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if tokens >= size:
            return f"{tokens / size:.1f}{unit}"
    return str(tokens)


def _table(series: Sequence[Checkpoint]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=series[0].model, title_justify="left")
    staged = any(checkpoint.stage for checkpoint in series)
    counted = any(checkpoint.tokens is not None for checkpoint in series)
    heads = {"step": True, "stage": staged, "tokens": counted, "size": True}
    for head, wanted in heads.items():
        if wanted:
            table.add_column(head, justify="right", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("revision", overflow="fold")
    for checkpoint in series:
        here, whole = _sizes(checkpoint)
        share = "yes" if here == whole else "no" if not here else f"{here / whole:.0%}"
        cells = {
            "step": str(checkpoint.step),
            "stage": str(checkpoint.stage),
            "tokens": token_text(checkpoint.tokens),
            "size": human(whole),
        }
        row = [cells[head] for head, wanted in heads.items() if wanted]
        table.add_row(*row, share, checkpoint.revision or "")
    return table


def _sizes(checkpoint: Checkpoint) -> tuple[int, int]:
    """Bytes that lie here, and bytes in all, of the files that a run needs."""
    if checkpoint.remote is None:
        size = sum(file.size for file in _needed(_on_disk(checkpoint.path), checkpoint.path))
        return size, size
    listing = hub.files(checkpoint.remote.repo, checkpoint.remote.commit)
    needed = _needed(listing, checkpoint.path)
    here = sum(file.size for file in needed if (checkpoint.path / file.name).is_file())
    return here, sum(file.size for file in needed)


def _needed(files: Sequence[File], folder: Path) -> list[File]:
    weights = weights_of(files, folder=folder)
    return list({file.name: file for file in (*small_of(files), *weights)}.values())


def _on_disk(folder: Path) -> list[File]:
    present = sorted(file for file in folder.iterdir() if file.is_file())
    return [File(file.name, file.stat().st_size, "") for file in present]


def _tokenizer(checkpoint: Checkpoint) -> str:
    if checkpoint.remote and checkpoint.remote.tokenizer:
        return checkpoint.remote.tokenizer[0]
    return str(checkpoint.tokenizer)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
