"""The configuration of a trace, saved beside what it made.

A folder that was begun with another one is refused.
"""

import json
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from neurotrace.config import TraceConfig
from neurotrace.runner.leases import hold, holder, try_hold
from neurotrace.store import set_aside
from neurotrace.store.disk import naming_a_full_disk

FILE = "trace.json"
# Settings of one call of many, which say nothing of the run.
UNTOLD = frozenset(
    ("out", "config", "dry_run", "executor", "workers", "executor_options", "shard", "repair",
     "print_sbatch")
)  # fmt: skip
# Settings that decide where and how it runs, not what comes out; sentences count by digest.
RUNTIME = UNTOLD | frozenset(
    ("source", "device", "device_map", "batch_tokens", "concepts", "figures", "cache_budget")
)
BEGUN = "results.h5*.partial"
BY_SETTINGS = ("causes", "interventions", "tuning")  # folders of what experiments found
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
    finished are dropped when a setting changes, and so is what experiments found; while another
    process is at work in the folder, no setting changes. Where there is no trace.json to compare
    with, results and experiments are kept under another name, as one line each says.

    Parameters
    ----------
    facts
        What was found for this configuration (series, weights, digest of the sentences, package
        versions). Versions are recorded, never compared.

    Raises
    ------
    ValueError
        Naming the settings that differ, for a damaged trace.json, or when ``out`` is no folder.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"got out {str(out)!r}, a file; expected a folder, new or a run's own")
    saved, file = _told(config, facts), out / FILE
    if file.is_file() and not _changed(file, saved):
        return
    out.mkdir(parents=True, exist_ok=True)
    with hold(file):  # two runs may begin at once
        if not file.is_file():
            _keep_apart(file)
            _write(file, saved)
        elif _changed(file, saved):
            _drop(out)
            _write(file, saved)


@contextmanager
def at_work(config: TraceConfig, out: Path, facts: Mapping[str, Any]) -> Iterator[None]:
    """Be known to work in a folder, so that nobody changes its settings meanwhile.

    Raises
    ------
    ValueError
        When somebody has changed them since they were saved.
    """
    file = out / FILE
    with hold(file):
        _changed(file, _told(config, facts), strict=True)
        lease = try_hold(out / f"run-{secrets.token_hex(4)}")
    try:
        yield
    finally:
        if lease is not None:
            lease.release()


def _told(config: TraceConfig, facts: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in asdict(config).items() if k not in UNTOLD - {"out"}}
    found: dict[str, Any] = json.loads(json.dumps({"format": 1, "config": kept, **facts}))
    return found


def _changed(file: Path, saved: Mapping[str, Any], *, strict: bool = False) -> bool:
    """Whether settings changed that may change; refuses those that may not."""
    out = file.parent
    differing = dict(_differences(_saved(file), saved))
    finished, captured = (out / "results.h5").is_file(), any(out.glob("*.h5*"))
    binding = {
        name: how
        for name, how in differing.items()
        if finished or strict or (captured and name not in ANALYSIS)
    }
    if binding:
        raise ValueError(
            f"got folder {out.name}, begun with another trace: {', '.join(binding.values())}; "
            "expected another --out, or the same settings"
        )
    owner = holder(out, but=file) if differing else None
    if owner is not None:
        raise ValueError(
            f"got folder {out.name}, in which {owner} is at work with another trace: "
            f"{', '.join(differing.values())}; expected another --out, or the same settings"
        )
    return bool(differing)


def _keep_apart(file: Path) -> None:
    """Rename what was made with settings that nobody knows any more."""
    out = file.parent
    made = [out / name for name in ("results.h5", *BY_SETTINGS) if (out / name).exists()]
    begun = list(out.glob(BEGUN))
    owner = holder(out, but=file) if made or begun else None
    if owner is not None:
        raise ValueError(
            f"got folder {out.name} without {file.name}, in which {owner} is at work; expected "
            "another --out, or the same command once that one is done"
        )
    for one in made:
        kept = set_aside(one).name
        sys.stderr.write(
            f"{one.name} was made with settings that are not known any more; it is kept as {kept}\n"
        )
    for one in begun:
        one.unlink(missing_ok=True)


def _drop(out: Path) -> None:
    """Remove what other settings had made so far."""
    for begun in out.glob(BEGUN):
        begun.unlink(missing_ok=True)
    for made in BY_SETTINGS:
        shutil.rmtree(out / made, ignore_errors=True)


def _write(file: Path, saved: Mapping[str, Any]) -> None:
    partial = file.parent / ".trace.json.partial"
    with naming_a_full_disk(file):
        partial.write_text(json.dumps(saved, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(file)


def _saved(file: Path) -> Mapping[str, Any]:
    try:
        saved: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(saved["config"], dict):
            raise TypeError
        return saved
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"got a damaged {file.name} in {file.parent.name}; --repair sets it aside, writes it "
            "again, and makes the results again"
        ) from None


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
