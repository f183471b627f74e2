"""A deep audit of a suite on the Hub: what is read there, and what only files that are here say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_server import HubServer, point_at
from hub_suites import checkpoint, impatient
from safetensors.numpy import save_file

from neurotrace.checkpoints import Checkpoint, Shelf, audit, find


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    walk = np.random.default_rng(0).normal(size=(4, 16, 16)).cumsum(0)
    for name, at in {"step0": 0, "step1000": 1, "step2000": 2, "step3000": 3, "main": 2}.items():
        folder = checkpoint(tmp_path / "hub/org/suite" / name, seed=0)
        save_file({"w": walk[at]}, folder / "model.safetensors")
        (folder / "README.md").write_text(name)
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, tmp_path / "cache")
        impatient(monkeypatch)
        yield server


@pytest.mark.parametrize("brought", [False, True])
def test_what_main_serves_is_noted_also_where_weights_were_read(brought: bool) -> None:
    series = find("org/suite")
    table = audit(series, deep=True, shelf=Shelf(series) if brought else None)
    assert table["note"].tolist() == ["", "", "the branch main serves these weights too", ""]


def test_a_loss_is_asked_only_of_checkpoints_that_are_here() -> None:
    series = find("org/suite")
    with Shelf(series).at_hand(series[1]):
        pass

    def loss(checkpoint: Checkpoint) -> float:
        assert (checkpoint.path / "model.safetensors").is_file()
        return 1.0

    taken = audit(series, deep=True, loss=loss)["loss"]
    assert taken.notna().tolist() == [False, True, False, False]
