"""Retrieval: worked answers, fair ties, chance, invariances."""

import numpy as np
import pytest

from neurotrace.geometry import neighbours, retrieval


def noise(n_pairs, n_features=32, seed=0):
    return np.random.default_rng(seed).normal(size=(2, n_pairs, n_features))


def by_hand(A, B, k):
    """Share of rows of A with their own row of B among the k of largest cosine; no ties."""
    cosines = (A @ B.T) / np.outer(np.linalg.norm(A, axis=1), np.linalg.norm(B, axis=1))
    rank = (cosines > np.diag(cosines)[:, None]).sum(1)
    return (rank < k).mean()


def test_three_pairs_worked_by_hand():
    A = [[1, 0], [0, 1], [-1, 0]]
    B = [[1, 0], [-1, 0.1], [0.1, 1]]  # the last two are nearest each other's translation
    assert retrieval(A, B, center=False) == pytest.approx(1 / 3)
    # From A both are second; from B the last one is nearer to the first sentence too.
    assert retrieval(A, B, k=2, center=False) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_both_directions_are_averaged(k):
    A, B = noise(200)
    B = A + 1.5 * B
    C, D = A - A.mean(0), B - B.mean(0)
    expected = (by_hand(C, D, k) + by_hand(D, C, k)) / 2
    assert 0.1 < expected < 1
    assert retrieval(A, B, k=k) == pytest.approx(expected)
    assert retrieval(B, A, k=k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 20])
def test_unrelated_rows_score_k_in_n(k):
    A, B = noise(100)
    orders = [np.random.default_rng(seed).permutation(100) for seed in range(200)]
    scores = [retrieval(A, B[order], k=k) for order in orders]
    assert np.mean(scores) == pytest.approx(k / 100, abs=0.01)


def test_planted_translations_are_found_through_a_language_offset():
    A, B = noise(300)
    B = A + 0.1 * B
    first, second = 100 * noise(2, seed=1)[0]
    assert retrieval(A + first, B + second) == 1.0
    assert retrieval(A + first, B + second, center=False) < 0.2


def test_rotation_scale_and_the_order_of_pairs_do_not_matter():
    A, B = noise(150)
    B = A + 2 * B
    rotation = np.linalg.qr(noise(32)[0])[0]
    order = np.random.default_rng(1).permutation(150)
    expected = retrieval(A, B, k=2)
    assert retrieval(A @ rotation, 7 * B @ rotation, k=2) == pytest.approx(expected)
    assert retrieval(A[order], B[order], k=2) == pytest.approx(expected)


def test_equal_rows_share_the_hit():
    A = np.repeat(noise(50)[0], 2, axis=0)
    assert retrieval(A, A) == pytest.approx(0.5)
    assert retrieval(A, A, k=2) == pytest.approx(1.0)
    triple = np.repeat(noise(50)[0], 3, axis=0)
    assert retrieval(triple, triple, k=2) == pytest.approx(2 / 3)


def test_collapsed_or_empty_representations_score_chance():
    for A in (np.zeros((40, 5)), np.full((40, 5), 0.1)):
        assert retrieval(A, A, k=3) == pytest.approx(3 / 40)
    A, _ = noise(40)
    A[7] = 0
    assert retrieval(A, A, center=False) == pytest.approx((39 + 1 / 40) / 40)


def test_blocks_give_the_whole(monkeypatch):
    A, B = noise(97)
    B = A + B
    whole = retrieval(A, B)
    monkeypatch.setattr(neighbours, "BLOCK", 500)
    assert retrieval(A, B) == pytest.approx(whole, rel=1e-14)


def test_half_precision_and_read_only_inputs_work_and_stay_as_they_are():
    A, B = noise(60).astype(np.float16)
    before = A.copy()
    A.setflags(write=False)
    assert retrieval(A, A + B / 8) > 0.9
    np.testing.assert_array_equal(A, before)


@pytest.mark.parametrize(
    ("A", "B", "k", "message"),
    [
        (np.ones((4, 3)), np.ones((5, 3)), 1, "one shape"),
        (np.ones(4), np.ones(4), 1, "one shape"),
        (np.ones((4, 3)), np.ones((4, 3)), 5, "k=5 for 4 pairs"),
        (np.ones((4, 3)), np.ones((4, 3)), 0, "k=0"),
        (np.ones((4, 3)), np.full((4, 3), np.nan), 1, "got B .* not finite"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(A, B, k, message):
    with pytest.raises(ValueError, match=message):
        retrieval(A, B, k=k)
