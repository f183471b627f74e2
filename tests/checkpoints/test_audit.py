"""Every fault planted in a real series is found by name, and the honest series has none."""

import json
import shutil

import numpy as np
import planted_suites as plant
import pytest
import torch
from safetensors.torch import load_file, save_file

from neurotrace.checkpoints import Checkpoint, find
from neurotrace.checkpoints.audit import audit, refused

STEPS = [0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256]


@pytest.fixture
def suite(tiny_lab, tmp_path):
    return plant.suite(tiny_lab, tmp_path / "suite")


def verdicts(table):
    """What is not in order, by step."""
    return {row.step: row.verdict for row in table.itertuples() if row.verdict != "ok"}


def notes(table):
    return {row.step: row.note for row in table.itertuples() if row.note}


@pytest.mark.parametrize("deep", [False, True])
def test_an_honest_series_is_in_order(suite, deep):
    table = audit(find(suite), deep=deep)
    assert table["step"].tolist() == STEPS
    assert verdicts(table) == notes(table) == {}
    assert table["weight_hash"].nunique() == len(STEPS)
    assert table["duplicate_of"].isna().all()
    assert len(refused(table)) == 0
    if deep:
        assert table["drift"].isna().tolist() == [True] + [False] * 11
        assert table["detour"].iloc[1:-1].between(1, 1.5).all()


@pytest.mark.parametrize("deep", [False, True])
def test_a_copy_of_an_earlier_step_is_named_and_refused(suite, deep):
    plant.serve(suite, 96, weights_of=32)
    table = audit(find(suite), deep=deep)
    assert verdicts(table) == {96: "copy of step 32"}
    assert table.set_index("step").loc[96, "duplicate_of"] == 32
    assert refused(table)["step"].tolist() == [96]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("at", [0, 8, 192])
def test_a_step_that_serves_the_final_weights_is_named_and_refused(suite, deep, at):
    plant.serve(suite, at, weights_of=256)
    table = audit(find(suite), deep=deep)
    assert verdicts(table) == {at: "serves the final weights"}
    assert refused(table)["duplicate_of"].tolist() == [256]


def test_deep_knows_which_of_two_equal_steps_is_the_copy(suite):
    plant.serve(suite, 16, weights_of=128)
    assert verdicts(audit(find(suite))) == {128: "copy of step 16"}
    assert verdicts(audit(find(suite), deep=True)) == {16: "copy of step 128"}
    plant.serve(suite, 256, weights_of=4)
    assert verdicts(audit(find(suite)))[4] == "serves the final weights"
    assert verdicts(audit(find(suite), deep=True))[256] == "copy of step 4"


def test_a_copy_in_another_file_shows_in_its_tensors(suite):
    folder = plant.step(suite, 96)
    weights = load_file(plant.step(suite, 32) / plant.WEIGHTS)
    (folder / plant.WEIGHTS).unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert verdicts(audit(find(suite))) == {}
    assert verdicts(audit(find(suite), deep=True)) == {96: "copy of step 32"}


def test_early_steps_that_stand_still_are_classed_apart(suite):
    for at in (1, 2):
        plant.serve(suite, at, weights_of=0)
    plant.serve(suite, 64, weights_of=0)
    for deep in (False, True):
        table = audit(find(suite), deep=deep)
        assert verdicts(table) == {
            1: "unmoved since step 0",
            2: "unmoved since step 0",
            64: "copy of step 0",
        }
        assert refused(table)["step"].tolist() == [64]


def test_late_neighbours_never_stand_still_and_a_skipped_update_may(suite):
    plant.serve(suite, 2, weights_of=1)
    plant.serve(suite, 16, weights_of=8)
    plant.serve(suite, 128, weights_of=96)
    assert verdicts(audit(find(suite))) == {
        2: "unmoved since step 1",
        16: "copy of step 8",
        128: "copy of step 96",
    }


def test_training_that_has_long_begun_has_moved_the_weights(suite):
    for at in (1, 2, 4, 8, 16, 32):
        plant.lose(suite, at)
    plant.serve(suite, 64, weights_of=0)
    assert verdicts(audit(find(suite))) == {64: "copy of step 0"}


@pytest.mark.parametrize("kind", ["drawn", "flat", "added"])
@pytest.mark.parametrize("at", [1, 32, 128])
def test_a_step_of_noise_is_off_the_curve_and_only_that_step(suite, kind, at):
    plant.noise(suite, at, kind=kind)
    table = audit(find(suite), deep=True)
    assert verdicts(table) == {at: "off the curve"}
    assert notes(table)[at].startswith("fits")
    assert len(refused(table)) == 0


