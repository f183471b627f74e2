"""The loopback Hub: the real client is content with it, and its faults are the ones asked for."""

import hashlib
import subprocess
import sys

import pytest
from hub_server import Faults, HubServer, environment, point_at
from named_suites import SIZE, repository

REPO = "org/model"


@pytest.fixture
def server(tmp_path, monkeypatch):
    root = repository(tmp_path / "hub", REPO, ["main", "step1", "step2"])
    with HubServer(root, page_size=2) as server:
        server.tags.add((REPO, "step2"))
        point_at(monkeypatch, server, tmp_path / "home")
        yield server


def client(server):
    from huggingface_hub import HfApi

    return HfApi(endpoint=server.endpoint)


def test_the_real_client_reads_refs_pages_and_digests(server):
    refs = client(server).list_repo_refs(REPO)
    assert [ref.name for ref in refs.branches] == ["main", "step1"]
    assert [ref.name for ref in refs.tags] == ["step2"]
    rows = list(client(server).list_repo_tree(REPO, revision="step1", recursive=True, expand=True))
    assert [row.path for row in rows] == ["config.json", "model.safetensors", "tokenizer.json"]
    weights = rows[1]
    content = (server.root / REPO / "step1" / "model.safetensors").read_bytes()
    assert (weights.size, weights.lfs.sha256) == (SIZE, hashlib.sha256(content).hexdigest())
    # The id of a small file is git's own: that of the two bytes {} is known.
    assert rows[0].blob_id == "9e26dfeeb6e641a33dae4961196235bdb965b21b"
    assert any("cursor=2" in request.path for request in server.requests)


def test_the_real_client_downloads_through_a_redirect_to_another_host(server):
    from huggingface_hub import hf_hub_download

    commit = server.commit(REPO, "step2")
    path = hf_hub_download(REPO, "model.safetensors", revision="step2")
    assert f"snapshots/{commit}/" in path
    assert [r.status for r in server.requests if "safetensors" in r.path] == [302, 200]
    assert "/cdn/" in server.requests[-1].path


def test_errors_are_the_ones_that_the_client_knows(server):
    from huggingface_hub import errors, hf_hub_download

    server.gated.add("org/closed")
    (server.root / "org" / "closed" / "main").mkdir(parents=True)
    for repo, revision, error in [
        ("org/none", "main", errors.RepositoryNotFoundError),
        (REPO, "step9", errors.RevisionNotFoundError),
        ("org/closed", "main", errors.GatedRepoError),
    ]:
        with pytest.raises(error):
            list(client(server).list_repo_tree(repo, revision=revision))
    with pytest.raises(errors.RemoteEntryNotFoundError):
        hf_hub_download(REPO, "other.json", revision="main")


def test_the_faults_asked_for_are_done_and_counted(server):
    import httpx2

    server.faults = Faults(rate=1, kinds=("503",), match="refs", most=2)
    url = f"{server.endpoint}/api/models/{REPO}"
    codes = [httpx2.get(f"{url}/refs").status_code for _ in range(3)]
    assert codes == [503, 503, 200]
    assert httpx2.get(url).status_code == 200
    server.faults = Faults(rate=1, kinds=("cut",))
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"{url}/refs")
    draws = [Faults(rate=0.2, seed=1).draw("x") for _ in range(3)]
    assert draws == [Faults(rate=0.2, seed=1).draw("x")] * 3
    many = Faults(rate=0.2, seed=3)
    hits = sum(many.draw("x") is not None for _ in range(2000))
    assert 330 < hits < 470


def test_a_truncated_file_never_comes_whole(server):
    import httpx2

    server.truncate[REPO, "step1", "model.safetensors"] = 5000
    url = f"{server.content}/cdn/{REPO}/step1/model.safetensors"
    with pytest.raises(httpx2.RemoteProtocolError, match="received 5000 bytes"):
        httpx2.get(url)
    part = httpx2.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, len(part.content)) == (206, 10)
    assert httpx2.get(url, headers={"Range": f"bytes={SIZE}-"}).status_code == 416


def test_a_subprocess_reaches_it_through_the_environment(server, tmp_path):
    code = f"from huggingface_hub import HfApi; print(HfApi().model_info('{REPO}').sha)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=environment(server, tmp_path / "other"),
    )  # fmt: skip
    assert done.stdout.strip() == server.commit(REPO, "main")
