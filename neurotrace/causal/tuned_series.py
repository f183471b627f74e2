"""The folder of a tuned series: checkpoints, and the settings that they were made with.

``step-000100/`` is a Hugging Face folder as any other, with ``classifier.safetensors`` where a
class was learnt; ``tuning.json`` holds the settings, and its ``complete`` turns true last.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurotrace.capture.plain import Model
from neurotrace.causal.tuning_heads import Head

RECORD = "tuning.json"


class TunedSeries:
    """The folder of a tuned series; its record says that it is whole when everything is in."""

    def __init__(self, path: Path, record: Mapping[str, Any], tokenizer: Any) -> None:
        self.path, self.record, self.tokenizer = path, dict(record), tokenizer
        path.mkdir(parents=True, exist_ok=True)
        self._write(complete=False)

    def save(self, step: int, model: Model, head: Head) -> None:
        """Write a checkpoint under a temporary name, then give it its own."""
        partial = self.path / f".step-{step:06d}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        model.save_pretrained(partial)
        self.tokenizer.save_pretrained(partial)
        head.save(partial)
        final = self.path / f"step-{step:06d}"
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)

    def finish(self) -> None:
        """Say that the series is whole."""
        self._write(complete=True)

    def _write(self, *, complete: bool) -> None:
        partial = self.path / f".{RECORD}.partial"
        text = json.dumps({**self.record, "complete": complete}, indent=2, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(self.path / RECORD)


def is_whole(out: Path, settings: Mapping[str, Any]) -> bool:
    """Whether everything lies there already.

    Raises
    ------
    ValueError
        When the folder holds other things, or a series of other settings.
    """
    file = out / RECORD
    if not file.is_file():
        if out.is_dir() and any(not child.name.startswith(".") for child in out.iterdir()):
            raise ValueError(f"{out}: got a folder with other files; expected a new or empty one")
        return False
    record = json.loads(file.read_text(encoding="utf-8"))
    asked = json.loads(json.dumps(settings))
    differing = [name for name, value in asked.items() if record.get(name) != value]
    if differing:
        raise ValueError(
            f"{out}: got other {', '.join(differing)} than the series that lies there; expected "
            "another folder, or the same settings"
        )
    return bool(record["complete"])
