"""What must be found in the lab's presets, over three seeds, from the checkpoints alone."""

from functools import cache

import numpy as np
import pytest
import xarray as xr

from neurotrace import trajectories

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
LAST = 1500


@pytest.fixture(scope="session")
def traced(lab_run):
    """``traced(preset, seed)``: the results of one run, by name."""
    return cache(lambda preset, seed: trajectories.read(lab_run(preset, seed)))


def headline(results: dict[str, xr.Dataset], name: str = "summary") -> xr.Dataset:
    found = results[name]
    return found.sel(k=results["summary"].attrs["main_k"]) if "k" in found.dims else found


@pytest.mark.parametrize("seed", SEEDS)
class TestDefault:
    def test_nothing_is_shared_at_the_start_in_either_basis(self, traced, seed):
        for name in ("summary", "summary_rotated"):
            assert (
                abs(float(headline(traced("default", seed), name)["corrected"].sel(step=0))) < 0.03
            )

    def test_the_language_phase_shares_next_to_nothing(self, traced, seed):
        assert float(headline(traced("default", seed))["corrected"].sel(step=64)) < 0.08

    def test_experts_are_shared_at_the_end(self, traced, seed):
        found = headline(traced("default", seed)).sel(step=LAST)
        assert float(found["corrected"]) > 0.20
        assert float(found["corrected_low"]) > 0
        assert float(found["excess_low"]) > 0

    def test_different_concepts_fall_below_chance(self, traced, seed):
        found = headline(traced("default", seed)).sel(step=LAST)
        assert float(found["wrong_concept"]) < float(found["chance"])
        assert float(found["wrong_concept"]) < float(found["value"]) / 4

    def test_languages_agree_with_themselves(self, traced, seed):
        rel = headline(traced("default", seed))["rel"]
        assert float(rel.sel(step=LAST)) > 0.75
        assert float(rel.sel(step=0)) > 0.35

    def test_common_and_disjoint_halves_agree(self, traced, seed):
        found = headline(traced("default", seed))
        assert float(np.abs(found["same_half"] - found["value"]).max()) < 0.01

    def test_sharing_outlives_a_rotation_and_neurons_are_a_little_privileged(self, traced, seed):
        neurons = float(headline(traced("default", seed))["corrected"].sel(step=LAST))
        rotated = float(
            headline(traced("default", seed), "summary_rotated")["corrected"].sel(step=LAST)
        )
        assert rotated < neurons
        assert 0.45 < rotated / neurons < 1.0

    def test_the_twin_and_deranged_labels_are_silent(self, traced, seed):
        results = traced("default", seed)
        assert float(np.abs(headline(results, "summary_twin")["corrected"]).max()) < 0.03
        deranged = headline(results, "summary_deranged")
        assert float(np.abs(deranged["value"] - deranged["chance"]).max()) < 0.02
        assert int(deranged["valid_pairs"].sum()) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_control_is_silent_at_every_step(traced, seed):
    assert float(np.abs(headline(traced("control", seed))["corrected"]).max()) < 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_slow_shares_later_than_default(traced, seed):
    slow, default = (headline(traced(name, seed))["corrected"] for name in ("slow", "default"))
    assert float(slow.sel(step=256)) < float(default.sel(step=256))

    def first(curve: xr.DataArray) -> float:
        reached = curve["step"].values[curve.values >= 0.15]
        return reached[0] if len(reached) else np.inf

    assert first(slow) > first(default)


def test_late_begins_where_its_onset_was_planted(traced):
    curve = headline(traced("late", 0))["corrected"]
    assert float(np.abs(curve.sel(step=slice(0, 512))).max()) < 0.05
    assert float(curve.sel(step=LAST)) > 0.08
