"""Which files are the weights, by whatever names a repository has cut them into."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_server import HubServer, point_at
from hub_suites import checkpoint, impatient
from safetensors.numpy import save_file

from neurotrace.checkpoints import Shelf, audit, find, weights_mark

SHARDS = ("model_00001-of-00002.safetensors", "model_00002-of-00002.safetensors")
LEFT = "model-00001-of-00003.safetensors"  # of an upload in other pieces


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, tmp_path / "cache")
        impatient(monkeypatch)
        yield tmp_path / "hub"


def cut(folder: Path, *, seed: int, names: tuple[str, ...], left: tuple[str, ...] = ()) -> None:
    """A checkpoint in shards, beside shards that its index does not name."""
    checkpoint(folder, seed=seed)
    (folder / "model.safetensors").unlink()
    rng = np.random.default_rng(seed)
    for name in (*names, *left):
        save_file({name: rng.normal(size=(10, 10)).astype("f4")}, folder / name)
    index = {"weight_map": {name: name for name in names}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_shards_with_an_underscore_are_whole(root: Path) -> None:
    for step in range(4):
        cut(root / f"org/suite/step{step}", seed=step, names=SHARDS)
    series = find("org/suite")
    assert set(audit(series)["verdict"]) == {"ok"}
    with Shelf(series).at_hand(series[0]) as folder:
        assert all((folder / name).is_file() for name in SHARDS)


def test_a_mark_is_the_same_once_the_index_is_here(root: Path) -> None:
    names = tuple(name.replace("_0", "-0") for name in SHARDS)
    cut(root / "org/suite/step0", seed=0, names=names, left=(LEFT,))
    series = find("org/suite")
    before = weights_mark(series[0])
    with Shelf(series).at_hand(series[0]) as folder:
        assert not (folder / LEFT).exists()
        assert weights_mark(series[0]) == before
