"""Latent concepts over a store: planted twins and mixtures, and dictionaries of other sentences."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.store import ActivationStore, CheckpointWriter
from neurotrace.trajectories.latent_concepts import latent_concepts
from neurotrace.trajectories.latent_words import latent_words
from neurotrace.trajectories.word_rows import (
    dictionaries,
    half_of_groups,
    usual_words,
    word_rows,
    words_of,
)

PAIR = "qaa_Latn", "qab_Latn"
LANGS = list(PAIR)
N_GROUPS, N_TOKENS, N_MEANINGS, N_SENSES, D = 120, 5, 60, 6, 12
PATH = "hook_resid_post/tokens"


def spelled(lang, meaning):
    return f"{'ab'[lang]}{meaning}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Layer 0: senses cluster in each language apart; layer 1: in both together; step 0: noise."""
    rng = np.random.default_rng(0)
    meaning = rng.integers(0, N_MEANINGS, (N_GROUPS, N_TOKENS))
    examples = pd.DataFrame(
        [(f"g{g:03d}", lang, N_TOKENS, "") for lang in LANGS for g in range(N_GROUPS)],
        columns=["group", "lang", "n_tokens", "text_hash"],
    )
    of = np.repeat([0, 1], N_GROUPS * N_TOKENS)
    meanings = np.tile(meaning.ravel(), 2)
    words = [spelled(*pair) for pair in zip(of, meanings, strict=True)]
    tokens = pd.DataFrame(
        {
            "example": np.repeat(np.arange(len(examples)), N_TOKENS),
            "position": np.tile(np.arange(N_TOKENS), len(examples)),
            "id": of * N_MEANINGS + meanings,
            "word": [f" {word.upper()}" for word in words],
            "lang": [LANGS[i] for i in of],
            "kind": "whole",
        }
    )
    sense = 8 * rng.standard_normal((N_SENSES, D))[meanings % N_SENSES]
    language = 40 * rng.standard_normal((2, D))[of]
    noise = rng.standard_normal((2, 2, len(tokens), D))
    folder = tmp_path_factory.mktemp("latent")
    for step in (0, 100):
        layers = (sense + language, sense) if step else (np.zeros(1), np.zeros(1))
        values = {
            (PATH, at): (layers[at] + noise[step // 100, at]).astype("float32") for at in (0, 1)
        }
        with CheckpointWriter.open(
            folder / f"{step:04d}_step{step}.h5",
            header={"model": "planted", "step": step, "weight_hash": f"{step:064x}"},
            examples=examples,
            labels=np.zeros((len(examples), 1), np.int8),
            concepts=["c"],
            arrays={key: (D, "float32") for key in values},
            tokens=tokens,
        ) as writer:
            writer.write(0, values)
            writer.finish()
    texts = [
        " ".join(spelled(lang, one) for one in row) + "." for lang in (0, 1) for row in meaning
    ]
    return ActivationStore.open(folder), texts


@pytest.fixture(scope="module")
def found(made):
    store, texts = made
    return latent_concepts(store, path=PATH, texts=texts, clusters=N_SENSES, permutations=20)


def test_planted_twins_appear_with_training(found):
    value = found["value"].mean(("lang_a", "lang_b"))
    assert (value.sel(step=100) > 0.8).all()
    # Clusters of noise are large and hold most words: all of their twins are chance.
    assert abs(found["corrected"].sel(step=0).mean()) < 0.2
    assert found["corrected"].sel(step=100).mean() > 0.7
    assert (found["chance"].sel(step=100).mean(("lang_a", "lang_b")) < 0.1).all()


def test_overlap_tells_a_common_space_from_two_alike(found):
    overlap = found["overlap"].sel(step=100, lang_a="qaa_Latn", lang_b="qab_Latn")
    assert overlap.sel(layer=0) == 0
    assert overlap.sel(layer=1) > 0.9
    # Noise mixes as chance does, and only the corrected score says so.
    assert abs(found["overlap_corrected"].sel(step=0)).mean() < 0.2
    assert found["overlap"].sel(step=0).mean() > 0.8


def test_axes_and_attributes_are_the_contracts(found):
    assert found["value"].dims == ("step", "layer", "lang_a", "lang_b")
    assert np.isnan(found["value"].sel(lang_a="qaa_Latn", lang_b="qaa_Latn")).all()
    assert found["corrected"].equals(found["value"] - found["chance"])
    assert (found["stability"].sel(step=100) > found["stability"].sel(step=0)).all()
    assert {"path", "clusters", "words", "theta_align", "theta_overlap"} <= set(found.attrs)
    assert (found["ceiling"].fillna(1) >= found["value"].fillna(0)).all()
    assert found["missing"].max() < 0.2
    assert found.attrs["words"] == N_GROUPS // 2 * N_TOKENS  # of one half of the groups


def test_the_dictionary_is_of_other_sentences_than_the_words(made):
    store, texts = made
    learned, measured = half_of_groups(store, seed=0)
    assert not set(learned) & set(measured)
    assert len(learned) + len(measured) == N_GROUPS
    rows = word_rows(store, PATH, groups=measured)
    assert set(store.examples["group"].iloc[rows["example"]]) <= set(measured)
    blank = [
        text if group in learned else "x"
        for text, group in zip(texts, store.examples["group"], strict=True)
    ]
    first, second = (dictionaries(store, t, path=PATH, groups=learned) for t in (texts, blank))
    assert dict(first[PAIR]) == dict(second[PAIR])
    assert np.mean([best[0] == f"b{word[1:]}" for word, best in first[PAIR].items()]) > 0.9


def test_a_given_dictionary_is_used_for_all_words(made):
    store, _ = made
    known = {f"a{i}": [f"b{i}"] for i in range(N_MEANINGS)}
    back = {f"b{i}": [f"a{i}"] for i in range(N_MEANINGS)}
    pairs = {PAIR: known, PAIR[::-1]: back}
    dials = {"path": PATH, "clusters": N_SENSES, "permutations": 5, "steps": [100], "layers": [1]}
    right = latent_concepts(store, dictionary=pairs, **dials)
    assert right.sizes == {"step": 1, "layer": 1, "lang_a": 2, "lang_b": 2}
    assert right["value"].mean() == 1
    assert right["missing"].mean() == 0
    others = np.random.default_rng(0).permutation(N_MEANINGS)
    wrong = {f"a{i}": [f"b{j}"] for i, j in enumerate(others)}
    deranged = latent_concepts(store, dictionary={**pairs, PAIR: wrong}, **dials)
    assert deranged["value"].sel(lang_a=PAIR[0], lang_b=PAIR[1]).item() < 0.2
    with pytest.raises(ValueError, match="got no dictionary of qab_Latn → qaa_Latn"):
        latent_concepts(store, dictionary={PAIR: known}, **dials)


def test_clusters_of_the_words_of_a_sentence_are_no_twins(made, tmp_path):
    store, _ = made
    rng = np.random.default_rng(7)
    # Each sentence of each language has a place of its own; what its words mean plays no part.
    places = 8 * rng.standard_normal((len(store.examples), D))
    own = places[store.tokens["example"]] + 0.1 * rng.standard_normal((len(store.tokens), D))
    with CheckpointWriter.open(
        tmp_path / "0000_step100.h5",
        header={"model": "planted", "step": 100, "weight_hash": "2" * 64},
        examples=store.examples,
        labels=store.labels,
        concepts=store.concepts,
        arrays={(PATH, 0): (D, "float32")},
        tokens=store.tokens,
    ) as writer:
        writer.write(0, {(PATH, 0): own.astype("float32")})
        writer.finish()
    pairs = {
        (LANGS[a], LANGS[1 - a]): {spelled(a, i): [spelled(1 - a, i)] for i in range(N_MEANINGS)}
        for a in (0, 1)
    }
    found = latent_concepts(
        ActivationStore.open(tmp_path), path=PATH, dictionary=pairs, clusters=N_GROUPS,
        permutations=10, word_cap=N_GROUPS * N_TOKENS,
    )  # fmt: skip
    assert found["corrected"].mean() < 0.05


def test_drawn_words_are_read_as_tokens_are(made, tmp_path):
    store, _ = made
    words = store.tokens.drop(columns=["id", "kind"])
    words = words.assign(word=words["word"].str.strip().str.lower(), stop=words["position"] + 1)
    path = "hook_resid_post/words"
    with CheckpointWriter.open(
        tmp_path / "0000_step100.h5",
        header={"model": "planted", "step": 100, "weight_hash": "1" * 64},
        examples=store.examples,
        labels=store.labels,
        concepts=store.concepts,
        arrays={(path, 0): (D, "float32")},
        words=words,
    ) as writer:
        writer.write(0, {(path, 0): store.read(100, 1, PATH).values})
        writer.finish()
    assert usual_words(store) == PATH
    captured = ActivationStore.open(tmp_path)
    assert usual_words(captured) == path
    dials = {"clusters": N_SENSES, "permutations": 3}
    ours, theirs = latent_words(captured, **dials), latent_words(store, path=PATH, **dials)
    assert ours["words"].values.tolist() == theirs["words"].values.tolist()


def test_words_are_shown_for_a_reader(made):
    store, _ = made
    table = latent_words(store, path=PATH, clusters=N_SENSES, n=3)
    assert table.attrs["step"] == 100
    assert table.attrs["layer"] == 1
    assert table["overlapping"].dims == ("example",)
    assert set(table["overlapping"].values) == {1}
    assert table["value"] == 1
    senses = [
        {int(word[1:]) % N_SENSES for word in row.split(", ")} for row in table["words"].values
    ]
    assert all(len(own) == 1 for own in senses)


def test_unfit_questions_are_refused(made):
    store, texts = made
    with pytest.raises(ValueError, match="expected captured words"):
        latent_concepts(store, path="hook_resid_post/mean", texts=texts)
    with pytest.raises(ValueError, match="got layers 7; valid are 0, 1"):
        latent_concepts(store, path=PATH, texts=texts, layers=[7])
    with pytest.raises(ValueError, match="expected at least two of qaa_Latn, qab_Latn"):
        latent_concepts(store, path=PATH, texts=texts, languages=["qaa_Latn"])
    with pytest.raises(ValueError, match="got 1 texts for 240 sentences"):
        latent_concepts(store, path=PATH, texts=texts[:1])
    with pytest.raises(ValueError, match="got 5000 clusters for"):
        latent_concepts(store, path=PATH, texts=texts, clusters=5000)


def test_texts_without_spaces_are_cut_into_known_words():
    assert list(words_of("我喜欢狗", frozenset({"喜欢", "狗", "喜"}))) == ["喜欢", "狗"]
    assert list(words_of("L’été, c'est “beau”")) == ["l’été", "c'est", "beau"]
