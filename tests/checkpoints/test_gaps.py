"""Holes in a regular grid of steps are told, growing gaps are not."""

import pytest

from neurotrace.checkpoints.gaps import regular_gaps


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ([0, 10, 20, 40, 50, 60], [30]),
        ([0, 10, 20, 50, 60, 70], [30, 40]),
        ([60, 50, 20, 10, 20, 0], [30, 40]),
        ([0, 10, 30, 40], [20]),  # one gap on either side is all there is
        ([0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1500], []),
        ([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 3000, 5000, 6000], [4000]),
        ([0, 10, 20, 45, 55, 65], []),  # no whole multiple
        ([0, 1, 2, 13, 14, 15], []),  # eleven times as wide: another part of the schedule
        ([0, 10, 20, 40], []),  # nothing says that the grid goes on behind the hole
        ([0, 10, 20, 40, 60, 80], []),  # the grid widens
        ([7], []),
        ([], []),
    ],
)
def test_a_hole_in_a_regular_grid_is_missing_steps_and_growing_gaps_are_not(steps, missing):
    assert regular_gaps(steps) == missing
