"""Experts and their overlap: stable ties, streamed layers, set arithmetic."""

import numpy as np
import pytest

from neurotrace.probes import (
    BestExperts,
    experts,
    layer_counts,
    n_experts,
    overlap,
    pairwise_overlap,
)


def as_mask(indices, n_neurons):
    mask = np.zeros((*indices.shape[:-1], n_neurons), bool)
    np.put_along_axis(mask, indices, True, -1)
    return mask


def test_ties_at_the_edge_go_to_the_lowest_indices():
    score = np.array([0.5, 0.9, 0.5, 0.1, 0.5, 0.9])
    assert np.flatnonzero(experts(score, top=4)).tolist() == [0, 1, 2, 5]
    assert np.flatnonzero(experts(np.zeros(6), top=2)).tolist() == [0, 1]
    assert np.flatnonzero(experts(score[None, ::-1], top=3)[0]).tolist() == [0, 1, 4]


@pytest.mark.parametrize(
    ("top", "n_neurons", "k"),
    [(0.05, 1000, 50), (0.05, 98_304, 500), (0.001, 100, 1), (0.5, 5, 3), (5000, 98_304, 5000)],
)
def test_fractions_are_capped_and_whole_numbers_are_not(top, n_neurons, k):
    assert n_experts(top, n_neurons) == k
    assert experts(np.arange(n_neurons) % 7, top=top).sum() == k


def test_a_threshold_alone_decides():
    score = np.linspace(0, 1, 1001)
    assert experts(score, top=3, threshold=0.25).sum() == 751
    assert not experts(score, threshold=1.5).any()


@pytest.mark.parametrize("top", [0, -1, 11, 0.0, 1.0, 1.5, True, "5"])
def test_impossible_numbers_of_experts_are_refused(top):
    with pytest.raises(ValueError, match="expected a fraction in"):
        experts(np.arange(10.0), top=top)


def test_scores_that_are_missing_are_refused_by_place():
    score = np.zeros((2, 5))
    score[1, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN as the score at \(1, 3\)"):
        experts(score, top=2)
    with pytest.raises(ValueError, match=r"NaN as the score at \(1, 3\)"):
        BestExperts(2).add(score, 0)


def test_overlap_is_in_units_of_the_smaller_set():
    a = np.array([True, True, True, True, False, False])
    b = np.array([True, False, False, False, True, False])
    assert overlap(a, b) == overlap(b, a) == 0.5
    assert overlap(a, a) == 1.0
    assert np.isnan(overlap(a, np.zeros(6, bool)))


def test_overlap_broadcasts_over_leading_axes():
    sets = experts(np.random.default_rng(0).random((3, 4, 50)), top=10)
    both = overlap(sets[:, :, None], sets[:, None])
    assert both.shape == (3, 4, 4)
    np.testing.assert_array_equal(both[1, 2, 3], overlap(sets[1, 2], sets[1, 3]))
    with pytest.raises(ValueError, match="bool over the same neurons"):
        overlap(sets, sets[..., :20])


@pytest.mark.parametrize("offsets", [(0, 200, 450), (450, 0, 200)])
@pytest.mark.parametrize("k", [1, 60, 300, 700])
def test_layers_in_any_order_give_the_experts_of_the_whole(k, offsets):
    score = np.random.default_rng(k).integers(0, 40, (3, 2, 700)).astype(np.float32)
    ends = {0: 200, 200: 450, 450: 700}
    best = BestExperts(k)
    for offset in offsets:
        best.add(score[..., offset : ends[offset]], offset)
    np.testing.assert_array_equal(as_mask(best.indices, 700), experts(score, top=k))
    stable = np.argsort(-score, axis=-1, kind="stable")[..., :k]
    np.testing.assert_array_equal(best.indices, stable)
    np.testing.assert_array_equal(best.scores, np.take_along_axis(score, stable, -1))


def test_one_set_without_leading_axes_and_read_only_scores_work():
    score = np.random.default_rng(1).random(30)
    score.setflags(write=False)
    best = BestExperts(4).add(score, 0)
    assert best.indices.tolist() == np.argsort(-score)[:4].tolist()


def test_too_few_neurons_or_other_sets_are_refused():
    best = BestExperts(5).add(np.zeros((2, 3)), 0)
    with pytest.raises(ValueError, match="got 3 neurons so far, expected at least k=5"):
        _ = best.indices
    with pytest.raises(ValueError, match=r"got sets of shape \(3,\), expected \(2,\)"):
        best.add(np.zeros((3, 3)), 3)
    with pytest.raises(ValueError, match="expected at least 1"):
        BestExperts(0)


def test_every_pair_of_sets_is_compared_in_units_of_k():
    rng = np.random.default_rng(2)
    a, b = (BestExperts(20).add(rng.random((7, 90)), 0).indices for _ in range(2))
    expected = overlap(as_mask(a, 90)[:, None], as_mask(b, 90)[None])
    np.testing.assert_allclose(pairwise_overlap(a, b, 90), expected, rtol=1e-15)
    assert np.diag(pairwise_overlap(a, a, 90)).tolist() == [1.0] * 7
    np.testing.assert_allclose(
        pairwise_overlap(a, b[:3, :5], 90),
        overlap(as_mask(a, 90)[:, None], as_mask(b[:3, :5], 90)[None]),
        rtol=1e-15,
    )


def test_renaming_neurons_leaves_overlaps_as_they_are():
    rng = np.random.default_rng(3)
    a, b = (np.array([rng.permutation(60)[:9] for _ in range(5)]) for _ in range(2))
    names = rng.permutation(60)
    np.testing.assert_array_equal(
        pairwise_overlap(names[a], names[b], 60), pairwise_overlap(a, b, 60)
    )


@pytest.mark.parametrize("indices", [[[0, 10]], [[-1, 2]], [0, 1], [[0.0, 1.0]]])
def test_indices_outside_the_neurons_are_refused(indices):
    with pytest.raises(ValueError, match="got indices"):
        pairwise_overlap(indices, [[0, 1]], 10)


def test_experts_are_counted_by_layer():
    indices = np.array([[0, 4, 5, 9], [1, 2, 3, 9]])
    assert layer_counts(indices, [4, 2, 4]).tolist() == [[1, 2, 1], [3, 0, 1]]


def test_planted_shared_share_is_read_off_the_diagonal():
    """Half of each concept's detectors serve both languages, half only one."""
    rng = np.random.default_rng(4)
    scores = rng.random((2, 6, 600)) * 0.5
    for concept in range(6):
        shared, first, second = np.arange(60).reshape(3, 20) + 60 * concept
        scores[:, concept, shared] += 0.5
        scores[0, concept, first] += 0.5
        scores[1, concept, second] += 0.5
    a, b = BestExperts(40).add(scores, 0).indices
    matched = pairwise_overlap(a, b, 600)
    assert np.diag(matched).tolist() == [0.5] * 6
    assert matched[~np.eye(6, dtype=bool)].tolist() == [0.0] * 30
