"""The whole road on a suite that lies on a Hub: by the command line, on a bad line and on none."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from hub_server import Faults, HubServer, point_at
from hub_suites import gauged, impatient
from huggingface_hub.utils import close_session

from neurotrace import lab
from neurotrace.checkpoints import find, hub
from neurotrace.checkpoints.__main__ import main as checkpoints
from neurotrace.trace import main

pytestmark = pytest.mark.slow

REPO = "org/lab"
# What is captured, what loads models again, and what reads weight files alone.
SHORT = ["--splits", "2", "--rotations", "0", "--analyses", "overlap", "embeddings", "ablation"]
# A repository is called by another name than a folder, and has commits.
OF_ORIGIN = ("model", "commit", "tables_checksum")  # the last is over the first two, too


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Twelve steps of a lab run as a repository, and the trace of the same folder."""
    root = tmp_path_factory.mktemp("suite")
    made = lab.pretrain("tiny", out=root / "lab", seed=0)
    for step in find(made):
        shutil.copytree(step.path, root / "hub" / REPO / step.path.name)
    sentences, out = str(made / "concepts.jsonl"), root / "local"
    traced(root / "hub" / REPO, out, sentences)
    return SimpleNamespace(root=root / "hub", sentences=sentences, out=out)


@pytest.fixture
def server(
    suite: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HubServer]:
    with HubServer(suite.root) as server:
        point_at(monkeypatch, server, tmp_path / "cache")
        impatient(monkeypatch)
        yield server


def traced(source: str | Path, out: Path, sentences: str, *more: str) -> None:
    arguments = ["--source", str(source), "--out", str(out), "--concepts", sentences]
    assert main([*arguments, *SHORT, *more]) == 0
    assert (out / "report.html").is_file()


def values(out: Path) -> dict[str, Any]:
    """Every dataset and attribute of a run, but for where its checkpoints came from."""
    found: dict[str, Any] = {}
    for file in sorted(out.rglob("*.h5")):
        name = file.relative_to(out).as_posix()
        with h5py.File(file) as h5:
            items: list[tuple[str, Any]] = [("", h5)]
            h5.visititems(lambda path, item, to=items: to.append((path, item)))
            for path, item in items:
                if isinstance(item, h5py.Dataset):
                    found[f"{name} {path}"] = item[...]
                found |= {
                    f"{name} {path} @{key}": value
                    for key, value in item.attrs.items()
                    if key not in OF_ORIGIN and value.__class__.__name__ != "ndarray"
                }
    return found


def equal(one: Path, other: Path) -> None:
    here, there = values(one), values(other)
    assert here.keys() == there.keys()
    assert sum(name.startswith("results.h5") for name in here) > 40
    for name, value in here.items():
        np.testing.assert_array_equal(value, there[name], err_msg=name)


def test_a_trace_over_a_bad_line_is_that_of_a_local_folder_and_keeps_its_budget(
    server: HubServer, suite: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults = Faults(rate=0.2, seed=2, slow=0.01)
    sizes = [size(folder) for folder in (suite.root / REPO).iterdir()]
    budget = 2 * max(sizes) + 20_000
    with gauged(monkeypatch, tmp_path / "cache") as gauge:
        more = ("--cache-budget", str(budget))
        traced(REPO, tmp_path / "run", suite.sentences, *more)
    equal(tmp_path / "run", suite.out)
    assert len(sizes) == 12
    assert len(server.faults.done) > 20
    assert max(sizes) <= gauge.peak <= budget


def test_a_trace_after_prefetch_makes_no_connection_attempt(
    suite: SimpleNamespace, tmp_path: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkpoints(["prefetch", REPO]) == 0
    asked, attempts = len(server.requests), []

    def refuse(_: Any, address: Any) -> None:
        attempts.append(address)
        raise OSError("the network is cut")

    close_session()  # a connection that is open already would go on
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    hub._known.clear()
    traced(REPO, tmp_path / "run", suite.sentences)
    assert not attempts
    assert len(server.requests) == asked
    equal(tmp_path / "run", suite.out)


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
