"""Overlap of experts: planted sharing is found, and nothing is found where nothing is."""

import numpy as np
import pytest
from planted import PATH, ROTATED, Stage, experts_of, fire, nuisance, rotation

from neurotrace.trajectories import expert_overlap, node_bootstrap, summarize
from neurotrace.trajectories.agreement import reliability_root
from neurotrace.trajectories.halved import Halved

K = 12


@pytest.fixture(scope="module")
def half_shared(tmp_path_factory):
    stage, rng = Stage(), np.random.default_rng(0)
    experts = experts_of(stage, k=K, shared=0.5, rng=rng)
    return stage.write(
        tmp_path_factory.mktemp("half"), {0: fire(stage, experts, signal=3, rng=rng)}
    )


def test_corrected_overlap_is_the_planted_share(half_shared):
    found = summarize(expert_overlap(half_shared, top=K))
    assert float(found["corrected"][0]) == pytest.approx(0.5, abs=0.05)
    assert found["corrected_low"][0] > 0.3
    assert int(found["valid_pairs"][0]) == int(found["pairs"]) == 3


def test_independent_experts_have_no_corrected_overlap(tmp_path):
    stage = Stage(n_langs=2)
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        drawn = np.stack([experts_of(stage, k=K, shared=1, rng=rng)[0] for _ in range(2)])
        store = stage.write(tmp_path / str(seed), {0: fire(stage, drawn, signal=3, rng=rng)})
        found.append(float(summarize(expert_overlap(store, top=K, n_splits=2))["corrected"][0]))
    assert abs(np.mean(found)) < 0.02
    assert min(found) < 0  # not clipped


def test_shared_sentences_without_a_concept_share_experts_only_within_a_half(tmp_path):
    stage, rng = Stage(n_concepts=8, n_groups=16), np.random.default_rng(1)
    store = stage.write(tmp_path, {0: nuisance(stage, strength=2.0, rng=rng)})
    overlap = expert_overlap(store, top=K)
    found = summarize(overlap)
    assert float(found["same_half"][0]) > 0.10
    assert abs(float(found["value"][0]) - float(overlap["chance"])) < 0.01
    assert found["excess_low"][0] <= 0 <= found["excess_high"][0]
    assert np.isnan(found["corrected"][0])
    assert int(found["valid_pairs"][0]) == 0


def test_corrected_overlap_is_flat_while_signal_grows(tmp_path):
    stage = Stage(n_concepts=8, n_groups=32)
    experts = experts_of(stage, k=K, shared=0.3, rng=np.random.default_rng(2))
    signals = {1: 1.0, 2: 1.5, 4: 2.0, 8: 3.0, 16: 5.0}
    responses = {
        step: fire(stage, experts, signal=signal, rng=np.random.default_rng(step))
        for step, signal in signals.items()
    }
    found = summarize(expert_overlap(stage.write(tmp_path, responses), top=K))
    raw, corrected = found["value"].values, found["corrected"].values
    assert raw[-1] > 1.5 * raw[0]  # the headline curve that signal alone makes
    assert np.nanmax(np.abs(corrected - 0.3)) < 0.07


def test_deranged_labels_find_nothing(half_shared):
    overlap = expert_overlap(half_shared, top=K, null="deranged", n_splits=4)
    found = summarize(overlap)
    assert abs(float(found["value"][0]) - float(overlap["chance"])) < 0.015
    assert np.isnan(found["corrected"][0])


def test_a_shared_direction_survives_rotation_and_shared_neurons_do_not(tmp_path):
    stage, k = Stage(n_langs=2, widths=(256,), n_groups=32), 4
    rng = np.random.default_rng(3)
    q = rotation(stage.n_neurons, rng)
    sparse = fire(stage, experts_of(stage, k=k, shared=1, rng=rng), signal=4, rng=rng)
    directions = rng.standard_normal((stage.n_concepts, stage.n_neurons))
    noise = rng.standard_normal((len(stage.lang), stage.n_neurons))
    dense = 2 * directions[stage.concept] + noise
    kept = {}
    for name, X in (("sparse", sparse), ("dense", dense)):
        store = stage.write(tmp_path / name, {0: {PATH: X, ROTATED: X @ q}})
        neurons, rotated = (
            summarize(expert_overlap(store, path=p, top=k)) for p in (PATH, ROTATED)
        )
        kept[name] = float(rotated["value"][0] / neurons["value"][0])
    assert kept["sparse"] < 0.5
    assert kept["dense"] > 0.8


