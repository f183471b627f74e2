"""Cards: the sentences that excite a neuron most, by activation alone, at three checkpoints."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from planted import PATH, Stage

from neurotrace.store import ActivationStore
from neurotrace.trajectories.cards import cards, neuron_card
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lives import neuron_lives

STAGE = Stage(n_concepts=4, n_groups=24, n_langs=3, widths=(20, 20))
STEPS = (0, 10, 20, 30, 40)
TEXTS = [f"sentence {row}" for row in range(len(STAGE.lang))]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ActivationStore:
    rng = np.random.default_rng(0)
    responses = {}
    for step in STEPS:
        X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
        X[:, 25] += 8 * (STAGE.concept == 2) * (step >= 30)
        X[:, 26] += 8 * (STAGE.concept == 1) * (step >= 10)
        X[:, 3] = np.maximum(X[:, 3], 0) * (STAGE.group < 2)
        responses[step] = X
    return STAGE.write(tmp_path_factory.mktemp("cards"), responses)


@pytest.fixture(scope="module")
def lives(store) -> xr.Dataset:
    return neuron_lives(store)


def half_b(store: ActivationStore) -> np.ndarray:
    return ~Halved.of(store, PATH, n_splits=1, seed=0).in_a[0]


def test_a_card_holds_the_highest_activations_of_the_unseen_half(store):
    card = neuron_card(store, "L1.N5", concept="c02", texts=TEXTS)
    assert card["step"].unique().tolist() == [0, 20, 40]
    X, in_b = store.read(40, 1, PATH).values[:, 5], half_b(store)
    for number, lang in enumerate(store.languages):
        rows = np.flatnonzero(in_b & (STAGE.lang == number))
        best = rows[np.argsort(-X[rows])[:3]]
        shown = card[(card["step"] == 40) & (card["lang"] == lang)]
        assert shown["text"].tolist() == [TEXTS[row] for row in best]
        np.testing.assert_allclose(shown["activation"], X[best])
        assert shown["rank"].tolist() == [0, 1, 2]
        assert shown["positive"].tolist() == [1, 1, 1]


def test_sentences_without_the_concept_are_shown_where_they_excite(store):
    first = neuron_card(store, "L1.N5", concept="c02", texts=TEXTS, steps=[0], per_language=20)
    assert set(first["positive"]) == {0, 1}
    other = neuron_card(store, "L1.N5", concept="c01", texts=TEXTS, steps=[40])
    assert set(other["positive"]) == {0}


def test_zero_excites_nothing(store):
    card = neuron_card(store, "L0.N3", concept="c00", texts=TEXTS, per_language=10)
    assert (card["activation"] > 0).all()
    in_b = half_b(store)
    possible = {TEXTS[row] for row in np.flatnonzero(in_b & (STAGE.group < 2))}
    assert set(card["text"]) <= possible


def test_the_cards_of_lives_show_the_step_since_which_they_serve(store, lives):
    table = cards(store, lives, texts=TEXTS).to_dataframe()
    assert set(table["name"]) == {"L1.N5", "L1.N6"}
    shown = {name: rows["step"].unique().tolist() for name, rows in table.groupby("name")}
    assert shown == {"L1.N5": [0, 30, 40], "L1.N6": [0, 10, 40]}
    alone = neuron_card(store, "L1.N5", concept="c02", texts=TEXTS, steps=[0, 30, 40])
    same = table[table["name"] == "L1.N5"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, alone)


def test_languages_and_no_lives_at_all(store, lives):
    two = cards(store, lives, texts=TEXTS, languages=store.languages[1:], per_language=1)
    assert set(two["lang"].values) == set(store.languages[1:])
    assert two.sizes["example"] == 2 * 3 * 2
    none = cards(store, neuron_lives(store, null="deranged"), texts=TEXTS)
    assert none.sizes["example"] == 0
    assert set(none) == set(two)


def test_what_is_refused(store, lives):
    with pytest.raises(ValueError, match="got 3 texts; expected 288"):
        cards(store, lives, texts=TEXTS[:3])
    with pytest.raises(FileNotFoundError, match=r"without concepts\.jsonl"):
        cards(store, lives)
    with pytest.raises(ValueError, match="got languages xyz; valid are qaa_Latn"):
        cards(store, lives, texts=TEXTS, languages=["xyz"])
    for name in ("L1.N20", "L2.N0", "N5", "L1N5", "L-1.N3", ""):
        with pytest.raises(ValueError, match=f"got neuron '{name}'"):
            neuron_card(store, name, concept="c00", texts=TEXTS)
    with pytest.raises(ValueError, match="got concept 'c9'"):
        neuron_card(store, "L1.N5", concept="c9", texts=TEXTS)
    with pytest.raises(ValueError, match="one training run"):
        cards([store], lives, texts=TEXTS)
