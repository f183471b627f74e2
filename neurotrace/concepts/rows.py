"""The rows of a concept set: folding to one a sentence, and the checks at the border.

Readers return a row table with the columns of ``KNOWN`` that the source has and ``origin``, which
says where a row stands ("mine.tsv: line 7") and begins every message about it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.concepts import cells
from neurotrace.concepts.languages import code

NAMES = ("group", "lang", "text")
KNOWN = (*NAMES, "concept", "concepts", "lexical", "cognate", "negative_for")
EXPECTED = "expected group, lang, text and concept or concepts"
NOT_PARALLEL = (
    "or parallel=False (ConceptSet.from_table(path, parallel=False).to_jsonl(…)), "
    'in a header "parallel": false'
)


def table(records: Sequence[Mapping[str, Any]], *, origins: Sequence[str]) -> pd.DataFrame:
    """The row table of plain records: known columns that any record has, and ``origin``."""
    present = [name for name in KNOWN if any(name in record for record in records)]
    made = pd.DataFrame(index=range(len(records)))
    for name in present:
        made[name] = pd.Series([record.get(name) for record in records], dtype=object)
    return made.assign(origin=pd.Series(list(origins), dtype=object))


def check_fields(row: Mapping[str, Any], *, where: str) -> None:
    """Refuse a record that lacks a field or has one nobody knows.

    Raises
    ------
    ValueError
        Beginning with ``where``.
    """
    unknown = [name for name in row if name not in KNOWN]
    if unknown:
        raise ValueError(f"{where}: got unknown field {unknown[0]!r:.60}; {valid()}")
    has_concept = "concept" in row or "concepts" in row
    if not has_concept or any(row.get(name) is None for name in NAMES):
        said = ", ".join(name for name, value in row.items() if value is not None)
        raise ValueError(f"{where}: got fields {said or 'none':.200}; {EXPECTED}")


def valid() -> str:
    """The end of a message about columns: those that are known."""
    return f"valid are {', '.join(KNOWN)}"


def fold(df: pd.DataFrame, *, declared: Collection[str] = ()) -> pd.DataFrame:
    """One row a sentence: rows of one (group, lang, text) are joined, their concepts united.

    Parameters
    ----------
    df
        A row table. Of rows that are joined, the first ``origin`` stays; without the column,
        rows are counted from 0 ("row 7").
    declared
        Language codes of the header: they may be unknown ones. All others become FLORES style.

    Raises
    ------
    ValueError
        Beginning with the row's origin: a cell of the wrong kind, an unknown language, a row that
        stands twice. Without it: columns missing, unknown or doubled.
    """
    _check_columns(df)
    df = df.reset_index(drop=True)
    if "origin" not in df:
        df = df.assign(origin=[f"row {at}" for at in range(len(df))])
    texts = {name: _each(df, name, cells.text) for name in NAMES}
    langs = texts["lang"]
    known = {lang: _language(lang, langs, df, declared) for lang in dict.fromkeys(langs)}
    frame = pd.DataFrame(texts | {"lang": [known[lang] for lang in langs]})
    columns = [_each(df, name, cells.names) for name in ("concept", "concepts") if name in df]
    frame["concepts"] = _column(map(_united, zip(*columns, strict=True)))
    frame["lexical"] = _flags(df, "lexical", default=True)
    frame["cognate"] = _flags(df, "cognate", default=False)
    if "negative_for" in df:
        frame["negative_for"] = _column(_each(df, "negative_for", cells.names))
    frame["origin"] = _column(map(str, df["origin"]))
    return _joined(frame) if "concept" in df else frame


def _column(values: Iterable[Any]) -> pd.Series:
    return pd.Series(list(values), dtype=object)


def _joined(frame: pd.DataFrame) -> pd.DataFrame:
    keys = [*NAMES, "concepts"]
    twice = np.flatnonzero(frame.duplicated(keys))
    if len(twice):
        at = int(twice[0])
        first = int(np.flatnonzero((frame[keys] == frame.loc[at, keys]).all(axis=1))[0])
        row = frame.loc[at]
        raise ValueError(
            f"{_place(frame, at)}got a duplicate row: {row['lang']} group {row['group']!r:.60} "
            f"{row['text']!r:.60}{_as_before(frame, first)}{_such(len(twice))}"
        )
    united = {c: _united for c in ("concepts", "negative_for") if c in frame}
    by_sentence = frame.groupby(list(NAMES), sort=False, as_index=False)
    return by_sentence.agg({**united, "lexical": "all", "cognate": "any", "origin": "first"})


def _check_columns(df: pd.DataFrame) -> None:
    columns = [str(name) for name in df.columns]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(f"got column {twice[0]!r:.60} twice; expected each once")
    if not set(NAMES) <= set(columns) or not {"concept", "concepts"} & set(columns):
        raise ValueError(f"got columns {', '.join(columns):.200}; {EXPECTED}")
    unknown = [name for name in columns if name not in (*KNOWN, "origin")]
    if unknown:
        raise ValueError(f"got unknown columns {', '.join(unknown):.200}; {valid()}")


def _each(df: pd.DataFrame, name: str, read_cell: Callable[[str, Any], Any]) -> list[Any]:
    """A column's cells, read one by one; what is wrong with one is said with its origin."""
    made = []
    for at, value in enumerate(df[name]):
        try:
            made.append(read_cell(name, value))
        except ValueError as error:
            raise ValueError(f"{_place(df, at)}{error}") from None
    return made


