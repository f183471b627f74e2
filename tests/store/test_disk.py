"""What a disk says no to: full at any moment, read-only, without locks."""

import errno
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurotrace.store import ActivationStore, StoreFull, check_file, partial, strip
from neurotrace.store.disk import naming_the_disk, number_of

MB = 1 << 20
TOO_SMALL, ENOUGH = (0, 5 * MB // 2), (11 * MB // 4, 7 * MB // 2)  # for a file of 2.7 MB


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own."""
    at = tmp_path / "disk"
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(at)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root may mount a small disk")
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this system mounts no tmpfs")
    yield at
    subprocess.run(["umount", str(at)], check=True)


def fill(folder: Path, *, leaving: int) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        os.posix_fallocate(file.fileno(), 0, max(1, free - leaving))
    return ballast


@pytest.mark.parametrize("n_fills", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_a_disk_that_fills_up_at_any_moment_costs_no_counted_row(
    n_fills: int, small_disk: Path, make_planted: Any
) -> None:
    file, rng = small_disk / "0000_step16.h5", random.Random(n_fills)
    planted = make_planted(256 * 8)
    said = []
    for number in range(n_fills):
        n_done = 0
        ballast = fill(small_disk, leaving=rng.randrange(*(TOO_SMALL if number % 2 else ENOUGH)))
        try:
            with planted.open(file) as writer:
                ballast.unlink()
                for start in range(0, rng.randrange(256 * 7), 256):
                    writer.write(start, planted.slab(start))
                n_done = writer.n_done
                ballast = fill(small_disk, leaving=0)
                # Its blocks were asked for in the beginning: a full disk takes the rest.
                writer.write(n_done, planted.slab(n_done))
                n_done += 256
        except StoreFull as error:
            said.append(str(error))
        ballast.unlink()
        with planted.open(file) as writer:
            assert writer.n_done == n_done
        planted.write(file)
        assert check_file(file) is None
        file.unlink()
    assert len(said) == n_fills // 2
    assert all("is full" in line and "\n" not in line for line in said)


def test_a_strip_on_a_full_disk_leaves_the_file_as_it_is(
    small_disk: Path, make_planted: Any
) -> None:
    file = make_planted(256 * 8).write(small_disk / "0000_step16.h5")
    size = file.stat().st_size
    fill(small_disk, leaving=32_768)
    with pytest.raises(StoreFull, match="is full"):
        strip(file, "states")
    assert (file.stat().st_size, check_file(file)) == (size, None)
    assert not list(small_disk.glob("*.stripping"))


def limited(planted: Any, file: Path, seed: int) -> tuple[str, int, int]:
    """Write with a limit on a file's size that comes at a random moment, then go on without."""
    rng = random.Random(seed)
    said, n_done = "", 0
    try:
        with planted.open(file) as writer:
            (held,) = file.parent.glob("*.partial")
            size, after = held.stat().st_size, rng.randrange(8)
            for number in range(8):
                if number == after:
                    none = resource.RLIM_INFINITY
                    resource.setrlimit(resource.RLIMIT_FSIZE, (rng.randrange(size), none))
                writer.write(256 * number, planted.slab(256 * number))
                n_done = writer.n_done
            writer.finish()
    except OSError as error:
        said = f"{type(error).__name__}: {error}"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if file.exists():
        return said, n_done, n_done
    with planted.open(file) as writer:
        resumed = writer.n_done
    planted.write(file)
    return said, n_done, resumed


@pytest.mark.parametrize("n_limits", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_a_write_that_is_refused_at_any_moment_costs_no_counted_row(
    n_limits: int, make_planted: Any, tmp_path: Path
) -> None:
    planted, file = make_planted(256 * 8), tmp_path / "0000_step16.h5"
    fork = multiprocessing.get_context("fork")
    refused = 0
    for seed in range(n_limits):
        receive, send = fork.Pipe(duplex=False)
        child = fork.Process(target=lambda s=seed, p=send: p.send(limited(planted, file, s)))
        child.start()
        said, n_done, resumed = receive.recv()
        child.join()
        assert child.exitcode == 0
        if said:
            refused += 1
            assert said.startswith("StoreFull: 0000_step16.h5: more than this system lets one file")
            assert "\n" not in said
        assert resumed >= n_done
        assert check_file(file) is None
        values = ActivationStore.open(file).read(16, 1).to_numpy()
        expected = planted.values["mlp.hook_post/max", 1].astype(np.float16)
        np.testing.assert_array_equal(values, expected)
        file.unlink()
        assert not list(tmp_path.iterdir())
    assert refused > n_limits // 2


LOCKS = {
    errno.EAGAIN: "is being written by another process .*HDF5_USE_FILE_LOCKING=FALSE",
    errno.ENOLCK: r"HDF5 got no lock \(errno 37: .*network file systems .*HDF5_USE_FILE_LOCKING",
    errno.EOPNOTSUPP: r"HDF5 got no lock \(errno 95: .*HDF5_USE_FILE_LOCKING=FALSE",
    524: r"HDF5 got no lock \(errno 524: .*HDF5_USE_FILE_LOCKING=FALSE",
}


@pytest.mark.parametrize("number", LOCKS)
def test_a_refused_lock_is_explained_and_nothing_is_removed(
    number: int, planted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> h5py.File:
        text = f"unable to lock file, errno = {number}, error message = '{os.strerror(number)}'"
        raise OSError(f"Unable to synchronously open file ({text})")

    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as writer:
        writer.write(0, planted.slab(0))
    with monkeypatch.context() as patched:
        patched.setattr(partial.h5py, "File", refuse)
        with pytest.raises(OSError, match=f"0000_step16.h5:? {LOCKS[number]}") as e:
            planted.open(file)
        assert "\n" not in str(e.value)
    with planted.open(file) as writer:
        assert writer.n_done == 256


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_folder_is_explained(
    number: int, planted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> h5py.File:
        raise OSError(number, f"Unable to create file (errno = {number}, error message = '…')")

    monkeypatch.setattr(partial.h5py, "File", refuse)
    with pytest.raises(PermissionError, match=r"cannot be written \(.*0000_step16.h5 is not whole"):
        planted.open(tmp_path / "0000_step16.h5")


def test_a_finished_run_on_a_read_only_disk_opens_and_reads(small_disk: Path, planted: Any) -> None:
    planted.write(small_disk / "0000_step16.h5")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = ActivationStore.open(small_disk, verify=True)
    assert store.read(16, 0).shape == (600, 40)
    with pytest.raises(
        PermissionError, match="disk cannot be written .Read-only file system."
    ) as e:
        planted.open(small_disk / "0001_step32.h5")
    assert "\n" not in str(e.value)


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="Input/output error") as e, naming_the_disk(tmp_path / "x"):
        raise error
    assert e.value is error
    assert number_of(ValueError("no number at all")) == 0
