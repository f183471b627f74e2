"""Room for what many checkpoints share, and a cache that belongs to somebody else."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer, point_at
from hub_suites import CONFIG, checkpoint, impatient

from neurotrace.checkpoints import Shelf, find

WEIGHTS, VOCABULARY = 10_000, 1_000_000


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    for step in range(12):
        folder = checkpoint(tmp_path / f"hub/org/suite/step{step}", seed=step, size=WEIGHTS)
        (folder / "tokenizer.json").write_bytes(b"x" * VOCABULARY)
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, tmp_path / "cache")
        impatient(monkeypatch)
        yield server


def test_a_file_that_all_checkpoints_share_takes_its_room_once_while_it_is_on_its_way() -> None:
    series = find("org/suite")
    small = VOCABULARY + CONFIG["config.json"] + CONFIG["generation_config.json"]
    shelf = Shelf(series, budget=small + WEIGHTS)
    shelf.refuse_poor_budget(series)
    shelf.small_of_all(series)
    for step in series:
        with shelf.at_hand(step):
            assert shelf.room.n_bytes == small + WEIGHTS


def test_a_whole_snapshot_in_a_cache_of_others_serves_without_its_branch_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = find("org/suite")
    with Shelf(series).at_hand(series[0]):
        (tmp_path / "cache/hub/models--org--suite/refs/step0").unlink()
    monkeypatch.setattr(Path, "open", refusing(Path.open))
    monkeypatch.setattr(Path, "write_text", refusing(Path.open))
    with Shelf(series).at_hand(series[0]) as folder:
        assert (folder / "model.safetensors").is_file()


def test_a_price_leaves_no_trace_in_the_cache(tmp_path: Path) -> None:
    series = find("org/suite")
    shelf = Shelf(series, budget=10 * VOCABULARY)
    assert shelf.price(series).n_files == 15  # every file once, whoever shares it
    assert not list((tmp_path / "cache/hub").glob("models--*"))


def refusing(opener: Any) -> Any:
    def opened(self: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        if mode not in ("r", "rb"):
            raise OSError(errno.EROFS, "Read-only file system")
        return opener(self, mode, *more, **options)

    return opened
