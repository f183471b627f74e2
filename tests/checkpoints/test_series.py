"""What is chosen of a series, and what it lacks: steps that can be counted by hand."""

import math
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurotrace.checkpoints import Checkpoint, Series, gaps, select

PYTHIA = [0, *(2**n for n in range(10)), *range(1000, 143_001, 1000)]


def series(*steps, stage=0, **known):
    return Series([Checkpoint("m", s, Path(f"step{s}"), stage) for s in steps], **known)


def steps(chosen):
    return [checkpoint.step for checkpoint in chosen]


def test_log_spacing_takes_powers_of_ten_evenly():
    found = series(*(10**n - 1 for n in range(7)))
    assert steps(select(found, "log:7")) == steps(found)
    assert steps(select(found, "log:4")) == [0, 99, 9999, 999_999]
    assert steps(select(found, "log:2")) == [0, 999_999]
    assert steps(select(found, "log:99")) == steps(found)


def test_log_spacing_of_pythia_by_hand():
    # log(143,001) / 11 = 1.079: aims at 1.9, 7.7, 24.5, 74, 219, 648, 1907, 5613, 16518, 48605.
    chosen = steps(select(series(*PYTHIA), "log:12"))
    assert chosen == [0, 2, 8, 32, 64, 256, 512, 2000, 6000, 17000, 49000, 143000]


@given(
    st.lists(st.integers(0, 200_000), min_size=2, max_size=60, unique=True),
    st.integers(2, 70),
)
def test_log_spacing_keeps_number_order_and_ends(drawn, wanted):
    found = series(*drawn)
    chosen = steps(select(found, f"log:{wanted}"))
    assert len(chosen) == min(wanted, len(drawn))
    assert chosen == sorted(set(chosen))
    assert {min(drawn), max(drawn)} <= set(chosen)


def test_log_spacing_goes_on_behind_a_stage_that_begins_anew():
    first, second = series(1, 10, 100, stage=1), series(1, 10, 100, stage=2)
    chosen = select(Series([*first, *second]), "log:4")
    # The axis is 1 10 100 101 110 200; between log 2 and log 201 the aims are 8.3 and 42.
    assert [(c.stage, c.step) for c in chosen] == [(1, 1), (1, 10), (1, 100), (2, 100)]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("log:1", "got checkpoints log:1; expected log:2 or more"),
        ("log:", "valid are all, 0,64,512, 64:1024, ::2 and log:12"),
        ("::0", "with every 0th"),
    ],
)
def test_selections_that_say_nothing_are_refused(selection, message):
    with pytest.raises(ValueError, match=message):
        select(series(1, 2, 3), selection)


def test_parts_of_a_selection_join_in_order():
    assert steps(select(series(*range(1, 10)), "log:2, 5,3:4")) == [1, 3, 4, 5, 9]


def test_gaps_are_those_that_a_selection_would_have_wanted():
    found = series(0, 10, 20, 40, 50, 70, absent=[(0, 30), (0, 60)])
    assert gaps(found) == [(0, 30), (0, 60)]
    assert gaps(select(found, "all")) == [(0, 30), (0, 60)]
    assert gaps(select(found, "0:40")) == [(0, 30)]
    for selection in ("0,10", "::2", "log:3", "0:70:2"):
        assert gaps(select(found, selection)) == []


def test_what_is_there_is_not_absent():
    assert series(1, 2, absent=[(0, 2), (0, 3)], empty=[(0, 1), (0, 4)]).absent == ((0, 3), (0, 4))


def test_a_plain_list_has_the_holes_of_its_grid():
    assert gaps(list(series(0, 10, 20, 40, 50, 60))) == [(0, 30)]
    assert gaps([*series(0, 1, 2, 4, stage=1), *series(5, 10, 20, 25, stage=2)]) == [(2, 15)]


def test_a_series_is_sorted_and_survives_a_process():
    found = series(5, 1, 3, absent=[(0, 2)], notes=["a"])
    copy = pickle.loads(pickle.dumps(found))
    assert steps(copy) == [1, 3, 5]
    assert (copy.absent, copy.notes, list(copy)) == (((0, 2),), ("a",), list(found))


def test_log_aims_are_met_as_near_as_the_steps_allow():
    found = series(*PYTHIA)
    axis = [math.log1p(step) for step in PYTHIA]
    for wanted in (5, 8, 12):
        aims = [i * axis[-1] / (wanted - 1) for i in range(wanted)]
        for aim, step in zip(aims, steps(select(found, f"log:{wanted}")), strict=True):
            assert abs(math.log1p(step) - aim) == min(abs(place - aim) for place in axis)
