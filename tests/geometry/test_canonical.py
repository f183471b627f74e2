"""Canonical cosines: worked angles, planted subspaces, the null of random ones, invariances."""

import numpy as np
import pytest

from neurotrace.geometry.canonical import (
    canonical_cosines,
    canonical_cosines_null,
    mean_cosine_null,
    mean_squared_cosine_null,
)


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_angles_worked_by_hand():
    line = np.array([[1.0], [0.0], [0.0]])
    turned = np.array([[np.cos(0.3)], [np.sin(0.3)], [0.0]])
    assert canonical_cosines(line, turned, center=False) == pytest.approx([np.cos(0.3)])
    plane = np.array([[1.0, 0], [0, 1], [0, 0]])
    other = np.array([[1.0, 0], [0, np.cos(1.0)], [0, np.sin(1.0)]])
    expected = [1.0, np.cos(1.0)]
    assert canonical_cosines(plane, other, center=False) == pytest.approx(expected)


def test_one_column_each_is_the_absolute_correlation():
    x, y = gaussian(2, 50)
    found = canonical_cosines(x[:, None], x[:, None] - y[:, None])
    assert found == pytest.approx([np.corrcoef(x, x - y)[0, 1]])


def test_planted_common_directions_are_counted():
    common, A, B = gaussian(400, 3), gaussian(400, 10, seed=1), gaussian(400, 6, seed=2)
    A[:, :3], B[:, -3:] = common, common
    found = canonical_cosines(A @ gaussian(10, 10, seed=3), B @ gaussian(6, 6, seed=4))
    assert found.shape == (6,)
    assert found[:3] == pytest.approx([1, 1, 1])
    assert found[3] < canonical_cosines_null(399, 10, 6)[1] + 0.05
    assert (np.diff(found) <= 1e-12).all()


def test_any_invertible_map_shift_and_order_leave_the_spectrum():
    A, B = gaussian(80, 5), gaussian(80, 7, seed=1)
    B[:, :5] += 2 * A
    expected = canonical_cosines(A, B)
    order = np.random.default_rng(0).permutation(80)
    mapped = A @ (gaussian(5, 5, seed=2) * 10.0 ** np.arange(-4, 6, 2)) + 3
    assert canonical_cosines(mapped[order], B[order]) == pytest.approx(expected, abs=1e-8)
    assert canonical_cosines(B, A) == pytest.approx(expected)
    tiny = A * [1, 1e-20, 1, 1e12, 1]  # a column's scale is no reason to leave it out
    assert canonical_cosines(tiny, B) == pytest.approx(expected)


def test_a_common_mean_is_a_common_direction_only_without_centring():
    A, B = gaussian(500, 4) + 5, gaussian(500, 4, seed=1) + 5
    assert canonical_cosines(A, B, center=False)[0] > 0.97
    assert canonical_cosines(A, B)[0] < 0.3


def test_repeated_and_constant_columns_add_nothing():
    A, B = gaussian(60, 4), gaussian(60, 5, seed=1)
    expected = canonical_cosines(A, B)
    twice = np.column_stack([A, A[:, 0] - 2 * A[:, 3], np.full(60, 0.1), A[:, 1]])
    assert canonical_cosines(twice, B) == pytest.approx(expected)
    assert canonical_cosines(np.full((60, 2), 0.1), B).shape == (0,)


def test_more_features_than_rows_span_everything():
    A, B = gaussian(10, 30), gaussian(10, 3, seed=1)
    assert canonical_cosines(A, B) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("p", "expected"),
    [(512, 0.139), (768, 0.155), (1024, 0.168), (2048, 0.208), (2560, 0.225), (4096, 0.265)],
)
def test_the_upper_edge_is_what_one_random_matrix_gave_in_print(p, expected):
    assert canonical_cosines_null(105_000, p, 512)[1] == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("n", "p", "q"), [(8000, 128, 128), (1000, 300, 100), (300, 200, 150)])
def test_random_subspaces_keep_to_the_null(n, p, q):
    found = canonical_cosines(gaussian(n, p), gaussian(n, q, seed=1), center=False)
    low, high = canonical_cosines_null(n, p, q)
    assert found[0] <= high + 0.01
    assert found[0] >= high - 0.03
    assert found[-1] == pytest.approx(low, abs=0.03)
    assert (found**2).mean() == pytest.approx(mean_squared_cosine_null(n, p, q), abs=0.01)
    assert found.mean() == pytest.approx(mean_cosine_null(n, p, q), abs=0.01)


def test_formulas_of_eight_thousand_rows():
    assert canonical_cosines_null(8000, 128, 128)[1] == pytest.approx(0.2510, abs=5e-5)
    assert canonical_cosines_null(8000, 512, 128)[1] == pytest.approx(0.3733, abs=5e-5)


def test_spaces_too_large_to_miss_each_other_meet():
    assert canonical_cosines_null(10, 7, 6)[1] == 1.0
    assert mean_cosine_null(10, 10, 4) == pytest.approx(1.0)
    assert mean_squared_cosine_null(10, 10, 4) == 1.0


def test_sizes_that_do_not_fit_are_refused():
    for null in (canonical_cosines_null, mean_squared_cosine_null, mean_cosine_null):
        with pytest.raises(ValueError, match="got p=11, q=3 for n=10; expected both within 1"):
            null(10, 11, 3)
    with pytest.raises(ValueError, match="as many rows"):
        canonical_cosines(gaussian(10, 3), gaussian(9, 3))
    with pytest.raises(ValueError, match="got 1 pairs; expected at least 2"):
        canonical_cosines(gaussian(1, 3), gaussian(1, 3))
