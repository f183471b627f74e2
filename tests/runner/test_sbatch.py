"""The job script, read as SLURM and bash read it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurotrace.runner import sbatch_script
from neurotrace.runner.sbatch import minutes

COMMAND = ["-m", "neurotrace.trace", "--source", "a folder"]


def directives(script: str) -> dict[str, str]:
    lines = [line.removeprefix("#SBATCH --") for line in script.splitlines() if "#SBATCH" in line]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_the_script_asks_for_an_array_that_survives_preemption():
    script = sbatch_script(COMMAND, workers=8, options={"partition": "gpu", "gpus": "1"})
    told = directives(script)
    assert script.startswith("#!/bin/bash\n")
    assert told["array"] == "0-7"
    assert told["requeue"] == ""
    assert told["open-mode"] == "append"
    assert told["signal"].startswith("B:USR1@")
    assert (told["partition"], told["gpus"]) == ("gpu", "1")
    assert "export OMP_NUM_THREADS=1\n" in script
    assert f"{sys.executable} -m neurotrace.trace --source 'a folder' --shard auto &\n" in script


def test_options_win_over_the_script_and_are_quoted():
    options = {"array": "0-3%2", "--job-name": "two words", "exclusive": "", "mem_per_cpu": "2G"}
    told = directives(sbatch_script(COMMAND, workers=8, options={**options, "folder": "logs"}))
    assert told["array"] == "0-3%2"
    assert told["job-name"] == "'two words'"
    assert told["exclusive"] == ""
    assert told["mem-per-cpu"] == "2G"
    assert told["output"] == "logs/neurotrace-%A_%a.log"
    assert "folder" not in told


@pytest.mark.parametrize("bad", [{"a b": "1"}, {"mem": "1G\n#SBATCH --x"}, {"": "1"}])
def test_an_option_that_would_break_the_script_is_refused(bad):
    with pytest.raises(ValueError, match=r"got option .* expected a long option of sbatch"):
        sbatch_script(COMMAND, workers=1, options=bad)


def test_no_workers_and_no_command_are_refused():
    with pytest.raises(ValueError, match="got 0 workers; expected at least 1"):
        sbatch_script(COMMAND, workers=0)
    with pytest.raises(ValueError, match="got an empty command"):
        sbatch_script([], workers=1)


@pytest.mark.parametrize(
    ("time", "expected"),
    [("5", 5), ("2:30", 3), ("1:00:00", 60), ("1-0", 1440), ("1-2:03", 1563), ("1-0:0:1", 1441)],
)
def test_time_limits_are_read_as_slurm_writes_them(time, expected):
    assert minutes(time) == expected


def test_a_time_limit_that_is_none_is_refused():
    with pytest.raises(ValueError, match="got time '4h'; expected minutes"):
        minutes("4h")


@pytest.fixture
def running(tmp_path: Path, monkeypatch):
    """The script under bash, its Python asleep, and a scontrol that writes down what it is told."""
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    (tmp_path / "scontrol").chmod(0o755)
    work = "import sys, time; open('begun', 'w').close(); time.sleep(0.8); sys.exit(7)"
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "job.sh"
    script.write_text(sbatch_script(["-c", work], workers=1))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    def start(**variables: str) -> subprocess.Popen:
        child = subprocess.Popen(
            ["bash", str(script)], env={**os.environ, "PATH": path, **variables}
        )
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        return child

    return start


def test_the_script_ends_as_its_python_ends(running):
    assert running().wait(10) == 7


@pytest.mark.parametrize(("restarts", "told"), [("3", "requeue 12\n"), ("20", "")])
def test_near_its_time_limit_the_job_goes_back_to_the_queue_but_not_for_ever(
    running, tmp_path: Path, restarts, told
):
    child = running(SLURM_JOB_ID="12", SLURM_RESTART_COUNT=restarts)
    child.send_signal(signal.SIGUSR1)
    assert child.wait(10) == 7  # bash went on waiting for its Python
    file = tmp_path / "told"
    assert (file.read_text() if file.exists() else "") == told


def test_a_job_that_is_told_to_end_ends_its_python(running):
    child = running()
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 128 + signal.SIGTERM
