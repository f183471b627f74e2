"""The doctor: finds nothing at a healthy model of any shape, and everything that was planted."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from capture import tiny_families

from neurotrace.capture import families, forward, loading, loss, plain
from neurotrace.concepts import ConceptSet
from neurotrace.doctor import __main__ as command
from neurotrace.doctor import diagnose, here, numbers
from neurotrace.doctor.screen import show

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "SECONDS", 0.0)


def sentences(*, lengths: tuple[int, int] = (2, 12), unknown: float = 0.0) -> ConceptSet:
    rng = np.random.default_rng(0)
    words = [*tiny_families.WORDS]

    def text() -> str:
        n = rng.integers(*lengths)
        return " ".join("never" if rng.random() < unknown else rng.choice(words) for _ in range(n))

    rows = [
        {"group": f"g{n}", "lang": lang, "text": f"{words[n]} {text()}", "concept": f"c{n % 4}"}
        for n in range(20)
        for lang in ("aaa_Latn", "bbb_Latn")
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows), name="tiny")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``saved(family)``: the folder of its tiny model; never changed by a test."""
    root, made = tmp_path_factory.mktemp("models"), {}

    def save(family: str) -> Path:
        if family not in made:
            made[family] = tiny_families.save(root / family / "step-000016", family)
        return made[family]

    return save


def failed(found: pd.DataFrame) -> set[str]:
    return set(found.loc[found["verdict"] == "failed", "check"])


@pytest.mark.parametrize(
    ("family", "stack"),
    [
        ("gpt_neox", "auto"),
        ("llama", "auto"),
        ("olmo2", "auto"),
        ("bert", "auto"),
        ("mt5", "encoder"),
        ("mt5", "decoder"),
        ("umt5", "decoder"),
        ("qwen2_moe", "auto"),
    ],
)
def test_nothing_is_wrong_with_a_healthy_model(saved, family, stack):
    found = diagnose(saved(family), concepts=sentences(), stack=stack)
    assert not failed(found), found[found["verdict"] == "failed"]
    assert set(found["part"]) == {"texts", "sites", "values", "numbers", "here"}
    # The random model is no better than a guess; only a model of two stacks has no loss.
    open_ = list(found.loc[found["verdict"] == "not checked", "check"])
    assert open_ == (["loss"] if "mt5" in family else [])


def test_every_site_is_found_by_its_definition_in_the_independent_model(saved):
    found = diagnose(saved("llama"), concepts=sentences()).set_index("check")["found"]
    assert {site: found[site] for site in ("mlp.hook_pre", "mlp.hook_post", "attn.k")} == {
        "mlp.hook_pre": "72, output of mlp.gate_proj",
        "mlp.hook_post": "72, input of mlp.down_proj",
        "attn.k": "16, output of self_attn.k_proj",
    }
    found = diagnose(saved("gpt_neox"), concepts=sentences()).set_index("check")["found"]
    assert found["attn.v"] == "32, part of attention.query_key_value"


def row(family: str, **names: Any) -> Patch:
    """A wrong row in the table of families."""
    known = families.FAMILIES[family]
    stacks = {name: dataclasses.replace(s, **names) for name, s in known.stacks.items()}
    wrong = dataclasses.replace(known, stacks=stacks)
    return lambda patch: patch.setitem(families.FAMILIES, family, wrong)


def without_mask(patch: pytest.MonkeyPatch) -> None:
    real = forward.run_body
    patch.setattr(
        forward,
        "run_body",
        lambda model, ids, mask, *, stack: real(model, ids, torch.ones_like(mask), stack=stack),
    )


