"""Lives of neurons: planted ones are found with their first step, silent labels have none."""

import numpy as np
import pytest
import xarray as xr
from planted import PATH, Stage

from neurotrace.probes import average_precision, average_precision_p_value
from neurotrace.store import ActivationStore
from neurotrace.trajectories.expert_sets import ExpertSets, expert_sets
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lives import neuron_lives
from neurotrace.trajectories.lives_counts import lives_counts, most_shared
from neurotrace.trajectories.results import Results, read

STAGE = Stage(n_concepts=4, n_groups=24, n_langs=3, widths=(40, 40))
SHARED, PAIR, OWN = range(36, 44), range(60, 64), range(70, 76)
STEPS = (0, 10, 100, 1000)
FIRST = 100  # from which on SHARED answers in all languages


def concept_of(neurons: range) -> np.ndarray:
    return np.array(neurons) % STAGE.n_concepts


def planted(step: int, rng: np.random.Generator) -> np.ndarray:
    """SHARED in one language from step 10 and in all from 100; PAIR in two and OWN in one."""
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    where = {range(0): [], SHARED: [0] * (step >= 10) + [1, 2] * (step >= FIRST)}
    where |= {PAIR: [0, 2] * (step >= 1000), OWN: [1] * (step >= 10)}
    for neurons, langs in where.items():
        there = np.isin(STAGE.lang, langs)[:, None]
        X[:, neurons] += 6 * (there & (STAGE.concept[:, None] == concept_of(neurons)))
    return X


@pytest.fixture(scope="module")
def responses() -> dict[int, np.ndarray]:
    rng = np.random.default_rng(0)
    return {step: planted(step, rng) for step in STEPS}


@pytest.fixture(scope="module")
def store(responses, tmp_path_factory) -> ActivationStore:
    return STAGE.write(tmp_path_factory.mktemp("lives"), responses)


@pytest.fixture(scope="module")
def sets(store) -> ExpertSets:
    return expert_sets(store)


@pytest.fixture(scope="module")
def found(store, sets) -> xr.Dataset:
    return neuron_lives(store, sets=sets)


def flat(found: xr.Dataset) -> list[int]:
    """Indices of the neurons in a row over both layers."""
    names = [name[1:].split(".N") for name in found["name"].values.tolist()]
    return [40 * int(layer) + int(neuron) for layer, neuron in names]


def test_planted_neurons_are_found_with_their_concept_and_first_step(found):
    assert set(flat(found)) == {*SHARED, *PAIR}
    assert set(flat(found)[:8]) == set(SHARED)  # those of more languages come first
    concepts = [f"c{neuron % 4:02d}" for neuron in flat(found)]
    assert found["of_concept"].values.tolist() == concepts
    assert found["since"].values.tolist() == [FIRST] * 8 + [1000] * 4
    assert found["called"].values.sum(1).tolist() == [3] * 8 + [2] * 4
    assert found.attrs["least_languages"] == 2
    assert found.attrs["candidates"] == 12


def test_curves_follow_the_languages_they_were_planted_in(found):
    shared = found.isel(neuron=slice(8))
    assert (shared["value"].sel(step=[100, 1000]) > 0.95).all()
    assert (shared["value"].sel(step=10).isel(lang=0) > 0.95).all()
    assert (shared["value"].sel(step=10).isel(lang=[1, 2]) < 0.6).all()
    assert (shared["serves"].sel(step=10) >= 1).all()
    assert (shared["serves"].sel(step=1000) == 3).all()


def test_curves_are_read_on_the_half_that_did_not_choose(store, found):
    in_b = ~Halved.of(store, PATH, n_splits=1, seed=0).in_a[0]
    layer, neuron = found["name"].values[0][1:].split(".N")
    concept = store.concepts.index(str(found["of_concept"].values[0]))
    for at, step in enumerate(STEPS):
        X = store.read(step, int(layer), PATH).values[:, int(neuron)]
        for lang in range(3):
            rows = in_b & (STAGE.lang == lang)
            expected = average_precision(X[rows, None], store.labels[rows])[concept, 0]
            assert found["value"].values[at, 0, lang] == pytest.approx(expected, abs=1e-6)


