"""Tables with named columns: TSV, CSV, JSON lines, and Hugging Face datasets."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurotrace.concepts import rows, set_file
from neurotrace.concepts.lines import json_lines, path_of, read_lines, shown

DELIMITERS = {".tsv": "\t", ".tab": "\t", ".csv": ","}
JSON_LINES = (".jsonl", ".ndjson")
OF_TSV = re.compile(r'(?:^|\t)(?:"((?:[^"]|"")*)"(?=\t|\Z)|([^\t]*))')  # quoted whole, or as it is

Columns = Mapping[str, str]


def read_table(
    path: str | Path, *, columns: Columns | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Header and row table of a file with named columns, told by its ending.

    One line is one row; a cell that holds the delimiter or quotes is quoted as CSV has it
    (RFC 4180), but may not hold a line break, so that an unbalanced quote is found where it
    stands. In ``.tsv`` and ``.tab``, quotes that do not enclose a whole cell are text, as corpora
    have them. A JSON-lines file that begins with a header is read as a set.

    Parameters
    ----------
    path
        ``.tsv``, ``.tab``, ``.csv``, ``.jsonl`` or ``.ndjson``, UTF-8.
    columns
        Our names to the file's (``{"lang": "language"}``). Columns that already have our names
        need no entry; with ``columns`` given, all others are passed over.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        Naming the file and the line: another ending, columns missing, doubled or unknown, a row
        with too many or too few cells, quotes that do not balance, no row, not UTF-8.
    """
    path = path_of(path)
    if path.suffix.lower() in JSON_LINES:
        return _read_json_lines(path, columns)
    numbers, names, cells = read_cells(path)
    chosen = choose(names, columns, where=f"{path.name}: line {numbers[0]}")
    places = {ours: names.index(theirs) for ours, theirs in chosen.items()}
    records = [{ours: row[at] for ours, at in places.items()} for row in cells]
    origins = [f"{path.name}: line {number}" for number in numbers[1:]]
    return {"name": path.stem}, rows.table(records, origins=origins)


def read_cells(path: Path) -> tuple[list[int], list[str], list[list[str]]]:
    """Line numbers (the first line's too), column names, and rows of a delimited file.

    Blank lines are passed over.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_table`.
    """
    if path.suffix.lower() not in DELIMITERS:
        valid = ", ".join([*DELIMITERS, *JSON_LINES])
        raise ValueError(f"{path.name}: got ending {path.suffix!r}; valid are {valid}")
    delimiter = DELIMITERS[path.suffix.lower()]
    numbered = [(n, line) for n, line in enumerate(read_lines(path), 1) if line.strip()]
    if len(numbered) < 2:
        raise ValueError(f"{path.name}: got {len(numbered)} lines; expected column names and rows")
    names = _names(numbered[0][1], delimiter, f"{path.name}: line {numbered[0][0]}")
    split = [_split(line, delimiter, f"{path.name}: line {n}") for n, line in numbered[1:]]
    for (number, _), cells in zip(numbered[1:], split, strict=True):
        if len(cells) != len(names):
            raise ValueError(
                f"{path.name}: line {number}: got {len(cells)} cells; "
                f"expected {len(names)} ({_listed(names)})"
            )
    return [number for number, _ in numbered], names, split


def _names(line: str, delimiter: str, where: str) -> list[str]:
    """The column names of a first line."""
    other = next((sign for sign in "\t;," if sign in line and delimiter not in line), None)
    if other is not None:
        told = "tabs" if other == "\t" else repr(other)
        save = "with commas, or as .tsv" if delimiter == "," else "with tabs, or as .csv"
        raise ValueError(
            f"{where}: got one column {shown(line)}: the file is parted by {told}; save it {save}"
        )
    names = [name.strip() for name in _split(line, delimiter, where)]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        told = f"column {twice[0]!r:.60}" if twice[0] else "an unnamed column"
        raise ValueError(f"{where}: got {told} twice; expected each once")
    return names


def choose(names: Sequence[str], columns: Columns | None, *, where: str) -> dict[str, str]:
    """Our column name → the source's, for those that are read.

    Raises
    ------
    ValueError
        Beginning with ``where``: a column missing, unknown, or mapped from a name nobody knows.
    """
    mapped = dict(columns or {})
    for ours, theirs in mapped.items():
        if ours not in rows.KNOWN:
            raise ValueError(f"got columns for {shown(ours)}; {rows.valid()}")
        if theirs not in names:
            raise ValueError(
                f"{where}: got columns {_listed(names)}; expected {shown(theirs)}, for {ours}"
            )
    free = [name for name in names if name not in mapped.values()]
    unknown = [name for name in free if name not in rows.KNOWN]
    if unknown and columns is None:
        raise ValueError(
            f"{where}: got unknown columns {_listed(unknown)}; {rows.valid()}; "
            f"{_hint(unknown) or 'columns= says which to read'}"
        )
    own = {name: name for name in free if name in rows.KNOWN}
    chosen = own | mapped
    if not set(rows.NAMES) <= set(chosen) or not {"concept", "concepts"} & set(chosen):
        hint = _hint(unknown)
        said = f"{where}: got columns {_listed(names)}; {rows.EXPECTED}"
        raise ValueError(f"{said}; {hint}" if hint else said)
    return chosen


