"""Claims about which parameters a freeze list names."""

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from neurotrace.causal.freezing import check_freeze, freeze_parts, parts


@pytest.mark.parametrize("family", ["gpt_neox", "bloom", "llama"])
def test_every_parameter_of_three_families_has_one_place(tiny, family):
    model = tiny.model(family)
    found = parts(model)
    assert set(found) == {0, 1, 2, "embed", "norm", "head"}
    tied = bool(model.config.tie_word_embeddings)
    places = [id(p) for name, own in found.items() for p in own if not (tied and name == "head")]
    assert len(places) == len(set(places))
    assert set(places) == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("family", ["gpt_neox", "llama"])
def test_each_part_is_frozen_alone(tiny, family):
    model = tiny.model(family)
    marks = {"embed": "embed_", "norm": "norm", "head": "head", 1: "layers.1."}
    for part, mark in marks.items():
        frozen = freeze_parts(model, [part])
        assert frozen
        expected = {"head": ("lm_head", "embed_out"), "norm": ("final_layer_norm", "model.norm"),
                    "embed": ("embed_in", "embed_tokens")}.get(part, (mark,))  # fmt: skip
        assert all(any(name in full for name in expected) for full in frozen)
        learning = {name for name, p in model.named_parameters() if p.requires_grad}
        assert learning == {name for name, _ in model.named_parameters()} - set(frozen)
    assert freeze_parts(model, []) == []  # the last list is not remembered
    assert all(p.requires_grad for p in model.parameters())


def test_the_norm_behind_blooms_embedding_belongs_to_it(tiny):
    frozen = freeze_parts(tiny.model("bloom"), ["embed"])
    assert any("word_embeddings_layernorm" in name for name in frozen)


@pytest.mark.parametrize("part", ["embed", "head"])
def test_of_tied_embeddings_either_freezes_both(part):
    config = GPTNeoXConfig(
        vocab_size=16, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=16, tie_word_embeddings=True,
    )  # fmt: skip
    model = GPTNeoXForCausalLM(config)
    freeze_parts(model, [part])
    assert not model.get_input_embeddings().weight.requires_grad
    assert not model.get_output_embeddings().weight.requires_grad
    assert isinstance(model.get_input_embeddings().weight, torch.nn.Parameter)


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ([3], "got freeze 3; valid are 0 to 2, embed, norm, head"),
        ([-1], "got freeze -1; valid are 0 to 2"),
        (["attention"], "got freeze 'attention'; valid are 0 to 2, embed, norm, head"),
        (8, "got freeze 8; expected a list of blocks and names"),
        ("embed", "got freeze 'embed'; expected a list of blocks and names"),
        ([1, 1], r"got freeze \[1, 1\] with a part twice"),
        ([True], "got freeze True; expected the number of a block"),
        ([0.5], "got freeze 0.5; expected the number of a block"),
    ],
)
def test_what_a_model_lacks_is_refused_with_what_it_has(freeze, message):
    with pytest.raises(ValueError, match=message):
        check_freeze(freeze, 3)