def test_nothing_depends_on_names_or_order_of_languages_and_neurons(tmp_path):
    stage, rng = Stage(n_langs=2), np.random.default_rng(4)
    X = fire(stage, experts_of(stage, k=K, shared=0.5, rng=rng), signal=3, rng=rng)
    n = len(X) // 2
    swapped = np.concatenate([X[n:], X[:n]])
    shuffled = X[:, rng.permutation(stage.n_neurons)]
    results = [
        expert_overlap(stage.write(tmp_path / str(i), {0: given}), top=K, n_splits=3)
        for i, given in enumerate((X, swapped, shuffled))
    ]
    for name in ("value", "wrong_concept", "same_half", "corrected"):
        for other in results[1:]:
            np.testing.assert_allclose(other[name].values, results[0][name].values, atol=1e-12)


def test_pairs_are_symmetric_and_have_no_diagonal(half_shared):
    value = expert_overlap(half_shared, top=K, n_splits=2)["value"].values[0]
    np.testing.assert_array_equal(value, value.swapaxes(-1, -2))
    assert np.isnan(value[:, range(3), range(3)]).all()


def test_excess_is_what_lies_above_the_larger_baseline(half_shared):
    found = expert_overlap(half_shared, top=K, n_splits=2)
    wrong, stratified = found["wrong_concept"].values, found["stratified"].values
    assert (wrong > stratified).any()
    assert (wrong < stratified).any()
    larger = np.where(wrong > stratified, wrong, stratified)
    np.testing.assert_allclose(found["excess"], found["value"].values - larger)


def test_pseudo_concepts_are_halved_evenly_in_the_real_ones(half_shared):
    halved = Halved.of(half_shared, PATH, n_splits=10, seed=0, null="pseudo")
    real = half_shared.labels.astype(int)
    n_langs = len(half_shared.languages)
    uneven = np.abs(halved.in_a.astype(int) @ real - (~halved.in_a).astype(int) @ real) / n_langs
    assert uneven.mean() < 1.5
    assert uneven.max() <= 4


def test_per_layer_and_several_sizes_leave_their_axes(half_shared):
    layers = expert_overlap(half_shared, top=8, per_layer=True, n_splits=2)
    assert layers["value"].dims == ("step", "layer", "concept", "lang_a", "lang_b")
    assert float(layers["chance"][0]) == 8 / 256
    sizes = expert_overlap(half_shared, top=[4, 8], n_splits=2)
    assert sizes["k"].values.tolist() == [4, 8]
    one = expert_overlap(half_shared, top=8, n_splits=2)
    np.testing.assert_array_equal(sizes["value"].sel(k=8), one["value"])


@pytest.mark.parametrize(
    ("rel_a", "rel_b", "expected"),
    [(0.61, 0.25, 0.0), (0.2, 0.9, 0.0), (0.19, 0.9, np.nan), (0.04, 0.04, np.nan)],
)
def test_low_reliability_gives_no_corrected_value(rel_a, rel_b, expected):
    root = reliability_root(np.array(rel_a), np.array(rel_b), 0.05)
    assert (
        np.isnan(root)
        if np.isnan(expected)
        else root == pytest.approx(np.sqrt((rel_a - 0.05) * (rel_b - 0.05)))
    )


