"""The end of the command line: findings as lines and one table, on a terminal or in a log."""

from math import isnan
from typing import TYPE_CHECKING, Literal

from neurotrace.report.brief import brief
from neurotrace.report.headline import Row, rows
from neurotrace.report.reading import Kind, Results, between, count, number, short_count
from neurotrace.report.words import findings

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

# Words, not signs: they need no colour and no font.
MARKS: dict[Kind, tuple[str, str]] = {
    "found": ("found", "bold green"),
    "not_found": ("not found", "bold"),
    "warning": ("warning", "bold yellow"),
    "note": ("note", "cyan"),
}
# A log on a machine without Unicode must not stop a run that took hours.
PLAIN = str.maketrans(
    {"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{NO-BREAK SPACE}": " ", "½": "1/2", "±": "+/-"}
)
WIDE, VERY_WIDE = 110, 140


def terminal(results: Results, *, width: int = 100) -> "Group":
    """A compact summary as rich renderables: claims and warnings, one table, what it means.

    Notes beyond the last, the caveat about a single run, are left to the page.

    Parameters
    ----------
    width
        Columns of the terminal; below about 110 the intervals have two digits.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    lines = Table.grid(padding=(0, 2), pad_edge=False)
    lines.add_column(width=9, no_wrap=True)
    lines.add_column(max_width=max(width - 11, 30), overflow="fold")
    said = findings(results)
    notes = [finding for finding in said if finding.kind == "note"]
    for finding in [f for f in said if f.kind != "note"] + notes[-1:]:
        word, style = MARKS[finding.kind]
        text = Text(finding.text.translate(PLAIN), style="bold" if finding.kind == "found" else "")
        lines.add_row(Text(word, style=style), text)
    legend = _legend(results, n_notes=len(notes) - 1)
    return Group(
        lines,
        Text(),
        *_brief(results, width),
        _table(results, width),
        Text(),
        *(Text(line, style="dim") for line in legend),
    )


def _brief(results: Results, width: int) -> "list[Table | Text]":
    """One aligned line for each question, and an empty one; nothing where none was traced."""
    from rich.table import Table
    from rich.text import Text

    said = brief(results)
    if not said:
        return []
    lines = Table.grid(padding=(0, 2), pad_edge=False)
    lines.add_column(width=11, no_wrap=True)
    lines.add_column(max_width=max(width - 13, 30), overflow="fold")
    for name, line in said:
        lines.add_row(Text(name, style="dim"), Text(line.translate(PLAIN)))
    return [lines, Text()]


def _table(results: Results, width: int) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    wide = width >= WIDE
    digits = 3 if wide else 2
    chosen = rows(results, most=18)
    columns = {
        "step": [_step(row) for row in chosen],
        "loss": [_shown(row["loss"], 2) for row in chosen],
        "own AP": [_shown(row["own"], 2) for row in chosen],
        "other": [_shown(row["other"], 2) for row in chosen] if wide else [],
        "corrected": [_interval(row, digits) for row in chosen],
        "overlap": [_shown(row["overlap"], 3) for row in chosen] if wide else [],
        "wrong": [_shown(row["wrong_concept"], 3) for row in chosen],
        "chance": [_shown(row["chance"], 3) for row in chosen],
        "ceiling": [_shown(row["ceiling"], 3) for row in chosen] if wide else [],
        "use": [_interval(row, digits, "use") for row in chosen] if width >= VERY_WIDE else [],
        "language ID": [_layers(row) for row in chosen],
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    kept = {} if list(kept) == ["step"] else kept  # steps alone tell nothing
    for name in kept:
        bold = "bold" if name == "corrected" else ""
        table.add_column(name, justify="right", no_wrap=True, style=bold, header_style="dim")
    for cells in zip(*kept.values(), strict=True) if kept else ():
        table.add_row(*(Text(cell.translate(PLAIN)) for cell in cells))
    return table


def _legend(results: Results, *, n_notes: int) -> list[str]:
    lines = []
    if "summary" in results:
        lines.append("corrected: 0 is chance, 1 the agreement of a language with itself")
    if "language_id" in results:
        lines.append("language ID: first and last layer; it is no evidence of sharing")
    if n_notes > 0:
        lines.append(f"{n_notes} more notes, with all chances and ceilings, are in the report")
    return lines


def _step(row: Row) -> str:
    step = short_count(row["step"])
    return step if row["stage"] is None else f"{count(row['stage'])}:{step}"


def _shown(value: float, digits: int) -> str:
    return "" if isnan(value) else number(value, digits)


def _interval(row: Row, digits: int, name: Literal["corrected", "use"] = "corrected") -> str:
    value, low, high = row[name]
    return "" if isnan(value) else f"{number(value, digits)} {between(low, high, digits)}"


def _layers(row: Row) -> str:
    """First and last layer's accuracy: 0.78-0.95."""
    first, last = row["first_layer"], row["last_layer"]
    return "" if isnan(first) else f"{number(first, 2)} - {number(last, 2)}"
