"""``python -m neurotrace.checkpoints audit``: is every checkpoint what its name says?"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurotrace.checkpoints.audit import audit
from neurotrace.checkpoints.deep import Loss
from neurotrace.checkpoints.find import Checkpoint, find
from neurotrace.checkpoints.list_command import gaps_line, token_text
from neurotrace.checkpoints.quantities import bytes_of
from neurotrace.checkpoints.series import gaps
from neurotrace.checkpoints.shelf import Shelf

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

HARMLESS = ("ok", "missing", "unmoved since ")
HASH_SHOWN = 12  # digits of a hash that are enough to tell checkpoints apart


@dataclass(frozen=True)
class Config:
    """Copies, final weights under another name, broken files; --deep: steps off the curve.

    Without --deep nothing but listings and headers is read. Deep, all weights are, one checkpoint
    at a time, and those that lie on the Hub are downloaded; with --no-loss only samples of them.
    """

    source: str
    """Folder of checkpoints, repository org/model, or a .toml file."""
    deep: bool = False
    """Read the weights: hashes of tensors, NaN, distances of neighbours, loss."""
    loss: bool = True
    """Deep only: the loss on a few sentences. Without it remote weights are sampled by ranges."""
    concepts: str | None = None
    """Sentences for the loss. None given: SOURCE's own concepts.jsonl, or else the set everyday."""
    cache_budget: str | None = None
    """Most bytes of downloaded checkpoints on disk at any time, such as 50GB."""
    pattern: str | None = None
    """Regular expression of whole names, with a group named step."""
    tokenizer: str | None = None
    """Folder or repository whose tokenizer all checkpoints use."""
    table: str | None = None
    """Write the whole table to this file as CSV."""


Measure = Callable[[Config], Loss]


def run(config: Config, *, measure: Measure | None = None) -> int:
    """Print a verdict for each step; 1 where one is a copy, broken or off the curve, else 0.

    Parameters
    ----------
    measure
        Makes what takes a checkpoint's loss; without it there is none.
    """
    from rich.console import Console

    series = find(config.source, pattern=config.pattern, tokenizer=config.tokenizer)
    loss = measure(config) if measure and config.deep and config.loss else None
    shelf = Shelf(series, budget=bytes_of(config.cache_budget)) if loss is not None else None
    console = Console(highlight=False)
    with console.status("") as status:
        found = audit(
            series,
            loss=loss,
            deep=config.deep,
            shelf=shelf,
            report=lambda checkpoint: status.update(f"reading {checkpoint.label}"),
        )
    if config.table:
        found.to_csv(Path(config.table), index=False)
    console.print(shown(found))
    for line in lines(found, series):
        console.print(line, markup=False, soft_wrap=True)
    return 0 if found["verdict"].str.startswith(HARMLESS).all() else 1


def shown(table: "pd.DataFrame") -> "Table":
    """The table for a terminal; columns that tell nothing are left out."""
    from rich.table import Table
    from rich.text import Text

    cells = {
        "step": [str(step) for step in table["step"]],
        "stage": [str(stage) if stage else "" for stage in table["stage"]],
        "tokens": _texts(table["tokens"], token_text),
        "weights": _texts(table["weight_hash"], lambda mark: str(mark)[:HASH_SHOWN]),
        "drift": _texts(table["drift"], "{:.4f}".format),
        "detour": _texts(table["detour"], "{:.2f}".format),
        "loss": _texts(table["loss"], "{:.3f}".format),
        "verdict": list(table["verdict"]),
        "note": list(table["note"]),
    }
    found = Table(box=None, pad_edge=False, header_style="dim")
    kept = {name: column for name, column in cells.items() if any(column)}
    for name in kept:
        text = name in ("verdict", "note")
        found.add_column(
            name, justify="left" if text else "right", no_wrap=not text, overflow="fold"
        )
    for row in zip(*kept.values(), strict=True):
        fine = row[list(kept).index("verdict")].startswith(HARMLESS)
        found.add_row(*(Text(cell, style="" if fine else "bold yellow") for cell in row))
    return found


def lines(table: "pd.DataFrame", series: Sequence[Checkpoint]) -> list[str]:
    """What is said below the table.

    Examples
    --------
    >>> import pandas as pd
    >>> lines(pd.DataFrame({"verdict": ["ok", "copy of step 0", "copy of step 0"]}), [])
    ['3 steps: 2 copies of another step, 1 ok', 'missing: none known']
    """
    kinds = Counter(_kind(verdict) for verdict in table["verdict"])
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return [f"{len(table)} steps: {told}", gaps_line(gaps(series)), *getattr(series, "notes", ())]


def _texts(column: "pd.Series", write: Callable[[Any], str]) -> list[str]:
    return ["" if none else write(value) for value, none in zip(column, column.isna(), strict=True)]


def _kind(verdict: str) -> str:
    if verdict.startswith("copy of "):
        return "copies of another step"
    if verdict.startswith("unmoved since "):
        return "unmoved since the step before"
    return verdict.partition(":")[0]
