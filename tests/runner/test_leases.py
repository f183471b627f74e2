"""One list of work, several workers, no server: who may make a file."""

import errno
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neurotrace.runner import lease_files, leases
from neurotrace.runner.leases import LeaseLost, hold, try_hold
from neurotrace.runner.owners import Owner, here

fork = multiprocessing.get_context("fork")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "0007_step512.h5"


@pytest.fixture(autouse=True)
def hung_at_once() -> Iterator[None]:
    """What seems to have lapsed has: it is not looked at for a beat of half a minute."""
    with pytest.MonkeyPatch.context() as patched:  # its own: tests undo theirs midway
        patched.setattr(leases, "WATCHED", 1e-6)
        yield


def leave(file: Path, **changes: Any) -> Path:
    """A lease left by another machine's process, in use as far as anybody can know."""
    owner = Owner("node3", "node3 boot namespace", 4711, "99")
    fields = {"token": "0badcafe", "owner": owner, "expiry": 120.0, "since": "noon"} | changes
    left = lease_files.named(file, 1)
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(lease_files.Record("occupied", **fields).dump("occupied"))
    return left


def age(left: Path, seconds: float) -> None:
    then = lease_files.now(left.parent.with_name("any")) - seconds
    os.utime(left, (then, then))


def names(file: Path) -> list[str]:
    return sorted(path.name for path in lease_files.folder(file).iterdir())


def test_what_one_holds_no_other_gets_until_it_is_released(file: Path) -> None:
    with hold(file) as lease:
        assert lease is not None
        assert lease.inherited == ""
        assert lease.still_ours()
        assert try_hold(file) is None
        assert try_hold(file.with_name("0008_step1024.h5")) is not None
    assert not lease.still_ours()
    after = try_hold(file)
    assert after is not None
    assert after.still_ours()
    assert after.inherited == ""
    assert after.token != lease.token
    after.release()


def test_every_holder_makes_the_next_number_and_nothing_is_removed(file: Path) -> None:
    for _ in range(11):
        with hold(file):
            pass
    expected = [f"0007_step512.h5.{number}.lease" for number in range(1, 12)]
    assert names(file) == sorted(expected)
    assert lease_files.numbers(file) == list(range(1, 12))


def test_a_name_that_begins_alike_is_another_file(file: Path) -> None:
    with hold(file.with_name("0007_step512.h5.old")), hold(file.with_name("0007_step512xh5")):
        assert lease_files.numbers(file) == []
        with hold(file):
            assert lease_files.numbers(file) == [1]


@pytest.mark.parametrize(("aged", "had"), [(119.0, False), (121.0, True)])
def test_a_lease_lapses_when_it_is_older_than_what_stands_in_it(
    aged: float, had: bool, file: Path
) -> None:
    age(leave(file), aged)
    lease = try_hold(file, expiry=1.0)  # the asker's own patience does not count
    assert (lease is not None) == had
    if lease is not None:
        assert lease.inherited == "lapsed"
        lease.release()


