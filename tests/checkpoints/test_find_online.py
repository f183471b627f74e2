"""Series on a Hub: branches, tags, stages, separate repositories, and whatever is missing."""

import subprocess
import sys

import pytest
from hub_server import Faults, HubServer, environment, point_at
from named_suites import bare, repository

from neurotrace.checkpoints import HubError, find, gaps, hub, retries, select


@pytest.fixture
def server(tmp_path, monkeypatch):
    (tmp_path / "hub").mkdir()
    monkeypatch.setattr(retries, "sleep", lambda _: None)
    with HubServer(tmp_path / "hub") as server:
        point_at(monkeypatch, server, tmp_path / "home")
        yield server


def steps(series):
    return [checkpoint.step for checkpoint in series]


def test_branches_and_tags_are_one_series_in_order(server):
    repository(server.root, "org/model", ["main", "step1000", "step2", "step30"])
    server.tags |= {("org/model", "step30")}
    found = find("org/model")
    assert [(c.step, c.revision, c.model) for c in found] == [
        (2, "step2", "org/model"), (30, "step30", "org/model"), (1000, "step1000", "org/model"),
    ]  # fmt: skip
    for checkpoint in found:
        commit = server.commit("org/model", checkpoint.revision)
        assert (checkpoint.remote.repo, checkpoint.remote.commit) == ("org/model", commit)
        assert checkpoint.path == hub.cache_folder() / "models--org--model" / "snapshots" / commit
        assert not checkpoint.path.exists()
        assert (checkpoint.tokenizer, checkpoint.remote.tokenizer) == (None, None)
    assert not any("/resolve/" in request.path for request in server.requests)


def test_pythia_knows_its_schedule_and_its_tokens(server):
    names = [f"step{n}" for n in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 3000, 143_000)]
    repository(server.root, "EleutherAI/pythia-70m", ["main", *names])
    found = find("EleutherAI/pythia-70m")
    assert found[-1].tokens == 143_000 * 2_097_152
    missing = gaps(found)
    assert len(missing) == 154 - 14
    assert missing[0] == (0, 2000)
    assert (0, 3000) not in missing


def test_bloom_is_found_by_its_tags_and_speaks_with_the_final_tokenizer(server):
    repo, final = "bigscience/bloom-560m-intermediate", "bigscience/bloom-560m"
    names = [f"global_step{n}" for n in (1000, 10_000, 100_000)]
    repository(server.root, repo, ["main", *names], tokenizer=False)
    repository(server.root, final, ["main"])
    server.tags |= {(repo, name) for name in names}
    found = find(repo)
    assert steps(found) == [1000, 10_000, 100_000]
    commit = server.commit(final, "main")
    for checkpoint in found:
        assert checkpoint.remote.tokenizer == (final, commit)
        assert checkpoint.tokenizer == hub.snapshot_path(final, commit)


def test_stages_are_sorted_and_names_without_one_join_the_first(server):
    repository(
        server.root, "allenai/OLMo-2-7B",
        ["main", "stage1-step1000-tokens4B", "stage2-step20-tokens1B", "step2000-tokens8B",
         "stage2-ingredient1-step20-tokens1B"],
    )  # fmt: skip
    found = find("allenai/OLMo-2-7B")
    assert [(c.stage, c.step, c.tokens) for c in found] == [
        (1, 1000, 4 * 10**9), (1, 2000, 8 * 10**9), (2, 20, 10**9),
    ]  # fmt: skip
    assert found.notes == ("not of the series: stage2-ingredient1-step20-tokens1B",)


def test_a_second_name_of_a_step_is_told_and_left_out(server):
    repository(server.root, "org/model", ["stage1-step5", "stage1-step6", "step5"])
    found = find("org/model")
    assert [c.revision for c in found] == ["stage1-step5", "stage1-step6"]
    assert found.notes == ("other names of steps that are there: step5",)
    repository(server.root, "org/twins", ["step5", "step-05"])
    with pytest.raises(ValueError, match="got step 5 twice, in revisions step-05 and step5"):
        find("org/twins")
    same = server.commit("org/twins", "step5")
    server.commits["org/twins", "step-05"] = same
    assert steps(find("org/twins")) == [5]


