"""A suite described in a small TOML file: where it is, how its steps are named, what they are.

::

    source = "org/model"                    # or a folder, looked for beside the file first
    pattern = 'epoch\\d+_it(?P<step>\\d+)'    # whole names, with a group step (stage, tokens)
    tokenizer = "org/other"                 # repository, org/other@revision, or folder
    tokens_per_step = 2097152
    steps = [0, 1, "1000:143000:1000"]      # what should be there: numbers, first:last:every
    repositories = ["org/run-step*"]        # one checkpoint each: names, * for any that follow
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = {
    "source": "text",
    "pattern": "text",
    "tokenizer": "text",
    "tokens_per_step": "a number",
    "steps": "a list",
    "repositories": "a list",
}


@dataclass(frozen=True)
class SuiteFile:
    """What the file says; None and empty for what it leaves open.

    Attributes
    ----------
    name
        The file's own name: what a series of separate repositories is called.
    """

    name: str
    source: str | None = None
    pattern: str | None = None
    tokenizer: str | None = None
    tokens_per_step: int | None = None
    steps: tuple[int, ...] = ()
    repositories: tuple[str, ...] = ()


def read_suite(file: str | Path) -> SuiteFile:
    """Read a suite's file; folders in it are looked for beside it.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        For what is no TOML, an unknown key, a value of another kind, or neither a source nor
        repositories.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"got source {str(file)!r}; there is no such file")
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name}: no TOML: {error}") from None
    for key, value in raw.items():
        _refuse_other(file.name, key, value)
    if not raw.get("source") and not raw.get("repositories"):
        raise ValueError(f"{file.name}: got neither source nor repositories; expected one of them")
    for key in ("source", "tokenizer"):
        if key in raw and (file.parent / raw[key]).is_dir():
            raw[key] = str(file.parent / raw[key])
    return SuiteFile(
        name=file.stem,
        source=raw.get("source"),
        pattern=raw.get("pattern"),
        tokenizer=raw.get("tokenizer"),
        tokens_per_step=raw.get("tokens_per_step"),
        steps=_steps(file.name, raw.get("steps", ())),
        repositories=tuple(raw.get("repositories", ())),
    )


def _refuse_other(name: str, key: str, value: Any) -> None:
    if key not in KINDS:
        raise ValueError(f"{name}: got key {key!r}; valid are {', '.join(KINDS)}")
    kind = {"text": str, "a number": int, "a list": list}[KINDS[key]]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name}: got {key} = {value!r}; expected {KINDS[key]}")
    if isinstance(value, int) and value < 1:
        raise ValueError(f"{name}: got {key} = {value}; expected 1 or more")
    listed: list[Any] = value if isinstance(value, list) else []
    if key == "repositories" and not all(isinstance(item, str) for item in listed):
        raise ValueError(f"{name}: got {key} = {value!r}; expected names like org/run-step1")


def _steps(name: str, listed: Sequence[Any]) -> tuple[int, ...]:
    found: set[int] = set()
    for item in listed:
        span = re.fullmatch(r"(\d+):(\d+):(\d+)", item) if isinstance(item, str) else None
        if span and int(span[3]):
            found |= set(range(int(span[1]), int(span[2]) + 1, int(span[3])))
        elif isinstance(item, int) and not isinstance(item, bool) and item >= 0:
            found.add(item)
        else:
            raise ValueError(f"{name}: got step {item!r}; expected 512 or '1000:143000:1000'")
    return tuple(sorted(found))
