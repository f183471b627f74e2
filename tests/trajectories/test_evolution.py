"""Evolution: planted moves, silence of unrelated states, languages apart; Φ before and after."""

import h5py
import numpy as np
import pandas as pd
import pytest
from planted import Stage, rotation

from neurotrace.geometry.similarity import cka, cka_calibrated
from neurotrace.store import ActivationStore, CheckpointWriter, StoreMismatch
from neurotrace.trajectories.evolution import evolution, impact

STATES = "hook_resid_post/mean"
D = 12
STAGE = Stage(n_concepts=4, n_groups=40, widths=(D, D))
LANGS = STAGE.languages
N = len(STAGE.lang)


def noise(seed):
    return np.random.default_rng(seed).standard_normal((N, 2 * D))


def written(folder, by_step):
    return STAGE.write(folder, {step: {STATES: X} for step, X in by_step.items()})


def mixed(X, Y, share):
    return np.sqrt(share) * X + np.sqrt(1 - share) * Y


@pytest.fixture(scope="module")
def states():
    """Steps 0, 10, 20, 30: layer 0 is only turned, layer 1 moves in qab alone and then in all."""
    first = noise(0)
    turned = first.copy()
    turned[:, :D] = 3 * first[:, :D] @ rotation(D, np.random.default_rng(5)) + 1
    moved = turned.copy()
    own = STAGE.lang == 1
    moved[own, D:] = mixed(first[own, D:], noise(1)[own, D:], 0.5)
    return {0: first, 10: turned, 20: moved, 30: noise(2)}


@pytest.fixture(scope="module")
def found(tmp_path_factory, states):
    return evolution(written(tmp_path_factory.mktemp("evolution"), states))


def test_it_is_one_minus_cka_of_the_same_sentences(found, states):
    own = STAGE.lang == 1
    before, after = states[10][own, D:], states[20][own, D:]
    at = found.sel(step=20, layer=1, lang=LANGS[1])
    assert float(at["value"]) == pytest.approx(1 - cka(before, after), abs=1e-6)
    known = cka_calibrated(before, after, permutations=0)
    assert float(at["biased"]) == pytest.approx(1 - known.value, abs=1e-6)
    assert float(at["chance"]) == pytest.approx(1 - known.chance, abs=1e-6)
    assert float(at["calibrated"]) == pytest.approx(1 - known.calibrated, abs=1e-6)
    to_last = 1 - cka(states[20][own, D:], states[30][own, D:])
    assert float(at["to_last"]) == pytest.approx(to_last, abs=1e-6)


def test_only_the_planted_move_of_the_planted_language_counts(found):
    value = found["value"]
    assert np.isnan(value.sel(step=0)).all()
    assert np.abs(value.sel(step=10)).max() < 1e-10  # turned, scaled and shifted
    assert np.abs(value.sel(step=20, layer=0)).max() < 1e-10
    # Half the variance is common to before and after, so half of each squared correlation.
    assert float(value.sel(step=20, layer=1, lang=LANGS[1])) == pytest.approx(0.5, abs=0.1)
    assert np.abs(value.sel(step=20, layer=1, lang=[LANGS[0], LANGS[2]])).max() < 1e-10


def test_unrelated_states_score_their_chance_within_error(found):
    last = found.sel(step=30)
    assert float(last["value"].mean()) == pytest.approx(found.attrs["value_chance"], abs=0.02)
    assert float(last["calibrated"].mean()) == pytest.approx(1, abs=0.02)
    assert np.abs(last["biased"] - last["chance"]).max() < 0.03
    assert float(last["chance"].mean()) < 0.95
    assert np.abs(found["to_last"].sel(step=30)).max() < 1e-10
    assert float(found["to_last"].sel(step=0).mean()) == pytest.approx(1, abs=0.02)


def test_languages_draw_together_over_translations_and_stay_apart_when_deranged(tmp_path):
    meaning = noise(3)[STAGE.group]
    shares = {step: share for step, share in ((0, 0.0), (1, 0.5), (2, 0.9))}
    by_step = {step: mixed(meaning, noise(9 + step), share) for step, share in shares.items()}
    store = written(tmp_path, by_step)
    found = evolution(store)
    table = found["apart"].values
    np.testing.assert_allclose(table, np.swapaxes(table, -1, -2))
    assert np.isnan(table[:, :, range(3), range(3)]).all()
    mean = found["apart"].mean(("layer", "lang_a", "lang_b")).values
    expected = [1 - share**2 for share in shares.values()]
    assert mean == pytest.approx(expected, abs=0.05)
    assert np.abs(found["apart_chance"] - 1).max() < 0.05
    rows = [np.flatnonzero(STAGE.lang == lang) for lang in (0, 2)]
    own = 1 - cka(*(by_step[2][every, D:] for every in rows))
    assert float(found["apart"].sel(step=2, layer=1, lang_a=LANGS[0], lang_b=LANGS[2])) == (
        pytest.approx(own, abs=1e-6)
    )


def test_one_checkpoint_leaves_what_is_apart_alone(tmp_path, states):
    found = evolution(written(tmp_path, {5: states[0]}))
    assert set(found.data_vars) == {"apart", "apart_chance", "chance"}
    assert float(found["chance"]) == 1.0


def test_sentences_are_drawn_alike_for_all_languages_and_by_seed(tmp_path):
    meaning = {step: noise(3 + step)[STAGE.group] for step in (0, 1)}
    store = written(tmp_path, meaning)
    few = evolution(store, sentences=30)
    assert few.attrs["sentences"] == 30
    assert np.nanmax(np.abs(few["apart"])) < 1e-10  # only of the same sentences
    assert not evolution(store, sentences=30, seed=1)["value"].equals(few["value"])
    assert evolution(store, sentences=30).equals(few)
    with pytest.raises(ValueError, match="got sentences=3; expected at least 4"):
        evolution(store, sentences=3)


