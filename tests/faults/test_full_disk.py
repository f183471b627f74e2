"""Disks that are full or cannot be written, and file systems without locks."""

import shutil
from pathlib import Path

import pytest
from faults.conftest import Begin
from faults.forge import Forge
from faults.small_disk import read_only, small
from faults.small_road import same


@pytest.mark.parametrize(("point", "nth"), [("capture", 1), ("scoring", 2), ("keeping", 3)])
def test_a_disk_that_fills_up_is_told_in_one_line_and_loses_nothing(
    point: str, nth: int, begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    with small(tmp_path / "disk", 12) as disk:
        run = begin(out=disk / "run", traps=[["at", point, nth, "full", str(disk)]])
        assert run.wait() == 1, run.said
        assert run.last.startswith("neurotrace: the disk of ")
        assert "is full" in run.last
        assert "Traceback" not in run.said
        before = {file.name for file in (disk / "run").glob("*.h5")}
        # The file that was being written had all its blocks already.
        assert len(before) == {"capture": 1, "scoring": 4, "keeping": 4}[point]
        (disk / "ballast").unlink()
        again = begin(out=disk / "run")
        assert again.wait() == 0, again.said
        assert again.said.count("was captured already") == len(before)
        same(disk / "run", forge.whole)


def test_a_finished_run_that_cannot_be_written_shows_its_table(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(forge.whole, out)
    (out / "trace.json").write_text(
        (out / "trace.json").read_text().replace(str(forge.whole), str(out))
    )
    with read_only(out):
        run = begin()
        assert run.wait() == 0, run.said
        assert run.last == str(out / "report.html")
    same(out, forge.whole)


def test_an_unfinished_run_that_cannot_be_written_says_so_in_one_line(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(forge.whole, out)
    (out / "results.h5").unlink()
    (out / "0002_step512.h5").unlink()
    with read_only(out):
        run = begin()
        assert run.wait() in (1, 2), run.said
        assert "cannot be written" in run.last
        assert "Traceback" not in run.said
    assert begin().wait() == 0
    same(out, forge.whole)


def test_a_file_system_without_locks_is_explained(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    run = begin(traps=[["at", "keeping", 2, "unlocked"]])
    assert run.wait() == 1
    assert "results.h5" in run.last
    assert "HDF5_USE_FILE_LOCKING=FALSE" in run.last
    assert begin().wait() == 0
    same(tmp_path / "run", forge.whole)
