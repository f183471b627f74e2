"""Claims about ablation, on losses that can be known by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from causal import rigged
from scipy import stats

from neurotrace.capture.tokens import tokenize
from neurotrace.causal.ablate import ARMS, ablate, sample, summarize_ablation
from neurotrace.causal.controls import alike
from neurotrace.causal.losses import Draws, over_units

A, B = rigged.LANGS
CONCEPTS = rigged.CONCEPTS
SETTINGS = {"languages": (A, B), "concepts": CONCEPTS, "replicates": 100}
SHARED, OWN = rigged.NEURONS["c0"], rigged.NEURONS["c1"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Five groups a concept; a sentence is six of its concept's words in its language."""
    rng = np.random.default_rng(0)
    rows = [
        (f"{concept}{number}", lang, " ".join(rng.permutation(rigged.WORDS[concept, lang])[:6]),
         (concept,))
        for concept in CONCEPTS for number in range(5) for lang in rigged.LANGS
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "lang", "text", "concepts"])


@pytest.fixture(scope="module")
def model():
    """As rigged, and always on: c0's neuron for everyone, c1's where the text is in language a."""
    made = rigged.model()
    base, ids = made.model.gpt_neox, made.tokenizer.convert_tokens_to_ids
    with torch.no_grad():
        layer, neuron = divmod(SHARED, rigged.WIDTHS[0])
        base.layers[layer].mlp.dense_h_to_4h.bias[neuron] = 2.0
        layer, neuron = divmod(OWN, rigged.WIDTHS[0])
        # Words of language a share a direction that this neuron reads, and words of c1 follow.
        base.embed_in.weight[:, 0] = -1.0
        for concept in CONCEPTS:
            base.embed_in.weight[ids(rigged.WORDS[concept, A]), 0] = 1.0
        base.layers[layer].mlp.dense_h_to_4h.weight[neuron] = 0.0
        base.layers[layer].mlp.dense_h_to_4h.weight[neuron, 0] = 1.0
    return made


@pytest.fixture(scope="module")
def found(model, frame):
    sentences = tokenize(model.tokenizer, frame)
    sets = {"shared": [SHARED], "language": {A: [OWN], B: []}}
    return ablate(model, sets, sentences, frame=frame, **SETTINGS)


def test_a_concept_s_neuron_is_missed_on_its_sentences_in_every_language(found):
    shared = found["by_concept"].sel(arm="shared")
    assert float(shared.sel(concept="c0")) > 0.05
    assert float(shared.drop_sel(concept="c0").max()) < 0
    assert float(found["by_concept_low"].sel(arm="shared", concept="c0")) > 0
    random = abs(found["by_concept"].sel(arm="random_shared", concept="c0"))
    assert float(random) < float(shared.sel(concept="c0")) / 2


def test_a_language_s_neuron_is_missed_in_that_language_alone(model, frame):
    only_c1 = frame[[named == ("c1",) for named in frame["concepts"]]].reset_index(drop=True)
    sets = {"shared": [], "language": {A: [OWN]}}
    found = ablate(model, sets, tokenize(model.tokenizer, only_c1), frame=only_c1, **SETTINGS)
    assert float(found["own_low"]) > 5 * abs(float(found["other"]))
    assert float(found["own"]) > 5 * abs(float(found["own_chance"]))
    assert float(found["of_language"].sel(lang_a=A, lang_b=A)) == float(found["own"])
    assert found["own_neurons"].values.tolist() == [1, 0]


def test_an_empty_set_is_no_number(model, frame):
    sentences = tokenize(model.tokenizer, frame)
    found = ablate(model, {"shared": [], "language": {}}, sentences, frame=frame, **SETTINGS)
    assert found["neurons"].values.tolist() == [0, 0, 0, 0]
    for name in ("value", "value_low", "by_language", "by_concept", "own", "other", "chance"):
        assert bool(found[name].isnull().all()), name


def test_all_arms_stand_beside_their_random_neurons(found):
    assert tuple(found["arm"].values) == ARMS
    assert found["neurons"].values.tolist() == [1, 1, 1, 1]
    value = found["value"]
    difference = float(value.sel(arm="language") - value.sel(arm="random_language"))
    assert float(found["over_random"].sel(arm="language")) == pytest.approx(difference)
    assert float(found["over_random"].sel(arm="random_shared")) == 0
    assert float(found["chance"]) == float(value.sel(arm="random_shared"))
    np.testing.assert_allclose(found["by_language"].mean("lang"), value)


