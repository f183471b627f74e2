"""What must agree for files to be one series, and for a finished file to be this one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurotrace.store import layout
from neurotrace.store.layout import StoreMismatch
from neurotrace.store.repair import refuse_damaged

TWIN = "twin.h5"
# What the files of one series have in common; package versions are recorded, never compared.
SHARED = (
    "concepts", "tokenizer_hash", "bos", "dtype", "compute_dtype", "exclude_ids", "what", "stack",
)  # fmt: skip
# What a finished file and the run that finds it have in common.
KEYS = (
    "weight_hash", *SHARED,
    "loss_sentences", "tokens_per_language", "words_per_language", "word_cap", "seed",
)  # fmt: skip


def read_header(file: Path) -> dict[str, Any]:
    """Root attributes as plain Python values.

    Raises
    ------
    StoreDamaged
        When the file is truncated, or nothing that this package wrote.
    StoreMismatch
        When it is of another version.
    """
    try:
        with layout.reading(file) as h5:
            header = {name: _plain(value) for name, value in h5.attrs.items()}
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, RuntimeError, ValueError):
        refuse_damaged(file)
        raise
    if header.get("format") != layout.FORMAT:
        refuse_damaged(file)
    if header.get("version") != layout.VERSION:
        raise StoreMismatch(
            f"{file.name}: got format {header.get('format')!r} version {header.get('version')}; "
            f"expected {layout.FORMAT} version {layout.VERSION}"
        )
    return header


def key_of(header: Mapping[str, Any]) -> tuple[int, int]:
    """Stage and step."""
    return int(header.get("stage", 0)), int(header["step"])


def kept_of(header: Mapping[str, Any]) -> str:
    """What a file keeps: ``activations``, ``states`` or ``scores``."""
    return str(header.get("kept", "activations"))


def row_of(header: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """A file's row in the table of checkpoints."""
    stage, step = key_of(header)
    number = file.name.split("_")[0]
    return {
        "index": int(number) if number.isdigit() else 0,
        "step": step,
        "stage": stage,
        "tokens": header.get("tokens", np.nan),
        "model": header.get("model", ""),
        "revision": header.get("revision", ""),
        "weight_hash": header.get("weight_hash", ""),
        "file": file.name,
    }


def equal(there: Any, here: Any) -> bool:
    """Whether two attributes agree; one that is unknown is one that is not there."""
    # Arrays among the attributes have no single truth value, so == would not do.
    return np.array_equal("" if there is None else there, "" if here is None else here)


def is_finished(file: Path, header: Mapping[str, Any], *, verify: bool = False) -> bool:
    """Whether a file is there, whole, and what a run with this header would write.

    Parameters
    ----------
    verify
        Read every value against its checksum, too, not the header and the tables alone.

    Raises
    ------
    StoreDamaged
        When it is there and was harmed since it was written.
    StoreMismatch
        When it is there and is something else, naming what differs.
    """
    if not file.exists():
        return False
    found = read_header(file)
    differing = _differing(found, header, KEYS)
    if differing:
        raise StoreMismatch(f"{file.name} was captured with {differing}")
    refuse_damaged(file, quick=not verify)
    return True


def refuse_not_kept(
    header: Mapping[str, Any], path: str, *, file: Path, paths: Sequence[str]
) -> None:
    """Raise where a file no longer holds a path.

    Raises
    ------
    NotKept
        Naming the paths, of all those captured, that it holds.
    """
    kept = kept_of(header)
    if not layout.keeps(kept, path):
        there = ", ".join(name for name in paths if layout.keeps(kept, name))
        raise layout.NotKept(
            f"got path {path} of {file.name}, which was scored and not kept (--keep {kept}); "
            f"valid are {there or 'its scores alone'}"
        )


def refuse_mixture(headers: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse files, by name, that were not captured in the same way."""
    (first, one), *rest = headers.items()
    for name, other in rest:
        differing = _differing(one, other, SHARED)
        if differing:
            raise StoreMismatch(f"{first} and {name} were captured with {differing}")


def _differing(there: Mapping[str, Any], here: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """What differs, in words; empty where nothing does."""
    return ", ".join(
        f"another {name} ({_short(there.get(name))}, now {_short(here.get(name))})"
        for name in names
        if not equal(there.get(name), here.get(name))
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
