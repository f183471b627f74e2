"""The stages of a trace that many processes can share: checkpoints captured, scored and visited.

What is done is read off the run's files, so that any stage can be left at any time and gone on
with by the same command, on the same machine or another.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neurotrace import spaces, trajectories
from neurotrace.bench import Bench
from neurotrace.checkpoints import Checkpoint
from neurotrace.config import CAUSES, SPACES, TraceConfig
from neurotrace.road import Road, SharesLeft, capture_options
from neurotrace.runner import Executor, map_each, shard
from neurotrace.runner.leases import Lease
from neurotrace.runner.sbatch import sbatch_script, without
from neurotrace.store import ActivationStore, strip
from neurotrace.store.match import TWIN, kept_of, read_header
from neurotrace.trajectories.parts import FOLDER as SCORES
from neurotrace.trajectories.result_files import groups
from neurotrace.trajectories.results import FILE as RESULTS
from neurotrace.trajectories.results import begun
from neurotrace.trajectories.scoring import undone
from neurotrace.visits import Visits

# What a job script says itself; its jobs are not told.
OF_THE_SCRIPT = ("executor", "workers", "executor-options", "shard", "print-sbatch")


def place(config: TraceConfig, out: Path) -> Executor:
    """Where the configuration asks checkpoints to be worked on.

    Raises
    ------
    ValueError
        For options that are not KEY=VALUE, or that nobody reads.
    """
    options = options_of(config)
    if config.executor == "slurm":
        options.setdefault("folder", str(out / ".slurm"))
    return Executor(config.executor, config.workers, options)


def options_of(config: TraceConfig) -> dict[str, str]:
    """The executor's options by name."""
    wrong = [option for option in config.executor_options if "=" not in option]
    if wrong:
        raise ValueError(f"got executor option {wrong[0]!r}; expected KEY=VALUE, such as time=120")
    return dict(option.split("=", 1) for option in config.executor_options)


def job_script(config: TraceConfig, arguments: Sequence[str]) -> str:
    """A script for SLURM that does what a command line asks for, in several jobs."""
    config.check()
    command = ["-m", "neurotrace.trace", *without(arguments, OF_THE_SCRIPT)]
    workers = 1 if config.workers is None else config.workers
    return sbatch_script(command, workers=workers, options=options_of(config))


def scoring_of(config: TraceConfig) -> trajectories.Scoring:
    """What is scored of each checkpoint."""
    return trajectories.Scoring(
        analyses=tuple(name for name in config.analyses if name not in (*CAUSES, *SPACES)),
        path=config.path,
        rotated=tuple(config.rotated_paths),
        score=config.score,
        top=config.expert_size,
        n_splits=config.splits,
        seed=config.seed,
    )


@dataclass(frozen=True)
class SpaceUnit:
    """One reading of one checkpoint's states."""

    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} of {self.file}"


Unit = trajectories.Unit | SpaceUnit


@dataclass(frozen=True)
class Scorer:
    """Scores the checkpoints of a trace, whole or unit by unit; other processes get a copy.

    Attributes
    ----------
    road, out
        The trace and its folder.
    """

    road: Road
    out: Path

    def whole(self, file: Path, lease: Lease | None = None) -> None:
        """Score a checkpoint and let go of what need not be kept; nothing where that was done."""
        keep = self.road.config.keep
        if kept_of(read_header(file)) != "activations":
            return
        store, last, twin = self._store(file.name), self._is_last(file.name), file.name == TWIN
        trajectories.score_step(store, scoring_of(self.road.config), last=last, twin=twin)
        spaces.score_step(self.road, store, last=last, twin=twin)
        trajectories.fold(store)
        # What other checkpoints are held against stays until all of them are scored.
        if keep != "activations" and not twin:
            strip(file, keep, lease=lease)

    def __call__(self, unit: Unit) -> None:
        """Do one unit."""
        if isinstance(unit, trajectories.Unit):
            return trajectories.compute(unit)
        store, last = self._store(unit.file), self._is_last(unit.file)
        spaces.score_step(self.road, store, last=last, twin=unit.file == TWIN, only=unit.name)

    def left(self, store: ActivationStore) -> list[Unit]:
        """Units that are not done, of checkpoints whose activations are there."""
        held = [file for file in self._files(store) if self._held(file)]
        store = trajectories.attach(store, self._keeper)
        found: list[Unit] = list(trajectories.units(store, scoring_of(self.road.config)))
        for file in held:
            last, twin = self._is_last(file), file == TWIN
            names = spaces.pending(self.road, self._store(file), last=last, twin=twin)
            found += [SpaceUnit(file, name) for name in names]
        return [unit for unit in found if unit.file in held]

    def asked(self, file: str) -> list[str]:
        """Units that are asked for of a checkpoint and not done, whether or not they can be."""
        scoring, store = scoring_of(self.road.config), self._store(file)
        last, twin = self._is_last(file), file == TWIN
        return [
            *undone(store, scoring, last=last, twin=twin),
            *spaces.pending(self.road, store, last=last, twin=twin),
        ]

    def _files(self, store: ActivationStore) -> Iterator[str]:
        if store.twin is not None:
            yield TWIN
        yield from (str(file) for file in store.checkpoints["file"])

    def _held(self, file: str) -> bool:
        return kept_of(read_header(self._home / file)) == "activations"

    def _store(self, file: str) -> ActivationStore:
        path = self._home / file
        if file == TWIN:
            return trajectories.attach_twin(ActivationStore.open(path), self._keeper)
        return trajectories.attach(ActivationStore(self._home, [path]), self._keeper)

    @property
    def _keeper(self) -> Path:
        return keeper(self.road, self.out)

    @property
    def _home(self) -> Path:
        """Where the activations lie."""
        captured = self.road.captured
        return self.out if captured is None else captured.store.path

    def _is_last(self, file: str) -> bool:
        return file in (TWIN, _file(self.road, self.road.series[-1]))


