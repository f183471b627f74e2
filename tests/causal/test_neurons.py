"""Neurons by number, pair, name and mask say the same thing."""

import numpy as np
import pytest

from neurotrace.causal.neurons import by_layer, flat, names, parse, widths_of

WIDTHS = (4, 3, 5)


def test_every_spelling_of_a_neuron_is_the_same_neuron():
    mask = np.zeros(12, dtype=bool)
    mask[[1, 6, 7]] = True
    for spelling in ([1, 6, 7], [(0, 1), (1, 2), (2, 0)], ["L0.N1", "L1.N2", "L2.N0"], mask):
        assert flat(spelling, WIDTHS).tolist() == [1, 6, 7]
        assert names(spelling, WIDTHS) == ["L0.N1", "L1.N2", "L2.N0"]


def test_the_order_given_is_the_order_kept_within_a_layer():
    found = by_layer(["L2.N4", "L0.N3", "L2.N1", "L0.N0"], WIDTHS)
    assert {layer: own.tolist() for layer, own in found.items()} == {0: [3, 0], 2: [4, 1]}
    assert list(found) == [0, 2]


def test_names_and_numbers_are_inverse_for_every_neuron():
    everything = np.arange(sum(WIDTHS))
    assert flat(names(everything, WIDTHS), WIDTHS).tolist() == everything.tolist()
    assert [parse(name) for name in names([0, 11], WIDTHS)] == [(0, 0), (2, 4)]


def test_no_neurons_are_no_layers():
    assert by_layer([], WIDTHS) == {}
    assert names(np.zeros(12, dtype=bool), WIDTHS) == []


@pytest.mark.parametrize(
    ("neurons", "line"),
    [
        ([12], "number 12; the model has 12"),
        ([-1], "number -1"),
        ([(1, 3)], "L1.N3; the model has 3 layers"),
        (["L3.N0"], "L3.N0"),
        (["N0.L3"], "expected a name such as L3.N117"),
        ([2, 5, 2], "L0.N2 twice"),
        ([0.5], "expected flat numbers"),
        (np.zeros((2, 3), dtype=int), "expected flat numbers"),
        (np.ones(4, dtype=bool), r"mask of shape \(4,\)"),
    ],
)
def test_neurons_that_do_not_exist_are_refused_by_name(neurons, line):
    with pytest.raises(ValueError, match=line):
        flat(neurons, WIDTHS)


def test_widths_are_one_a_layer_and_a_site_that_is_not_there_is_refused(model):
    assert widths_of(model) == (80, 80, 80)
    assert widths_of(model, "hook_resid_post") == (32, 32, 32)
    with pytest.raises(ValueError, match=r"mlp\.nonsense"):
        widths_of(model, "mlp.nonsense")
