"""The rows of a concept set: reading, folding to one a sentence, and the checks at the border."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NAMES = ("group", "lang", "text")
KNOWN = (*NAMES, "concept", "concepts", "lexical", "cognate", "negative_for")


def read(path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Header and table of a JSON-lines concept file.

    Raises
    ------
    ValueError
        Naming the file and the line: not UTF-8, not JSON, a field missing.
    """
    try:
        # Only "\n" ends a line: sentences may hold other line separators.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name}: got bytes that are not UTF-8 at offset {error.start}; expected UTF-8"
        ) from None
    objects = {n: _parse(path, n, line) for n, line in enumerate(lines, 1) if line.strip()}
    header = objects.pop(1, {})
    if "text" in header or not isinstance(header.get("languages"), list):
        raise ValueError(
            f"{path.name}: line 1: expected a header with name and a list of languages"
        )
    for number, row in objects.items():
        if not (all(isinstance(row.get(name), str | int) for name in NAMES) and _has_concept(row)):
            said = ", ".join(name for name, value in row.items() if value is not None)
            raise ValueError(
                f"{path.name}: line {number}: got fields {said}; "
                "expected group, lang, text and concept or concepts"
            )
    body = list(objects.values())
    if not body:
        raise ValueError(f"{path.name}: got a header and no sentence")
    return header, pd.DataFrame(body, columns=[c for c in KNOWN if any(c in row for row in body)])


def _has_concept(row: Mapping[str, Any]) -> bool:
    return "concept" in row or "concepts" in row


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name}: line {number}: not JSON ({error.msg})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path.name}: line {number}: got {value!r:.40}; expected a JSON object")
    return value


def fold(df: pd.DataFrame) -> pd.DataFrame:
    """One row a sentence: rows of one (group, lang, text) are joined, their concepts united."""
    missing = [name for name in NAMES if name not in df]
    if missing or not ("concept" in df or "concepts" in df):
        raise ValueError(
            f"got columns {', '.join(map(str, df.columns))}; "
            "expected group, lang, text and concept or concepts"
        )
    frame = pd.DataFrame({name: df[name].astype(str) for name in NAMES})
    columns = [df[name] for name in ("concept", "concepts") if name in df]
    named = [_united(map(_names, cells)) for cells in zip(*columns, strict=True)]
    frame["concepts"] = pd.Series(named, index=df.index, dtype=object)
    frame["lexical"] = _flags(df, "lexical", default=True)
    frame["cognate"] = _flags(df, "cognate", default=False)
    if "negative_for" in df:
        negative = [_names(value) for value in df["negative_for"]]
        frame["negative_for"] = pd.Series(negative, index=df.index, dtype=object)
    if "concept" not in df:
        return frame.reset_index(drop=True)
    keys = [*NAMES, "concepts"]
    if frame.duplicated(keys).any():
        row = frame[frame.duplicated(keys)].iloc[0]
        raise ValueError(
            f"got a duplicate row: {row['lang']} group {row['group']!r} {row['text']!r:.60}"
        )
    united = {c: _united for c in ("concepts", "negative_for") if c in frame}
    by_sentence = frame.groupby(list(NAMES), sort=False, as_index=False)
    return by_sentence.agg({**united, "lexical": "all", "cognate": "any"})


def _flags(df: pd.DataFrame, name: str, *, default: bool) -> pd.Series:
    if name not in df:
        return pd.Series(default, index=df.index)
    return pd.Series([default if _blank(v) else bool(v) for v in df[name]], df.index)


def _blank(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))


def _names(value: object) -> tuple[str, ...]:
    """Concept names of one cell: a name, a list of names, or nothing."""
    if _blank(value):
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable):
        return tuple(sorted({str(name) for name in value}))
    raise ValueError(f"got concepts {value!r}; expected a name or a list of names")


def _united(cells: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({name for cell in cells for name in cell}))


def check(frame: pd.DataFrame, *, languages: Sequence[str], parallel: bool) -> None:
    """Refuse empty sentences, duplicates, unknown or missing languages, and holes.

    Raises
    ------
    ValueError
        With the first offending row.
    """
    empty = frame.index[frame["text"].str.strip() == ""]
    if len(empty):
        row = frame.loc[empty[0]]
        raise ValueError(f"got an empty sentence for group {row['group']!r}, {row['lang']}")
    for keys, meaning in ((["group", "lang"], "group and language"), (["lang", "text"], "text")):
        twice = frame[frame.duplicated(keys)]
        if len(twice):
            row = twice.iloc[0]
            raise ValueError(
                f"got a duplicate row: {row['lang']} group {row['group']!r} {row['text']!r:.60} "
                f"stands twice with the same {meaning}"
            )
    present = set(frame["lang"])
    if present - set(languages):
        raise ValueError(
            f"got rows in {', '.join(sorted(present - set(languages)))}; "
            f"the header names {', '.join(languages)}"
        )
    if set(languages) - present:
        raise ValueError(
            f"got no row in language {', '.join(sorted(set(languages) - present))}; "
            "expected every language of the header"
        )
    if parallel:
        _refuse_holes(frame, languages)


def _refuse_holes(frame: pd.DataFrame, languages: Sequence[str]) -> None:
    counts = frame.groupby("group", sort=False)["lang"].nunique()
    holes = counts[counts < len(languages)]
    if len(holes):
        group = holes.index[0]
        lacking = sorted(set(languages) - set(frame.loc[frame["group"] == group, "lang"]))
        raise ValueError(
            f"got group {group!r} without {', '.join(lacking)} ({len(holes)} such groups); "
            'expected every group in every language, or "parallel": false in the header'
        )


def check_negatives(labels: NDArray[np.int8], frame: pd.DataFrame, concepts: Sequence[str]) -> None:
    """Refuse a concept that lacks positives or negatives in some language.

    Raises
    ------
    ValueError
        Naming the concept and the language.
    """
    if not concepts:
        raise ValueError("got no concept at all; expected at least one with negatives")
    for lang in pd.unique(frame["lang"]):
        own = labels[(frame["lang"] == lang).to_numpy()]
        for wanted, what in ((1, "positives"), (0, "negatives")):
            lacking = np.flatnonzero(~(own == wanted).any(0))
            if len(lacking):
                raise ValueError(
                    f"got no {what} for concept {concepts[lacking[0]]!r} in {lang}; "
                    "expected some of both in every language"
                )


def records(frame: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    """Plain JSON objects, one a sentence, in the order of the file form."""
    for row in frame.to_dict("records"):
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in row.items()}
        yield {str(key): value for key, value in plain.items()}