@pytest.mark.parametrize("at", [0, 256])
@pytest.mark.parametrize("kind", ["drawn", "flat"])
def test_noise_at_an_end_of_the_series_is_off_the_curve_too(suite, kind, at):
    plant.noise(suite, at, kind=kind)
    assert verdicts(audit(find(suite), deep=True)) == {at: "off the curve"}


@pytest.mark.parametrize("pair", [(0, 1), (64, 96), (192, 256), (8, 128), (1, 4), (0, 256)])
def test_swapped_labels_are_told_with_where_they_belong(suite, pair):
    plant.swap(suite, *pair)
    table = audit(find(suite), deep=True)
    assert verdicts(table) == dict.fromkeys(pair, "off the curve")
    assert notes(table) == {
        pair[0]: f"fits as step {pair[1]}: swapped labels?",
        pair[1]: f"fits as step {pair[0]}: swapped labels?",
    }


@pytest.mark.parametrize("pair", [(16, 64), (8, 16), (32, 64), (64, 256)])
def test_swapped_labels_are_told_as_such_beside_losses_that_seem_to_blame_others(suite, pair):
    plant.swap(suite, *pair)
    other = dict(zip(pair, pair[::-1], strict=True))

    def loss(checkpoint: Checkpoint) -> float:
        return 7 - np.log1p(other.get(checkpoint.step, checkpoint.step)) * 0.75

    table = audit(find(suite), deep=True, loss=loss)
    assert verdicts(table) == dict.fromkeys(pair, "off the curve")
    for step in pair:
        assert notes(table)[step].startswith(f"fits as step {other[step]}: swapped labels?")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9999])
def test_a_truncated_file_is_broken_and_says_how(suite, share):
    plant.truncate(suite, 64, share=share)
    table = audit(find(suite))
    assert verdicts(table)[64].startswith("broken: step-000064/model.safetensors: got ")
    assert refused(table)["step"].tolist() == [64]
    assert verdicts(table) == verdicts(audit(find(suite), deep=True))


def test_a_truncated_torch_file_is_broken(suite):
    for number in STEPS:
        folder = plant.step(suite, number)
        torch.save(load_file(folder / plant.WEIGHTS), folder / "pytorch_model.bin")
        (folder / plant.WEIGHTS).unlink()
    assert verdicts(audit(find(suite))) == {}
    assert verdicts(audit(find(suite), deep=True)) == {}
    file = plant.step(suite, 8) / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:-1000])
    assert verdicts(audit(find(suite)))[8].startswith("broken: step-000008/pytorch_model.bin: not")


def test_missing_steps_have_rows_and_are_not_refused(suite, tmp_path):
    for at in (64, 128):
        plant.lose(suite, at)
    assert verdicts(audit(find(suite))) == {}  # 32 96 192 256: no grid, nothing is known to lack
    grid = tmp_path / "grid"
    for at, number in enumerate([0, 1, 2, 4, 8, 16]):
        shutil.copytree(plant.step(suite, number), plant.step(grid, 100 * (at + (at > 2))))
    table = audit(find(grid), deep=True)
    assert table["step"].tolist() == [0, 100, 200, 300, 400, 500, 600]
    assert verdicts(table) == {300: "missing"}
    assert table.loc[3, ["revision", "weight_hash"]].isna().all()
    assert len(refused(table)) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_one_weight_that_is_no_number_breaks_a_step(suite, value, kind):
    def spoil(name, tensor):
        tensor = tensor.astype(kind)
        if name.endswith("layers.1.mlp.dense_h_to_4h.weight"):
            tensor[-1, -1] = value
        return tensor

    checkpoint = plant.step(suite, 128)
    tensors = {n: torch.from_numpy(spoil(n, t.numpy()))
               for n, t in load_file(checkpoint / plant.WEIGHTS).items()}  # fmt: skip
    (checkpoint / plant.WEIGHTS).unlink()
    save_file(tensors, checkpoint / plant.WEIGHTS)
    name = "gpt_neox.layers.1.mlp.dense_h_to_4h.weight"
    expected = {128: f"broken: NaN or infinity in {name}"}
    assert verdicts(audit(find(suite), deep=True)) == expected