def test_a_name_without_weights_is_a_gap(server):
    repository(server.root, "org/model", [f"step{n}" for n in (1, 2, 3, 4)])
    bare(server.root, "org/model", "main", "step9", "step2")
    (server.root / "org/model/step2/model.safetensors").unlink()
    found = find("org/model")
    assert steps(found) == [1, 3, 4]
    assert gaps(found) == [(0, 2), (0, 9)]
    assert found.notes == ("without weights: step2, step9",)
    bare(server.root, "org/hollow", "step1")
    with pytest.raises(FileNotFoundError, match="whose step1 hold no weights; expected one of mod"):
        find("org/hollow")


def test_holes_of_a_regular_grid_are_gaps(server):
    repository(server.root, "org/model", [f"step{n}" for n in (0, 10, 20, 40, 50, 60)])
    assert gaps(find("org/model")) == [(0, 30)]


def test_multiberts_are_one_series_of_many_repositories(server):
    base = "google/multiberts-seed_0"
    for step in ("0k", "20k", "2000k"):
        repository(server.root, f"{base}-step_{step}", ["main"])
    for other in (base, "google/multiberts-seed_01-step_20k", "google/multiberts-seed_1-step_40k"):
        repository(server.root, other, ["main"])
    found = find(base)
    assert [(c.step, c.tokens) for c in found] == [
        (0, 0), (20_000, 20_000 * 131_072), (2_000_000, 2_000_000 * 131_072),
    ]  # fmt: skip
    assert {c.model for c in found} == {base}
    assert found[1].revision == "multiberts-seed_0-step_20k"
    assert found[1].remote.repo == f"{base}-step_20k"
    assert len(gaps(found)) == 29 - 3
    # Seeds whose steps were not published are one checkpoint.
    repository(server.root, "google/multiberts-seed_7", ["main"])
    assert steps(find("google/multiberts-seed_7")) == [0]


def test_a_repository_of_main_alone_is_one_checkpoint_and_says_so(server):
    repository(server.root, "org/model", ["main"])
    (one,) = found = find("org/model")
    assert (one.step, one.revision) == (0, "main")
    assert found.notes == ("org/model: one checkpoint, main, taken as step 0",)


def test_one_revision_can_be_named(server):
    repository(server.root, "org/model", ["main", "step7", "step8"])
    assert steps(find("org/model@step7")) == [7]
    commit = server.commit("org/model", "step8")
    assert find(f"org/model@{commit}")[0].remote.commit == commit
    with pytest.raises(
        FileNotFoundError, match="got revision 'v2' of org/model; it has main, step7"
    ):
        find("org/model@v2")


def test_refs_of_other_names_are_listed(server):
    repository(server.root, "org/model", ["main", "epoch1_it40", "epoch1_it5"])
    with pytest.raises(FileNotFoundError, match="branches and tags epoch1_it40, epoch1_it5, main;"):
        find("org/model")
    assert steps(find("org/model", pattern=r"epoch\d_it(?P<step>\d+)")) == [5, 40]
    with pytest.raises(FileNotFoundError, match=r"whole names that match 'x\(\?P<step>.\)'"):
        find("org/model", pattern="x(?P<step>.)")


def test_the_tokenizer_comes_from_main_where_a_step_has_none(server):
    repository(server.root, "org/model", ["main"])
    repository(server.root, "org/model", ["step1", "step2"], tokenizer=False)
    commit = server.commit("org/model", "main")
    assert {c.remote.tokenizer for c in find("org/model")} == {("org/model", commit)}
    assert len([r for r in server.requests if r.path.endswith("/refs")]) == 2  # not one a step


