"""Where a run computes, and models laid over several devices."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from neurotrace import capture
from neurotrace.capture import UnsupportedModel, devices, loading, models
from neurotrace.capture.collect import Collector
from neurotrace.capture.pooling import Batch
from neurotrace.capture.rotation import Rotation
from neurotrace.capture.sites import parse_all
from neurotrace.checkpoints import BrokenCheckpoint, Checkpoint, find
from neurotrace.concepts import ConceptSet

WHAT = ("mlp.hook_post/max", "hook_resid_post/mean", "hook_resid_post/tokens", "embed/last")


def machine(
    monkeypatch: pytest.MonkeyPatch, *, cuda: bool = False, mps: bool = False, bfloat16: bool = True
) -> None:
    """A machine with these accelerators, whose tensors lie on the CPU all the same."""
    real = {name: getattr(torch, name) for name in ("empty", "ones")}

    def made(name: str) -> Callable[..., Tensor]:
        def make(*sizes: int, dtype: torch.dtype | None = None, **_: str) -> Tensor:
            if dtype is torch.bfloat16 and not bfloat16:
                raise TypeError("BFloat16 is not supported on MPS")
            return real[name](*sizes, dtype=dtype)

        return make

    for name in real:
        monkeypatch.setattr(torch, name, made(name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def test_a_machine_without_accelerator_computes_in_float32_on_its_processor(monkeypatch):
    machine(monkeypatch)
    assert devices.resolve() == ("cpu", "float32")
    assert devices.resolve("cpu") == ("cpu", "float32")


@pytest.mark.parametrize("there", ["cuda", "mps"])
def test_an_accelerator_is_taken_and_computes_in_bfloat16_where_it_has_it(monkeypatch, there):
    machine(monkeypatch, **{there: True})
    assert devices.resolve() == (there, "bfloat16")
    machine(monkeypatch, **{there: True}, bfloat16=False)
    assert devices.resolve() == (there, "float32")


def test_a_card_that_only_emulates_bfloat16_computes_in_float32(monkeypatch):
    machine(monkeypatch, cuda=True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **asked: any(asked.values()))
    assert devices.resolve() == ("cuda", "float32")


def test_of_two_accelerators_cuda_comes_first_and_a_named_one_is_taken_at_its_word(monkeypatch):
    machine(monkeypatch, cuda=True, mps=True)
    assert devices.resolve()[0] == "cuda"
    assert devices.resolve("mps", "float32") == ("mps", "float32")
    assert devices.resolve("cuda:1", "float16") == ("cuda:1", "float16")
    assert devices.resolve("cpu") == ("cpu", "float32")


def test_a_wrong_product_in_bfloat16_falls_back_to_float32(monkeypatch):
    machine(monkeypatch, mps=True)
    monkeypatch.setattr(torch, "ones", lambda *sizes, **_: torch.zeros(*sizes))
    assert devices.resolve() == ("mps", "float32")


@pytest.mark.parametrize(
    ("device", "dtype", "message"),
    [
        ("cuda", "auto", "got device 'cuda', which is not to be had"),
        ("teapot", "auto", "got device 'teapot', which is not to be had"),
        ("auto", "float64", "got compute_dtype 'float64'; valid are auto, float32, bfloat16"),
        ("cpu", "float16", "got compute_dtype 'float16' on a CPU"),
    ],
)
def test_what_is_not_to_be_had_is_refused_in_one_line(device, dtype, message):
    with pytest.raises(ValueError, match=message) as caught:
        devices.resolve(device, dtype)
    assert "\n" not in str(caught.value)


def test_what_auto_came_to_is_recorded(
    tmp_path: Path, series: list[Checkpoint], few: ConceptSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_best_device", lambda: "cpu")
    monkeypatch.setattr(devices, "_has_bfloat16", lambda _: True)
    store = capture.run(series[:1], few, tmp_path, progress=False)
    assert store.header(series[0].step)["compute_dtype"] == "bfloat16"


def mapped(model: torch.nn.Module, on_disk: str) -> dict[str, str]:
    """Every module on the CPU but for some blocks, which stay on disk."""
    parts = {name: "cpu" for name, module in model.named_children() if name != "model"}
    parts |= {f"model.{name}": "cpu" for name, _ in model.model.named_children()}
    del parts["model.layers"]
    return parts | {f"model.layers.{n}": "disk" if str(n) in on_disk else "cpu" for n in range(2)}


@pytest.mark.parametrize("on_disk", ["0", "1", "01"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_that_lies_on_disk_in_part_gives_the_values_of_one_that_does_not(
    tmp_path: Path, tiny: SimpleNamespace, few: ConceptSet, on_disk: str, dtype: str
) -> None:
    model = tiny.model("llama")
    tiny.save(tmp_path / "lab" / "step-000016", model)
    options = dict(what=WHAT, compute_dtype=dtype, dtype="float32")
    options |= dict(progress=False, device="cpu")
    series = find(tmp_path / "lab")
    whole = capture.run(series, few, tmp_path / "whole", backend="plain", **options)
    spread = capture.run(
        series, few, tmp_path / "spread", device_map=mapped(model, on_disk), **options
    )
    assert spread.header(16)["backend"] == "plain"
    for path in WHAT:
        for layer in [None] if path.startswith("embed") else whole.layers:
            a, b = (store.read(16, layer, path).to_numpy() for store in (whole, spread))
            np.testing.assert_array_equal(a, b)


def test_a_loaded_model_on_disk_is_read_by_plain_hooks_as_if_it_were_not(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    model = tiny.model("llama")
    folder = tiny.save(tmp_path / "step-000016", model)
    ids = torch.tensor([[1, 5, 9, 11]])
    seen = []
    for given in ({}, {"device_map": mapped(model, "01")}):
        loaded = capture.load_model(folder, **given)
        assert loaded.backend == ("plain" if given else "bridge")
        place = ("mlp.hook_post", 1)
        with loaded.watch({place: lambda x: seen.append(x.clone())}) as forward:
            forward(ids, torch.ones_like(ids))
    torch.testing.assert_close(seen[1], seen[0])


def test_a_bridge_that_cannot_run_in_half_precision_is_refused_with_the_way_out(
    tmp_path: Path, tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.save(tmp_path / "step-000016", tiny.model("llama"))
    real = models.wrap

    def wrap(model: torch.nn.Module) -> object:
        for block in model.model.layers:
            block.mlp.register_forward_hook(lambda _, given, x: x.float() @ given[0].mT)
        return real(model)

    monkeypatch.setattr(models, "wrap", wrap)
    with pytest.raises(UnsupportedModel, match="the bridge fails .*use backend='plain'"):
        capture.load_model(folder, dtype="bfloat16")
    assert capture.load_model(folder, dtype="bfloat16", backend="plain").backend == "plain"


def test_weights_on_disk_are_on_disk_and_their_folder_goes_with_the_model(
    tmp_path: Path, tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.save(tmp_path / "step-000016", tiny.model("llama"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    model = loading.load_weights(
        folder, dtype="bfloat16", device_map=mapped(tiny.model("llama"), "0")
    )
    assert next(model.model.layers[0].parameters()).device.type == "meta"
    assert devices.home(model) == torch.device("cpu")
    assert any(temporary.iterdir())
    del model
    devices.free("cpu")
    assert not any(temporary.iterdir())


def test_token_ids_go_where_the_first_weights_lie_or_else_where_modules_run():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)).to("meta")
    assert devices.home(model) == torch.device("cpu")
    model.hf_device_map = {"0": "disk", "1": "cuda:1"}
    assert devices.home(model) == torch.device("cuda:1")
    model[1].to_empty(device="cpu")
    assert devices.home(model) == torch.device("cpu")


def test_weights_too_large_for_the_device_are_not_called_broken(
    tmp_path: Path, tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.save(tmp_path / "step-000016", tiny.model("gpt_neox"))

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("transformers.PreTrainedModel.to", full)
    with pytest.raises(ValueError, match="do not fit into the memory of cpu as float32") as caught:
        loading.load_weights(folder)
    assert not isinstance(caught.value, BrokenCheckpoint)


class Elsewhere(Tensor):
    """A tensor that says it lies on another device; every operation on it keeps it there."""

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", 1)


def test_layers_of_other_devices_are_pooled_where_they_run(monkeypatch):
    moved: list[str] = []
    ids = torch.ones(2, 3, dtype=torch.long)
    none = torch.zeros(0, 2, dtype=torch.long)
    batch = Batch(ids, ids, ids.bool(), none, none)

    def to(self: Batch, device: torch.device) -> Batch:
        moved.append(str(device))
        return self

    monkeypatch.setattr(Batch, "to", to)
    monkeypatch.setattr(Rotation, "to", lambda self, device: moved.append(f"Q {device}") or self)
    targets = parse_all(["hook_resid_post/max", "hook_resid_post@rotated1/max"])
    turns = {("hook_resid_post", 1, n): Rotation(4, seed=1, layer=n) for n in range(3)}
    collector = Collector(targets, 3, turns)
    here = torch.rand(2, 3, 4)

    def forward(*_: Tensor) -> None:
        for layer in range(3):
            x = here.as_subclass(Elsewhere) if layer else here
            collector.readers["hook_resid_post", layer](x)

    values, good = collector.run(forward, batch)
    assert (len(values), len(good)) == (6, 3)
    # The sentences once, each layer's map to its own layer.
    assert moved == ["Q cpu", "cuda:1", "Q cuda:1", "Q cuda:1"]
