"""The embedding matrix read alone, and the vocabulary beside it."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    MT5Config,
    MT5ForConditionalGeneration,
)

from neurotrace.capture.embedding import embedding_matrix, token_texts
from neurotrace.checkpoints import BrokenCheckpoint, find


def truth(folder: Path) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.get_input_embeddings().weight.detach().numpy()


@pytest.mark.parametrize("family", ["gpt_neox", "bloom", "llama"])
def test_the_matrix_is_that_of_the_loaded_model(
    family: str, tmp_path: Path, tiny: SimpleNamespace
) -> None:
    folder = tiny.save(tmp_path / "step-000016", tiny.model(family, seed=3))
    found = embedding_matrix(folder)
    assert found.dtype == np.float32
    assert found.shape == (48, 32)
    np.testing.assert_array_equal(found, truth(folder))
    np.testing.assert_array_equal(embedding_matrix(find(tmp_path)[0]), found)


def test_shards_and_half_precision_and_tied_heads_are_read(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    sharded = tmp_path / "sharded"
    tiny.model("llama").to(torch.bfloat16).save_pretrained(sharded, max_shard_size="20KB")
    assert len(list(sharded.glob("*.safetensors"))) > 2
    np.testing.assert_array_equal(embedding_matrix(sharded), truth(sharded))
    tied = tiny.save(tmp_path / "tied", tiny.model("gpt_neox", tie_word_embeddings=True))
    np.testing.assert_array_equal(embedding_matrix(tied), truth(tied))


def test_a_tied_matrix_under_the_head_s_name_and_in_a_later_shard_is_found(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    model = tiny.model("gpt_neox", tie_word_embeddings=True)
    model.config.save_pretrained(tmp_path)
    held = {n: t.clone() for n, t in model.state_dict().items() if n != "gpt_neox.embed_in.weight"}
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    where = {name: names[not name.startswith("gpt_neox.")] for name in held}
    assert list(where.values()).count(names[1]) == 1
    for file in names:
        part = {name: held[name] for name in held if where[name] == file}
        save_file(part, tmp_path / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": where}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    expected = model.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(embedding_matrix(tmp_path), expected)


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_are_read_whatever_their_age(
    zipped: bool, tmp_path: Path, tiny: SimpleNamespace
) -> None:
    model = tiny.model("bloom")
    model.config.save_pretrained(tmp_path)
    file = tmp_path / "pytorch_model.bin"
    torch.save(model.state_dict(), file, _use_new_zipfile_serialization=zipped)
    expected = model.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(embedding_matrix(tmp_path), expected)
    # As published BLOOM has it: names without the prefix of the causal model.
    bare = {n.removeprefix("transformer."): t for n, t in model.state_dict().items()}
    torch.save({n: t for n, t in bare.items() if n != "lm_head.weight"}, file)
    np.testing.assert_array_equal(embedding_matrix(tmp_path), expected)


def test_encoder_decoders_are_read_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2}
    model = MT5ForConditionalGeneration(MT5Config(vocab_size=30, **sizes))
    model.save_pretrained(tmp_path)
    np.testing.assert_array_equal(embedding_matrix(tmp_path), model.shared.weight.detach().numpy())


def test_encoders_saved_with_a_head_are_read_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"dim": 16, "hidden_dim": 24, "n_layers": 1, "n_heads": 2}
    model = DistilBertForMaskedLM(DistilBertConfig(vocab_size=30, **sizes))
    model.save_pretrained(tmp_path)
    expected = model.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(embedding_matrix(tmp_path), expected)


def test_damaged_missing_and_misshapen_embeddings_are_named(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    folder = tiny.save(tmp_path / "whole", tiny.model("llama"))
    other = tiny.model("llama", vocab_size=50)
    other.config.save_pretrained(folder)
    with pytest.raises(BrokenCheckpoint, match=r"got embedding \(48, 32\); expected \(50, 32\)"):
        embedding_matrix(folder)
    state = {n: t for n, t in other.state_dict().items() if "embed_tokens" not in n}
    lacking = tmp_path / "lacking"
    other.config.save_pretrained(lacking)
    torch.save(state, lacking / "pytorch_model.bin")
    with pytest.raises(BrokenCheckpoint, match="got no tensor model.embed_tokens.weight"):
        embedding_matrix(lacking)
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(BrokenCheckpoint, match="whole/model.safetensors: truncated"):
        embedding_matrix(folder)


def test_the_vocabulary_has_a_text_for_every_row_of_the_matrix(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    folder = tiny.save(tmp_path / "step-000016", tiny.model("gpt_neox"))
    texts = token_texts(folder)
    tokenizer = tiny.tokenizer()
    assert texts[:44] == tokenizer.convert_ids_to_tokens(list(range(44)))
    assert texts[44:] == [""] * 4
    assert len(texts) == len(embedding_matrix(folder))
    # Marks of a word's start are part of the text.
    file = folder / "tokenizer.json"
    marked = file.read_text("utf-8").replace('"w3"', '"▁w3"').replace('"w4"', '"Ġw4"')
    file.write_text(marked, encoding="utf-8")
    assert [text for text in token_texts(folder) if text not in texts] == ["▁w3", "Ġw4"]
