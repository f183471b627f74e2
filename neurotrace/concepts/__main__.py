"""The command line of concept sets: ``python -m neurotrace.concepts check FILE_OR_NAME``."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
import tyro

from neurotrace.concepts.checks import CHECKS, check_file
from neurotrace.concepts.shipped import names
from neurotrace.concepts.verdicts import VERDICTS

if TYPE_CHECKING:
    from rich.table import Table

PROG = "python -m neurotrace.concepts check"
USAGE = f"""\
neurotrace.concepts checks a concept set: that its rows are what they claim to be.

  {PROG} FILE_OR_NAME
  {PROG} mine.tsv --lexicon words.tsv
  {PROG} mine.jsonl --no-identify

It ends with 0, or with 2 where there are errors. All options: {PROG} --help"""
# Words, not signs: they need no colour and no font.
STYLES = {"ok": "green", "note": "cyan", "not checked": "yellow", "error": "bold red"}
WIDE = 110
COLUMNS_OF_CHECKS: dict[str, Literal["left", "right"]] = {
    "check": "left", "figure": "right", "bound": "left", "verdict": "left", "language": "left",
}  # fmt: skip
COLUMNS = {
    "n": ("sentences", "figure", "{:.0f}"),
    "words": ("mean words", "figure", "{:.1f}"),
    "chars": ("mean characters", "figure", "{:.1f}"),
    "script": ("script", "figure", "{:.2f}"),
    "ident.": ("language", "figure", "{:.3f}"),
    "word": ("n-gram AP, lexical", "figure", "{:.2f}"),
    "ch.": ("n-gram AP, lexical", "bound", "{:.2f}"),
    "none": ("n-gram AP, other", "figure", "{:.2f}"),
    "ch. ": ("n-gram AP, other", "bound", "{:.2f}"),
    "match": ("n-gram AP, matched", "figure", "{:.2f}"),
    "ch.   ": ("n-gram AP, matched", "bound", "{:.2f}"),
    "length": ("length AP", "figure", "{:.3f}"),
    "ch.  ": ("length AP", "bound", "{:.3f}"),
    "p": ("length probe", "figure", "{:.3f}"),
}
# Rows of a verdict that are told in one line: those that agree in this.
ONE_LINE = {
    "error": ["check", "subject"],
    "not checked": ["check", "detail"],
    "note": ["check"],
}
WIDE_ONLY = ("match", "ch.   ")
LEGEND = (
    "script: least share of a sentence's letters; ident.: share that the identifier reads so",
    "word, none: AP of character n-grams where the concept's word stands and where it does not;",
    "match: where it does not, among sentences that lack their own concept's word, too",
    "length: AP of lengths alone, p after Holm; ch.: chance of the figure before it",
)
LEGEND_NARROW = tuple(line for line in LEGEND if not line.startswith("match"))


@dataclass(frozen=True)
class CheckConfig:
    """Check a concept set: form, language, marks, copies, and what its surface tells."""

    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE_OR_NAME")]
    """Path of a set, or the name of one that comes with neurotrace."""
    lexicon: Path | None = None
    """The words of each concept (columns concept, lang, forms), if not FILE.lexicon.tsv beside."""
    identify: bool = True
    """Have an independent identifier read every sentence (needs the extra language)."""
    seed: int = 0
    """Of the halves and permutations that the probes use."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 when nothing is wrong, 2 on errors and for wrong input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if arguments[0] != "check":
        return _refuse(f"got command {arguments[0]!r}; valid is check")
    config = parse(arguments[1:])
    try:
        found = _found(config)
    except (OSError, ValueError) as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return _refuse("interrupted", code=130)
    if list(found["check"]) == ["file"]:
        return _refuse(found["detail"].iloc[0])
    show(found)
    return 2 if (found["verdict"] == "error").any() else 0


def parse(arguments: Sequence[str]) -> CheckConfig:
    """The configuration that a command line asks for."""
    known = f"Sets that come with neurotrace: {', '.join(names()) or 'none'}."
    return tyro.cli(
        CheckConfig,
        args=arguments,
        prog=PROG,
        description=f"{CheckConfig.__doc__} {known}",
    )


def _found(config: CheckConfig) -> pd.DataFrame:
    from rich.console import Console
    from threadpoolctl import threadpool_limits

    # Small products gain nothing from threads, and threads that wait for cores lose much.
    with threadpool_limits(1, user_api="blas"), Console(stderr=True).status("checking"):
        return check_file(
            config.file, lexicon=config.lexicon, identify=config.identify, seed=config.seed
        )


