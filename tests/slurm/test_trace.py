"""A whole trace on a real SLURM: the script that it prints, submitted as it is."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_lab import CAUSAL, QUICK, assert_same, smaller

from neurotrace.trace import main

pytestmark = pytest.mark.slurm
ALL = "4"  # cores that the cluster counts


@pytest.fixture(scope="module")
def source(tiny_lab, tmp_path_factory) -> Path:
    return smaller(tiny_lab, tmp_path_factory.mktemp("small") / "lab")


@pytest.fixture(scope="module")
def serial(source, tmp_path_factory) -> Path:
    """What no cluster has touched."""
    out = tmp_path_factory.mktemp("serial") / "run"
    assert main(["--source", str(source), "--out", str(out), *CAUSAL]) == 0
    return out


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(part for part in sys.path if part))
    yield
    subprocess.run(["scancel", "--me"], check=False)


def submitted(*arguments: str) -> str:
    """Print a script, submit it, and return the job's number."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([*arguments, "--print-sbatch"]) == 0
    Path("job.sh").write_text(printed.getvalue())
    command = ["sbatch", "--parsable", "job.sh"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def until(true: Callable[[], bool], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, subprocess.getoutput("squeue; cat *.log")
        time.sleep(0.05)


def queue_is_empty() -> bool:
    return not subprocess.getoutput("squeue -h")


def logs() -> str:
    return "".join(file.read_text() for file in sorted(Path().glob("*.log")))


def workers() -> list[int]:
    """The processes of jobs that were submitted from here."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = (folder / "cwd").readlink() == Path.cwd()
            if ours and b"neurotrace.trace" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def test_the_printed_script_is_an_array_that_ends_in_the_report_of_a_serial_run(source, serial):
    submitted(
        *("--source", str(source), "--out", "run", *CAUSAL, "--workers", "2"),
        *("--executor", "slurm", "--executor-options", "partition=low", "time=10"),
    )
    until(queue_is_empty)
    assert Path("run/report.html").is_file(), logs()
    assert_same(Path("run"), serial)
    told = [file.read_text() for file in sorted(Path().glob("neurotrace-*_*.log"))]
    assert len(told) == 2
    assert sum("captured" in text for text in told) == 2  # both had a share
    assert sum("report.html" in text for text in told) >= 1
    assert not [line for text in told for line in text.splitlines() if "Traceback" in line]


def test_a_task_that_is_preempted_in_the_middle_is_queued_again_and_the_end_is_equal(
    source, serial
):
    submitted(
        *("--source", str(source), "--out", "run", *CAUSAL, "--workers", "2"),
        *("--executor-options", "partition=low", "time=10", f"cpus-per-task={ALL}"),
    )
    until(lambda: any(Path("run").glob("0*_step*.h5*")))  # at work on a checkpoint
    for process in workers():
        os.kill(process, signal.SIGSTOP)  # where it is, until SLURM wakes it to end it
    push = ["sbatch", "--partition=high", f"--cpus-per-task={ALL}", "--output=/dev/null"]
    subprocess.run([*push, "--wrap=sleep 2"], check=True, capture_output=True)
    until(queue_is_empty)
    assert Path("run/report.html").is_file(), logs()
    assert_same(Path("run"), serial)
    assert logs().count("audit: ") >= 3  # two tasks, one of them twice
    assert not list(Path("run").rglob("*.partial"))


def test_jobs_of_the_executor_slurm_give_what_a_serial_run_gives(source, tmp_path):
    rest = [*QUICK, "--keep", "scores"]
    assert main(["--source", str(source), "--out", "serial", *rest]) == 0
    place = ["--executor", "slurm", "--workers", "2", "--executor-options", "partition=low"]
    assert main(["--source", str(source), "--out", "run", *rest, *place]) == 0
    assert_same(tmp_path / "run", tmp_path / "serial")
    assert not list(Path("run/.slurm").glob("*.pkl"))  # what was handed over is gone
    shutil.rmtree("run")
