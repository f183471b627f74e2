"""Layers: the language of a token and the translation of a sentence, on planted states."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.store import ActivationStore, CheckpointWriter
from neurotrace.trajectories import language_identification, loss, retrieval

LANGS = ["qaa_Latn", "qab_Cyrl", "qac_Cyrl"]
N_GROUPS, N_TOKENS, D = 60, 8, 16


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ActivationStore:
    """Layer 0 knows word types alone, layer 1 the language too; translations meet in layer 1."""
    rng = np.random.default_rng(0)
    examples = pd.DataFrame(
        [(f"g{g:02d}", lang, N_TOKENS, "") for lang in LANGS for g in range(N_GROUPS)],
        columns=["group", "lang", "n_tokens", "text_hash"],
    )
    lang = np.repeat(np.arange(3), N_GROUPS)
    tokens = pd.DataFrame(
        {
            "example": np.repeat(np.arange(len(examples)), N_TOKENS),
            "position": np.tile(np.arange(N_TOKENS), len(examples)),
        }
    )
    of = lang[tokens["example"]]
    tokens["id"] = of * 100 + rng.integers(0, 40, len(tokens))
    tokens["word"] = tokens["id"].astype(str)
    tokens["lang"] = [LANGS[i] for i in of]
    tokens["kind"] = np.where(rng.random(len(tokens)) < 0.9, "whole", "continuation")
    types = rng.standard_normal((300, D))[tokens["id"]]
    direction = rng.standard_normal((3, D))[of]
    meaning = rng.standard_normal((N_GROUPS, D))
    sentence = np.tile(meaning, (3, 1)) + 0.1 * rng.standard_normal((len(examples), D))
    offset = 3 * rng.standard_normal((3, D))[lang]
    values = {
        ("hook_resid_post/tokens", 0): types,
        ("hook_resid_post/tokens", 1): types + 2 * direction,
        ("embed/tokens", None): types,
        ("hook_resid_post/mean", 0): rng.standard_normal((len(examples), D)),
        ("hook_resid_post/mean", 1): sentence + offset,
    }
    values = {key: X.astype("float32") for key, X in values.items()}
    folder = tmp_path_factory.mktemp("layers")
    table = pd.DataFrame({"example": [0, 60, 61, 120], "n_tokens": [1, 3, 1, 2]})
    with CheckpointWriter.open(
        folder / "0000_step0.h5",
        header={"model": "planted", "step": 0, "weight_hash": "0" * 64, "vocab_size": 100},
        examples=examples,
        labels=np.zeros((len(examples), 1), np.int8),
        concepts=["c"],
        arrays={key: (D, "float32") for key in values},
        tokens=tokens,
        loss=table,
    ) as writer:
        writer.write_loss(np.array([2.0, 1.0, 5.0, 4.0]))
        writer.write(0, values)
        writer.finish()
    return ActivationStore.open(folder)


def test_a_language_direction_is_found_and_word_types_are_no_way_round(store):
    found = language_identification(store)
    assert float(found["chance"]) == pytest.approx(1 / 3)
    assert abs(float(found["value"].sel(layer=0)[0]) - 1 / 3) < 0.12
    assert abs(float(found["embed"][0]) - 1 / 3) < 0.12
    assert float(found["value"].sel(layer=1)[0]) > 0.9
    assert float(found["same_script"].sel(layer=1)[0]) > 0.9
    assert float(found["cross_script"].sel(layer=1)[0]) > 0.9
    assert found["value_quarter"].sel(layer=1)[0] <= found["value"].sel(layer=1)[0] + 0.02


def test_the_papers_variant_reads_word_types(store):
    leaking = language_identification(store, disjoint_types=False)
    assert float(leaking["value"].sel(layer=0)[0]) > 0.5


def test_kinds_of_tokens_are_kept_apart(store):
    n_whole = int((store.tokens["kind"] == "whole").sum())
    assert language_identification(store, seeds=1).attrs["tokens"] == n_whole
    assert language_identification(store, kind="all", seeds=1).attrs["tokens"] == len(store.tokens)
    with pytest.raises(
        ValueError, match="got kind 'word'; valid are whole, continuation, byte, all"
    ):
        language_identification(store, kind="word")


def test_languages_with_too_few_tokens_are_left_out_by_name(store):
    counts = store.tokens.query("kind == 'continuation'")["lang"].value_counts()
    assert counts.max() < 100
    with pytest.raises(ValueError, match="got fewer than 100 continuation tokens in qaa_Latn"):
        language_identification(store, kind="continuation")
    assert language_identification(store, seeds=1).attrs["left_out"] == ""


def test_translations_are_retrieved_once_each_language_is_centred(store):
    found = retrieval(store)
    assert float(found["chance"]) == pytest.approx(1 / N_GROUPS)
    off = ~np.eye(3, dtype=bool)
    assert found["value"].sel(layer=1).values[0][off].min() > 0.9
    assert found["value"].sel(layer=0).values[0][off].max() < 0.1
    assert retrieval(store, center=False)["value"].sel(layer=1).mean() < 0.5


def test_loss_is_weighted_by_tokens(store):
    found = loss(store)
    assert found["value"].values.tolist() == [[2.0, 2.0, 4.0]]
    assert float(found["chance"]) == pytest.approx(np.log(100))