def test_the_null_line_is_exceeded_by_one_ranking_in_a_thousand(found):
    high = found["null_high"].values[0, 0]
    p = average_precision_p_value(np.array([high - 0.01, high + 0.01]), 12, 48)
    assert p[0] > 0.001 >= p[1]
    assert (found["chance"] < found["null_high"]).all()


def test_coincidence_tells_planted_sharing_from_what_independent_sets_have(found, tmp_path):
    assert (found["coincidence"][:8] < 0.3).all()
    rng = np.random.default_rng(3)
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    for lang in range(3):  # every language gives each neuron a concept of its own, at random
        concept = rng.integers(4, size=STAGE.n_neurons)
        X += 6 * ((STAGE.lang == lang)[:, None] & (STAGE.concept[:, None] == concept))
    alone = neuron_lives(STAGE.write(tmp_path, {0: X}), most=80)
    assert alone.sizes["neuron"] > 20
    assert (alone["coincidence"][alone["called"].sum("lang") == 2] > 0.8).all()


def test_deranged_labels_have_no_life(store, sets):
    silent = neuron_lives(store, null="deranged", sets=sets)
    assert silent.sizes["neuron"] == 0
    assert silent["value"].shape == (4, 0, 3)
    assert silent.attrs["null"] == "deranged"


def test_no_life_at_all_can_be_kept(store, sets, tmp_path):
    results = Results(tmp_path)
    results.get("lives", lambda: neuron_lives(store, null="deranged", sets=sets))
    results.finish()
    assert read(tmp_path)["lives"].sizes["neuron"] == 0


def test_the_twin_sets_a_bar_that_untrained_neurons_share(store, sets, tmp_path, responses):
    silent = STAGE.write(tmp_path / "silent", {0: responses[0]})
    above = neuron_lives(store, twin=silent, sets=sets)
    assert set(flat(above)) == {*SHARED, *PAIR}
    in_b = ~Halved.of(store, PATH, n_splits=1, seed=0).in_a[0] & (STAGE.lang == 1)
    labels = store.labels[in_b]
    for life in (0, 11):
        layer, concept = int(above["name"].values[life][1]), above["of_concept"].values[life]
        X = silent.read(0, layer, PATH).values[in_b]
        everyone = average_precision(X, labels)[store.concepts.index(concept)]
        bar = above["learned"].values[life, 1]
        assert bar == pytest.approx(np.percentile(everyone, 99), abs=1e-6)
    assert above["since"].values[0] == FIRST
    same = STAGE.write(tmp_path / "same", {0: responses[1000]})
    assert neuron_lives(store, twin=same, sets=sets).sizes["neuron"] < 12


def test_a_language_in_which_the_twin_is_as_good_does_not_count(store, sets, tmp_path):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    for first in (0, 40):  # in either layer, two untrained neurons a concept know language 0
        known = STAGE.concept[:, None] == np.arange(8) // 2
        X[:, first : first + 8] += 9 * (known & (STAGE.lang == 0)[:, None])
    above = neuron_lives(store, twin=STAGE.write(tmp_path, {0: X}), sets=sets)
    assert set(flat(above)) == set(SHARED)
    assert (above["serves"].sel(step=1000) == 2).all()
    assert (above["called"].sum("lang") == 3).all()


def test_a_neuron_of_two_concepts_is_one_life_and_the_other_is_told(tmp_path):
    stage = Stage(n_concepts=16, n_groups=12, n_langs=3, widths=(20,))
    X = np.random.default_rng(1).standard_normal((len(stage.lang), 20))
    X[:, 5] += 12 * (stage.concept == 1) + 6 * (stage.concept == 3)
    found = neuron_lives(stage.write(tmp_path, {0: X}))
    assert found.attrs["candidates"] == 2
    assert found["name"].values.tolist() == ["L0.N5"]
    assert found["of_concept"].values.tolist() == ["c01"]
    assert found["other"].values.tolist() == ["c03"]
    assert 0.3 < float(found["best_other"][0, 0]) < 0.9


def test_more_languages_come_before_higher_precision(tmp_path):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    X[:, 3] += 9 * ((STAGE.concept == 0) & (STAGE.lang < 2))
    X[:, 50] += 3.5 * (STAGE.concept == 0)
    found = neuron_lives(STAGE.write(tmp_path, {0: X}))
    assert flat(found) == [50, 3]
    assert found["value"].values[0, 0].mean() < found["value"].values[0, 1, :2].mean()


