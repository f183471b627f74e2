"""Every family, stack, site and back end against plain Hugging Face, one sentence at a time."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from capture.family_oracle import STACKS, values
from capture.tiny_families import TINY, WORDS, config_of, save, tokenizer_of

from neurotrace import capture
from neurotrace.capture.families import FAMILIES
from neurotrace.checkpoints import find
from neurotrace.concepts import ConceptSet

# Those that users come with, by both back ends; the others by plain hooks, which loading compares
# with the bridge, and by the bridge where there is time.
OFTEN = {
    *("gpt2", "gpt_neox", "bloom", "xglm", "opt", "llama", "mistral", "qwen3", "gemma3_text"),
    *("olmo2", "apertus", "smollm3", "bert", "xlm-roberta", "t5", "mt5", "m2m_100", "qwen2_moe"),
}
UNBRIDGED = {"umt5", "modernbert", "distilbert"}  # the table sends them to plain hooks
REFUSED = {"falcon old", "falcon new", "gpt_bigcode heads"}  # layouts that no bridge knows
FAST, SLOW = (), pytest.mark.slow
CASES = [
    pytest.param(
        (family, stack, backend),
        marks=FAST if family in OFTEN or backend == "plain" or family in UNBRIDGED else SLOW,
        id="-".join(filter(None, (family, stack, backend))),
    )
    for family in TINY
    for stack in STACKS[family]
    for backend in ("bridge", "plain")
    if (family not in REFUSED or backend == "plain")
    and (family not in UNBRIDGED or backend == "bridge")
]
POOL = {
    "max": lambda x: x.max(0),
    "mean": lambda x: x.mean(0),
    "last": lambda x: x[-1],
    "rate": lambda x: (x > 0).mean(0),
}
STEP, SEED = 16, 3


@cache
def sentences() -> ConceptSet:
    """Twelve sentences of 2 to 12 words in two languages, longest and shortest in turn."""
    rng = np.random.default_rng(5)
    lengths = [2, 12, 3, 11, 4, 10, 5, 9, 6, 8, 7, 12]
    rows = [
        {
            "group": f"g{number // 2}",
            "lang": ("aaa_Latn", "bbb_Latn")[number % 2],
            "text": " ".join(rng.choice(WORDS, size=length)),
            "concept": f"c{number // 2 % 2}",
        }
        for number, length in enumerate(lengths)
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows), name="tiny")


@cache
def encoded(family: str) -> list[tuple[list[int], np.ndarray]]:
    """Ids of every sentence, and which are pooled: all that are no special token."""
    tokenizer = tokenizer_of(family)
    found = [tokenizer(text)["input_ids"] for text in sentences().frame["text"]]
    return [(ids, ~np.isin(ids, tokenizer.all_special_ids)) for ids in found]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """``folders(family)``: a checkpoint of its tiny model, made once."""
    return cache(lambda family: save(_new(tmp_path_factory) / f"step-{STEP:06d}", family))


def _new(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("family")


@pytest.fixture(scope="module")
def plain(folders: Any) -> Any:
    """``plain(family)``: the checkpoint as its own class loads it, touched by nobody."""

    def load(family: str) -> Any:
        maker = getattr(transformers, TINY[family].maker)
        return maker.from_pretrained(folders(family), dtype=torch.float32).eval()

    return cache(load)


@pytest.fixture(scope="module", params=CASES)
def case(
    request: pytest.FixtureRequest,
    folders: Any,
    plain: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:
    """A captured family, and what the oracle says about the same checkpoint."""
    family, stack, backend = request.param
    store = capture.run(
        find(folders(family).parent),
        sentences(),
        _new(tmp_path_factory) / "run",
        what=paths(family, stack),
        dtype="float32",
        backend=backend,
        batch_tokens=40,
        tokens_per_language=20,
        loss_sentences=3,
        seed=SEED,
        progress=False,
        **({"stack": stack} if stack else {}),
    )
    model = plain(family)
    truth = [values(model, STACKS[family][stack], ids) for ids, _ in encoded(family)]
    return SimpleNamespace(
        family=family, stack=stack, backend=backend, store=store, truth=truth, model=model
    )


def paths(family: str, stack: str) -> list[str]:
    """The maximum of every site, and every pooling of three."""
    sites = STACKS[family][stack].sites
    some = [site for site in ("mlp.hook_post", "attn.v", "hook_resid_post") if site in sites]
    more = [f"{site}/{pooling}" for site in some for pooling in ("mean", "last", "rate", "tokens")]
    return [*(f"{site}/max" for site in [*sites, "embed"]), *more]


def test_captured_values_equal_one_by_one_unpadded_plain_runs(case: SimpleNamespace) -> None:
    store = case.store
    wanted = paths(case.family, case.stack)
    assert store.paths == sorted(wanted)
    for path in wanted:
        site, pooling = path.split("/")
        for layer in [None] if site == "embed" else [0, 1]:
            got = store.read(STEP, layer, path).to_numpy()
            for row, (_, content) in enumerate(encoded(case.family)):
                truth = case.truth[row][site, layer]
                if pooling == "tokens":
                    drawn = store.tokens[store.tokens["example"] == row]
                    expected, found = truth[drawn["position"]], got[drawn.index]
                else:
                    expected, found = POOL[pooling](truth[content]), got[row]
                where = f"{path}, layer {layer}, sentence {row}"
                np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0, err_msg=where)


def test_the_oracle_sees_values_large_enough_to_tell_errors(case: SimpleNamespace) -> None:
    largest = {place: np.abs(values).max() for place, values in case.truth[1].items()}
    assert min(largest.values()) > 0.1
    assert max(largest.values()) < 100


def test_the_file_says_which_back_end_and_stack_were_read(case: SimpleNamespace) -> None:
    header = case.store.header(STEP)
    assert header["backend"] == ("plain" if case.family in UNBRIDGED else case.backend)
    # Only where there are two to tell apart.
    assert header.get("stack") == (case.stack or None)


def test_the_loss_is_that_of_the_familys_own_head(case: SimpleNamespace) -> None:
    kind = FAMILIES[case.model.config.model_type].auto
    table, header = case.store.loss(STEP), case.store.header(STEP)
    # Files of causal models are as they were before there were others.
    said = {"causal": None, "masked": "masked", "seq2seq": "none"}
    assert header.get("loss_kind") == said[kind]
    assert (table is None) == (kind == "seq2seq")
    if table is None:
        return
    assert len(table) == 6
    for row, nats in zip(table["example"], table["nats"], strict=True):
        ids, content = encoded(case.family)[row]
        if kind == "causal":
            with torch.no_grad():
                log_p = case.model(torch.tensor([ids])).logits[0].log_softmax(-1)
            at = [n for n in range(1, len(ids)) if content[n]]
            expected = -np.mean([log_p[n - 1, ids[n]] for n in at])
            assert nats == pytest.approx(expected, abs=1e-4)
        else:
            assert 0 < nats < np.inf  # by hand in test_family_loss


@pytest.mark.parametrize("family", sorted(REFUSED))
def test_a_layout_that_the_bridge_reads_wrongly_is_refused_with_the_way_out(
    family: str, folders: Any
) -> None:
    with pytest.raises(capture.UnsupportedModel, match="backend='plain'"):
        capture.load_model(folders(family), backend="bridge")


def test_every_row_of_the_table_is_tried_here() -> None:
    assert {config_of(family).model_type for family in TINY} == set(FAMILIES)
