"""Folders of aligned lines: one file a language, the n-th line of each says the same."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.concepts import rows, tables
from neurotrace.concepts.languages import code
from neurotrace.concepts.lines import path_of, read_lines, shown

SUFFIXES = (".dev", ".devtest", ".test", ".train", ".txt")
ABOUT = ("README", "LICENSE", "LICENCE", "CHANGELOG", "NOTICE")  # files about the others

Places = Sequence[int] | NDArray[np.integer[Any]] | Sequence[str]  # lines, or word forms
Concepts = Mapping[str, Places] | str | Path


def read_parallel(
    folder: str | Path, *, concepts: Concepts | None = None, pivot: str | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Header and row table of aligned lines, as FLORES-200 is distributed (NLLB Team 2022).

    Files are ``eng_Latn.dev`` or ``de.txt``, in the folder itself or in one folder below it; other
    endings are passed over. Line n of every file is one group, and carries the concepts said of
    it. Lines without a concept stay: they are negatives. Which lines hold the usual word is not
    known in each language, so ``lexical`` is left at its default, true.

    Parameters
    ----------
    concepts
        None for lines that name no concept: enough for what asks only for translations. Else from
        concepts to line numbers, counted from 1, or to word forms, sought in the pivot
        language as a lexicon's are (whole words, case ignored, ``*`` for any letters); or a TSV
        with columns ``concept`` and ``line``, one line number a row.
    pivot
        The language whose lines are searched for word forms; needed for these alone.

    Returns
    -------
    header
        ``languages``, sorted, ``parallel`` (True), and ``concept_free`` (True) without concepts.
    table
        ``group lang text concepts origin``; groups are line numbers, with leading zeros.

    Raises
    ------
    FileNotFoundError
        When folder or TSV is not there.
    ValueError
        Naming file and line: numbers of lines that differ, an empty line, a line number that is
        none, two splits or two files of a language in one place, an unknown language, word forms
        without pivot or in no line of it.
    """
    folder = path_of(folder)
    files = _files(folder)
    lines = {lang: _lines(file) for lang, file in files.items()}
    _refuse_unequal(files, lines)
    count = len(next(iter(lines.values())))
    if isinstance(concepts, str | Path):
        concepts = _read_lines_of_concepts(path_of(concepts), count=count)
    free = concepts is None
    carried = _carried(concepts or {}, files=files, lines=lines, pivot=pivot)
    width = len(str(count))
    records, origins = [], []
    for number in range(1, count + 1):
        named = sorted(concept for concept, numbers in carried.items() if number in numbers)
        for lang, own in lines.items():
            group = f"{number:0{width}d}"
            records.append(
                {"group": group, "lang": lang, "text": own[number - 1], "concepts": named}
            )
            origins.append(f"{files[lang].name}: line {number}")
    header = {"languages": list(files), "parallel": True} | ({"concept_free": True} if free else {})
    return header, rows.table(records, origins=origins)


def _files(folder: Path) -> dict[str, Path]:
    """Language → file, sorted by language."""
    if not folder.is_dir():
        raise FileNotFoundError(f"got {folder}; expected a folder with one file a language")
    found = _candidates(folder)
    if not found:
        below = [sub for sub in sorted(folder.iterdir()) if sub.is_dir() and _candidates(sub)]
        if len(below) > 1:
            names = ", ".join(sub.name for sub in below)
            raise ValueError(f"{folder.name}: got splits {names}; expected the folder of one")
        found = _candidates(below[0]) if below else []
    if not found:
        raise ValueError(
            f"{folder.name}: got no file of a language; expected one each, such as eng_Latn.dev, "
            f"ending in {', '.join(SUFFIXES)}"
        )
    _refuse_mixed(found)
    files: dict[str, Path] = {}
    for file in found:
        lang = _language(file)
        if lang in files:
            raise ValueError(f"{file.name}: got {lang} again; it stands in {files[lang].name} too")
        files[lang] = file
    return dict(sorted(files.items()))


def _candidates(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix in SUFFIXES
        and file.is_file()
        and not file.name.startswith(".")
        and file.stem not in ABOUT
    )


def _refuse_mixed(files: Sequence[Path]) -> None:
    for one, other in pairwise(sorted(files, key=lambda file: file.suffix)):
        if one.suffix != other.suffix:
            raise ValueError(
                f"got splits {one.name} and {other.name} in one folder; expected one split"
            )


def _language(file: Path) -> str:
    try:
        return code(file.stem)
    except ValueError as error:
        said = f"{file.name}: {error}"
    raise ValueError(said)