def test_one_concept_and_a_number_of_languages_can_be_asked_for(store, sets):
    one = neuron_lives(store, "c01", sets=sets)
    assert set(flat(one)) == {n for n in (*SHARED, *PAIR) if n % 4 == 1}
    assert set(flat(neuron_lives(store, least_languages=3, sets=sets))) == set(SHARED)
    assert one.attrs["family"] == "3 languages x 4 concepts x 80 neurons at each step"
    anywhere = set(flat(neuron_lives(store, least_languages=1, sets=sets)))
    assert anywhere >= {*SHARED, *PAIR, *OWN}
    assert neuron_lives(store, most=3, sets=sets).sizes["neuron"] == 3


def test_the_order_of_neurons_does_not_count(responses, found, tmp_path):
    order = np.random.default_rng(2).permutation(40)
    both = np.concatenate([order, 40 + order])
    mixed = neuron_lives(STAGE.write(tmp_path, {s: X[:, both] for s, X in responses.items()}))
    assert {int(both[n]) for n in flat(mixed)} == set(flat(found))
    place = {int(both[n]): i for i, n in enumerate(flat(mixed))}
    again = mixed.isel(neuron=[place[n] for n in flat(found)])
    np.testing.assert_allclose(again["value"], found["value"], atol=1e-6)
    np.testing.assert_array_equal(again["since"], found["since"])


def test_the_names_of_languages_do_not_count(responses, found, tmp_path):
    turned = {}
    for step, X in responses.items():
        by_language = X.reshape(3, -1, STAGE.n_neurons)
        turned[step] = by_language[[2, 0, 1]].reshape(X.shape)
    again = neuron_lives(STAGE.write(tmp_path, turned))
    assert set(flat(again)) == set(flat(found))
    place = [flat(again).index(n) for n in flat(found)]
    turned_back = again["value"].isel(neuron=place, lang=[1, 2, 0])
    np.testing.assert_allclose(turned_back.values, found["value"].values, atol=1e-6)


def test_counts_stand_beside_what_coincidence_gives(store, sets):
    counts = lives_counts(store, replicates=40, sets=sets)
    assert counts["value"].values.tolist() == [0, 0, 8, 12]
    assert counts["neurons"].values.tolist() == [0, 0, 8, 12]
    assert counts["deranged"].values.tolist() == [0, 0, 0, 0]
    assert (counts["chance_high"] >= counts["chance_low"]).all()
    assert float(counts["chance_high"][-1]) < 12
    assert (counts["ceiling"] >= counts["value"]).all()
    in_all = lives_counts(store, least_languages=3, replicates=5, sets=sets)
    assert in_all["value"].values[-1] == 8


def test_the_ceiling_of_counts_by_hand():
    found = [most_shared(np.array(sizes), 2, 9) for sizes in ([2, 2, 2], [3, 1, 1], [5, 0, 0])]
    assert found == [3, 2, 0]
    assert most_shared(np.array([4, 2, 3]), 3, 9) == 2
    assert most_shared(np.array([4, 4, 4]), 2, 5) == 5


def test_sets_made_once_are_those_that_would_be_made(store, found):
    xr.testing.assert_identical(neuron_lives(store), found)


def test_what_is_refused(store, found):
    several = "expected the ActivationStore of one training run"
    for made in ([store, store], (store,), found.expand_dims("run")):
        with pytest.raises(ValueError, match=several):
            neuron_lives(made)
        with pytest.raises(ValueError, match=several):
            lives_counts(made)
    with pytest.raises(ValueError, match="got concept 'c99'; valid are c00, c01"):
        neuron_lives(store, "c99")
    with pytest.raises(ValueError, match="got null 'pseudo'; valid are None, 'deranged'"):
        neuron_lives(store, null="pseudo")
    with pytest.raises(ValueError, match="got least_languages=4 for 3 language"):
        neuron_lives(store, least_languages=4)
    with pytest.raises(ValueError, match="got most=0"):
        neuron_lives(store, most=0)
