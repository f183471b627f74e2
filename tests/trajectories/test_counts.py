"""Counts of neurons: planted numbers come out, and chance stands beside them."""

import numpy as np
import pytest
from planted import PATH, Stage, experts_of, fire

from neurotrace.probes import average_precision
from neurotrace.trajectories import concept_neurons, language_neurons
from neurotrace.trajectories.halved import Halved

STAGE = Stage(n_concepts=4, n_groups=24, n_langs=3, widths=(128, 128))


def test_planted_pairs_are_counted_by_their_number_of_languages(tmp_path):
    rng = np.random.default_rng(0)
    experts = experts_of(STAGE, k=6, shared=0.5, rng=rng)
    store = STAGE.write(tmp_path, {0: fire(STAGE, experts, signal=8, rng=rng)})
    found = concept_neurons(store, threshold=0.9)
    # A neuron planted for two concepts in one language is an honest miss; few are.
    assert int(found["all"][0]) == pytest.approx(4 * 3, abs=2)
    assert int(found["exactly_one"][0]) == pytest.approx(4 * 3 * 3, abs=6)
    assert float(found["all_chance"][0]) < 1
    assert found["all"][0] > found["all_chance_high"][0]
    assert float(found["base"]) == pytest.approx(0.31, abs=0.05)


def test_a_pair_passes_on_both_halves_or_not_at_all(tmp_path):
    stage = Stage(2, 12, 2, (16,))
    X = np.random.default_rng(3).standard_normal((len(stage.lang), 16))
    store = stage.write(tmp_path, {0: X})
    in_a = Halved.of(store, PATH, n_splits=1, seed=0).in_a[0]
    passes = np.zeros((2, 2, 16), bool)
    for lang in (0, 1):
        scores = [
            average_precision(X[rows].astype("f4"), store.labels[rows])
            for rows in ((stage.lang == lang) & in_a, (stage.lang == lang) & ~in_a)
        ]
        passes[lang] = (scores[0] >= 0.6) & (scores[1] >= 0.6)
    found = concept_neurons(store, threshold=0.6, replicates=2)
    assert int(found["exactly_one"][0]) == int((passes.sum(0) == 1).sum()) > 0


def test_independent_experts_stay_within_the_null(tmp_path):
    rng = np.random.default_rng(1)
    experts = experts_of(Stage(4, 24, 3, (32, 32)), k=20, shared=0, rng=rng)
    experts = np.stack([rng.permuted(experts[lang], axis=1) for lang in range(3)])
    stage = Stage(4, 24, 3, (32, 32))
    for lang in range(3):
        experts[lang] = [rng.permutation(stage.n_neurons)[:20] for _ in range(4)]
    store = stage.write(tmp_path, {0: fire(stage, experts, signal=3, rng=rng)})
    found = concept_neurons(store, threshold=0.5, replicates=200)
    assert int(found["at_least_two"][0]) > 0
    assert found["at_least_two_chance_low"][0] <= found["at_least_two"][0]
    assert found["at_least_two"][0] <= found["at_least_two_chance_high"][0]


def test_language_neurons_are_those_that_tell_a_language(tmp_path):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    X[:, :10] += 9 * (STAGE.lang == 0)[:, None]
    X[:, 10:13] += 9 * (STAGE.lang == 2)[:, None]
    found = language_neurons(STAGE.write(tmp_path, {0: X}))
    assert found["value"].values.tolist() == [[10, 0, 3]]
    assert found["chance"].values.tolist() == [[0, 0, 0]]
    assert found.attrs["neurons"] == 256
