"""OneSec and selfcond JSON files: one concept a file, sentences that carry it and some that do not.

The format is that of Suau, Zappella and Apostoloff (2022), "Self-conditioning pre-trained language
models": ``concept``, ``group`` (a category of concepts, not of sentences), optionally ``source``,
``sentences.positive`` and ``sentences.negative``.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from neurotrace.concepts import rows
from neurotrace.concepts.languages import code
from neurotrace.concepts.lines import json_value, path_of, read_lines, shown

FIELDS = ("concept", "group", "source", "sentences")
SIDES = ("positive", "negative")

Source = str | Path | Sequence[str | Path]
Paths = Source | Mapping[str, Source]


@dataclass(frozen=True)
class _File:
    """One concept in one language: sentences by side, stripped, each once, in order."""

    name: str
    lang: str
    concept: str
    category: str
    sentences: Mapping[str, Mapping[str, int]]  # side → sentence → place in the list


def read_onesec(paths: Paths, *, lang: str | None = None) -> tuple[dict[str, Any], pd.DataFrame]:
    """Header and row table of OneSec or selfcond JSON files.

    A sentence is one row, however many files hold it: it carries the concepts of the files where
    it is positive and is judged as a negative for those where it is negative (``negative_for``).
    Where two files of one concept disagree, positive wins. Blanks around a sentence are taken off.
    Every sentence is a group of its own, since nothing says which ones are translations.

    Parameters
    ----------
    paths
        A file, several, a folder (searched through, ``.json``), or a mapping from languages to any
        of these.
    lang
        The language of files without a mapping; unless given, the name of each file's folder.

    Returns
    -------
    header
        ``languages``, ``parallel`` (False) and ``categories``, from concepts to their ``group``.
    table
        ``group lang text concepts negative_for origin``.

    Raises
    ------
    FileNotFoundError
        For a file or folder that is not there, or a folder without ``.json`` files.
    ValueError
        Naming the file, and the line where JSON is broken: a field missing or unknown, a sentence
        that is empty, no string, or on both sides, a concept with two categories, an unknown
        language.
    """
    files = [_read(file, given) for file, given in _listed(paths, lang)]
    categories: dict[str, str] = {}
    for file in files:
        if categories.setdefault(file.concept, file.category) != file.category:
            raise ValueError(
                f"{file.name}: got group {file.category!r:.60} for concept {file.concept!r:.60}; "
                f"expected {categories[file.concept]!r:.60}, as in the file before"
            )
    languages = list(dict.fromkeys(file.lang for file in files))
    header = {"languages": languages, "parallel": False, "categories": categories}
    records = _merged(files)
    origins = [record.pop("origin") for record in records]
    return header, rows.table(records, origins=origins)


def _listed(paths: Paths, lang: str | None) -> list[tuple[Path, str | None]]:
    """Files and the language given for each, if any."""
    listed: list[tuple[Path, str | None]] = []
    if isinstance(paths, Mapping):
        if lang is not None:
            raise ValueError(f"got lang={lang!r} beside a mapping; expected one of the two")
        for key, value in paths.items():
            listed += [(file, key) for file in _files(value)]
    else:
        listed = [(file, lang) for file in _files(paths)]
    if not listed:
        raise ValueError("got no file; expected at least one")
    return listed


def _files(source: Source) -> list[Path]:
    if not isinstance(source, str | Path):
        return [file for one in source for file in _files(one)]
    path = path_of(source)
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*.json") if file.is_file())
    if not found:
        raise FileNotFoundError(f"got folder {path} without .json files; expected one a concept")
    return found


def _read(path: Path, given: str | None) -> _File:
    name = f"{path.parent.name}/{path.name}" if path.parent.name else path.name
    value = json_value("\n".join(read_lines(path)), where=name, has_lines=True)
    _check_fields(value, name)
    sentences = {side: _sentences(value["sentences"], side, name) for side in SIDES}
    both = [text for text in sentences["positive"] if text in sentences["negative"]]
    if both:
        at = [f"sentences.{side}[{sentences[side][both[0]]}]" for side in SIDES]
        raise ValueError(
            f"{name}: got {both[0]!r:.60} as {at[0]} and {at[1]}; expected it on one side"
        )
    lang = _language(given, path, name)
    return _File(name, lang, value["concept"].strip(), value["group"], sentences)


def _check_fields(value: Any, name: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: got {shown(value)}; expected an object with {_said(FIELDS)}")
    unknown = [field for field in value if field not in FIELDS]
    if unknown:
        raise ValueError(f"{name}: got unknown field {unknown[0]!r:.60}; valid are {_said(FIELDS)}")
    for field in ("concept", "group"):
        if not isinstance(value.get(field), str) or not value[field].strip():
            raise ValueError(f"{name}: got {field} {shown(value.get(field))}; expected a name")
    sides = value.get("sentences")
    if not isinstance(sides, dict) or set(sides) != set(SIDES):
        raise ValueError(
            f"{name}: got sentences {shown(sides)}; expected an object with {_said(SIDES)}"
        )


def _sentences(sides: Mapping[str, Any], side: str, name: str) -> dict[str, int]:
    """Sentence → its first place in the list."""
    if not isinstance(sides[side], list):
        raise ValueError(f"{name}: got sentences.{side} {shown(sides[side])}; expected a list")
    places: dict[str, int] = {}
    for at, text in enumerate(sides[side]):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{name}: got sentences.{side}[{at}] {shown(text)}; expected a string")
        places.setdefault(text.strip(), at)
    return places


def _language(given: str | None, path: Path, name: str) -> str:
    source = path.absolute().parent.name if given is None else given
    try:
        return code(source)
    except ValueError as error:
        hint = "; lang= or a mapping says the language" if given is None else ""
        said = f"{name}: {error}{hint}"
    raise ValueError(said)


def _merged(files: Sequence[_File]) -> list[dict[str, Any]]:
    """One record a sentence and language, in the order in which they are first met."""
    found: dict[tuple[str, str], str] = {}
    carriers: dict[str, dict[tuple[str, str], set[str]]] = {
        side: defaultdict(set) for side in SIDES
    }
    for file in files:
        for side in SIDES:
            for text, at in file.sentences[side].items():
                found.setdefault((file.lang, text), f"{file.name}: sentences.{side}[{at}]")
                carriers[side][file.lang, text].add(file.concept)
    width = len(str(len(found)))
    records = []
    for number, ((lang, text), origin) in enumerate(found.items(), 1):
        positive, negative = (carriers[side][lang, text] for side in SIDES)
        records.append({
            "group": f"{lang}-{number:0{width}d}", "lang": lang, "text": text, "origin": origin,
            "concepts": sorted(positive), "negative_for": sorted(negative - positive),
        })  # fmt: skip
    return records


def _said(names: Sequence[str]) -> str:
    return ", ".join(names)
