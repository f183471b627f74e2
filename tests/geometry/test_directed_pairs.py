"""Mantel where pairs have a direction, or nodes are compared with themselves too."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from neurotrace.geometry import mantel


def test_a_symmetric_table_gives_the_same_either_way():
    rng = np.random.default_rng(0)
    a, b = (each + each.T for each in rng.standard_normal((2, 6, 6)))
    assert mantel(a, b, directed=True) == pytest.approx(mantel(a, b))


def test_r_is_spearmans_over_the_pairs_that_count():
    a, b = np.random.default_rng(1).standard_normal((2, 10, 10))
    off = ~np.eye(10, dtype=bool)
    few = {"permutations": 9, "directed": True}
    assert mantel(a, b, **few).r == pytest.approx(spearmanr(a[off], b[off]).statistic)
    found = mantel(a, b, diagonal=True, **few)
    assert found.r == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)


def test_direction_is_kept_and_a_transposed_table_is_another():
    a = np.random.default_rng(2).standard_normal((8, 8))
    same, turned = (mantel(a, b, directed=True, permutations=999) for b in (a, a.T))
    assert same.r == pytest.approx(1)
    assert same.p == pytest.approx(1 / 1000)
    assert turned.p > 0.05


def test_a_diagonal_that_stands_out_is_no_evidence_of_a_relation():
    rng = np.random.default_rng(3)
    hits, sizes = 0, []
    for _ in range(60):
        a, b = rng.standard_normal((2, 12, 12)) + 6 * np.eye(12)
        found = mantel(a, b, directed=True, diagonal=True, permutations=199)
        hits += found.p <= 0.05
        sizes.append(found.r)
    assert np.mean(sizes) > 0.15  # as if the tables went together
    assert hits <= 8


def test_a_node_that_is_never_a_source_is_left_out():
    a, b = np.random.default_rng(4).standard_normal((2, 7, 7))
    a[3] = np.nan
    kept = np.delete(np.arange(7), 3)
    whole = mantel(a[kept][:, kept], b[kept][:, kept], directed=True)
    assert mantel(a, b, directed=True) == pytest.approx(whole)