def _language(given: str, langs: Sequence[str], df: pd.DataFrame, declared: Collection[str]) -> str:
    try:
        return code(given, declared=declared)
    except ValueError as error:
        said = str(error)
    if declared:
        said = f"got rows in {given:.60}; the header names {', '.join(declared):.200}"
    raise ValueError(f"{_place(df, langs.index(given))}{said}")


def _flags(df: pd.DataFrame, name: str, *, default: bool) -> pd.Series:
    if name not in df:
        return pd.Series(default, index=df.index)
    given = _each(df, name, cells.flag)
    return pd.Series([default if flag is None else flag for flag in given], df.index, dtype=bool)


def _united(cells: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({name for cell in cells for name in cell}))


def _place(df: pd.DataFrame, at: int) -> str:
    """Where row ``at`` stands, as the beginning of a message; nothing without ``origin``."""
    return f"{df['origin'].iloc[at]}: " if "origin" in df else ""


def _as_before(df: pd.DataFrame, at: int) -> str:
    """Where the first of two rows stands, as the end of a message."""
    return f" (first at {df['origin'].iloc[at]})" if "origin" in df else ""


def _such(count: int) -> str:
    """How many rows are at fault, where the one that is named is not the only one."""
    return f" ({count} such rows)" if count > 1 else ""


def _sources(df: pd.DataFrame) -> str:
    """The files that rows come from, as the beginning of a message about all of them."""
    origins = df["origin"] if "origin" in df else ()
    files = list(dict.fromkeys(o.rpartition(": ")[0] for o in origins))
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    said = ", ".join(filter(None, files[:3]))
    return f"{said}{more}: " if said else ""


def check(frame: pd.DataFrame, *, languages: Sequence[str], parallel: bool) -> None:
    """Refuse empty sentences, duplicates, unknown or missing languages.

    In a parallel set also groups that lack a language, and groups whose ``concepts`` or
    ``negative_for`` are not the same in all: a blank cell in one translation would make a
    negative of a positive.

    Raises
    ------
    ValueError
        With the first offending row and its origin, if there is one.
    """
    empty = np.flatnonzero([not text.strip() for text in frame["text"]])
    if len(empty):
        row = frame.iloc[empty[0]]
        raise ValueError(
            f"{_place(frame, empty[0])}got an empty sentence for group {row['group']!r:.60}, "
            f"{row['lang']}"
        )
    for keys, meaning in ((["group", "lang"], "group and language"), (["lang", "text"], "text")):
        _refuse_twice(frame, keys, meaning)
    foreign = np.flatnonzero(~frame["lang"].isin(list(languages)))
    if len(foreign):
        unnamed = sorted(set(frame["lang"].iloc[foreign]))
        raise ValueError(
            f"{_place(frame, foreign[0])}got rows in {', '.join(unnamed):.200}; "
            f"the header names {', '.join(languages):.200}"
        )
    lacking = sorted(set(languages) - set(frame["lang"]))
    if lacking:
        raise ValueError(
            f"{_sources(frame)}got no row in language {', '.join(lacking):.200}; "
            "expected every language of the header"
        )
    if parallel:
        _refuse_holes(frame, languages)
        for column in ("concepts", "negative_for"):
            if column in frame:
                _refuse_disagreement(frame, column)


