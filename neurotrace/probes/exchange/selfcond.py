"""selfcond's ``expertise.csv``: average precision and forcing values of every unit, one row each.

The table of Suau, Zappella and Apostoloff (github.com/apple/ml-selfcond): one file a concept, with
columns ``ap off_mean on_p50 on_p90 layer unit uuid concept group``. The three in the middle are
the values to which a unit is forced; files made without forcing lack all three.

Which site was read, whether sentences were pooled by maximum or mean, and which tail counts as
expert does not stand in the file: forks of selfcond differ in all of it.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.inputs import check_responses
from neurotrace.probes.labels import Labels
from neurotrace.probes.scores import average_precision

if TYPE_CHECKING:
    import pandas as pd

FORCING = ("off_mean", "on_p50", "on_p90")
NUMBERS = ("ap", *FORCING)
COUNTS = ("unit", "uuid")
NAMES = ("layer", "concept", "group")
COLUMNS = (*NUMBERS, "layer", *COUNTS, "concept", "group")
PLAIN = tuple(name for name in COLUMNS if name not in FORCING)
THRESHOLDS = np.linspace(0.5, 1, 501)  # of AP, at which the info file counts units


def expertise_table(
    X: ArrayLike,
    y: ArrayLike,
    *,
    layers: Mapping[str, int],
    concept: str,
    group: str = "",
) -> "pd.DataFrame":
    """How well does each unit detect a concept, and to which value would it be forced?

    ``ap`` is `average_precision`; ``on_p50`` and ``on_p90`` are the median and the 90th percentile
    on positives, interpolated linearly; ``off_mean`` is the mean on negatives. Values keep
    float64, where selfcond rounds to float32.

    Eats `example`; a row is a neuron.

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite, layer after layer.
    y : (example,)
        Bool, or 1 positive, 0 negative, -1 unknown (left out; selfcond knows only two kinds).
    layers
        Name of each layer to its width, in the order of the columns of X.
    concept, group
        Name of the concept, and of the category it belongs to.

    Returns
    -------
    DataFrame with the columns of the file, a row a neuron in the order of X

    Raises
    ------
    ValueError
        As `average_precision`; no negative, labels of several concepts, or widths that do not sum
        to the neurons of X.

    References
    ----------
    Suau et al. 2022, "Self-conditioning pre-trained language models", arXiv:2110.02802.

    Examples
    --------
    >>> table = expertise_table(
    ...     [[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]], [1, 1, 0], layers={"h.0": 2}, concept="house"
    ... )
    >>> table[["ap", "on_p50", "off_mean", "layer", "unit"]].to_csv(index=False).split()
    ['ap,on_p50,off_mean,layer,unit', '1.0,2.0,0.0,h.0,0', '0.6666666666666666,0.0,2.0,h.0,1']
    """
    import pandas as pd

    X = check_responses(X)
    widths = list(layers.values())
    if sum(widths) != X.shape[1] or min(widths) < 1:
        raise ValueError(f"got layers of {widths} neurons, expected {X.shape[1]} in all, as X has")
    ap = average_precision(X, y)
    labels = Labels.of(y, len(X))
    if not labels.single:
        raise ValueError(
            f"got labels of {labels.n_concepts} concepts, expected (example,) labels of one"
        )
    labels.check_classes(None, negatives=True)
    positive = labels.positive[:, 0]
    negative = ~positive if labels.unknown is None else ~positive & ~labels.unknown[:, 0]
    forcing = np.concatenate([_forcing(block, positive, negative) for block in _split(X, widths)])
    columns = {
        "ap": ap,
        **dict(zip(FORCING, forcing.T, strict=True)),
        "layer": np.repeat([str(name) for name in layers], widths).tolist(),
        "unit": np.concatenate([np.arange(width) for width in widths]),
        "uuid": np.arange(X.shape[1]),
        "concept": [concept] * X.shape[1],
        "group": [group] * X.shape[1],
    }
    return pd.DataFrame(columns)


def write_expertise(path: str | Path, table: "pd.DataFrame") -> Path:
    """Write a table as selfcond does: the CSV, and the JSON without which selfcond skips it.

    Beside ``expertise.csv`` stands ``expertise_info.json``: concept, group, layers, the highest
    AP, and how many units exceed each of 501 thresholds of AP. Both are written under a temporary
    name, the CSV last, so a file that is there is whole. Numbers are written in full: what
    `read_expertise` reads back is equal.

    Parameters
    ----------
    path
        Of the CSV.
    table
        As `expertise_table` gives it; the rows may be fewer, the order of columns does not matter.

    Returns
    -------
    The path of the CSV

    Raises
    ------
    ValueError
        As `read_expertise`, or a table of several concepts: selfcond keeps one a file.
    """
    path = Path(path)
    table = _checked(table, path.name)
    for name in ("concept", "group"):
        if table[name].nunique() > 1:
            found = ", ".join(repr(value) for value in table[name].unique()[:5])
            raise ValueError(f"{path.name}: got {name}s {found}, expected one {name} a file")
    info = json.dumps(_info(table), indent=4, ensure_ascii=False)
    _replace(path.with_name(f"{path.stem}_info.json"), info + "\n")
    _replace(path, table.to_csv(index=False, lineterminator="\n"))
    return path


def read_expertise(path: str | Path) -> "pd.DataFrame":
    """Read the ``expertise.csv`` of selfcond, or of a fork that kept its columns.

    Parameters
    ----------
    path
        Of the CSV; several concepts below each other are read too.

    Returns
    -------
    DataFrame
        ``ap off_mean on_p50 on_p90`` float64, ``unit uuid`` int64, ``layer concept group`` text,
        one row a (concept, unit), in the order of the file. The order of layers is that of the
        file too: selfcond sorts them as text, ``h.10`` before ``h.2``. Forcing values may be NaN
        (no negative sentence) and are absent where the file has none.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Beginning with the file's name: other columns, a cell that is no number, AP outside 0 … 1,
        a unit twice.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"got {path}, expected a file")
    names, rows = _cells(path)
    return _checked(pd.DataFrame(rows, columns=names, dtype=str), path.name)


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """Names of columns and rows, as text: "NA" and "null" are names here."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = [row for row in csv.reader(lines, strict=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}: got no CSV ({error!s:.120}), expected UTF-8 CSV") from None
    if not rows:
        raise ValueError(f"{path.name}: got an empty file, expected names of columns and rows")
    _check_columns(rows[0], path.name)
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{path.name}: row {number}: got {len(row)} cells, expected {len(rows[0])}"
            )
    return rows[0], rows[1:]


def _split(X: NDArray[Any], widths: list[int]) -> Iterator[NDArray[Any]]:
    """Layer after layer, so that no copy of all neurons is made."""
    end = 0
    for width in widths:
        start, end = end, end + width
        yield X[:, start:end]


def _forcing(
    X: NDArray[Any], positive: NDArray[np.bool_], negative: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(neuron, 3): what FORCING names, in its order."""
    on = np.percentile(X[positive].astype(np.float64), (50, 90), axis=0)
    return np.stack([X[negative].mean(0, dtype=np.float64), *on], axis=1)


