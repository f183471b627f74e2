"""The road read aloud: find the checkpoints, capture, score, trace, show.

``python -m neurotrace.trace --source CHECKPOINTS --out RUN`` does the whole job. It knows what
follows what, and leaves every *how* to the rooms below.
"""

import errno
import fcntl
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from neurotrace.config import CAUSES, SPACES, TraceConfig
from neurotrace.config_file import read_config, save_config
from neurotrace.road import PACKAGES, Road, capture_options, facts, plan, prepare, source_name

if TYPE_CHECKING:
    import xarray as xr

    from neurotrace.report import Provenance
    from neurotrace.store import ActivationStore

UNUSABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
LOCK = ".trace.lock"

USAGE = """\
neurotrace shows when, in pre-training, neurons stop belonging to a language and start belonging
to a meaning. It needs a series of checkpoints and sentences that share concepts across languages.

Try it on the offline lab, about a minute of pre-training on one core:
  python -m neurotrace.lab --preset default --seed 0 --out runs/lab
  python -m neurotrace.trace --source runs/lab --out runs/trace

On your own checkpoints:
  python -m neurotrace.trace --source CHECKPOINTS --concepts everyday --out RUN
  python -m neurotrace.trace --source CHECKPOINTS --concepts SENTENCES.tsv --out RUN --dry-run

All options: python -m neurotrace.trace --help"""


def run(config: TraceConfig) -> Path:
    """Trace a series of checkpoints and return the path of the report.

    Raises
    ------
    ValueError, FileNotFoundError
        For input that is wrong, in one line; nothing on disk is lost.
    """
    from neurotrace import capture, report, trajectories

    road = prepare(config)
    out = Path(config.out)
    save_config(road.config, out, facts(road))
    with _alone(out):
        if not (trajectories.finished(out) and (out / report.FILE).is_file()):
            _announce(road)
            store = (
                capture.run(road.series, road.concepts, out, **capture_options(road))
                if road.captured is None
                else road.captured.store
            )
            results, notes = analyse(road, store, out)
            report.write(out, results, provenance(road, store, notes))
        if config.figures:
            report.figures(trajectories.read(out), out / "figures", formats=config.figures)
        return out / report.FILE


def _announce(road: Road) -> None:
    """What the checkpoints are found to be and cost to bring, before anything is computed."""
    from neurotrace.report import audit_words

    lines = [audit_words.line(road.audit)] if road.audit is not None else []
    if any(checkpoint.remote for checkpoint in road.series):
        lines.append(str(road.shelf.price(road.series)))
    print("\n".join([*lines, *road.notes]), file=sys.stderr)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second trace out of the folder for as long as this one works in it."""
    with (out / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"got folder {out.name}, in which another trace is at work") from None
        yield


def analyse(
    road: Road, store: "ActivationStore", out: Path
) -> "tuple[dict[str, xr.Dataset], list[str]]":
    """Compute every result that is asked for, and say what cannot be.

    What an earlier call finished is read back.
    """
    from rich.console import Console
    from threadpoolctl import threadpool_limits

    from neurotrace import causes, spaces, trajectories
    from neurotrace.capture.devices import trim

    config, results, console = road.config, trajectories.Results(out), Console(stderr=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        wanted = trajectories.tasks(
            store,
            results.__getitem__,
            analyses=[name for name in config.analyses if name not in (*CAUSES, *SPACES)],
            path=config.path,
            rotated=config.rotated_paths,
            score=config.score,
            top=config.expert_size,
            n_splits=config.splits,
            seed=config.seed,
        )
        wanted += spaces.tasks(road, store, results.__getitem__)
        wanted += causes.tasks(road, store, results.__getitem__)
    notes = [*road.notes, *(str(warning.message) for warning in caught)]
    for note in notes:
        console.print(note, markup=False, highlight=False)
    # Small products gain nothing from threads, and threads that wait for cores lose much.
    with threadpool_limits(1, user_api="blas"), console.status("") as status:
        for number, (name, compute) in enumerate(wanted, 1):
            status.update(f"analysis {number} of {len(wanted)}: {name}")
            if not console.is_terminal and name not in results:
                console.print(f"analysis {number} of {len(wanted)}: {name}")
            results.get(name, compute)
            trim()
    return results.finish(), notes


def provenance(road: Road, store: "ActivationStore", notes: Sequence[str] = ()) -> "Provenance":
    """What the report says of where its numbers come from; no time, host or machine path."""
    config = {k: v for k, v in asdict(road.config).items() if k not in ("out", "config", "dry_run")}
    config |= {"source": source_name(road.config)}
    # What read the model may not be what was asked for: some families have no bridge.
    first = store.checkpoints.iloc[0]
    header = store.header((int(first["stage"]), int(first["step"])))
    config |= {name: header[name] for name in ("backend", "stack") if name in header}
    if road.config.concepts:
        config["concepts"] = Path(road.config.concepts).name
    table = store.checkpoints.drop(columns=["file"], errors="ignore")
    return {
        "config": config,
        "versions": {name: version(name) for name in PACKAGES},
        "model": road.series[0].model,
        "concepts": {
            "name": road.concepts.name,
            "digest": road.concepts.digest,
            "sentences": len(road.concepts),
            "groups": int(road.concepts.frame["group"].nunique()),
            "concepts": len(road.concepts.concepts),
            "languages": road.concepts.languages,
        },
        "checkpoints": table.assign(label=[c.label for c in road.series]),
        "audit": road.audit,
        "notes": [*road.concepts.notes, *_of_units(road.config.site), *notes],
    }


def _of_units(site: str) -> list[str]:
    """What the page means by a neuron, where that is none."""
    from neurotrace.capture.sites import LINEAR_SITES

    meaning = LINEAR_SITES.get(site)
    if meaning is None:
        return []
    return [f"what is called a neuron here is one output of a linear map ({site}: {meaning})"]


def parse(arguments: Sequence[str]) -> TraceConfig:
    """The configuration that a command line asks for; --config gives the defaults."""
    import tyro

    default = TraceConfig()
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if flag == "--config" or flag.startswith("--config="):
            default = read_config(flag.partition("=")[2] or value)
    return tyro.cli(
        TraceConfig,
        args=arguments,
        default=default,
        prog="python -m neurotrace.trace",
        description=USAGE,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 2 the input is wrong, 1 anything else."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments:
        print(USAGE)
        return 0
    try:
        config = parse(arguments)
        if config.dry_run:
            print(plan(config))
        else:
            _show(run(config).parent)
    except KeyboardInterrupt:
        return _say("interrupted; what is done is kept, and the same command resumes", 1)
    except (OSError, ValueError) as error:
        return _say(*_told(error))
    return 0


def _told(error: OSError | ValueError) -> tuple[str, int]:
    """One line and the exit code for an error that is not ours."""
    if isinstance(error, OSError) and error.errno in UNUSABLE:
        return f"{error.strerror}: {error.filename}", 2
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return f"{error} (what is written is kept; the same command resumes)", 1
    return str(error), 2


def _show(out: Path) -> None:
    """The findings and the headline table, then where the whole of it lies."""
    from rich.console import Console

    from neurotrace import report, trajectories

    console = Console()
    console.print(report.terminal(trajectories.read(out), width=console.width))
    console.print(f"{out / 'report.html'}", soft_wrap=True)


def _say(line: str, code: int) -> int:
    print(f"neurotrace: {' '.join(line.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
