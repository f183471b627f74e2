"""What is known of a family without running it: classes, widths, positions, embeddings, units."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from capture.family_oracle import STACKS
from capture.tiny_families import TINY, model_of, save, tokenizer_of

from neurotrace import capture
from neurotrace.capture import loading, models
from neurotrace.checkpoints import Checkpoint, find
from neurotrace.concepts import ConceptSet

EXPERTS = ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe")
# Published sizes; outputs of linear maps without the head, as papers that take them all count.
BLOOM_560M = transformers.BloomConfig(vocab_size=250880, hidden_size=1024, n_layer=24, n_head=16)
XGLM_564M = transformers.XGLMConfig(
    vocab_size=256008, d_model=1024, ffn_dim=4096, num_layers=24, attention_heads=16
)
LINEAR = ("attn.q", "attn.k", "attn.v", "attn.out", "mlp.in", "mlp.out")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of every family's tiny model."""
    root = tmp_path_factory.mktemp("families")
    return {
        family: save(root / family.replace(" ", "-") / "step-000016", family) for family in TINY
    }


def class_of(model: object) -> str:
    return type(model).__name__


@pytest.mark.parametrize("family", TINY)
def test_weights_skeleton_and_twin_are_of_the_familys_class(
    family: str, folders: dict[str, Path]
) -> None:
    folder = folders[family]
    loaded, skeleton = loading.load_weights(folder), loading.skeleton(folder)
    twin = loading.reinitialized(folder, seed=1)
    assert {class_of(m) for m in (loaded, skeleton, twin)} == {TINY[family].maker}
    here, empty, new = (dict(m.named_parameters()) for m in (loaded, skeleton, twin))
    assert {n: p.shape for n, p in here.items()} == {n: p.shape for n, p in empty.items()}
    assert all(p.is_meta for p in empty.values())
    for name, truth in model_of(family).named_parameters():
        torch.testing.assert_close(here[name].data, truth.data, rtol=0, atol=0)
    matrices = [name for name, p in new.items() if p.ndim > 1]
    assert matrices
    assert not any(torch.equal(new[name], here[name]) for name in matrices)
    again, other = (dict(loading.reinitialized(folder, seed=n).named_parameters()) for n in (1, 2))
    assert all(torch.equal(again[name], p) for name, p in new.items())
    assert not any(torch.equal(other[name], new[name]) for name in matrices)


@pytest.mark.parametrize("family", TINY)
def test_the_embedding_read_from_the_file_is_that_of_the_loaded_model(
    family: str, folders: dict[str, Path]
) -> None:
    truth = model_of(family).get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(capture.embedding_matrix(folders[family]), truth)


@pytest.mark.parametrize("family", TINY)
def test_a_tokenizer_gives_the_ids_it_gave_when_it_was_saved(
    family: str, folders: dict[str, Path]
) -> None:
    made, loaded = tokenizer_of(family), loading.load_tokenizer(folders[family])
    for text in ("w1 w2", "w39 other w7 w7"):
        assert loaded(text)["input_ids"] == made(text)["input_ids"]


@pytest.mark.parametrize("family", TINY)
def test_widths_are_known_before_any_weights_are_read(
    family: str, folders: dict[str, Path]
) -> None:
    folder = folders[family]
    for name, stack in STACKS[family].items():
        given = {"stack": name} if name else {}
        sites = (*stack.sites, "embed")
        hooked = capture.load_model(folder, backend="plain", sites=sites, **given)
        checkpoint = find(folder.parent)[0]
        for site in stack.sites:
            got = capture.n_neurons(checkpoint, f"{site}/max", **given)
            assert got == 2 * hooked.widths[site], (name, site)


@pytest.mark.parametrize(
    ("config", "linear", "mlp"), [(BLOOM_560M, 221_184, 98_304), (XGLM_564M, 221_184, 98_304)]
)
def test_units_of_published_sizes_are_as_many_as_published(
    config: transformers.PretrainedConfig, linear: int, mlp: int, tmp_path: Path
) -> None:
    config.save_pretrained(tmp_path)
    checkpoint = Checkpoint(model="published", step=0, path=tmp_path)
    counts = {site: capture.n_neurons(checkpoint, f"{site}/max") for site in LINEAR}
    assert sum(counts.values()) == linear
    assert counts["mlp.in"] == capture.n_neurons(checkpoint, "mlp.hook_post/max") == mlp


