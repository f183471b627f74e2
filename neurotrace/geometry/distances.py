"""How far apart are two languages? From places, from family trees, from a table.

A distance is a table ``(lang_a, lang_b)`` with 0 on the diagonal. None is ever invented: a
language that a source does not know is an error that names it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from csv import DictReader
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.geometry.language_table import distinct, languages_known, meant

COLUMNS = ("lang_a", "lang_b", "kind", "value")
FLORES = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")

Pairs = dict[tuple[str, str], tuple[float, str]]  # value, and where it stands


def geographic(languages: Iterable[str]) -> pd.DataFrame:
    """Great-circle distance between the languages' places, as a share of the farthest possible.

    The central angle of the two centres (haversine formula) over π: 0 for one place, 1 for its
    antipode, 20,015 km away.

    Parameters
    ----------
    languages
        FLORES codes that :func:`neurotrace.geometry.language_table.language_table` knows.

    Returns
    -------
    ``(lang_a, lang_b)``, fractions.

    Raises
    ------
    ValueError
        Naming the languages without known coordinates.

    >>> float(geographic(["eng_Latn", "jpn_Jpan"]).iloc[0, 1].round(3))
    0.467
    """
    rows = languages_known(languages)
    place = np.radians([(row.latitude, row.longitude) for row in rows])
    latitude, longitude = place[:, 0], place[:, 1]
    lift = np.sin((latitude[:, None] - latitude) / 2) ** 2
    turn = np.sin((longitude[:, None] - longitude) / 2) ** 2
    chord = lift + np.cos(latitude)[:, None] * np.cos(latitude) * turn
    angle = 2 * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    return _framed(angle / np.pi, [row.code for row in rows])


def genetic(languages: Iterable[str]) -> pd.DataFrame:
    """How little of their line of descent do two languages share?

    1 − (branches shared from the top) / (branches of the longer path), the language itself being
    the last branch: 0 for one language (in any script), 1 for other families. Trees are drawn
    finer in some families than in others, so that ranks within a family mean more than values
    across families.

    Parameters
    ----------
    languages
        FLORES codes that :func:`neurotrace.geometry.language_table.language_table` knows.

    Returns
    -------
    ``(lang_a, lang_b)``, fractions.

    Raises
    ------
    ValueError
        Naming the languages without a known family.

    >>> genetic(["deu_Latn", "nld_Latn", "fin_Latn"]).iloc[0].tolist()
    [0.0, 0.4, 1.0]
    """
    rows = languages_known(languages)
    table = [[1 - _shared(a.path, b.path) for b in rows] for a in rows]
    return _framed(np.array(table), [row.code for row in rows])


def _shared(a: Sequence[str], b: Sequence[str]) -> float:
    same = [x == y for x, y in zip(a, b, strict=False)]
    common = same.index(False) if False in same else len(same)
    return common / max(len(a), len(b))


def scripts_apart(languages: Iterable[str]) -> pd.DataFrame:
    """0 where two languages are written in one script, 1 where they are not: a covariate.

    Read from the FLORES codes; a code without a script is refused.

    >>> scripts_apart(["rus_Cyrl", "bul_Cyrl", "eng_Latn"]).iloc[0].tolist()
    [0.0, 0.0, 1.0]
    """
    asked = [_language(lang, "scripts") for lang in distinct(languages)]
    script = np.array([lang.rpartition("_")[2] for lang in asked])
    return _framed((script[:, None] != script).astype(float), asked)


def contrast(values: Mapping[str, float] | pd.Series) -> pd.DataFrame:
    """``|a − b|`` of a number that each language has, such as fertility or data share: a covariate.

    Shares of data are best given as logarithms.

    Raises
    ------
    ValueError
        For a value that is not finite, naming its language.
    """
    asked = distinct(str(lang) for lang in values.keys())
    number = np.array([float(value) for _, value in values.items()])
    lacking = [lang for lang, value in zip(asked, number, strict=True) if not np.isfinite(value)]
    if lacking:
        raise ValueError(f"got no finite value for {', '.join(lacking)}; expected one each")
    return _framed(np.abs(number[:, None] - number), asked)


def complete(table: pd.DataFrame, languages: Iterable[str]) -> pd.DataFrame:
    """The part of a distance table that these languages need, in their order, checked.

    Parameters
    ----------
    table
        ``(lang_a, lang_b)`` with language codes as index and columns.
    languages
        Those that must be there.

    Raises
    ------
    ValueError
        For a language that the table lacks, a pair without a finite value, or a pair whose two
        directions differ; each is named.
    """
    asked = distinct(languages)
    unknown = [lang for lang in asked if lang not in table.index or lang not in table.columns]
    if unknown:
        raise ValueError(
            f"got distances without {', '.join(unknown)}; expected {', '.join(asked)} in them"
        )
    part = table.loc[asked, asked].astype(float)
    if part.shape != (len(asked), len(asked)):
        raise ValueError("got a distance table that names a language twice; expected each once")
    values = part.to_numpy(dtype=float, copy=True)
    np.fill_diagonal(values, 0)
    _refuse(~np.isfinite(values), asked, "no finite distance of", "a value for each pair")
    _refuse(values != values.T, asked, "two distances of", "one, whichever comes first")
    return _framed(values, asked)


def read_distances(
    path: str | Path, *, languages: Iterable[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Distances of your own, from a table with the columns lang_a, lang_b, kind and value.

    A pair needs to stand once, in either direction; the distance of a language to itself is 0 and
    may be left out.

    Parameters
    ----------
    path
        ``.tsv`` (tabs) or ``.csv`` (commas), UTF-8, with a header line.
    languages
        Read only these, all of which every kind must then have; without it, every language that
        a kind names needs a distance to every other.

    Returns
    -------
    kind → ``(lang_a, lang_b)``, symmetric.

    Raises
    ------
    ValueError
        For missing columns, a language that is no FLORES code, a value that is no finite number
        of 0 or more, a language apart from itself, a pair given twice with different values, and
        a pair that is missing. The first four name the line.
    """
    file = Path(path)
    asked = None if languages is None else distinct(languages)
    kinds: dict[str, Pairs] = defaultdict(dict)
    for number, row in _lines(file):
        here = f"{file.name}: line {number}"
        a, b = (_language(row[column], here) for column in COLUMNS[:2])
        value = _value(row["value"], here)
        if asked is None or {a, b} <= set(asked):
            _note(kinds[row["kind"].strip()], (a, b), value, here)
    if not kinds:
        raise ValueError(f"got {file.name} without a pair of the languages; expected some")
    return {kind: _table(pairs, asked, f"{file.name}: {kind}") for kind, pairs in kinds.items()}


