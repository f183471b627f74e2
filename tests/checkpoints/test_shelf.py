"""Checkpoints brought from a Hub, kept within a budget, and evicted."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Faults, HubServer, point_at
from hub_suites import CONFIG, SIZE, brought, checkpoint, gauged, impatient, shard, suite

from neurotrace.checkpoints import BrokenCheckpoint, find, fingerprint, hub
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.checkpoints.wanted import weights_mark

SMALL = sum(CONFIG.values())
FILES = {"model.safetensors", *CONFIG}
STEPS = (0, 16, 32, 64)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub with the suite ``org/suite`` of four steps."""
    suite(tmp_path / "hub", STEPS)
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, cache)
        impatient(monkeypatch)
        yield server


def weights_here() -> list[int]:
    """Steps whose weights lie in the cache."""
    return [c.step for c in find("org/suite") if (c.path / "model.safetensors").is_file()]


def downloads(server: HubServer) -> list[str]:
    return [request.path for request in server.requests if request.method == "GET"]


def test_only_what_a_checkpoint_needs_is_brought(server: HubServer) -> None:
    series = find("org/suite")
    with Shelf(series).at_hand(series[1]) as folder:
        assert folder == series[1].path
        assert brought(folder) == FILES
        source = server.root / "org/suite/step16/model.safetensors"
        assert (folder / "model.safetensors").read_bytes() == source.read_bytes()
    assert not series[0].path.exists()


def test_a_local_folder_is_simply_there(tmp_path: Path) -> None:
    suite(tmp_path, (1, 2), repo="run")
    series = find(tmp_path / "run")
    shelf = Shelf(series, budget=1)
    shelf.small_of_all(series)
    with shelf.at_hand(series[0], then=series[1]) as folder:
        assert folder == series[0].path
    assert str(shelf.price(series)).startswith("downloads               nothing")
    assert weights_mark(series[0]) == fingerprint(series[0].path)


def test_shards_are_those_that_the_index_names(server: HubServer) -> None:
    shard(server.root / "org/suite/step0", ["model-00001-of-00002.safetensors", "rest.safetensors"])
    (server.root / "org/suite/step0/stray.safetensors").write_bytes(b"no shard")
    series = find("org/suite")
    with Shelf(series).at_hand(series[0]) as folder:
        assert brought(folder) == {
            "model-00001-of-00002.safetensors", "rest.safetensors",
            "model.safetensors.index.json", *CONFIG,
        }  # fmt: skip


def test_small_files_come_without_weights_and_stay(server: HubServer) -> None:
    for step in STEPS:  # no two checkpoints share theirs
        (server.root / f"org/suite/step{step}/config.json").write_text(f"{step:030}")
    series = find("org/suite")
    shelf = Shelf(series, budget=SIZE + SMALL + 3 * CONFIG["config.json"])
    shelf.small_of_all(series)
    assert all(brought(checkpoint.path) == set(CONFIG) for checkpoint in series)
    for each in series:
        with shelf.at_hand(each):
            assert weights_here() == [each.step]
    assert all(set(CONFIG) <= brought(checkpoint.path) for checkpoint in series)


