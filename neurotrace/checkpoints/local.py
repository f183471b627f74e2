"""Checkpoints in folders: a suite downloaded by hand, a lab run, a Trainer's output."""

import json
import re
from dataclasses import replace
from pathlib import Path

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.naming import compiled, place_of, quoted
from neurotrace.checkpoints.series import Checkpoint, Series, grid_gaps

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# Files that hold a vocabulary: where none of them is, there is no tokenizer.
VOCABULARIES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model",
    "sentencepiece.bpe.model", "sentencepiece.model", "source.spm", "tekken.json",
)  # fmt: skip
STATE = "trainer_state.json"  # written beside each checkpoint by the Hugging Face Trainer


def find_here(folder: Path, *, pattern: str | None, tokenizer: str | None) -> Series:
    """The checkpoints of a folder: its sub-folders, or the folder itself.

    Raises
    ------
    FileNotFoundError
        When there is no checkpoint, or no such tokenizer.
    ValueError
        When two folders have the same step, or none holds weights.
    """
    matcher = compiled(pattern)
    matches = [(sub, matcher.fullmatch(sub.name)) for sub in folder.iterdir() if sub.is_dir()]
    found: list[tuple[Path, re.Match[str] | None]] = [each for each in matches if each[1]]
    if not found and has_weights(folder):
        found = [(folder, matcher.fullmatch(folder.name))]
    if not found:
        present = ", ".join(sorted(sub.name for sub, _ in matches)[:5]) or "no folders"
        wanted = (
            f"whole names that match {pattern!r}"
            if pattern
            else "names like step512, step-000512, checkpoint-512 or global_step512, or --pattern"
        )
        raise FileNotFoundError(f"got source {str(folder)!r} with {present}; expected {wanted}")
    elsewhere = tokenizer_folder(tokenizer) if tokenizer else None
    series, empty = [], {}
    for sub, match in found:
        place = place_of(match, name=sub.name)
        if not has_weights(sub):
            empty[place.stage, place.step] = sub.name
            continue
        series.append(
            Checkpoint(
                model=folder.name,
                step=place.step,
                path=sub,
                stage=place.stage,
                tokens=place.tokens or _tokens_seen(sub),
                revision=sub.name,
                tokenizer=elsewhere or _parents_tokenizer(sub),
            )
        )
    if not series:
        raise ValueError(
            f"got checkpoint folders without weights ({quoted(empty.values())}); expected one of "
            f"{', '.join(WEIGHT_FILES)} in each"
        )
    told = [f"without weights: {quoted(empty.values())}"] if empty else []
    return Series(series, grid_gaps(series), told, empty)


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights in a format that can be read."""
    return any((folder / name).is_file() for name in WEIGHT_FILES)


def tokenizer_folder(tokenizer: str) -> Path:
    """A tokenizer's folder: a local one, or the cached snapshot of ``org/model[@revision]``.

    Raises
    ------
    FileNotFoundError
        When neither holds a vocabulary.
    """
    folder = Path(tokenizer)
    repo, _, revision = tokenizer.partition("@")
    if hub.is_repo(repo):
        folder = hub.snapshot_path(repo, hub.commit_of(repo, revision or "main"))
    if not _has_tokenizer(folder):
        if hub.is_repo(repo):
            raise FileNotFoundError(
                f"got tokenizer {tokenizer!r}, which is not in the cache; bring it by "
                f"python -m neurotrace.checkpoints prefetch {tokenizer}"
            )
        raise FileNotFoundError(
            f"got tokenizer {tokenizer!r} with no vocabulary in {folder}; expected one of "
            f"{', '.join(VOCABULARIES)}"
        )
    return folder


def with_tokens(series: Series, tokens_per_step: int | None) -> Series:
    """Tokens counted by the step where no name says them."""
    if tokens_per_step is None:
        return series
    counted = [
        replace(c, tokens=c.step * tokens_per_step) if c.tokens is None else c for c in series
    ]
    return Series(counted, series.absent, series.notes, series.empty)


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in VOCABULARIES)


def _parents_tokenizer(folder: Path) -> Path | None:
    """The folder above, where a Trainer leaves a tokenizer that it did not save with each step."""
    above = folder.parent
    return above if not _has_tokenizer(folder) and _has_tokenizer(above) else None


def _tokens_seen(folder: Path) -> int | None:
    """Tokens that the Trainer counted, where it was told to count them."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return int(state["num_input_tokens_seen"]) or None
    except (OSError, ValueError, KeyError, TypeError):
        return None
