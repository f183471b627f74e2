"""Halves keep groups whole, concepts even, and one split unlike the next."""

import numpy as np
import pytest

from neurotrace.splits import halves


def several_concepts(n_groups=60, n_concepts=20, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random((n_groups, n_concepts)) < 0.15
    for concept in range(n_concepts):
        labels[rng.permutation(n_groups)[:4], concept] = True
    return np.arange(n_groups), labels


@pytest.mark.parametrize("seed", range(8))
def test_sentences_of_many_concepts_are_balanced_in_every_split(seed):
    groups, labels = several_concepts(seed=seed)
    for half in halves(groups, labels, seed=seed):
        assert labels[half].any(0).all()
        assert labels[~half].any(0).all()
        assert abs(int(half.sum()) - 30) <= 3


def test_splits_differ_even_where_every_label_set_is_unique():
    groups, labels = several_concepts()
    in_a = halves(groups, labels)
    agreement = (in_a[:, None] == in_a[None]).mean(-1)
    off = agreement[~np.eye(len(in_a), dtype=bool)]
    assert 0.2 < off.mean() < 0.8
    assert off.max() < 0.95


def test_even_concepts_are_halved_exactly():
    labels = np.repeat(np.eye(4, dtype=bool), 6, axis=0)
    in_a = halves(np.arange(24), labels)
    assert (in_a.astype(int) @ labels == 3).all()


def test_judged_negatives_stand_in_both_halves():
    labels = np.full((48, 6), -1, dtype=np.int8)
    for concept in range(6):
        labels[concept * 8 : concept * 8 + 4, concept] = 1
        labels[concept * 8 + 4 : concept * 8 + 8, concept] = 0
    for half in halves(np.arange(48), labels):
        for side in (half, ~half):
            assert (labels[side] == 1).any(0).all()
            assert (labels[side] == 0).any(0).all()


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(ValueError, match="got 1 group"):
        halves([0, 1, 2], [[1], [0], [0]])
    labels = np.array([[1], [1], [0], [-1], [-1]])
    with pytest.raises(ValueError, match="expected more groups a concept"):
        halves(np.arange(5), labels)


def test_every_concept_is_even_in_either_stratum():
    groups = np.arange(60)
    labels = (groups[:, None] // 20) == np.arange(3)
    strata = groups % 3 > 0  # two thirds, as lexical sentences are
    in_a = halves(groups, labels, strata=strata, n_splits=10)
    for concept in labels.T:
        for inside in (strata, ~strata):
            both = concept & inside
            assert (abs(2 * in_a[:, both].sum(1) - both.sum()) <= 1).all()
    plain = halves(groups, labels, n_splits=10)
    uneven = [abs(2 * plain[:, c & ~strata].sum(1) - (c & ~strata).sum()).max() for c in labels.T]
    assert max(uneven) > 1, "without strata nothing makes them even"


def test_a_single_stratum_changes_no_division():
    groups, labels = np.arange(12), np.arange(12)[:, None] % 2 == [0, 1]
    assert (halves(groups, labels, strata=np.ones(12)) == halves(groups, labels)).all()
    assert (halves(groups, labels, strata=np.zeros(12)) == halves(groups, labels)).all()