def _lines(file: Path) -> list[tuple[int, dict[str, str]]]:
    delimiter = "," if file.suffix.lower() == ".csv" else "\t"
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = DictReader(opened, delimiter=delimiter)
        lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if lacking:
            raise ValueError(
                f"got {file.name} without the columns {', '.join(lacking)}; expected "
                f"{', '.join(COLUMNS)}, parted by {'commas' if delimiter == ',' else 'tabs'}"
            )
        rows = [(reader.line_num, row) for row in reader]
    for number, row in rows:
        if None in row or any(row[column] is None for column in COLUMNS):
            raise ValueError(f"{file.name}: line {number}: expected one cell a column")
    return rows


def _language(cell: str, here: str) -> str:
    lang = cell.strip()
    if not FLORES.fullmatch(lang):
        hint = f"; {meant(lang)}" if meant(lang) else ""
        raise ValueError(
            f"{here}: got unknown language {lang!r:.40}; expected one like deu_Latn{hint}"
        )
    return lang


def _value(cell: str, here: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not 0 <= value < np.inf:
        raise ValueError(f"{here}: got value {cell.strip()!r:.40}; expected a number of 0 or more")
    return value


def _note(pairs: Pairs, pair: tuple[str, str], value: float, here: str) -> None:
    a, b = pair
    if a == b and value != 0:
        raise ValueError(f"{here}: got {a} at {value} from itself; expected 0")
    for given, how in (((a, b), "twice"), ((b, a), "in two directions")):
        known, there = pairs.get(given, (value, here))
        if known != value:
            raise ValueError(
                f"{here}: got {a} {b} {how}, as {value} and, in {there}, as {known}; "
                "expected one value"
            )
    pairs[pair] = (value, here)


def _table(pairs: Pairs, languages: list[str] | None, what: str) -> pd.DataFrame:
    names = languages or sorted({lang for pair in pairs for lang in pair})
    table = pd.DataFrame(np.nan, index=names, columns=names)
    for (a, b), (value, _) in pairs.items():
        table.loc[a, b] = table.loc[b, a] = value
    try:
        return complete(table, names)
    except ValueError as problem:
        raise ValueError(f"{what}: {problem}") from None


def _framed(values: NDArray[np.float64], languages: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        values,
        index=pd.Index(languages, name="lang_a"),
        columns=pd.Index(languages, name="lang_b"),
    )


def _refuse(bad: NDArray[np.bool_], languages: Sequence[str], what: str, expected: str) -> None:
    """Name the first pair that is bad."""
    pairs = [(languages[i], languages[j]) for i, j in np.argwhere(bad | bad.T) if i < j]
    if pairs:
        more = f" and {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""
        first = " ".join(pairs[0])
        raise ValueError(f"got {what} {first}{more}; expected {expected}")