def _refuse_twice(frame: pd.DataFrame, keys: list[str], meaning: str) -> None:
    twice = np.flatnonzero(frame.duplicated(keys))
    if len(twice):
        row = frame.iloc[twice[0]]
        first = np.flatnonzero((frame[keys] == row[keys]).all(axis=1))[0]
        raise ValueError(
            f"{_place(frame, twice[0])}got a duplicate row: {row['lang']} group "
            f"{row['group']!r:.60} {row['text']!r:.60} stands twice with the same {meaning}"
            f"{_as_before(frame, first)}{_such(len(twice))}"
        )


def _refuse_holes(frame: pd.DataFrame, languages: Sequence[str]) -> None:
    counts = frame.groupby("group", sort=False)["lang"].nunique()
    holes = counts[counts < len(languages)]
    if len(holes):
        group = holes.index[0]
        of_group = np.flatnonzero(frame["group"] == group)
        lacking = sorted(set(languages) - set(frame["lang"].iloc[of_group]))
        raise ValueError(
            f"{_place(frame, of_group[0])}got group {group!r:.60} without "
            f"{', '.join(lacking):.200} ({len(holes)} such groups); "
            f"expected every group in every language, {NOT_PARALLEL}"
        )


def _refuse_disagreement(frame: pd.DataFrame, column: str) -> None:
    """The row that is named is the one that stands alone in its group, or says the least."""
    kinds = frame.groupby("group", sort=False)[column].nunique()
    torn = kinds.index[kinds > 1]
    if torn.empty:
        return
    own = np.flatnonzero(frame["group"] == torn[0])
    cells = frame[column].iloc[own].tolist()
    odd = min(range(len(own)), key=lambda at: (cells.count(cells[at]), len(cells[at])))
    other = next(at for at in range(len(own)) if cells[at] != cells[odd])
    told = [
        f"{column} {', '.join(cells[at]) or 'none':.60} in {frame['lang'].iloc[own[at]]}"
        for at in (odd, other)
    ]
    raise ValueError(
        f"{_place(frame, own[odd])}got {told[0]} for group {torn[0]!r:.60}, but {told[1]} "
        f"({_place(frame, own[other]).removesuffix(': ')}; {len(torn)} such groups); "
        f"expected the same in every language, {NOT_PARALLEL}"
    )


def check_negatives(labels: NDArray[np.int8], frame: pd.DataFrame, concepts: Sequence[str]) -> None:
    """Refuse a concept that lacks positives or negatives in some language.

    Raises
    ------
    ValueError
        Naming the concept, the language and, where rows have an origin, the file.
    """
    if not concepts:
        raise ValueError(
            f"{_sources(frame)}got no concept at all; expected at least one with negatives"
        )
    for lang in pd.unique(frame["lang"]):
        own = labels[(frame["lang"] == lang).to_numpy()]
        for wanted, what in ((1, "positives"), (0, "negatives")):
            lacking = np.flatnonzero(~(own == wanted).any(0))
            if len(lacking):
                raise ValueError(
                    f"{_sources(frame)}got no {what} for concept {concepts[lacking[0]]!r:.60} in "
                    f"{lang}; expected some of both in every language"
                )


def records(frame: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    """Plain JSON objects, one a sentence, in the order of the file form."""
    for row in frame.to_dict("records"):
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in row.items()}
        yield {str(key): value for key, value in plain.items()}
