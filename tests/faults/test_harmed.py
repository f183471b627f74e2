"""Runs whose files were harmed after they were written."""

import shutil
from pathlib import Path

import pytest
from faults.conftest import Begin
from faults.forge import Forge
from faults.harm import WAYS
from faults.small_road import arguments, same

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


@pytest.fixture(scope="module", params=["scores", "states"])
def stripped(request: pytest.FixtureRequest, forge: Forge) -> tuple[str, Path]:
    """An undisturbed run that lets go of activations. Not to be changed."""
    keep, out = request.param, forge.folder / request.param
    run = forge.start(arguments(forge.source, out, "--keep", keep))
    assert run.wait() == 0, run.said
    return keep, out


def copied(forge: Forge, out: Path, *, finished: bool, of: Path | None = None) -> Path:
    """An undisturbed run under another name, its results and scores made or still to make."""
    whole = of or forge.whole
    shutil.copytree(whole, out)
    settings = out / "trace.json"
    settings.write_text(settings.read_text().replace(str(whole), str(out)))
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
    assert not list(out.rglob(".leases"))


def test_checkpoints_whose_scores_were_harmed_are_captured_again_where_nothing_else_is_kept(
    stripped: tuple[str, Path], begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    keep, whole = stripped
    out = copied(forge, tmp_path / "run", finished=True, of=whole)
    WAYS["flipped"](out / "scores" / "0001_step16.h5")
    WAYS["truncated"](out / "scores" / "twin.h5")
    (out / "scores" / "0002_step512.h5").unlink()
    run = begin("--keep", keep, "--repair")
    assert run.wait() == 0, run.said
    assert run.said.count("and captured again") == 3
    for name in ("0001_step16.h5", "twin.h5", "scores/0001_step16.h5", "scores/twin.h5"):
        assert (out / f"{name}.broken-1").is_file(), run.said
    assert "0002_step512.h5 was not kept, and its scores are gone; it is kept as" in run.said
    assert not list(out.glob("0000_*.broken-*"))
    same(out, whole)


def test_other_settings_are_refused_before_a_repair_sets_anything_aside(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = copied(forge, tmp_path / "run", finished=True)
    for name in ("concepts.jsonl", "0001_step16.h5", "results.h5"):
        WAYS[ALL[name]](out / name)
    run = begin("--repair", "--top", "20")
    assert run.wait() == 2, run.said
    assert "begun with another trace: top" in run.last
    assert not list(out.rglob("*.broken-*"))


def test_experiments_of_a_run_whose_settings_were_harmed_are_kept_aside(
    begin: Begin, forge: Forge, tmp_path: Path
) -> None:
    out = copied(forge, tmp_path / "run", finished=True)
    for folder in ("causes", "interventions"):
        (out / folder).mkdir()
        shutil.copy(out / "results.h5", out / folder / "0001_step16-1f.h5")
    WAYS["garbled"](out / "trace.json")
    run = begin("--repair")
    assert run.wait() == 0, run.said
    for folder in ("causes", "interventions"):
        assert (out / f"{folder}.broken-1" / "0001_step16-1f.h5").is_file(), run.said
    assert "causes was made with settings that are not known any more; it is kept as" in run.said
    assert (out / "results.h5.broken-1").is_file()
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
