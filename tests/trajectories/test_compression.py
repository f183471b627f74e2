"""Compression: hand-worked sets, planted sharing, coincidence that grows with the sets' sizes."""

import numpy as np
import pytest
import xarray as xr
from planted import PATH, Stage, experts_of, fire

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.compression import compressed, compression, deviations
from neurotrace.trajectories.expert_sets import coincidences, expert_sets
from neurotrace.trajectories.halved import Halved

STAGE = Stage(n_concepts=4, n_groups=24, n_langs=3, widths=(60, 60))
K = 10


def planted(shared: float, *, signal: float = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return fire(STAGE, experts_of(STAGE, k=K, shared=shared, rng=rng), signal=signal, rng=rng)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ActivationStore:
    responses = {0: planted(0, signal=0), 10: planted(0), 20: planted(0.5), 30: planted(1)}
    return STAGE.write(tmp_path_factory.mktemp("compression"), responses)


@pytest.fixture(scope="module")
def found(store) -> xr.Dataset:
    return compression(store, replicates=40)


def sets_of(*languages: list[int], n: int = 4) -> np.ndarray:
    """``(lang, 1, neuron)`` from the neurons of each language."""
    sets = np.zeros((len(languages), 1, n), bool)
    for lang, neurons in enumerate(languages):
        sets[lang, 0, neurons] = True
    return sets


def test_compression_of_hand_worked_sets():
    half = compressed(sets_of([0, 1], [0, 1], [0, 2]))
    assert half.value[0] == pytest.approx(1 - 3 / 6)
    assert half.ceiling[0] == pytest.approx(1 - 2 / 6)
    assert compressed(sets_of([0], [1], [2, 3])).value[0] == 0
    same = compressed(sets_of([0, 1], [0, 1], [0, 1]))
    assert same.value[0] == same.ceiling[0] == pytest.approx(2 / 3)


def test_the_ceiling_of_unequal_sets_is_reached_by_nested_ones():
    nested = compressed(sets_of([0, 1, 2], [0, 1], [0]))
    assert nested.value[0] == nested.ceiling[0] == pytest.approx(1 - 3 / 6)


def test_with_fewer_than_two_sets_there_is_nothing_to_compress():
    assert np.isnan(compressed(sets_of([0, 1], [], [])).value[0])
    assert np.isnan(compressed(sets_of([], [], [])).ceiling[0])


def test_with_sets_of_one_size_it_is_overlap_restated():
    rng = np.random.default_rng(0)
    sets = rng.permuted(np.tile(np.arange(40) < 10, (2, 6, 1)), axis=-1)
    np.testing.assert_allclose(compressed(sets).value, probes.overlap(*sets) / 2)


def test_the_order_of_languages_and_neurons_does_not_count():
    sets = np.random.default_rng(1).random((4, 5, 30)) < 0.3
    rng = np.random.default_rng(2)
    mixed = sets[rng.permutation(4)][:, :, rng.permutation(30)]
    np.testing.assert_allclose(compressed(sets), compressed(mixed))


def test_planted_sharing_comes_out(found):
    # Half of ten shared by three languages: 5 + 3 · 5 neurons instead of 30.
    expected = [0, 1 - 20 / 30, 1 - 10 / 30]
    np.testing.assert_allclose(found["value"].values[1:], expected, atol=0.05)
    assert np.isnan(found["value"][0]) or found["concepts"][0] < 2
    np.testing.assert_allclose(found["ceiling"].values[1:], 2 / 3, atol=0.05)
    corrected = found["corrected"].values[1:]
    assert corrected[0] < 0.05
    assert 0.3 < corrected[1] < 0.55
    assert corrected[2] == pytest.approx(1)
    # An expert of two concepts ranks neither above .9, so that sets are smaller than planted.
    assert (found["sizes"][1:] > 3 * K - 6).all()
    assert (found["sizes"] <= 4 * K).all()


def test_deranged_labels_have_no_sets_and_the_null_stays_below(found):
    assert found["deranged_sizes"].values.max() <= 1
    assert np.isnan(found["deranged"]).all()
    assert (found["chance_high"][2:] < found["value"][2:]).all()
    assert (found["chance_low"] <= found["chance"])[1:].all()


def test_interval_holds_the_value_and_needs_three_concepts(found, tmp_path):
    assert found["value_low"][2] < found["value"][2] < found["value_high"][2]
    assert np.isnan(found["value_low"][3])  # all concepts alike say nothing of others
    small = Stage(n_concepts=2, n_groups=24, n_langs=2, widths=(40,))
    rng = np.random.default_rng(3)
    X = fire(small, experts_of(small, k=6, shared=0.5, rng=rng), signal=6, rng=rng)
    few = compression(small.write(tmp_path, {0: X}), replicates=5)
    assert np.isfinite(few["value"]).all()
    assert np.isnan(few["value_low"]).all()


def test_larger_sets_overlap_by_chance_and_the_null_says_so():
    rng = np.random.default_rng(4)
    layer = np.zeros(100, int)
    for size in (10, 40):
        sets = rng.permuted(np.tile(np.arange(100) < size, (3, 8, 1)), axis=-1)
        union = np.array([(n > 0).sum() for n in coincidences(sets, layer, replicates=30, seed=0)])
        value = compressed(sets).value.mean()
        assert value == pytest.approx(1 - union.mean() / (3 * 8 * size), abs=0.04)
    assert value > 0.2


def test_coincidences_are_the_draws_of_the_degree_preserving_null():
    sets = np.random.default_rng(5).random((3, 6, 50)) < 0.2
    layer = np.repeat([0, 1], 25)
    drawn = list(coincidences(sets, layer, replicates=200, seed=0))
    assert len(drawn) == 200
    assert all(counts.sum() == sets.sum() for counts in drawn)
    for counts in drawn[:20]:
        np.testing.assert_array_equal(counts.sum(0), sets.sum((0, 1)))
        by_layer = counts.reshape(6, 2, 25).sum(2)
        np.testing.assert_array_equal(by_layer, sets.sum(0).reshape(6, 2, 25).sum(2))
    ours = np.mean([(counts >= 2).sum() for counts in drawn])
    theirs = probes.degree_preserving(sets, layer, replicates=200, seed=1).at_least_two.mean()
    assert ours == pytest.approx(theirs, rel=0.05)
    assert list(coincidences(sets[:, :1], layer, replicates=5, seed=0)) == []


def test_sets_made_once_serve_again_and_others_are_refused(store, found, tmp_path):
    sets = expert_sets(store)
    xr.testing.assert_identical(compression(store, replicates=40, sets=sets), found)
    other = STAGE.write(tmp_path, {0: planted(1)})
    with pytest.raises(ValueError, match="got expert sets of store"):
        compression(other, sets=sets)
    with pytest.raises(ValueError, match="got expert sets of other alpha"):
        compression(store, sets=sets, alpha=0.1)


def test_experts_are_strong_and_stand_on_both_halves(tmp_path):
    rng = np.random.default_rng(6)
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    halves = STAGE.write(tmp_path / "halves", {0: X})
    own, in_a = STAGE.concept == 1, Halved.of(halves, PATH, n_splits=1, seed=0).in_a[0]
    X[:, 0] += 6 * own
    X[:, 2] += 6 * (own & in_a)
    X[:, 3] += 6 * (own & ~in_a)
    X[:, 4:20] += 1.2 * own[:, None]  # AUROC .8, and p-values that would be called
    store = STAGE.write(tmp_path / "store", {0: X})
    strong = expert_sets(store).at(0).sum(0)
    assert strong[1, [0, 2, 3]].tolist() == [3, 0, 0]
    assert strong[1, 4:20].sum() < 5
    weak = expert_sets(store, least=0.6).at(0).sum(0)
    assert weak[1, [0, 2, 3]].tolist() == [3, 0, 0]
    assert weak[1, 4:20].sum() > 20


def test_stores_of_several_runs_are_refused(store):
    with pytest.raises(ValueError, match="neuron indices do not correspond between runs"):
        compression([store, store])
    with pytest.raises(ValueError, match="got score 'f1'; valid are auroc"):
        compression(store, score="f1")


def test_average_precision_calls_the_same_strong_sets(store, found):
    by_ap = compression(store, score="average_precision", replicates=5)
    np.testing.assert_allclose(by_ap["value"][1:], found["value"][1:], atol=0.03)
    assert by_ap.attrs["path"] == PATH


def drawn_from_a_population(
    rng: np.random.Generator, n_languages: int, n_concepts: int, n: int = 400
) -> np.ndarray:
    """Sets of languages and concepts that take part in a common pool each to its own degree."""
    language, concept = rng.normal(0, 0.8, n_languages), rng.normal(0, 0.5, n_concepts)
    share = 1 / (1 + np.exp(-(language[:, None] + concept)))
    sets = np.zeros((n_languages, n_concepts, n), bool)
    for c in range(n_concepts):
        pool = rng.permutation(n)[:20]
        for lang in range(n_languages):
            sets[lang, c, pool[rng.random(20) < share[lang, c]]] = True
            sets[lang, c, rng.permutation(n)[: rng.poisson(10)]] = True
    return sets


@pytest.mark.slow
@pytest.mark.parametrize(("n_languages", "n_concepts"), [(4, 16), (12, 30)])
def test_the_interval_covers_other_languages_and_concepts(n_languages, n_concepts, record_property):
    rng = np.random.default_rng(n_languages)
    size = (n_languages, n_concepts)
    means = [compressed(drawn_from_a_population(rng, *size)).value.mean() for _ in range(300)]
    truth, hits = np.mean(means), 0
    for seed in range(200):
        sets = drawn_from_a_population(rng, *size)
        low, high = spread(sets, draws=1000, seed=seed)
        hits += low <= truth - compressed(sets).value.mean() <= high
    record_property("coverage", float(hits / 200))
    assert hits / 200 >= 0.9


def spread(sets: np.ndarray, *, draws: int, seed: int) -> tuple[float, float]:
    low, high = np.quantile(deviations(sets, draws, seed), [0.025, 0.975])
    return float(low), float(high)
