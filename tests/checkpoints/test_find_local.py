"""Local runs: what a Trainer leaves behind, tokenizers beside the steps, tokens counted."""

import json

import pytest

from neurotrace.checkpoints import find, gaps


def checkpoint(folder, *more):
    folder.mkdir(parents=True)
    for name in ("model.safetensors", *more):
        (folder / name).touch()
    return folder


def trainer_output(folder):
    """output_dir of a Trainer: steps with their optimizer, and the final model beside them."""
    for step in (500, 1000, 1500, 2500, 3000):
        each = checkpoint(folder / f"checkpoint-{step}", "optimizer.pt", "scheduler.pt", "rng.pth")
        state = {"global_step": step, "num_input_tokens_seen": step * 1024}
        (each / "trainer_state.json").write_text(json.dumps(state))
    for name in ("model.safetensors", "tokenizer.json", "training_args.bin"):
        (folder / name).touch()
    (folder / "runs").mkdir()
    return folder


def test_a_trainers_output_is_its_steps_and_not_its_final_model(tmp_path):
    found = find(trainer_output(tmp_path / "out"))
    assert [c.step for c in found] == [500, 1000, 1500, 2500, 3000]
    assert [c.tokens for c in found] == [step * 1024 for step in (500, 1000, 1500, 2500, 3000)]
    assert {c.tokenizer for c in found} == {tmp_path / "out"}
    assert {c.remote for c in found} == {None}
    assert gaps(found) == [(0, 2000)]


def test_a_checkpoints_own_tokenizer_goes_first(tmp_path):
    checkpoint(tmp_path / "run" / "step1", "vocab.txt")
    checkpoint(tmp_path / "run" / "step2")
    (tmp_path / "run" / "tokenizer.json").touch()
    assert [c.tokenizer for c in find(tmp_path / "run")] == [None, tmp_path / "run"]


def test_without_any_tokenizer_the_checkpoint_itself_is_asked(tmp_path):
    checkpoint(tmp_path / "run" / "step1")
    assert find(tmp_path / "run")[0].tokenizer is None


def test_a_tokenizer_named_is_for_all(tmp_path):
    checkpoint(tmp_path / "run" / "step1", "vocab.txt")
    (tmp_path / "words").mkdir()
    with pytest.raises(
        FileNotFoundError, match="with no vocabulary in .*words; expected one of to"
    ):
        find(tmp_path / "run", tokenizer=str(tmp_path / "words"))
    (tmp_path / "words" / "spiece.model").touch()
    found = find(tmp_path / "run", tokenizer=str(tmp_path / "words"))
    assert found[0].tokenizer == tmp_path / "words"


def test_tokens_of_the_name_go_before_the_trainers(tmp_path):
    each = checkpoint(tmp_path / "run" / "step1-tokens2B")
    (each / "trainer_state.json").write_text('{"num_input_tokens_seen": 5}')
    assert find(tmp_path / "run")[0].tokens == 2 * 10**9


@pytest.mark.parametrize("state", ["{}", "[]", '{"num_input_tokens_seen": 0}', "{"])
def test_a_trainer_that_counted_nothing_says_nothing(tmp_path, state):
    each = checkpoint(tmp_path / "run" / "step1")
    (each / "trainer_state.json").write_text(state)
    assert find(tmp_path / "run")[0].tokens is None


def test_holes_of_a_local_grid_are_gaps(tmp_path):
    for step in (0, 10, 20, 40, 50, 60):
        checkpoint(tmp_path / "run" / f"step{step}")
    assert gaps(find(tmp_path / "run")) == [(0, 30)]