def show(found: pd.DataFrame) -> None:
    """Print the table of checks, the figures by language, and what is at fault."""
    from rich.console import Console

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a log may know no Unicode
    console = Console(highlight=False)
    console.print(found.loc[found["check"] == "file", "detail"].iloc[0], style="bold")
    for table in (_checks(found, wide=console.width >= WIDE), _languages(found, console.width)):
        console.print()
        console.print(table)
    for line in _legend(found, console.width):
        console.print(line, style="dim", soft_wrap=True)
    console.print()
    for line, style in _told(found):
        console.print(line, style=style, markup=False, soft_wrap=True)
    errors = int((found["verdict"] == "error").sum())
    console.print(f"{errors} error{'s' if errors != 1 else ''}", style="bold")


def _checks(found: pd.DataFrame, *, wide: bool) -> "Table":
    """One line a check, with the language that stands worst and how many more are no better."""
    table = _table(gap=2)
    for name, justify in COLUMNS_OF_CHECKS.items():
        table.add_column(name, justify=justify, no_wrap=True)
    if wide:
        table.add_column("figure is", no_wrap=True, style="dim")
    for name, (meaning, sign) in CHECKS.items():
        rows = found[found["check"] == name]
        if rows.empty:
            continue
        worst, where = _worst(rows, sign)
        bound = "" if isnan(worst["bound"]) else f"{sign} {_number(worst['bound'])}"
        verdict = f"[{STYLES[worst['verdict']]}]{worst['verdict']}[/]"
        cells = (name, _number(worst["figure"]), bound, verdict, where, meaning)
        table.add_row(*cells[: len(table.columns)])
    return table


def _worst(rows: pd.DataFrame, sign: str) -> tuple[pd.Series, str]:
    """The row of the worst verdict and, among those, figure; and whom it stands for."""
    rank = rows["verdict"].map(VERDICTS.index)
    worst = rows[rank == rank.max()]
    figures = worst["figure"].fillna(0)
    row = worst.loc[figures.idxmin() if sign.startswith(">") else figures.idxmax()]
    if row["verdict"] == "ok":
        return row, str(row["subject"]) if figures.nunique() > 1 else ""
    return row, row["subject"] + (f" +{len(worst) - 1}" if len(worst) > 1 else "")


def _languages(found: pd.DataFrame, width: int) -> "Table":
    """Figures of each language; columns that no language has are left out."""
    table = _table(gap=2 if width >= WIDE else 1)
    table.add_column("language", no_wrap=True)
    own = found[found["subject"] != ""].set_index(["check", "subject"])
    languages = list(dict.fromkeys(found.loc[found["check"] == "sentences", "subject"]))
    cells = {
        head: [_cell(own, name, lang, column, form) for lang in languages]
        for head, (name, column, form) in COLUMNS.items()
    }
    narrow = () if width >= WIDE else WIDE_ONLY
    kept = {head: column for head, column in cells.items() if any(column) and head not in narrow}
    for head in kept:
        table.add_column(head.strip(), justify="right", no_wrap=True)
    for at, lang in enumerate(languages):
        table.add_row(lang, *(column[at] for column in kept.values()))
    return table


def _cell(own: pd.DataFrame, name: str, lang: str, column: str, form: str) -> str:
    if (name, lang) not in own.index:
        return ""
    value = own[column].astype(float).to_dict()[name, lang]
    return "" if isnan(value) else form.format(value)


def _legend(found: pd.DataFrame, width: int) -> Sequence[str]:
    """What the columns mean; of a set without concepts, the first line alone."""
    lines = LEGEND if width >= WIDE else LEGEND_NARROW
    return lines if found["check"].isin(["length probe"]).any() else lines[:1]


def _told(found: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Lines and their styles: every error, and once a check what else was found or left open."""
    told = found[(found["detail"] != "") & found["check"].isin(CHECKS)]
    for verdict, agree in ONE_LINE.items():
        rows = told[told["verdict"] == verdict]
        for _, same in rows.groupby(agree, sort=False):
            first = same.iloc[0]
            more = f" and {len(same) - 1} more" if len(same) > 1 else ""
            where = f", {first['subject']}{more}" if first["subject"] else ""
            yield f"{verdict}: {first['check']}{where}: {first['detail']}", STYLES[verdict]


def _table(*, gap: int) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap - 1, 0, 0), show_edge=False,
        header_style="dim",
    )  # fmt: skip


def _number(value: float) -> str:
    """Counts as they are, shares with three digits that count."""
    if isnan(value):
        return "-"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def _refuse(line: str, *, code: int = 2) -> int:
    print(f"error: {' '.join(line.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
