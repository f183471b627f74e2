"""The road read aloud: find the checkpoints, capture, score, trace, show.

``python -m neurotrace.trace --source CHECKPOINTS --out RUN`` does the whole job. It knows what
follows what, and leaves every *how* to the rooms below.
"""

import gc
import shutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from neurotrace.config import TraceConfig
from neurotrace.config_file import UNTOLD, at_work, read_config, save_config
from neurotrace.endings import ending_tidily, how_to_go_on, told
from neurotrace.road import PACKAGES, Road, SharesLeft, facts, plan, prepare, source_name
from neurotrace.runner.lease_files import FOLDER as LEASES
from neurotrace.runner.leases import hold, holder
from neurotrace.runner.outcome import short_of_memory

if TYPE_CHECKING:
    import xarray as xr

    from neurotrace.report import Provenance
    from neurotrace.runner.leases import Lease
    from neurotrace.store import ActivationStore

RESULTS = "results.h5"
MEMORY = "try fewer --workers or a smaller --batch-tokens"

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
    from neurotrace import mending, report, stages, trajectories

    road = prepare(config)
    out = Path(config.out)
    stages.place(road.config, out).check()
    stages.share(road)  # refused before anything is written
    mends = config.repair and out.is_dir()
    mended = mending.settings(out) if mends else []
    sys.stderr.writelines(f"{line}\n" for line in mended)
    # Other settings are refused before anything else is set aside for them.
    save_config(road.config, out, facts(road))
    if mends:
        lines = mending.repair(road, out) or ([] if mended else [mending.WHOLE])
        sys.stderr.writelines(f"{line}\n" for line in lines)
    if not _finished(out):
        with at_work(road.config, out, facts(road)):
            _announce(road)
            _made(road, out)
    _clear(out)
    if config.figures:
        report.figures(trajectories.read(out), out / "figures", formats=config.figures)
    return out / report.FILE


def _made(road: Road, out: Path) -> None:
    """Everything that a run lacks, alone or with others."""
    from neurotrace import stages

    store = stages.captured(road, out)
    if road.config.shard is not None:
        stages.score(road, store, out)
        store = stages.whole(road, out)
    # Others may have come as far: one makes the results, the rest wait for it.
    with hold(out / RESULTS, until=lambda: _finished(out)) as lease:
        if lease is not None:
            with lease.explaining():
                _conclude(road, store, out, lease)


def _conclude(road: Road, store: "ActivationStore", out: Path, lease: "Lease") -> None:
    """From captured checkpoints to the report."""
    from neurotrace import report, stages, trajectories

    stages.score(road, store, out)
    stages.let_go(road, out, lease)
    stages.visit(road, store, out)
    store = trajectories.attach(store, stages.keeper(road, out))
    results, notes = analyse(road, store, out, lease=lease)
    trajectories.fold(store)
    lease.refuse_if_lost()
    report.write(out, results, provenance(road, store, notes))


def _finished(out: Path) -> bool:
    from neurotrace import report, trajectories

    return trajectories.finished(out) and (out / report.FILE).is_file()


def _clear(out: Path) -> None:
    """Remove a finished run's leases and what killed or woken processes left unfinished; while
    somebody holds a lease yet, that is left to them."""
    from neurotrace import mending

    with suppress(OSError):
        if holder(out) is None:
            mending.sweep(out)
            shutil.rmtree(out / LEASES)


def _announce(road: Road) -> None:
    """What the checkpoints are found to be and cost to bring, before anything is computed."""
    from neurotrace.report import audit_words

    lines = [audit_words.line(road.audit)] if road.audit is not None else []
    if any(checkpoint.remote for checkpoint in road.series):
        lines.append(str(road.shelf.price(road.series)))
    print("\n".join([*lines, *road.notes]), file=sys.stderr)


def analyse(
    road: Road, store: "ActivationStore", out: Path, *, lease: "Lease | None" = None
) -> "tuple[dict[str, xr.Dataset], list[str]]":
    """Compute every result that is asked for, and say what cannot be.

    What an earlier call finished is read back.

    Parameters
    ----------
    lease
        The right to make them, where others may want to.
    """
    from rich.console import Console
    from threadpoolctl import threadpool_limits

    from neurotrace import causes, spaces, stages, trajectories
    from neurotrace.capture.devices import trim

    config, console = road.config, Console(stderr=True)
    results = trajectories.Results(out, lease=lease)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        scoring = asdict(stages.scoring_of(config))
        wanted = trajectories.tasks(store, results.__getitem__, **scoring)
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
    config = {k: v for k, v in asdict(road.config).items() if k not in UNTOLD}
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
    with ending_tidily():
        return _answered(arguments)


def _answered(arguments: Sequence[str]) -> int:
    out, interrupted = Path(), False
    try:
        from neurotrace.stages import job_script

        config = parse(arguments)
        out = Path(config.out)
        if config.print_sbatch:
            print(job_script(config, arguments))
        elif config.dry_run:
            print(plan(config))
        else:
            _show(run(config).parent)
    except KeyboardInterrupt:
        interrupted = True
    except SharesLeft as left:
        print(left, file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name is not None:  # ours name an extra; this is a broken installation
            raise
        return _say(str(error), 2)
    except (OSError, ValueError) as error:
        return _say(*told(error, out))
    except (MemoryError, RuntimeError) as error:
        if not short_of_memory(error):
            raise
        return _say(f"out of memory ({error}); {MEMORY}; {how_to_go_on(out, arguments)}", 1)
    if interrupted:
        gc.collect()  # what was just being read or written is closed before the files are looked at
        return _say(f"interrupted; {how_to_go_on(out, arguments)}", 1)
    return 0


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
