"""A series brought for good: kept whatever the budget, and used without a network."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Faults, HubServer, point_at
from hub_suites import CONFIG, SIZE, checkpoint, impatient, suite
from huggingface_hub.utils import close_session

from neurotrace.checkpoints import find, hub
from neurotrace.checkpoints.__main__ import main
from neurotrace.checkpoints.prefetch import prefetch
from neurotrace.checkpoints.room import CacheFull
from neurotrace.checkpoints.shelf import Shelf

SMALL = sum(CONFIG.values())
STEPS = (0, 16, 32)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    suite(tmp_path / "hub", STEPS)
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, cache)
        impatient(monkeypatch)
        yield server


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to connect from now on, each of which fails."""
    attempts: list[object] = []

    def refuse(self: socket.socket, address: object) -> None:
        del self
        attempts.append(address)
        raise OSError("the network is cut")

    def look_up(host: object, *_: object, **__: object) -> None:
        attempts.append(host)
        raise socket.gaierror("the network is cut")

    def end_of_the_line() -> list[object]:
        close_session()  # a connection that is open already would go on
        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket.socket, "connect_ex", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        hub._known.clear()
        return attempts

    attempts.append(end_of_the_line)
    return attempts


def network_cut(cut: list[object]) -> list[object]:
    end = cut.pop()
    assert callable(end)
    return end()


@pytest.mark.usefixtures("server")
def test_the_test_of_a_cut_network_can_fail(cut: list[object]) -> None:
    network_cut(cut)
    with pytest.raises(hub.HubError):
        find("org/suite")
    assert cut


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("offline", [False, True])
def test_after_prefetch_no_connection_is_attempted(
    cut: list[object], monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    from huggingface_hub import constants

    freight = prefetch(find("org/suite"))
    assert (freight.n_files, freight.n_bytes) == (6, 3 * SIZE + SMALL)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    attempts = network_cut(cut)
    series = find("org/suite")
    shelf = Shelf(series, budget=2 * SIZE)
    shelf.small_of_all(series)
    assert shelf.price(series).n_files == 0
    for here, then in zip(series, [*series[1:], None], strict=True):
        with shelf.at_hand(here, then=then) as folder:
            assert (folder / "model.safetensors").stat().st_size == SIZE
    assert not attempts


@pytest.mark.usefixtures("server")
def test_offline_without_prefetch_what_was_brought_is_used_and_the_rest_named(
    cut: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    series = find("org/suite")
    with Shelf(series).at_hand(series[0]):
        pass
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    attempts = network_cut(cut)
    here = find("org/suite")
    assert [checkpoint.step for checkpoint in here] == [0]
    with Shelf(here).at_hand(here[0], then=series[1]) as folder:
        assert (folder / "model.safetensors").is_file()
    with pytest.raises(OSError, match="prefetch it while online"):
        with Shelf(series).at_hand(series[1]):
            pass
    assert not attempts


@pytest.mark.usefixtures("server")
def test_what_was_prefetched_is_outside_of_every_budget_and_never_evicted() -> None:
    series = find("org/suite")
    with Shelf(series).at_hand(series[0]):
        pass
    prefetch(series[:1])
    shelf = Shelf(series, budget=SIZE, ahead=False)
    assert shelf.room.n_bytes == 0
    for each in (*series, *series):
        with shelf.at_hand(each):
            pass
    here = [(each.path / "model.safetensors").is_file() for each in series]
    assert here == [True, False, True]
    assert shelf.room.n_bytes == SIZE


def test_a_prefetch_that_failed_goes_on_where_it_stopped(server: HubServer, cache: Path) -> None:
    series = find("org/suite")
    server.faults = Faults(rate=1, kinds=("500",), match="cdn.*step32")
    with pytest.raises(hub.HubError, match="model.safetensors of org/suite"):
        prefetch(series)
    assert hub.kept_listing("org/suite") is None
    server.faults, asked = None, len(server.requests)
    freight = prefetch(series)
    assert (freight.n_files, freight.n_bytes, freight.n_here) == (1, SIZE, 2 * SIZE + SMALL)
    wanted = [request for request in server.requests[asked:] if "/cdn/" in request.path]
    assert {request.path for request in wanted} == {"/cdn/org/suite/step32/model.safetensors"}
    assert not list(cache.glob("hub/*/blobs/*.incomplete"))


def test_a_disk_that_is_too_small_is_refused_before_anything_is_brought(
    server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurotrace.checkpoints import room

    series = find("org/suite")
    monkeypatch.setattr(room, "_free", lambda: 100_000)
    with pytest.raises(CacheFull, match="too small: 185,050 bytes needed, 100,000 free"):
        prefetch(series)
    with Shelf(series).at_hand(series[0]):
        monkeypatch.setattr(room, "_free", lambda: 50_000)
        with pytest.raises(CacheFull, match="60,000 bytes needed for step16, 50,000 free"):
            Shelf(series).keep(series[1])
    assert not [r for r in server.requests if "/cdn/" in r.path and "step16" in r.path]
    assert not list(cache.glob("hub/*/blobs/*.incomplete"))


def test_the_command_brings_a_selection_and_refreshes_what_was_pinned(
    server: HubServer, capsys: pytest.CaptureFixture
) -> None:
    assert main(["prefetch", "org/suite", "--checkpoints", "0,16", "--dry-run"]) == 0
    assert "5 files, 125.0 kB (0.0 kB here already)" in capsys.readouterr().out
    assert main(["prefetch", "org/suite", "--checkpoints", "0,16"]) == 0
    told = capsys.readouterr()
    assert "2 checkpoints of org/suite are here: 5 files, 125.0 kB downloaded" in told.out
    assert "step16: 60.0 kB downloaded" in told.err
    checkpoint(server.root / "org/suite/step64", seed=64)
    assert [each.step for each in find("org/suite")] == [0, 16, 32]
    assert main(["prefetch", "org/suite"]) == 0
    assert "4 checkpoints" in capsys.readouterr().out
    assert [each.step for each in find("org/suite")] == [0, 16, 32, 64]


def test_the_command_says_in_one_line_what_is_wrong(
    server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["prefetch", "org/none"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["prefetch", "org/suite", "--checkpoints", "7"]) == 2
    assert "got checkpoint 7" in capsys.readouterr().err
    assert main(["prefetch", str(server.root / "org/suite")]) == 0
    assert "local folders, nothing to download" in capsys.readouterr().err
    assert main(["prefetch", str(tmp_path / "no such folder")]) == 2
