"""``python -m neurotrace.checkpoints list``: read on the terminal."""

import subprocess
import sys

import pytest
from hub_server import HubServer, environment, point_at
from named_suites import bare, repository

from neurotrace.checkpoints.__main__ import main


@pytest.fixture
def server(tmp_path, monkeypatch):
    names = [f"step{n}" for n in (0, 10, 20, 40, 50)]
    root = repository(tmp_path / "hub", "org/model", ["main", *names])
    bare(root, "org/model", "step60", "notes")
    with HubServer(root) as server:
        point_at(monkeypatch, server, tmp_path / "home")
        yield server


def listed(capsys, *arguments):
    code = main(["list", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.usefixtures("server")
def test_a_series_is_shown_with_what_is_here_and_what_is_missing(capsys):
    from huggingface_hub import snapshot_download

    snapshot_download("org/model", revision="step20")
    code, out, _ = listed(capsys, "org/model")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["org/model"]
    assert rows[1] == ["step", "size", "here", "revision"]
    assert rows[2] == ["0", "12.0", "kB", "no", "step0"]
    assert rows[4] == ["20", "12.0", "kB", "yes", "step20"]
    assert "5 checkpoints, 60.1 kB, 12.0 kB of it here" in out
    assert "missing: 2 steps: 30, 60" in out
    assert "not of the series: notes" in out
    assert "without weights: step60" in out


def test_tokens_stages_and_the_tokenizer_are_shown_where_there_are_any(server, capsys):
    repo = "HuggingFaceTB/SmolLM3-3B-checkpoints"
    repository(server.root, repo, ["stage1-step-40000", "stage2-step-3480000"])
    repository(server.root, "org/words", ["main"])
    code, out, _ = listed(capsys, repo, "--tokenizer", "org/words")
    assert code == 0
    assert "94.4B" in out
    assert "stage2-step-3480000" in out
    assert "tokenizer: org/words" in out


@pytest.mark.usefixtures("server")
def test_a_selection_is_shown_alone(capsys):
    code, out, _ = listed(capsys, "org/model", "--checkpoints", "10:40")
    assert code == 0
    assert "3 checkpoints" in out
    assert "missing: 1 step: 30" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["list", "nowhere"], 2, "expected a folder of checkpoints"),
        (["list", "org/none"], 1, "org/none: branches and tags: got 401"),
        (["list", "org/model", "--checkpoints", "7"], 2, "got checkpoint 7; the series has 0, 10"),
        (["lst"], 2, "got command 'lst'; valid are list, audit, prefetch"),
    ],
)
@pytest.mark.usefixtures("server")
def test_trouble_is_one_line_and_a_code(capsys, arguments, code, message):
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_without_a_command_the_usage_is_shown(capsys):
    assert main([]) == 0
    assert "prefetch SOURCE" in capsys.readouterr().out


def test_the_module_runs_by_its_name(server, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "neurotrace.checkpoints", "list", "org/model"],
        capture_output=True, text=True, check=True, env=environment(server, tmp_path / "other"),
    )  # fmt: skip
    assert "missing: 2 steps: 30, 60" in done.stdout


def test_a_local_folder_is_shown_with_sizes_of_what_a_run_needs(tmp_path, capsys):
    for step in (0, 10):
        folder = tmp_path / "run" / f"step{step}"
        folder.mkdir(parents=True)
        for name, size in {
            "model.safetensors": 4000,
            "config.json": 500,
            "optimizer.pt": 9000,
        }.items():
            (folder / name).write_bytes(b"x" * size)
    code, out, _ = listed(capsys, str(tmp_path / "run"))
    assert code == 0
    assert "2 checkpoints, 9.0 kB, 9.0 kB of it here" in out
    assert "missing: none known" in out
