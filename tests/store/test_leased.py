"""One writer a file, known by its lease; what its heirs take, and what it finds when it wakes."""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import h5py
import pytest

from neurotrace.runner import lease_files
from neurotrace.runner.leases import Lease, LeaseLost, hold, try_hold
from neurotrace.store import (
    StoreMismatch,
    partial,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "0000_step16.h5"


@pytest.fixture
def hung_lease(file: Path) -> Lease:
    lease = try_hold(file)
    assert lease is not None
    return lease


def one_partial(folder: Path) -> Path:
    (found,) = folder.glob("*.partial")
    return found


def lapse(file: Path, lease: Lease) -> Lease:
    """The lease of an heir, as if the holder had not been heard of for an hour."""
    number = lease_files.numbers(file)[-1]
    then = time.time() - 3600
    os.utime(lease_files.named(file, number), (then, then))
    heir = try_hold(file)
    assert heir is not None
    assert (heir.inherited, lease.still_ours()) == ("lapsed", False)
    return heir


def test_an_unfinished_file_is_named_by_its_owners_lease(
    planted: Any, file: Path, undisturbed: Any
) -> None:
    with hold(file) as lease:
        assert lease is not None
        planted.open(file, lease=lease).close()
        assert one_partial(file.parent).name == f"0000_step16.h5.{lease.token}.partial"
        planted.write(file, lease=lease)  # the same owner goes on with it
    undisturbed(file, planted)


@pytest.mark.parametrize("left", ["released", "dead"])
def test_the_file_of_one_who_cannot_wake_is_taken_by_name(
    left: str, planted: Any, file: Path
) -> None:
    with hold(file) as before:
        with planted.open(file, lease=before) as writer:
            writer.write(0, planted.slab(0))
    if left == "dead":
        path = lease_files.named(file, 1)
        record, _ = lease_files.read(path)
        assert record is not None
        gone = dataclasses.replace(record.owner, pid=2**22 + 1)
        path.write_bytes(dataclasses.replace(record, owner=gone).dump("occupied"))
    inode = one_partial(file.parent).stat().st_ino
    with hold(file) as lease, planted.open(file, lease=lease) as writer:
        assert lease is not None
        assert lease.inherited == {"released": "", "dead": "dead"}[left]
        assert writer.n_done == 256
        assert one_partial(file.parent).name == f"0000_step16.h5.{lease.token}.partial"
        assert one_partial(file.parent).stat().st_ino == inode


def test_the_file_of_one_who_may_wake_is_copied_and_shared_with_nobody(
    planted: Any, file: Path, hung_lease: Lease, make_planted: Any, undisturbed: Any
) -> None:
    hung = planted.open(file, lease=hung_lease)
    hung.write(0, planted.slab(0))
    held = one_partial(file.parent)
    inode = held.stat().st_ino
    lease = lapse(file, hung_lease)
    with planted.open(file, lease=lease) as writer:
        assert writer.n_done == 256
        assert not held.exists()
        assert one_partial(file.parent).stat().st_ino != inode
        # It wakes with other values, in a file that nobody reads.
        other = make_planted(seed=9)
        hung._h5["mlp.hook_post/max/00"][:512] = other.values["mlp.hook_post/max", 0][:512]
        hung._h5.flush()
        for start in (256, 512):
            writer.write(start, planted.slab(start))
        writer.finish()
    undisturbed(file, planted)
    with pytest.raises(LeaseLost, match="0000_step16.h5: .* another took the file over") as e:
        hung.write(256, planted.slab(256))
    assert "\n" not in str(e.value)
    hung.close()
    lease.release()


def test_one_who_wakes_at_the_end_gives_its_file_no_name(
    planted: Any, file: Path, hung_lease: Lease, undisturbed: Any
) -> None:
    hung = planted.open(file, lease=hung_lease)
    for start in (0, 256, 512):
        hung.write(start, planted.slab(start))
    lease = lapse(file, hung_lease)
    with pytest.raises(LeaseLost):
        hung.finish()
    assert not file.exists()
    hung.close()
    planted.write(file, lease=lease)
    undisturbed(file, planted)
    assert not list(file.parent.glob("*.partial"))
    lease.release()


@pytest.mark.parametrize("begun", [True, False], ids=["its heir began", "its heir waits"])
def test_one_who_hangs_just_before_the_name_is_refused(
    begun: bool,
    planted: Any,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: Any,
) -> None:
    hung_lease = try_hold(file)
    assert hung_lease is not None
    hung = planted.open(file, lease=hung_lease)
    for start in (0, 256, 512):
        hung.write(start, planted.slab(start))
    heirs = []
    sync = partial.os.fsync

    def slow(handle: int) -> None:
        sync(handle)
        monkeypatch.undo()  # once: the heir syncs, too
        heirs.append(lapse(file, hung_lease))
        if begun:
            planted.write(file, lease=heirs[0])

    monkeypatch.setattr(partial.os, "fsync", slow)
    with pytest.raises(LeaseLost):
        hung.finish()
    hung.close()
    assert file.exists() == begun
    if not begun:
        planted.write(file, lease=heirs[0])
    undisturbed(file, planted)
    heirs[0].release()


def test_who_lost_its_file_hears_that_and_not_what_the_disk_says_of_it(
    planted: Any, file: Path, hung_lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    heirs = []

    def stale(*_: Any) -> None:
        heirs.append(lapse(file, hung_lease))
        raise OSError(116, "Stale file handle")  # of a network file system

    with planted.open(file, lease=hung_lease) as hung:
        monkeypatch.setattr(h5py.Dataset, "__setitem__", stale)
        with pytest.raises(LeaseLost):
            hung.write(0, planted.slab(0))
    heirs[0].release()


@pytest.mark.parametrize("moment", ["before", "it looks", "it begins", "it reserves"])
def test_one_who_hung_while_opening_leaves_its_heirs_file_alone(
    moment: str, planted: Any, file: Path, hung_lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    heirs: list[Any] = []

    def taken_over() -> None:
        monkeypatch.undo()
        heirs.append(lapse(file, hung_lease))
        heirs.append(planted.open(file, lease=heirs[0]))
        heirs[1].write(0, planted.slab(0))

    if moment == "before":
        taken_over()
    else:
        name = {"it looks": "resume", "it begins": "start", "it reserves": "_reserve"}[moment]
        then = getattr(partial, name)
        monkeypatch.setattr(partial, name, lambda *given: (taken_over(), then(*given))[1])
    with pytest.raises(LeaseLost):
        planted.open(file, lease=hung_lease)
    assert one_partial(file.parent).name == f"0000_step16.h5.{heirs[0].token}.partial"
    for start in (256, 512):
        heirs[1].write(start, planted.slab(start))
    heirs[1].finish()
    assert not list(file.parent.glob("*.partial"))
    heirs[0].release()


def test_an_opening_that_fails_for_want_of_its_file_says_that_it_was_taken_over(
    planted: Any, file: Path, hung_lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    heirs = []

    def gone(_: h5py.File) -> None:
        heirs.append(lapse(file, hung_lease))
        raise OSError("Unable to synchronously create file (can't retrieve stat info for file)")

    monkeypatch.setattr(partial, "_reserve", gone)
    with pytest.raises(LeaseLost):
        planted.open(file, lease=hung_lease)
    heirs[0].release()


def test_one_who_wakes_and_finishes_while_it_is_copied_has_done_the_work(
    planted: Any, file: Path, hung_lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    with planted.open(file, lease=hung_lease) as writer:
        writer.write(0, planted.slab(0))
    lease = lapse(file, hung_lease)
    copyfile = partial.shutil.copyfile

    def late(source: Path, copy: Path) -> None:
        Path(source).unlink()
        copyfile(source, copy)

    monkeypatch.setattr(partial.shutil, "copyfile", late)
    with planted.open(file, lease=lease) as writer:
        assert writer.n_done == 0
    one_partial(file.parent)
    lease.release()


def test_a_lapsed_owners_file_of_something_else_is_refused_and_kept(
    planted: Any, file: Path, hung_lease: Lease
) -> None:
    planted.open(file, lease=hung_lease).close()
    held = one_partial(file.parent)
    lease = lapse(file, hung_lease)
    other = {"model": "planted", "step": 17, "bos": "default"}
    with pytest.raises(StoreMismatch, match="another step"):
        planted.open(file, lease=lease, header=other)
    assert one_partial(file.parent) == held
    lease.release()


@pytest.mark.parametrize(("at", "n_done"), [(300, 256), (10, 0)], ids=["second slab", "first slab"])
def test_rows_of_the_one_who_may_wake_count_only_if_they_read_back(
    at: int, n_done: int, planted: Any, file: Path, hung_lease: Lease
) -> None:
    hung = planted.open(file, lease=hung_lease)
    for start in (0, 256):
        hung.write(start, planted.slab(start))
    hung._h5["mlp.hook_post/max/01"][at, 7] += 1  # caught in the middle of a write
    hung._h5.flush()
    lease = lapse(file, hung_lease)
    with planted.open(file, lease=lease) as writer:
        assert writer.n_done == n_done
    hung.close()
    lease.release()


@pytest.mark.parametrize("harm", ["truncated", "overwritten", "empty"])
def test_a_torn_copy_starts_anew(
    harm: str, planted: Any, file: Path, hung_lease: Lease, undisturbed: Any
) -> None:
    with planted.open(file, lease=hung_lease) as writer:
        writer.write(0, planted.slab(0))
    held = one_partial(file.parent)
    with held.open("r+b") as stream:
        if harm == "overwritten":
            stream.write(bytes(4096))
        else:
            stream.truncate(5000 if harm == "truncated" else 0)
    lease = lapse(file, hung_lease)
    with planted.open(file, lease=lease) as writer:
        assert writer.n_done == 0
        assert one_partial(file.parent).name.split(".")[2] == lease.token
    planted.write(file, lease=lease)
    undisturbed(file, planted)
    lease.release()


def test_a_copy_that_was_cut_short_is_no_obstacle(
    planted: Any, file: Path, hung_lease: Lease
) -> None:
    with planted.open(file, lease=hung_lease) as writer:
        writer.write(0, planted.slab(0))
    held = one_partial(file.parent)
    lease = lapse(file, hung_lease)
    torn = file.with_name(f"{file.name}.{lease.token}.0.partial")
    torn.write_bytes(held.read_bytes()[:70_000])
    with planted.open(file, lease=lease) as writer:
        assert writer.n_done == 256
        one_partial(file.parent)
    lease.release()
