"""A folder that grows with a training: which files count, which give way, which are refused."""

from pathlib import Path
from typing import Any

import pytest
from capture.tiny_families import model_of, tokenizer_of
from capture.training import SAME, WHAT, nudged
from torch import nn

from neurotrace.capture import live_model
from neurotrace.capture.live import LiveCapture
from neurotrace.concepts import ConceptSet
from neurotrace.store import CheckpointWriter, StoreMismatch

TOKENIZER = tokenizer_of("gpt_neox")


@pytest.fixture
def model() -> nn.Module:
    return model_of("gpt_neox").train()


@pytest.fixture
def live(few: ConceptSet, tmp_path: Path) -> LiveCapture:
    return LiveCapture(few, tmp_path / "live", tokenizer=TOKENIZER, strict=True, **SAME)


def again(live: LiveCapture, few: ConceptSet, **changes: Any) -> LiveCapture:
    """Another sitting in the same folder."""
    return LiveCapture(few, live.out, tokenizer=TOKENIZER, strict=True, **{**SAME, **changes})


def mark(model: nn.Module) -> str:
    return live_model.state_hash(live_model.saved_state(model))


def test_a_folder_of_another_training_is_refused(
    live: LiveCapture, few: ConceptSet, model: nn.Module
) -> None:
    live.capture(model, 0)
    with pytest.raises(StoreMismatch, match="0000_step0.h5 of other weights than these"):
        again(live, few).capture(nudged(model), 0)
    assert live.store.steps == [0]


def test_a_folder_captured_in_another_way_is_refused(
    live: LiveCapture, few: ConceptSet, model: nn.Module
) -> None:
    live.capture(model, 0)
    with pytest.raises(StoreMismatch, match="another what"):
        again(live, few, what=WHAT[:1]).capture(nudged(model), 10)
    assert live.store.steps == [0]


def test_steps_are_numbered_in_their_order_however_they_come(
    live: LiveCapture, model: nn.Module
) -> None:
    for step in (0, 20):
        live.capture(nudged(model, seed=step), step)
    assert live.capture(nudged(model), 30, stage=1) == live.out / "0002_stage1-step30.h5"
    live.capture(nudged(model), 5, stage=1)
    assert [(row.stage, row.step) for row in live.store.checkpoints.itertuples()] == [
        (0, 0),
        (0, 20),
        (1, 5),
        (1, 30),
    ]


def test_what_was_captured_beyond_the_step_that_is_resumed_gives_way(
    live: LiveCapture, few: ConceptSet, model: nn.Module
) -> None:
    start = {name: x.clone() for name, x in model.state_dict().items()}
    live.capture(model, 0)
    live.capture(nudged(model, seed=1), 10)
    model.load_state_dict(start)
    resumed = again(live, few)
    resumed.capture(model, 0)  # equal weights: the folder is this training's
    assert resumed.capture(nudged(model, seed=2), 10) == live.out / "0001_step10.h5"
    assert resumed.store.header(10)["weight_hash"] == mark(model)


@pytest.mark.parametrize("seed", [1, 2], ids=["the same", "others"])
def test_an_unfinished_file_is_gone_on_with_by_its_own_weights_alone(
    seed: int, live: LiveCapture, model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {name: x.clone() for name, x in model.state_dict().items()}
    live.capture(model, 0)
    write, writes = CheckpointWriter.write, []

    def killed(self: CheckpointWriter, at: int, rows: Any) -> None:
        write(self, at, rows)
        raise KeyboardInterrupt

    def noted(self: CheckpointWriter, at: int, rows: Any) -> None:
        writes.append(at)
        write(self, at, rows)

    monkeypatch.setattr(CheckpointWriter, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        live.capture(nudged(model, seed=1), 10)
    assert len(list(live.out.glob("*.partial"))) == 1
    monkeypatch.setattr(CheckpointWriter, "write", noted)
    model.load_state_dict(start)
    live.capture(model, 0)  # the folder is this training's
    live.capture(nudged(model, seed=seed), 10)
    assert writes == ([] if seed == 1 else [0])
    assert live.store.header(10)["weight_hash"] == mark(model)
    assert not list(live.out.glob("*.partial"))
