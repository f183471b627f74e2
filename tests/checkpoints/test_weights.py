"""Weight hashes: equal weights hash alike whatever the file, and broken files are named."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from neurotrace.checkpoints import BrokenCheckpoint, fingerprint, weight_hash


def tensors(seed=0):
    rng = np.random.default_rng(seed)
    return {"b": rng.random((3, 4), np.float32), "a": rng.random(5, np.float32)}


def save(folder, weights, **metadata):
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata=metadata or None)
    return folder


def test_the_hash_is_of_the_weights_alone(tmp_path):
    one = weight_hash(save(tmp_path / "x", tensors()))
    reordered = dict(reversed(tensors().items()))
    assert weight_hash(save(tmp_path / "y", reordered, step="7")) == one
    assert weight_hash(save(tmp_path / "z", tensors(1))) != one


def test_one_changed_bit_name_shape_or_type_changes_the_hash(tmp_path):
    base = tensors()
    variants = [
        base,
        {**base, "a": np.nextafter(base["a"], 9)},
        {"b": base["b"], "c": base["a"]},
        {**base, "b": base["b"].reshape(4, 3)},
        {**base, "a": base["a"].view(np.int32)},
    ]
    hashes = {weight_hash(save(tmp_path / str(i), v)) for i, v in enumerate(variants)}
    assert len(hashes) == len(variants)


def test_shards_hash_like_one_file(tmp_path):
    whole = weight_hash(save(tmp_path / "whole", tensors()))
    parts = tmp_path / "parts"
    parts.mkdir()
    for name, tensor in tensors().items():
        save_file({name: tensor}, parts / f"{name}.safetensors")
    index = {"weight_map": {name: f"{name}.safetensors" for name in tensors()}}
    (parts / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weight_hash(parts) == whole
    (parts / "a.safetensors").unlink()
    with pytest.raises(BrokenCheckpoint, match=r"got no file a.safetensors, which model.saf"):
        weight_hash(parts)


def test_a_torch_file_is_read_as_weights_only(tmp_path):
    state = {name: torch.from_numpy(tensor) for name, tensor in tensors().items()}
    torch.save(state, tmp_path / "pytorch_model.bin")
    assert weight_hash(tmp_path) == weight_hash(save(tmp_path / "safe", tensors()))
    torch.save({"a": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BrokenCheckpoint, match="pytorch_model.bin: not loadable as weights"):
        weight_hash(tmp_path)


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_a_truncated_file_is_named(tmp_path, kept):
    file = save(tmp_path / "step8", tensors()) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(BrokenCheckpoint, match="step8/model.safetensors: got"):
        weight_hash(tmp_path / "step8")


def test_a_nested_torch_file_and_an_index_without_a_map_are_named(tmp_path):
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BrokenCheckpoint, match="got 'model', which is no tensor"):
        weight_hash(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(BrokenCheckpoint, match="got no table weight_map"):
        weight_hash(other)


def test_a_fingerprint_tells_other_weights_of_the_same_size(tmp_path):
    marks = [fingerprint(save(tmp_path / str(seed), tensors(seed))) for seed in (0, 0, 1)]
    assert marks[0] == marks[1] != marks[2]


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(BrokenCheckpoint, match="got no weights; expected model.safetensors"):
        weight_hash(tmp_path)
