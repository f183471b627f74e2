"""A suite described in a file: every key does what it says, and nothing else is taken."""

import pytest
from hub_server import HubServer, point_at
from named_suites import repository

from neurotrace.checkpoints import find, gaps


def described(folder, **keys):
    text = "".join(f"{key} = {value}\n" for key, value in keys.items())
    (folder / "suite.toml").write_text(text, encoding="utf-8")
    return folder / "suite.toml"


def local(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").touch()


def test_a_folder_beside_the_file_with_a_pattern_tokens_steps_and_tokenizer(tmp_path):
    local(tmp_path / "run", "it5", "it40")
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "vocab.txt").touch()
    file = described(
        tmp_path,
        source='"run"',
        pattern=r"'it(?P<step>\d+)'",
        tokenizer='"words"',
        tokens_per_step=1000,
        steps='[5, 7, "10:50:10"]',
    )
    found = find(file)
    assert [(c.step, c.tokens, c.tokenizer) for c in found] == [
        (5, 5000, tmp_path / "words"), (40, 40_000, tmp_path / "words"),
    ]  # fmt: skip
    assert gaps(found) == [(0, 7), (0, 10), (0, 20), (0, 30), (0, 50)]


def test_what_the_caller_says_goes_first(tmp_path):
    local(tmp_path / "run", "it5", "step9")
    file = described(tmp_path, source='"run"', pattern=r"'it(?P<step>\d+)'")
    assert [c.step for c in find(file, pattern=r"step(?P<step>\d+)")] == [9]


def test_repositories_of_one_checkpoint_each(tmp_path, monkeypatch):
    root = tmp_path / "hub"
    for name in ("run-step1", "run-step20", "run-best", "last"):
        repository(root, f"org/{name}", ["main"])
    with HubServer(root) as server:
        point_at(monkeypatch, server, tmp_path / "home")
        file = described(
            tmp_path,
            repositories='["org/run-*", "org/last"]',
            pattern=r"'(?:run-step(?P<step>\d+)|last)'",
        )
        found = find(file)
        assert [(c.step, c.remote.repo) for c in found] == [
            (0, "org/last"), (1, "org/run-step1"), (20, "org/run-step20"),
        ]  # fmt: skip
        assert {c.model for c in found} == {"suite"}
        assert found.notes == ("not of the series: org/run-best",)
        described(tmp_path, repositories='["org/run-best"]')
        with pytest.raises(FileNotFoundError, match="got repositories org/run-best, none named li"):
            find(file)


def test_a_repository_as_source(tmp_path, monkeypatch):
    with HubServer(repository(tmp_path / "hub", "org/model", ["e1", "e2"])) as server:
        point_at(monkeypatch, server, tmp_path / "home")
        file = described(tmp_path, source='"org/model"', pattern=r"'e(?P<step>\d)'", steps="[1, 3]")
        found = find(file)
    assert [c.revision for c in found] == ["e1", "e2"]
    assert gaps(found) == [(0, 3)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"sources": '"x"'},
            "got key 'sources'; valid are source, pattern, tokenizer, tokens_per_",
        ),
        ({"source": "3"}, "got source = 3; expected text"),
        ({"source": '"x"', "tokens_per_step": "true"}, "got tokens_per_step = True; expected a nu"),
        ({"source": '"x"', "tokens_per_step": "0"}, "got tokens_per_step = 0; expected 1 or more"),
        ({"source": '"x"', "steps": "[-1]"}, "got step -1; expected 512 or '1000:143000:1000'"),
        ({"source": '"x"', "steps": '["1:9:0"]'}, "got step '1:9:0'"),
        ({"source": '"x"', "steps": '"all"'}, "got steps = 'all'; expected a list"),
        ({"repositories": "[1]"}, "expected names like org/run-step1"),
        ({"repositories": '["run"]'}, "got repository 'run'; expected org/model, or org/start*"),
        ({"pattern": '"x"'}, "got neither source nor repositories"),
        ({"source": "'"}, "suite.toml: no TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, keys, message):
    with pytest.raises(ValueError, match=message.replace("*", r"\*").replace("[", r"\[")):
        find(described(tmp_path, **keys))


def test_a_file_that_is_not_there_and_steps_of_stages(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        find(tmp_path / "none.toml")
    local(tmp_path / "run", "stage1-step5", "stage2-step5")
    with pytest.raises(ValueError, match=r"got steps of a suite with stages \[1, 2\]"):
        find(described(tmp_path, source='"run"', steps="[5]"))