def test_tensors_of_another_shape_and_missing_ones_break_a_step(suite):
    plant.edit(plant.step(suite, 4), lambda n, t: t[:40] if n.endswith("embed_in.weight") else t)
    weights = load_file(plant.step(suite, 64) / plant.WEIGHTS)
    lost = sorted(name for name in weights if ".layers.2." in name)
    (plant.step(suite, 64) / plant.WEIGHTS).unlink()
    kept = {name: tensor for name, tensor in weights.items() if name not in lost}
    save_file(kept, plant.step(suite, 64) / plant.WEIGHTS)
    found = verdicts(audit(find(suite)))
    assert set(found) == {4, 64}
    assert "embed_in.weight has the shape [40, 64], at most other steps [" in found[4]
    assert (
        found[64] == f"broken: no {lost[0]} and {len(lost) - 1} more, which most other steps have"
    )


def test_another_precision_and_buffers_that_come_and_go_are_no_fault(suite):
    weights = {n: t.half() for n, t in load_file(plant.step(suite, 4) / plant.WEIGHTS).items()}
    weights["gpt_neox.layers.0.attention.masked_bias"] = torch.tensor(-torch.inf)
    (plant.step(suite, 4) / plant.WEIGHTS).unlink()
    save_file(weights, plant.step(suite, 4) / plant.WEIGHTS)
    for number in STEPS[5:]:
        folder = plant.step(suite, number)
        held = load_file(folder / plant.WEIGHTS) | {"gpt_neox.rotary_emb.inv_freq": torch.ones(4)}
        (folder / plant.WEIGHTS).unlink()
        save_file(held, folder / plant.WEIGHTS)
    assert verdicts(audit(find(suite), deep=True)) == {}


def test_shards_are_checked_one_by_one(suite):
    for number in STEPS:
        _shard(plant.step(suite, number))
    assert verdicts(audit(find(suite), deep=True)) == {}
    (plant.step(suite, 8) / "model-00002-of-00002.safetensors").unlink()
    part = plant.step(suite, 64) / "model-00001-of-00002.safetensors"
    part.write_bytes(part.read_bytes()[:-7])
    found = verdicts(audit(find(suite)))
    assert set(found) == {8, 64}
    assert "got no file model-00002-of-00002.safetensors" in found[8]
    assert "model-00001-of-00002.safetensors: got" in found[64]


def _shard(folder):
    weights = load_file(folder / plant.WEIGHTS)
    (folder / plant.WEIGHTS).unlink()
    table = {}
    for part, names in enumerate((sorted(weights)[:20], sorted(weights)[20:]), 1):
        file = f"model-0000{part}-of-00002.safetensors"
        save_file({name: weights[name] for name in names}, folder / file)
        table |= dict.fromkeys(names, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))


def test_a_loss_is_taken_once_for_equal_weights_and_tells_what_distances_cannot(suite):
    plant.serve(suite, 16, weights_of=4)
    asked = []

    def loss(checkpoint: Checkpoint) -> float:
        asked.append(checkpoint.step)
        return 9.0 if checkpoint.step == 96 else 7 - np.log1p(checkpoint.step) / 2

    table = audit(find(suite), deep=True, loss=loss)
    assert asked == [step for step in STEPS if step != 16]
    assert verdicts(table) == {16: "copy of step 4", 96: "off the curve"}
    assert notes(table)[96].startswith("loss ")
    by_step = table.set_index("step")["loss"]
    assert by_step[16] == by_step[4]


def test_a_loss_that_is_no_number_breaks_a_step_and_none_is_no_loss(suite):
    answers = {64: np.nan}
    table = audit(find(suite), deep=True, loss=lambda c: answers.get(c.step))
    assert verdicts(table) == {64: "broken: its loss is nan"}
    with pytest.raises(ValueError, match="expected deep"):
        audit(find(suite), loss=lambda _: 1.0)


def test_columns_have_their_types_and_order_even_of_nothing(suite):
    table = audit(find(suite)[:1])
    first = ["stage", "step", "revision", "tokens", "weight_hash", "duplicate_of", "drift", "loss"]
    assert list(table.columns) == [*first, "verdict", "detour", "note"]
    assert table.dtypes[["stage", "step"]].tolist() == [np.int64, np.int64]
    assert len(audit([])) == 0


def test_each_stage_is_a_path_of_its_own(suite):
    series = find(suite)
    staged = [
        Checkpoint(c.model, c.step, c.path, stage=1 + (c.step < 32), revision=c.revision)
        for c in [*series[6:], *series[:6]]
    ]
    table = audit(staged, deep=True)
    assert verdicts(table) == {}
    assert table["drift"].isna().sum() == 2  # the first of each stage