def test_which_random_neurons_are_drawn_lies_within_the_interval(model, frame):
    sentences, sets = tokenize(model.tokenizer, frame), {"shared": [SHARED], "language": {A: [OWN]}}

    def run(seed: int, random_sets: int) -> xr.Dataset:
        return ablate(model, sets, sentences, frame=frame, random_sets=random_sets, seed=seed,
                      **SETTINGS)  # fmt: skip

    many, few = run(99, 60), [run(seed, 5) for seed in range(6)]
    for name, arms in (("value", ARMS[2:]), ("over_random", ARMS[:2])):
        aim = many[name].sel(arm=list(arms))
        inside = [(one[f"{name}_low"] <= aim) & (aim <= one[f"{name}_high"]) for one in few]
        assert np.mean([one.values.mean() for one in inside]) > 0.9, name
    chance = float(many["own_chance"])
    assert all(one["own_chance_low"] <= chance <= one["own_chance_high"] for one in few)
    spread = {float(one["value"].sel(arm="random_shared")) for one in few}
    assert len(spread) > 3


def test_each_language_s_random_neurons_are_its_own_on_its_own_text(model, frame):
    # All but one of a layer are chosen, so that every draw is the one that is left.
    sentences, (first, second) = tokenize(model.tokenizer, frame), rigged.WIDTHS
    own = {A: np.delete(np.arange(first), 5), B: first + np.delete(np.arange(second), 3)}

    def run(language: dict) -> xr.Dataset:
        sets = {"shared": [], "language": language}
        return ablate(model, sets, sentences, frame=frame, random_sets=3, **SETTINGS)

    each = [run({lang: own[lang]})["by_language"].sel(arm="random_language", lang=lang)
            for lang in (A, B)]  # fmt: skip
    assert abs(float(each[0] - each[1])) > 1e-4
    assert float(run(own)["own_chance"]) == pytest.approx(float(sum(each)) / 2)


def test_a_mean_of_a_few_draws_is_as_wide_as_student_s_t_says():
    # Nothing varies within a draw: all that is left is which were drawn.
    each = np.array([1.0, 2.0, 4.0, 8.0, np.nan])
    draws = over_units(np.tile(each, (20001, 1)), key=[0])
    assert draws[0] == 3.75
    half = stats.t.ppf(0.975, 3) * np.std(each[:4], ddof=1) / 2
    np.testing.assert_allclose(
        np.quantile(draws[1:], [0.025, 0.975]) - 3.75, [-half, half], rtol=0.04
    )
    alone = over_units(np.tile([np.nan, 2.0], (9, 1)), key=[0])
    assert alone[0] == 2
    assert np.isnan(alone[1:]).all()


@pytest.mark.parametrize("n", [3, 5])
def test_means_of_a_few_draws_lie_within_their_intervals_as_often_as_said(n):
    rng = np.random.default_rng(0)
    inside = []
    for key in range(400):
        draws = over_units(np.tile(rng.standard_normal(n), (400, 1)), key=[key])
        low, high = np.quantile(draws[1:], [0.025, 0.975])
        inside.append(low <= 0 <= high)
    assert 0.92 < np.mean(inside) < 0.98


def test_order_of_sentences_does_not_matter(found, model, frame):
    turned = frame[::-1].reset_index(drop=True)
    sets = {"shared": [SHARED], "language": {A: [OWN], B: []}}
    again = ablate(model, sets, tokenize(model.tokenizer, turned), frame=turned, **SETTINGS)
    for name in ("value", "by_concept", "by_language", "of_language"):
        np.testing.assert_allclose(again[name], found[name], atol=1e-6)


