"""Writers in processes of their own: killed, hung and woken, and kept apart without leases."""

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h5py
import pytest

from neurotrace.runner.leases import LeaseLost, hold, try_hold
from neurotrace.store import CheckpointWriter, partial


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "0000_step16.h5"


def writing(pipe: Connection, planted: Any, file: Path, expiry: float) -> None:
    """Write a file under a lease, and say after every slab how far, and at last how it ended."""
    lease = try_hold(file, expiry=expiry)
    assert lease is not None
    pipe.send(0)
    try:
        with planted.open(file, lease=lease) as writer:
            while writer.n_done < writer.n_examples:
                writer.write(writer.n_done, planted.slab(writer.n_done))
                pipe.send(writer.n_done)
            writer.finish()
    except LeaseLost:
        pipe.send("lost")
    else:
        lease.release()
        pipe.send("done")


@pytest.mark.parametrize("n_faults", [4, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_file_whose_writers_are_killed_or_hang_equals_an_undisturbed_one(
    n_faults: int, fault: signal.Signals, make_planted: Any, file: Path, undisturbed: Any
) -> None:
    planted, rng = make_planted(256 * 8), random.Random(n_faults)
    fork = multiprocessing.get_context("fork")
    reached: list[tuple[int, int]] = []
    while len(reached) < n_faults:
        pipe, theirs = fork.Pipe()
        child = fork.Process(target=writing, args=(theirs, planted, file, 0.3))
        child.start()
        theirs.close()
        said, wanted = pipe.recv(), rng.randrange(0, 256 * 8, 256)
        while said < wanted:
            said = pipe.recv()
        time.sleep(rng.uniform(0.0, 0.003))
        os.kill(child.pid, fault)
        with hold(file, expiry=0.3, say=lambda _: None, poll=0.01, until=file.exists) as lease:
            if lease is not None:
                with planted.open(file, lease=lease) as writer:
                    reached.append((said, writer.n_done))
                    for start in range(writer.n_done, planted.n_examples, 256):
                        writer.write(start, planted.slab(start))
                    writer.finish()
        os.kill(child.pid, signal.SIGCONT)
        while fault == signal.SIGSTOP and isinstance(said, int):
            said = pipe.recv()
        assert said != ("done" if lease else "lost")
        child.join()
        undisturbed(file, planted)
        assert not list(file.parent.glob("*.partial"))
        file.unlink()
    assert all(n_done >= said for said, n_done in reached)
    assert any(0 < n_done for _, n_done in reached)


def test_writers_without_leases_are_kept_apart_by_hdf5s_lock(planted: Any, file: Path) -> None:
    def elsewhere(pipe: Connection) -> None:
        with planted.open(file):
            pipe.send("open")
            pipe.recv()

    fork = multiprocessing.get_context("fork")
    pipe, theirs = fork.Pipe()
    child = fork.Process(target=elsewhere, args=(theirs,))
    child.start()
    pipe.recv()
    with hold(file) as lease:
        with pytest.raises(OSError, match="0000_step16.h5 is being written by another process"):
            planted.open(file, lease=lease)
        pipe.send("end")
        child.join()
        with planted.open(file, lease=lease) as writer:
            assert isinstance(writer, CheckpointWriter)


def test_a_lease_stands_in_for_locks_that_a_file_system_lacks(
    planted: Any, file: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Any
) -> None:
    plain = h5py.File

    def without_locks(name: Path, mode: str, **options: Any) -> h5py.File:
        if options.get("locking") is not False:
            raise OSError(37, "unable to lock file, errno = 37, error message = 'No locks'")
        return plain(name, mode, **options)

    monkeypatch.setattr(partial.h5py, "File", without_locks)
    with hold(file) as lease:
        with planted.open(file, lease=lease) as writer:
            writer.write(0, planted.slab(0))
        planted.write(file, lease=lease)
    monkeypatch.undo()
    undisturbed(file, planted)
