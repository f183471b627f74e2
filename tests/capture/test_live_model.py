"""A model captured in a loop of one's own: read whole, as it would be saved, and left alone."""

import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from capture.tiny_families import TINY, model_of, save, tokenizer_of
from capture.training import AFTERWARDS, SAME, contents, equal, nudged
from torch import nn

from neurotrace import capture
from neurotrace.capture import live_model
from neurotrace.capture.live import LiveCapture
from neurotrace.capture.plain import UnsupportedModel
from neurotrace.checkpoints import find, weight_hash
from neurotrace.concepts import ConceptSet

MOVED = ("step", "revision")  # what differs between two captures of one model
DENSE = [name for name in TINY if not {"mixtral", "qwen2_moe", "qwen3_moe", "olmoe"} & {name}]


@pytest.fixture
def model() -> nn.Module:
    return model_of("gpt_neox").train()


@pytest.fixture
def live(few: ConceptSet, tmp_path: Path) -> LiveCapture:
    tokenizer = tokenizer_of("gpt_neox")
    return LiveCapture(few, tmp_path / "live", tokenizer=tokenizer, strict=True, **SAME)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of one."""
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_a_loop_of_ones_own_captures_as_a_trace_of_what_it_saved(
    live: LiveCapture, model: nn.Module, few: ConceptSet, tmp_path: Path
) -> None:
    for step in (0, 10):
        folder = tmp_path / "saved" / f"step-{step}"
        nudged(model, seed=step).save_pretrained(folder)
        tokenizer_of("gpt_neox").save_pretrained(folder)
        assert live.capture(model, step, tokens=step * 100) is not None
    capture.run(find(tmp_path / "saved"), few, tmp_path / "post", **AFTERWARDS)
    assert live.store.steps == [0, 10]
    for number, step in enumerate((0, 10)):
        name = f"{number:04d}_step{step}.h5"
        found = contents(live.out / name)
        assert found.pop(" @tokens") == step * 100
        equal(found, contents(tmp_path / "post" / name), but=("model", "revision"))


@pytest.mark.parametrize("family", DENSE)
def test_every_family_is_captured_as_its_saved_checkpoint(
    family: str, few: ConceptSet, tmp_path: Path
) -> None:
    folder = save(tmp_path / "saved" / "step-0", family)
    options = {"what": ("mlp.hook_post/max", "hook_resid_post/mean"), "dtype": "float32"}
    tokenizer = tokenizer_of(family)
    live = LiveCapture(few, tmp_path / "live", tokenizer=tokenizer, strict=True, **options)
    found = contents(live.capture(model_of(family).train(), 0))
    capture.run(
        find(folder.parent), few, tmp_path / "post", backend="plain", progress=False, **options
    )
    equal(found, contents(tmp_path / "post" / "0000_step0.h5"), but=("model", "revision"))


@pytest.mark.parametrize("size", ["5GB", "20kB"])
@pytest.mark.parametrize("family", TINY)
def test_weights_in_memory_hash_as_those_in_the_file(
    family: str, size: str, tmp_path: Path
) -> None:
    model = model_of(family)
    found = live_model.state_hash(live_model.saved_state(model))
    model.save_pretrained(tmp_path, max_shard_size=size)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (size == "20kB")
    assert found == weight_hash(tmp_path)


def test_a_model_is_left_as_it_was_found(live: LiveCapture, model: Any) -> None:
    layers = model.gpt_neox.layers
    layers[0].eval()
    layers[1].requires_grad_(False)
    model(input_ids=torch.arange(12)[None], labels=torch.arange(12)[None]).loss.backward()
    live._tokenizer("w1 w2", truncation=True, max_length=1)

    def state() -> list[Any]:
        modules = [
            (name, m.training, len(m._forward_hooks), len(m._forward_pre_hooks))
            for name, m in model.named_modules()
        ]
        parameters = [
            (name, p.requires_grad, p.grad is None or float(p.grad.sum()), p.data_ptr(), p._version)
            for name, p in model.named_parameters()
        ]
        drawn = [random.getstate(), torch.get_rng_state().tolist()]
        drawn += [np.random.get_state()[1].tolist()]  # noqa: NPY002
        config = (repr(model.config.to_dict()), model.config._attn_implementation)
        tokenizer = live._tokenizer.backend_tokenizer.to_str()
        return [modules, parameters, drawn, config, tokenizer, torch.is_grad_enabled()]

    before = state()
    live.capture(model, 0)
    assert state() == before


def test_draws_of_a_capture_are_taken_back(model: nn.Module) -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002

    with live_model.untouched(model):
        first = draws()
    assert draws() == first


@pytest.mark.usefixtures("group")
def test_what_training_wraps_around_a_model_is_looked_through(
    live: LiveCapture, model: nn.Module
) -> None:
    plain = contents(live.capture(model, 0))
    wrapped = (nn.DataParallel(model), nn.parallel.DistributedDataParallel(model))
    for step, each in enumerate(wrapped, 1):
        equal(contents(live.capture(each, step)), plain, but=MOVED)


def test_a_compiled_model_is_captured_as_the_one_inside(live: LiveCapture, model: Any) -> None:
    plain = contents(live.capture(model, 0))
    equal(contents(live.capture(torch.compile(model), 1)), plain, but=MOVED)
    # Blocks that are compiled one by one put the mark into the names of their weights.
    model.gpt_neox.layers[0] = torch.compile(model.gpt_neox.layers[0])
    equal(contents(live.capture(model, 2)), plain, but=MOVED)


@pytest.mark.usefixtures("group")
def test_another_process_than_the_main_one_captures_nothing(
    live: LiveCapture, model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    assert live.capture(model, 0) is None
    monkeypatch.undo()
    state = SimpleNamespace(global_step=0, is_world_process_zero=False, num_input_tokens_seen=0)
    live.on_train_begin(SimpleNamespace(output_dir="run"), state, None, model=model)
    assert not live.out.exists()


def test_types_of_the_training_do_not_reach_the_capture(
    live: LiveCapture, model: nn.Module
) -> None:
    plain = contents(live.capture(model, 0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        equal(contents(live.capture(model, 1)), plain, but=MOVED)
        assert torch.is_autocast_enabled("cpu")
    products: Any = torch.backends.mkldnn.matmul
    before = products.fp32_precision
    products.fp32_precision = "bf16"
    try:
        equal(contents(live.capture(model, 2)), plain, but=MOVED)
        assert products.fp32_precision == "bf16"
    finally:
        products.fp32_precision = before


def test_a_model_trained_in_bfloat16_is_captured_as_its_saved_checkpoint(
    live: LiveCapture, model: Any, few: ConceptSet, tmp_path: Path
) -> None:
    model.to(torch.bfloat16).save_pretrained(tmp_path / "saved" / "step-0")
    tokenizer_of("gpt_neox").save_pretrained(tmp_path / "saved" / "step-0")
    capture.run(find(tmp_path / "saved"), few, tmp_path / "post", **AFTERWARDS)
    found = contents(live.capture(model, 0))
    equal(found, contents(tmp_path / "post" / "0000_step0.h5"), but=("model", "revision"))


def test_the_second_model_costs_no_memory(model: nn.Module, tmp_path: Path) -> None:
    live_model.write_shell(model, tokenizer_of("gpt_neox"), tmp_path)
    state = live_model.saved_state(model)
    second = live_model.second_model(tmp_path, state, device="cpu", dtype="float32")
    theirs = {p.data_ptr() for p in model.parameters()}
    assert {p.data_ptr() for p in second.parameters()} == theirs
    assert not any(p.requires_grad for p in second.parameters())
    assert all(p.requires_grad for p in model.parameters())


def test_models_that_cannot_be_read_whole_are_refused(live: LiveCapture) -> None:
    sharded = model_of("gpt_neox")
    next(sharded.parameters()).ds_id = 3
    with pytest.raises(UnsupportedModel, match="sharded over processes"):
        live.capture(sharded, 0)
    adapted = model_of("gpt_neox")
    adapted._hf_peft_config_loaded = True
    with pytest.raises(UnsupportedModel, match="adapters"):
        live.capture(adapted, 0)
    with pytest.raises(UnsupportedModel, match="got a Linear; expected a transformers"):
        live.capture(nn.Linear(2, 2), 0)
    with pytest.raises(UnsupportedModel, match="offloaded"):
        live.capture(model_of("gpt_neox").to("meta"), 0)
    assert not live.out.exists()


def test_a_model_without_the_head_that_loading_expects_is_refused(
    live: LiveCapture, model: Any
) -> None:
    with pytest.raises(UnsupportedModel, match=r"without lm_head.weight .* GPTNeoXForCausalLM"):
        live.capture(model.gpt_neox, 0)


def test_wrong_options_are_refused_before_any_training(few: ConceptSet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got site 'mlp.hook_past'"):
        LiveCapture(few, tmp_path, what=["mlp.hook_past/max"])
    with pytest.raises(ValueError, match="got seed -1"):
        LiveCapture(few, tmp_path, seed=-1)


def test_without_a_tokenizer_it_says_so(few: ConceptSet, model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got no tokenizer"):
        LiveCapture(few, tmp_path / "live", strict=True).capture(model, 0)
