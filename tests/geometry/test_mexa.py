"""MEXA: worked answers, the published loop, chance, ties that nobody wins, invariances."""

import numpy as np
import pytest

from neurotrace.geometry import neighbours
from neurotrace.geometry.neighbours import mexa, mexa_chance


def noise(n_pairs, n_features=64, seed=0):
    return np.random.default_rng(seed).normal(size=(2, n_pairs, n_features))


def cell_by_cell(A, B):
    """Each cosine by itself; the translation must beat its row and its column."""
    A, B = (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (A, B))
    wins = 0
    for i in range(len(A)):
        others = [float(A[i] @ B[j]) for j in range(len(B)) if j != i]
        others += [float(A[j] @ B[i]) for j in range(len(A)) if j != i]
        wins += float(A[i] @ B[i]) > max(others)
    return wins / len(A)


def test_three_pairs_worked_by_hand():
    A = [[1, 0], [0, 1], [-1, 0]]
    assert mexa(A, [[1, 0.2], [0.2, 1], [-1, 0.1]]) == 1.0
    # The second sentence lies nearer to the first translation than to its own: both are lost,
    # the first by its column.
    assert mexa(A, [[1, 2], [1, 0], [-1, 0.1]]) == pytest.approx(1 / 3)


def test_row_and_column_must_both_be_won():
    A = np.array([[1.0, 0], [0.9, 0.1]])
    B = np.array([[1.0, 0], [0, 1.0]])
    # The first pair has cosine 1, the greatest of its row and column; of the second, .11 < .99.
    assert mexa(A, B) == 0.5
    assert mexa(B, A) == 0.5


@pytest.mark.parametrize("spread", [0.5, 2.0, 4.0])
def test_the_published_loop_gives_the_same(spread):
    A, B = noise(60, 16)
    B = A + spread * B
    assert mexa(A, B) == cell_by_cell(A, B)


@pytest.mark.parametrize("n", [50, 100])
def test_unrelated_rows_score_one_in_two_n_less_one(n):
    found = [mexa(*noise(n, seed=seed)) for seed in range(300)]
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(mexa_chance(n), abs=4 * error)


def test_a_tie_is_no_win_and_zeros_are_near_to_nothing():
    A = noise(20)[0]
    A = np.vstack([A, A[:1]])  # one sentence twice, with its translation
    assert mexa(A, A) == pytest.approx(19 / 21)
    assert mexa(1e-3 * A, 7 * A) == pytest.approx(19 / 21)
    assert mexa(np.zeros((5, 3)), np.zeros((5, 3))) == 0.0
    assert mexa(np.ones((5, 3)), np.ones((5, 3))) == 0.0


def test_the_size_of_a_block_does_not_matter(monkeypatch):
    A, B = noise(70)
    B = A + 3 * B
    expected = mexa(A, B)
    assert 0.05 < expected < 0.95
    for block in (1, 200, 3001):
        monkeypatch.setattr(neighbours, "BLOCK", block)
        assert mexa(A, B) == expected


def test_rotation_scale_order_and_direction_do_not_matter():
    A, B = noise(80, 32)
    B = A + 3 * B
    expected = mexa(A, B)
    rotation = np.linalg.qr(noise(32, 32, seed=1)[0])[0]
    order = np.random.default_rng(2).permutation(80)
    assert mexa(3 * A @ rotation, 0.1 * B @ rotation) == expected
    assert mexa(A[order], B[order]) == expected
    assert mexa(B, A) == expected


@pytest.mark.parametrize(
    ("A", "B", "words"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), "of one shape"),
        (np.full((3, 2), np.nan), np.ones((3, 2)), "not finite"),
        (np.ones((1, 2)), np.ones((1, 2)), "expected at least 2"),
    ],
)
def test_bad_pairs_are_refused(A, B, words):
    with pytest.raises(ValueError, match=words):
        mexa(A, B)