def test_a_series_with_faults_is_brought_within_its_budget_at_all_times(
    server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite(server.root, range(100, 108))
    server.faults = Faults(rate=0.2, seed=3, slow=0.01)
    series = find("org/suite")
    budget = 2 * SIZE + SMALL + 100
    shelf = Shelf(series, budget=budget)
    with gauged(monkeypatch, cache) as gauge:
        for here, then in itertools.pairwise([*series, None]):
            with shelf.at_hand(here, then=then) as folder:
                source = server.root / "org/suite" / str(here.revision)
                for name in FILES:
                    assert (folder / name).read_bytes() == (source / name).read_bytes()
    assert len(server.faults.done) > 10
    assert set(server.faults.done) == {"429", "500", "503", "cut", "slow"}
    assert gauge.n_read > 12 * SIZE / 4096
    assert SIZE + SMALL < gauge.peak <= budget


@pytest.mark.usefixtures("server")
def test_the_least_recently_used_goes_first_and_what_is_in_use_never() -> None:
    zero, one, two, three = find("org/suite")
    shelf = Shelf([zero, one, two, three], budget=3 * SIZE + SMALL, ahead=False)
    for each in (zero, one, two, zero):
        with shelf.at_hand(each):
            pass
    with shelf.at_hand(one), shelf.at_hand(three):
        assert weights_here() == [0, 16, 64]
    with shelf.at_hand(two):
        assert weights_here() == [16, 32, 64]
    with shelf.at_hand(one), shelf.at_hand(two), shelf.at_hand(three):
        with pytest.raises(ValueError, match=r"budget of 185,050 bytes; expected at least 245,050"):
            with shelf.at_hand(zero):
                pass
        assert weights_here() == [16, 32, 64]


@pytest.mark.usefixtures("server")
def test_what_others_downloaded_is_neither_counted_nor_evicted() -> None:
    from huggingface_hub import hf_hub_download

    series = find("org/suite")
    for each in series[:2]:
        hf_hub_download("org/suite", "model.safetensors", revision=each.revision)
    shelf = Shelf(series, budget=SIZE + SMALL, ahead=False)
    for each in (*series, *series):
        with shelf.at_hand(each):
            assert {0, 16} <= set(weights_here())
    assert weights_here() == [0, 16, 64]
    assert shelf.room.n_bytes == SIZE + SMALL
    assert shelf.price(series).peak == 2 * SIZE + SIZE + SMALL


def test_a_budget_below_one_checkpoint_is_refused_with_both_numbers(server: HubServer) -> None:
    series = find("org/suite")
    asked = len(downloads(server))
    with pytest.raises(ValueError, match=r"budget of 60,000 bytes; expected at least 65,050") as e:
        Shelf(series, budget=SIZE).price(series)
    assert "\n" not in str(e.value)
    assert not [path for path in downloads(server)[asked:] if "resolve" in path]
    with pytest.raises(ValueError, match="budget of 0 bytes; expected more than 0"):
        Shelf(series, budget=0)


def test_nothing_is_evicted_where_that_would_not_be_enough(server: HubServer) -> None:
    checkpoint(server.root / "org/suite/step99", seed=99, size=2 * SIZE)
    zero, one, *_, large = find("org/suite")
    shelf = Shelf([zero, one, large], budget=2 * SIZE + SMALL, ahead=False)
    with shelf.at_hand(zero):
        pass
    with shelf.at_hand(one):
        with pytest.raises(ValueError, match=r"budget of 125,050 bytes; expected at least 185,050"):
            with shelf.at_hand(large):
                pass
        assert weights_here() == [0, 16]


@pytest.mark.usefixtures("server")
def test_a_budget_for_one_means_that_nothing_is_fetched_ahead() -> None:
    series = find("org/suite")
    for budget, there in ((SIZE + SMALL, [0]), (2 * SIZE + SMALL, [0, 16])):
        shelf = Shelf(series, budget=budget)
        with shelf.at_hand(series[0], then=series[1]):
            _wait_for(shelf)
            assert weights_here() == there


def test_the_next_one_is_fetched_meanwhile(server: HubServer) -> None:
    series = find("org/suite")
    shelf = Shelf(series)
    with shelf.at_hand(series[0], then=series[2]):
        _wait_for(shelf)
        assert weights_here() == [0, 32]
        asked = len(server.requests)
    with shelf.at_hand(series[2]):
        assert len(server.requests) == asked


def test_what_is_fetched_in_vain_is_called_off(server: HubServer, cache: Path) -> None:
    server.faults = Faults(rate=1, kinds=("slow",), slow=0.5, match="cdn.*step16")
    series = find("org/suite")
    shelf = Shelf(series)
    with pytest.raises(KeyboardInterrupt), shelf.at_hand(series[0], then=series[1]):
        raise KeyboardInterrupt
    assert shelf._coming is None
    assert weights_here() == [0]
    assert not list(cache.glob("hub/*/blobs/*.incomplete"))
    with shelf.at_hand(series[2]):
        assert weights_here() == [0, 32]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_ahead_is_told_when_its_checkpoint_is_wanted(server: HubServer) -> None:
    server.truncate["org/suite", "step16", "model.safetensors"] = 100
    series = find("org/suite")
    shelf = Shelf(series)
    with shelf.at_hand(series[0], then=series[1]):
        _wait_for(shelf)
    with pytest.raises(hub.HubError, match="model.safetensors of org/suite"):
        with shelf.at_hand(series[1]):
            pass


def test_equal_weights_are_counted_once_and_stay_while_one_of_them_is_in_use(
    server: HubServer,
) -> None:
    checkpoint(server.root / "org/suite/step16", seed=0)  # a copy of step 0
    zero, one, two, _ = find("org/suite")
    assert weights_mark(zero) == weights_mark(one) != weights_mark(two)
    shelf = Shelf([zero, one, two], budget=2 * SIZE + SMALL, ahead=False)
    with shelf.at_hand(zero):
        asked = len(downloads(server))
        with shelf.at_hand(one), shelf.at_hand(two):
            assert shelf.room.n_bytes == 2 * SIZE + SMALL
            assert not [
                path for path in downloads(server)[asked:] if "cdn" in path and "16" in path
            ]
    tight = Shelf([zero, one, two], budget=SIZE + SMALL, ahead=False)
    with tight.at_hand(one):
        assert weights_here() == [0, 16]
    with tight.at_hand(two):
        assert weights_here() == [32]


def test_a_download_that_fails_leaves_nothing_and_frees_its_room(
    server: HubServer, cache: Path
) -> None:
    server.truncate["org/suite", "step16", "model.safetensors"] = 50_000
    series = find("org/suite")
    shelf = Shelf(series, budget=SIZE + SMALL, ahead=False)
    with pytest.raises(hub.HubError) as error:
        with shelf.at_hand(series[1]):
            pass
    assert "\n" not in str(error.value)
    assert not list(cache.glob("hub/*/blobs/*.incomplete"))
    assert shelf.room.n_bytes == SMALL
    with shelf.at_hand(series[0]):
        assert weights_here() == [0]


def test_a_checkpoint_without_weights_is_broken(server: HubServer) -> None:
    series = find("org/suite")
    (server.root / "org/suite/step16/model.safetensors").unlink()
    (server.root / "org/suite/step16/pytorch_model.bin").unlink()
    hub._known.clear()
    from dataclasses import replace

    commit = server.commit("org/suite", "step16")
    bare = replace(series[1], remote=replace(series[1].remote, commit=commit))
    with pytest.raises(BrokenCheckpoint, match="step16: got no weights among the files of org"):
        with Shelf(series).at_hand(bare):
            pass


@pytest.mark.usefixtures("server")
def test_a_price_counts_files_bytes_and_what_is_here() -> None:
    series = find("org/suite")
    before = Shelf(series).price(series)
    assert (before.n_files, before.n_bytes, before.n_here) == (7, 4 * SIZE + SMALL, 0)
    assert before.peak == 4 * SIZE + SMALL
    assert before.seconds > 0
    assert str(before).splitlines() == [
        "downloads               7 files, 245.1 kB (0.0 kB here already)",
        "in the cache            at most 245.1 kB, roughly 0 s at the speed of one request",
    ]
    shelf = Shelf(series, budget=2 * SIZE + SMALL)
    with shelf.at_hand(series[0]):
        after = shelf.price(series)
    assert (after.n_files, after.n_here) == (3, SIZE + SMALL)
    assert after.peak == 2 * SIZE + SMALL


@pytest.mark.usefixtures("server")
def test_a_mark_is_the_same_before_and_after_bringing() -> None:
    series = find("org/suite")
    marks = [weights_mark(each) for each in series]
    assert len(set(marks)) == 4
    for each, mark in zip(series, marks, strict=True):
        with Shelf(series).at_hand(each):
            assert weights_mark(each) == mark


@pytest.mark.usefixtures("server")
def test_other_tools_find_what_was_brought_by_its_name() -> None:
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    series = find("org/suite")
    with Shelf(series).at_hand(series[1]) as folder:
        found = try_to_load_from_cache("org/suite", "config.json", revision="step16")
        assert found == str(folder / "config.json")
    scanned = scan_cache_dir()
    assert not scanned.warnings
    assert {ref for repo in scanned.repos for ref in repo.refs} == {"step16"}


def test_progress_is_told_up_to_the_last_byte(server: HubServer) -> None:
    server.faults = Faults(rate=0.5, seed=1, kinds=("cut",), match="cdn", most=2)
    shard(server.root / "org/suite/step16", [f"model-0000{n}-of-00003.safetensors" for n in "123"])
    series, told = find("org/suite"), []
    with Shelf(series).at_hand(series[1], report=lambda *line: told.append(line)):
        pass
    assert told[-1] == ("step16", SIZE, SIZE)
    assert all(0 <= n_done <= SIZE for _, n_done, _ in told)


def _wait_for(shelf: Shelf) -> None:
    coming = shelf._coming
    assert coming is not None
    thread: threading.Thread = coming[1]
    thread.join()