def test_the_bootstrap_estimate_is_the_plain_mean(half_shared):
    overlap = expert_overlap(half_shared, top=K, n_splits=2)
    draws = node_bootstrap(overlap, replicates=50)
    assert float(draws["value"].isel(replicate=0, step=0)) == pytest.approx(
        float(overlap["value"].mean(["concept", "lang_a", "lang_b"])[0])
    )
    rel = overlap["rel"].mean("concept").values[0] - float(overlap["chance"])
    roots = [np.sqrt(rel[a] * rel[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert float(draws["ceiling"].isel(replicate=0, step=0)) == pytest.approx(
        float(overlap["chance"]) + np.mean(roots)
    )
    again = node_bootstrap(overlap, replicates=50)
    np.testing.assert_array_equal(draws["corrected"], again["corrected"])


def test_bad_questions_are_refused(half_shared, tmp_path):
    with pytest.raises(ValueError, match="got score 'f1'; valid are average_precision, auroc"):
        expert_overlap(half_shared, score="f1")
    with pytest.raises(ValueError, match="valid are deranged, pseudo"):
        expert_overlap(half_shared, null="wrong")
    alone = Stage(n_langs=1)
    store = alone.write(tmp_path, {0: np.random.default_rng(0).random((8 * 24, alone.n_neurons))})
    with pytest.raises(ValueError, match="expected at least two"):
        expert_overlap(store)


def test_an_undefined_estimate_has_an_undefined_interval(tmp_path):
    stage, rng = Stage(n_langs=3), np.random.default_rng(5)
    X = fire(stage, experts_of(stage, k=K, shared=1, rng=rng), signal=0.62, rng=rng)
    found = summarize(expert_overlap(stage.write(tmp_path, {0: X}), top=K))
    assert 0.05 < float(found["rel"][0]) < 0.2
    for name in ("corrected", "corrected_low", "corrected_high"):
        assert np.isnan(found[name][0]), name


def test_large_sets_of_noise_have_no_corrected_value(tmp_path):
    stage = Stage(n_concepts=4)
    X = np.random.default_rng(6).standard_normal((len(stage.lang), stage.n_neurons))
    overlap = expert_overlap(stage.write(tmp_path, {0: X}), top=stage.n_neurons // 4, n_splits=4)
    assert float(overlap["rel"].mean()) > 0.2  # by chance alone
    assert np.isnan(overlap["corrected"]).all()


def test_pseudo_concepts_are_at_chance_where_real_ones_are_shared(half_shared):
    overlap = expert_overlap(half_shared, top=K, null="pseudo", n_splits=10)
    assert float(overlap["value"].mean()) == pytest.approx(float(overlap["chance"]), abs=0.008)
    assert float(expert_overlap(half_shared, top=K, n_splits=4)["value"].mean()) > 0.3


def test_a_single_concept_has_overlap_and_no_interval(tmp_path):
    stage, rng = Stage(n_concepts=1, n_groups=64), np.random.default_rng(7)
    X = rng.standard_normal((len(stage.lang), stage.n_neurons))
    stage_labels = rng.random(64) < 0.5
    X[:, :K] += 3 * np.tile(stage_labels, 3)[:, None]
    store = stage.write(tmp_path, {0: X})
    store.labels = np.tile(stage_labels, 3)[:, None].astype(np.int8)
    found = summarize(expert_overlap(store, top=K, n_splits=4))
    assert float(found["corrected"][0]) > 0.9
    assert np.isnan(found["value_low"][0])
    assert np.isnan(found["wrong_concept"][0])


def test_experts_of_any_pool_of_layers_are_the_best_of_all_its_scores(half_shared):
    halved = Halved.of(half_shared, PATH, n_splits=2, seed=0)
    by_layer = [np.stack(list(halved.scores(0, layer))) for layer in half_shared.layers]
    asked = [([0, 1], 20), ([1], 7), ([0], 5), ([1, 0], 9)]
    pools = dict(halved.pools(0, asked))
    assert sorted(pools) == [0, 1, 2, 3]
    for at, (layers, k) in enumerate(asked):
        scores = np.concatenate([by_layer[layer] for layer in layers], axis=-1)
        best = np.argsort(-scores, axis=-1, kind="stable")[..., :k]
        np.testing.assert_array_equal(pools[at], best)
        np.testing.assert_array_equal(pools[at], halved.experts(0, k, layers=layers))
