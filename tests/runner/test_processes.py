"""Local workers that die, raise, or are interrupted; nothing is lost and nothing hangs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurotrace.runner import Executor, WorkerLost, map_each, processes
from neurotrace.runner.surroundings import ONE_THREAD, around, gpus, listed_gpus

TWO = Executor("processes", workers=2)


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_are_other_processes_with_one_thread_each_and_are_gone_afterwards(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def fn(_: int) -> tuple[int, dict[str, str | None]]:
        time.sleep(0.05)
        return os.getpid(), {name: os.environ.get(name) for name in ONE_THREAD}

    found = map_each(fn, range(6), executor=TWO)
    pids = {pid for pid, _ in found}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert all(told == ONE_THREAD for _, told in found)
    assert not any(alive(pid) for pid in pids)


def test_threads_are_set_before_a_worker_loads_anything(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def fn(_: int) -> int:
        import torch

        return torch.get_num_threads()

    assert map_each(fn, [0], executor=TWO) == [1]


def test_a_worker_killed_at_its_first_try_loses_nothing(tmp_path):
    def fn(item: int) -> int:
        mark = tmp_path / str(item)
        if item % 3 == 0 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item

    assert map_each(fn, range(7), executor=TWO) == [item * item for item in range(7)]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_retried_item_is_alone(tmp_path):
    def fn(item: int) -> float:
        (tmp_path / f"{item}-{os.getpid()}").touch()
        if item == 0 and not (tmp_path / "second").exists():
            (tmp_path / "second").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 0:
            others = {int(file.name.split("-")[1]) for file in tmp_path.glob("[12]-*")}
            return sum(Path(f"/proc/{pid}").exists() for pid in others)
        time.sleep(0.3)
        return -1

    assert map_each(fn, range(3), executor=TWO) == [0, -1, -1]


def test_an_item_that_kills_its_worker_by_itself_is_named_when_the_rest_is_done(tmp_path):
    def fn(item: str) -> None:
        if item == "step512":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "step64":
            os._exit(3)
        (tmp_path / item).touch()

    items = ["step512", "step0", "step64", "step8"]
    with pytest.raises(WorkerLost) as caught:
        map_each(fn, items, executor=TWO)
    assert "2 of 4 items" in str(caught.value)
    assert "step512 (killed by SIGKILL)" in str(caught.value)
    assert "step64 (ended by itself with exit code 3)" in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["step0", "step8"]


def test_an_exception_ends_the_work_after_what_was_running(tmp_path):
    def fn(item: int) -> None:
        if item == 0:
            raise OSError("disk")
        time.sleep(0.5)
        (tmp_path / str(item)).touch()

    with pytest.raises(OSError, match="disk"):
        map_each(fn, range(8), executor=TWO)
    assert [file.name for file in tmp_path.iterdir()] == ["1"]


def test_what_cannot_travel_is_told_and_what_ends_python_ends_the_run():
    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    def odd(_: str) -> None:
        raise Odd(1, 2)

    with pytest.raises(ValueError, match="got a Odd that cannot be pickled .*: 1 and 2;") as caught:
        map_each(odd, ["x"], executor=TWO)
    assert caught.value.__notes__ == ["while working on x"]
    with pytest.raises(ValueError, match="got a generator that cannot be pickled"):
        map_each(lambda item: (n for n in range(item)), [1], executor=TWO)
    with pytest.raises(SystemExit) as ended:
        map_each(lambda _: sys.exit(5), [1], executor=TWO)
    assert ended.value.code == 5


def test_a_worker_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.2)

    def fn(_: int) -> int:
        import atexit

        atexit.register(time.sleep, 60)
        return os.getpid()

    begun = time.monotonic()
    (pid,) = map_each(fn, [0], executor=TWO)
    assert time.monotonic() - begun < 10
    assert not alive(pid)


def test_control_c_is_left_to_the_parent():
    def fn(_: int) -> signal.Handlers:
        return signal.getsignal(signal.SIGINT)

    assert map_each(fn, [0], executor=TWO) == [signal.SIG_IGN]


def test_workers_that_say_nothing_for_long_are_named(monkeypatch, capsys):
    monkeypatch.setattr(processes, "QUIET", 0.3)
    assert map_each(lambda x: time.sleep(2) or x, [1], executor=TWO) == [1]
    assert "no worker has ended anything for" in capsys.readouterr().err


PARENT = """
import os, pathlib, signal, sys, time
from neurotrace.runner import Executor, map_each
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
folder = pathlib.Path(sys.argv[1])
def fn(item):
    (folder / str(os.getpid())).touch()
    time.sleep(60)
map_each(fn, range(4), executor=Executor("processes", workers=2))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_ending_the_parent_ends_its_workers_within_two_seconds(tmp_path, name):
    # A script without a main guard, which multiprocessing would refuse.
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    folder = tmp_path / "pids"
    folder.mkdir()
    path = os.pathsep.join(part for part in sys.path if part)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    while len(list(folder.iterdir())) < 2:
        assert parent.poll() is None
        time.sleep(0.02)
    pids = [int(file.name) for file in folder.iterdir()]
    begun = time.monotonic()
    number = getattr(signal, name)
    # Control-C is sent to all of a terminal's processes.
    os.killpg(parent.pid, number) if name == "SIGINT" else parent.send_signal(number)
    _, said = parent.communicate(timeout=10)
    while any(alive(pid) for pid in pids):
        assert time.monotonic() - begun < 10
        time.sleep(0.02)
    assert time.monotonic() - begun < 2
    assert said.count("Traceback") == (name == "SIGINT")


def test_gpus_are_dealt_out_in_turn(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, 3,MIG-c")
    assert gpus() == ["GPU-a", "3", "MIG-c"]
    dealt = [around(slot, gpus())["CUDA_VISIBLE_DEVICES"] for slot in range(4)]
    assert dealt == ["GPU-a", "3", "MIG-c", "GPU-a"]


def test_hidden_gpus_stay_hidden(monkeypatch, tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: One (UUID: GPU-1)'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for told, seen in [("", []), ("-1", []), ("0,-1,1", ["0"])]:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
        assert gpus() == seen
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert around(0, gpus())["CUDA_VISIBLE_DEVICES"] == ""


def test_without_a_word_the_driver_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == []
    listed = "GPU 0: One (UUID: GPU-1)\nGPU 1: One (UUID: GPU-2)\n"
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{listed}'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert gpus() == ["GPU-1", "GPU-2"]
    # Of a GPU that is divided only the slices can be used.
    assert listed_gpus(listed + "  MIG 1g Device 0: (UUID: MIG-3)\n") == ["MIG-3"]
