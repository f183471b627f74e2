"""How places are reached: fused maps, stacks, models inside models, and places that are missed."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from capture.tiny_families import config_of, model_of, save, tokenizer_of
from transformers import (
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from neurotrace import capture
from neurotrace.capture import forward, loading, models
from neurotrace.capture.families import Part
from neurotrace.capture.fused import put, take
from neurotrace.causal import clamp
from neurotrace.checkpoints import BrokenCheckpoint, find
from neurotrace.concepts import ConceptSet
from neurotrace.store import StoreMismatch

IDS = torch.tensor([[1, 5, 6, 7], [1, 9, 8, 3]])


def heads_of(**changes: object) -> SimpleNamespace:
    """A configuration of four heads."""
    config = SimpleNamespace(num_attention_heads=4, **changes)
    config.get_text_config = lambda: config
    return config


@pytest.mark.parametrize(
    ("layout", "config", "pieces"),
    [
        # Twelve heads' widths; which of them are queries, keys and values.
        ("first", heads_of(), ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11])),
        ("by_head", heads_of(), ([0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11])),
        # With two keys for four heads, eight.
        ("first", heads_of(num_key_value_heads=2), ([0, 1, 2, 3], [4, 5], [6, 7])),
        ("by_head", heads_of(num_key_value_heads=2), ([0, 1, 4, 5], [2, 6], [3, 7])),
        # Falcon's three architectures.
        ("by_config", heads_of(multi_query=True), ([0, 1, 2, 3], [4], [5])),
        ("by_config", heads_of(multi_query=False), ([0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11])),
        (
            "by_config",
            heads_of(new_decoder_architecture=True, num_kv_heads=2, multi_query=True),
            ([0, 1, 4, 5], [2, 6], [3, 7]),
        ),
        ("halves", heads_of(), ([0, 1, 2], [3, 4, 5])),
    ],
)
def test_a_part_of_a_fused_map_is_taken_and_put_back_where_it_lies(
    layout: str, config: SimpleNamespace, pieces: tuple[list[int], ...]
) -> None:
    width = 3 * sum(len(piece) for piece in pieces)
    x = torch.arange(2 * 5 * width, dtype=torch.float32).reshape(2, 5, width)
    for index, piece in enumerate(pieces):
        part = Part("qkv", layout, index)
        columns = torch.tensor([3 * head + at for head in piece for at in range(3)])
        assert torch.equal(take(x, part, config), x[:, :, columns])
        edited = put(x, part, config, -torch.ones(2, 5, len(columns)))
        expected = x.clone()
        expected[:, :, columns] = -1
        assert torch.equal(edited, expected)


def test_a_pass_that_misses_a_place_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    hooked = models.hook(model_of("llama"), tokenizer_of("llama"), backend="plain")
    monkeypatch.setattr(forward, "run_body", lambda *_, **__: None)
    with hooked.watch({("mlp.hook_post", 1): lambda _: None}) as run:
        with pytest.raises(
            capture.UnsupportedModel, match="never came by mlp.hook_post of layer 1"
        ):
            run(IDS, torch.ones_like(IDS))


@pytest.mark.parametrize("sites", [("attn.k", "attn.v", "attn.q"), ("attn.q", "attn.k", "attn.v")])
@pytest.mark.parametrize("family", ["xglm", "gpt2", "llama"])
def test_every_reader_is_fed_in_whatever_order_the_model_meets_them(
    family: str, sites: tuple[str, ...]
) -> None:
    hooked = models.hook(model_of(family), tokenizer_of(family), backend="plain", sites=sites)
    seen: list[str] = []
    with hooked.watch({(site, 1): lambda _, s=site: seen.append(s) for site in sites}) as run:
        run(IDS, torch.ones_like(IDS))
        run(IDS, torch.ones_like(IDS))
    assert sorted(seen) == sorted(2 * sites)


@pytest.mark.parametrize("backend", ["plain", "bridge"])
def test_a_model_that_also_sees_is_read_like_the_text_model_inside_it(backend: str) -> None:
    text = config_of("gemma3_text")
    eyes = {"num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    config = Gemma3Config(
        text_config=text.to_dict(),
        vision_config={"hidden_size": 32, "intermediate_size": 32, **eyes},
    )
    alone, around = Gemma3ForCausalLM(text).eval(), Gemma3ForConditionalGeneration(config).eval()
    around.model.language_model.load_state_dict(alone.model.state_dict())
    sites, read = ("mlp.hook_post", "attn.k", "hook_resid_post", "embed"), {}
    for name, model in (("alone", alone), ("around", around)):
        hooked = models.hook(model, tokenizer_of("gemma3_text"), backend=backend, sites=sites)
        assert hooked.backend == backend
        found: dict = {}
        places = [(site, None if site == "embed" else 1) for site in sites]
        with hooked.watch(
            {p: lambda x, p=p, f=found: f.update({p: x.clone()}) for p in places}
        ) as f:
            f(IDS, torch.ones_like(IDS))
        read[name] = found
    for place, expected in read["alone"].items():
        torch.testing.assert_close(read["around"][place], expected, atol=1e-5, rtol=0)


def test_a_mixtures_experts_cannot_be_edited() -> None:
    site = "mlp.shared_expert.hook_post"
    hooked = models.hook(
        model_of("qwen2_moe"), tokenizer_of("qwen2_moe"), backend="plain", sites=(site,)
    )
    with pytest.raises(capture.UnsupportedModel, match="can only be read"):
        with hooked.edit({(site, 0): lambda x: x}):
            pass


@pytest.mark.parametrize("family", ["opt", "gpt2", "llama", "gemma3_text"])
def test_a_clamp_of_the_last_token_leaves_the_others(family: str) -> None:
    hooked = models.hook(model_of(family), tokenizer_of(family), backend="plain")
    before = hooked.logits(IDS, torch.ones_like(IDS))
    with clamp(hooked, ["L0.N3"], 5.0, positions="last"):
        after = hooked.logits(IDS, torch.ones_like(IDS))
    torch.testing.assert_close(after[:, :-1], before[:, :-1], atol=1e-5, rtol=0)
    assert (after - before)[:, -1].abs().max() > 1e-3


def test_a_decoder_without_a_start_token_is_refused_and_its_encoder_is_not() -> None:
    model = model_of("mbart")
    model.config.decoder_start_token_id = None
    model.generation_config.decoder_start_token_id = None
    models.hook(model, tokenizer_of("mbart"), backend="plain")
    with pytest.raises(capture.UnsupportedModel, match="decoder_start_token_id.*stack='encoder'"):
        models.hook(model, tokenizer_of("mbart"), backend="plain", stack="decoder")


def test_one_folder_holds_one_stack(tmp_path: Path, few: ConceptSet) -> None:
    save(tmp_path / "lab" / "step-000016", "t5")
    series, options = find(tmp_path / "lab"), {"backend": "plain", "progress": False}
    capture.run(series, few, tmp_path / "run", stack="decoder", **options)
    with pytest.raises(StoreMismatch, match=r"another stack \(decoder, now encoder\)"):
        capture.run(series, few, tmp_path / "run", **options)


@pytest.mark.parametrize("declared", ["PreTrainedTokenizerFast", "TokenizersBackend"])
def test_a_tokenizer_that_is_its_file_alone_is_not_replaced_by_its_familys_usual_one(
    declared: str, tmp_path: Path
) -> None:
    folder = save(tmp_path / "step16", "qwen2")
    config = folder / "tokenizer_config.json"
    config.write_text(config.read_text("utf-8").replace("TokenizersBackend", declared), "utf-8")
    found = loading.load_tokenizer(folder)
    assert type(found) is PreTrainedTokenizerFast
    assert found("w1 w2")["input_ids"] == tokenizer_of("qwen2")("w1 w2")["input_ids"]
    config.write_text("no table", "utf-8")
    with pytest.raises(BrokenCheckpoint, match=r"^step16: no tokenizer \([^\n]*\)$"):
        loading.load_tokenizer(folder)
