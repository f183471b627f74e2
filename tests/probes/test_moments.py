"""Mean difference and F statistic: known answers, scikit-learn, exact arithmetic, extremes."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from sklearn.feature_selection import f_classif

from neurotrace.probes.moments import f_statistic, mean_difference


def test_difference_of_means_is_in_units_of_the_responses_and_signed():
    X = np.array([[3.0, -1.0], [5.0, -2.0], [1.0, 0.0], [1.0, 1.0], [4.0, 2.0]])
    y = [1, 1, 0, 0, 0]
    assert mean_difference(X, y) == pytest.approx([2.0, -2.5], rel=1e-14)
    assert mean_difference(X, [0, 0, 1, 1, 1]) == pytest.approx([-2.0, 2.5], rel=1e-14)
    assert mean_difference(1e-6 * X + 9, y) == pytest.approx([2e-6, -2.5e-6], rel=1e-9)


def test_f_statistic_by_hand():
    """Positives 4 2, negatives 1 0: means 3, .5; within 2 + .5, between 2.5² · 2 · 2 / 4."""
    assert f_statistic([[4.0], [2.0], [1.0], [0.0]], [1, 1, 0, 0]) == pytest.approx(
        [2 * 6.25 / 2.5]
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_f_statistic_equals_sklearn(dtype):
    """Of neurons about 0: far from it, scikit-learn itself loses digits, see exact arithmetic."""
    rng = np.random.default_rng(0)
    Y = rng.random((720, 4)) < [0.5, 0.2, 0.02, 0.9]
    X = rng.normal(size=(720, 600)) * np.exp(rng.normal(size=600))
    X[:, :100] += 3 * Y[:, :1] * rng.random(100)
    X[:, 100:300] = np.maximum(X[:, 100:300], 0)
    X = X.astype(dtype)
    expected = [f_classif(X.astype(np.float64), y)[0] for y in Y.T]
    np.testing.assert_allclose(f_statistic(X, Y), expected, rtol=1e-10, atol=1e-11)


def test_half_precision_is_summed_in_double():
    """A running sum of float16 stops growing at 2,048: 5,000 ones and a few twos would be lost."""
    X = np.ones((10_000, 1), np.float16)
    X[:3] = 2
    y = np.arange(10_000) < 5_000
    assert mean_difference(X, y) == pytest.approx([3 / 5_000], rel=1e-12)


def exact_f(x, y):
    """F by rational arithmetic."""
    x = [Fraction(float(v)) for v in x]
    parts = [[v for v, on in zip(x, y, strict=True) if on == side] for side in (True, False)]
    means = [sum(part) / len(part) for part in parts]
    within = sum((v - m) ** 2 for part, m in zip(parts, means, strict=True) for v in part)
    between = (means[0] - means[1]) ** 2 * len(parts[0]) * len(parts[1]) / len(x)
    return float(between * (len(x) - 2) / within)


@pytest.mark.parametrize("far", [0.0, 1e3, 1e8])
@pytest.mark.parametrize("apart", [0.0, 1.0, 1e3, 1e6])
def test_f_statistic_is_exact_far_from_zero_and_near_perfect_separation(far, apart):
    rng = np.random.default_rng(1)
    y = np.arange(60) < 20
    x = far + apart * y + rng.normal(size=60)
    assert f_statistic(x[:, None], y) == pytest.approx([exact_f(x, y)], rel=1e-9)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e150, 1e300])
def test_f_statistic_has_no_unit_however_small_or_large(scale):
    rng = np.random.default_rng(2)
    X = rng.integers(-9, 9, (50, 5)).astype(float)
    y = np.arange(50) % 3 == 0
    np.testing.assert_allclose(f_statistic(X * scale, y), f_statistic(X, y), rtol=1e-9)
    np.testing.assert_allclose(mean_difference(X * scale, y), mean_difference(X, y) * scale, 1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e7, 65504.0])
def test_constant_neurons_score_zero_without_a_warning(value):
    X, y = np.full((31, 2), value), np.arange(31) % 3 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mean_difference(X, y).tolist() == [0, 0]
        assert f_statistic(X, y).tolist() == [0, 0]


def test_classes_that_are_each_constant_score_infinity():
    y = np.arange(31) % 3 == 0
    X = np.stack([np.where(y, 0.1, 0.7), np.where(y, 0.7, 0.1), np.full(31, 0.3)], axis=1)
    assert f_statistic(X, y).tolist() == [np.inf, np.inf, 0]


def test_shift_and_sign_leave_f_alone_and_turn_the_difference():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(80, 10)), np.arange(80) < 30
    np.testing.assert_allclose(f_statistic(5 - 3 * X, y), f_statistic(X, y), rtol=1e-10)
    np.testing.assert_allclose(mean_difference(5 - 3 * X, y), -3 * mean_difference(X, y), 1e-10)


def test_random_labels_give_f_its_expectation():
    """The mean of F(1, m) is m / (m - 2)."""
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(100, 20_000)), np.arange(100) < 40
    assert f_statistic(X, y).mean() == pytest.approx(98 / 96, abs=5 * 1.45 / 20_000**0.5)


def test_two_sentences_have_no_spread_to_compare_with():
    with pytest.raises(ValueError, match="got 2 known sentences .* expected at least 3"):
        f_statistic([[1.0], [2.0], [3.0]], [1, 0, -1])
    assert mean_difference([[1.0], [2.0], [3.0]], [1, 0, -1]) == pytest.approx([-1.0])