def _hint(unknown: Sequence[str]) -> str:
    """How to read columns that only capitals keep from being ours; empty where none are."""
    ours = {str(name).lower(): name for name in unknown if str(name).lower() in rows.KNOWN}
    told = ", ".join(f"{own!r}: {theirs!r}" for own, theirs in ours.items())
    return f"ConceptSet.from_table(path, columns={{{told}}}) reads them" if told else ""


def from_dataset(
    dataset: Any, *, columns: Columns | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Header (empty) and row table of one split of a Hugging Face ``datasets`` object.

    The library itself is not needed: ``column_names`` and ``to_pandas`` are. Names stand for the
    numbers of a ``ClassLabel``. Errors count rows as the dataset does: ``row 7`` is ``dataset[7]``.

    Parameters
    ----------
    columns
        As in :func:`read_table`.

    Raises
    ------
    ValueError
        For several splits, naming them; for a stream; for columns missing or unknown.
    """
    names = getattr(dataset, "column_names", None)
    if isinstance(names, Mapping):
        raise ValueError(
            f"got several splits; expected one of them, such as dataset[{next(iter(names), '')!r}] "
            f"(splits are {', '.join(map(str, names))})"
        )
    is_held = hasattr(dataset, "to_pandas") and hasattr(dataset, "__len__")
    if not isinstance(names, list) or not is_held:
        kind = type(dataset).__name__
        raise ValueError(f"got a {kind}; expected a datasets.Dataset that is held, not streamed")
    chosen = choose(names, columns, where="dataset")
    frame = dataset.to_pandas()
    made = {ours: _decoded(dataset, frame, theirs) for ours, theirs in chosen.items()}
    records = [{ours: column[at] for ours, column in made.items()} for at in range(len(frame))]
    return {}, rows.table(records, origins=[f"row {at}" for at in range(len(frame))])


def _decoded(dataset: Any, frame: pd.DataFrame, name: str) -> list[Any]:
    """A column's cells, numbers of a ``ClassLabel``, or of lists of them, as names."""
    kind = (getattr(dataset, "features", None) or {}).get(name)
    kind = kind[0] if isinstance(kind, list) else getattr(kind, "feature", kind)
    labels = getattr(kind, "names", None)
    cells = frame[name].tolist()
    return [_named(cell, labels) for cell in cells] if labels else cells


def _named(cell: Any, labels: Sequence[str]) -> Any:
    """Label or labels of a cell; a number beyond them, such as −1, stands for none."""
    if isinstance(cell, Iterable):
        return [name for name in (_named(one, labels) for one in cell) if name is not None]
    is_number = isinstance(cell, int | float | np.number) and not np.isnan(cell)
    at = int(cell) if is_number else -1
    return labels[at] if 0 <= at < len(labels) else None


def _read_json_lines(path: Path, columns: Columns | None) -> tuple[dict[str, Any], pd.DataFrame]:
    objects = json_lines(path)
    if not objects:
        raise ValueError(f"{path.name}: got no line; expected a JSON object a line")
    if columns is None and set_file.is_header(next(iter(objects.values()))):
        return set_file.read(path)
    records = []
    present = {name for row in objects.values() for name in row}
    for number, row in objects.items():
        where = f"{path.name}: line {number}"
        chosen = choose(list(row), _standing(columns, row, present), where=where)
        record = {ours: row[theirs] for ours, theirs in chosen.items()}
        rows.check_fields(record, where=where)
        records.append(record)
    origins = [f"{path.name}: line {number}" for number in objects]
    return {"name": path.stem}, rows.table(records, origins=origins)


def _standing(columns: Columns | None, row: Mapping[str, Any], present: set[str]) -> Columns | None:
    """The mapping of those columns that this row has; one that no row has stays, to be refused."""
    if columns is None:
        return None
    return {
        ours: theirs for ours, theirs in columns.items() if theirs in row or theirs not in present
    }


def _split(line: str, delimiter: str, where: str) -> list[str]:
    """Cells of one line; in CSV, a quote that does not close within it is refused."""
    if "\r" in line:
        raise ValueError(f"{where}: got a carriage return in a cell; expected lines to end in \\n")
    if delimiter == "\t":
        found = OF_TSV.findall(line)
        return [quoted.replace('""', '"') or plain for quoted, plain in found]
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        said = str(error)
    if "field limit" in said:
        raise ValueError(f"{where}: got a cell above {csv.field_size_limit():,} characters")
    raise ValueError(
        f"{where}: got quotes that do not balance in the line; expected a cell that holds quotes "
        'written as "He said ""yes""", and no line break inside a cell'
    )


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(str(name) or "an unnamed column" for name in names)
    return listed if len(listed) <= 200 else f"{listed[:200]}…"
