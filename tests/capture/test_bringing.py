"""A suite on a Hub, captured while it comes and goes: the values of an undisturbed run."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hub_server import Faults, HubServer, environment, point_at
from hub_suites import gauged, impatient
from huggingface_hub.utils import close_session

from neurotrace import capture
from neurotrace.checkpoints import Checkpoint, find, hub
from neurotrace.checkpoints.prefetch import prefetch
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.concepts import ConceptSet
from neurotrace.store import ActivationStore, StoreMismatch

STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
WHAT = ("mlp.hook_post/max", "hook_resid_post/mean")
# A remote series has another name, and says which commit it is.
OF_ORIGIN = ("@model", "@commit", "@tables_checksum")  # the last is over the first two, too


@pytest.fixture(scope="module")
def root(tiny: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve GPT-NeoX checkpoints as ``root/org/suite/stepN``; never changed by a test."""
    root = tmp_path_factory.mktemp("hub")
    for step in STEPS:
        tiny.save(root / f"org/suite/step{step}", tiny.model("gpt_neox", seed=step))
    return root


@pytest.fixture(scope="module")
def whole(root: Path, few: ConceptSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same checkpoints captured as local folders, without a server."""
    out = tmp_path_factory.mktemp("whole")
    captured(find(root / "org/suite"), few, out)
    return out


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def server(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer(root) as server:
        point_at(monkeypatch, server, cache)
        impatient(monkeypatch)
        yield server


@pytest.fixture
def hub_of(server: HubServer, root: Path, cache: Path, whole: Path) -> SimpleNamespace:
    """The Hub, its folder, the client's cache, and the undisturbed run."""
    return SimpleNamespace(server=server, root=root, cache=cache, whole=whole)


def captured(
    series: list[Checkpoint], concepts: ConceptSet, out: Path, **more: Any
) -> ActivationStore:
    options = {"what": WHAT, "loss_sentences": 2, "twin": 5, "backend": "plain"}
    return capture.run(series, concepts, out, progress=False, **{**options, **more})


def values(folder: Path) -> dict[str, Any]:
    """Every dataset and attribute of every file, but for where the checkpoints came from."""
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.h5")):
        with h5py.File(file) as h5:
            items: list[tuple[str, Any]] = [("", h5)]
            h5.visititems(lambda name, item, to=items: to.append((name, item)))
            for name, item in items:
                if isinstance(item, h5py.Dataset):
                    found[f"{file.name} {name}"] = item[...]
                found |= {f"{file.name} {name} @{k}": v for k, v in item.attrs.items()}
    return {name: value for name, value in found.items() if not name.endswith(OF_ORIGIN)}


def equal(one: Path, other: Path) -> None:
    here, there = values(one), values(other)
    assert here.keys() == there.keys()
    assert sum("mlp.hook_post" in name for name in here) >= 2 * len(STEPS)
    for name, value in here.items():
        np.testing.assert_array_equal(value, there[name], err_msg=name)


def downloads(server: HubServer) -> list[str]:
    """Large files that were asked for from their beginning: headers are asked for by range."""
    asked = server.requests
    return [r.path for r in asked if r.path.startswith("/cdn/") and r.range is None]


def size_of(root: Path, name: str = "model.safetensors") -> int:
    return (root / "org/suite/step0" / name).stat().st_size


def small_of(root: Path) -> int:
    return sum(f.stat().st_size for f in (root / "org/suite/step0").glob("*.json"))


def test_a_suite_with_faults_is_captured_within_its_budget_with_the_values_of_a_local_one(
    hub_of: SimpleNamespace, few: ConceptSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, root, cache, whole = hub_of.server, hub_of.root, hub_of.cache, hub_of.whole
    server.faults = Faults(rate=0.2, seed=1, slow=0.01)
    series = find("org/suite")
    assert [checkpoint.step for checkpoint in series] == list(STEPS)
    budget = 2 * size_of(root) + small_of(root)
    with gauged(monkeypatch, cache) as gauge:
        captured(series, few, tmp_path / "run", cache_budget=budget)
    equal(tmp_path / "run", whole)
    assert len(server.faults.done) > 15
    assert set(server.faults.done) == {"429", "500", "503", "cut", "slow"}
    assert gauge.n_read > 500
    assert size_of(root) < gauge.peak <= budget


def test_commits_are_recorded_and_a_finished_file_is_not_brought_again(
    server: HubServer, few: ConceptSet, tmp_path: Path
) -> None:
    series = find("org/suite")[:3]
    store = captured(series, few, tmp_path / "run", cache_budget=None, twin=None)
    assert [store.header(s.step)["commit"] for s in series] == [s.remote.commit for s in series]
    (tmp_path / "run/0001_step1.h5").unlink()
    for each in series:
        (each.path / "model.safetensors").resolve().unlink()
    server.requests.clear()
    captured(series, few, tmp_path / "run", twin=None)
    assert downloads(server) == ["/cdn/org/suite/step1/model.safetensors"]
    server.requests.clear()
    captured(series, few, tmp_path / "run", twin=None)
    assert not downloads(server)
    with pytest.raises(StoreMismatch, match=r"0000_step0.h5 was captured with another"):
        captured(series, few, tmp_path / "run", twin=None, loss_sentences=3)


@pytest.mark.usefixtures("server")
def test_the_next_checkpoint_that_is_fetched_is_the_next_that_is_not_captured(
    few: ConceptSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series, asked = find("org/suite")[:5], []
    captured(series, few, tmp_path / "run", twin=None)
    for name in ("0001_step1.h5", "0003_step4.h5"):
        (tmp_path / "run" / name).unlink()
    at_hand = Shelf.at_hand

    def noting(self: Shelf, checkpoint: Checkpoint, *, then: Any = None, report: Any = None) -> Any:
        asked.append((checkpoint.step, then and then.step))
        return at_hand(self, checkpoint, then=then, report=report)

    monkeypatch.setattr(Shelf, "at_hand", noting)
    captured(series, few, tmp_path / "run", twin=None)
    assert asked == [(1, 4), (4, None)]


def test_copies_are_refused_also_where_one_of_them_was_captured_before(
    server: HubServer, few: ConceptSet, tmp_path: Path
) -> None:
    series = find("org/suite")[:2]
    captured(series, few, tmp_path / "run", twin=None)
    other = tmp_path / "hub/org/copies"
    other.parent.mkdir(parents=True)
    for name, of in (("step0", "step0"), ("step9", "step0")):
        (other / name).mkdir(parents=True)
        for file in (server.root / "org/suite" / of).iterdir():
            (other / name / file.name).write_bytes(file.read_bytes())
    server.root = tmp_path / "hub"
    (other / "step9/README.md").write_text("another commit")
    copies = find("org/copies")
    captured(copies[:1], few, tmp_path / "copies", twin=None)
    with pytest.raises(ValueError, match="step0 and step9 have equal weights"):
        captured(copies, few, tmp_path / "copies", twin=None)


def test_a_budget_below_one_checkpoint_is_refused_before_any_weights_are_asked_for(
    server: HubServer, few: ConceptSet, tmp_path: Path
) -> None:
    series = find("org/suite")
    with pytest.raises(ValueError, match=r"budget of 10,000 bytes; expected at least [\d,]+"):
        captured(series, few, tmp_path / "run", cache_budget=10_000)
    with pytest.raises(ValueError, match="got cache_budget and shelf; expected one of both"):
        captured(series, few, tmp_path / "run", cache_budget=10_000, shelf=Shelf(series))
    assert not downloads(server)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("server")
def test_a_plan_says_downloads_disk_and_time_and_brings_no_weights(
    root: Path, few: ConceptSet, cache: Path
) -> None:
    series, size = find("org/suite"), size_of(root)
    plan = capture.plan(series, few, what=WHAT, cache_budget=2 * size + small_of(root))
    assert plan.freight is not None
    assert plan.freight.n_files == len(STEPS)
    assert plan.freight.n_bytes == len(STEPS) * size
    assert plan.freight.peak == 2 * size + small_of(root)
    assert str(plan).splitlines()[3].startswith("downloads               12 files, ")
    assert str(plan).splitlines()[4].startswith("in the cache            at most ")
    assert not list(cache.glob("hub/*/snapshots/*/model.safetensors"))
    local = capture.plan(find(root / "org/suite"), few, what=WHAT)
    assert local.freight is None
    assert local.n_bytes == plan.n_bytes
    assert local.seconds == pytest.approx(plan.seconds, rel=0.9)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("offline", [False, True])
def test_after_prefetch_a_capture_makes_no_connection_attempt(
    few: ConceptSet,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    offline: bool,
) -> None:
    from huggingface_hub import constants

    prefetch(find("org/suite"))
    attempts: list[Any] = []

    def refuse(_: Any, address: Any) -> None:
        attempts.append(address)
        raise OSError("the network is cut")

    close_session()  # a connection that is open already would go on
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    hub._known.clear()
    captured(find("org/suite"), few, tmp_path / "run")
    captured(find("org/suite")[:2], few, tmp_path / "bridge", backend="bridge")
    assert not attempts
    equal(tmp_path / "run", whole)


KILLED = """
import sys
from pathlib import Path
from neurotrace import capture
from neurotrace.checkpoints import find
from neurotrace.concepts import ConceptSet
concepts, out, budget = sys.argv[1:]
capture.run(
    find("org/suite"), ConceptSet.load(concepts), Path(out), cache_budget=int(budget),
    what=("mlp.hook_post/max", "hook_resid_post/mean"), loss_sentences=2, twin=5, backend="plain",
)
"""


def test_a_capture_killed_in_mid_download_goes_on_to_the_same_values(
    hub_of: SimpleNamespace, few: ConceptSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, root, cache, whole = hub_of.server, hub_of.root, hub_of.cache, hub_of.whole
    torch.set_num_threads(1)
    few.to_jsonl(tmp_path / "few.jsonl")
    budget = 2 * size_of(root) + small_of(root)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "few.jsonl", tmp_path / "run", str(budget)],
        env={**environment(server, cache), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (_partials(cache) and (tmp_path / "run/0003_step4.h5").exists()):
        assert process.poll() is None, process.stderr.read()
        if downloads(server) and server.faults is None:
            # Headers are read. From now on the line is cut again and again at one file.
            server.faults = Faults(rate=1, kinds=("cut",), match="cdn.*step8/")
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert _partials(cache)
    assert list((tmp_path / "run").glob("*.h5"))
    server.faults = None
    with gauged(monkeypatch, cache) as gauge:
        captured(find("org/suite"), few, tmp_path / "run", cache_budget=budget)
    equal(tmp_path / "run", whole)
    assert gauge.peak <= budget
    assert not _partials(cache)
    assert downloads(server).count("/cdn/org/suite/step0/model.safetensors") == 1


def _partials(cache: Path) -> list[Path]:
    return list(cache.glob("hub/*/blobs/*.incomplete"))
