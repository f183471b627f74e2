"""ILO and its companions over steps: planted alignment rises, chance stays, deranged never."""

import numpy as np
import pandas as pd
import pytest
from planted import Stage

from neurotrace import axes
from neurotrace.geometry.ilo import ilo as local_overlap
from neurotrace.trajectories.ilo import companions, ilo

PATH = "hook_resid_post/mean"
STAGE = Stage(n_concepts=4, n_groups=30, n_langs=4, widths=(32, 32))
STEPS = {0: 0.0, 10: 0.5, 20: 1.0}


def states(sharing, seed, *, deranged=False):
    """Sentences of one meaning, of which a share is said in common directions."""
    rng = np.random.default_rng(seed)
    n = STAGE.n_concepts * STAGE.n_groups
    group = STAGE.group
    if deranged:
        group = np.concatenate([rng.permutation(n) for _ in STAGE.languages])
    common = rng.normal(size=(n, STAGE.n_neurons))[group]
    own = rng.normal(size=(len(group), STAGE.n_neurons))
    return np.sqrt(sharing) * common + np.sqrt(1.001 - sharing) * own


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = {step: {PATH: states(sharing, step)} for step, sharing in STEPS.items()}
    return STAGE.write(tmp_path_factory.mktemp("aligned"), made)


@pytest.fixture(scope="module")
def deranged(tmp_path_factory):
    made = {step: {PATH: states(share, step, deranged=True)} for step, share in STEPS.items()}
    return STAGE.write(tmp_path_factory.mktemp("deranged"), made)


def test_noise_is_at_chance_and_its_mixing_is_that_of_alignment(store):
    found = ilo(store, permutations=40)
    axes.check(found, "step", "layer", "lang")
    noise = found.sel(step=0)
    assert float(noise["value"].min()) > 0.2  # far from nothing, and still only noise
    assert abs(float(noise["corrected"].mean())) < 0.08
    assert abs(float(noise["centered_corrected"].mean())) < 0.08
    assert (found["chance_low"] <= found["chance_high"]).all()
    np.testing.assert_allclose(found["corrected"], found["value"] - found["chance"])
    spread, expected = found["spread"].sel(step=0), found["spread_chance"].sel(step=0)
    assert float(spread.mean()) < 3 * float(expected.mean())


def test_planted_alignment_rises_over_steps_and_its_core_with_it(store):
    found = ilo(store, permutations=10).mean(["layer", "lang"])
    assert float(found["value"].sel(step=20)) == 1.0
    assert float(found["corrected"].sel(step=20)) > 0.2
    core = found["shared_core"].to_numpy()
    assert core[0] < 0.02
    assert core[-1] > 0.98
    assert float(found["shared_core_chance"].max()) < 0.02


def test_deranged_translations_have_no_core_and_no_companion(deranged):
    found = ilo(deranged, permutations=10)
    assert float(found["shared_core"].max()) < 0.03
    pairs = companions(deranged, k=5)
    last = pairs.sel(step=20)
    assert float(last["value"].mean()) < 0.03
    assert float(last["mutual"].mean()) == pytest.approx(float(pairs["mutual_chance"]), abs=0.02)
    assert float(last["retrieval_raw"].mean()) < 0.04


def test_companions_see_the_alignment_and_noise_scores_their_chance(store):
    found = companions(store, k=5)
    axes.check(found, "step", "layer", "lang_a", "lang_b")
    n = STAGE.n_concepts * STAGE.n_groups
    assert float(found["chance"]) == 1 / (2 * n - 1)
    assert float(found["mutual_chance"]) == 5 / (n - 1)
    assert float(found["retrieval_chance"]) == 1 / n
    assert float(found["value"].sel(step=0).mean()) < 0.03
    for name, least in (("value", 0.99), ("mutual", 0.7), ("retrieval_raw", 0.99)):
        assert float(found[name].sel(step=20).mean()) > least
        swapped = found[name].transpose("step", "layer", "lang_b", "lang_a").values
        np.testing.assert_array_equal(found[name].values, swapped)
        assert np.isnan(found[name].values[..., range(4), range(4)]).all()
    assert float(found["deranged"].max()) < 0.03


def test_a_step_and_layer_is_what_the_pure_function_gives(store):
    found = ilo(store, permutations=3, seed=5).sel(step=10, layer=1)
    X = store.read(10, 1, PATH).values
    table = local_overlap(X, store.examples["lang"], seed=5)
    np.testing.assert_allclose(found["value"], table["ilo"])
    centred = local_overlap(X, store.examples["lang"], center=True, seed=5)
    np.testing.assert_allclose(found["centered"], centred["ilo"])


def test_sentences_are_drawn_by_the_seed_the_same_groups_for_all(store):
    found = companions(store, sentences=40, k=5, seed=1)
    assert found.attrs["sentences"] == 40
    assert float(found["chance"]) == 1 / 79
    assert float(found["value"].sel(step=20).mean()) > 0.99
    again, other = companions(store, sentences=40, k=5, seed=1), ilo(store, sentences=40, seed=2)
    assert found.identical(again)
    assert not np.array_equal(other["value"], ilo(store, sentences=40, seed=1)["value"])


def test_strata_are_means_of_corrected_scores(store):
    kinds = dict(zip(store.languages, ["near", "far", "near", "far"], strict=True))
    found = ilo(store, permutations=5, strata=kinds)
    assert found["stratum"].values.tolist() == ["near", "far"]
    near = found["corrected"].sel(lang=[store.languages[0], store.languages[2]]).mean("lang")
    np.testing.assert_allclose(found["by_stratum"].sel(stratum="near"), near)
    assert ilo(store, permutations=2)["stratum"].values.tolist() == ["Latn"]
    with pytest.raises(ValueError, match="no stratum for"):
        ilo(store, permutations=2, strata={})


def test_two_languages_ask_for_one_other_and_one_is_refused(tmp_path):
    two = Stage(n_concepts=2, n_groups=20, n_langs=2, widths=(8,))
    rng = np.random.default_rng(0)
    made = two.write(tmp_path / "two", {0: {PATH: rng.normal(size=(80, 8))}})
    found = ilo(made, permutations=3)
    assert found.attrs["t"] == 1
    one = Stage(n_concepts=2, n_groups=20, n_langs=1, widths=(8,))
    alone = one.write(tmp_path / "one", {0: {PATH: rng.normal(size=(40, 8))}})
    for lift in (ilo, companions):
        with pytest.raises(ValueError, match="one language|1 language"):
            lift(alone)
    with pytest.raises(ValueError, match="permutations=0"):
        ilo(made, permutations=0)


def test_few_sentences_have_as_many_neighbours_as_there_are(tmp_path):
    few = Stage(n_concepts=2, n_groups=3, n_langs=3, widths=(8,))
    rng = np.random.default_rng(0)
    found = companions(few.write(tmp_path / "few", {0: {PATH: rng.normal(size=(18, 8))}}))
    assert found.attrs["k"] == 5
    assert float(found["mutual_chance"]) == 1


def test_attributes_say_what_was_done(store):
    found = ilo(store, permutations=2)
    assert found.attrs == {
        "path": PATH, "k": 5, "t": 3, "metric": "cosine", "permutations": 2, "sentences": 120,
    }  # fmt: skip
    assert isinstance(found.indexes["lang"], pd.Index)