@dataclass(frozen=True)
class Visitor:
    """Makes the visits of a trace; other processes get a copy."""

    bench: Bench

    def __call__(self, at: int) -> None:
        Visits(self.bench).make(at)


def captured(road: Road, out: Path) -> ActivationStore:
    """The activations of a run; those that are missing are captured, all or this one's share."""
    from neurotrace import capture

    if road.captured is not None:
        return road.captured.store
    config = road.config
    scored = Scorer(road, out).whole if config.keep != "activations" else None
    own = set(share(road))
    only = [one for one in road.series if _file(road, one) in own]
    if not only and not any((out / _file(road, one)).is_file() for one in road.series):
        # There are more shares than checkpoints, and nothing yet that could be opened.
        raise SharesLeft(_shares_left(road, [one.label for one in road.series]))
    return capture.run(
        road.series,
        road.concepts,
        out,
        executor=place(config, out),
        only=only,
        afterwards=scored,
        **capture_options(road),
    )


def keeper(road: Road, out: Path) -> Path:
    """The folder whose scores are used and added to: a captured run's, where it has some."""
    if road.captured is not None and (road.captured.store.path / SCORES).is_dir():
        return road.captured.store.path
    return out


def share(road: Road) -> list[str]:
    """Files that are this worker's: the twin's and those of all checkpoints, or some of them."""
    files = [*(_file(road, one) for one in road.series), TWIN]
    which = road.config.shard
    return files if which is None else shard(files, which)


def score(road: Road, store: ActivationStore, out: Path) -> None:
    """Score what is not scored yet, all or this one's share; kept in the run's folder."""
    config, scorer = road.config, Scorer(road, out)
    if config.executor == "serial" and config.shard is None:
        return  # results score what they need
    own = set(share(road))
    units = [unit for unit in scorer.left(store) if unit.file in own]
    map_each(scorer, units, executor=place(config, out))
    trajectories.fold(trajectories.attach(store, keeper(road, out)))


def whole(road: Road, out: Path) -> ActivationStore:
    """All activations of a run, once all shares are done.

    Raises
    ------
    SharesLeft
        While something is missing, in one line that says what.
    """
    store = ActivationStore.open(out) if road.captured is None else road.captured.store
    there = {str(file) for file in store.checkpoints["file"]}
    missing = [one.label for one in road.series if _file(road, one) not in there]
    if not missing and (road.captured is not None or store.twin is not None or road.twin is None):
        left = Scorer(road, out).left(store)
        missing = sorted({unit.file.removesuffix(".h5") for unit in left})
    if missing or (road.twin is not None and store.twin is None):
        raise SharesLeft(_shares_left(road, missing))
    return store


def _shares_left(road: Road, missing: list[str]) -> str:
    names = ", ".join([*missing[:3], *(["…"] if len(missing) > 3 else [])]) or "the twin"
    return (
        f"share {road.config.shard} is done; {len(missing) or 1} more to come from others "
        f"({names}); whoever is last makes the results, or the same command without --shard"
    )


def visit(road: Road, store: ActivationStore, out: Path) -> None:
    """Make the visits of all checkpoints elsewhere, where there is an elsewhere."""
    if road.config.executor == "serial" or not store.held(road.config.path):
        return
    bench = Bench(road, store)
    map_each(Visitor(bench), Visits(bench).left(), executor=place(road.config, out))


def let_go(road: Road, out: Path, lease: Lease | None = None) -> None:
    """Drop the twin's activations, too, once nothing is held against them any more.

    The lease is that of the results, which whoever makes them holds.
    """
    if road.config.keep != "activations" and (out / TWIN).is_file():
        strip(out / TWIN, road.config.keep, lease=lease)


def state(out: Path) -> str:
    """How far a run has come, read off its files."""
    captured = len(list(out.glob("[0-9]*_*.h5")))
    # A checkpoint's scores lie in a folder until all of them are there.
    scored = {file.stem for file in (out / SCORES).glob("[0-9]*_*.h5")}
    some = {file.parent.name for file in (out / SCORES).glob("[0-9]*_*/*.h5")} - scored
    made: list[str] = []
    with contextlib.suppress(OSError):  # harmed, or still open in a run that was just interrupted
        made = begun(out) or groups(out / RESULTS)
    parts = [f"{captured} checkpoints captured", f"{len(scored)} scored"]
    parts += [f"{len(some)} being scored"] if some else []
    return ", ".join([*parts, f"{len(made)} results made"])


def _file(road: Road, checkpoint: Checkpoint) -> str:
    from neurotrace.capture.folder import file_name

    if road.captured is not None:  # of which there may be more than are traced
        return str(road.captured.store.checkpoints["file"].iloc[road.series.index(checkpoint)])
    return file_name(road.series.index(checkpoint), checkpoint)
