"""States of words and the poolings beside the mean, against one unpadded sentence at a time."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from neurotrace import capture
from neurotrace.capture import collect
from neurotrace.checkpoints import Checkpoint, find
from neurotrace.concepts import ConceptSet
from neurotrace.store import StoreMismatch

LETTERS = "abcdefghijklmnopqrst"
PAIRS = [("a", "b"), ("c", "d"), ("ab", "cd"), ("e", "f")]
WHAT = [
    *(f"hook_resid_post/{pooling}" for pooling in ("words", "words_first", "words_mean")),
    *(f"embed/{pooling}" for pooling in ("words", "words_first", "words_mean")),
    *(f"hook_resid_post/{pooling}" for pooling in ("mean_all", "weighted_mean", "tokens")),
    "mlp.hook_post/weighted_mean",
]
NAMES = {
    "gpt_neox": ("gpt_neox.layers.1", "gpt_neox.embed_in", "mlp.dense_4h_to_h"),
    "bloom": ("transformer.h.1", "transformer.word_embeddings", "mlp.dense_4h_to_h"),
    "llama": ("model.layers.1", "model.embed_tokens", "mlp.down_proj"),
}


def tokenizer_of() -> PreTrainedTokenizerFast:
    """Letters and a few pairs of them: most words take several tokens."""
    names = ["<pad>", "<s>", "</s>", "<unk>", ".", *LETTERS, *("".join(pair) for pair in PAIRS)]
    vocabulary = {name: number for number, name in enumerate(names)}
    raw = Tokenizer(models.BPE(vocabulary, PAIRS, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=raw, **special)


def sentences(n_groups: int) -> ConceptSet:
    rng = np.random.default_rng(4)

    def text() -> str:
        words = ["".join(rng.choice(list(LETTERS[:8]), size=rng.integers(1, 5))) for _ in range(5)]
        return " ".join(words[: rng.integers(3, 6)]) + "."

    rows = [
        {
            "group": f"g{group}",
            "lang": lang,
            "text": f"{text()} abcd ef",
            "concept": f"c{group % 2}",
        }
        for group in range(n_groups)
        for lang in ("aaa_Latn", "bbb_Latn")
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows), name="letters")


def saved(root: Path, tiny: SimpleNamespace, family: str, *, steps: tuple[int, ...]) -> Any:
    for step in steps:
        folder = root / f"step-{step:06d}"
        tiny.model(family, seed=step).save_pretrained(folder)
        tokenizer_of().save_pretrained(folder)
    return find(root)


def run(series: list[Checkpoint], concepts: ConceptSet, out: Path, **changes: Any) -> Any:
    options = {"what": WHAT, "dtype": "float32", "tokens_per_language": 9, "loss_sentences": 0}
    options |= {"words_per_language": 60, "batch_tokens": 64, "progress": False}
    return capture.run(series, concepts, out, **{**options, **changes})


def oracle(folder: Path, family: str) -> Callable[[str], tuple[dict[str, np.ndarray], list[str]]]:
    """Values of the last block and the embedding for one sentence alone, and its tokens."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = tokenizer_of()
    seen: dict[str, np.ndarray] = {}
    block, embed, down = NAMES[family]

    def keep(name: str) -> Any:
        def function(_: Any, __: Any, out: Any) -> None:
            seen[name] = (out[0] if isinstance(out, tuple) else out)[0].numpy()

        return function

    model.get_submodule(block).register_forward_hook(keep("hook_resid_post"))
    model.get_submodule(embed).register_forward_hook(keep("embed"))
    model.get_submodule(f"{block}.{down}").register_forward_pre_hook(
        lambda _, given: keep("mlp.hook_post")(None, None, given[0])
    )

    def alone(text: str) -> tuple[dict[str, np.ndarray], list[str]]:
        seen.clear()
        ids = tokenizer(text)["input_ids"]
        with torch.no_grad():
            model(torch.tensor([ids]))
        return dict(seen), tokenizer.convert_ids_to_tokens(ids)

    return alone