def test_the_loss_of_a_zeroed_neuron_is_that_of_a_model_without_it(model, frame, found):
    layer, neuron = divmod(SHARED, rigged.WIDTHS[0])
    down = model.model.gpt_neox.layers[layer].mlp.dense_4h_to_h.weight
    kept = down.detach().clone()
    lost = []
    for column in (kept[:, neuron], torch.zeros(rigged.HIDDEN)):
        with torch.no_grad():
            down[:, neuron] = column
        ids = torch.tensor(model.tokenizer(frame["text"].tolist())["input_ids"])
        logits = model.logits(ids, torch.ones_like(ids))[:, :-1].log_softmax(-1)
        lost.append(-logits.gather(2, ids[:, 1:, None]).mean(dim=(1, 2)).double().numpy())
    with torch.no_grad():
        down.copy_(kept)
    expected = (lost[1] - lost[0]).mean()  # sentences of equal length, languages of equal size
    assert float(found["value"].sel(arm="shared")) == pytest.approx(expected, abs=1e-5)


def test_means_weigh_tokens_within_a_language_and_languages_alike():
    frame = pd.DataFrame({"group": ["g", "h", "g"], "lang": [A, A, B],
                          "concepts": [("c0",), (), ("c0",)]})  # fmt: skip
    draws = Draws.of(frame, (A, B), ("c0", "c1"), np.array([1.0, 3.0, 5.0]), replicates=0, seed=0)
    deltas = np.array([[4.0, 8.0, 1.0], [np.nan, 0.0, 2.0]])
    by_language = draws.by_language(deltas)[0]
    np.testing.assert_allclose(by_language, [[7.0, 1.0], [np.nan, 2.0]])
    np.testing.assert_allclose(draws.by_concept(deltas)[0], [[2.5, np.nan], [2.0, np.nan]])


def test_random_neurons_keep_to_the_layers_and_out_of_the_set():
    chosen = [0, 1, 9, 16, 17, 18, 19, 20, 21, 22]  # layers of 8: two, one, seven of eight
    drawn = alike(chosen, (8, 8, 8), key=[0, 1])
    assert not set(drawn) & set(chosen)
    assert np.bincount(drawn // 8, minlength=3).tolist() == [2, 1, 1]
    assert drawn.tolist() == alike(chosen[::-1], (8, 8, 8), key=[0, 1]).tolist()
    assert set(alike(range(8), (8,), key=[0])) == set(range(8))


def test_sampled_sentences_are_whole_groups_of_the_half(frame):
    in_b = frame["group"].str[-1].astype(int).to_numpy() >= 2
    rows = sample(frame, in_b=in_b, per_cell=2)
    chosen = frame.iloc[rows]
    assert in_b[rows].all()
    assert (chosen.groupby("group")["lang"].nunique() == 2).all()
    assert chosen["concepts"].explode().value_counts().to_dict() == dict.fromkeys(CONCEPTS, 4)
    assert rows.tolist() == sample(frame, in_b=in_b, per_cell=2).tolist()
    assert rows.tolist() != sample(frame, in_b=in_b, per_cell=2, seed=1).tolist()
    with pytest.raises(ValueError, match="got no sentence with a concept in that half"):
        sample(frame, in_b=np.zeros(len(frame), bool))


def test_steps_are_put_together(found):
    result = summarize_ablation({8: found, 0: found})
    assert result["value"].dims == ("step", "arm")
    assert result["step"].values.tolist() == [0, 8]
    with pytest.raises(ValueError, match="got no checkpoint"):
        summarize_ablation({})


def test_what_does_not_fit_is_refused(model, frame):
    sentences = tokenize(model.tokenizer, frame)
    with pytest.raises(ValueError, match="got sets shared; expected shared: neurons and"):
        ablate(model, {"shared": []}, sentences, frame=frame, **SETTINGS)
    with pytest.raises(ValueError, match="got neurons of eng_Latn; valid are qaa_Latn"):
        ablate(model, {"shared": [], "language": {"eng_Latn": []}}, sentences, frame=frame,
               **SETTINGS)  # fmt: skip
    with pytest.raises(ValueError, match="got random_sets 1; expected 2 or more"):
        ablate(model, {"shared": [], "language": {}}, sentences, frame=frame, random_sets=1,
               **SETTINGS)  # fmt: skip
    with pytest.raises(ValueError, match="got 3 rows for 30 sentences"):
        ablate(model, {"shared": [], "language": {}}, sentences, frame=frame[:3], **SETTINGS)
