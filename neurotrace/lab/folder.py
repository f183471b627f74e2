"""The lab's folder: what a run leaves, written so that nothing half done looks whole.

``step-000512/`` is a Hugging Face folder (config, safetensors, tokenizer), ``twin/`` the
re-initialised one, ``concepts.jsonl`` the evaluation set, ``shared_ids.json`` the ids to leave out
of pooling, ``training.csv`` the loss before each update (nats a token), ``lab.json`` what was run:
its ``complete`` turns true last. ``.resume.pt`` is there only while a run is unfinished.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from neurotrace.concepts import ConceptSet

RECORD, RESUME, LOSSES = "lab.json", ".resume.pt", "training.csv"


class LabFolder:
    """One run's folder.

    Parameters
    ----------
    path
        Made if missing.
    facts
        Preset, seed, steps and whatever else decides the result; no time, host or path.

    Raises
    ------
    ValueError
        When the folder holds a run with other facts, or files that are no run of the lab.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path, self.facts = path, dict(facts)
        found = _record(path)
        if found is None:
            _refuse_strangers(path)
            path.mkdir(parents=True, exist_ok=True)
            self._write_record(complete=False)
        else:
            self._refuse_others(found)

    @property
    def complete(self) -> bool:
        """Whether the run has ended."""
        record = _record(self.path)
        return record is not None and bool(record["complete"])

    def save_step(
        self, name: str, model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        """Write a checkpoint under a temporary name, then give it its own."""
        partial, final = self.path / f".{name}.partial", self.path / name
        shutil.rmtree(partial, ignore_errors=True)
        with _without_bars():
            model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        # A run that died between this rename and its resume point writes the same step again.
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)

    def save_evaluation(self, concepts: ConceptSet | None, shared_ids: list[int]) -> None:
        """Write the evaluation set, if there is one, and the ids shared between languages."""
        if concepts is not None:
            concepts.to_jsonl(self.path / "concepts.jsonl")
        self._replace("shared_ids.json", json.dumps(shared_ids) + "\n")

    def save_resume(self, state: Mapping[str, Any], losses: list[float]) -> None:
        """Keep what the next update needs, and the losses so far."""
        rows = [f"{update},{loss:.6f}\n" for update, loss in enumerate(losses, start=1)]
        self._replace(LOSSES, "update,loss\n" + "".join(rows))
        partial = self.path / f"{RESUME}.partial"
        torch.save({**state, "losses": losses}, partial)
        partial.replace(self.path / RESUME)

    def resume(self) -> dict[str, Any] | None:
        """What :meth:`save_resume` kept, or nothing at the start."""
        path = self.path / RESUME
        return torch.load(path, weights_only=True) if path.is_file() else None

    def finish(self) -> None:
        """Say that the run is whole."""
        self._write_record(complete=True)
        (self.path / RESUME).unlink(missing_ok=True)

    def _write_record(self, *, complete: bool) -> None:
        record = {**self.facts, "complete": complete}
        self._replace(RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def _replace(self, name: str, text: str) -> None:
        partial = self.path / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.path / name)

    def _refuse_others(self, found: Mapping[str, Any]) -> None:
        mine = json.loads(json.dumps(self.facts))
        keys = [key for key in {**mine, **found} if key not in ("complete", "finding")]
        differing = [key for key in keys if mine.get(key) != found.get(key)]
        if differing:
            there = ", ".join(f"{key} {found.get(key)!r}" for key in differing)
            asked = ", ".join(f"{key} {mine.get(key)!r}" for key in differing)
            raise ValueError(
                f"{self.path}: got {asked}, but the folder holds a run with {there}; "
                "expected another --out, or the same settings"
            )


@contextmanager
def _without_bars() -> Iterator[None]:
    # Saving draws a bar of its own for every file, through the one of the training.
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _record(path: Path) -> dict[str, Any] | None:
    file = path / RECORD
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    if not isinstance(record, dict) or "complete" not in record:
        raise ValueError(f"{file}: got a file that is no record of the lab; expected another --out")
    return record


def _refuse_strangers(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path}: got a file; expected a folder, new or empty")
    # A hidden leftover is what a run leaves that was killed while it wrote its first record.
    if path.is_dir() and any(not child.name.startswith(".") for child in path.iterdir()):
        raise ValueError(
            f"{path}: got a folder with other files and no {RECORD}; expected a new or empty one"
        )
