"""The configuration of a trace, saved beside what it made.

A folder that was begun with another one is refused.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from neurotrace.config import TraceConfig

# Settings of one call of many, which say nothing of the run.
UNTOLD = frozenset(
    ("out", "config", "dry_run", "executor", "workers", "executor_options", "shard", "repair",
     "print_sbatch")
)  # fmt: skip
# Settings that decide where and how it runs, not what comes out; sentences count by digest.
RUNTIME = UNTOLD | frozenset(
    ("source", "device", "device_map", "batch_tokens", "concepts", "figures", "cache_budget")
)
# No captured value depends on these.
ANALYSIS = frozenset(
    ("score", "top", "splits", "allow", "causes", "force", "strata", "distances", "dictionary",
     "clusters", "tune", "tune_texts", "tune_steps")
)  # fmt: skip


def read_config(file: str) -> TraceConfig:
    """The configuration of an earlier trace.

    Raises
    ------
    ValueError
        When the file is no trace.json, or names settings that do not exist.
    """
    try:
        saved = json.loads(Path(file).read_text(encoding="utf-8"))["config"]
    except (ValueError, KeyError, TypeError, IsADirectoryError):
        raise ValueError(
            f"got config {file!r}; expected a trace.json that neurotrace wrote"
        ) from None
    valid = {f.name for f in fields(TraceConfig)}
    unknown = sorted(set(saved) - valid)
    if unknown:
        raise ValueError(f"got settings {', '.join(unknown)}; valid are {', '.join(sorted(valid))}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()}
    return TraceConfig(**values)


def save_config(config: TraceConfig, out: Path, facts: Mapping[str, Any]) -> None:
    """Write RUN/trace.json, or refuse a folder in which other settings made something.

    Once results are finished every setting must be the same; while there are captured files only,
    those settings that capture depends on; before that, none. Results that are begun but not
    finished are dropped when a setting changes.

    Parameters
    ----------
    facts
        What was found for this configuration (series, weights, digest of the sentences, package
        versions). Versions are recorded, never compared.

    Raises
    ------
    ValueError
        Naming the settings that differ, or when ``out`` is no folder.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"got out {str(out)!r}, a file; expected a folder, new or a run's own")
    kept = {k: v for k, v in asdict(config).items() if k not in UNTOLD - {"out"}}
    saved = json.loads(json.dumps({"format": 1, "config": kept, **facts}))
    file = out / "trace.json"
    differing = dict(_differences(_saved(file), saved)) if file.is_file() else {}
    finished, captured = (out / "results.h5").is_file(), any(out.glob("*.h5*"))
    binding = {n: d for n, d in differing.items() if finished or (captured and n not in ANALYSIS)}
    if binding:
        raise ValueError(
            f"got folder {out.name}, begun with another trace: {', '.join(binding.values())}; "
            "expected another --out, or the same settings"
        )
    if file.is_file() and not differing:
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.h5.partial").unlink(missing_ok=True)
    for made in ("causes", "interventions", "tuning"):  # by other settings
        shutil.rmtree(out / made, ignore_errors=True)
    partial = out / ".trace.json.partial"
    partial.write_text(json.dumps(saved, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(file)


def _saved(file: Path) -> Mapping[str, Any]:
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        return saved if saved["config"] is not None else {}
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"got a damaged {file.name} in {file.parent.name}") from None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and wording of each setting or fact that is not what it was."""
    # What an older version did not know had its default.
    defaults = json.loads(json.dumps(asdict(TraceConfig())))
    for name, new in now["config"].items():
        old = before["config"].get(name, defaults[name])
        if name not in RUNTIME and old != new:
            yield name, f"{name} (was {old!r:.60}, now {new!r:.60})"
    for name in ("concepts_digest", "series"):
        if before.get(name) != now[name]:
            yield name, f"{name} (was {before.get(name)!r:.60}, now {now[name]!r:.60})"
    for label, new in now["weights"].items():
        if before.get("weights", {}).get(label, new) != new:
            yield f"weights of {label}", f"{label} has other weights than before"
