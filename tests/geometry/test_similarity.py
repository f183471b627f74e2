"""CKA: known answers, exact chance against every order, planted likeness, invariances."""

from itertools import permutations

import numpy as np
import pytest

from neurotrace.geometry import similarity
from neurotrace.geometry.similarity import cka, cka_calibrated, gram_is_less_work

X = np.array([[1, 0], [0, 1], [1, 1], [2, 0], [0, 3]], float)
Y = np.array([[1, 2, 0], [0, 1, 1], [1, 1, 1], [3, 0, 0], [0, 2, 4]], float)
ORDERS = [list(order) for order in permutations(range(5))]


def noise(n, d=768, seed=0):
    return np.random.default_rng(seed).standard_normal((2, n, d))


def rotation(d, seed=7):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def by_sums(A, B):
    """The debiased value as the U-statistic defines it: rows and columns without the diagonal."""

    def dcentred(M):
        K = M @ M.T
        np.fill_diagonal(K, 0)
        n = len(K)
        row = K.sum(0) / (n - 2)
        K = K - row - row[:, None] + K.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(K, 0)
        return K

    K, L = dcentred(A), dcentred(B)
    return (K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum())


def test_five_pairs_have_their_known_value_in_both_forms():
    assert cka(X, Y, debiased=False) == pytest.approx(0.957703, abs=1e-6)
    assert cka(X, Y) == pytest.approx(by_sums(X, Y), rel=1e-12)
    assert cka(X, Y) == pytest.approx(0.939010, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (100, 0.8812),
        (200, 0.7954),
        (997, 0.4361),
        pytest.param(5010, 0.1328, marks=pytest.mark.slow),
    ],
)
def test_noise_has_its_known_biased_value_as_chance_and_scores_zero_beyond_it(n, expected):
    found = cka_calibrated(*noise(n), permutations=0)
    assert found.value == pytest.approx(expected, abs=0.006)
    assert found.chance == pytest.approx(expected, abs=0.004)
    assert abs(found.debiased) < 0.03
    assert abs(found.calibrated) < 0.03
    assert np.isnan(found.p)


def test_chance_and_spread_are_those_of_all_orders_of_the_rows():
    biased = [cka(X, Y[order], debiased=False) for order in ORDERS]
    found = cka_calibrated(X, Y)
    assert found.chance == pytest.approx(np.mean(biased), rel=1e-12)
    assert found.z == pytest.approx((found.value - np.mean(biased)) / np.std(biased), rel=1e-9)
    assert np.mean([cka(X, Y[order]) for order in ORDERS]) == pytest.approx(0, abs=1e-12)
    assert found.calibrated == pytest.approx((found.value - found.chance) / (1 - found.chance))


def test_drawn_orders_agree_with_the_exact_moments_on_skewed_rows():
    A, B = np.random.default_rng(3).lognormal(size=(2, 40, 6))
    rng = np.random.default_rng(4)
    drawn = [cka(A, B[rng.permutation(40)], debiased=False) for _ in range(1500)]
    found = cka_calibrated(A, B, permutations=0)
    assert found.chance == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 1500**0.5)
    assert (found.value - found.chance) / found.z == pytest.approx(np.std(drawn), rel=0.1)


def test_p_is_uniform_for_noise_and_smallest_for_a_common_part():
    p = [cka_calibrated(*noise(20, 5, seed), permutations=19).p for seed in range(300)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.04)
    A, B = noise(20, 5)
    assert cka_calibrated(A, A + 0.3 * B, permutations=99).p == pytest.approx(0.01)


def test_a_planted_share_of_common_variance_is_found_whatever_the_sample():
    # Independent unit directions of which a share s is common to both: CKA tends to that share².
    for n in (300, 1500):
        A, B = noise(n, 40, seed=n)
        B[:, :20] = A[:, :20]
        assert cka(A, B) == pytest.approx(0.5, abs=0.03)
    assert cka(*noise(300, 40)) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("debiased", [True, False])
def test_rotation_scale_shift_and_the_order_of_pairs_do_not_matter(debiased):
    A, B = noise(60, 30)
    assert cka(A, 5 * A @ rotation(30) - 3, debiased=debiased) == pytest.approx(1, abs=1e-12)
    B = A + B
    order = np.random.default_rng(1).permutation(60)
    expected = cka(A, B, debiased=debiased)
    assert cka(A @ rotation(30) + 9, 0.1 * B, debiased=debiased) == pytest.approx(expected)
    assert cka(A[order], B[order], debiased=debiased) == pytest.approx(expected)
    assert cka(B, A, debiased=debiased) == pytest.approx(expected)
    stretched = A * np.linspace(1, 20, 30)
    assert cka(stretched, B, debiased=debiased) < expected - 0.01


@pytest.mark.parametrize("widths", [(3, 70), (90, 90), (8, 8)])
def test_gram_and_feature_space_agree(widths, monkeypatch):
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal((50, width)) for width in widths)
    found = []
    for gram in (True, False):
        monkeypatch.setattr(similarity, "gram_is_less_work", lambda *_, gram=gram: gram)
        found.append([*cka_calibrated(A, B, permutations=9)])
    np.testing.assert_allclose(*found, atol=1e-10)


def test_the_smaller_way_is_taken():
    assert gram_is_less_work(100, 768, 768)
    assert not gram_is_less_work(5010, 768, 768)


def test_what_does_not_vary_has_no_similarity():
    A, _ = noise(30, 4)
    constant = np.full((30, 4), 0.1)
    assert np.isnan(cka(A, constant))
    assert np.isnan(cka(constant, A, debiased=False))
    assert all(np.isnan(value) for value in cka_calibrated(A, constant))
    A[:, 1] = 1e6
    assert cka(A, np.delete(A, 1, axis=1)) == pytest.approx(1, abs=1e-12)


def test_inputs_of_other_types_work_and_stay_as_they_are():
    A = noise(40, 6)[0].astype(np.float16)
    before = A.copy()
    A.setflags(write=False)
    assert cka(A, A.astype(np.float32) * 2) == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(A, before)


@pytest.mark.parametrize(
    ("A", "B", "message"),
    [
        (np.ones((4, 3)), np.ones((5, 3)), "as many rows"),
        (np.ones(4), np.ones(4), "as many rows"),
        (np.ones((4, 0)), np.ones((4, 3)), "as many rows"),
        (X[:3], Y[:3], "got 3 pairs; expected at least 4"),
        (X, np.where(Y == 4, np.nan, Y), "got B .* not finite"),
        (np.where(X == 3, np.inf, X), Y, "got A .* not finite"),
        (X.astype(str), Y, "got A of dtype"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(A, B, message):
    with pytest.raises(ValueError, match=message):
        cka(A, B)
    with pytest.raises(ValueError, match=message):
        cka_calibrated(A, B)


def test_fewer_than_no_permutations_are_refused():
    with pytest.raises(ValueError, match="got permutations=-1; expected 0 or more"):
        cka_calibrated(X, Y, permutations=-1)


def test_the_products_of_many_gram_matrices_at_once_are_those_of_each_pair():
    rng = np.random.default_rng(5)
    sides = [similarity.centred(rng.standard_normal((150, 200)), gram=True) for _ in range(3)]
    turned = [similarity.reordered(side, rng.permutation(150)) for side in sides]
    found = similarity.crosses(sides, turned)
    for (a, b), product in np.ndenumerate(found):
        plain = similarity.alikeness(sides[a], turned[b])
        given = similarity.alikeness(sides[a], turned[b], cross=product)
        np.testing.assert_allclose(given, plain, rtol=1e-10)
