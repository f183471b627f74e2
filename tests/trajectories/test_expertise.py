"""Expertise is read on sentences that did not choose it, and the table says where neurons fail."""

import copy

import numpy as np
import pytest
from planted import PATH, Stage, experts_of, fire

from neurotrace import probes
from neurotrace.splits import halves
from neurotrace.trajectories import expertise, per_neuron, top_neurons

STAGE = Stage(n_concepts=4, n_groups=24, n_langs=3, widths=(64, 64))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    rng = np.random.default_rng(0)
    experts = experts_of(STAGE, k=8, shared=0.5, rng=rng)
    X = fire(STAGE, experts, signal=4, rng=rng)
    noise = rng.standard_normal(X.shape)
    return STAGE.write(tmp_path_factory.mktemp("expertise"), {0: noise, 64: X})


def test_own_experts_are_good_and_half_of_them_serve_elsewhere(store):
    found = expertise(store, n_best=8)
    value = found["value"].sel(step=64).mean("concept").values
    assert np.diag(value).min() > 0.85
    others = value[~np.eye(3, dtype=bool)]
    assert others.mean() == pytest.approx((np.diag(value).mean() + 0.32) / 2, abs=0.1)


def test_noise_scores_its_exact_chance_on_held_out_sentences(store):
    found = expertise(store, n_best=8, n_splits=10)
    chance = float(found["chance"].mean())
    assert float(found["value"].sel(step=0).mean()) == pytest.approx(chance, abs=0.02)
    assert chance == pytest.approx(probes.expected_average_precision(12, 48), abs=1e-12)
    assert float(found["auroc"].sel(step=0).mean()) == pytest.approx(0.5, abs=0.02)


def test_held_out_means_the_other_half(store):
    """One concept, language and split by hand: choose on A, read on B, and the reverse."""
    found = expertise(store, n_best=3, n_splits=1, seed=5)
    in_a = halves(store.examples["group"], store.labels, n_splits=1, seed=5)[0]
    rows = (store.examples["lang"] == store.languages[1]).to_numpy()
    X = np.concatenate([store.read(64, layer).values for layer in (0, 1)], axis=1)
    read = []
    for choose, judge in ((in_a, ~in_a), (~in_a, in_a)):
        y = store.labels[:, 2] > 0
        chosen = probes.experts(probes.average_precision(X[rows & choose], y[rows & choose]), top=3)
        read.append(probes.average_precision(X[rows & judge][:, chosen], y[rows & judge]))
    expected = np.mean(read)
    assert float(found["value"].sel(step=64).values[2, 1, 1]) == pytest.approx(expected, rel=1e-6)


def test_the_table_names_layer_neuron_and_rival(store):
    table = top_neurons(store, 64, n_best=4, twin=store)
    assert len(table) == 4 * 3 * 4
    assert table.groupby(["concept", "lang"]).size().eq(4).all()
    good = table[table["ap"] > 0.9]
    assert len(good) > 40
    assert (good["ap"] > good["best_other_ap"]).mean() > 0.9
    assert (good["best_other_concept"] != good["concept"]).all()
    assert (table["learned"] < 0.8).all()  # step 0 of the same store is noise
    assert table["neuron"].between(0, 63).all()
    assert set(table["layer"]) == {0, 1}


def test_per_neuron_keeps_every_axis_and_brings_chance(store):
    found = per_neuron(store, probes.average_precision, path=PATH)
    assert found["value"].dims == ("step", "lang", "concept", "layer", "neuron")
    rows = (store.examples["lang"] == store.languages[2]).to_numpy()
    expected = probes.average_precision(store.read(64, 1).values[rows], store.labels[rows, 3] > 0)
    np.testing.assert_allclose(
        found["value"].sel(step=64, layer=1).values[2, 3], expected, rtol=1e-6
    )
    assert float(found["chance"][0, 0]) == probes.expected_average_precision(24, 96)
    half = per_neuron(
        store, probes.auroc, groups=np.array(["g0000", "g0001", "g0030", "g0050", "g0080"])
    )
    assert float(half["chance"][0, 0]) == 0.5


def test_sentences_that_are_not_judged_take_no_part(store):
    partly = copy.copy(store)
    labels = store.labels.copy()
    labels[(labels[:, 1] == 1), 0] = -1
    partly.labels = labels
    found = per_neuron(partly, probes.average_precision)
    rows = (store.examples["lang"] == store.languages[0]).to_numpy()
    judged = rows & (labels[:, 0] >= 0)
    expected = probes.average_precision(store.read(64, 0).values[judged], labels[judged, 0] > 0)
    np.testing.assert_allclose(
        found["value"].sel(step=64, layer=0).values[0, 0], expected, rtol=1e-6
    )
    assert float(found["chance"][0, 0]) == probes.expected_average_precision(24, 72)
