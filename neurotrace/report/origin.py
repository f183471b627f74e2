"""Where the numbers of a report come from, in print: no time, host or machine path."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, TypedDict

PLACES = ("source", "out", "folder", "concepts", "twin", "checkpoints")
ABSOLUTE = re.compile(r"(?<![\w.:/~])(?:~|[A-Za-z]:)?[\\/](?:[^\s\\/'\",;]+[\\/])*([^\s\\/'\",;]+)")


class Provenance(TypedDict, total=False):
    """Where results come from; whatever is absent is left out of the page.

    ``config`` and ``versions`` map names to values; ``concepts`` has name, sentences, concepts,
    languages, digest; ``checkpoints`` is a DataFrame or rows with step, stage, tokens,
    weight_hash, label; ``audit`` is what :func:`neurotrace.checkpoints.audit` returned. Of every
    path only the last name is shown.
    """

    model: str
    source: str | Path
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    concepts: Mapping[str, Any]
    checkpoints: Any
    audit: Any
    notes: Sequence[str]


def blocks(provenance: Provenance) -> list[dict[str, Any]]:
    """Blocks of (name, value) texts: concept set, configuration, versions."""
    blocks = [
        ("Model and sentences", _pairs({"source": provenance.get("source")})
         + _pairs(provenance.get("concepts", {})), False),
        ("Configuration", _pairs(provenance.get("config", {})), True),
        ("Versions", _pairs(provenance.get("versions", {})), False),
    ]  # fmt: skip
    return [
        {"name": name, "entries": entries, "code": code}
        for name, entries, code in blocks
        if entries
    ]


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, _text(key, value)) for key, value in values.items() if value not in (None, "", [], ())
    ]


def _text(key: str, value: Any) -> str:
    """A value in print; of a place only its own name, since the rest is about the machine."""
    if isinstance(value, PurePath) or (key in PLACES and isinstance(value, str)):
        return PurePath(str(value).replace("\\", "/")).name or "."
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_text(name, inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text("", inner) for inner in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return without_folders(str(value))


def without_folders(text: str) -> str:
    """Absolute paths within a text, shortened to their last name.

    >>> without_folders("twin of /home/me/runs/lab, read at mlp.hook_post/max")
    'twin of lab, read at mlp.hook_post/max'
    """
    return ABSOLUTE.sub(r"\1", text)


def citation(provenance: Provenance) -> str:
    version = provenance.get("versions", {}).get("neurotrace", "")
    digest = str(provenance.get("concepts", {}).get("digest", ""))[:12]
    return (
        f"To cite a number from this page, name neurotrace{f' {version}' if version else ''}, the "
        f"model, the checkpoint, the path it was read at"
        f"{f', the concept set (digest {digest})' if digest else ''}, and the chance level and "
        "interval that stand beside it."
    )
