"""One call over a list of items, at any of four places.

All places give the same values in the same order, and all treat trouble alike: an exception ends
the work once what is running has ended; a worker that vanished loses nothing, since its item is
tried again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from neurotrace.runner.outcome import noted

Item = TypeVar("Item")
Value = TypeVar("Value")

EXECUTORS = ("serial", "processes", "slurm", "ray")
ELSEWHERE = ("slurm", "ray")  # on machines that may have what this one has not


@dataclass(frozen=True)
class Executor:
    """Where items are worked on, and how many at once.

    Parameters
    ----------
    kind
        ``"serial"``: here, one after the other. ``"processes"``: fresh Python processes on this
        machine, one BLAS thread and one GPU each. ``"slurm"``: an array of jobs (extra
        ``slurm``). ``"ray"``: tasks on a Ray cluster (extra ``ray``).
    workers
        Items worked on at once. None: one a GPU where there are any, else one a core; on SLURM
        and Ray as many as the cluster takes.
    options
        For ``"slurm"``: ``folder`` (of pickles and logs, on a disk that all nodes see),
        ``cluster`` (``slurm``, or ``local`` to try without one), ``patience`` (seconds a job may
        be out of the queue without a result before it is submitted again), and every option of
        ``sbatch``, such as ``partition``, ``time``, ``mem``, ``gpus``. For ``"ray"``: ``address``
        (of a running cluster; without it one is started on this machine), ``gpus`` (a task).

    Raises
    ------
    ValueError
        For a kind that is not offered, fewer than one worker, or options where none are read.

    >>> Executor("processes", workers=4).workers
    4
    """

    kind: str = "serial"
    workers: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in EXECUTORS:
            raise ValueError(f"got executor {self.kind!r}; valid are {', '.join(EXECUTORS)}")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"got {self.workers} workers; expected at least 1")
        if self.options and self.kind in ("serial", "processes"):
            raise ValueError(
                f"got options {', '.join(self.options)} for executor {self.kind!r}, which reads "
                "none; valid are those of slurm and ray"
            )

    def check(self) -> None:
        """Refuse now what :func:`map_each` would refuse later.

        Raises
        ------
        ModuleNotFoundError
            Without the extra that it needs, naming it.
        ValueError
            For an option that nobody reads.
        """
        if self.kind == "slurm":
            from neurotrace.runner import queues

            queues.checked(self.options)
        elif self.kind == "ray":
            from neurotrace.runner import on_ray

            on_ray.checked(self)


def map_each(
    fn: Callable[[Item], Value], items: Iterable[Item], *, executor: str | Executor = "serial"
) -> list[Value]:
    """Apply ``fn`` to each item and return the values in the order of the items.

    An exception is re-raised unchanged with a note naming its item, after what was running has
    ended; nothing new is begun. A worker that was killed costs no more than its time: its item is
    tried again alone, when the others are done.

    Parameters
    ----------
    fn
        Where it runs elsewhere, it and the items are pickled (closures, too): hand over paths,
        not arrays.
    executor
        Where to run: a kind, or an :class:`Executor` with workers and options.

    Raises
    ------
    ValueError
        For an executor that is not offered.
    WorkerLost
        When the worker of an item vanished, and again when nothing ran beside it.
    ModuleNotFoundError
        For a place whose extra is not installed; it names the extra.

    >>> map_each(abs, [-1, 2])
    [1, 2]
    """
    where = Executor(executor) if isinstance(executor, str) else executor
    listed = list(items)
    if where.kind == "serial" or not listed:
        return [noted(fn, item) for item in listed]
    if where.kind == "slurm":
        from neurotrace.runner.slurm import on_slurm

        return on_slurm(fn, listed, where)
    if where.kind == "ray":
        from neurotrace.runner.on_ray import on_ray

        return on_ray(fn, listed, where)
    from neurotrace.runner.processes import in_processes

    return in_processes(fn, listed, workers=where.workers)
