"""False discovery rates: worked answers, scipy, planted signals, one family whatever its shape."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm

from neurotrace.probes.discoveries import benjamini_hochberg, benjamini_yekutieli


def test_worked_example_by_hand():
    p = [0.01, 0.5, 0.02, 0.04]
    assert benjamini_hochberg(p) == pytest.approx([0.04, 0.5, 0.04, 4 * 0.04 / 3])
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    assert benjamini_yekutieli(p) == pytest.approx(
        [0.04 * harmonic, 1.0, 0.04 * harmonic, 0.16 / 3 * harmonic]
    )


@pytest.mark.parametrize(
    ("ours", "method"), [(benjamini_hochberg, "bh"), (benjamini_yekutieli, "by")]
)
def test_equals_scipy_with_ties_zeros_and_ones(ours, method):
    p = np.random.default_rng(0).integers(0, 50, 400) / 49
    np.testing.assert_allclose(ours(p), false_discovery_control(p, method=method), rtol=1e-12)


@pytest.mark.parametrize("ours", [benjamini_hochberg, benjamini_yekutieli])
def test_shape_and_order_do_not_matter_and_input_is_left_alone(ours):
    rng = np.random.default_rng(1)
    p = rng.random((4, 5, 6)) ** 3
    before, order = p.copy(), rng.permutation(120)
    q = ours(p)
    assert q.shape == p.shape
    np.testing.assert_array_equal(ours(p.ravel()).reshape(p.shape), q)
    np.testing.assert_array_equal(ours(p.ravel()[order]), q.ravel()[order])
    np.testing.assert_array_equal(p, before)


@pytest.mark.parametrize("ours", [benjamini_hochberg, benjamini_yekutieli])
def test_tests_that_were_not_made_stay_nan_and_do_not_count(ours):
    p = np.array([0.01, np.nan, 0.2, np.nan, 0.03])
    q = ours(p)
    assert np.isnan(q).tolist() == [False, True, False, True, False]
    np.testing.assert_array_equal(q[[0, 2, 4]], ours(p[[0, 2, 4]]))
    assert np.isnan(ours(np.full(3, np.nan))).all()
    assert ours([]).shape == (0,)


def test_planted_signals_are_found_and_false_calls_keep_their_promise():
    rng = np.random.default_rng(2)
    planted = np.arange(1000) % 10 == 0
    false, found = {"bh": [], "by": []}, []
    for _ in range(200):
        block = np.repeat(rng.normal(size=100), 10)  # blocks of 10 neurons, correlation .5
        deviate = (block + rng.normal(size=1000)) / np.sqrt(2) + 4.0 * planted
        p = norm.sf(deviate)
        for name, correct in (("bh", benjamini_hochberg), ("by", benjamini_yekutieli)):
            called = correct(p) <= 0.1
            false[name].append((called & ~planted).sum() / max(called.sum(), 1))
        found.append((benjamini_hochberg(p) <= 0.1)[planted].mean())
    error = np.std(false["bh"]) / np.sqrt(200)
    assert np.mean(false["bh"]) == pytest.approx(0.1 * 0.9, abs=4 * error)
    assert np.mean(false["by"]) < 0.1 / 4
    assert np.mean(found) > 0.9


def test_nothing_is_called_of_nothing():
    rng = np.random.default_rng(3)
    any_called = [(benjamini_hochberg(rng.random(500)) <= 0.05).any() for _ in range(2000)]
    assert np.mean(any_called) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))


def test_values_that_are_no_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"p-value of 1.5 at \(1, 0\)"):
        benjamini_hochberg([[0.1], [1.5]])
    with pytest.raises(ValueError, match=r"p-value of -0.1 at \(0,\)"):
        benjamini_yekutieli([-0.1])
