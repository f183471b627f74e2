"""Checkpoints and arguments that a run refuses, each with one line that names the culprit."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from neurotrace import capture
from neurotrace.checkpoints import BrokenCheckpoint, Checkpoint, find
from neurotrace.concepts import ConceptSet
from neurotrace.store import CheckpointWriter, StoreMismatch


def captured(source: Path | list[Checkpoint], concepts: ConceptSet, out: Path, **changes: Any):
    series = find(source) if isinstance(source, Path) else source
    return capture.run(series, concepts, out, progress=False, **changes)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The series in a folder that a test may damage."""
    shutil.copytree(folder, tmp_path / "series")
    return tmp_path / "series"


def damage(checkpoint: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    change(tensors)
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture
def captures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CheckpointWriter, "write", lambda *_: pytest.fail("captured something"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_damaged_weights_stop_the_run_naming_checkpoint_layer_and_sentence(
    value: float, copy: Path, few: ConceptSet, tmp_path: Path
) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["gpt_neox.layers.1.mlp.dense_h_to_4h.weight"][5, 3] = value

    damage(copy / "step-000016", change)
    with pytest.raises(ValueError, match=r"^step16, layer 1, mlp.hook_post, ..._Latn group") as e:
        captured(copy, few, tmp_path / "run")
    assert "\n" not in str(e.value)
    assert (tmp_path / "run" / "0000_step0.h5").exists()
    assert not (tmp_path / "run" / "0001_step16.h5").exists()


def test_one_damaged_word_names_the_first_sentence_that_holds_it(
    copy: Path, few: ConceptSet, tmp_path: Path
) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["gpt_neox.embed_in.weight"][20] = float("nan")  # w16

    damage(copy / "step-000000", change)
    holding = {
        f"{row.lang} group {row.group!r}"
        for row in few.frame.itertuples()
        if "w16" in row.text.split()
    }
    with pytest.raises(ValueError, match="^step0, layer 0") as e:
        captured(copy, few, tmp_path / "run")
    assert any(name in str(e.value) for name in holding)


def test_a_value_beyond_float16_is_refused_by_name_and_float32_holds_it(
    copy: Path, few: ConceptSet, tmp_path: Path
) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["gpt_neox.layers.0.mlp.dense_h_to_4h.bias"][7] = 1e5

    damage(copy / "step-000016", change)
    wanted = r"^step 16, layer 0, mlp.hook_post/max, \w+ group 'g\d+': got 1\d{5}.*dtype='float32'"
    with pytest.raises(ValueError, match=wanted):
        captured(copy, few, tmp_path / "run")
    store = captured(copy, few, tmp_path / "wide", dtype="float32")
    assert float(store.read(16, 0).max()) > 65504


@pytest.mark.usefixtures("captures_nothing")
def test_truncated_and_missing_weights_are_refused_before_anything_is_captured(
    copy: Path, few: ConceptSet, tmp_path: Path
) -> None:
    series = find(copy)
    file = copy / "step-000512" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BrokenCheckpoint, match=r"^step-000512/model\.safetensors: [^\n]*$"):
        captured(series, few, tmp_path / "run")
    file.unlink()
    with pytest.raises(BrokenCheckpoint, match="step-000512: got no weights"):
        captured(series, few, tmp_path / "run")


@pytest.mark.usefixtures("captures_nothing")
def test_checkpoints_of_different_shapes_are_refused_before_anything_is_captured(
    copy: Path, few: ConceptSet, tmp_path: Path, tiny: SimpleNamespace
) -> None:
    tiny.save(copy / "step-000512", tiny.model("gpt_neox", intermediate_size=96))
    with pytest.raises(ValueError, match=r"step0 and step512 are of different shapes: .*mlp"):
        captured(copy, few, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_equal_weights_in_two_steps_stop_the_run_unless_allowed(
    copy: Path, few: ConceptSet, tmp_path: Path
) -> None:
    name = "model.safetensors"
    shutil.copy(copy / "step-000000" / name, copy / "step-000016" / name)
    with pytest.raises(ValueError, match="step0 and step16 have equal weights"):
        captured(copy, few, tmp_path / "run")
    assert captured(copy, few, tmp_path / "run", allow_equal=True).steps == [0, 16, 512]


def test_checkpoints_with_another_tokenizer_are_refused(
    copy: Path, few: ConceptSet, tmp_path: Path, tiny: SimpleNamespace
) -> None:
    tiny.tokenizer(bos=False).save_pretrained(copy / "step-000016")
    with pytest.raises(StoreMismatch, match="step16 has another tokenizer than step0"):
        captured(copy, few, tmp_path / "run")


@pytest.mark.usefixtures("captures_nothing")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"what": ["mlp.hook_post/most"]}, "pooling 'most'"),
        ({"dtype": "bfloat16"}, "got dtype 'bfloat16'; valid are float16, float32"),
        ({"bos": "maybe"}, "valid are default, always, never"),
        ({"backend": "nnsight"}, "valid are bridge, plain"),
        ({"compute_dtype": "float16"}, "'float16' on a CPU"),
        ({"executor": "dask"}, "valid are serial, processes, slurm, ray"),
        ({"exclude_ids": range(10_000)}, "expected at most"),
    ],
)
def test_unknown_options_are_refused_with_the_valid_ones(
    changes: dict, message: str, folder: Path, few: ConceptSet, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        captured(folder, few, tmp_path / "run", **changes)


@pytest.mark.usefixtures("captures_nothing")
def test_an_empty_a_doubled_and_an_unordered_series_are_refused(
    series: list[Checkpoint], few: ConceptSet, tmp_path: Path
) -> None:
    for wrong, message in (
        ([], "got no checkpoint"),
        ([series[0], series[0]], "step0, step0; expected each step once"),
        (series[::-1], "in order"),
    ):
        with pytest.raises(ValueError, match=message):
            captured(wrong, few, tmp_path / "run")


@pytest.mark.usefixtures("captures_nothing")
def test_sentences_that_the_model_cannot_hold_are_refused_by_name(
    folder: Path, few: ConceptSet, tmp_path: Path
) -> None:
    frame = few.frame.copy()
    frame.loc[3, "text"] = "w1 " * 40
    long = ConceptSet.from_frame(frame)
    name = f"{frame['lang'][3]} group {frame['group'][3]!r}"
    with pytest.raises(ValueError, match=rf"{name}: got 41 tokens; the model has 32 positions"):
        captured(folder, long, tmp_path / "run")
