"""Shares of a list, told or read from SLURM's array variables."""

import itertools

import pytest

from neurotrace.runner import shard


def array(monkeypatch, **variables: int) -> None:
    for name in ("ID", "MIN", "MAX", "STEP", "COUNT"):
        monkeypatch.delenv(f"SLURM_ARRAY_TASK_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
def test_shares_are_disjoint_and_together_the_whole_list(n):
    items = list(range(10))
    shares = [shard(items, f"{i}/{n}") for i in range(n)]
    assert sorted(itertools.chain(*shares)) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_early_and_late_items_are_shared_out():
    assert shard(iter("abcdefgh"), "1/3") == ["b", "e", "h"]


@pytest.mark.parametrize(
    ("ids", "step"), [(range(8), 1), (range(1, 9), 1), (range(0, 31, 10), 10), (range(5, 6), 1)]
)
def test_auto_takes_the_place_among_the_ids_of_the_array(monkeypatch, ids, step):
    shares = []
    for task in ids:
        array(monkeypatch, ID=task, MIN=ids[0], MAX=ids[-1], STEP=step, COUNT=len(ids))
        shares.append(shard(range(20), "auto"))
    assert shares == [list(range(20))[i :: len(ids)] for i in range(len(ids))]


@pytest.mark.parametrize("which", ["8/8", "-1/4", "1", "a/b", "0/0", "1/2/3", "Auto", ""])
def test_a_share_that_is_none_is_refused(which):
    with pytest.raises(ValueError, match="got shard .*(expected i/n|valid are)"):
        shard([1], which)


def test_auto_outside_an_array_job_says_what_is_missing(monkeypatch):
    array(monkeypatch, ID=3)
    with pytest.raises(ValueError, match=r"without SLURM_ARRAY_TASK_MIN, .*--array=0-7.* 0/8"):
        shard([1], "auto")


def test_an_array_of_irregular_ids_is_refused(monkeypatch):
    array(monkeypatch, ID=2, MIN=1, MAX=7, STEP=1, COUNT=3)
    with pytest.raises(ValueError, match="got 3 array ids from 1 to 7 in steps of 1, which are no"):
        shard([1], "auto")
