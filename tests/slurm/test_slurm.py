"""Array jobs on a real SLURM: shares, preemption, time limits, killed jobs.

Run by ``make test-slurm``, which starts the cluster that ``cluster.py`` describes.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neurotrace.runner import Executor, map_each, sbatch_script

pytestmark = pytest.mark.slurm
ALL = "4"  # cores that the cluster counts

COUNT = """
import os, pathlib, sys
from neurotrace.runner import shard
for item in shard(range(11), sys.argv[-1]):
    with pathlib.Path(f"{item}").open("a") as file:
        file.write(os.environ["SLURM_ARRAY_TASK_ID"])
"""

# Counts to 20 in a file, from where the file ends; says by which start of the job. The first
# start never gets beyond 12.
SLOW_COUNT = """
import os, pathlib, time
file = pathlib.Path("counted")
start = os.environ.get("SLURM_RESTART_COUNT", "0")
for number in range(len(file.read_text().split()) if file.exists() else 0, 20):
    with file.open("a") as counted:
        counted.write(f"{number}:{start} ")
    time.sleep(600 if (start, number) == ("0", 12) else 0.02)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(part for part in sys.path if part))


def submitted(script: str, *flags: str) -> str:
    file = Path("job.sh")
    file.write_text(script)
    command = ["sbatch", "--parsable", *flags, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, subprocess.getoutput("squeue; cat *.log")
        time.sleep(0.1)


def queue_is_empty() -> bool:
    return not subprocess.getoutput("squeue -h")


def preempt() -> None:
    """A job that pushes all others aside for a second."""
    command = ["sbatch", "--partition=high", f"--cpus-per-task={ALL}", "--output=/dev/null"]
    subprocess.run([*command, "--wrap=sleep 1"], check=True, capture_output=True)


def test_an_array_of_jobs_shares_out_the_items_and_does_each_once():
    Path("count.py").write_text(COUNT)
    submitted(sbatch_script(["count.py"], workers=4, options={"partition": "low"}))
    until(queue_is_empty)
    told = {item: Path(str(item)).read_text() for item in range(11)}
    assert told == {item: str(item % 4) for item in range(11)}


def test_a_preempted_job_is_queued_again_and_goes_on_where_it_stopped():
    Path("count.py").write_text(SLOW_COUNT)
    options = {"partition": "low", "cpus-per-task": ALL}
    submitted(sbatch_script(["count.py"], workers=1, options=options))
    until(lambda: Path("counted").exists() and "12:0" in Path("counted").read_text())
    preempt()
    until(queue_is_empty)
    entries = [entry.split(":") for entry in Path("counted").read_text().split()]
    assert entries == [[str(number), "0" if number <= 12 else "1"] for number in range(20)]


def test_a_job_warned_of_its_time_limit_is_queued_again_and_goes_on():
    Path("count.py").write_text(SLOW_COUNT)
    job = submitted(sbatch_script(["count.py"], workers=1, options={"partition": "low"}))
    until(lambda: Path("counted").exists() and "12:0" in Path("counted").read_text())
    # The very signal that SLURM sends some time before the limit.
    subprocess.run(["scancel", "--batch", "--signal=USR1", job], check=True)
    until(queue_is_empty)
    entries = [entry.split(":") for entry in Path("counted").read_text().split()]
    assert entries == [[str(number), "0" if number <= 12 else "1"] for number in range(20)]


def cluster_of(workers: int, **options: str) -> Executor:
    usual = {"folder": str(Path.cwd() / "jobs"), "partition": "low", "patience": "2"}
    return Executor("slurm", workers=workers, options={**usual, **options})


def test_map_each_gives_the_values_of_a_loop_from_no_more_jobs_than_asked_for():
    def fn(item: int) -> tuple[int, str, int]:
        time.sleep(0.3)
        running = subprocess.getoutput("squeue -h -r -t R,CG -o %i").split()
        return item * item, os.environ["OMP_NUM_THREADS"], len(running)

    told = map_each(fn, range(5), executor=cluster_of(2))
    assert [(value, threads) for value, threads, _ in told] == [(n * n, "1") for n in range(5)]
    assert max(running for _, _, running in told) <= 2


def test_a_job_killed_without_a_word_is_submitted_again(capsys):
    def fn(item: int) -> int:
        mark = Path(f"mark{item}")
        if item == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert map_each(fn, range(3), executor=cluster_of(3)) == [0, 1, 2]
    assert "1 left the queue without a result" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["preempted", "warned"])
def test_a_job_of_map_each_that_is_preempted_or_warned_starts_again_by_itself(how, capsys):
    def fn(_: int) -> str:
        with Path("starts").open("a") as file:
            file.write("x")
        if len(Path("starts").read_text()) == 1:
            if how == "preempted":
                Path("begun").touch()
            else:
                subprocess.run(["scancel", "--signal=USR2", os.environ["SLURM_JOB_ID"]], check=True)
            time.sleep(600)
        return os.environ.get("SLURM_RESTART_COUNT", "0")

    watcher = subprocess.Popen(
        [sys.executable, "-c", _PREEMPT_WHEN_BEGUN] if how == "preempted" else ["true"]
    )
    # Of a limit below ten minutes submitit takes any warning for the end.
    options = {"cpus-per-task": ALL, "time": "5" if how == "warned" else "60"}
    told = map_each(fn, [0], executor=cluster_of(1, **options))
    watcher.wait()
    assert told == ["1"]
    assert "submitted again" not in capsys.readouterr().err


_PREEMPT_WHEN_BEGUN = f"""
import pathlib, subprocess, time
while not pathlib.Path("begun").exists():
    time.sleep(0.05)
subprocess.run(["sbatch", "--partition=high", "--cpus-per-task={ALL}", "--output=/dev/null",
                "--wrap=sleep 1"], check=True, capture_output=True)
"""


def test_limits_that_no_job_can_meet_are_told_at_once():
    with pytest.raises(OSError, match="PartitionTimeLimit"):
        map_each(abs, [1], executor=cluster_of(1, time="2:00:00"))
    assert queue_is_empty()
    with pytest.raises(OSError, match=r"got from sbatch: .*invalid partition"):
        map_each(abs, [1], executor=cluster_of(1, partition="moon"))
