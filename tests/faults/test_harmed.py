"""Runs whose files were harmed after they were written."""

import shutil
from pathlib import Path

import pytest
from faults.conftest import Begin
from faults.forge import Forge
from faults.harm import WAYS
from faults.small_road import same

CASES = [
    ("0001_step16.h5", "truncated"),
    ("0001_step16.h5", "flipped"),
    ("0001_step16.h5", "foreign"),
    ("twin.h5", "truncated"),
    ("scores/0001_step16.h5", "flipped"),
    ("scores/0001_step16.h5", "truncated"),
    ("results.h5", "flipped"),
    ("results.h5", "foreign"),
    ("concepts.jsonl", "garbled"),
    ("trace.json", "garbled"),
]
ALL = dict(CASES)  # one way for each file


def copied(forge: Forge, out: Path, *, finished: bool) -> Path:
    """An undisturbed run under another name, its results and scores made or still to make."""
    shutil.copytree(forge.whole, out)
    settings = out / "trace.json"
    settings.write_text(settings.read_text().replace(str(forge.whole), str(out)))
    if not finished:
        (out / "results.h5").unlink()
        (out / "report.html").unlink()
    return out


@pytest.mark.parametrize(("name", "way"), CASES)
def test_a_harmed_file_is_refused_by_name_with_what_mends_it(
    name: str, way: str, begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = copied(forge, tmp_path / "run", finished=name in ("results.h5", "trace.json"))
    if way == "flipped" and name.startswith("0"):
        shutil.rmtree(out / "scores")  # what was scored is not read again
    WAYS[way](out / name)
    run = begin()
    assert run.wait() == 2, run.said
    assert name.rsplit("/", maxsplit=1)[-1] in run.last
    assert "--repair" in run.last
    assert "Traceback" not in run.said


def test_a_repaired_run_equals_an_undisturbed_one_and_keeps_what_was_harmed(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = copied(forge, tmp_path / "run", finished=True)
    for name, way in ALL.items():
        WAYS[way](out / name)
    run = begin("--repair")
    assert run.wait() == 0, run.said
    for name in ALL:
        assert (out / f"{name}.broken-1").is_file(), run.said
        assert f"it is kept as {name.split('/')[-1]}.broken-1" in run.said
    same(out, forge.whole)


def test_a_finished_run_is_read_although_what_is_not_needed_was_harmed(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = copied(forge, tmp_path / "run", finished=True)
    for name in ("0001_step16.h5", "twin.h5", "scores/0001_step16.h5", "concepts.jsonl"):
        WAYS[ALL[name]](out / name)
    run = begin()
    assert run.wait() == 0, run.said
    assert run.last == str(out / "report.html")


def test_a_whole_run_is_left_as_it_is_by_a_repair(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = copied(forge, tmp_path / "run", finished=True)
    run = begin("--repair")
    assert run.wait() == 0, run.said
    assert "every file is as it was written" in run.said
    assert not list(out.rglob("*.broken-*"))
    same(out, forge.whole)
