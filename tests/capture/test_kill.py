"""Captures that are killed, and disks that are full."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurotrace import capture
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.store import ActivationStore, CheckpointWriter, StoreFull, partial

MB = 1 << 20


def values(folder: Path) -> dict[str, np.ndarray]:
    """Every dataset and attribute of every file."""
    found: dict[str, np.ndarray] = {}

    def keep(prefix: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[prefix] = item[...]
        found.update({f"{prefix} @{name}": value for name, value in item.attrs.items()})

    for file in sorted(folder.glob("*.h5")):
        with h5py.File(file) as h5:
            keep(file.name, h5)
            h5.visititems(lambda name, item, to=file.name: keep(f"{to} {name}", item))
    return found


def campaign(folder: Path, out: Path, *, n_kills: int, seed: int) -> list[dict[str, int]]:
    script = Path(__file__).with_name("kill_campaign.py")
    options = [str(folder), str(out), str(out / "whole"), str(n_kills), str(seed)]
    done = subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    truth = values(out / "whole")
    rounds = [sub for sub in out.iterdir() if sub.name != "whole"]
    assert rounds
    for sub in rounds:
        assert not list(sub.glob("*.partial"))
        found = values(sub)
        assert found.keys() == truth.keys()
        for name, value in truth.items():
            np.testing.assert_array_equal(found[name], value, err_msg=f"{sub.name} {name}")
    return json.loads(done.stdout)


def no_counted_row_is_lost(log: list[dict[str, int]]) -> None:
    for before, after in itertools.pairwise(log):
        if before["round"] == after["round"]:
            for name, n_done in before.items():
                assert after.get(name, 0) >= n_done, (before, after)


def test_a_capture_killed_three_times_and_resumed_equals_an_undisturbed_one(
    folder: Path, tmp_path: Path
) -> None:
    log = campaign(folder, tmp_path, n_kills=3, seed=0)
    assert len(log) == 3
    no_counted_row_is_lost(log)


@pytest.mark.slow
def test_a_capture_killed_twenty_times_and_resumed_equals_an_undisturbed_one(
    folder: Path, tmp_path: Path
) -> None:
    log = campaign(folder, tmp_path, n_kills=20, seed=1)
    assert len(log) == 20
    no_counted_row_is_lost(log)
    # Not all of them fell before the first row or after the last.
    assert sum(any(0 < n < 600 for k, n in entry.items() if k != "round") for entry in log) >= 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB of its own."""
    at = tmp_path / "disk"
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(at)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield at
    subprocess.run(["umount", str(at)], check=True)


def fill(folder: Path, *, leaving: int) -> Path:
    ballast = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - leaving))
    return ballast


def captured(series: list[Checkpoint], concepts: ConceptSet, out: Path) -> ActivationStore:
    what = ("mlp.hook_post/max", "hook_resid_post/mean")
    return capture.run(series, concepts, out, what=what, loss_sentences=2, progress=False)


def test_a_small_disk_is_refused_at_the_start_with_bytes_needed_and_free(
    small_disk: Path, series: list[Checkpoint], concepts: ConceptSet
) -> None:
    ballast = fill(small_disk, leaving=4 * MB)
    with pytest.raises(StoreFull, match=r"[\d,]+ bytes needed for 3 checkpoints, [\d,]+ free") as e:
        captured(series, concepts, small_disk / "run")
    assert "\n" not in str(e.value)
    assert not list((small_disk / "run").glob("*.h5*"))
    ballast.unlink()
    assert captured(series, concepts, small_disk / "run").steps == [0, 16, 512]


def test_a_disk_that_fills_up_during_the_capture_costs_no_counted_row(
    small_disk: Path,
    series: list[Checkpoint],
    concepts: ConceptSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write, ballast = CheckpointWriter.write, []

    def filling(self: CheckpointWriter, start: int, rows: dict) -> None:
        write(self, start, rows)
        if self.file.name.startswith("0001") and not ballast:
            ballast.append(fill(small_disk, leaving=0))

    monkeypatch.setattr(CheckpointWriter, "write", filling)
    with pytest.raises(OSError, match=r"is full: .*0002_step512\.h5"):
        captured(series, concepts, small_disk / "run")
    # The file that was begun had all its blocks: it was finished on the full disk.
    assert len(list((small_disk / "run").glob("*.h5"))) == 2
    ballast[0].unlink()
    store = captured(series, concepts, small_disk / "run")
    for step in store.steps:
        assert (store.read(step, 1).to_numpy() != 0).any(1).all()


def test_a_disk_that_cannot_reserve_blocks_leaves_nothing_behind(
    tmp_path: Path,
    series: list[Checkpoint],
    concepts: ConceptSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(partial.os, "posix_fallocate", refuse)
    with pytest.raises(StoreFull, match=r"bytes needed for 0000_step0\.h5, [\d,]+ free"):
        captured(series, concepts, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.h5*"))
