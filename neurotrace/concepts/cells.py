"""Cells of a row table, read one by one: text, names, flags, each refused if of another kind."""

import re
from collections.abc import Iterable, Mapping
from numbers import Real

import numpy as np
import pandas as pd

from neurotrace.concepts.lines import shown

FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
BETWEEN = re.compile("[|;]")  # names of one cell
PRINTED = re.compile(r"\s*(\[.*\]|\(.*\)|\{.*\})\s*", re.DOTALL)  # as Python prints a list


def text(column: str, value: object) -> str:
    """The string of a cell; a number may name a group, 1.0 the same one as 1.

    Blanks at the ends are taken off, but not those of a sentence.

    Raises
    ------
    ValueError
        For any other kind of value, an empty group or language, or text that no file can hold.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if column == "group" and is_number and not blank(value):
        is_whole = isinstance(value, float | np.floating) and value.is_integer()
        value = f"{value:.0f}" if is_whole else str(value)
    if not isinstance(value, str):
        said = f"no {column}" if blank(value) else f"{column} {shown(value)}"
        raise ValueError(f"got {said}; expected a string")
    if column != "text" and not value.strip():
        raise ValueError(f"got an empty {column}; expected a string")
    return _whole(column, value if column == "text" else value.strip())


def names(column: str, value: object) -> tuple[str, ...]:
    """Concept names of a cell, stripped and sorted.

    The cell holds a string, split at ``|`` and ``;``, a list of names, or nothing.

    Raises
    ------
    ValueError
        For anything else, and for names that are empty, hold a comma, ``|`` or ``;``, look like a
        list that was printed (``"['cat']"``), or that no file can hold.
    """
    if blank(value):
        return ()
    cell = value
    if isinstance(value, str):
        is_printed = PRINTED.fullmatch(value)
        cell = [value] if is_printed else filter(str.strip, BETWEEN.split(value))
    if not isinstance(cell, Iterable) or isinstance(cell, Mapping | bytes):
        raise ValueError(f"got {column} {shown(value)}; expected a name or a list of names")
    listed = list(cell)
    for name in listed:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"got {column} {shown(listed)}; expected a name or a list of names")
        if PRINTED.fullmatch(name) or any(sign in name for sign in ",|;"):
            raise ValueError(
                f"got {column} {shown(value)}; expected names parted by | or ; "
                "without commas or brackets"
            )
    return tuple(sorted({_whole(column, name.strip()) for name in listed}))


def flag(column: str, value: object) -> bool | None:
    """Yes or no, or None for an empty cell.

    Raises
    ------
    ValueError
        For anything but true, false, yes, no, 1 and 0, in any case.
    """
    if blank(value):
        return None
    found = FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if isinstance(value, Real | np.bool_) and value in (0, 1):
        found = bool(value)
    if found is None:
        raise ValueError(f"got {column} {shown(value)}; valid are {', '.join(FLAGS)}")
    return found


def blank(value: object) -> bool:
    """Whether a cell is empty: None, NaN, pandas' NA, or a string of blanks."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _whole(column: str, value: str) -> str:
    """Text that a file can hold: no NUL, no half of a surrogate pair."""
    if "\0" in value:
        raise ValueError(f"got {column} {value!a:.60} with a NUL character; expected text")
    if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"got {column} {value!a:.60} with half a surrogate pair; expected text")
    return str(value)
