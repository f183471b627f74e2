"""The command line of input embeddings: figures with their chance, files, and exit codes."""

import json

import numpy as np
import pytest

from neurotrace.geometry import __main__ as command
from neurotrace.geometry.scripts import scripts_of


def model(seed, name):
    rng = np.random.default_rng(seed)
    texts = [a + b + c for a in "bdfgбдфг" for b in "aeiou" for c in "klm"]
    scripts = scripts_of([text if text[0] < "z" else "б" for text in texts])
    W = rng.standard_normal((len(texts), 12)).astype(np.float32)
    W[:, 0] += 6 * (scripts == "LATIN")
    return command._Model(name, np.arange(len(texts)), texts, scripts, W)


@pytest.fixture(autouse=True)
def models(monkeypatch):
    made = {"a": model(0, "a"), "b": model(1, "b")}
    monkeypatch.setattr(command, "_read", lambda folder, **_: made[folder.name])
    monkeypatch.setenv("COLUMNS", "100")


def test_one_model_is_told_with_chances(capsys):
    assert command.main(["a", "--k", "10"]) == 0
    said = capsys.readouterr().out
    assert "a: 120 tokens, 12 features" in said
    assert "chance 0.500; - for fewer than 50 tokens" in said
    assert "scripts among a token and 10 neighbours" in said


def test_two_models_agree_by_chance_unless_they_are_one(capsys, tmp_path):
    assert command.main(["a", "b", "--agreement-k", "5", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "embeddings.json").read_text())
    assert found["together"]["agreement_chance"] == pytest.approx(5 / 119)
    assert found["together"]["agreement"] < 0.5
    assert len((tmp_path / "map_B.csv").read_text().splitlines()) == 121
    assert "largest canonical cosine" in capsys.readouterr().out
    assert command.main(["a", "a", "--agreement-k", "5", "--out", str(tmp_path)]) == 0
    same = json.loads((tmp_path / "embeddings.json").read_text())["together"]
    assert same["agreement"] == 1
    assert same["mean_cosine"] == pytest.approx(1)


def test_wrong_input_ends_with_two_and_one_line(capsys):
    assert command.main(["a", "--min-tokens", "500"]) == 2
    assert capsys.readouterr().err.startswith("neurotrace: got classes CYRILLIC 60, LATIN 60;")
    assert command.main([]) == 0
