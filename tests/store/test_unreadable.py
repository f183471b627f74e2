"""A disk or a machine that fails for a while costs no rows that were counted, where that can be."""

import errno
from pathlib import Path
from typing import Any

import h5py
import pytest

from neurotrace.store import StoreFull, partial

SHORT = [
    OSError(errno.EIO, "Can't read data"),
    OSError("Unable to open file (file read failed: errno = 116, error message = 'Stale')"),
    OSError(errno.EMFILE, "Too many open files"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    KeyError("Unable to open object (file read failed: errno = 5, error message = 'I/O')"),
    MemoryError("got no memory"),
    TimeoutError("an alarm rang"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("place", ["File", "verified", "tables_checksum"])
@pytest.mark.parametrize("error", SHORT, ids=lambda error: repr(error)[:30])
def test_rows_that_cannot_be_read_just_now_stay(
    error: BaseException, place: str, planted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as writer:
        writer.write(0, planted.slab(0))
    with monkeypatch.context() as patched:
        patched.setattr(partial.h5py if place == "File" else partial, place, refuse)
        with pytest.raises(type(error)):
            planted.open(file)
    assert len(list(tmp_path.iterdir())) == 1
    with planted.open(file) as writer:
        assert writer.n_done == 256


def test_what_hdf5_finds_broken_is_begun_anew(
    planted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: h5py.File) -> int:
        raise OSError("Can't read data (inflate() failed)")

    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as writer:
        writer.write(0, planted.slab(0))
    monkeypatch.setattr(partial, "verified", broken)
    with planted.open(file) as writer:
        assert writer.n_done == 0


@pytest.mark.parametrize("room", [True, False], ids=["room for one", "no room at all"])
def test_a_disk_too_full_for_a_copy_starts_anew_where_that_makes_room(
    room: bool, planted: Any, taken: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    monkeypatch, capsys = (request.getfixturevalue(name) for name in ("monkeypatch", "capsys"))
    file = tmp_path / "0000_step16.h5"
    with planted.open(file, lease=taken(file)) as writer:
        writer.write(0, planted.slab(0))
    (held,) = tmp_path.glob("*.partial")
    lease = taken(file)
    usage = partial.shutil.disk_usage(tmp_path)

    def refuse(_: Path, copy: Path) -> None:
        copy.write_bytes(b"the first of it")
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patched:
        patched.setattr(partial.shutil, "copyfile", refuse)
        if room:
            planted.open(file, lease=lease).close()
        else:
            patched.setattr(partial.shutil, "disk_usage", lambda _: usage._replace(free=0))
            with pytest.raises(StoreFull, match=r"is full: [\d,]+ bytes needed for 0000_step16"):
                planted.open(file, lease=lease)
    said = capsys.readouterr().err
    assert said.count("begun anew") == said.count("\n") == int(room)
    assert held.exists() != room
    assert len(list(tmp_path.glob("*.partial"))) == 1
    with planted.open(file, lease=lease) as writer:
        assert writer.n_done == (0 if room else 256)
    lease.release()