def told(folder, steps, counts, names=None):
    """Noise by language and group; without names of groups, languages say different things."""
    langs = np.repeat(LANGS, counts)
    groups = np.arange(len(langs)) if names is None else names
    names = [f"g{at}" for at in groups]
    folder.mkdir(exist_ok=True)
    examples = pd.DataFrame({"group": names, "lang": langs, "n_tokens": 1, "text_hash": ""})
    for step in steps:
        X = np.random.default_rng(step).standard_normal((len(langs), D)).astype("float32")[groups]
        with CheckpointWriter.open(
            folder / f"{step:04d}_step{step}.h5", header={"model": "planted", "step": step},
            examples=examples, labels=np.zeros((len(langs), 1), np.int8), concepts=["c"],
            arrays={(STATES, 0): (D, "float32")},
        ) as writer:  # fmt: skip
            writer.write(0, {(STATES, 0): X})
            writer.finish()
    return ActivationStore.open(folder)


def test_languages_without_translations_move_but_are_not_compared(tmp_path):
    found = evolution(told(tmp_path, (0, 1), (30, 40, 50)))
    assert "apart" not in found
    assert float(found["value"].sel(step=1).mean()) == pytest.approx(1, abs=0.1)


def test_translations_are_found_by_group_wherever_they_stand(tmp_path):
    orders = [np.random.default_rng(lang).permutation(60) for lang in range(3)]
    store = told(tmp_path, (0,), (60, 60, 60), np.concatenate(orders))
    assert np.nanmax(np.abs(evolution(store, sentences=40)["apart"])) < 1e-10


def test_too_little_to_compare_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one checkpoint and no translations"):
        evolution(told(tmp_path / "a", (0,), (30, 40, 50)))
    with pytest.raises(ValueError, match=f"got fewer than 4 sentences in {LANGS[2]}"):
        evolution(told(tmp_path / "b", (0, 1), (30, 40, 3)))


@pytest.fixture(scope="module")
def models(tmp_path_factory, states):
    """A model before tuning, and tuned in qaa (which moves qab) and in qac (which moves none)."""
    base = written(tmp_path_factory.mktemp("base"), {100: states[0]})
    tuned = {
        LANGS[0]: written(tmp_path_factory.mktemp("qaa"), {0: states[0], 7: states[20]}),
        LANGS[2]: written(tmp_path_factory.mktemp("qac"), {0: states[0], 7: states[10]}),
    }
    return base, tuned


def test_impact_tells_source_from_target(models, states):
    found = impact(*models)
    assert found["value"].dims == ("layer", "lang_a", "lang_b")
    assert found["lang_a"].values.tolist() == [LANGS[0], LANGS[2]]
    assert found["lang_b"].values.tolist() == LANGS
    moved = found.sel(layer=1, lang_a=LANGS[0], lang_b=LANGS[1])
    own = STAGE.lang == 1
    known = cka_calibrated(states[0][own, D:], states[20][own, D:], permutations=0)
    assert float(moved["value"]) == pytest.approx(1 - known.debiased, abs=1e-6)
    assert float(moved["biased"]) == pytest.approx(1 - known.value, abs=1e-6)
    assert float(moved["chance"]) == pytest.approx(1 - known.chance, abs=1e-6)
    assert float(moved["calibrated"]) == pytest.approx(1 - known.calibrated, abs=1e-6)
    assert np.abs(found["value"]).sum() == pytest.approx(float(moved["value"]), abs=1e-6)
    assert impact(*models, layers=[1])["layer"].values.tolist() == [1]


def test_impact_refuses_models_that_cannot_be_compared(models, tmp_path):
    base, tuned = models
    with pytest.raises(ValueError, match="got no tuned models"):
        impact(base, {})
    with pytest.raises(ValueError, match="got sources eng_Latn; valid are qaa_Latn, qab_Latn"):
        impact(base, {"eng_Latn": tuned[LANGS[0]]})
    with pytest.raises(StoreMismatch, match="tuned in qaa_Latn have the same weights"):
        impact(base, {LANGS[0]: base})
    other = Stage(n_concepts=4, n_groups=41, widths=(D, D))
    X = np.zeros((len(other.lang), 2 * D))
    elsewhere = other.write(tmp_path / "other", {0: {STATES: X}, 1: {STATES: X}})
    with pytest.raises(StoreMismatch, match="another order of sentences"):
        impact(base, {LANGS[0]: elsewhere})
    wider = Stage(n_concepts=4, n_groups=40, widths=(D, D + 1))
    grown = wider.write(tmp_path / "wider", {1: {STATES: np.zeros((N, 2 * D + 1))}})
    with pytest.raises(StoreMismatch, match="another width"):
        impact(base, {LANGS[0]: grown})
    retold = written(tmp_path / "retold", {0: noise(0), 1: noise(1)})
    for file in retold.path.iterdir():
        with h5py.File(file, "a") as h5:
            h5.attrs["tokenizer_hash"] = "another"
    with pytest.raises(StoreMismatch, match="qaa_Latn were captured with another tokenizer_hash;"):
        impact(base, {LANGS[0]: ActivationStore.open(retold.path)})
    with pytest.raises(KeyError, match="got path 'embed/mean'"):
        impact(base, tuned, path="embed/mean")
