"""Finding what of a run was harmed since it was written, so that it is made again, and removing
what was never finished.

Nothing that was finished is deleted: what was harmed is kept beside the run under another name.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from neurotrace.concepts import ConceptSet
from neurotrace.road import Road
from neurotrace.runner.leases import hold
from neurotrace.store import check_file, set_aside
from neurotrace.store.match import TWIN
from neurotrace.trajectories import part_files, result_files
from neurotrace.trajectories.parts import FOLDER as SCORES
from neurotrace.trajectories.results import FILE as RESULTS
from neurotrace.visits import FOLDER as CAUSES

Harm = Callable[[Path], str | None]


def repair(road: Road, out: Path) -> list[str]:
    """Set aside what was harmed of a run since it was written, and the results made of it.

    Returns
    -------
    One line for each file.
    """
    told = list(_set_aside(road, out))
    if not told:
        return ["every file is as it was written"]
    if (out / RESULTS).is_file():  # made of what was harmed, or with other settings, perhaps
        told.append(f"{RESULTS} was made with it; it is kept as {set_aside(out / RESULTS).name}")
    for begun in result_files.unfinished(out / RESULTS):
        begun.unlink()
    return told


def sweep(out: Path) -> None:
    """Remove what killed processes left unfinished, once everything of a run is there."""
    for pattern in ("*.partial", ".*.partial", "*.stripping", f"{SCORES}/*.draft"):
        for left in out.glob(pattern):
            left.unlink(missing_ok=True)


def _set_aside(road: Road, out: Path) -> Iterator[str]:
    for file, harm in _judged(road, out):
        if not file.is_file():
            continue
        with hold(file):
            why = harm(file) if file.is_file() else None
            if why is not None:
                place = file.relative_to(out).as_posix()
                yield f"{place} {why}; it is kept as {set_aside(file).name}"


def _judged(road: Road, out: Path) -> Iterator[tuple[Path, Harm]]:
    """Every file of a run, and what tells whether it was harmed."""
    yield out / "trace.json", _harm_of_settings
    if road.captured is None:
        yield out / "concepts.jsonl", lambda file: _harm_of_sentences(file, road)
        for file in [*sorted(out.glob("[0-9]*_*.h5")), out / TWIN]:
            yield file, check_file
    for file in sorted((out / SCORES).rglob("*.h5")):
        yield file, part_files.harm
    for file in [*sorted((out / CAUSES).glob("*.h5")), out / RESULTS]:
        yield file, result_files.harm


def _harm_of_settings(file: Path) -> str | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))["config"]
    except (ValueError, KeyError, TypeError):
        kept = None
    return None if isinstance(kept, dict) else "is damaged"


def _harm_of_sentences(file: Path, road: Road) -> str | None:
    try:
        found = ConceptSet.load(file).digest
    except ValueError:
        return "is damaged"
    return None if found == road.concepts.digest else "has other sentences than the source"
