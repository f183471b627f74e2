"""Scoring a checkpoint by itself: on any machine, in any order, before the series is whole.

A unit is one reading of one checkpoint. What it finds is kept beside the run; when all units of
all checkpoints are done, a trace is computed without any activations.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import xarray as xr

from neurotrace.store import ActivationStore
from neurotrace.store.match import TWIN
from neurotrace.trajectories.analyses import Scoring, table
from neurotrace.trajectories.entries import Entry
from neurotrace.trajectories.lifts import StepKey, step_keys
from neurotrace.trajectories.parts import DONE, Part, attach, attach_twin

Told = Mapping[str, object]


@dataclass(frozen=True)
class Unit:
    """One reading of one checkpoint, to be handed to another process.

    Attributes
    ----------
    run, file
        The folder of the activations and the checkpoint's file in it.
    name
        Of the group of parts.
    scoring
        Settings of all units of a trace.
    last
        Whether it is the last checkpoint of the series.
    keeps
        The run's folder, which keeps the parts.
    """

    run: str
    file: str
    name: str
    scoring: Scoring
    last: bool
    keeps: str

    def __str__(self) -> str:
        return f"{self.name} of {self.file}"


def score_step(
    store: ActivationStore, scoring: Scoring, *, last: bool = True, twin: bool = False
) -> None:
    """Compute and keep all that a trace needs of one checkpoint, and nothing of a series.

    Parameters
    ----------
    store
        Of one checkpoint, with ``store.parts``; see :func:`neurotrace.trajectories.attach`.
    last
        Whether the checkpoint may be the last of its series, whose single neurons are shown.
    twin
        Whether it is the re-initialised twin, of which less is needed.

    Raises
    ------
    ValueError
        For a store of several checkpoints, or one that keeps no parts; for an unknown analysis.
    """
    keep(store, _entries(store, scoring, last), told_of(scoring, last), twin=twin)
    store.parts.fold(step_keys(store)[0])


def units(store: ActivationStore, scoring: Scoring) -> list[Unit]:
    """What is still to be scored of a run, the twin first.

    Parameters
    ----------
    store
        All checkpoints of a run's folder, with ``store.parts``.
    """
    if store.parts is None:
        raise ValueError("got a store of no parts; expected one with parts attached")
    keys, run, keeps = step_keys(store), str(store.path), str(store.parts.folder.parent)
    found: list[Unit] = []
    files = [str(file) for file in store.checkpoints["file"]]
    first = ActivationStore(store.path, [store.path / files[0]])
    if store.twin is not None:
        entries = _entries(store.twin, scoring, True)
        names = pending(store.twin, entries, told_of(scoring, True), twin=True)
        found += [Unit(run, TWIN, name, scoring, True, keeps) for name in names]
    for step, file in zip(keys, files, strict=True):
        last = step == keys[-1]
        told = told_of(scoring, last)
        names = pending(store, _entries(first, scoring, last), told, step=step)
        found += [Unit(run, file, name, scoring, last, keeps) for name in names]
    return found


def undone(
    store: ActivationStore, scoring: Scoring, *, last: bool = True, twin: bool = False
) -> list[str]:
    """Names of the units that :func:`score_step` would still do of a store of one checkpoint."""
    entries = _entries(store, scoring, last)
    return pending(store, entries, told_of(scoring, last), twin=twin)


def compute(unit: Unit) -> None:
    """Do one unit and keep what it finds; nothing, where that was done before."""
    run, keeps, twin = Path(unit.run), Path(unit.keeps), unit.file == TWIN
    if twin:
        store = attach_twin(ActivationStore.open(run / TWIN), keeps)
    else:
        store = attach(ActivationStore(run, [run / unit.file]), keeps)
    told = told_of(unit.scoring, unit.last)
    keep(store, _entries(store, unit.scoring, unit.last), told, twin=twin, only=unit.name)


def fold(store: ActivationStore) -> None:
    """Gather what is kept of each checkpoint in its one file."""
    for own in (store, store.twin):
        if own is not None:
            for step in step_keys(own):
                own.parts.fold(step)


def keep(
    store: ActivationStore,
    entries: Sequence[Entry],
    told: Told,
    *,
    twin: bool = False,
    only: str | None = None,
) -> None:
    """Do the units of a table, or ``only`` one, of the one checkpoint that the table is of.

    Parameters
    ----------
    told
        Settings of the table: a unit is done again where they differ.
    twin
        Whether the table is of the twin.

    Raises
    ------
    ValueError
        For a store of several checkpoints, or one that keeps no parts.
    """
    if store.parts is None or len(store.checkpoints) != 1:
        kept = "no parts" if store.parts is None else f"{len(store.checkpoints)} checkpoints"
        raise ValueError(f"got a store of {kept}; expected one checkpoint's, with parts attached")
    step = step_keys(store)[0]
    for name in _names(entries, twin) if only is None else [only]:

        def run(name: str = name) -> xr.Dataset:
            for entry in entries:
                work = entry.twin if twin else entry.score
                if entry.unit == name and work is not None:
                    work()
            return xr.Dataset()

        store.parts.get(step, _done(name, told), run)


def pending(
    store: ActivationStore,
    entries: Sequence[Entry],
    told: Told,
    *,
    step: StepKey | None = None,
    twin: bool = False,
) -> list[str]:
    """Units of a table that are not done of a checkpoint, the store's first by default."""
    names = {_done(name, told).name: name for name in _names(entries, twin)}
    wanted = [_done(name, told) for name in names.values()]
    at = step_keys(store)[0] if step is None else step
    return [names[part] for part in store.parts.missing(at, wanted)]


def told_of(scoring: Scoring, last: bool) -> Told:
    """What a unit's mark is made with."""
    return json.loads(json.dumps(asdict(scoring))) | {"last": last}


def _entries(store: ActivationStore, scoring: Scoring, last: bool) -> list[Entry]:
    """The table of one checkpoint; what does not apply to it is told when results are computed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return table(store, _nothing, scoring, last=last)


def _names(entries: Sequence[Entry], twin: bool) -> list[str]:
    wanted = (entry for entry in entries if (entry.twin if twin else entry.score) is not None)
    return list(dict.fromkeys(entry.unit for entry in wanted))


def _done(name: str, told: Told) -> Part:
    return Part.of(f"{DONE}{name}", told)


def _nothing(name: str) -> xr.Dataset:
    raise KeyError(f"got {name}, a result of the series; expected what one checkpoint says")