def _lines(file: Path) -> list[str]:
    lines = [line.strip() for line in read_lines(file)]
    if not lines:
        raise ValueError(f"{file.name}: got an empty file; expected a sentence a line")
    if "" in lines:
        raise ValueError(
            f"{file.name}: line {lines.index('') + 1}: got an empty line; expected a sentence"
        )
    return lines


def _refuse_unequal(files: Mapping[str, Path], lines: Mapping[str, Sequence[str]]) -> None:
    longest = max(lines, key=lambda lang: len(lines[lang]))
    shortest = min(lines, key=lambda lang: len(lines[lang]))
    if len(lines[longest]) > len(lines[shortest]):
        missing = len(lines[shortest]) + 1
        raise ValueError(
            f"{files[shortest].name}: line {missing}: got the end of the file; "
            f"{files[longest].name} has {len(lines[longest])} lines; expected as many in each"
        )


def _read_lines_of_concepts(path: Path, *, count: int) -> dict[str, list[int]]:
    """Concept → line numbers, from a table with columns ``concept`` and ``line``."""
    numbers, names, cells = tables.read_cells(path)
    if sorted(names) != ["concept", "line"]:
        raise ValueError(
            f"{path.name}: line {numbers[0]}: got columns {', '.join(names):.200}; "
            "expected concept, line"
        )
    found: dict[str, list[int]] = {}
    for number, row in zip(numbers[1:], cells, strict=True):
        cell = dict(zip(names, row, strict=True))
        concept, said = cell["concept"].strip(), cell["line"].strip()
        # No file has lines of twelve digits, and Python refuses to read very long numbers.
        is_number = said.isascii() and said.isdigit() and len(said) < 12
        if not concept or not is_number or not 1 <= int(said) <= count:
            raise ValueError(
                f"{path.name}: line {number}: got concept {concept!r:.60}, line {said!r:.60}; "
                f"expected a name and a line number from 1 to {count}"
            )
        found.setdefault(concept, []).append(int(said))
    return found


def _carried(
    concepts: Mapping[str, Places],
    *,
    files: Mapping[str, Path],
    lines: Mapping[str, Sequence[str]],
    pivot: str | None,
) -> dict[str, set[int]]:
    """Concept → numbers of the lines that carry it."""
    lang = code(pivot) if pivot is not None else None
    if lang is not None and lang not in files:
        raise ValueError(f"got pivot {lang}, without a file; the folder has {', '.join(files)}")
    carried = {}
    for concept, said in concepts.items():
        kind, listed = _told(said)
        if kind is None:
            raise ValueError(
                f"got {shown(said)} for concept {concept!r:.60}; "
                "expected a list of line numbers or a list of word forms"
            )
        if kind is int:
            carried[concept] = _in_range(concept, list(map(int, listed)), lines)
        elif lang is None:
            raise ValueError(
                f"got word forms for concept {concept!r:.60} without a pivot; "
                f"expected the language they are of: one of {', '.join(files)}"
            )
        else:
            forms = tuple(map(str, listed))
            carried[concept] = _holding(concept, forms, lang, lines=lines[lang], file=files[lang])
    return carried


def _told(said: object) -> tuple[type | None, list[Any]]:
    """Whether a concept is told by line numbers (int), by words (str) or neither; and a list."""
    listed = said.tolist() if isinstance(said, np.ndarray) else said
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        return None, []
    if all(isinstance(one, Integral) and not isinstance(one, bool) for one in listed):
        return int, list(listed)
    return (str if all(isinstance(one, str) for one in listed) else None), list(listed)


def _in_range(concept: str, numbers: Sequence[int], lines: Mapping[str, Sequence[str]]) -> set[int]:
    count = len(next(iter(lines.values())))
    beyond = [number for number in numbers if not 1 <= number <= count]
    if beyond:
        raise ValueError(f"got line {beyond[0]} for concept {concept!r:.60}; expected 1 to {count}")
    return set(numbers)


def _holding(
    concept: str, forms: tuple[str, ...], lang: str, *, lines: Sequence[str], file: Path
) -> set[int]:
    from neurotrace.concepts.lexicon import Lexicon

    lexicon = Lexicon({concept: {lang: forms}})
    found = {n for n, line in enumerate(lines, 1) if lexicon.occurs(concept, lang, line)}
    if not found:
        raise ValueError(
            f"{file.name}: got no line with {', '.join(forms):.100}; "
            f"expected some for concept {concept!r:.60}"
        )
    return found
