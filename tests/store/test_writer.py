"""One checkpoint's file while it is being written."""

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

from neurotrace.store import ActivationStore, StoreFull, StoreMismatch, layout, partial, writer


def one_partial(folder: Path) -> Path:
    (found,) = folder.glob("*.partial")
    return found


def test_bytes_read_back_are_the_bytes_written(planted: Any, tmp_path: Path) -> None:
    file = planted.write(tmp_path / "0000_step16.h5")
    with h5py.File(file) as h5:
        for key, x in planted.values.items():
            dataset = h5[layout.dataset_name(*key)]
            np.testing.assert_array_equal(dataset[...], x.astype(dataset.dtype))
            assert dataset.compression is None
            assert dataset.chunks == layout.chunks(*dataset.shape)


def test_a_file_has_its_name_only_when_it_is_whole(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        open_writer.write(0, planted.slab(0))
        assert not file.exists()
        with pytest.raises(ValueError, match="got 256 of 600 rows"):
            open_writer.finish()
    assert one_partial(tmp_path).name.startswith("0000_step16.h5.")
    planted.write(file)
    assert [path.name for path in tmp_path.iterdir()] == ["0000_step16.h5"]
    with pytest.raises(FileExistsError, match="0000_step16"):
        planted.open(file)


def test_the_file_has_its_full_size_on_disk_before_the_first_row(
    planted: Any, tmp_path: Path
) -> None:
    with planted.open(tmp_path / "0000_step16.h5") as open_writer:
        found = one_partial(tmp_path).stat()
        needed = sum(x.size * 2 for key, x in planted.values.items() if key[0].startswith("mlp"))
        assert found.st_blocks * 512 >= found.st_size > needed
        for start in (0, 256, 512):
            open_writer.write(start, planted.slab(start))
        assert one_partial(tmp_path).stat().st_size == found.st_size


def test_the_size_is_foretold(planted: Any, tmp_path: Path) -> None:
    size = planted.write(tmp_path / "0000_step16.h5").stat().st_size
    foretold = layout.bytes_needed(
        {key: (x.shape[1], "float32") for key, x in planted.values.items()},
        n_examples=600,
        n_tokens=70,
    )
    assert size <= foretold <= size + 2_000_000


def test_counted_rows_survive_and_are_not_written_again(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        open_writer.write(0, planted.slab(0))
    with planted.open(file) as open_writer:
        assert open_writer.n_done == 256
        with pytest.raises(ValueError, match="got rows from 0; expected the slab that starts 256"):
            open_writer.write(0, planted.slab(0))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_resumed_file_equals_an_undisturbed_one(planted: Any, tmp_path: Path) -> None:
    for name, stops in (("whole", []), ("resumed", [256, 512])):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "0000_step16.h5"
        for stop in stops:
            with planted.open(file) as open_writer:
                open_writer.write(stop - 256, planted.slab(stop - 256))
        planted.write(file)
    whole, resumed = (dump(tmp_path / n / "0000_step16.h5") for n in ("whole", "resumed"))
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(value, resumed[name], err_msg=name)


def dump(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with h5py.File(file) as h5:
        found |= {f"@{name}": value for name, value in h5.attrs.items()}
        h5.visititems(
            lambda name, item: found.update({name: item[...]} if hasattr(item, "shape") else {})
        )
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


def test_a_file_damaged_before_its_end_gets_no_name(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        for start in (0, 256, 512):
            open_writer.write(start, planted.slab(start))
        open_writer._h5["embed/mean"][599, 3] = 0.5
        with pytest.raises(OSError, match="rows from 512 on do not read back"):
            open_writer.finish()
    assert not file.exists()
    planted.write(file)
    store = ActivationStore.open(file)
    np.testing.assert_array_equal(
        store.read(16, None, "embed/mean"), planted.values["embed/mean", None]
    )


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


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "got nan; expected finite numbers"),
        (-np.inf, "got -inf; expected finite numbers"),
        (1e5, r"got 100000, beyond what float16 holds \(65504\); use dtype='float32'"),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_by_step_layer_site_and_sentence(
    value: float, message: str, planted: Any, tmp_path: Path
) -> None:
    planted.values["mlp.hook_post/max", 1][301, 3] = value
    wanted = f"^step 16, layer 1, mlp.hook_post/max, bbb_Cyrl group 'g150': {message}$"
    with planted.open(tmp_path / "0000_step16.h5") as open_writer:
        open_writer.write(0, planted.slab(0))
        with pytest.raises(ValueError, match=wanted):
            open_writer.write(256, planted.slab(256))
        assert open_writer.n_done == 256


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
        time.sleep(rng.uniform(0.02, 0.35))
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
