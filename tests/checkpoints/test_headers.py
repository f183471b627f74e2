"""Tensors of a checkpoint by the headers of its files, the same however they are saved."""

import pytest
import torch
from safetensors.torch import save_file

from neurotrace.checkpoints import BrokenCheckpoint, Checkpoint
from neurotrace.checkpoints.headers import layout, reader, tensors
from neurotrace.checkpoints.signature import cosines, distances, floats, plan, values

WEIGHTS = {
    "embed.weight": torch.arange(12.0).reshape(4, 3),
    "layers.0.norm.weight": torch.ones(3, dtype=torch.bfloat16) * 1.5,
    "layers.0.mlp.up.weight": torch.arange(6.0).half().reshape(2, 3),
    "layers.0.mlp.up.bias": torch.tensor([-2.0, 3.0], dtype=torch.float64),
}
EXPECTED = {
    "embed.weight": ("F32", (4, 3)),
    "layers.0.norm.weight": ("BF16", (3,)),
    "layers.0.mlp.up.weight": ("F16", (2, 3)),
    "layers.0.mlp.up.bias": ("F64", (2,)),
}


@pytest.fixture(params=["safetensors", "bin"])
def checkpoint(request, tmp_path):
    folder = tmp_path / "step4"
    folder.mkdir()
    if request.param == "bin":
        torch.save(WEIGHTS, folder / "pytorch_model.bin")
    else:
        save_file(WEIGHTS, folder / "model.safetensors")
    return Checkpoint("m", 4, folder)


def test_types_and_shapes_are_told_without_reading_tensors(checkpoint):
    assert tensors(checkpoint) == EXPECTED


def test_the_sampled_numbers_are_those_of_the_tensors(checkpoint):
    table = layout(checkpoint)
    found = values(checkpoint, table, plan([table]))
    assert set(found) == {"embeddings", "norms", "biases", "matrices"}
    assert set(found["embeddings"].tolist()) == set(range(12))
    assert found["norms"].tolist() == [1.5] * 3
    assert found["biases"].tolist() == [-2, 3]
    assert found["matrices"].tolist() == list(range(6))


def test_bytes_of_a_tensor_lie_where_its_header_says(tmp_path):
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    checkpoint = Checkpoint("m", 4, tmp_path)
    entry = layout(checkpoint)["layers.0.norm.weight"]
    raw = reader(checkpoint, entry.file)(entry.start, entry.stop)
    assert floats(raw, entry.dtype).tolist() == [1.5] * 3


def test_only_what_all_checkpoints_share_is_compared_and_less_of_it_from_afar(checkpoint):
    table = layout(checkpoint)
    other = {name: entry for name, entry in table.items() if "bias" not in name}
    assert {piece.kind for piece in plan([table, other])} == {"embeddings", "norms", "matrices"}
    deep = {f"layers.{at}.mlp.up.weight": table["layers.0.mlp.up.weight"] for at in range(100)}
    assert len(plan([deep])) == 100
    chosen = [piece.name for piece in plan([deep], far=True)]
    assert len(chosen) == 16
    assert {"layers.0.mlp.up.weight", "layers.99.mlp.up.weight"} <= set(chosen)


def test_distances_and_cosines_by_hand():
    one, other = floats(b"\0\0\x80\x3f" * 2, "F32"), floats(b"\0\0\x80\xbf" * 2, "F32")
    series = [{"matrices": one}, {"matrices": other}, {"matrices": 4 * one}]
    assert distances(series)["matrices"][0].tolist() == pytest.approx([0, 8**0.5, 18**0.5])
    assert cosines(series)[0].tolist() == pytest.approx([1, -1, 1])


def test_a_file_that_is_no_weights_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0[]")
    with pytest.raises(BrokenCheckpoint, match="header that is no table"):
        tensors(Checkpoint("m", 4, tmp_path))
