"""Claims about forced generation, on a model whose neurons are known to write words."""

import numpy as np
import pytest
import torch
import xarray as xr
from causal import rigged
from scipy import stats

from neurotrace.causal.clamp import clamp
from neurotrace.causal.forcing import ARMS, force, sampling_seeds, summarize_forcing
from neurotrace.causal.generate import generate
from neurotrace.causal.judges import WordLists
from neurotrace.causal.outcomes import Outcomes, Tally, weights
from neurotrace.causal.speech import Plan, speak

HELD = 3.0
SETTINGS = {"language": "qaa_Latn", "seeds": 12, "max_new_tokens": 20, "replicates": 200}


@pytest.fixture(scope="module")
def model():
    return rigged.model()


@pytest.fixture(scope="module")
def given():
    experts = {concept: [neuron] for concept, neuron in rigged.NEURONS.items()}
    values = {concept: np.full(sum(rigged.WIDTHS), 0.1) for concept in experts}
    directions = {concept: np.full(sum(rigged.WIDTHS), 1e-3) for concept in experts}
    for concept, neuron in rigged.NEURONS.items():
        values[concept][neuron] = HELD
        directions[concept][neuron] = HELD
    return experts, values, directions


@pytest.fixture(scope="module")
def judges():
    topics = WordLists(rigged.CONCEPTS, rigged.LANGS, rigged.WORDS)
    return {"topics": topics, "identify": rigged.identify}


@pytest.fixture(scope="module")
def forced(model, given, judges):
    experts, values, directions = given
    return force(model, experts, values, directions=directions, arms=ARMS, **judges, **SETTINGS)


def test_the_planted_neuron_brings_its_words_and_random_ones_do_not(forced):
    topic = forced["topic"]
    assert abs(float(topic.sel(arm="unforced")) - 1 / 3) < 0.1
    assert float(topic.sel(arm="experts")) > 0.6
    assert float(forced["topic_log_odds_low"].sel(arm="experts")) > 0.2
    assert float(forced["topic_over_random_low"].sel(arm="experts")) > 0.2
    assert abs(float(topic.sel(arm="random_matched")) - 1 / 3) < 0.12
    assert float(topic.sel(arm="direction")) > 0.6
    assert float(forced["ceiling"]) == float(topic.sel(arm="direction"))
    assert float(forced["chance"]) == float(topic.sel(arm="unforced"))


def test_words_come_in_both_languages_and_wrong_topics_fall(forced):
    experts = forced.sel(arm="experts")
    assert float(experts["topic_other"]) > 0.6
    assert float(experts["topic_own"]) > 0.6
    assert float(experts["topic_wrong"]) < float(forced["topic_wrong"].sel(arm="unforced")) - 0.1
    # A text is in either language whatever is forced: the neurons know none.
    np.testing.assert_allclose(forced["language"].sum("lang"), 1)
    assert float(experts["source_log_odds_low"]) < 0 < float(experts["source_log_odds_high"])


def test_a_neuron_held_very_high_loops_and_languages_are_not_reported(model, given, judges):
    experts, values, _ = given
    one = {("c0", rigged.LANGS[0]): ["c0a0"]}
    loop = {"c0": np.where(np.arange(32) == experts["c0"][0], 1e4, values["c0"])}
    topics = WordLists(("c0",), rigged.LANGS, one)
    weight = model.model.get_output_embeddings().weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight[model.tokenizer.convert_tokens_to_ids("c0a0")] *= 40
    found = force(model, {"c0": experts["c0"]}, loop, topics=topics, identify=judges["identify"],
                  arms=("unforced", "experts"), **SETTINGS)  # fmt: skip
    with torch.no_grad():
        weight.copy_(kept)
    experts_arm = found.sel(arm="experts")
    assert float(experts_arm["topic"]) == 1
    assert float(experts_arm["degenerate"]) == 1
    assert float(experts_arm["distinct"]) == pytest.approx(1 / 19)
    assert bool(experts_arm["language"].isnull().all())
    assert np.isnan(float(experts_arm["source_log_odds"]))


def test_the_unforced_arm_is_the_model_left_alone_seed_by_seed(model, given):
    experts, values, directions = given
    plan = Plan.of("c0", rigged.WIDTHS, experts, values, directions, seed=0)
    said = speak(model, plan, ARMS, range(6), max_new_tokens=20, temperature=1.0, rows_at_once=99)
    alone = generate(model, seeds=range(6), max_new_tokens=20)
    assert said.texts[0].tolist() == list(alone.texts)
    assert said.texts[1].tolist() != list(alone.texts)


