"""What SLURM is told: options as ``sbatch`` takes them, and a job script ready to submit."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from neurotrace.runner.surroundings import ONE_THREAD

OURS = ("folder", "cluster", "patience")  # read by the executor, unknown to sbatch
WARNING = 120  # seconds before the time limit at which a job goes back to the queue
RESTARTS = 20  # of one job, after which it is left to end


def sbatch_script(
    command: Sequence[str], *, workers: int, options: Mapping[str, str] | None = None
) -> str:
    """A script for ``sbatch``: an array of jobs, each with its share of the work.

    A job that is preempted, or comes near its time limit, goes back to the queue and goes on
    where it stopped. It is to be submitted once, from anywhere; it works where it was written.

    Parameters
    ----------
    command
        Arguments of Python, such as ``["-m", "neurotrace.trace", "--source", …]``; ``--shard
        auto`` is added. Python is the one now running.
    workers
        Jobs in the array.
    options
        Options of ``sbatch`` (``partition``, ``time``, ``mem``, ``gpus``, …), an empty value for
        those that take none; ``folder``, where the logs go. They win over the script's own.

    Raises
    ------
    ValueError
        For fewer than one worker, an empty command, or an option that is no name of one.

    >>> script = sbatch_script(["-m", "work"], workers=8, options={"mem": "16G"})
    >>> "#SBATCH --array=0-7" in script, "#SBATCH --mem=16G" in script
    (True, True)
    """
    if workers < 1:
        raise ValueError(f"got {workers} workers; expected at least 1")
    if not command:
        raise ValueError("got an empty command; expected Python's arguments, such as -m and a name")
    told = named(options or {})
    asked = {
        "job-name": "neurotrace",
        "array": f"0-{workers - 1}",
        "output": str(Path(told.get("folder", "")) / "neurotrace-%A_%a.log"),
        "open-mode": "append",
        "signal": f"B:USR1@{WARNING}",
        "requeue": "",
        **{name: value for name, value in told.items() if name not in OURS},
    }
    run = shlex.join([sys.executable, *command, "--shard", "auto"])
    lines = ["#!/bin/bash", _about(workers)]
    lines += [*(f"#SBATCH {_flag(*pair)}" for pair in asked.items()), ""]
    lines += [*exports(), f"cd {shlex.quote(str(Path.cwd()))}", "", _AGAIN, f"{run} &", _WAIT]
    return "\n".join(lines)


def _about(workers: int) -> str:
    """What whoever opens the script wants to know."""
    return f"""\
# One piece of work, shared out among {workers} job{"s" if workers > 1 else ""} of an array.
#   submit it once     sbatch FILE     (each job's log lies where this was typed)
#   see how it goes    squeue --me
# What a job gets can be changed below, such as --time=12:00:00, --mem=32G, --gpus=1, --partition=…
# Jobs that were preempted or ran out of time go on by themselves. After any other end submit it
# again: what is done stays done."""


# Bash answers a signal only between commands, but in the middle of `wait`.
_AGAIN = f"""\
# Shortly before the time limit the job goes back to the queue; what is done stays done.
again() {{
  if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {RESTARTS} ]; then scontrol requeue "$SLURM_JOB_ID"; fi
}}
trap again USR1
trap 'kill -TERM "$worker" 2>/dev/null' TERM
"""
_WAIT = """\
worker=$!
while kill -0 "$worker" 2>/dev/null; do wait "$worker"; done
wait "$worker"
"""


def without(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """A command line without some of its long options and their values.

    >>> without(["--source", "a", "--workers", "8", "--no-shard", "--out=b"], ["workers", "shard"])
    ['--source', 'a', '--out=b']
    """
    kept, dropped = [], False
    for argument in arguments:
        if argument.startswith("--"):
            name = argument[2:].partition("=")[0].replace("_", "-")
            dropped = name.removeprefix("no-") in names
        kept += [] if dropped else [argument]
    return kept


def exports() -> list[str]:
    """Shell lines that leave each job one thread."""
    return [f"export {name}={value}" for name, value in ONE_THREAD.items()]


def named(options: Mapping[str, str]) -> dict[str, str]:
    """Options under the names ``sbatch`` has for them: dashes, no leading ones."""
    found = {name.lstrip("-").replace("_", "-"): str(value) for name, value in options.items()}
    for name, value in found.items():
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or "\n" in value:
            raise ValueError(
                f"got option {name!r} with value {value!r}; expected a long option of sbatch in "
                f"one line, or one of {', '.join(OURS)}"
            )
    return found


def minutes(time: str) -> int:
    """SLURM's ways to write a time limit, in minutes, rounded up.

    >>> minutes("90"), minutes("1:30:00"), minutes("2-12"), minutes("0:30")
    (90, 90, 3600, 1)
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
    if match is None:
        raise ValueError(
            f"got time {time!r}; expected minutes, h:m:s, m:s, days-hours or days-h:m:s"
        )
    days, *parts = (int(part) if part else None for part in match.groups())
    told = [part for part in parts if part is not None]
    if days is not None:
        hours, mins, secs = [*told, 0, 0][:3]
    else:
        hours, mins, secs = {1: [0, *told, 0], 2: [0, *told], 3: told}[len(told)]
    seconds = ((days or 0) * 24 + hours) * 3600 + mins * 60 + secs
    return -(-seconds // 60)


def _flag(name: str, value: str) -> str:
    return f"--{name}={shlex.quote(value)}" if value else f"--{name}"
