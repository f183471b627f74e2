"""What was downloaded is known whoever died meanwhile, and nothing else is ever deleted."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import Faults, HubServer, environment, point_at
from hub_suites import CONFIG, SIZE, impatient, suite

from neurotrace.checkpoints import Checkpoint, find
from neurotrace.checkpoints.ledger import FILE, Blob, Page, opened
from neurotrace.checkpoints.owners import Owner, alive
from neurotrace.checkpoints.shelf import Shelf

SMALL = sum(CONFIG.values())
AT_HAND = """
import sys, time
from neurotrace.checkpoints import find
from neurotrace.checkpoints.shelf import Shelf
series = find("org/suite")
with Shelf(series, ahead=False).at_hand(series[int(sys.argv[1])]):
    print("here", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    suite(tmp_path / "hub", (0, 16, 32))
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, cache)
        impatient(monkeypatch)
        yield server


@pytest.fixture
def series(server: HubServer) -> list[Checkpoint]:
    del server
    return find("org/suite")


@pytest.fixture
def another(server: HubServer, cache: Path) -> Iterator[Callable[[int], subprocess.Popen]]:
    """Processes that have a checkpoint at hand until they are killed."""
    begun: list[subprocess.Popen] = []

    def begin(index: int) -> subprocess.Popen:
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", AT_HAND, str(index)],
                env=environment(server, cache),
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def weights_here(series: list[Checkpoint]) -> list[int]:
    return [c.step for c in series if (c.path / "model.safetensors").is_file()]


