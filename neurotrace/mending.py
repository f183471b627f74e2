"""Finding what of a run was harmed since it was written, so that it is made again, and removing
what was never finished.

Nothing that was finished is deleted: what was harmed is kept beside the run under another name.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from neurotrace.concepts import ConceptSet
from neurotrace.road import Road
from neurotrace.runner.leases import hold
from neurotrace.stages import Scorer
from neurotrace.store import check_file, set_aside
from neurotrace.store.match import TWIN, kept_of, read_header
from neurotrace.trajectories import part_files, result_files
from neurotrace.trajectories.parts import FOLDER as SCORES
from neurotrace.trajectories.result_files import guard
from neurotrace.trajectories.results import FILE as RESULTS
from neurotrace.visits import FOLDER as CAUSES

Harm = Callable[[Path], str | None]
SETTINGS = "trace.json"
WHOLE = "every file is as it was written"


def settings(out: Path) -> list[str]:
    """Set aside a run's settings where they were harmed; they are judged before all else, since
    only they can say whether a repair is of this run.

    Returns
    -------
    A line that says so, or nothing.
    """
    return list(_set_aside(out, [(out / SETTINGS, _harm_of_settings)]))


def repair(road: Road, out: Path) -> list[str]:
    """Set aside what was harmed of a run since it was written, and the results made of it.

    Where scores were harmed and the activations they were made of were not kept, the checkpoint is
    set aside, too, so that it is captured and scored again. Results that others are making are
    waited for.

    Returns
    -------
    One line for each file.
    """
    results = out / RESULTS
    with hold(results):
        told = [*_set_aside(out, _of_captures(road, out)), *_unscored(road, out)]
        told += _set_aside(out, ((file, result_files.harm) for file in _of_experiments(out)))
        why = result_files.harm(results) if results.is_file() else None
        if why is not None or (told and results.is_file()):
            was = why or "was made with it"
            told.append(f"{RESULTS} {was}; it is kept as {set_aside(results).name}")
        if told:
            for begun in result_files.unfinished(results):
                begun.unlink(missing_ok=True)
    return told


def sweep(out: Path) -> None:
    """Remove what killed processes left unfinished, once everything of a run is there."""
    unfinished = ("*.partial", ".*.partial", "*.stripping", f"{CAUSES}/*.partial")
    for pattern in (*unfinished, f"{SCORES}/*.draft", f"{SCORES}/*/*.draft"):
        for left in out.glob(pattern):
            left.unlink(missing_ok=True)


def _set_aside(out: Path, judged: Iterable[tuple[Path, Harm]]) -> Iterator[str]:
    for file, harm in judged:
        if not file.is_file():
            continue
        with hold(guard(out, file)):
            why = harm(file) if file.is_file() else None
            if why is not None:
                yield f"{_place(out, file)} {why}; it is kept as {set_aside(file).name}"


def _of_captures(road: Road, out: Path) -> Iterator[tuple[Path, Harm]]:
    """The sentences and the activations of a run, and what tells whether they were harmed."""
    if road.captured is None:
        yield out / "concepts.jsonl", lambda file: _harm_of_sentences(file, road)
        for file in [*sorted(out.glob("[0-9]*_*.h5")), out / TWIN]:
            yield file, check_file


def _of_experiments(out: Path) -> list[Path]:
    return sorted((out / CAUSES).glob("*.h5"))


def _unscored(road: Road, out: Path) -> Iterator[str]:
    """Scores that were harmed, and checkpoints that cannot be scored as they are."""
    for file in sorted((out / SCORES).rglob("*.h5")):
        with hold(guard(out, file)):
            why = part_files.harm(file) if file.is_file() else None
            if why is None:
                continue
            # First, so that whoever is killed in between has not lost sight of it.
            stem = file.relative_to(out / SCORES).parts[0].removesuffix(".h5")
            yield from _captured_again(out / f"{stem}.h5", "was scored and not kept")
            yield f"{_place(out, file)} {why}; it is kept as {set_aside(file).name}"
    if road.captured is not None:
        return
    scorer = Scorer(road, out)
    for file in [*sorted(out.glob("[0-9]*_*.h5")), out / TWIN]:
        with hold(guard(out, out / SCORES / file.name)):
            lost = not any((out / SCORES).glob(f"{file.stem}.h5"))
            lost = lost and not any((out / SCORES / file.stem).glob("*.h5"))
            if lost and _let_go(file) and scorer.asked(file.name):
                yield from _captured_again(file, "was not kept, and its scores are gone")


def _captured_again(file: Path, why: str) -> Iterator[str]:
    """Set a checkpoint aside whose activations were let go."""
    with hold(file):
        if _let_go(file):
            yield f"{file.name} {why}; it is kept as {set_aside(file).name}, and captured again"


def _let_go(file: Path) -> bool:
    return file.is_file() and kept_of(read_header(file)) != "activations"


def _place(out: Path, file: Path) -> str:
    return file.relative_to(out).as_posix()


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
