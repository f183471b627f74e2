"""What of a trace is to be done, where, and by whom: read off its files."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_lab import QUICK, assert_same, smaller

from neurotrace import stages
from neurotrace.config import TraceConfig
from neurotrace.road import Road, SharesLeft, prepare
from neurotrace.store import ActivationStore
from neurotrace.store.match import TWIN
from neurotrace.trace import main, parse


@pytest.fixture(scope="module")
def source(tiny_lab, tmp_path_factory) -> Path:
    return smaller(tiny_lab, tmp_path_factory.mktemp("small") / "lab")


@pytest.fixture(scope="module")
def made(source, tmp_path_factory) -> Path:
    """A finished run. Not to be changed."""
    out = tmp_path_factory.mktemp("made") / "run"
    assert main(["--source", str(source), "--out", str(out), *QUICK]) == 0
    return out


@pytest.fixture
def run(made, tmp_path) -> Path:
    """The same as it was before anything was scored."""
    out = tmp_path / "run"
    shutil.copytree(made, out, ignore=shutil.ignore_patterns("scores", "results.h5", "*.html"))
    return out


def road_of(source: Path, out: Path, *more: str) -> Road:
    return prepare(parse(["--source", str(source), "--out", str(out), *QUICK, *more]))


def test_a_place_is_read_off_the_configuration(tmp_path):
    options = ("time=120", "comment=a=b")
    config = TraceConfig(executor="slurm", workers=8, executor_options=options)
    place = stages.place(config, tmp_path)
    assert (place.kind, place.workers) == ("slurm", 8)
    folder = str(tmp_path / ".slurm")
    assert place.options == {"time": "120", "comment": "a=b", "folder": folder}
    told = stages.place(replace(config, executor_options=("folder=jobs",)), tmp_path)
    assert told.options == {"folder": "jobs"}
    assert stages.place(TraceConfig(), tmp_path).options == {}


def test_shares_are_disjoint_and_together_all_files_with_the_twin(source, tmp_path):
    everything = ["0000_step0.h5", "0001_step64.h5", "0002_step256.h5", TWIN]
    shares = [
        stages.share(road_of(source, tmp_path / "run", "--shard", f"{n}/3")) for n in range(3)
    ]
    assert shares == [[everything[0], TWIN], [everything[1]], [everything[2]]]
    assert stages.share(road_of(source, tmp_path / "run")) == everything


def test_what_is_left_shrinks_with_every_share_and_then_the_whole_is_there(source, run):
    first, second = (road_of(source, run, "--shard", f"{n}/2") for n in (0, 1))
    store = ActivationStore.open(run)
    scorer = stages.Scorer(first, run)
    files = {unit.file for unit in scorer.left(store)}
    assert files == {"0000_step0.h5", "0001_step64.h5", "0002_step256.h5", TWIN}
    stages.score(first, store, run)
    assert {unit.file for unit in scorer.left(store)} == {"0001_step64.h5", TWIN}
    with pytest.raises(SharesLeft, match=r"share 0/2 is done; 2 more .* \(0001_step64, twin\)"):
        stages.whole(first, run)
    stages.score(second, store, run)
    assert scorer.left(store) == []
    assert stages.whole(second, run).steps == [0, 64, 256]


def test_a_checkpoint_that_is_missing_is_named_before_what_is_not_scored(source, run):
    (run / "0001_step64.h5").unlink()
    with pytest.raises(SharesLeft, match=r"1 more to come from others \(step64\)"):
        stages.whole(road_of(source, run, "--shard", "0/2"), run)
    (run / "twin.h5").unlink()
    shutil.copy(run / "0000_step0.h5", run / "0001_step64.h5")
    with pytest.raises(SharesLeft, match=r"others \((step64|the twin)\)"):
        stages.whole(road_of(source, run, "--shard", "0/2"), run)


def test_serial_leaves_scoring_to_the_results(source, run):
    stages.score(road_of(source, run), ActivationStore.open(run), run)
    assert not (run / "scores").exists()


def test_the_state_of_a_run_is_counted(made, run, tmp_path):
    assert stages.state(run) == "3 checkpoints captured, 0 scored, 0 results made"
    told = stages.state(made)
    assert told.startswith("3 checkpoints captured, 3 scored, ")
    assert not told.endswith(" 0 results made")
    scores, other = run / "scores", made / "scores"
    (scores / "0001_step64").mkdir(parents=True)
    assert " 0 scored, 0 results" in stages.state(run)  # nothing is in it
    shutil.copy(other / "0001_step64.h5", scores / "0001_step64" / "experts.1f.h5")
    shutil.copy(other / "0000_step0.h5", scores / "0000_step0.h5")
    shutil.copy(other / "0000_step0.h5", scores / "0000_step0.h5.broken-1")
    shutil.copy(other / "0000_step0.h5", scores / "0002_step256.h5.broken-1")
    assert ", 1 scored, 1 being scored, 0 results made" in stages.state(run)
    assert stages.state(tmp_path / "none").startswith("0 checkpoints captured, 0 scored, 0")


@pytest.mark.parametrize("scored", [False, True])
def test_a_captured_run_is_shared_out_like_any_other(made, run, tmp_path, scored):
    """Scores are found beside it where there are some, and else are this run's own."""
    source = made if scored else run
    rest = ["--analyses", "expertise", "retrieval", "--splits", "2", "--checkpoints", "64,256"]
    serial, out = tmp_path / "serial", tmp_path / "out"
    assert main(["--source", str(source), "--out", str(serial), *rest]) == 0
    for shard in ("0/2", "1/2"):
        assert main(["--source", str(source), "--out", str(out), *rest, "--shard", shard]) == 0
    assert (out / "report.html").read_bytes() == (serial / "report.html").read_bytes()
    assert (out / "scores").is_dir() != scored


def test_the_copy_of_a_finished_run_is_equal_and_one_of_other_values_is_not(made, run, tmp_path):
    """The comparison by which executors are judged can fail."""
    shutil.copytree(made, tmp_path / "same")
    assert_same(tmp_path / "same", made)
    with pytest.raises((AssertionError, OSError)):
        assert_same(run, made)
    page = tmp_path / "same" / "report.html"
    page.write_text(page.read_text("utf-8") + " ", encoding="utf-8")
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "same", made)
