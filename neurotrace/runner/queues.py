"""Where jobs wait: SLURM's queue, asked with ``squeue``, and submitit's local stand-in.

There is no look at ``sacct``: many clusters keep no accounts, and what a scheduler remembers of
a job says less than the job's result file.
"""

import contextlib
import getpass
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from neurotrace.runner.outcome import say
from neurotrace.runner.sbatch import OURS, RESTARTS, exports, minutes, named
from neurotrace.runner.surroundings import cores

EXTRA = "pip install 'neurotrace[slurm]'"
USUAL_TIME = "24:00:00"
CLUSTERS = ("slurm", "local")
PATIENCE = "60"  # seconds: as long as a network file system may hide a new file
LARGEST_ARRAY = 1000  # SLURM's usual MaxArraySize, less one
WAIT_ON = {"None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime"}
NEVER = ("PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints", "InvalidAccount")


class Queue(Protocol):
    """Takes jobs, says which are still there, and throws them out."""

    folder: Path  # for files that jobs read and write
    together: int  # jobs that may be submitted at once
    interval: float  # seconds between looks at the queue

    def submit(self, function: Any, items: Sequence[Any]) -> list[Any]:
        """One job an item."""

    def present(self, jobs: Iterable[Any]) -> set[str]:
        """Ids of those that wait or run."""

    def cancel(self, jobs: Iterable[Any], *, waiting_only: bool) -> None:
        """Take jobs out of the queue."""


def queue_of(options: Mapping[str, str], workers: int | None) -> Queue:
    """The queue that options name.

    Raises
    ------
    ModuleNotFoundError, ValueError
        As :func:`checked`.
    FileNotFoundError
        Where SLURM's commands are not found.
    """
    told = checked(options)
    folder = Path(told.get("folder", ".neurotrace-slurm"))
    folder.mkdir(parents=True, exist_ok=True)
    if told.get("cluster") == "local":
        return Here(folder, workers)
    return Slurm(folder, workers, told)


def checked(options: Mapping[str, str]) -> dict[str, str]:
    """Options under the names that ``sbatch`` has for them.

    Raises
    ------
    ModuleNotFoundError
        Without submitit; it names the extra.
    ValueError
        For a cluster that is neither ``slurm`` nor ``local``, and for what is no option.
    """
    try:
        import submitit  # noqa: F401
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"got no submitit; expected it for executor 'slurm': {EXTRA}"
        ) from None
    told = named(options)
    if told.get("cluster", CLUSTERS[0]) not in CLUSTERS:
        raise ValueError(f"got cluster {told['cluster']!r}; valid are {' and '.join(CLUSTERS)}")
    minutes(told.get("time", USUAL_TIME))
    patience_of(told)
    return told


def patience_of(options: Mapping[str, str]) -> float:
    """Seconds a job may be out of the queue without a result."""
    told = options.get("patience", PATIENCE)
    try:
        return float(told)
    except ValueError:
        raise ValueError(f"got patience {told!r}; expected seconds, such as {PATIENCE}") from None


class Slurm:
    """An array of jobs."""

    together = LARGEST_ARRAY
    interval = 10.0

    def __init__(self, folder: Path, workers: int | None, told: Mapping[str, str]) -> None:
        import submitit

        self.folder = folder
        try:
            self._executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=RESTARTS)
        except RuntimeError:
            raise FileNotFoundError(
                "got no srun on the search path; expected SLURM's commands: submit from a login "
                "node of the cluster, or try without one with the option cluster=local"
            ) from None
        asked: dict[str, Any] = {
            name: value or True for name, value in told.items() if name not in OURS
        }
        asked.setdefault("time", _usual_time(told.get("partition", "")))
        self._executor.update_parameters(
            job_name="neurotrace",
            time=minutes(asked["time"]),
            array_parallelism=workers or LARGEST_ARRAY,
            signal_delay_s=120,
            setup=exports(),
            wckey=None,
            additional_parameters={"requeue": True, **asked},
        )
        self._explained: set[str] = set()

    def submit(self, function: Any, items: Sequence[Any]) -> list[Any]:
        """An array, or for a single item a job."""
        from submitit.core.utils import FailedJobError

        try:
            jobs: list[Any] = self._executor.map_array(function, items)
        except FailedJobError as error:
            said = " ".join(str(error).split())
            raise OSError(f"got from sbatch: {said}; expected it to take the job") from error
        return jobs

    def present(self, jobs: Iterable[Any]) -> set[str]:
        """Ids of those in the queue; all of them where it does not answer."""
        ids = {job.job_id for job in jobs}
        command = ["squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i|%t|%r"]
        try:
            told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            return ids  # a busy controller is no sign that a job has ended
        rows = [row.strip().split("|", 2) for row in told.stdout.splitlines() if row.count("|") > 1]
        mine = [row for row in rows if row[0] in ids]
        self._explain({reason for _, state, reason in mine if state == "PD"})
        return {row[0] for row in mine}

    def _explain(self, reasons: set[str]) -> None:
        """Say once why jobs wait, where waiting alone may not help; refuse where it cannot."""
        for reason in reasons & set(NEVER):
            raise OSError(
                f"got jobs that SLURM will never start ({reason}); expected options within the "
                "limits of the partition, such as a shorter time"
            )
        for reason in sorted(reasons - WAIT_ON - self._explained):
            self._explained.add(reason)
            say(f"jobs wait in SLURM's queue because of {reason}")

    def cancel(self, jobs: Iterable[Any], *, waiting_only: bool) -> None:
        """Call ``scancel`` once for all."""
        ids = [job.job_id for job in jobs]
        if ids:
            only = ["--state=PENDING"] if waiting_only else []
            command = ["scancel", "--quiet", *only, *ids]
            with contextlib.suppress(subprocess.TimeoutExpired):  # there may be an error to raise
                subprocess.run(command, check=False, timeout=120)


def _usual_time(partition: str) -> str:
    """The time limit SLURM itself would choose, which submitit wants to be told."""
    asked = ["--partition", partition] if partition else []
    command = ["sinfo", "-h", *asked, "-o", "%P|%L|%l"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    rows = [row.strip().split("|") for row in told.splitlines() if row.count("|") == 2]
    for name, usual, longest in rows:
        if partition or name.endswith("*"):
            limits = [limit for limit in (usual, longest) if limit not in ("n/a", "infinite")]
            return limits[0] if limits else USUAL_TIME
    return USUAL_TIME


class Here:
    """Submitit's jobs as processes of this machine: to try a command without a cluster."""

    interval = 0.2

    def __init__(self, folder: Path, workers: int | None) -> None:
        import submitit

        self.folder = folder
        self.together = workers or cores()
        self._executor = submitit.LocalExecutor(folder=folder)
        self._executor.update_parameters(timeout_min=minutes(USUAL_TIME))

    def submit(self, function: Any, items: Sequence[Any]) -> list[Any]:
        """A process an item."""
        jobs: list[Any] = self._executor.map_array(function, items)
        return jobs

    def present(self, jobs: Iterable[Any]) -> set[str]:
        """Ids of those that run."""
        return {job.job_id for job in jobs if not job.done()}

    def cancel(self, jobs: Iterable[Any], *, waiting_only: bool) -> None:
        """End the processes; none of them waits."""
        for job in jobs if not waiting_only else ():
            job.cancel(check=False)
