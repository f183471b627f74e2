"""What labels of neurons must say of the lab, over three seeds, from kept activations."""

from functools import cache

import numpy as np
import pytest
import xarray as xr

from neurotrace import trajectories
from neurotrace.store import ActivationStore

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
LAST = 1500


@pytest.fixture(scope="session")
def labelled(lab_run):
    """``labelled(preset, seed)``: counts of every kind over the steps of one run."""

    @cache
    def one(preset: str, seed: int) -> xr.Dataset:
        store = ActivationStore.open(lab_run(preset, seed))
        return trajectories.label_counts(store, twin=store.twin)

    return one


@pytest.mark.parametrize("preset", ["default", "control"])
@pytest.mark.parametrize("seed", SEEDS)
def test_language_neurons_rise_and_fall_with_and_without_sharing(labelled, preset, seed):
    tells = labelled(preset, seed)["tells"].sum("lang")
    peak = float(tells.max())
    assert float(tells.sel(step=0)) < 0.05 * peak
    assert int(tells.idxmax("step")) in range(32, 129)
    assert peak > 0.4 * labelled(preset, seed).attrs["neurons"]
    assert float(tells.sel(step=LAST)) < 0.5 * peak


@pytest.mark.parametrize("seed", SEEDS)
def test_shared_experts_rise_after_the_language_phase_beyond_coincidence(labelled, seed):
    found = labelled("default", seed)
    shared = found["shared"]
    assert float(shared.sel(step=slice(0, 64)).max()) <= 10
    assert float(shared.sel(step=LAST)) > 10 * float(shared.sel(step=96))
    assert float(shared.sel(step=LAST)) > 300
    late = found.sel(step=slice(256, None))
    assert (late["at_least_two"] > 1.5 * late["at_least_two_chance_high"]).all()
    assert (late["all"] > 10 * late["all_chance_high"].clip(1)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_control_neurons_are_shared_by_coincidence_alone(labelled, seed):
    found = labelled("control", seed).sel(step=slice(256, None))
    ratio = found["at_least_two"] / found["at_least_two_chance"]
    assert float(np.abs(ratio.mean() - 1)) < 0.15
    assert float(found["all"].max()) <= 5
    assert (found["shared"] > 0).all()  # called rightly, and yet no evidence: hence the null


@pytest.mark.parametrize("preset", ["default", "control"])
@pytest.mark.parametrize("seed", SEEDS)
def test_deranged_labels_and_random_groups_call_nobody(labelled, preset, seed):
    found = labelled(preset, seed)
    neurons = found.attrs["neurons"]
    for kind in ("shared", "one_language", "language"):
        assert float(found[f"{kind}_chance"].max()) <= 0.05 * neurons
        # An error in a checkpoint may happen; in most there is none.
        assert float((found[f"{kind}_chance"] > 0).mean()) <= 0.2
    assert float((found["shared_pseudo"] > 0).mean()) <= 0.2
    assert float(found["tells_chance"].max()) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_most_shared_experts_are_learned(labelled, seed):
    found = labelled("default", seed).sel(step=LAST)
    assert float(found["shared_learned"]) > 0.6 * float(found["shared"])
