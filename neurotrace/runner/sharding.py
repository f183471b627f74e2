"""A worker's share of a list, told by a number or by SLURM's array variables."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

Item = TypeVar("Item")

ARRAY = "SLURM_ARRAY_TASK_"


def shard(items: Iterable[Item], which: str) -> list[Item]:
    """The items of one worker of several: every n-th, so that early and late ones are shared out.

    Parameters
    ----------
    which
        ``"i/n"``: the i-th of n shares, 0 ≤ i < n; item j belongs to share j modulo n. ``"auto"``:
        read from the variables of SLURM's array job: any array with regular ids works.

    Raises
    ------
    ValueError
        For anything else, and for ``"auto"`` outside an array job.

    >>> shard(["a", "b", "c", "d", "e"], "1/2")
    ['b', 'd']
    """
    index, n = _from_array(os.environ) if which == "auto" else _told(which)
    return list(items)[index::n]


def _told(which: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", which)
    if match is None:
        raise ValueError(f"got shard {which!r}; expected i/n such as 0/8, or auto")
    index, n = int(match[1]), int(match[2])
    if not index < n:
        raise ValueError(
            f"got shard {which!r}; shares count from 0: valid are 0/{n} to {n - 1}/{n}"
        )
    return index, n


def _from_array(environment: Mapping[str, str]) -> tuple[int, int]:
    """Place among the ids of an array, and how many they are."""
    names = [ARRAY + part for part in ("ID", "MIN", "MAX", "STEP", "COUNT")]
    missing = [name for name in names if not environment.get(name, "").isdigit()]
    if missing:
        raise ValueError(
            f"got shard 'auto' without {', '.join(missing)}; expected a SLURM array job "
            "(sbatch --array=0-7), or i/n such as 0/8"
        )
    task, first, last, step, n = (int(environment[name]) for name in names)
    if step < 1 or first + step * (n - 1) != last or (task - first) % step:
        raise ValueError(
            f"got {n} array ids from {first} to {last} in steps of {step}, which are no regular "
            "row; expected such as --array=0-7, or --shard i/n"
        )
    return (task - first) // step, n
