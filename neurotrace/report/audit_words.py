"""What an audit of the checkpoints found, as a table of the page and as one line."""

from collections.abc import Iterable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from neurotrace.report.origin import without_folders
from neurotrace.report.reading import count, number

if TYPE_CHECKING:
    import pandas as pd

MISSING, OFF, UNMOVED = "missing", "off the curve", "unmoved since "
FINE = ("ok", MISSING, UNMOVED)
NAMED = 6  # steps that a sentence names
COLUMNS = (
    ("step", "step", ""),
    ("verdict", "verdict", ""),
    ("drift", "drift", "share of the norm"),
    ("detour", "detour", "1: straight on"),
    ("loss", "loss", "nats"),
    ("note", "note", ""),
)
LEAD = (
    "Every checkpoint of the series was looked at before anything was computed: are its files "
    "whole, has it the tensors of the others, are its weights those of another step?"
)
DEEP = (
    " Weights were read too: drift is the distance from the step before as a share of its norm, "
    "detour the length of the way from neighbour to neighbour through a step over the distance "
    "that it spans (a random walk has 1.41, a step from elsewhere more than 2)."
)


def section(table: "pd.DataFrame | None") -> dict[str, Any] | None:
    """The section of the page; None without an audit.

    Parameters
    ----------
    table
        What :func:`neurotrace.checkpoints.audit` returned.
    """
    if table is None or not len(table):
        return None
    rows = _rows(table)
    several = len({row["stage"] for row in rows}) > 1
    shown = [[_cell(row, key, several=several) for key, *_ in COLUMNS] for row in rows]
    kept = [at for at in range(len(COLUMNS)) if any(row[at]["text"] for row in shown)]
    read = any(not _none(row["drift"]) for row in rows)
    return {
        "title": "Audit of checkpoints",
        "lead": LEAD + (DEEP if read else ""),
        "said": [{"kind": kind, "word": kind, "text": text} for kind, text in said(table)],
        "note": f"{count(len(rows))} steps",
        "table": {
            "columns": [(COLUMNS[at][1], COLUMNS[at][2]) for at in kept],
            "texts": ["verdict", "note"],
            "rows": [[row[at] for at in kept] for row in shown],
        },
    }


def said(table: "pd.DataFrame") -> list[tuple[str, str]]:
    """(kind, sentence) of what was found: ``warning`` or ``note``, the gravest first.

    >>> import pandas as pd
    >>> rows = {"stage": 0, "step": [0, 1, 2], "verdict": ["ok", "copy of step 0", "missing"]}
    >>> for kind, text in said(pd.DataFrame(rows)): print(kind, text)
    warning Step 1 is not what its name says: copy of step 0.
    note 1 step is missing: 2.
    """
    rows = _rows(table)
    told = [
        ("warning", f"{_name(row).capitalize()} is not what its name says: "
                    f"{without_folders(row['verdict'])}.")
        for row in rows
        if not row["verdict"].startswith((*FINE, OFF))
    ]  # fmt: skip
    groups = {
        OFF: ("warning", "off the path of the others, but whole: read its figures with doubt"),
        UNMOVED: ("note", "the weights of the step before, which is usual where training begins"),
    }
    for verdict, (kind, words) in groups.items():
        found = [row for row in rows if row["verdict"].startswith(verdict)]
        if found:
            has = "has" if verdict == UNMOVED else "is"
            has = has if len(found) == 1 else {"has": "have", "is": "are"}[has]
            told.append((kind, f"{_names(found)} {has} {words}."))
    missing = [row for row in rows if row["verdict"] == MISSING]
    if missing:
        steps = "step is" if len(missing) == 1 else "steps are"
        told.append(("note", f"{count(len(missing))} {steps} missing: {_steps(missing)}."))
    if not told:
        told = [("note", f"All {count(len(rows))} checkpoints are what their names say, as far as "
                         "was looked.")]  # fmt: skip
    return told


def line(table: "pd.DataFrame") -> str:
    """The audit in one line of a terminal.

    >>> import pandas as pd
    >>> line(pd.DataFrame({"stage": 0, "step": [0, 1], "verdict": ["ok", "ok"]}))
    'audit: 2 checkpoints, all as they should be'
    >>> line(pd.DataFrame({"stage": 0, "step": [0, 8], "verdict": ["ok", "copy of step 0"]}))
    'audit: 2 checkpoints; step 8: copy of step 0'
    """
    rows = _rows(table)
    there = sum(row["verdict"] != MISSING for row in rows)
    found = [f"{_name(row)}: {without_folders(row['verdict'])}"
             for row in rows if row["verdict"] not in ("ok", MISSING)]  # fmt: skip
    if there < len(rows):
        found.append(f"{len(rows) - there} missing")
    more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
    told = f"; {'; '.join(found[:NAMED])}{more}" if found else ", all as they should be"
    return f"audit: {there} checkpoint{'' if there == 1 else 's'}{told}"


def _cell(row: Mapping[str, Any], key: str, *, several: bool) -> dict[str, str]:
    value = row.get(key)
    if key == "step":
        text = _name(row) if several else count(float(row["step"]))
    elif key in ("verdict", "note"):
        text = without_folders(str(value or ""))
    else:
        text = "" if _none(value) else number(float(value), 2 if key == "detour" else 3)  # type: ignore[arg-type]
    return {"text": text, "beside": ""}


def _rows(table: "pd.DataFrame") -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _none(value: Any) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _name(row: Mapping[str, Any]) -> str:
    stage = f"stage {row['stage']} " if row["stage"] else ""
    return f"{stage}step {count(float(row['step']))}"


def _names(rows: Iterable[Mapping[str, Any]]) -> str:
    several = len(list(rows)) > 1
    return f"{'Steps' if several else 'Step'} {_steps(rows)}"


def _steps(rows: Iterable[Mapping[str, Any]]) -> str:
    names = [_name(row).removeprefix("step ") for row in rows]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