@pytest.mark.parametrize("family", NAMES)
def test_words_and_means_equal_one_by_one_unpadded_runs(
    family: str, tmp_path: Path, tiny: SimpleNamespace
) -> None:
    series, concepts = saved(tmp_path / "lab", tiny, family, steps=(16,)), sentences(8)
    store = run(series, concepts, tmp_path / "run")
    values = {p: store.read(16, None if p[0] == "e" else 1, p).to_numpy() for p in WHAT}
    assert (store.words["stop"] - store.words["position"]).max() > 2
    alone = oracle(series[0].path, family)
    for row, text in enumerate(concepts.frame["text"]):
        seen, tokens = alone(text)
        state, n = seen["hook_resid_post"], len(tokens)
        weights = np.arange(1, n - 1)[:, None] / np.arange(1, n - 1).sum()
        expected = {
            "hook_resid_post/mean_all": state.mean(0),
            "hook_resid_post/weighted_mean": (state[1:-1] * weights).sum(0),
            "mlp.hook_post/weighted_mean": (seen["mlp.hook_post"][1:-1] * weights).sum(0),
        }
        for path, truth in expected.items():
            np.testing.assert_allclose(values[path][row], truth, atol=1e-4, err_msg=path)
        for at, word in store.words[store.words["example"] == row].iterrows():
            first, stop = int(word["position"]), int(word["stop"])
            assert "".join(tokens[first:stop]) == word["word"]
            for site in ("hook_resid_post", "embed"):
                x = seen[site]
                for end, truth in (("", x[stop - 1]), ("_first", x[first])):
                    np.testing.assert_allclose(values[f"{site}/words{end}"][at], truth, atol=1e-4)
                mean = values[f"{site}/words_mean"][at]
                np.testing.assert_allclose(mean, x[first:stop].mean(0), atol=1e-4)


def test_the_same_words_at_every_step_and_in_any_batches(
    tmp_path: Path, tiny: SimpleNamespace
) -> None:
    series, concepts = saved(tmp_path / "lab", tiny, "gpt_neox", steps=(0, 16)), sentences(20)
    one = run(series, concepts, tmp_path / "one")
    other = run(series, concepts, tmp_path / "other", batch_tokens=500)
    pd.testing.assert_frame_equal(one.words, other.words)
    assert one.words["lang"].value_counts().to_dict() == {"aaa_Latn": 60, "bbb_Latn": 60}
    assert one.words.groupby(["lang", "word"]).size().max() <= 15
    read = [s.read(16, 1, "hook_resid_post/words_mean").to_numpy() for s in (one, other)]
    np.testing.assert_allclose(*read, atol=1e-5)
    embedded = [one.read(step, None, "embed/words").to_numpy() for step in (0, 16)]
    assert np.abs(embedded[0] - embedded[1]).max() > 0.1
    header = one.header(16)
    assert (header["words_per_language"], header["word_cap"]) == (60, 15)
    without = run(series, concepts, tmp_path / "without", what=["hook_resid_post/tokens"])
    pd.testing.assert_frame_equal(without.tokens, one.tokens)
    assert without.words is None
    assert "word_cap" not in without.header(16)


def test_a_stopped_capture_of_words_goes_on_and_other_words_are_refused(
    tmp_path: Path, tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    series, concepts = saved(tmp_path / "lab", tiny, "gpt_neox", steps=(16,)), sentences(130)
    go = partial(run, series, concepts, batch_tokens=1024)
    whole = go(tmp_path / "whole")

    def fail(_: Any, numbers: np.ndarray, *__: Any) -> None:
        if numbers.min() >= 256:  # in the second slab
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(collect, "_refuse_not_finite", fail)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "halved")
    assert len(list((tmp_path / "halved").glob("*.partial"))) == 1
    with pytest.raises(StoreMismatch, match="another word_cap .there 15, here 2., words"):
        go(tmp_path / "halved", word_cap=2)
    halved = go(tmp_path / "halved")
    for path in WHAT:
        layer = None if path.startswith("embed") else 1
        pair = [store.read(16, layer, path).to_numpy() for store in (whole, halved)]
        np.testing.assert_array_equal(*pair)
    with pytest.raises(StoreMismatch, match=r"another words_per_language \(60, now 61\)"):
        go(tmp_path / "whole", words_per_language=61)
    with pytest.raises(ValueError, match="got word_cap 0; expected at least 1"):
        go(tmp_path / "none", word_cap=0)


def test_a_plan_counts_words(tmp_path: Path, tiny: SimpleNamespace) -> None:
    series, concepts = saved(tmp_path / "lab", tiny, "llama", steps=(16,)), sentences(30)
    options: dict[str, Any] = {"what": ["embed/words", "hook_resid_post/words"]}
    plan = capture.plan(series, concepts, **options, words_per_language=50)
    assert plan.n_words == 100
    assert "100 words kept one by one" in str(plan)
    run(series, concepts, tmp_path / "run", **options, words_per_language=50)
    size = (tmp_path / "run" / "0000_step16.h5").stat().st_size
    assert size <= plan.n_bytes <= size + 1_500_000
