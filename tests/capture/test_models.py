"""The door to models: what is checked when one is loaded."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from neurotrace.capture import UnsupportedModel, forward, load_model, loading, models
from neurotrace.capture.bridge import bridge_hooks, wrap
from neurotrace.capture.families import FAMILIES
from neurotrace.checkpoints import BrokenCheckpoint, Checkpoint


def n_hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("backend", ["bridge", "plain"])
@pytest.mark.parametrize(("family", "neurons"), [("gpt_neox", 80), ("bloom", 128), ("llama", 72)])
def test_sites_and_widths_are_found_by_running(
    family: str, neurons: int, backend: str, tiny: SimpleNamespace
) -> None:
    hooked = models.hook(tiny.model(family), tiny.tokenizer(), backend=backend)
    assert hooked.n_layers == 2
    assert hooked.widths == {
        "embed": 32,
        "mlp.hook_pre": neurons,
        "mlp.hook_post": neurons,
        "hook_resid_post": 32,
    }


@pytest.mark.parametrize("backend", ["bridge", "plain"])
def test_no_hook_is_left_after_a_pass_and_after_an_error(
    backend: str, tiny: SimpleNamespace
) -> None:
    hooked = models.hook(tiny.model("gpt_neox"), tiny.tokenizer(), backend=backend)
    before = n_hooks(hooked.model)
    ids = torch.tensor([[1, 5, 6]])
    seen = []
    with hooked.watch({("mlp.hook_post", 1): lambda x: seen.append(x.shape)}) as forward:
        assert n_hooks(hooked.model) > before
        forward(ids, torch.ones_like(ids))
    assert seen == [(1, 3, 80)]
    assert n_hooks(hooked.model) == before

    def fail(_: torch.Tensor) -> None:
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        with hooked.watch({("mlp.hook_post", 0): fail}) as forward:
            forward(ids, torch.ones_like(ids))
    assert n_hooks(hooked.model) == before


@pytest.mark.parametrize("backend", ["bridge", "plain"])
def test_nothing_behind_the_last_site_is_computed(backend: str, tiny: SimpleNamespace) -> None:
    model = tiny.model("gpt_neox")
    hooked = models.hook(model, tiny.tokenizer(), backend=backend)
    late = []
    model.base_model.layers[1].register_forward_hook(lambda *_: late.append("second block"))
    model.lm_head.register_forward_hook(lambda *_: late.append("head"))
    ids = torch.tensor([[1, 5, 6]])
    with hooked.watch({("embed", None): lambda _: None, ("mlp.hook_pre", 0): lambda _: None}) as go:
        go(ids, torch.ones_like(ids))
    assert late == []


@pytest.mark.parametrize("backend", ["bridge", "plain"])
def test_a_mixture_of_experts_is_refused_by_name_and_its_states_are_not(
    backend: str, tiny: SimpleNamespace
) -> None:
    with pytest.raises(UnsupportedModel, match=r"mixtral.*mixture of experts.*hook_resid_post"):
        models.hook(tiny.model("mixtral"), tiny.tokenizer(), backend=backend)
    states = ("hook_resid_post", "embed")
    hooked = models.hook(tiny.model("mixtral"), tiny.tokenizer(), backend=backend, sites=states)
    assert hooked.widths == {"hook_resid_post": 32, "embed": 32}


def test_a_neuron_site_that_is_the_output_of_the_mlp_is_refused_by_running(
    tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if nobody had told that this family is a mixture: the bridge then offers the MLP's output.
    monkeypatch.setitem(FAMILIES, "mixtral", FAMILIES["llama"])
    monkeypatch.setattr(models, "down_projection", lambda *_, **__: None)
    monkeypatch.setattr(
        forward,
        "plain_hooks",
        lambda model, hooks, stack: bridge_hooks(model, bridge, hooks, stack=stack),
    )
    model = tiny.model("mixtral")
    bridge = wrap(model)
    monkeypatch.setattr(models, "wrap", lambda _: bridge)
    with pytest.raises(UnsupportedModel, match=r"mixtral: mlp.hook_post of layer 0 is the MLP's"):
        models.hook(model, tiny.tokenizer(), sites=("mlp.hook_post",))


def test_a_bridge_that_differs_from_plain_hooks_is_refused(
    tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaging(model: nn.Module) -> object:
        with torch.no_grad():
            model.base_model.layers[1].mlp.dense_h_to_4h.weight[3] *= 1.01
        return wrap(model)

    monkeypatch.setattr(models, "wrap", damaging)
    with pytest.raises(UnsupportedModel, match=r"mlp.hook_pre of layer 1: the bridge differs"):
        models.hook(tiny.model("gpt_neox"), tiny.tokenizer())


def test_layers_of_unequal_width_are_refused(tiny: SimpleNamespace) -> None:
    model = tiny.model("gpt_neox")
    model.base_model.layers[1].mlp.dense_h_to_4h = nn.Linear(32, 90)
    model.base_model.layers[1].mlp.dense_4h_to_h = nn.Linear(90, 32)
    with pytest.raises(UnsupportedModel, match=r"mlp.hook_pre has widths \[80, 90\]"):
        models.hook(model, tiny.tokenizer(), backend="plain")


def test_an_unknown_family_and_back_end_are_refused_with_the_known_ones(
    tiny: SimpleNamespace,
) -> None:
    model = tiny.model("gpt_neox")
    with pytest.raises(ValueError, match="valid are bridge, plain"):
        models.hook(model, tiny.tokenizer(), backend="nnsight")
    model.config.model_type = "hyena"
    with pytest.raises(UnsupportedModel, match=r"family 'hyena'; known families are gpt2"):
        models.hook(model, tiny.tokenizer())


def test_half_precision_on_a_cpu_and_unknown_types_are_refused(series: list[Checkpoint]) -> None:
    with pytest.raises(ValueError, match=r"'float16' on a CPU.*float32 and bfloat16"):
        load_model(series[0], dtype="float16")
    with pytest.raises(ValueError, match="valid are auto, float32, bfloat16, float16"):
        load_model(series[0], dtype="int8")


def test_a_checkpoint_is_computed_in_the_type_asked_for(series: list[Checkpoint]) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        hooked = load_model(series[0], dtype=str(dtype).removeprefix("torch."))
        assert next(hooked.model.parameters()).dtype == dtype


def test_missing_truncated_and_unreadable_weights_are_refused_by_file(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    folder = tiny.save(tmp_path / "step16", tiny.model("gpt_neox"))
    file = folder / "model.safetensors"
    tensors = load_file(file)
    save_file({k: v for k, v in tensors.items() if "layers.1.mlp" not in k}, file)
    with pytest.raises(BrokenCheckpoint, match=r"step16: got weights without .*layers\.1\.mlp"):
        load_model(folder)
    save_file(tensors, file)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(BrokenCheckpoint, match=r"^step16/model\.safetensors: truncated[^\n]*$"):
        load_model(folder)
    file.unlink()
    with pytest.raises(BrokenCheckpoint, match=r"step16: got no weights"):
        load_model(folder)


def test_pickled_code_in_a_weight_file_never_runs(
    tmp_path: Path, tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.save(tmp_path / "step16", tiny.model("gpt_neox"))
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    assert load_model(folder).widths["mlp.hook_post"] == 80
    torch.save({**tensors, "evil": Evil(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(BrokenCheckpoint, match=r"step16/pytorch_model\.bin"):
        load_model(folder)
    # The look at the shapes has refused it; the loading itself must refuse it too.
    monkeypatch.setattr(loading, "shapes", lambda _: {})
    with pytest.raises(BrokenCheckpoint, match="^step16: not loadable"):
        load_model(folder)
    assert not (tmp_path / "ran").exists()


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_a_checkpoint_without_a_tokenizer_is_refused_in_one_line(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    tiny.model("gpt_neox").save_pretrained(tmp_path / "step16")
    with pytest.raises(BrokenCheckpoint, match=r"^step16: no tokenizer \([^\n]*\)$"):
        load_model(tmp_path / "step16")
