"""Experiments in a trace: at which checkpoints they are done, and what their onset may say."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.bench import some_steps
from neurotrace.causes import _onset_of_effect, _onset_of_use

STEPS = np.array([0, 16, 64, 128, 192, 256, 384, 512, 768, 1024])


def draws(within: np.ndarray, share: np.ndarray, *, seed: int = 0) -> xr.Dataset:
    """Draws of an interchange whose values within a language and share across are planted."""
    rng = np.random.default_rng(seed)
    moved = rng.standard_normal((200, 1)) * 0.08
    moved[0] = 0
    across = (share + moved) * within
    ratio = np.where(within >= 0.05, across / np.maximum(within, 1e-9), np.nan)
    chance = 0.02 * within * (1 + moved)
    dims = ("replicate", "step")
    named = {
        "within": np.broadcast_to(within, across.shape),
        "across": across,
        "ratio": ratio,
        "chance": chance,
        "excess": across - chance,
    }
    return xr.Dataset({n: (dims, v) for n, v in named.items()}, coords={"step": STEPS})


def outcome(found: xr.Dataset) -> str:
    return str(found["outcome"].values)


GROWING = np.array([0, 0, 0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 2.2, 2.4])


def test_a_share_that_is_there_from_the_first_has_no_onset_however_the_effect_grows():
    found = draws(GROWING, np.full(len(STEPS), 0.8))
    assert outcome(_onset_of_use(found)) == "present"
    assert np.isnan(_onset_of_use(found)["half"])
    assert outcome(_onset_of_effect(found)) == "onset"  # the effect, which is no share


def test_a_share_that_rises_has_its_onset_where_it_rises():
    rise = np.where(STEPS >= 384, 0.8, 0.0)
    found = draws(np.full(len(STEPS), 2.0), rise)
    assert outcome(_onset_of_use(found)) == "onset"
    assert float(_onset_of_use(found)["detect"]) == 384


def test_what_random_neurons_do_is_no_use():
    found = draws(GROWING, np.full(len(STEPS), 0.02))
    assert outcome(_onset_of_use(found)) == "none"
    assert outcome(_onset_of_effect(found)) == "none"


@pytest.mark.parametrize(
    ("steps", "chosen"),
    [
        ([0, 1000, 10_000, 100_000, 200_000, 300_000, 400_000], [0, 10_000, 100_000, 200_000]),
        ([5, 10], [5, 10]),
        (list(range(0, 2001, 50)), [0, 50, 150, 350, 850, 2000]),
    ],
)
def test_few_checkpoints_are_chosen_with_both_ends(steps, chosen):
    found = [steps[at] for at in some_steps(steps)]
    assert found[0] == steps[0]
    assert found[-1] == steps[-1]
    assert len(found) <= 6
    assert set(chosen) <= set(found)


def test_stages_that_count_from_the_start_again_are_chosen_evenly():
    steps = [10, 20, 30, 40, 10, 20, 30, 40, 50, 60, 70]
    assert some_steps(steps) == [0, 2, 4, 6, 8, 10]
