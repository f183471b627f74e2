"""A diagnosis on the terminal: one table, and what to do about what is wrong."""

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

import pandas as pd

from neurotrace.doctor.findings import ROOMS, VERDICTS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Words, not signs: they need no colour and no font.
STYLES = {"ok": "green", "note": "cyan", "not checked": "yellow", "failed": "bold red"}
TITLES = {
    "texts": "Sentences",
    "sites": "Sites",
    "values": "Values",
    "numbers": "Numbers",
    "here": "This machine",
}


def show(found: pd.DataFrame, title: str, *, console: "Console | None" = None) -> None:
    """Print the table, then a line for everything that is not ok."""
    from rich.console import Console

    if console is None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a log may know no Unicode
        console = Console(highlight=False)
    console.print(title, style="bold", markup=False)
    console.print()
    console.print(_table(found))
    told = found[found["verdict"] != "ok"]
    if len(told):
        console.print()
    for verdict in reversed(VERDICTS):
        for row in told[told["verdict"] == verdict].itertuples():
            console.print(
                f"{verdict}: {row.check!s}: {str(row.detail) or str(row.found)}",
                style=STYLES[verdict],
                markup=False,
            )
    console.print()
    console.print(_sum(found), style="bold")


def _table(found: pd.DataFrame) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("check", no_wrap=True)
    table.add_column("found")
    table.add_column("expected")
    table.add_column("verdict", no_wrap=True)
    for part in ROOMS:
        rows = found[found["part"] == part]
        if rows.empty:
            continue
        table.add_row(Text(TITLES[part], style="bold"))
        for number, row in enumerate(rows.itertuples(), 1):
            table.add_row(
                Text(f"  {row.check!s}"),
                Text(str(row.found)),
                Text(str(row.expected), style="dim"),
                Text(str(row.verdict), style=STYLES[str(row.verdict)]),
                end_section=number == len(rows),
            )
    return table


def _sum(found: pd.DataFrame) -> str:
    counts = {name: int((found["verdict"] == name).sum()) for name in VERDICTS}
    if not counts["failed"]:
        return f"nothing failed in {len(found)} checks"
    return f"{counts['failed']} of {len(found)} checks failed"
