"""LAPE: published toys, rules at their edges, planted language neurons."""

import numpy as np
import pytest

from neurotrace.probes.lape import lape, lape_neurons


def test_toy_entropies():
    rate = np.array([[0.9, 0.3], [0.05, 0.3], [0.05, 0.3]])
    assert lape(rate) == pytest.approx([0.39440, 1.09861], abs=5e-6)


def test_only_proportions_count_and_languages_may_come_in_any_order():
    rate = np.random.default_rng(0).random((5, 40))
    np.testing.assert_allclose(lape(rate / 7), lape(rate), rtol=1e-12)
    np.testing.assert_allclose(lape(rate[::-1]), lape(rate), rtol=1e-12)
    assert (lape(rate) <= np.log(5)).all()


def test_a_neuron_of_one_language_scores_zero_and_one_that_never_fires_has_no_score():
    entropy = lape([[0.2, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert entropy[0] == 0
    assert not np.signbit(entropy[0])
    assert np.isnan(entropy[1])


def planted(n_neurons=1000, seed=1):
    """Neurons 0-3 fire in language 0, 4-6 in language 1, 7 in both 0 and 1; 8 and 9 never do."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.1, 0.3, (4, n_neurons))
    rate[:, :10] = 0.01
    rate[0, :4] = 0.9
    rate[1, 4:7] = 0.8
    rate[:2, 7] = 0.85
    rate[:, 8:10] = 0
    return rate


def test_planted_neurons_come_out_each_in_its_languages():
    found = lape_neurons(planted(), fraction=0.008)
    assert found.shape == (4, 1000)
    assert np.flatnonzero(found[0]).tolist() == [0, 1, 2, 3, 7]
    assert np.flatnonzero(found[1]).tolist() == [4, 5, 6, 7]


def test_a_language_without_a_neuron_keeps_its_row():
    found = lape_neurons(planted(), fraction=0.008)
    assert found.sum(1).tolist() == [5, 4, 0, 0]


def test_languages_and_neurons_may_come_in_any_order():
    rng = np.random.default_rng(2)
    rows, columns = rng.permutation(4), rng.permutation(1000)
    rate = planted()
    mixed = lape_neurons(rate[rows][:, columns], fraction=0.008)
    np.testing.assert_array_equal(mixed, lape_neurons(rate, fraction=0.008)[rows][:, columns])


def test_neurons_that_never_pass_the_bar_are_discarded_however_specific():
    rate = planted()
    rate[0, 8] = 1e-6  # the lowest entropy of all, and next to no firing
    found = lape_neurons(rate, fraction=0.008)
    assert lape(rate)[8] == 0
    assert not found[:, 8:10].any()
    assert np.flatnonzero(found.any(0)).tolist() == list(range(8))


def test_fewer_come_out_where_too_few_pass():
    found = lape_neurons(planted(), fraction=0.5, activity=0.998)  # the bar is .8
    np.testing.assert_array_equal(found, planted() > 0.8)
    assert found.sum() == 6


def test_the_bar_is_the_value_at_its_place_and_must_be_passed():
    """Ten rates, activity .8: the eighth lowest, 0.8, is the bar; only 0.9 and 1.0 are above."""
    rate = np.array([[0.1, 0.9, 0.3, 0.8, 0.5], [0.6, 0.7, 1.0, 0.2, 0.4]])
    found = lape_neurons(rate, fraction=1.0, activity=0.8)
    assert np.argwhere(found).tolist() == [[0, 1], [1, 2]]
    rate[0, 1] = 0.8  # the bar itself: not above
    assert np.argwhere(lape_neurons(rate, fraction=1.0, activity=0.8)).tolist() == [[1, 2]]


def test_fraction_is_of_all_neurons_and_ties_take_the_lower_index():
    rate = np.zeros((2, 100))
    rate[0, 10:20] = 0.5
    found = lape_neurons(rate, fraction=0.03, activity=0.5)
    assert np.flatnonzero(found[0]).tolist() == [10, 11, 12]
    assert lape_neurons(rate, fraction=0.001, activity=0.5).sum() == 1


def test_equal_rates_give_nobody():
    assert not lape_neurons(np.full((3, 50), 0.2)).any()
    assert not lape_neurons(np.zeros((3, 50))).any()


def test_rates_are_left_as_they_were():
    rate = planted().astype(np.float32)
    rate.flags.writeable = False
    before = rate.tobytes()
    lape(rate), lape_neurons(rate)
    assert rate.tobytes() == before


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (np.zeros(5), r"rates of shape \(5,\)"),
        (np.zeros((1, 5)), "at least two languages"),
        (np.zeros((2, 0)), r"shape \(2, 0\)"),
        (np.zeros((2, 3), complex), "dtype complex128"),
        ([[0.1, 0.2], [0.1, np.nan]], "rate nan of neuron 1 in language 1"),
        ([[0.1, 40.0], [0.1, 0.2]], "rate 40.0 of neuron 1 in language 0"),
        ([[0.1, 0.2], [-0.1, 0.2]], "rate -0.1 of neuron 0 in language 1"),
    ],
)
def test_rates_that_are_none_are_refused_by_neuron_and_language(rate, message):
    for function in (lape, lape_neurons):
        with pytest.raises(ValueError, match=message):
            function(rate)


@pytest.mark.parametrize(("name", "share"), [("fraction", 0), ("activity", 1.5), ("fraction", 2)])
def test_shares_outside_their_range_are_refused(name, share):
    with pytest.raises(ValueError, match=f"got {name}={share}, expected a share"):
        lape_neurons(np.zeros((2, 5)), **{name: share})