def test_age_is_measured_against_the_file_system_and_not_a_clock(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = leave(file)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert try_hold(file) is None
    # A file server whose clock is a year behind: both files are stamped by it.
    year = 365 * 86400.0
    age(left, year + 60)
    monkeypatch.setattr(lease_files, "now", lambda _: left.stat().st_mtime + 60)
    assert try_hold(file) is None
    monkeypatch.setattr(lease_files, "now", lambda _: left.stat().st_mtime + 121)
    lease = try_hold(file)
    assert lease is not None
    lease.release()


@pytest.mark.parametrize("text", ["", '{"state": "occupied", "tok', "[]", '{"owner": 3}'])
def test_a_file_that_was_not_written_to_its_end_is_judged_by_age(text: str, file: Path) -> None:
    left = leave(file)
    left.write_text(text)
    assert try_hold(file, expiry=60.0) is None
    age(left, 61)
    lease = try_hold(file, expiry=60.0)
    assert lease is not None
    assert lease.inherited == "lapsed"
    lease.release()


@pytest.mark.parametrize(
    ("owner", "gone"),
    [
        (here(), False),
        (Owner("x", here().place, here().pid, "another start"), True),
        (Owner("x", here().place, 2**22 + 1, here().started), True),
        (Owner("x", "elsewhere", 2**22 + 1, here().started), False),
    ],
    ids=["this one", "its number was given to another", "no such process", "another machine"],
)
def test_a_process_is_known_by_machine_number_and_start(
    owner: Owner, gone: bool, file: Path
) -> None:
    leave(file, owner=owner)
    lease = try_hold(file)
    assert (lease is not None) == gone
    if lease is not None:
        assert lease.inherited == "dead"
        lease.release()


def test_a_holder_is_named_once_while_it_is_waited_for(file: Path) -> None:
    leave(file)
    said: list[str] = []
    asked = iter([False, False, False, False, True])
    with hold(file, say=said.append, poll=0.001, until=lambda: next(asked)) as lease:
        assert lease is None
    assert said == [
        "waiting for host node3, process 4711, at work on 0007_step512.h5 since noon; "
        "go on when it is done or its lease lapses (120 s)"
    ]


def test_the_line_goes_to_stderr_where_nobody_takes_it(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(file)
    asked = iter([False, True])
    with hold(file, poll=0.001, until=lambda: next(asked)):
        pass
    shown = capsys.readouterr()
    assert shown.err.count("waiting for host node3") == shown.err.count("\n") == 1
    assert not shown.out


def test_work_that_was_done_before_the_lease_was_had_is_not_done_again(file: Path) -> None:
    asked = iter([False, True])
    with hold(file, until=lambda: next(asked)) as lease:
        assert lease is None
    assert try_hold(file) is not None  # it was let go of


def test_what_is_at_work_is_touched_and_does_not_lapse(file: Path) -> None:
    with hold(file, expiry=0.4) as lease:
        assert lease is not None
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert try_hold(file) is None
            time.sleep(0.05)
        assert lease.still_ours()


def test_who_lost_a_lease_is_told_and_cannot_release_its_heirs(file: Path) -> None:
    lease = try_hold(file, expiry=3600.0)
    assert lease is not None
    age(lease_files.named(file, 1), 3601)
    heir = try_hold(file)
    assert heir is not None
    assert not lease.still_ours()
    with pytest.raises(LeaseLost, match="0007_step512.h5: .* another took the file over"):
        lease.refuse_if_lost()
    lease.release()
    assert heir.still_ours()
    heir.refuse_if_lost()
    assert try_hold(file) is None
    heir.release()


def test_owners_are_known_by_the_tokens_of_their_files(file: Path) -> None:
    gone = Owner("x", here().place, 2**22 + 1, here().started)
    age(leave(file), 121)
    with hold(file) as second:
        assert second is not None
        assert second.owner_of("0badcafe") == "lapsed"
        assert second.owner_of("12345678") == ""
        assert second.owner_of(second.token) == "free"
    with hold(file) as third:
        assert third is not None
        # Not the last holder alone counts: the first may still wake.
        assert (third.owner_of(second.token), third.owner_of("0badcafe")) == ("free", "lapsed")
        assert second.owner_of(third.token) == "heir"
        leave(file, owner=gone)
        assert third.owner_of("0badcafe") == "free"


def test_a_release_needs_no_room_on_the_disk(file: Path) -> None:
    with hold(file):
        before = lease_files.named(file, 1).stat()
    after = lease_files.named(file, 1).stat()
    assert (before.st_size, before.st_ino) == (after.st_size, after.st_ino)
    assert json.loads(lease_files.named(file, 1).read_text())["state"] == "released"


def in_child(work: Any, *args: Any) -> Any:
    """What a function returns in a forked child."""
    receive, send = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: send.send(work(*args)))
    child.start()
    answer = receive.recv()
    child.join()
    return answer


def test_a_forked_child_does_not_hold_its_parents_lease(file: Path) -> None:
    with hold(file) as lease:
        assert lease is not None
        assert in_child(lambda: (lease.still_ours(), lease.release())) == (False, None)
        assert lease.still_ours()
        assert try_hold(file) is None


def without_room(file: Path) -> str:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        try_hold(file)
    except OSError as error:
        return str(error)
    return ""


def test_a_lease_that_cannot_be_written_leaves_nothing_behind(file: Path) -> None:
    assert in_child(without_room, file)
    assert names(file) == []
    lease = try_hold(file)
    assert lease is not None
    lease.release()


def test_a_folder_that_cannot_be_written_is_explained(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(lease_files.os, "link", refuse)
    with pytest.raises(PermissionError, match=r"cannot be written \(Read-only file system\)") as e:
        try_hold(file)
    assert "\n" not in str(e.value)


def test_a_lease_says_whose_it_is_as_soon_as_it_is_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def killed(draft: Path, path: Path) -> None:
        assert not path.exists()
        link(draft, path)
        assert json.loads(path.read_text())["owner"]["pid"] == os.getpid()
        raise KeyboardInterrupt

    monkeypatch.setattr(lease_files.os, "link", killed)
    with pytest.raises(KeyboardInterrupt):
        try_hold(file)
    assert names(file) == ["0007_step512.h5.1.lease"]


@pytest.mark.parametrize("held", [False, True])
def test_where_there_are_no_hard_links_one_still_wins(
    held: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    first = try_hold(file) if held else None
    monkeypatch.setattr(lease_files.os, "link", refuse)
    lease = try_hold(file)
    assert (lease is None) == held
    for one in (first, lease):
        if one is not None:
            one.release()
    assert not list(file.parent.rglob("*.draft"))


def test_a_link_whose_answer_was_lost_is_a_lease(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def made(draft: Path, path: Path) -> None:
        link(draft, path)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(lease_files.os, "link", made)
    lease = try_hold(file)
    assert lease is not None
    lease.release()


@pytest.mark.parametrize("expiry", [0.0, -1.0, float("nan")])
def test_an_expiry_that_is_no_time_is_refused(expiry: float, file: Path) -> None:
    with pytest.raises(ValueError, match="expected seconds above 0"):
        try_hold(file, expiry=expiry)
