"""A pinned series answers without a network, whatever was pushed while it was brought."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_server import HubServer, point_at
from hub_suites import checkpoint, impatient, suite
from huggingface_hub.utils import close_session
from safetensors.numpy import save_file

from neurotrace.checkpoints import audit, find, hub
from neurotrace.checkpoints.__main__ import main
from neurotrace.checkpoints.prefetch import prefetch


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    (tmp_path / "hub").mkdir()
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, tmp_path / "cache")
        impatient(monkeypatch)
        yield server


def serve(server: HubServer, name: str, value: float) -> None:
    """A branch whose weights are one number, and whose other files are its own."""
    folder = checkpoint(server.root / "org/suite" / name, seed=0)
    save_file({"w": np.full((8, 8), value)}, folder / "model.safetensors")
    (folder / "README.md").write_text(name)


def cut_off(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """End the network, and forget what is not on disk; returns every attempt to connect."""
    attempts: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        attempts.append(address)
        raise OSError("the network is cut")

    close_session()  # a connection that is open already would go on
    monkeypatch.setattr(socket.socket, "connect", refuse)
    hub._known.clear()
    return attempts


@pytest.mark.parametrize("offline", [False, True])
def test_after_prefetch_an_audit_knows_what_main_serves(
    server: HubServer, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    from huggingface_hub import constants

    for name, value in (("step0", 0.0), ("step16", 1.0), ("step32", 2.0), ("main", 1.0)):
        serve(server, name, value)
    assert main(["prefetch", "org/suite"]) == 0
    shutil.rmtree(constants.HF_ASSETS_CACHE)  # what is pinned is enough
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    attempts = cut_off(monkeypatch)
    table = audit(find("org/suite"))
    assert table["verdict"].tolist() == ["ok", "ok", "ok"]
    assert table["note"].tolist() == ["", "the branch main serves these weights too", ""]
    assert not attempts


def test_offline_an_audit_does_without_a_main_that_is_not_here(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, snapshot_download

    for name in ("step0", "step16", "main"):
        serve(server, name, float(len(name)))
        snapshot_download("org/suite", revision=name)
    shutil.rmtree(hub.snapshot_path("org/suite", server.commit("org/suite", "main")))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    cut_off(monkeypatch)
    assert audit(find("org/suite"))["verdict"].tolist() == ["ok", "ok"]


def test_what_is_pushed_during_a_prefetch_is_left_for_the_next(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    suite(server.root, (0, 16, 32))
    series = find("org/suite")
    suite(server.root, (48,))
    prefetch(series)
    shutil.rmtree(constants.HF_ASSETS_CACHE)
    attempts = cut_off(monkeypatch)
    assert find("org/suite") == series
    assert not attempts
