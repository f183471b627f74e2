"""What an experiment takes hold of is chosen on half A, and what it carries over is of half B."""

import numpy as np
import pytest
from planted import PATH, Stage, experts_of, fire

from neurotrace.trajectories.handles import half_a, handles, neuron_sets

STAGE = Stage(n_concepts=4, n_groups=64, n_langs=3, widths=(128, 192))
EXPERTS = experts_of(STAGE, k=8, shared=0.5, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    rng = np.random.default_rng(0)
    X = fire(STAGE, EXPERTS, signal=5, rng=rng)
    X[:, 300:] += 6.0 * (STAGE.lang == 1)[:, None]  # the last twenty answer to the second language
    X[:, 300] = X[:, EXPERTS[0, 0, 0]] + 9.0 * (STAGE.lang == 1)  # and this one to a concept, too
    noise = rng.standard_normal(X.shape)
    return STAGE.write(tmp_path_factory.mktemp("handles"), {0: noise, 64: X})


def activations(store, step):
    return np.concatenate([store.read(step, layer, PATH).values for layer in store.layers], axis=1)


def test_planted_experts_are_found_over_both_layers(store):
    held = handles(store, 64, top=8)
    assert held.experts.shape == (3, 4, 8)
    planted = np.setdiff1d(EXPERTS[0, 2], range(300, 320))
    assert np.isin(planted, held.experts[0, 2]).mean() > 0.8


def test_sources_are_rows_of_half_b_that_carry_the_concept(store):
    held, in_a, X = handles(store, 64, top=8, n_sources=3), half_a(store), activations(store, 64)
    assert held.sources.shape == (3, 4, 3, 320)
    for sentence in held.sources[1, 2]:
        (row,) = np.flatnonzero((X == sentence).all(1))
        assert not in_a[row]
        assert (STAGE.lang[row], STAGE.concept[row]) == (1, 2)


def test_medians_and_directions_are_of_half_a(store):
    held, in_a, X = handles(store, 64, top=8), half_a(store), activations(store, 64)
    own = in_a & (STAGE.lang == 2)
    with_it, without = own & (STAGE.concept == 1), own & (STAGE.concept != 1)
    assert held.medians[2, 1] == pytest.approx(np.median(X[with_it], axis=0), abs=1e-6)
    expected = X[with_it].mean(0) - X[without].mean(0)
    assert held.directions[2, 1] == pytest.approx(expected, abs=1e-5)


def test_the_same_sentences_are_carried_at_every_step(store):
    rows = []
    for step in (0, 64):
        held, X = handles(store, step, top=8), activations(store, step)
        rows.append([int(np.flatnonzero((X == s).all(1))[0]) for s in held.sources[0, 0]])
    assert rows[0] == rows[1]


def test_fewer_languages_and_concepts_are_the_same_numbers(store):
    every = handles(store, 64, top=8)
    some = handles(store, 64, top=8, languages=["qac_Latn", "qaa_Latn"], concepts=["c03"])
    assert (some.languages, some.concepts) == (["qac_Latn", "qaa_Latn"], ["c03"])
    assert np.array_equal(some.experts[0, 0], every.experts[2, 3])
    assert np.array_equal(some.medians[1, 0], every.medians[0, 3])
    assert np.array_equal(some.sources[1, 0], every.sources[0, 3])
    with pytest.raises(ValueError, match="got language fra_Latn; valid are qaa_Latn"):
        handles(store, 64, languages=["fra_Latn"])


def test_sets_hold_planted_shared_and_language_neurons_and_nothing_in_noise(store):
    sets = neuron_sets(store, 64, most=24)
    common = np.unique(EXPERTS[0, :, :4])
    assert 12 <= sets.shared.sum() <= 24  # of 16 planted
    # An accidental overlap of two languages' own experts for one concept cannot be.
    assert np.isin(np.flatnonzero(sets.shared), common).mean() > 0.9
    assert sets.language.sum(1).tolist() == [0, 8, 0]  # an equal part of 24 neurons
    assert np.flatnonzero(sets.language[1]).min() >= 300
    assert not sets.language[1, 300]  # it is a shared neuron before it is a language's
    silent = neuron_sets(store, 0, most=24)
    assert silent.shared.sum() + silent.language.sum() <= 1


def test_a_called_set_is_decided_by_half_a_alone(store, tmp_path):
    X, in_a = activations(store, 64).copy(), half_a(store)
    rng = np.random.default_rng(3)
    X[~in_a] = rng.standard_normal(X[~in_a].shape)  # half B says something else
    other = STAGE.write(tmp_path / "other", {64: X})
    before, after = neuron_sets(store, 64, most=24), neuron_sets(other, 64, most=24)
    assert np.array_equal(before.shared, after.shared)
    assert np.array_equal(before.language, after.language)