def test_the_tokenizer_named_is_the_one(server, tmp_path):
    repository(server.root, "org/model", ["step1"])
    repository(server.root, "org/words", ["main", "v2"])
    commit = server.commit("org/words", "v2")
    assert find("org/model", tokenizer="org/words@v2")[0].remote.tokenizer == ("org/words", commit)
    (tmp_path / "words").mkdir()
    with pytest.raises(FileNotFoundError, match="with no vocabulary in"):
        find("org/model", tokenizer=str(tmp_path / "words"))
    (tmp_path / "words" / "vocab.txt").touch()
    (found,) = find("org/model", tokenizer=str(tmp_path / "words"))
    assert (found.tokenizer, found.remote.tokenizer) == (tmp_path / "words", None)
    with pytest.raises(FileNotFoundError, match="got revision 'v3' of org/words; it has main, v2"):
        find("org/model", tokenizer="org/words@v3")


def test_a_series_is_found_with_one_request_in_five_failing(server):
    names = [f"step{n}" for n in range(0, 120, 10)]
    repository(server.root, "org/model", names)
    expected = find("org/model")
    hub._known.clear()
    for file in hub.cache_folder().parent.rglob("assets/**/*.json"):
        file.unlink()
    server.faults = Faults(rate=0.2, seed=2, slow=0.01)
    assert find("org/model") == expected
    assert server.faults.done


@pytest.mark.usefixtures("server")
def test_no_such_repository_is_one_line():
    with pytest.raises(HubError, match="org/none: branches and tags: got 401 .* or a folder of th"):
        find("org/none")


def test_after_a_pin_a_series_is_found_without_a_question(server):
    repository(
        server.root, "bigscience/bloom-560m-intermediate", ["global_step10", "global_step20"]
    )
    repository(server.root, "bigscience/bloom-560m", ["main"])
    for step in ("0k", "20k"):
        repository(server.root, f"google/multiberts-seed_0-step_{step}", ["main"])
    sources = ["bigscience/bloom-560m-intermediate", "google/multiberts-seed_0"]
    with hub.asking_anew():
        expected = [find(source) for source in sources]
    for repo in ("bigscience/bloom-560m", *{c.remote.repo for found in expected for c in found}):
        hub.keep_listing(repo)
    hub._known.clear()
    server.requests.clear()
    assert [find(source) for source in sources] == expected
    assert server.requests == []
    (server.root / "google/multiberts-seed_0-step_20k/main/config.json").write_text("[]")
    assert find(sources[1]) == expected[1]
    with hub.asking_anew():
        moved = find(sources[1])
    assert moved[0] == expected[1][0]
    assert moved[1].remote.commit != expected[1][1].remote.commit


def test_offline_a_series_is_what_the_cache_holds(server, monkeypatch):
    from huggingface_hub import constants, snapshot_download

    repository(server.root, "org/model", ["main", "step1", "step2", "step3"])
    for name in ("step1", "step3"):
        snapshot_download("org/model", revision=name)
    refs = hub.repo_folder("org/model") / "refs"
    (refs / "step2").write_text("2" * 40)  # its snapshot was removed
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", "/nowhere")
    server.requests.clear()
    found = find("org/model")
    assert steps(found) == [1, 3]
    assert found.notes == ("not in the cache: step2",)
    assert all((c.path / "model.safetensors").is_file() for c in found)
    assert server.requests == []


def test_the_environment_of_a_subprocess_is_honoured(server, tmp_path):
    repository(server.root, "org/model", ["step1", "step2"])
    code = "from neurotrace.checkpoints import find; print([c.path for c in find('org/model')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=environment(server, tmp_path / "elsewhere"),
    )  # fmt: skip
    assert done.stdout.count(str(tmp_path / "elsewhere" / "hub" / "models--org--model")) == 2


def test_gaps_of_a_selection_and_of_the_whole(server):
    repository(server.root, "org/model", [f"step{n}" for n in (0, 10, 20, 40, 50)])
    found = find("org/model")
    assert gaps(select(found, "20:50")) == [(0, 30)]
    assert gaps(select(found, "log:3")) == []