def left_padded(patch: pytest.MonkeyPatch) -> None:
    def turned(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        by = mask.sum(1).tolist()
        return torch.stack([each.roll(-n) for each, n in zip(x, by, strict=True)])

    real = forward.run_body
    patch.setattr(
        forward,
        "run_body",
        lambda model, ids, mask, *, stack: real(
            model, turned(ids, mask), turned(mask, mask), stack=stack
        ),
    )


def scaled(patch: pytest.MonkeyPatch) -> None:
    real = plain._output
    patch.setattr(plain, "_output", lambda hook: real(lambda x: hook(1.01 * x)))


def of_another_layer(patch: pytest.MonkeyPatch) -> None:
    real = plain._attach

    def attach(model: Any, row: Any, place: plain.Place, hook: Any) -> Any:
        site, layer = place
        return real(model, row, (site, layer if layer is None else 1 - layer), hook)

    patch.setattr(plain, "_attach", attach)


def lying_bridge(patch: pytest.MonkeyPatch) -> None:
    from neurotrace.capture import bridge

    real = bridge._nameless
    patch.setattr(bridge, "_nameless", lambda own: real(lambda x: own(1.1 * x)))


def kept_hooks(patch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def hooks(model: Any, given: Any, *, stack: str) -> Iterator[None]:
        model.register_forward_hook(lambda *_: None)
        with plain.plain_hooks(model, given, stack=stack):
            yield

    patch.setattr(forward, "plain_hooks", hooks)


def random_model(patch: pytest.MonkeyPatch) -> None:
    real = loading.load_weights

    def load(*given: Any, **named: Any) -> Any:
        model = real(*given, **named)
        linear = model.base_model.layers[0].mlp.dense_h_to_4h
        linear.register_forward_hook(lambda _, __, x: x + 0.1 * torch.randn_like(x))
        return model

    patch.setattr(loading, "load_weights", load)


def shifted_loss(patch: pytest.MonkeyPatch) -> None:
    real = loss._next_token

    def predict(model: Any, batch: Any) -> Any:
        each, wanted = real(model, batch)
        return each.roll(1, dims=1), wanted

    patch.setattr(loss, "_next_token", predict)


def pooled_bos(patch: pytest.MonkeyPatch) -> None:
    from neurotrace.capture import tokens

    real = tokens.tokenize

    def tokenize(*given: Any, **named: Any) -> Any:
        made = real(*given, **named)
        return dataclasses.replace(made, content=np.ones_like(made.content))

    patch.setattr(tokens, "tokenize", tokenize)


@pytest.mark.parametrize(
    ("planted", "caught"),
    [
        (("bert", "plain", without_mask), {"alone, in a batch", "Hugging Face, one by one"}),
        (("llama", "plain", left_padded), {"alone, in a batch", "mlp.hook_post"}),
        (("llama", "plain", scaled), {"mlp.hook_pre", "attn.q", "hook_resid_post", "embed"}),
        (("gpt_neox", "plain", of_another_layer), {"mlp.hook_post", "hook_resid_post", "attn.v"}),
        (("gpt_neox", "plain", row("gpt_neox", down="attention.dense")), {"mlp.hook_post"}),
        (
            ("llama", "plain", row("llama", gate="mlp.up_proj", up="mlp.gate_proj")),
            {"mlp.hook_pre", "mlp.gate"},
        ),
        (("llama", "plain", row("llama", k="self_attn.v_proj")), {"queries, keys, values"}),
        (("gpt_neox", "bridge", lying_bridge), {"the model runs"}),
        (("gpt_neox", "plain", kept_hooks), {"hooks left behind"}),
        (("gpt_neox", "plain", random_model), {"the same batch again"}),
        (("gpt_neox", "plain", shifted_loss), {"loss, Hugging Face's own"}),
        (("gpt_neox", "plain", pooled_bos), {"what is pooled", "BOS"}),
    ],
    ids=lambda value: value[2].__name__ if isinstance(value, tuple) else "",
)
def test_what_is_planted_in_the_code_is_found(saved, monkeypatch, planted, caught):
    family, backend, plant = planted
    folder = saved(family)
    plant(monkeypatch)
    found = diagnose(folder, concepts=sentences(), backend=backend)
    assert caught <= failed(found), found[["check", "found", "verdict"]].to_string()


def more_tokens(_: Any, tokenizer: Any) -> None:
    tokenizer.add_tokens([f"new{n}" for n in range(9)])


def nan_weights(model: Any, _: Any) -> None:
    model.gpt_neox.layers[1].mlp.dense_h_to_4h.weight.data[3, 4] = torch.nan


def huge_neurons(model: Any, _: Any) -> None:
    model.gpt_neox.layers[1].mlp.dense_h_to_4h.weight.data *= 1e6


@pytest.mark.parametrize(
    ("damage", "caught"),
    [
        (more_tokens, "token ids"),
        (nan_weights, "NaN and infinity"),
        (huge_neurons, "largest neuron"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_found(tmp_path, damage, caught):
    model, tokenizer = tiny_families.model_of("gpt_neox"), tiny_families.tokenizer_of("gpt_neox")
    damage(model, tokenizer)
    model.save_pretrained(tmp_path / "step-000016")
    tokenizer.save_pretrained(tmp_path / "step-000016")
    found = diagnose(tmp_path, concepts=sentences(), backend="plain")
    assert caught in failed(found)


def test_a_truncated_file_is_a_finding_and_no_traceback(tmp_path):
    folder = tiny_families.save(tmp_path / "step-000016", "gpt_neox")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    found = diagnose(folder, concepts=sentences())
    assert list(found["check"]) == ["the checkpoint loads"]
    assert "truncated or unreadable" in found["found"][0]


@pytest.mark.parametrize(
    ("made", "caught"),
    [
        (sentences(unknown=0.4), "unknown words"),
        (sentences(lengths=(33, 40)), "tokens a sentence"),
    ],
    ids=["unknown", "long"],
)
def test_sentences_that_the_model_cannot_read_are_found(saved, made, caught):
    assert failed(diagnose(saved("gpt_neox"), concepts=made)) == {caught}


def test_bfloat16_that_changes_the_neurons_fails_where_it_is_used_and_is_a_note_elsewhere():
    rng = np.random.default_rng(0)
    wide = {("mlp.hook_post", 0): rng.standard_normal((6, 50))}
    other = {("mlp.hook_post", 0): wide["mlp.hook_post", 0] + rng.standard_normal((6, 50))}
    given = dict(content=np.ones(6, dtype=bool), counts=np.array([2, 4]))
    for narrow, used, verdict in ((wide, "bfloat16", "ok"), (other, "bfloat16", "failed"),
                                  (other, "float32", "note")):  # fmt: skip
        (found,) = numbers.of_drift(wide, narrow, ["mlp.hook_post"], used=used, **given)
        assert found.verdict == verdict
    x = np.maximum.reduceat(wide["mlp.hook_post", 0], [0, 2])
    y = np.maximum.reduceat(other["mlp.hook_post", 0], [0, 2])
    assert found.figure == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1])


def test_the_command_ends_with_0_1_and_2(saved, tmp_path, capsys):
    words = tmp_path / "words.jsonl"
    sentences().to_jsonl(words)
    assert command.main([str(saved("gpt_neox")), "--concepts", str(words)]) == 0
    assert "nothing failed in" in capsys.readouterr().out
    sentences(unknown=0.5).to_jsonl(words)
    assert command.main([str(saved("gpt_neox")), "--concepts", str(words), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["checks"]
    assert [r["check"] for r in rows if r["verdict"] == "failed"] == ["unknown words"]
    assert command.main([str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_table_shows_every_check_and_says_what_to_do(saved, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "140")
    found = diagnose(saved("gpt_neox"), concepts=sentences(unknown=0.5))
    show(found, "a model")
    shown = capsys.readouterr().out
    assert all(check in shown for check in found["check"])
    assert "failed: unknown words: leave out" in shown
    assert shown.strip().endswith(f"1 of {len(found)} checks failed")
