"""The unfinished file: taken over, refused, killed, and on a full disk."""

import fcntl
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurotrace.store import StoreFull, StoreMismatch, check_file, partial, writer


def one_partial(folder: Path) -> Path:
    (found,) = folder.glob("*.partial")
    return found


def test_a_partial_file_that_cannot_be_opened_starts_again(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    (tmp_path / "0000_step16.h5.abcd.partial").write_bytes(b"no HDF5 at all")
    with h5py.File(tmp_path / "0000_step16.h5.ef01.partial", "w") as h5:
        h5.attrs["step"] = 16  # killed before it was ready
    with planted.open(file) as open_writer:
        assert open_writer.n_done == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_of_several_partial_files_the_one_with_most_rows_is_taken(
    planted: Any, tmp_path: Path
) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        open_writer.write(0, planted.slab(0))
    more = one_partial(tmp_path).rename(tmp_path / "kept")
    planted.open(file).close()
    more.rename(tmp_path / "0000_step16.h5.0000.partial")
    with planted.open(file) as open_writer:
        assert open_writer.n_done == 256
    assert len(list(tmp_path.iterdir())) == 1


def test_rows_that_do_not_read_back_are_written_anew(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        for start in (0, 256):
            open_writer.write(start, planted.slab(start))
    with h5py.File(one_partial(tmp_path), "r+") as h5:
        h5["mlp.hook_post/max/01"][300, 7] += 1
    with planted.open(file) as open_writer:
        assert open_writer.n_done == 256


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"header": {"model": "planted", "step": 17, "bos": "default"}}, "another step"),
        ({"header": {"model": "planted", "step": 16, "bos": "never"}}, "another bos"),
        ({"arrays": {("mlp.hook_post/max", 0): (40, "float16")}}, "what is captured"),
        ({"labels": np.zeros((600, 3), np.int8)}, "another labels"),
    ],
)
def test_a_partial_file_of_something_else_is_refused_and_kept(
    changes: dict, named: str, planted: Any, tmp_path: Path
) -> None:
    file = tmp_path / "0000_step16.h5"
    planted.open(file).close()
    with pytest.raises(StoreMismatch, match=named):
        planted.open(file, **changes)
    one_partial(tmp_path)


def test_a_file_that_another_process_writes_is_refused_and_kept(
    planted: Any, tmp_path: Path
) -> None:
    file = tmp_path / "0000_step16.h5"
    planted.open(file).close()
    # HDF5 locks what it writes, and the lock dies with its process; this one is held by hand.
    with one_partial(tmp_path).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="0000_step16.h5 is being written by another process"):
            planted.open(file)
    planted.open(file).close()


@pytest.mark.parametrize("name", ["mlp.hook_post/max/00", "examples/lang", "labels"])
def test_a_partial_file_whose_structure_is_harmed_starts_again(
    name: str, planted: Any, tmp_path: Path
) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        open_writer.write(0, planted.slab(0))
    held = one_partial(tmp_path)
    with h5py.File(held) as h5:
        at = h5py.h5o.get_info(h5[name].id).addr
    with held.open("r+b") as stream:
        stream.seek(at)
        stream.write(b"\xff" * 16)
    with planted.open(file) as open_writer:
        assert open_writer.n_done == 0
    planted.write(file)
    assert check_file(file) is None


def test_a_full_disk_at_the_start_leaves_nothing_and_says_how_much_is_needed(
    planted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = partial.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreFull, match=r"[\d,]{7,} bytes needed for 0000_step16.h5, 1,000 free"):
        planted.open(tmp_path / "0000_step16.h5")
    assert not list(tmp_path.iterdir())


def test_a_disk_full_in_the_middle_keeps_the_counted_rows(
    planted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: h5py.Dataset, *__: Any) -> None:
        raise OSError(
            "Can't write data (file write failed: errno = 28, error message = 'No space')"
        )

    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        open_writer.write(0, planted.slab(0))
        with monkeypatch.context() as patched:
            patched.setattr(writer.h5py.Dataset, "__setitem__", refuse)
            with pytest.raises(StoreFull, match="rows counted so far stay"):
                open_writer.write(256, planted.slab(256))
    with planted.open(file) as open_writer:
        assert open_writer.n_done == 256


def written(planted: Any, file: Path, counted: Path) -> None:
    """Write a file, keeping beside it what the writer said was counted."""
    with planted.open(file) as open_writer, counted.open("a") as log:
        for start in range(open_writer.n_done, planted.n_examples, 256):
            open_writer.write(start, planted.slab(start))
            log.write(f"{open_writer.n_done}\n")
            log.flush()


@pytest.mark.parametrize("n_kills", [6, pytest.param(40, marks=pytest.mark.slow)])
def test_no_counted_row_is_lost_to_a_kill_between_two_writes(
    n_kills: int, make_planted: Any, tmp_path: Path
) -> None:
    planted = make_planted(256 * 60)
    file, counted, rng = tmp_path / "0000_step16.h5", tmp_path / "counted", random.Random(n_kills)
    expected = planted.values["mlp.hook_post/max", 1].astype(np.float16)
    context = multiprocessing.get_context("fork")
    killed, reached = 0, []
    while killed < n_kills:
        child = context.Process(target=written, args=(planted, file, counted))
        child.start()
        before = counted.stat().st_size if counted.exists() else 0
        if rng.random() < 0.3:
            time.sleep(rng.uniform(0.02, 0.35))
        else:  # in the middle of the file, however busy the machine is
            while child.is_alive() and (not counted.exists() or counted.stat().st_size <= before):
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.02))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        said = [0, *map(int, counted.read_text().split())][-1] if counted.exists() else 0
        if said == 0:
            continue  # killed before the first row: whatever lies there starts again
        with h5py.File(one_partial(tmp_path)) as h5:
            n_done = int(h5.attrs["n_done"])
            assert partial.verified(h5) == n_done >= said
            np.testing.assert_array_equal(h5["mlp.hook_post/max/01"][:n_done], expected[:n_done])
        reached.append(n_done)
        if n_done == planted.n_examples:
            one_partial(tmp_path).unlink()
            counted.unlink()
    assert any(0 < n_done < planted.n_examples for n_done in reached)
