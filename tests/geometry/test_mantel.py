"""Two tables of pairs: hand-worked, planted, and honest where pairs depend on each other."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from neurotrace.geometry import mantel

UPPER = np.triu_indices(10, 1)


def table(rng, n=10):
    values = rng.standard_normal((n, n))
    return values + values.T


def with_nodes(rng, n=10):
    """Each node lifts all of its pairs, as a language that is easy for a model does."""
    node = rng.standard_normal(n)
    return node[:, None] + node[None, :] + 0.3 * table(rng, n)


def test_three_nodes_are_worked_by_hand():
    a = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0]])
    found = mantel(a, a * 10)
    # six orders of three nodes give six orders of three pairs: |r| is 1, 1, 1/2, 1/2, 1/2, 1/2
    assert found.r == pytest.approx(1)
    assert found.p == pytest.approx(2 / 6)
    assert np.isnan(found.detectable)


def test_r_is_spearmans_over_pairs():
    rng = np.random.default_rng(0)
    a, b = table(rng), np.round(table(rng))  # with ties
    assert mantel(a, b).r == pytest.approx(spearmanr(a[UPPER], b[UPPER]).statistic)


def test_names_of_nodes_the_sign_and_the_scale_change_nothing():
    rng = np.random.default_rng(1)
    a, b = table(rng, 6), table(rng, 6)
    found, order = mantel(a, b), rng.permutation(6)
    for other in (
        mantel(a[order][:, order], b[order][:, order]),
        mantel(np.exp(a), b**3),
        mantel(b, a),
    ):
        assert other == pytest.approx(found)
    flipped = mantel(a, -b)
    assert (flipped.r, flipped.p) == pytest.approx((-found.r, found.p))


def test_a_planted_relation_is_found_and_needs_no_more_than_is_detectable():
    rng = np.random.default_rng(2)
    a = table(rng)
    found = mantel(a, a + 0.7 * table(rng))
    assert found.p < 0.01
    assert found.r > found.detectable
    assert 0.2 < found.detectable < 0.5
    again = mantel(a, a + 0.7 * table(np.random.default_rng(2)), seed=5)
    assert again.detectable == pytest.approx(found.detectable, abs=0.1)


def test_significance_begins_at_what_is_detectable():
    rng = np.random.default_rng(3)
    for _ in range(40):
        found = mantel(with_nodes(rng, 6), with_nodes(rng, 6))
        assert (abs(found.r) >= found.detectable - 1e-9) == (found.p <= 0.05)


def test_pairs_with_a_common_node_are_not_counted_as_samples():
    rng = np.random.default_rng(4)
    naive = honest = 0
    for _ in range(120):
        a, b = with_nodes(rng), with_nodes(rng)
        naive += spearmanr(a[UPPER], b[UPPER]).pvalue <= 0.05
        honest += mantel(a, b, permutations=499).p <= 0.05
    assert honest <= 14
    assert naive > 2 * honest


def test_a_node_without_any_pair_is_left_out():
    rng = np.random.default_rng(5)
    a, b = table(rng, 7), table(rng, 7)
    lacking = a.copy()
    lacking[2] = lacking[:, 2] = np.nan
    kept = np.delete(np.arange(7), 2)
    assert mantel(lacking, b) == pytest.approx(mantel(a[kept][:, kept], b[kept][:, kept]))
    lacking[0, 1] = lacking[1, 0] = np.nan
    assert np.isnan(mantel(lacking, b).r)


@pytest.mark.parametrize("constant", [np.zeros((5, 5)), np.full((5, 5), np.nan)])
def test_nothing_is_said_of_a_constant_table_or_of_two_nodes(constant):
    rng = np.random.default_rng(6)
    assert np.isnan(mantel(table(rng, 5), constant)[:3]).all()
    assert np.isnan(mantel(table(rng, 2), table(rng, 2))[:3]).all()


def test_what_is_no_table_of_pairs_is_refused():
    square = np.zeros((4, 4))
    with pytest.raises(ValueError, match=r"got a table of shape \(4,\); expected \(node, node\)"):
        mantel(square, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="not symmetric"):
        mantel(square, np.arange(16).reshape(4, 4))
    with pytest.raises(ValueError, match=r"shapes \(4, 4\) and \(3, 3\)"):
        mantel(square, np.zeros((3, 3)))
