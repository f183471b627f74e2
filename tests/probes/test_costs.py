"""Prices of scoring: they follow what makes scoring dearer, and impossible jobs have none."""

import pytest

from neurotrace.probes.costs import Costs, measured


def test_sums_of_a_plan_are_those_of_its_parts():
    costs = Costs(ranking=1.0, average_precision=2.0, auroc=4.0, halves=8.0, experts=16.0)
    assert (costs.table, costs.overlap) == (3.0, 25.0)


def test_every_part_costs_something_and_more_work_costs_more():
    small, large = measured(400, 10, n_splits=4), measured(6_400, 10, n_splits=24)
    assert min(small) > 0
    assert large.ranking > 2 * small.ranking  # sixteen times the sentences
    assert large.average_precision > 2 * small.average_precision
    assert large.auroc > 2 * small.auroc
    assert large.halves > 4 * small.halves  # and six times the splits
    assert large.experts > 2 * small.experts


def test_more_splits_cost_more():
    assert measured(1_600, 10, n_splits=48).halves > 3 * measured(1_600, 10, n_splits=2).halves


def test_prices_are_of_one_neuron():
    """A microsecond a thousand sentences is too little for any machine, a millisecond too much."""
    costs = measured(4_000, 40)
    assert 4e-6 < costs.table < 4e-3
    assert costs.halves < 20 * 4e-3


@pytest.mark.parametrize(
    ("sizes", "given", "message"),
    [
        ((19, 10), {}, "n_examples=19 for 10 concepts, expected at least 20"),
        ((20, 0), {}, "n_concepts=0"),
        ((20, 2), {"n_splits": 0}, "n_splits=0"),
        ((20, 2), {"top": 1.5}, "top=1.5"),
        ((20, 2), {"n_neurons": -1}, "n_neurons=-1"),
    ],
)
def test_impossible_jobs_are_refused(sizes, given, message):
    with pytest.raises(ValueError, match=message):
        measured(*sizes, **given)