def test_a_run_s_texts_come_again_from_their_seeds(model, given, judges):
    experts, values, _ = given
    settings = {**SETTINGS, "arms": ("unforced", "experts"), "seed": 3}
    held = clamp(model, experts["c1"], values["c1"][experts["c1"]])
    seeds = sampling_seeds("c1", n=2, seed=3)
    run = force(model, experts, values, concepts=("c2", "c1"), **judges, **settings)
    for arm, during in (("unforced", None), ("experts", held)):
        own = (run["text_arm"] == arm) & (run["text_concept"] == "c1")
        again = generate(model, seeds=seeds, max_new_tokens=20, during=during)
        assert tuple(run["text_text"].values[own.values]) == again.texts


def test_sampling_seeds_follow_from_name_and_seed_alone():
    seeds = sampling_seeds("c1", n=50)
    assert seeds[:10] == sampling_seeds("c1", n=10)
    assert all(type(one) is int and 0 <= one < 2**31 for one in seeds)
    assert len({*seeds, *sampling_seeds("c2", n=50), *sampling_seeds("c1", n=50, seed=1)}) == 150


@pytest.mark.parametrize(
    "changed",
    [{"arms": ARMS[::-1]}, {"rows_at_once": 30}, {"concepts": ("c2", "c0", "c1")}],
    ids=["order of arms", "batches", "order of concepts"],
)
def test_results_do_not_depend_on_what_does_not_matter(forced, model, given, judges, changed):
    experts, values, directions = given
    again = force(model, experts, values, directions=directions, **judges, **SETTINGS,
                  **{"arms": ARMS, **changed})  # fmt: skip
    for name in ("topic", "topic_other", "topic_log_odds", "perplexity", "language"):
        np.testing.assert_allclose(again[name].sel(arm=list(ARMS)), forced[name], rtol=1e-6)


def test_controls_write_as_much_as_the_experts_do(model, given):
    experts, values, directions = given
    plan = Plan.of("c0", rigged.WIDTHS, experts, values, directions, seed=0)
    ids = torch.arange(4, 10)[None]
    states = {}

    def after(arm: str) -> torch.Tensor:
        def reader(x: torch.Tensor) -> None:
            states[arm] = x.clone()

        with (
            plan.on(model, arm, slice(None)),
            model.watch({("mlp.hook_post", 1): reader}) as forward,
        ):
            forward(ids, torch.ones_like(ids))
        return states[arm] @ model.w_out(1)

    rest = after("unforced")
    norms = {arm: (after(arm) - rest).norm(dim=-1) for arm in ARMS[1:]}
    for arm in ("random_matched", "direction"):
        torch.testing.assert_close(norms[arm], norms["experts"], rtol=1e-3, atol=0)
    assert float(norms["random"].max()) < float(norms["experts"].min()) / 2


def test_hooks_are_gone_after_an_error(model, given, judges):
    ids = torch.arange(4, 10)[None]
    before = model.logits(ids, torch.ones_like(ids))
    experts, values, _ = given
    with pytest.raises(ValueError, match="the model has 32 positions"):
        force(model, experts, values, arms=("unforced", "experts"), **judges,
              **{**SETTINGS, "max_new_tokens": 99})  # fmt: skip
    assert torch.equal(model.logits(ids, torch.ones_like(ids)), before)


def outcomes_of(words: list[list[float]], *, of: float) -> xr.Dataset:
    """One text an arm and concept, with so many words of the concept among so many."""
    own = np.array(words)[..., None]
    rest, content = np.zeros(own.shape), np.where(np.isnan(own), 0, of)[..., None]
    tally = Tally(np.nan_to_num(own)[..., None], content, rest, rest[..., None] == 0, rest == 1,
                  rest + 0.9, rest + 2 * np.log(3), rest + 2)  # fmt: skip
    drawn = weights(own.shape[1], 1, 10000, seed=0)
    return Outcomes(tally, ("unforced", "experts")[: len(own)], ("a",), "a", drawn, 0.05).dataset()


def test_log_odds_by_hand():
    result = outcomes_of([[2.0], [6.0]], of=8.0)
    assert result["topic"].values.tolist() == [0.25, 0.75]
    expected = np.log(6.5 / 2.5) - np.log(2.5 / 6.5)  # half a word on either side
    assert float(result["topic_log_odds"][1]) == pytest.approx(expected)
    assert bool(result["topic_over_random"].isnull().all())  # there was no such arm
    np.testing.assert_allclose(result["perplexity"], 3)


