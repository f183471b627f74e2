"""The Hub's API over a bad line: what is asked, how often, and what answers without asking."""

import pytest
from hub_server import Faults, HubServer, point_at
from named_suites import SIZE, repository

from neurotrace.checkpoints import HubError, hub, retries

REPO = "org/model"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Waits are counted, not sat through."""
    waits: list[float] = []
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retries, "sleep", waits.append)
    return waits


@pytest.fixture
def server(tmp_path, monkeypatch):
    root = repository(tmp_path / "hub", REPO, ["main", "step1", "step2"])
    with HubServer(root, page_size=2) as server:
        server.tags.add((REPO, "step2"))
        point_at(monkeypatch, server, tmp_path / "home")
        yield server


def listed(server, revision="step1"):
    return hub.files(REPO, server.commit(REPO, revision))


def test_refs_are_branches_and_tags(server):
    expected = {name: server.commit(REPO, name) for name in ("main", "step1", "step2")}
    assert hub.refs(REPO) == expected


def test_a_listing_is_of_all_pages_and_asked_for_once(server):
    found = listed(server)
    assert [file.name for file in found] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert found[1].size == SIZE
    assert (len(found[0].digest), len(found[1].digest)) == (40, 64)
    asked = len(server.requests)
    assert listed(server) == found
    assert len(server.requests) == asked
    hub._known.clear()  # another process, the same home
    assert listed(server) == found
    assert len(server.requests) == asked


def test_ranges_come_through_the_redirect(server):
    commit = server.commit(REPO, "step1")
    content = (server.root / REPO / "step1" / "model.safetensors").read_bytes()
    for start, stop in [(0, 8), (100, 5000), (SIZE - 5, SIZE + 5), (SIZE, SIZE + 1)]:
        assert hub.read_range(REPO, commit, "model.safetensors", start, stop) == content[start:stop]
    assert {r.range for r in server.requests if "cdn" in r.path} >= {"bytes=100-4999"}
    asked = len(server.requests)
    assert hub.read_range(REPO, commit, "model.safetensors", 4, 4) == b""
    assert len(server.requests) == asked


def test_a_server_without_ranges_is_read_from_the_start(server, monkeypatch):
    from hub_server import _Handler

    whole = _Handler.content

    def rangeless(self, *place):
        del self.headers["Range"]
        return whole(self, *place)

    monkeypatch.setattr(_Handler, "content", rangeless)
    commit = server.commit(REPO, "step1")
    content = (server.root / REPO / "step1" / "model.safetensors").read_bytes()
    assert hub.read_range(REPO, commit, "model.safetensors", 3, 9) == content[3:9]


@pytest.mark.parametrize("kind", ["429", "500", "503", "cut"])
def test_faults_that_pass_are_waited_out(server, kind, patience):
    server.faults = Faults(rate=1, kinds=(kind,), most=5)
    assert set(hub.refs(REPO)) == {"main", "step1", "step2"}
    assert len(server.requests) >= 6
    assert len(patience) == 5


def test_one_request_in_five_may_fail_in_any_way(server):
    server.faults = Faults(rate=0.2, seed=5, slow=0.01)
    for _ in range(20):
        hub._known.clear()
        for revision in ("main", "step1", "step2"):
            commit = server.commit(REPO, revision)
            assert len(hub.files(REPO, commit)) == 3
            assert len(hub.read_range(REPO, commit, "model.safetensors", 0, 500)) == 500
        assert len(hub.refs(REPO)) == 3
    assert {"429", "500", "503", "cut", "slow"} <= set(server.faults.done)


def test_a_missing_revision_and_a_missing_file_are_told_apart(server):
    with pytest.raises(HubError, match="there is no such revision"):
        hub.files(REPO, "f" * 40)
    with pytest.raises(HubError, match="there is no such file"):
        hub.read_range(REPO, server.commit(REPO, "main"), "other.bin", 0, 4)


def test_no_server_at_all_is_one_line(tmp_path, monkeypatch):
    server = HubServer(repository(tmp_path / "hub", REPO, ["main"]))
    with server:
        point_at(monkeypatch, server, tmp_path / "home")
    with pytest.raises(HubError, match="got no whole answer .* check the connection") as caught:
        hub.refs(REPO)
    assert "\n" not in str(caught.value)


def test_another_server_is_told_from_a_hub(server, monkeypatch):
    from hub_server import Answer, _Handler

    monkeypatch.setattr(_Handler, "answer", lambda _: Answer(200, {}, b"<html>log in</html>"))
    with pytest.raises(HubError, match=f"got no JSON from {server.endpoint}.*; check HF_ENDPOINT"):
        hub.refs(REPO)


def test_a_mirrors_next_page_is_asked_of_the_mirror(server, monkeypatch):
    from hub_server import _Handler

    page = _Handler.page

    def of_the_hub(self, *what):
        answer = page(self, *what)
        link = answer.headers.get("Link", "").replace(server.endpoint, "https://huggingface.co")
        return answer._replace(headers={**answer.headers, "Link": link} if link else answer.headers)

    monkeypatch.setattr(_Handler, "page", of_the_hub)
    assert len(listed(server)) == 3


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("org/model", True),
        ("EleutherAI/pythia-1.4b-deduped", True),
        ("model", False),
        ("a/b/c", False),
        ("./runs", False),
        ("../runs", False),
        ("runs/-x", False),
        ("org/a--b", False),
        ("/srv/model", False),
        ("org/model.toml/", False),
    ],
)
def test_what_reads_as_a_repository(source, expected):
    assert hub.is_repo(source) is expected


def test_a_folder_of_that_name_is_no_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hub.is_repo("org/model")
    (tmp_path / "org" / "model").mkdir(parents=True)
    assert not hub.is_repo("org/model")


def test_a_pinned_listing_answers_without_a_question(server):
    expected = hub.refs(REPO)
    found = listed(server)
    for commit in expected.values():
        hub.files(REPO, commit)
    hub.keep_listing(REPO)
    hub._known.clear()
    asked = len(server.requests)
    (server.root / REPO / "step1").rename(server.root / REPO / "step5")
    assert hub.refs(REPO) == expected
    assert hub.files(REPO, expected["step1"]) == found
    assert len(server.requests) == asked
    hub._known.clear()
    with hub.asking_anew():
        assert "step5" in hub.refs(REPO)
        hub.keep_listing(REPO)
    assert "step5" in hub.refs(REPO)
    assert hub.kept_listing(REPO).files[expected["step1"]] == found


@pytest.mark.usefixtures("server")
def test_a_damaged_pin_is_named():
    hub.keep_listing(REPO)
    (hub.repo_folder(REPO) / "neurotrace.json").write_text('{"refs"')
    with pytest.raises(HubError, match="got no pinned listing; delete it and prefetch again"):
        hub.refs(REPO)


def test_offline_the_cache_answers_with_the_same_digests(server, monkeypatch):
    from huggingface_hub import constants, snapshot_download

    snapshot_download(REPO, revision="step1")
    found = listed(server)
    hub._known.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", "/nowhere")
    asked = len(server.requests)
    assert hub.refs(REPO) == {"step1": server.commit(REPO, "step1")}
    assert listed(server) == found
    for call in (lambda: listed(server, "step2"), lambda: hub.refs("org/other")):
        with pytest.raises(HubError, match="HF_HUB_OFFLINE=1 and no .* prefetch it while online"):
            call()
    assert len(server.requests) == asked


def test_a_snapshot_of_copies_hashes_to_the_same_digests(server, monkeypatch):
    from huggingface_hub import constants, snapshot_download

    folder = snapshot_download(REPO, revision="step1", local_dir=hub.snapshot_path(REPO, "1" * 40))
    found = listed(server)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    kept = [f for f in hub.files(REPO, "1" * 40) if ".cache" not in f.name]
    assert tuple(kept) == found
    assert folder


def test_repositories_are_found_by_how_they_begin(server):
    for name in ("run-step1", "run-step20", "runs", "my-run-step3"):
        repository(server.root, f"org/{name}", ["main"])
    assert hub.repositories("org/run-step") == ["org/run-step1", "org/run-step20"]


def test_a_slow_server_is_given_up_on_and_asked_again(server, monkeypatch, patience):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    server.faults = Faults(rate=1, kinds=("slow",), most=1, slow=0.5)
    assert len(hub.refs(REPO)) == 3
    assert len(patience) == 1
