"""What a repair waits for, what it leaves alone, and what is swept away in the end."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from neurotrace import mending
from neurotrace.config import TraceConfig
from neurotrace.config_file import save_config
from neurotrace.runner.leases import try_hold

ROAD = SimpleNamespace(captured=object())  # whose activations lie elsewhere
FACTS = {"concepts_digest": "d", "series": ["step0"], "weights": {"step0": "w"}}
CONFIG = TraceConfig(source="s", out="o")


def written(out: Path, *names: str) -> None:
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)


@pytest.mark.parametrize(
    ("harmed", "lease"),
    [
        ("scores/0007_step512.h5", "scores_0007_step512"),
        ("scores/0007_step512/experts.1f.h5", "scores_0007_step512"),
        ("causes/0007_step512-1f.h5", "causes_0007_step512-1f"),
        ("results.h5", "results.h5"),
    ],
)
def test_a_repair_waits_for_whoever_makes_a_file(
    tmp_path: Path, harmed: str, lease: str, capfd: pytest.CaptureFixture
) -> None:
    written(tmp_path, harmed)
    held = try_hold(tmp_path / lease)
    assert held is not None
    repair = threading.Thread(target=mending.repair, args=(ROAD, tmp_path))
    repair.start()
    repair.join(0.5)
    assert repair.is_alive()
    assert (tmp_path / harmed).is_file()
    held.release()
    repair.join(30)
    assert (tmp_path / f"{harmed}.broken-1").is_file()
    assert f"at work on {lease}" in capfd.readouterr().err
    assert [str(one.parent) for one in tmp_path.rglob(".leases")] == [str(tmp_path)]


def test_a_repair_removes_what_was_begun_of_results_only_where_something_was_harmed(
    tmp_path: Path,
) -> None:
    written(tmp_path, "results.h5.partial")
    assert mending.repair(ROAD, tmp_path) == []
    assert (tmp_path / "results.h5.partial").is_file()
    written(tmp_path, "causes/0000_step0-1f.h5")
    (told,) = mending.repair(ROAD, tmp_path)
    assert told.startswith("causes/0000_step0-1f.h5 cannot be read")
    assert not (tmp_path / "results.h5.partial").exists()


def test_what_killed_processes_left_is_swept_away_and_nothing_else(tmp_path: Path) -> None:
    left = (
        "results.h5.0a1b2c3d.partial", ".trace.json.partial", "0007_step512.h5.stripping",
        "0007_step512.h5.0a1b2c3d.stripping", "causes/0007_step512-1f.h5.0a1b2c3d.partial",
        "scores/0a1b2c3d.draft", "scores/0007_step512.0a1b2c3d.draft",
        "scores/0007_step512/0a1b2c3d.draft",
    )  # fmt: skip
    kept = ("0007_step512.h5", "0007_step512.h5.broken-1", "scores/0007_step512.h5", "report.html")
    written(tmp_path, *left, *kept)
    mending.sweep(tmp_path)
    found = {one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*") if one.is_file()}
    assert found == set(kept)


MADE = ("causes/0000_step0-1f.h5", "interventions/a.json", "tuning/all/a.json", "results.h5")


@pytest.mark.parametrize("before", [0, 1])
def test_without_settings_to_compare_with_what_was_made_is_kept_under_another_name(
    tmp_path: Path, before: int, capsys: pytest.CaptureFixture
) -> None:
    for number in range(before):
        (tmp_path / f"causes.broken-{number + 1}").mkdir()
    written(tmp_path, *MADE, "results.h5.partial")
    save_config(CONFIG, tmp_path, FACTS)
    folder = tmp_path / f"causes.broken-{before + 1}"
    assert [one.name for one in folder.iterdir()] == ["0000_step0-1f.h5"]
    assert (tmp_path / "tuning.broken-1" / "all" / "a.json").is_file()
    assert (tmp_path / "results.h5.broken-1").is_file()
    assert capsys.readouterr().err.count("is kept as") == 4
    assert not (tmp_path / "results.h5.partial").exists()
    assert (tmp_path / "trace.json").is_file()


@pytest.mark.parametrize("name", [MADE[0], "results.h5.partial"])
def test_nothing_is_moved_under_the_hands_of_a_run_at_work(tmp_path: Path, name: str) -> None:
    written(tmp_path, name)
    lease = try_hold(tmp_path / "run-1f")
    assert lease is not None
    with pytest.raises(ValueError, match=r"without trace.json, in which host .* is at work"):
        save_config(CONFIG, tmp_path, FACTS)
    assert (tmp_path / name).is_file()
    lease.release()
    save_config(CONFIG, tmp_path, FACTS)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"config": null}', '{"config": [1]}'])
def test_settings_that_say_nothing_are_damaged_for_everybody(tmp_path: Path, text: str) -> None:
    judged: Callable[[], object] = lambda: save_config(CONFIG, tmp_path, FACTS)  # noqa: E731
    (tmp_path / "trace.json").write_text(text)
    with pytest.raises(ValueError, match="damaged trace.json"):
        judged()
    assert mending.settings(tmp_path) == [
        "trace.json is damaged; it is kept as trace.json.broken-1"
    ]
    judged()
    assert mending.settings(tmp_path) == []