def test_intervals_reach_over_few_concepts_as_far_as_student_s_t():
    found = outcomes_of([[20.0, 40.0, 50.0, 70.0]], of=100.0).isel(arm=0)
    half = stats.t.ppf(0.975, 3) * np.std([0.2, 0.4, 0.5, 0.7], ddof=1) / 2
    np.testing.assert_allclose(found["topic_low"], 0.45 - half, atol=0.02)
    np.testing.assert_allclose(found["topic_high"], 0.45 + half, atol=0.02)
    assert float(outcomes_of([[0.0, 0.0, 60.0]], of=100.0)["topic_low"][0]) == 0
    assert float(outcomes_of([[10.0, 90.0]], of=100.0)["topic_high"][0]) == 0.5  # texts alone
    one_counts = outcomes_of([[30.0, np.nan, np.nan]], of=100.0).isel(arm=0)
    np.testing.assert_equal([float(one_counts[n]) for n in ("topic", "topic_low")], [0.3, np.nan])


def test_own_and_other_languages_are_kept_apart_and_hidden_beyond_a_fifth_of_loops():
    # Four texts: in language a 1 of 4 words is the concept's, in b 3 of 4; three are in a.
    shape = (1, 1, 4)
    words, content = np.tile([1.0, 3.0], (*shape, 1)), np.full((*shape, 2), 4.0)
    spoken = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], dtype=bool)[None, None]
    zeros = np.zeros(shape)
    for looping, hidden in (([0, 0, 0, 0], False), ([1, 0, 0, 0], True)):
        broken = np.array(looping, dtype=bool).reshape(shape)
        tally = Tally(words, content, zeros, spoken, broken, zeros + 0.9, zeros, zeros + 1)
        drawn = weights(1, 4, 10, seed=0)
        result = Outcomes(tally, ("unforced",), ("a", "b"), "a", drawn, 0.05).dataset()
        shares = [float(result[name][0]) for name in ("topic", "topic_own", "topic_other")]
        assert shares == [0.5, 0.25, 0.75]
        assert bool(result["language"].isnull().all()) == hidden
        assert hidden or result["language"].values.tolist() == [[0.75, 0.25]]
        assert bool(result["language_low"].isnull().all()) == hidden


def test_steps_are_put_together_with_texts_as_a_table(forced):
    result, texts = summarize_forcing({64: forced, 0: forced})
    assert result["topic"].dims == ("step", "arm")
    assert result["step"].values.tolist() == [0, 64]
    assert set(texts.data_vars) == {"step", "source", "arm", "concept", "text", "lang"}
    assert texts.sizes["example"] == 2 * 2 * len(ARMS) * 3
    both, _ = summarize_forcing({0: [forced, forced.assign_attrs(language="qab_Latn")]})
    assert both["lang_a"].values.tolist() == ["qaa_Latn", "qab_Latn"]


def test_texts_with_control_characters_can_be_kept(model, given, judges, monkeypatch, tmp_path):
    experts, values, _ = given
    monkeypatch.setattr(model.tokenizer, "decode", lambda *_, **__: "c0a1 \0 \n c0a2")
    blind = {**judges, "identify": lambda texts: ["qaa_Latn"] * len(texts)}
    found = force(model, experts, values, arms=("unforced",), **blind, **SETTINGS)
    found.to_netcdf(tmp_path / "forcing.h5", engine="h5netcdf")
    assert set(found["text_text"].values) == {"c0a1     c0a2"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"arms": ("experts", "none")}, "got arms experts, none; valid are unforced"),
        ({"arms": ("direction",)}, "it needs directions of every concept"),
        ({"concepts": ("c9",)}, "got concepts c9; valid are c0, c1, c2"),
        ({"language": "eng_Latn"}, "got language 'eng_Latn'; valid are qaa_Latn"),
    ],
)
def test_what_does_not_exist_is_refused(model, given, judges, changed, message):
    (experts, values, _), settings = given, {**judges, **SETTINGS, "arms": ("unforced",)}
    with pytest.raises(ValueError, match=message):
        force(model, experts, values, **{**settings, **changed})
    with pytest.raises(ValueError, match="got no experts of 'c0'"):
        force(model, {"c0": []}, values, **settings)
    with pytest.raises(ValueError, match=r"got values of 'c0' of shape \(3,\); expected \(32,\)"):
        force(model, experts, {**values, "c0": [0, 0, 0]}, **settings)