@pytest.mark.parametrize("site", ["mlp.hook_post", "mlp.hook_pre", "mlp.in", "mlp.out"])
@pytest.mark.parametrize("backend", ["bridge", "plain"])
@pytest.mark.parametrize("family", EXPERTS)
def test_experts_are_refused_with_what_can_be_captured_instead(
    family: str, backend: str, site: str
) -> None:
    with pytest.raises(capture.UnsupportedModel) as caught:
        models.hook(model_of(family), tokenizer_of(family), backend=backend, sites=(site,))
    said = str(caught.value)
    assert f"{family} model" in said
    assert "mixture of experts" in said
    instead = [*STACKS[family][""].sites, "embed"]
    assert all(name in said for name in instead), said
    # What it names can really be captured, and nothing that this family lacks is named.
    assert ("mlp.shared_expert" in said) == (family == "qwen2_moe")
    hooked = models.hook(
        model_of(family), tokenizer_of(family), backend=backend, sites=tuple(instead)
    )
    assert set(hooked.widths) == set(instead)


def test_a_family_without_gate_or_second_stack_says_what_it_has() -> None:
    for family, site in (("gpt2", "mlp.gate"), ("llama", "mlp.shared_expert.hook_post")):
        with pytest.raises(capture.UnsupportedModel, match=f"{site}.*valid.*mlp.hook_post"):
            models.hook(model_of(family), tokenizer_of(family), sites=(site,))
    with pytest.raises(ValueError, match="stack 'encoder'.*decoder"):
        models.hook(model_of("llama"), tokenizer_of("llama"), stack="encoder")
    with pytest.raises(ValueError, match="stack 'both'.*encoder.*decoder"):
        models.hook(model_of("t5"), tokenizer_of("t5"), stack="both")


def test_a_family_that_is_not_known_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba", "hidden_size": 32}))
    checkpoint = Checkpoint(model="other", step=0, path=tmp_path)
    with pytest.raises(capture.UnsupportedModel, match="'mamba'.*known families are .*gpt2"):
        capture.n_neurons(checkpoint)


@pytest.mark.parametrize(
    ("family", "fits"),
    [
        *(("gpt2", 32), ("bert", 34), ("opt", 30), ("mbart", 30), ("bart", 30)),
        # Two positions go to the ids up to and with that of padding.
        *(("roberta", 32), ("xlm-roberta", 32), ("camembert", 32)),
        # Relative positions have no end.
        *(("t5", None), ("mt5", None), ("umt5", None), ("bloom", None)),
    ],
)
def test_the_longest_sentence_is_captured_and_a_longer_one_refused(
    family: str, fits: int | None, folders: dict[str, Path], tmp_path: Path
) -> None:
    added = len(tokenizer_of(family)("w1")["input_ids"]) - 1
    longest = (fits or 50) - added
    series = find(folders[family].parent)
    what = ["hook_resid_post/max"]
    store = capture.run(series, _of(longest), tmp_path / "fits", what=what, progress=False)
    assert store.examples["n_tokens"].tolist() == [longest, longest, 2, 2]
    if fits:
        with pytest.raises(ValueError, match=f"{fits + 1} tokens.*{fits}"):
            capture.run(series, _of(longest + 1), tmp_path / "long", what=what, progress=False)


def _of(length: int) -> ConceptSet:
    """A sentence of so many words and one of two, in two languages."""
    rows = [
        {"group": f"g{size}", "lang": lang, "text": " ".join([word] * size), "concept": f"c{size}"}
        for size in (length, 2)
        for lang, word in (("aaa_Latn", "w1"), ("bbb_Latn", "w2"))
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows), name="long")


@pytest.mark.parametrize("family", ["bert", "t5", "gpt2", "m2m_100"])
def test_a_twin_of_each_kind_of_head_is_captured(
    family: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    series = find(folders[family].parent)
    what = ["mlp.hook_post/max", "attn.q/mean"]
    store = capture.run(series, _of(6), tmp_path, what=what, twin=1, progress=False)
    for path in what:
        here, there = store.read(16, 1, path), store.twin.read(0, 1, path)
        assert here.shape == there.shape
        assert not np.allclose(here, there)