def _info(table: "pd.DataFrame") -> dict[str, Any]:
    ap = np.sort(table["ap"].to_numpy())
    above = len(ap) - np.searchsorted(ap, THRESHOLDS, side="right")
    return {
        "concept": table["concept"].iloc[0],
        "group": table["group"].iloc[0],
        "max_ap": float(ap[-1]),
        "layer_names": table["layer"].unique().tolist(),
        "total_neurons": len(table),
        "neurons_at_ap": {f"{at:.5f}": int(n) for at, n in zip(THRESHOLDS, above, strict=True)},
    }


def _replace(path: Path, text: str) -> None:
    """Write under a temporary name, then rename: what stood there before is whole or replaced."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _check_columns(got: list[str], where: str) -> None:
    if sorted(got) not in (sorted(COLUMNS), sorted(PLAIN)):
        shown = ", ".join(got[:20]) + (", …" if len(got) > 20 else "")
        raise ValueError(
            f"{where}: got columns {shown:.300}; expected {', '.join(COLUMNS)} "
            f"(or all of them but {', '.join(FORCING)})"
        )


def _numbers(cells: NDArray[Any], column: str, where: str) -> NDArray[Any]:
    """Exact numbers; the first cell that is none is named by its row."""
    kind: type = int if column in COUNTS else float
    if cells.dtype.kind in ("iu" if kind is int else "fiu"):
        return cells.astype(np.int64 if kind is int else np.float64)
    numbers = np.empty(len(cells), np.int64 if kind is int else np.float64)
    for row, cell in enumerate(cells.tolist()):
        try:
            numbers[row] = np.nan if column in FORCING and cell == "" else kind(cell)
            if kind is int and not isinstance(cell, str) and numbers[row] != cell:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            what = "a whole number" if kind is int else "a number"
            raise ValueError(
                f"{where}: row {row + 1}: got {column} {cell!r:.60}, expected {what}"
            ) from None
    return numbers


def _checked(table: "pd.DataFrame", where: str) -> "pd.DataFrame":
    """The table in the file's order and dtypes, refused where its values make no sense."""
    _check_columns([str(name) for name in table.columns], where)
    if not len(table):
        raise ValueError(f"{where}: got no row, expected one a unit")
    table = table[[name for name in COLUMNS if name in table]].reset_index(drop=True)
    for name in map(str, table):
        column = table[name]
        named = name in NAMES
        table[name] = column.astype(str) if named else _numbers(column.to_numpy(), name, where)
    _refuse_row(~table["ap"].between(0, 1), table["ap"], ", expected a fraction 0 … 1", where)
    _refuse_row(table["unit"] < 0, table["unit"], ", expected 0 or more", where)
    twice = table.duplicated(["group", "concept", "layer", "unit"])
    _refuse_row(twice, table["unit"], " a second time, expected each unit of a layer once", where)
    return table


def _refuse_row(wrong: "pd.Series[bool]", values: "pd.Series", expected: str, where: str) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        found = f"got {values.name} {values.iloc[row]}"
        raise ValueError(f"{where}: row {row + 1}: {found}{expected}")
