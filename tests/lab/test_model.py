"""Claims about the lab's model and its initial weights."""

import torch

from neurotrace.lab.model import build
from neurotrace.lab.preset import PRESETS


def test_the_model_is_the_recipe_s():
    model = build(PRESETS["default"], vocab_size=949, seed=0)
    assert sum(parameter.numel() for parameter in model.parameters()) == 321_536
    config = model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (64, 4, 4)
    assert config.intermediate_size == 256
    assert config.use_parallel_residual is False
    assert config.rope_parameters["partial_rotary_factor"] == 0.5
    assert model.gpt_neox.layers[0].mlp.dense_h_to_4h.out_features == 256
    assert all(m.p == 0 for m in model.modules() if isinstance(m, torch.nn.Dropout))
    assert config.bos_token_id == 1


def test_presets_of_a_seed_have_equal_initial_weights():
    default, control = (_weights(name, seed=3) for name in ("default", "control"))
    assert default.keys() == control.keys()
    assert all(torch.equal(default[name], control[name]) for name in default)


def test_tied_weights_are_the_untied_ones_without_the_output_matrix():
    default, strong = (build(PRESETS[n], vocab_size=50, seed=3) for n in ("default", "strong"))
    body, expected = strong.gpt_neox.state_dict(), default.gpt_neox.state_dict()
    assert all(torch.equal(body[name], expected[name]) for name in expected)
    for model, tied in ((default, False), (strong, True)):
        vectors = model.get_input_embeddings().weight, model.get_output_embeddings().weight
        assert torch.equal(*vectors) is tied


def test_seeds_and_twins_differ_in_every_matrix():
    reference = _weights("default", seed=0)
    others = (_weights("default", seed=1), _weights("default", seed=0, twin=True))
    for other in others:
        matrices = [name for name in reference if reference[name].ndim == 2]
        assert not any(torch.equal(reference[name], other[name]) for name in matrices)


def test_building_leaves_the_global_generator_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build(PRESETS["default"], vocab_size=20, seed=0)
    assert torch.equal(torch.rand(3), expected)


def _weights(name: str, *, seed: int, twin: bool = False) -> dict[str, torch.Tensor]:
    return build(PRESETS[name], vocab_size=50, seed=seed, twin=twin).state_dict()
