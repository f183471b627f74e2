"""A step whose loss stands alone is off the curve; curves that rise, fall or tremble are not."""

import numpy as np
import pytest

from neurotrace.checkpoints.loss_curve import outliers

FALLING = [6.8, 6.6, 6.0, 4.9, 3.6, 3.1, 2.8, 2.5, 2.3, 2.2]


def test_honest_curves_have_no_outliers():
    assert outliers(FALLING) == {}
    assert outliers([2.0, 2.1, 2.3, 2.6, 3.0, 3.5]) == {}  # sentences unlike those of training
    trembling = 3 + 0.2 * np.random.default_rng(0).standard_normal(40)
    assert outliers(trembling) == {}


@pytest.mark.parametrize("at", [1, 4, 8])
def test_a_spike_is_one_outlier_and_its_neighbours_are_none(at):
    curve = FALLING.copy()
    curve[at] = 9.0
    assert list(outliers(curve)) == [at]
    assert outliers(curve)[at].endswith("nats above both neighbours")


def test_final_weights_in_the_middle_are_too_good_and_the_figure_is_by_hand():
    curve = FALLING.copy()
    curve[3] = 2.2
    assert outliers(curve) == {3: "loss 1.40 nats below both neighbours"}


def test_a_last_step_that_has_forgotten_all_is_an_outlier_and_one_a_little_worse_is_not():
    assert outliers([*FALLING, 9.2]) == {10: "loss 7.00 nats above the step before"}
    assert outliers([*FALLING, 2.6]) == {}


def test_steps_without_a_loss_are_passed_over():
    curve = [6.8, np.nan, 6.0, np.nan, 9.0, 3.1, np.nan, 2.5]
    assert list(outliers(curve)) == [4]
    assert outliers([np.nan, 2.0, 9.0]) == outliers([]) == {}
