"""Mutual information from histograms: known answers, an independent estimate, chance, ties."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from neurotrace.probes.information import mutual_information
from neurotrace.probes.stratified import equal_mass


def entropy(*shares):
    return -sum(share * np.log(share) for share in shares)


def test_four_sentences_by_hand():
    """High: 2 of 2 positive; low: 1 of 2. I = H(3/4) - H(1/2) / 2."""
    X, y = [[3.0], [3.0], [1.0], [1.0]], [1, 1, 1, 0]
    expected = entropy(3 / 4, 1 / 4) - entropy(1 / 2, 1 / 2) / 2
    assert expected == pytest.approx(0.2157615543)
    assert mutual_information(X, y, bins=2) == pytest.approx([expected], rel=1e-14)
    assert mutual_information(X, y) == pytest.approx([expected], rel=1e-14)


def test_miller_and_madow_by_hand():
    """Two bins, two classes and three filled cells: (2 + 2 - 3 - 1) / 8 = 0; with four, -1 / 8."""
    y = np.array([1, 1, 1, 0])
    for x, added in (([3, 3, 1, 1], 0.0), ([3, 1, 3, 3], 0.0), ([1, 0, 0, 1], 0.0)):
        X = np.array(x, float)[:, None]
        plain = mutual_information(X, y)
        assert mutual_information(X, y, miller_madow=True) == pytest.approx(plain + added)
    X, y = np.array([[1.0], [1.0], [0.0], [0.0]]), [1, 0, 1, 0]
    assert mutual_information(X, y) == pytest.approx([0.0])
    assert mutual_information(X, y, miller_madow=True) == pytest.approx([-1 / 8])


def test_a_neuron_that_knows_the_concept_tells_all_of_its_entropy():
    y = np.arange(800) < 200
    X = np.stack([y + np.linspace(0, 0.5, 800), -1.0 * y, np.full(800, 0.1)], axis=1)
    ours = mutual_information(X, y)
    assert ours == pytest.approx([entropy(1 / 4, 3 / 4), entropy(1 / 4, 3 / 4), 0], rel=1e-12)
    assert ours[2] == 0
    assert mutual_information(X, y, miller_madow=True)[2] == 0


def test_values_in_the_middle_are_seen_where_order_sees_nothing():
    rng = np.random.default_rng(0)
    y = np.arange(600) % 2 == 0
    middle = np.where(y, rng.uniform(-0.5, 0.5, 600), rng.choice([-1, 1], 600))
    assert mutual_information(middle[:, None], y)[0] > 0.6


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
@pytest.mark.parametrize("bins", [2, 5, 8, 33])
def test_estimates_equal_an_independent_one_on_the_same_bins(dtype, bins):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(301, 40)) * 30
    X[:, ::3] = np.round(X[:, ::3] / 30)
    X[:, 1::3] = np.maximum(X[:, 1::3], 0)
    X = X.astype(dtype)
    Y = rng.random((301, 3)) < 0.3
    expected = [
        [mutual_info_score(y, equal_mass(-x.astype(float), bins)) for x in X.T] for y in Y.T
    ]
    np.testing.assert_allclose(mutual_information(X, Y, bins=bins), expected, atol=1e-13)


def test_ties_are_never_parted():
    """Half the responses are 0: whatever the bins, all of them share one."""
    x = np.concatenate([np.zeros(50), np.arange(1, 51)])
    for bins in (2, 3, 4, 8, 20):
        which = equal_mass(x, bins)
        assert len(set(which[:50])) == 1
        assert which.max() <= bins - 1
        assert which[:50].max() < which[50:].min() or bins < 4


def test_untied_bins_have_equal_mass():
    sizes = np.bincount(equal_mass(np.random.default_rng(2).normal(size=721), 8), minlength=8)
    assert sizes.min() >= 90
    assert sizes.max() <= 91


def test_few_distinct_values_have_a_bin_each():
    x = np.repeat([0.0, 1.0, 2.0], [90, 5, 5])
    y = np.repeat([False, True, False], [90, 5, 5])
    assert mutual_information(x[:, None], y) == pytest.approx([entropy(0.05, 0.95)], rel=1e-12)


def test_increasing_transforms_change_nothing():
    rng = np.random.default_rng(3)
    X, y = rng.integers(-20, 20, (150, 20)).astype(np.float32), np.arange(150) % 4 == 0
    np.testing.assert_array_equal(mutual_information(np.exp(X / 8), y), mutual_information(X, y))


@pytest.mark.parametrize(("n", "bins"), [(720, 8), (720, 4), (2000, 16)])
def test_chance_is_what_the_docstring_says_and_is_taken_off_on_request(n, bins):
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(n, 4000)), rng.random(n) < 0.4
    chance = (bins - 1) / (2 * n)
    spread = (bins - 1) ** 0.5 / (2**0.5 * n) / 4000**0.5  # 2 n I follows a chi-square
    plain = mutual_information(X, y, bins=bins).mean()
    assert plain == pytest.approx(chance, rel=0.02, abs=5 * spread)
    corrected = mutual_information(X, y, bins=bins, miller_madow=True).mean()
    assert abs(corrected) < 0.02 * chance + 5 * spread


@pytest.mark.parametrize("bins", [1, 0, 2.5])
def test_bins_that_are_none_are_refused(bins):
    with pytest.raises(ValueError, match=f"got bins={bins}, expected a whole number, at least 2"):
        mutual_information(np.zeros((4, 1)), [1, 0, 1, 0], bins=bins)
