"""Claims about whole runs: what they leave, repeat, resume and refuse."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from neurotrace.checkpoints import find
from neurotrace.concepts import ConceptSet
from neurotrace.lab import pretrain
from neurotrace.lab.corpus import GrammarCorpus
from neurotrace.lab.preset import PRESETS

STEPS = 6


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("lab") / "run"
    return pretrain("default", out=out, seed=0, steps=STEPS, progress=False)


def test_a_run_leaves_its_steps_twin_sentences_and_record(lab):
    assert [checkpoint.step for checkpoint in find(lab)] == [0, 1, 2, 4, 6]
    assert (lab / "step-000006" / "model.safetensors").is_file()
    record = json.loads((lab / "lab.json").read_text(encoding="utf-8"))
    assert record["complete"] is True
    assert (record["preset"], record["seed"], record["steps"]) == ("default", 0, STEPS)
    assert str(lab) not in json.dumps(record)
    assert len(ConceptSet.load(lab / "concepts.jsonl").frame) == 2048
    assert len(json.loads((lab / "shared_ids.json").read_text())) == 32
    rows = (lab / "training.csv").read_text().splitlines()
    assert rows[0] == "update,loss"
    assert len(rows) == 1 + STEPS
    assert 6.7 < float(rows[1].split(",")[1]) < 7.0  # ln 949 = 6.86
    assert not [path for path in lab.iterdir() if path.name.startswith(".")]


def test_checkpoints_load_with_transformers_and_give_the_trained_ids(lab):
    folder = lab / "step-000006"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer) == 949
    corpus = GrammarCorpus(PRESETS["default"], seed=0)
    row = corpus.batch(1)[0].tolist()
    text = tokenizer.decode(row, skip_special_tokens=True)
    assert tokenizer(text)["input_ids"] == row
    with torch.no_grad():
        assert model(torch.tensor([row])).logits.shape == (1, 33, 949)


def test_the_twin_has_the_same_config_and_other_weights(lab):
    twin, start = lab / "twin", lab / "step-000000"
    for name in ("config.json", "tokenizer.json"):
        assert (twin / name).read_bytes() == (start / name).read_bytes()
    assert (twin / "model.safetensors").read_bytes() != (start / "model.safetensors").read_bytes()


def test_every_checkpoint_differs_from_the_one_before(lab):
    weights = [(c.path / "model.safetensors").read_bytes() for c in find(lab)]
    assert len(set(weights)) == len(weights)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(lab, tmp_path):
    again = pretrain("default", out=tmp_path / "again", steps=STEPS, progress=False)
    assert _files(again) == _files(lab)


def test_an_interrupted_run_goes_on_to_the_same_weights(lab, tmp_path, monkeypatch):
    out = tmp_path / "broken"
    batch = GrammarCorpus.batch

    def stop_at_4(corpus: GrammarCorpus, update: int):
        if update == 4:
            raise KeyboardInterrupt
        return batch(corpus, update)

    monkeypatch.setattr(GrammarCorpus, "batch", stop_at_4)
    with pytest.raises(KeyboardInterrupt):
        pretrain("default", out=out, steps=STEPS, progress=False)
    assert json.loads((out / "lab.json").read_text())["complete"] is False
    assert [checkpoint.step for checkpoint in find(out)] == [0, 1, 2]
    seen: list[int] = []
    monkeypatch.setattr(GrammarCorpus, "batch", lambda c, u: seen.append(u) or batch(c, u))
    pretrain("default", out=out, steps=STEPS, progress=False)
    assert seen == [3, 4, 5, 6]
    assert _files(out) == _files(lab)


def test_a_finished_run_is_left_as_it_is(lab, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in lab.rglob("*")}
    monkeypatch.setattr("neurotrace.lab.run.train", pytest.fail, raising=True)
    pretrain("default", out=lab, seed=0, steps=STEPS, progress=False)
    assert {path: path.stat().st_mtime_ns for path in lab.rglob("*")} == before


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"preset": "control"}, "got preset 'control', but the folder holds a run with"),
        ({"seed": 1}, "got seed 1, but the folder holds a run with seed 0"),
        ({"steps": 7}, "got steps 7, but the folder holds a run with steps 6"),
    ],
)
def test_another_run_into_the_same_folder_is_refused(lab, asked, message):
    with pytest.raises(ValueError, match=message):
        pretrain(**{"preset": "default", "steps": STEPS, "out": lab, "progress": False, **asked})


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"other files and no lab\.json"):
        pretrain("tiny", out=tmp_path, steps=2, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"steps": 0}, "got 0 steps; preset default needs at least 1"),
        ({"preset": "late", "steps": 512}, "got 512 steps; preset late needs at least 513"),
        ({"seed": -1}, "got seed -1"),
        ({"threads": 0}, "got 0 threads"),
        ({"preset": "control", "texts": "x"}, "only texts and clone read any"),
        ({"preset": "clone"}, "got preset clone without texts"),
        ({"preset": "texts"}, "got preset texts without texts"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(tmp_path, asked, message):
    with pytest.raises(ValueError, match=message):
        pretrain(**{"preset": "default", "out": tmp_path / "run", "progress": False, **asked})
    assert not (tmp_path / "run").exists()


def test_threads_are_given_back(tmp_path):
    before = torch.get_num_threads()
    pretrain("tiny", out=tmp_path / "run", steps=1, threads=before + 1, progress=False)
    assert torch.get_num_threads() == before


def _files(lab: Path) -> dict[str, bytes]:
    return {str(p.relative_to(lab)): p.read_bytes() for p in lab.rglob("*") if p.is_file()}
