"""The command line of input embeddings: figures with their chance, files, and exit codes."""

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neurotrace import checkpoints
from neurotrace.geometry import __main__ as command
from neurotrace.geometry.scripts import scripts_of

READ = command._read


def model(seed, name):
    rng = np.random.default_rng(seed)
    texts = [a + b + c for a in "bdfgбдфг" for b in "aeiou" for c in "klm"]
    scripts = scripts_of([text if text[0] < "z" else "б" for text in texts])
    W = rng.standard_normal((len(texts), 12)).astype(np.float32)
    W[:, 0] += 6 * (scripts == "LATIN")
    return command._Model(name, np.arange(len(texts)), texts, scripts, W)


def larger(one, name):
    """The same tokens from the last to the first, behind ten that the other lacks."""
    own = [f"own{number}" for number in range(10)]
    W = np.random.default_rng(9).standard_normal((10, 12)).astype(np.float32)
    return command._Model(
        name,
        np.arange(len(one.ids) + 10),
        [*own, *one.texts[::-1]],
        np.concatenate([np.full(10, "LATIN"), one.scripts[::-1]]),
        np.vstack([W, one.W[::-1]]),
    )


@pytest.fixture(autouse=True)
def models(monkeypatch):
    made = {"a": model(0, "a"), "b": model(1, "b"), "other": model(2, "other")}
    made["larger"] = larger(made["a"], "larger")
    made["other"] = made["other"].of(np.arange(2))
    monkeypatch.setattr(command, "_read", lambda folder, **_: made[folder.name])
    monkeypatch.setenv("COLUMNS", "100")


def figures_of(said, label):
    """The numbers of one line of the printed table."""
    (line,) = re.findall(rf"^{label} +(.+)$", said, re.MULTILINE)
    return [float(number) for number in line.split() if re.fullmatch(r"[\d.]+", number)]


def test_one_model_is_told_with_chances(capsys):
    assert command.main(["a", "--k", "10"]) == 0
    said = capsys.readouterr().out
    assert "a: 120 tokens, 12 features" in said
    assert "chance 0.500; - for fewer than 50 tokens" in said
    accuracies = [figures_of(said, script)[-1] for script in ("LATIN", "CYRILLIC")]
    told, chance = figures_of(said, "separability, mean over scripts")
    assert (told, chance) == (pytest.approx(np.mean(accuracies), abs=1e-3), 0.5)
    mixed, by_lot = figures_of(said, "scripts among a token and 10 neighbours")
    assert 1 < mixed < 1.5
    assert by_lot == 1.999  # of eleven tokens; of fifty-one it would be 2.000


def test_two_models_agree_by_chance_unless_they_are_one(capsys, tmp_path):
    assert command.main(["a", "b", "--agreement-k", "5", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "embeddings.json").read_text())["together"]
    assert found["agreement_chance"] == pytest.approx(5 / 119)
    assert found["agreement"] < 0.5
    assert found["mean_cosine"] == pytest.approx(np.mean(found["cosines"]), abs=1e-5)
    low, high = found["cosines_chance"]
    assert low < found["mean_cosine_chance"] < high < 1
    assert len((tmp_path / "map_B.csv").read_text().splitlines()) == 121
    said = capsys.readouterr().out
    chance = pytest.approx(found["mean_cosine_chance"], abs=1e-3)
    assert figures_of(said, "mean canonical cosine")[1] == chance
    assert figures_of(said, "agreement of 5 neighbours")[1] == pytest.approx(5 / 119, abs=1e-3)
    assert f"up to {high:.3f}" in said


def test_tokens_are_matched_by_text_and_what_one_model_lacks_is_left_out(capsys, tmp_path):
    given = ["a", "larger", "--agreement-k", "5", "--out", str(tmp_path)]
    assert command.main(given) == 0
    assert "larger: 120 tokens that both have" in capsys.readouterr().out
    same = json.loads((tmp_path / "embeddings.json").read_text())["together"]
    assert same["agreement"] == 1
    assert same["mean_cosine"] == pytest.approx(1)
    one, other = (
        {row["token"]: row for row in csv.DictReader((tmp_path / name).open(encoding="utf-8"))}
        for name in ("map_A.csv", "map_B.csv")
    )
    assert set(one) == set(other)
    assert (one["bak"]["id"], other["bak"]["id"]) == ("0", "129")


def test_of_a_folder_the_last_checkpoint_is_read_without_empty_rows_and_names(monkeypatch):
    from neurotrace.capture import embedding

    W = np.eye(5, dtype=np.float32)
    W[1] = 0
    series = [SimpleNamespace(path=Path(f"/runs/lab/step-{step}")) for step in (0, 16)]
    monkeypatch.setattr(checkpoints, "find", lambda _: series)
    texts = {series[1].path: ["Ġthe", "a", "", "дом", "▁sea"]}
    monkeypatch.setattr(embedding, "token_texts", lambda last, **_: texts[last.path])
    monkeypatch.setattr(embedding, "embedding_matrix", lambda _, **__: W)
    found = READ(Path("lab"), trust_remote_code=False)
    assert found.name == "lab/step-16"
    assert found.ids.tolist() == [0, 3, 4]
    assert found.scripts.tolist() == ["LATIN", "CYRILLIC", "LATIN"]
    np.testing.assert_array_equal(found.W, W[[0, 3, 4]])


def test_wrong_input_ends_with_two_and_one_line(capsys):
    assert command.main(["a", "--min-tokens", "500"]) == 2
    assert capsys.readouterr().err.startswith("neurotrace: got classes CYRILLIC 60, LATIN 60;")
    assert command.main(["a", "other"]) == 2
    assert "got 2 tokens that both models have" in capsys.readouterr().err
    assert command.main([]) == 0
    assert "python -m neurotrace.geometry CHECKPOINT" in capsys.readouterr().out


def test_a_folder_without_a_checkpoint_is_told_what_this_command_reads(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(command, "_read", READ)
    (tmp_path / "notes").mkdir()
    assert command.main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"got {str(tmp_path)!r}, without a checkpoint; expected weights in it" in said
    assert "--pattern" not in said
    assert command.main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere', which is no folder; expected weights" in capsys.readouterr().err