def partials(cache: Path) -> list[str]:
    return sorted(file.name for file in cache.glob("hub/*/blobs/*.incomplete"))


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_killed_download_is_ours_and_the_next_one_cleans_up_after_it(
    server: HubServer, series: list[Checkpoint], cache: Path, another: Callable
) -> None:
    large = server.root / "org/suite/step16/model.safetensors"
    digest = server.digests(large)[0]
    stranger = cache / f"hub/models--org--suite/blobs/{digest}.0badcafe.incomplete"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"another tool's")
    # The body breaks off and then never comes: killed in mid-download, whatever the moment.
    server.faults = Faults(rate=1, kinds=("cut", "slow"), slow=30, match="cdn", seed=1)
    process = another(1)
    until(lambda: sum(name.startswith(digest) for name in partials(cache)) == 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(partials(cache)) == 2
    server.faults = None
    shelf = Shelf(series, budget=SIZE + SMALL, ahead=False)
    assert shelf.room.n_bytes == SMALL
    assert partials(cache) == [stranger.name]
    for each in (series[1], series[0]):
        with shelf.at_hand(each):
            assert weights_here(series) == [each.step]
    assert stranger.read_bytes() == b"another tool's"


def test_what_another_process_has_at_hand_stays_until_it_ends(
    series: list[Checkpoint], another: Callable
) -> None:
    process = another(0)
    assert process.stdout.readline() == "here\n"
    shelf = Shelf(series, budget=2 * SIZE + SMALL, ahead=False)
    for each in (series[1], series[2]):
        with shelf.at_hand(each):
            assert weights_here(series) == [0, each.step]
    process.send_signal(signal.SIGKILL)
    process.wait()
    for each in (series[1], series[2]):
        with shelf.at_hand(each):
            pass
    assert weights_here(series) == [16, 32]


def test_room_that_another_process_holds_is_waited_for(
    series: list[Checkpoint], another: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurotrace.checkpoints import room

    process, waited = another(0), []
    assert process.stdout.readline() == "here\n"

    class Time:
        @staticmethod
        def sleep(seconds: float) -> None:
            waited.append(seconds)
            process.kill()
            process.wait()

    monkeypatch.setattr(room, "time", Time)
    with Shelf(series, budget=SIZE + SMALL, ahead=False).at_hand(series[1]):
        assert weights_here(series) == [16]
    assert waited == [room.WAIT]


def test_an_owner_is_alive_as_long_as_its_object(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    assert alive(tmp_path, owner.name)
    name = owner.name
    del owner
    assert not alive(tmp_path, name)
    assert not alive(tmp_path, "nobody")
    assert not list((tmp_path / ".locks").iterdir())


def test_a_blob_that_another_tool_has_linked_since_is_given_up(
    series: list[Checkpoint], cache: Path
) -> None:
    shelf = Shelf(series, budget=SIZE + SMALL, ahead=False)
    with shelf.at_hand(series[0]):
        pass
    blob = (series[0].path / "model.safetensors").resolve()
    link = cache / "hub/models--org--suite/snapshots" / ("f" * 40) / "weights.safetensors"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(blob, link.parent))
    with shelf.at_hand(series[1]):
        assert blob.is_file()
        assert shelf.room.n_bytes == SIZE + SMALL


def test_without_symbolic_links_copies_are_counted_and_evicted(
    series: list[Checkpoint], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import file_download

    monkeypatch.setattr(file_download, "are_symlinks_supported", lambda *_: False)
    shelf = Shelf(series, budget=SIZE + len(series) * SMALL, ahead=False)
    for each in (*series, *series):
        with shelf.at_hand(each):
            assert weights_here(series) == [each.step]
            assert not (each.path / "model.safetensors").is_symlink()
            snapshots = (cache / "hub/models--org--suite/snapshots").rglob("*")
            total = sum(file.stat().st_size for file in snapshots if file.is_file())
            assert total == shelf.room.n_bytes


def test_what_was_deleted_by_hand_is_forgotten_and_brought_again(
    series: list[Checkpoint],
) -> None:
    shelf = Shelf(series, ahead=False)
    with shelf.at_hand(series[0]):
        (series[0].path / "model.safetensors").resolve().unlink()
        assert shelf.room.n_bytes == SMALL
    with shelf.at_hand(series[0]):
        assert weights_here(series) == [0]
        assert shelf.room.n_bytes == SIZE + SMALL


def test_a_damaged_file_of_ours_is_brought_again_and_one_of_others_is_named(
    series: list[Checkpoint], cache: Path
) -> None:
    with Shelf(series).at_hand(series[0]) as folder:
        file = folder / "model.safetensors"
    file.resolve().write_bytes(b"cut off")
    with Shelf(series).at_hand(series[0]):
        assert file.stat().st_size == SIZE
    file.resolve().write_bytes(b"cut off")
    (cache / "hub/models--org--suite" / FILE).unlink()
    with pytest.raises(ValueError, match="got model.safetensors of 7 bytes in the cache"):
        with Shelf(series).at_hand(series[0]):
            pass


def test_an_unreadable_page_is_refused_by_name(series: list[Checkpoint], cache: Path) -> None:
    with Shelf(series).at_hand(series[0]):
        pass
    (cache / "hub/models--org--suite" / FILE).write_text("{")
    with pytest.raises(ValueError, match=f"unreadable models--org--suite/{FILE}"):
        Shelf(series).small(series[0])


def test_a_cache_that_cannot_be_written_is_read(
    series: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Shelf(series).at_hand(series[0]):
        pass
    opener = Path.open

    def refusing(self: Path, mode: str = "r", **more: object) -> object:
        if mode not in ("r", "rb"):
            raise OSError(errno.EROFS, "Read-only file system")
        return opener(self, mode, **more)

    monkeypatch.setattr(Path, "open", refusing)
    with Shelf(series, budget=SIZE + SMALL).at_hand(series[0]) as folder:
        assert (folder / "model.safetensors").is_file()


def test_pages_are_kept_between_owners_and_unchanged_ones_are_not_written(tmp_path: Path) -> None:
    folder = tmp_path / "models--a--b"
    owner = Owner(tmp_path)
    with opened(folder) as page:
        page.begin("d", "c/n", Blob(7, weights=True, by=owner.name))
        page.hold(owner.name, "c")
    before = (folder / FILE).stat().st_mtime_ns
    with opened(folder) as page:
        assert page == Page(
            folder,
            {"d": Blob(7, weights=True, by=owner.name, links=["c/n"])},
            page.used,
            {owner.name: ["c"]},
        )
        assert page.n_bytes == 7  # on its way
    assert (folder / FILE).stat().st_mtime_ns == before
    del owner
    with opened(folder) as page:
        assert not page.blobs
        assert not page.held
