"""Claims about training a checkpoint further while named parts of it stay as they are."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from neurotrace.capture.loading import load_tokenizer, load_weights
from neurotrace.causal.finetune import finetune
from neurotrace.causal.tuning_heads import CausalHead, classify, encode
from neurotrace.checkpoints import Checkpoint, find, weight_hash

MODULE = import_module("neurotrace.causal.finetune")  # the room hands out the function
TEXTS = [" ".join(f"word{(3 * i + j) % 40}" for j in range(4 + i % 5)) for i in range(24)]
SMALL = {"steps": 3, "batch_size": 4, "lr": 1e-2}


def state(folder: Path) -> dict[str, torch.Tensor]:
    return load_weights(folder).state_dict()


def moved(before: Path, after: Path) -> set[str]:
    old, new = state(before), state(after)
    return {name for name in old if not torch.equal(old[name], new[name])}


def test_what_is_frozen_stays_bit_for_bit_and_all_else_moves(tiny, tmp_path):
    base = tiny.folder(0)
    (made,) = finetune(base, TEXTS, out=tmp_path / "t", freeze=["embed", 1, "norm"], **SMALL)
    changed = moved(base, made.path)
    parameters = dict(load_weights(base).named_parameters())
    kept = {n for n in parameters if ".layers.1." in n or "embed_in" in n or "final_layer" in n}
    assert kept
    assert not changed & kept
    unmoved = {name for name in set(parameters) - kept - changed}
    # A bias on the keys shifts all scores of a query alike: it has no gradient but rounding.
    assert all("attention" in name for name in unmoved), unmoved
    assert changed >= {name for name in set(parameters) - kept if "mlp" in name}
    assert "embed_out.weight" in changed or "lm_head.weight" in changed


def test_a_lent_tokenizer_is_used_and_kept_beside_what_is_tuned(tiny, tmp_path):
    base = tiny.folder(0)
    bare = tmp_path / "series" / "step-0"
    shutil.copytree(base, bare, ignore=shutil.ignore_patterns("token*", "special*", "vocab*"))
    lent = Checkpoint("made", 0, bare, tokenizer=base)
    (made,) = finetune(lent, TEXTS, out=tmp_path / "t", **SMALL)
    (own,) = finetune(base, TEXTS, out=tmp_path / "own", **SMALL)
    assert weight_hash(made.path) == weight_hash(own.path)
    assert load_tokenizer(made.path).get_vocab() == load_tokenizer(base).get_vocab()


def test_the_same_call_gives_the_same_weights_and_another_seed_others(tiny, tmp_path):
    base = tiny.folder(0)
    torch.manual_seed(5)
    one = finetune(base, TEXTS, out=tmp_path / "a", **SMALL)
    drawn = torch.rand(1)
    torch.manual_seed(6)
    two = finetune(base, TEXTS, out=tmp_path / "b", **SMALL)
    other = finetune(base, TEXTS, out=tmp_path / "c", seed=1, **SMALL)
    assert weight_hash(one[0].path) == weight_hash(two[0].path)
    assert weight_hash(one[0].path) != weight_hash(other[0].path)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))  # the caller's random numbers are the caller's


def test_a_whole_series_is_not_trained_again_and_other_settings_are_refused(
    tiny, tmp_path, monkeypatch
):
    base, out = tiny.folder(0), tmp_path / "t"
    first = finetune(base, TEXTS, out=out, **SMALL)
    monkeypatch.setattr(MODULE, "_updates", None)
    assert finetune(base, TEXTS, out=out, **SMALL) == first
    with pytest.raises(ValueError, match="got other lr than the series that lies there"):
        finetune(base, TEXTS, out=out, **{**SMALL, "lr": 1e-3})


def test_a_series_cut_off_is_made_again_and_ends_the_same(tiny, tmp_path):
    base, out = tiny.folder(0), tmp_path / "t"
    (made,) = finetune(base, TEXTS, out=out, **SMALL)
    whole = weight_hash(made.path)
    record = json.loads((out / "tuning.json").read_text())
    (out / "tuning.json").write_text(json.dumps({**record, "complete": False}))
    (made.path / "model.safetensors").write_bytes(b"")
    assert weight_hash(finetune(base, TEXTS, out=out, **SMALL)[0].path) == whole


def test_checkpoints_are_saved_when_asked_and_are_found_as_any_others(tiny, tmp_path):
    base = tiny.folder(0)
    made = finetune(base, TEXTS, out=tmp_path / "t", save_every=2, keep_start=True, **SMALL)
    assert [checkpoint.step for checkpoint in made] == [0, 2, 3]
    assert find(tmp_path / "t") == made
    assert weight_hash(made[0].path) == weight_hash(base)
    assert (made[-1].path / "tokenizer.json").is_file()


def test_tuning_lowers_the_loss_of_its_texts(tiny, tmp_path):
    base = tiny.folder(0)
    recipe = {"steps": 40, "batch_size": 24, "lr": 3e-3}
    (made,) = finetune(base, TEXTS, out=tmp_path / "t", **recipe)
    assert loss(tiny, made.path) < 0.5 * loss(tiny, base)


def loss(tiny, folder: Path) -> float:
    read = encode(tiny.tokenizer(), TEXTS, max_length=64, bos="default")
    rows = np.arange(len(TEXTS))
    with torch.no_grad():
        total = CausalHead().loss(load_weights(folder), read.batch(rows, device="cpu"), rows)
    return float(total) / CausalHead().weight(read, rows)


def test_the_loss_is_that_of_content_tokens_one_text_at_a_time(tiny):
    model = tiny.model("gpt_neox")
    texts = ["word1 word2 unknown word3", "word4 word5"]
    read = encode(tiny.tokenizer(), texts, max_length=64, bos="default")
    total, count = 0.0, 0
    for text in texts:  # by hand: no padding, no mask, <s> in front, <unk> is no content
        ids = tiny.tokenizer()(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            log_p = model(input_ids=ids).logits[0].log_softmax(-1)
        for at in range(1, ids.shape[1]):
            if int(ids[0, at]) > 3:
                total -= float(log_p[at - 1, ids[0, at]])
                count += 1
    rows = np.arange(2)
    with torch.no_grad():
        found = CausalHead().loss(model, read.batch(rows, device="cpu"), rows)
    assert CausalHead().weight(read, rows) == count == 5
    assert float(found) == pytest.approx(total, rel=1e-5)


def test_a_batch_in_pieces_has_the_gradient_of_the_whole(tiny, tmp_path, monkeypatch):
    base = tiny.folder(0)
    (whole,) = finetune(base, TEXTS, out=tmp_path / "a", **SMALL)
    monkeypatch.setattr(MODULE, "LOGITS", 1)  # a text at a time
    (pieces,) = finetune(base, TEXTS, out=tmp_path / "b", **SMALL)
    one, two = state(whole.path), state(pieces.path)
    name = "gpt_neox.layers.0.mlp.dense_4h_to_h.bias"
    torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-5)


def test_a_classifier_learns_its_texts_and_is_read_back(tiny, tmp_path):
    base = tiny.folder(0)
    labels = ["early" if int(text.split()[-1][4:]) < 20 else "late" for text in TEXTS]
    recipe = {"steps": 60, "batch_size": 24, "lr": 1e-3, "head": "classification"}
    everything = ["embed", 0, 1, 2, "norm", "head"]
    for freeze in ([], everything):
        made = finetune(
            base, TEXTS, labels=labels, out=tmp_path / str(len(freeze)), freeze=freeze, **recipe
        )
        assert np.mean(classify(made[-1], TEXTS) == labels) > 0.9
        assert classify(made[-1], TEXTS[:1]) == classify(made[-1], TEXTS)[:1]  # padding is nothing
    assert not moved(base, made[-1].path)  # the head alone learnt


def test_the_class_is_read_at_the_last_content_token(tiny, tmp_path):
    numbered = [i % 3 for i in range(len(TEXTS))]
    (made,) = finetune(tiny.folder(0), TEXTS, labels=numbered, out=tmp_path / "t",
                       head="classification", **SMALL)  # fmt: skip
    assert classify(made, TEXTS).dtype.kind == "i"
    longer = [f"{text} unknown unknown" for text in TEXTS]
    np.testing.assert_array_equal(classify(made, TEXTS), classify(made, longer))
    with pytest.raises(ValueError, match="got no classifier.json"):
        classify(tiny.folder(0), TEXTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "got steps 0; expected at least 1"),
        ({"epochs": -1}, "got steps 0; expected at least 1"),
        ({"lr": 0.0}, "got lr 0.0; expected a number above 0"),
        ({"head": "span"}, "got head 'span'; valid are causal, classification"),
        ({"head": "classification"}, "without labels; expected labels for classification"),
        ({"labels": ["a"] * 24}, "got head 'causal' with labels"),
        ({"head": "classification", "labels": ["a", "b"]}, "got 2 labels for 24 texts"),
        ({"head": "classification", "labels": ["a"] * 24}, "got labels of 1 classes"),
        ({"texts": []}, "got one string or no texts"),
        ({"texts": "word1"}, "got one string or no texts"),
        ({"texts": ["word1", "unknown"]}, "text group '1': got no content token"),
        ({"freeze": ["embed", 0, 1, 2, "norm", "head"]}, "leaves nothing to learn"),
        ({"freeze": 2}, "got freeze 2; expected a list of blocks and names"),
    ],
)
def test_calls_that_make_no_sense_are_refused_before_anything_is_written(
    tiny, tmp_path, changes, message
):
    given = {"texts": TEXTS, "out": tmp_path / "t", **SMALL, **changes}
    with pytest.raises(ValueError, match=message):
        finetune(tiny.folder(0), given.pop("texts"), **given)
    assert not (tmp_path / "t").exists()


def test_a_folder_of_other_things_is_left_alone(tiny, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="got a folder with other files"):
        finetune(tiny.folder(0), TEXTS, out=tmp_path, **SMALL)
