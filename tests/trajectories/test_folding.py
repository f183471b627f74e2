"""Parts gathered in one file by one who hangs, over one that is torn, and before a disk lets go."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from planted import Stage

from neurotrace.runner import lease_files, leases
from neurotrace.store import ActivationStore, replacing
from neurotrace.trajectories import attach, part_files, read_scores
from neurotrace.trajectories.parts import Parts


@pytest.fixture(autouse=True)
def hung_at_once() -> Iterator[None]:
    """What seems to have lapsed has."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(leases, "WATCHED", 1e-6)
        yield


@pytest.fixture
def run(tmp_path: Path) -> Path:
    stage = Stage(n_concepts=2, n_groups=4, n_langs=2, widths=(8,))
    stage.write(tmp_path / "run", {16: np.random.default_rng(0).random((len(stage.lang), 8))})
    return tmp_path / "run"


def parts_of(run: Path) -> Parts:
    parts = attach(ActivationStore.open(run)).parts
    assert parts is not None
    return parts


def keep(run: Path, *names: str) -> None:
    for name in names:
        parts_of(run).get(16, name, lambda name=name: xr.Dataset({"value": len(name)}))


def lapse(run: Path) -> None:
    then = time.time() - 3600
    for left in lease_files.folder(run / "scores").glob("scores_*"):
        os.utime(left, (then, then))


@pytest.mark.parametrize("moment", ["reads", "checks", "names"])
def test_one_who_hangs_while_it_folds_takes_nothing_from_its_heirs_file(
    moment: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(run, "old", "older")
    owner, name = {
        "reads": (part_files, "_copy"),
        "checks": (replacing, "sync"),
        "names": (Path, "replace"),
    }[moment]
    then: Any = getattr(owner, name)

    def hung(*given: Any) -> Any:
        monkeypatch.undo()
        lapse(run)
        keep(run, "newer")
        parts_of(run).fold(16)
        return then(*given)

    monkeypatch.setattr(owner, name, hung)
    parts_of(run).fold(16)
    assert sorted(read_scores(run, 16)) == ["newer", "old", "older"]
    assert [file.name for file in (run / "scores").iterdir()] == ["0000_step16.h5"]


def test_one_who_hangs_before_it_removes_what_it_folded_leaves_that_to_its_heir(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(run, "old")
    sync = replacing.sync

    def hung(path: Path) -> None:
        sync(path)
        if path.is_dir():  # the last step of putting a file in place
            lapse(run)
            heir = leases.try_hold(run / "scores_0000_step16")
            assert heir is not None
            heir.release()

    monkeypatch.setattr(replacing, "sync", hung)
    parts_of(run).fold(16)
    assert len(list((run / "scores" / "0000_step16").glob("*.h5"))) == 1
    monkeypatch.undo()
    parts_of(run).fold(16)
    assert sorted(read_scores(run, 16)) == ["old"]


def test_a_torn_part_is_named_and_no_part_is_removed(run: Path) -> None:
    keep(run, "good", "torn")
    files = sorted((run / "scores" / "0000_step16").glob("*.h5"))
    with h5py.File(files[1], "r+") as h5:
        (digest,) = h5["torn"]
        h5[f"torn/{digest}/value"][...] = 7
    with pytest.raises(ValueError, match=r"got 0000_step16/torn\..*\.h5, which is damaged"):
        parts_of(run).fold(16)
    assert sorted((run / "scores" / "0000_step16").glob("*.h5")) == files
    assert [file.name for file in (run / "scores").iterdir()] == ["0000_step16"]
    files[1].unlink()
    keep(run, "torn")
    parts_of(run).fold(16)
    assert sorted(read_scores(run, 16)) == ["good", "torn"]


def test_every_folder_on_the_way_to_a_part_is_kept_by_the_disk(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Path] = []
    monkeypatch.setattr(part_files, "sync", kept.append)
    keep(run, "part")
    folder = run / "scores" / "0000_step16"
    assert kept[0].suffix == ".draft"
    assert kept[1:] == [folder, run / "scores", run]
    monkeypatch.setattr(replacing, "sync", kept.append)
    parts_of(run).fold(16)
    assert kept[-1] == run / "scores"
