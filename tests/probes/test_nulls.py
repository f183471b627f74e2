"""Overlap nulls: worked answers, exhaustive enumeration, what each keeps."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import hypergeom

from neurotrace.probes import (
    degree_preserving,
    experts,
    hypergeometric,
    layer_counts,
    layer_stratified,
    overlap,
    shared_counts,
)
from neurotrace.probes.nulls import _adjacency
from neurotrace.probes.trades import trade

LAYERS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])


def random_passes(seed=3, shape=(3, 4, 9), share=0.4):
    return np.random.default_rng(seed).random(shape) < share


def graphs_of_same_degrees(table):
    """Every bool (concept, neuron) matrix with the row and column sums of this one."""
    n = table.shape[1]
    rows = [list(combinations(range(n), int(degree))) for degree in table.sum(1)]
    for choice in product(*rows):
        graph = np.zeros_like(table)
        for concept, neurons in enumerate(choice):
            graph[concept, list(neurons)] = True
        if (graph.sum(0) == table.sum(0)).all():
            yield graph


def test_random_sets_of_fifty_among_a_thousand_share_two_and_a_half():
    chance = hypergeometric(50, 50, 1000)
    assert chance.mean == 2.5
    assert chance.sd == pytest.approx(np.sqrt(2.5 * 0.95 * 950 / 999), rel=1e-12)
    assert chance.p_value(0) == 1.0
    assert chance.p_value([1, 51]).tolist() == pytest.approx(
        [1 - hypergeom.pmf(0, 1000, 50, 50), 0]
    )


def test_hypergeometric_matches_every_pair_of_small_sets():
    shared = np.array([len({0, 1, 2} & set(b)) for b in combinations(range(7), 4)])
    chance = hypergeometric(3, 4, 7)
    assert (chance.mean, chance.sd) == pytest.approx((shared.mean(), shared.std()))
    for count in range(4):
        assert chance.p_value(count) == pytest.approx((shared >= count).mean())


def test_hypergeometric_does_not_mind_which_set_comes_first():
    a, b = hypergeometric(12, 70, 300), hypergeometric(70, 12, 300)
    assert (a.mean, a.sd) == pytest.approx((b.mean, b.sd))
    assert a.p_value(5) == pytest.approx(b.p_value(5))
    with pytest.raises(ValueError, match="sizes from 0 to n"):
        hypergeometric(4, 11, 10)


def test_crowding_into_a_layer_raises_chance():
    assert layer_stratified([10, 0], [10, 0], [100, 100]) == pytest.approx(0.1)
    assert layer_stratified([5, 5], [5, 5], [100, 100]) == pytest.approx(0.05)
    assert layer_stratified([10, 0], [0, 10], [100, 100]) == 0.0
    assert np.isnan(layer_stratified([0, 0], [1, 0], [100, 100]))


def test_stratified_chance_is_the_mean_overlap_of_sets_random_within_layers():
    rng = np.random.default_rng(0)
    widths = np.array([40, 60])
    bias = np.repeat([0.35, 0.0], widths)
    sets = experts(rng.random((2, 4000, 100)) + bias, top=20)
    counts = layer_counts(np.nonzero(sets)[2].reshape(2, 4000, 20), widths)
    expected = layer_stratified(counts[0], counts[1], widths)
    assert overlap(sets[0], sets[1]).mean() == pytest.approx(expected.mean(), abs=0.004)
    assert expected.mean() > 20 / 100 + 0.02


def test_stratified_chance_broadcasts_and_does_not_mind_the_order_of_layers():
    rng = np.random.default_rng(1)
    a, b, widths = rng.integers(1, 9, (5, 1, 3)), rng.integers(1, 9, (4, 3)), np.array([9, 20, 30])
    chance = layer_stratified(a, b, widths)
    assert chance.shape == (5, 4)
    np.testing.assert_allclose(layer_stratified(a[..., ::-1], b[..., ::-1], widths[::-1]), chance)
    with pytest.raises(ValueError, match="outside its layer"):
        layer_stratified([10], [2], [9])
    with pytest.raises(ValueError, match=r"widths of shape \(2,\)"):
        layer_stratified([1], [2], [9, 9])


def test_pairs_are_counted_by_their_number_of_languages():
    passes = np.zeros((3, 1, 4), bool)
    passes[0, 0, [0, 1, 2]] = passes[1, 0, [1, 2]] = passes[2, 0, [2]] = True
    assert [int(count) for count in shared_counts(passes)] == [1, 2, 1]


def test_trades_keep_every_degree_in_every_layer_and_language():
    passes = random_passes(shape=(3, 6, 40), share=0.3)
    layers = np.arange(40) % 3
    neurons, starts = _adjacency(passes, layers)
    before = neurons.copy()
    trade(neurons, starts, 6, 40, 50, np.random.default_rng(0))
    assert (neurons != before).any()
    rebuilt = np.zeros_like(passes)
    for row in range(len(starts) - 1):
        lang, layer, concept = np.unravel_index(row, (3, 3, 6))
        members = neurons[starts[row] : starts[row + 1]]
        assert (layers[members] == layer).all()
        rebuilt[lang, concept, members] = True
    np.testing.assert_array_equal(rebuilt.sum(1), passes.sum(1))
    for layer in range(3):
        own = layers == layer
        np.testing.assert_array_equal(rebuilt[..., own].sum(-1), passes[..., own].sum(-1))


def test_mean_over_replicates_is_the_mean_over_all_graphs():
    passes = random_passes()[:2, :3]
    every = []
    for table in passes:
        first, second = (list(graphs_of_same_degrees(table[:, LAYERS == n])) for n in (0, 1))
        every.append([np.hstack(pair) for pair in product(first, second)])
    assert min(map(len, every)) > 1
    exact = np.array([shared_counts(np.stack(pair)) for pair in product(*every)])
    draws = np.array(degree_preserving(passes, LAYERS, replicates=6000, seed=0)).T
    error = exact.std(0) / np.sqrt(6000)
    assert (exact.std(0) > 0).all()
    assert (np.abs(draws.mean(0) - exact.mean(0)) < 4 * error).all()
    np.testing.assert_allclose(draws.std(0), exact.std(0), rtol=0.06)


def test_planted_sharing_stands_out_and_promiscuous_neurons_do_not():
    rng = np.random.default_rng(5)
    passes = rng.random((3, 10, 200)) < 0.05
    passes[:, :, :8] = True  # pass for everything, hence shared by all languages for nothing
    layers = np.repeat([0, 1], 100)
    silent = degree_preserving(passes, layers, replicates=200, seed=1)
    assert (silent.at_least_two >= shared_counts(passes).at_least_two).mean() > 0.02
    assert silent.all_languages.min() >= 80
    passes[:, np.arange(10), 50 + np.arange(10)] = True
    shared = degree_preserving(passes, layers, replicates=200, seed=1)
    assert (shared.all_languages < shared_counts(passes).all_languages).all()


def test_same_seed_same_draws_and_input_left_alone():
    passes = random_passes()
    before = passes.copy()
    a, b = (degree_preserving(passes, LAYERS, replicates=5, seed=7) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(passes, before)


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"bool \(lang, concept, neuron\)"):
        shared_counts(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="one for each of 9 neurons"):
        degree_preserving(random_passes(), LAYERS[:-1], replicates=1, seed=0)
    with pytest.raises(ValueError, match="replicates=0"):
        degree_preserving(random_passes(), LAYERS, replicates=0, seed=0)


@pytest.mark.parametrize(
    ("n", "mean", "share"),
    [
        (221_184, 1.13, 0.0023),
        (98_304, 2.54, 0.0051),
        (1_105_920, 0.23, 0.00045),
        (491_520, 0.51, 0.0010),
        (159_744, 1.57, 0.0031),
    ],
)
def test_two_random_sets_of_500_share_what_the_size_of_the_model_says(n, mean, share):
    chance = hypergeometric(500, 500, n)
    assert chance.mean == pytest.approx(mean, abs=0.006)
    assert chance.mean / 500 == pytest.approx(share, abs=6e-5)
