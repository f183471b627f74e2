"""Leases between real processes: killed, stopped and woken, and eight at once."""

import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from neurotrace.runner import lease_files, leases
from neurotrace.runner.leases import try_hold
from neurotrace.runner.owners import Owner, here

fork = multiprocessing.get_context("fork")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "0007_step512.h5"


@pytest.fixture
def child() -> Iterator[Callable[..., tuple[Any, Connection]]]:
    started = []

    def start(work: Callable, *args: Any) -> tuple[Any, Connection]:
        ours, theirs = fork.Pipe()
        process = fork.Process(target=work, args=(theirs, *args))
        process.start()
        started.append(process)
        return process, ours

    yield start
    for process in started:
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()


def at_work(pipe: Connection, file: Path, expiry: float) -> None:
    """Hold a lease; then, when told to, finish as a writer does."""
    lease = try_hold(file, expiry=expiry)
    assert lease is not None
    partial = file.with_name(f"{file.name}.{lease.token}.partial")
    partial.write_text("mine")
    pipe.send(lease.token)
    pipe.recv()
    ours = lease.still_ours()
    if ours:
        partial.replace(file)
    pipe.send(ours)


@pytest.mark.parametrize("collected", [True, False], ids=["collected", "not yet collected"])
def test_a_killed_process_is_succeeded_at_once(collected: bool, file: Path, child: Any) -> None:
    process, pipe = child(at_work, file, 3600.0)
    token = pipe.recv()
    assert try_hold(file) is None
    os.kill(process.pid, signal.SIGKILL)
    if collected:
        process.join()
    start = time.monotonic()
    while (lease := try_hold(file)) is None:
        assert time.monotonic() - start < 5
    assert lease.inherited == "dead"
    assert lease.owner_of(token) == "free"
    lease.release()


def test_a_stopped_process_that_wakes_finds_its_lease_gone_before_it_renames(
    file: Path, child: Any
) -> None:
    process, pipe = child(at_work, file, 0.4)
    token = pipe.recv()
    os.kill(process.pid, signal.SIGSTOP)
    assert try_hold(file) is None
    start = time.monotonic()
    while (lease := try_hold(file)) is None:
        assert time.monotonic() - start < 5
        time.sleep(0.02)
    assert time.monotonic() - start > 0.2
    assert (lease.inherited, lease.owner_of(token)) == ("lapsed", "lapsed")
    pipe.send("go on")
    os.kill(process.pid, signal.SIGCONT)
    assert pipe.recv() is False
    assert not file.exists()
    assert lease.still_ours()
    lease.release()


def test_a_stopped_process_that_wakes_in_time_goes_on(file: Path, child: Any) -> None:
    process, pipe = child(at_work, file, 30.0)
    pipe.recv()
    os.kill(process.pid, signal.SIGSTOP)
    assert try_hold(file) is None
    pipe.send("go on")
    os.kill(process.pid, signal.SIGCONT)
    assert pipe.recv() is True
    assert file.read_text() == "mine"


def race(pipe: Connection, folder: Path) -> None:
    """Try for one file after the other, each at the word; keep what was won."""
    kept = []
    while (name := pipe.recv()) is not None:
        lease = try_hold(folder / name)
        pipe.send(None if lease is None else lease.token)
        kept.append(lease)


@pytest.mark.parametrize("n_races", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("left", ["lapsed", "dead", "empty", "nothing"])
def test_of_eight_heirs_exactly_one_wins(
    n_races: int, left: str, tmp_path: Path, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WATCHED", 1e-6)  # of the minute that stands in them
    owner = here()
    if left == "dead":
        gone, _ = child(lambda _: None)
        gone.join()
        owner = dataclasses.replace(owner, pid=gone.pid)
    racers = [child(race, tmp_path)[1] for _ in range(8)]
    for number in range(n_races):
        file = tmp_path / f"{number:04d}_step{number}.h5"
        stale(file, left, owner)
        for pipe in racers:
            pipe.send(file.name)
        won = [token for token in (pipe.recv() for pipe in racers) if token is not None]
        assert len(won) == 1
        holder, _ = lease_files.read(lease_files.named(file, lease_files.numbers(file)[-1]))
        assert holder is not None
        assert holder.token == won[0]
    for pipe in racers:
        pipe.send(None)


def stale(file: Path, left: str, owner: Owner) -> None:
    """A lease of every kind that may be inherited."""
    if left == "nothing":
        return
    path = lease_files.named(file, 1)
    path.parent.mkdir(exist_ok=True)
    record = lease_files.Record("occupied", "0badcafe", owner, 60.0, "noon")
    path.write_bytes(b"" if left == "empty" else record.dump("occupied"))
    if left != "dead":
        os.utime(path, (1e9, 1e9))
