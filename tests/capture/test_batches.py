"""Which sentences travel together."""

import numpy as np
import pytest

from neurotrace.capture.batches import plan_batches


def test_every_sentence_travels_once_inside_its_slab_and_under_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(2, 60, size=700)
    slabs = plan_batches(lengths, 256)
    assert [(slab.start, slab.stop) for slab in slabs] == [(0, 256), (256, 512), (512, 700)]
    for slab in slabs:
        together = np.concatenate(slab.batches)
        assert sorted(together) == list(range(slab.start, slab.stop))
        assert all(len(rows) * lengths[rows].max() <= 256 for rows in slab.batches)


def test_batches_are_of_similar_length_so_that_little_is_padding() -> None:
    lengths = np.random.default_rng(0).integers(2, 60, size=256)
    (slab,) = plan_batches(lengths, 512)
    padded = sum(len(rows) * lengths[rows].max() for rows in slab.batches)
    assert padded < 1.15 * lengths.sum()


def test_a_sentence_longer_than_the_budget_travels_alone() -> None:
    (slab,) = plan_batches(np.array([3, 900, 4]), 100)
    assert [rows.tolist() for rows in slab.batches] == [[0, 2], [1]]


def test_a_slab_has_the_same_batches_whatever_stands_behind_it() -> None:
    lengths = np.random.default_rng(0).integers(2, 60, size=700)
    short, long = plan_batches(lengths[:512], 256), plan_batches(lengths, 256)
    for one, other in zip(short, long[:2], strict=True):
        assert [a.tolist() for a in one.batches] == [b.tolist() for b in other.batches]


def test_a_budget_below_one_token_is_refused() -> None:
    with pytest.raises(ValueError, match="got batch_tokens 0"):
        plan_batches(np.array([3]), 0)
