"""A set's own file: JSON lines, a header object first, then one object a sentence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from neurotrace.concepts import rows
from neurotrace.concepts.lines import json_lines, path_of, shown


def read(path: str | Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Header and row table of a JSON-lines concept file.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        Naming the file and the line: not UTF-8, not JSON, no header, a field missing or unknown.
    """
    path = path_of(path)
    objects = json_lines(path)
    header = objects.pop(1, {})
    _check_header(header, f"{path.name}: line 1")
    header = header | {"languages": [lang.strip() for lang in header["languages"]]}
    if not objects:
        raise ValueError(f"{path.name}: got a header and no sentence")
    for number, row in objects.items():
        rows.check_fields(row, where=f"{path.name}: line {number}")
    origins = [f"{path.name}: line {number}" for number in objects]
    return header, rows.table(list(objects.values()), origins=origins)


def is_header(first: Mapping[str, Any]) -> bool:
    """Whether the first object of a JSON-lines file is a set's header and not a sentence."""
    return "text" not in first and isinstance(first.get("languages"), list)


def _check_header(header: Mapping[str, Any], where: str) -> None:
    if not is_header(header):
        raise ValueError(
            f"{where}: expected a header with name and a list of languages "
            "(a table without one is read by from_table)"
        )
    languages = header["languages"]
    if not all(isinstance(lang, str) and lang.strip() for lang in languages):
        raise ValueError(f"{where}: got languages {shown(languages)}; expected a list of codes")
    if len(set(languages)) < len(languages):
        raise ValueError(f"{where}: got languages {shown(languages)}; expected each once")
    for name, kind in (("name", str), ("parallel", bool), ("concept_free", bool)):
        if name in header and not isinstance(header[name], kind):
            raise ValueError(
                f"{where}: got {name} {shown(header[name])}; expected a {kind.__name__}"
            )
