"""AUROC within strata: pairs counted one by one, a planted counter of tokens, refusals."""

import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import roc_auc_score

from neurotrace.probes.scores import auroc
from neurotrace.probes.stratified import equal_mass


def pair_by_pair(x, y, strata):
    won, pairs = 0.0, 0
    for i in np.flatnonzero(y):
        for k in np.flatnonzero(~y & (strata == strata[i])):
            won += (x[i] > x[k]) + 0.5 * (x[i] == x[k])
            pairs += 1
    return won / pairs


def stage(n=720, seed=0):
    """Sentences of the concept are longer; neuron 0 counts tokens, 1 knows the concept, 2 both."""
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    tokens = np.round(np.exp(rng.normal(3.2 + 0.6 * y, 0.5)))
    knows = rng.normal(size=n) + 1.2 * y
    return np.stack([tokens, knows, rng.normal(size=n)], axis=1), y, tokens


def test_two_strata_by_hand():
    """Short: 1 pair of 1 won. Long: .5 of 2, as one ties and one loses. 1.5 of 3 pairs."""
    X, y = [[5.0], [4.0], [2.0], [2.0], [3.0]], [1, 0, 1, 0, 0]
    assert auroc(X, y, stratify=[1, 1, 9, 9, 9]) == pytest.approx([1.5 / 3])


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("bins", [1, 3, 7])
def test_stratified_equals_counting_the_pairs(dtype, bins):
    rng = np.random.default_rng(1)
    X = np.round(rng.normal(size=(90, 12)) * 2).astype(dtype)
    X[:, ::2] += rng.normal(size=(90, 6)).astype(dtype)
    Y = rng.random((90, 3)) < 0.4
    tokens = rng.integers(3, 30, 90)
    strata = equal_mass(tokens, bins)
    expected = [[pair_by_pair(x, y, strata) for x in X.T] for y in Y.T]
    ours = auroc(X, Y, stratify=tokens, bins=bins)
    np.testing.assert_allclose(ours, expected, rtol=1e-13)


def test_a_group_of_equal_values_goes_where_its_middle_falls():
    """Seven ones above two zeros: places 3 to 9 of ten, the middle at 5.5, in the upper half."""
    values = np.array([0, 0, 1, 1, 1, 1, 1, 1, 1, 2])
    assert equal_mass(values, 2).tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert equal_mass(-values, 2).tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert equal_mass(values, 3).tolist() == values.tolist()


def test_stratified_is_the_mean_over_bins_weighted_by_their_pairs():
    X, y, tokens = stage()
    strata = equal_mass(tokens, 5)
    inside = [strata == stratum for stratum in range(5)]
    weights = [y[rows].sum() * (~y[rows]).sum() for rows in inside]
    by_bin = [[roc_auc_score(y[rows], x[rows]) for rows in inside] for x in X.T]
    expected = np.average(by_bin, axis=1, weights=weights)
    np.testing.assert_allclose(auroc(X, y, stratify=tokens, bins=5), expected, rtol=1e-12)


def test_a_counter_of_tokens_falls_towards_a_half_and_an_honest_neuron_stays():
    X, y, tokens = stage(4000)
    plain = auroc(X, y)
    assert plain[0] > 0.78
    assert plain[1] > 0.78
    by_bins = np.array([auroc(X, y, stratify=tokens, bins=bins) for bins in (5, 10, 20, 400)])
    assert (by_bins[:, 0] < [0.62, 0.58, 0.55, 0.51]).all()
    assert (np.diff(by_bins[:, 0]) < 0).all()
    assert by_bins[-1, 0] == 0.5  # a bin for each count: nothing is left
    assert by_bins[:, 1] == pytest.approx(plain[1], abs=0.03)
    assert by_bins[:, 2] == pytest.approx(0.5, abs=0.03)


def test_one_bin_or_a_constant_covariate_is_the_plain_score():
    X, y, tokens = stage()
    np.testing.assert_array_equal(auroc(X, y, stratify=tokens, bins=1), auroc(X, y))
    np.testing.assert_array_equal(auroc(X, y, stratify=np.zeros(720)), auroc(X, y))


def test_order_and_scale_of_the_covariate_do_not_matter():
    X, y, tokens = stage()
    expected = auroc(X, y, stratify=tokens)
    rows = np.random.default_rng(2).permutation(720)
    np.testing.assert_allclose(auroc(X[rows], y[rows], stratify=tokens[rows]), expected, rtol=1e-13)
    np.testing.assert_array_equal(auroc(X, y, stratify=np.exp(tokens / 99)), expected)


def test_unknown_labels_equal_the_sentences_dropped():
    X, y, tokens = stage()
    Y = np.stack([y, y, ~y], axis=1).astype(int)
    Y[np.random.default_rng(3).random(Y.shape) < 0.3] = -1
    ours = auroc(X, Y, stratify=tokens)
    for column, score in zip(Y.T, ours, strict=True):
        known = column >= 0
        alone = auroc(X[known], column[known], stratify=tokens[known])
        np.testing.assert_allclose(score, alone, rtol=1e-13)


def test_constant_neurons_score_a_half_in_any_stratum():
    _, y, tokens = stage()
    assert auroc(np.full((720, 2), 0.1), y, stratify=tokens).tolist() == [0.5, 0.5]


def test_both_tails_take_the_further_one():
    X, y, tokens = stage()
    X = np.concatenate([X, -X], axis=1)
    for stratify in (None, tokens):
        upper = auroc(X, y, stratify=stratify)
        both = auroc(X, y, stratify=stratify, tails="both")
        np.testing.assert_array_equal(both, np.maximum(upper, 1 - upper))
        np.testing.assert_allclose(both[:3], both[3:], rtol=1e-12)
    assert upper[4] < 0.5 < both[4]


def test_a_bottom_expert_is_selected_from_both_tails_only():
    X, y, _ = stage()
    X[:, 1] *= -1
    chosen = SelectKBest(lambda X, y: auroc(X, y, tails="both"), k=2).fit(X, y)
    assert chosen.get_support(indices=True).tolist() == [0, 1]
    assert SelectKBest(auroc, k=2).fit(X, y).get_support(indices=True).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stratify": np.zeros(3)}, r"stratify of shape \(3,\) .* expected \(4,\) numbers"),
        ({"stratify": np.zeros((4, 1))}, r"stratify of shape \(4, 1\)"),
        ({"stratify": ["a"] * 4}, "dtype <U1"),
        ({"stratify": [1, 2, np.nan, 3]}, "stratify=nan at sentence 2"),
        ({"stratify": [1, 2, 1, 2], "bins": 0}, "bins=0, expected a whole number, at least 1"),
        ({"stratify": [1, 2, 1, 2]}, r"no bin of stratify with both .* concept \(column\) 0"),
        ({"tails": "lower"}, "tails='lower', expected one of upper, both"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(changed, message):
    with pytest.raises(ValueError, match=message):
        auroc(np.arange(8.0).reshape(4, 2), [1, 0, 1, 0], **changed)
