"""Captured values against plain torch hooks on one unpadded sentence at a time."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from neurotrace import capture
from neurotrace.checkpoints import find
from neurotrace.concepts import ConceptSet

FAMILIES = ("gpt_neox", "bloom", "llama")
POOLINGS = ("max", "mean", "last", "rate", "tokens")
SITES = ("mlp.hook_post", "mlp.hook_pre", "hook_resid_post", "embed")
WHAT = [f"{site}/{pooling}" for site in SITES for pooling in POOLINGS]
# Where the oracle looks, written down here once more on purpose.
MODULES = {
    "gpt_neox": ("gpt_neox.layers.{}", "mlp.dense_4h_to_h", "mlp.dense_h_to_4h", "embed_in"),
    "bloom": ("transformer.h.{}", "mlp.dense_4h_to_h", "mlp.dense_h_to_4h", "word_embeddings"),
    "llama": ("model.layers.{}", "mlp.down_proj", "mlp.gate_proj", "embed_tokens"),
}
POOL = {
    "max": lambda x: x.max(0),
    "mean": lambda x: x.mean(0),
    "last": lambda x: x[-1],
    "rate": lambda x: (x > 0).mean(0),
}


def oracle(folder: Path, family: str, text: str) -> tuple[dict, list[int]]:
    """Every site's (token, feature) values for one sentence without padding, and its ids."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    block, down, pre, embed = MODULES[family]
    seen: dict = {}

    def keep(module: torch.nn.Module, key: tuple, *, of_input: bool = False) -> None:
        def function(_: torch.nn.Module, given: tuple, out: object = None) -> None:
            x = given[0] if of_input else out[0] if isinstance(out, tuple) else out
            seen[key] = x[0].numpy()

        if of_input:
            module.register_forward_pre_hook(function)
        else:
            module.register_forward_hook(function)

    keep(model.base_model.get_submodule(embed), ("embed", None))
    for layer in range(2):
        at = model.get_submodule(block.format(layer))
        keep(at, ("hook_resid_post", layer))
        keep(at.get_submodule(pre), ("mlp.hook_pre", layer))
        keep(at.get_submodule(down), ("mlp.hook_post", layer), of_input=True)
    ids = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    with torch.no_grad():
        model(torch.tensor([ids]))
    return seen, ids


@pytest.mark.parametrize("backend", ["bridge", "plain"])
@pytest.mark.parametrize("family", FAMILIES)
def test_pooled_activations_equal_one_by_one_unpadded_plain_runs(
    family: str,
    backend: str,
    tmp_path: Path,
    few: ConceptSet,
    tiny: SimpleNamespace,
) -> None:
    folder = tiny.save(tmp_path / "lab" / "step-000016", tiny.model(family))
    store = capture.run(
        find(tmp_path / "lab"),
        few,
        tmp_path / "run",
        what=WHAT,
        dtype="float32",
        backend=backend,
        batch_tokens=40,
        tokens_per_language=20,
        progress=False,
    )
    assert store.paths == sorted(WHAT)
    got = {
        (path, layer): store.read(16, layer, path).to_numpy()
        for path in WHAT
        for layer in ([None] if path.startswith("embed") else [0, 1])
    }
    for row, text in enumerate(few.frame["text"]):
        seen, ids = oracle(folder, family, text)
        drawn = store.tokens[store.tokens["example"] == row]
        assert [ids[at] for at in drawn["position"]] == list(drawn["id"])
        for (path, layer), values in got.items():
            site, pooling = path.split("/")
            truth = seen[site, layer]
            if pooling == "tokens":
                expected, found = truth[drawn["position"]], values[drawn.index]
            else:
                expected, found = POOL[pooling](truth[1:]), values[row]  # the first token is BOS
            np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0, err_msg=f"{path} {row}")


def test_activations_of_the_oracle_are_large_enough_to_tell_errors(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    folder = tiny.save(tmp_path / "step-000016", tiny.model("llama"))
    seen, _ = oracle(folder, "llama", "w1 w2 w3")
    assert all(np.abs(values).max() > 0.1 for values in seen.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rotated_site_is_rotated_per_token_before_it_is_pooled(
    family: str,
    tmp_path: Path,
    few: ConceptSet,
    tiny: SimpleNamespace,
) -> None:
    tiny.save(tmp_path / "lab" / "step-000016", tiny.model(family))
    what = ["mlp.hook_post@rotated7/tokens", "mlp.hook_post/tokens", "mlp.hook_post@rotated7/max"]
    store = capture.run(
        find(tmp_path / "lab"),
        few,
        tmp_path / "run",
        what=what,
        dtype="float32",
        tokens_per_language=10_000,
        progress=False,
    )
    for layer in (0, 1):
        plain, turned, pooled = (
            store.read(16, layer, path).to_numpy().astype(np.float64)
            for path in (what[1], *what[::2])
        )
        # The map is found from the tokens alone, so that a wrong order of steps cannot hide in it.
        Q = np.linalg.lstsq(plain, turned, rcond=None)[0]
        np.testing.assert_allclose(plain @ Q, turned, atol=1e-3)
        np.testing.assert_allclose(
            np.linalg.norm(plain, axis=1), np.linalg.norm(turned, axis=1), rtol=1e-4
        )
        example = store.tokens["example"].to_numpy()
        expected = np.stack([turned[example == row].max(0) for row in range(len(few))])
        np.testing.assert_allclose(pooled, expected, atol=1e-5)
        assert np.abs(turned - plain).max() > 0.1
