"""Leases where the file system does not answer for a while, or answers from memory."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from neurotrace.runner import lease_files, leases
from neurotrace.runner.leases import hold, try_hold
from neurotrace.runner.owners import Owner


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "0007_step512.h5"


def leave(file: Path, *, number: int = 1, aged: float = 0.0) -> Path:
    """A lease of two seconds left by another machine's process and touched some time ago."""
    owner = Owner("node3", "node3 boot namespace", 4711, "99")
    left = lease_files.named(file, number)
    left.parent.mkdir(exist_ok=True)
    record = lease_files.Record("occupied", "0badcafe", owner, 2.0, "noon")
    left.write_bytes(record.dump("occupied"))
    then = lease_files.now(file) - aged
    os.utime(left, (then, then))
    return left


def test_a_holder_whose_disk_stood_still_keeps_its_lease_when_it_answers_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = leave(file, aged=60)
    touched = threading.Timer(0.05, os.utime, [left])
    monkeypatch.setattr(leases, "WATCHED", 0.1)
    touched.start()
    assert try_hold(file) is None
    touched.join()
    leave(file, aged=60)
    start = time.monotonic()
    lease = try_hold(file)
    assert lease is not None
    assert time.monotonic() - start > 0.15
    lease.release()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EIO])
def test_a_waiter_outlives_a_disk_that_says_no_for_a_while(
    number: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(file, aged=60)

    def refuse(_: Path) -> float:
        raise OSError(number, os.strerror(number))

    asked = iter([False, False, False, True])
    with monkeypatch.context() as patched:
        patched.setattr(lease_files, "now", refuse)
        with hold(file, say=lambda _: None, poll=0.001, until=lambda: next(asked)) as lease:
            assert lease is None
    monkeypatch.setattr(leases, "WATCHED", 1e-6)
    with hold(file) as lease:
        assert lease is not None
        assert lease.inherited == "lapsed"


def test_an_heir_is_seen_although_its_name_is_remembered_as_missing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold(file) as lease:
        assert lease is not None
        leave(file, number=2)
        monkeypatch.setattr(Path, "exists", lambda _: False)  # what a network file system says
        assert not lease.still_ours()
