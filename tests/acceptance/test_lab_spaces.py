"""What four measures of geometry say of the lab, where something is shared and where not."""

from functools import cache

import pytest
import xarray as xr

from neurotrace import trajectories

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
PRESETS = ("default", "control")


@pytest.fixture(scope="session")
def spaces(lab_spaces):
    """``spaces(preset, seed)``: the geometry of one run, by name."""
    return cache(lambda preset, seed: trajectories.read(lab_spaces(preset, seed)))


def over_steps(values: xr.DataArray) -> list[float]:
    """The mean over everything but the steps."""
    return values.mean([dim for dim in values.dims if dim != "step"]).values.tolist()


def last(values: xr.DataArray) -> float:
    return over_steps(values)[-1]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", SEEDS)
def test_ilo_lies_far_below_its_chance_at_every_step(spaces, preset, seed, record_property):
    found = over_steps(spaces(preset, seed)["ilo"]["corrected"])
    record_property("ilo_corrected_last", found[-1])
    assert max(found) < -0.4  # languages keep apart, whatever their neurons share


@pytest.mark.parametrize("seed", SEEDS)
def test_translations_come_together_where_nouns_are_shared_alone(spaces, seed, record_property):
    default, control = (spaces(preset, seed) for preset in PRESETS)
    for name, variable in (("companions", "value"), ("retrieval", "value")):
        chance = float(default[name]["chance"])
        grown, none = (last(one[name][variable]) for one in (default, control))
        record_property(f"{name}_default", grown)
        record_property(f"{name}_control", none)
        assert over_steps(default[name][variable])[0] < 3 * chance + 0.001
        assert grown > 2 * chance
        assert none < grown / 4
        assert none < 3 * chance


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", SEEDS)
def test_deranged_translations_find_nothing(spaces, preset, seed):
    results = spaces(preset, seed)
    assert max(over_steps(results["companions"]["deranged"])) < 0.003
    assert all(abs(one - 1) < 0.03 for one in over_steps(results["evolution"]["apart_chance"]))


@pytest.mark.parametrize("seed", SEEDS)
def test_input_embeddings_bring_translations_together_and_scripts_apart(
    spaces, seed, record_property
):
    default, control = (spaces(preset, seed)["embeddings"] for preset in PRESETS)
    for name, found in zip(PRESETS, (default, control), strict=True):
        record_property(f"translations_{name}", last(found["translations"]))
        record_property(f"separability_{name}", last(found["value"]))
        assert abs(over_steps(found["value"])[0] - 0.5) < 0.05
        assert last(found["value"]) > 0.7
        assert min(over_steps(found["scripts"])) < float(found["scripts_chance"]) - 0.5
    assert last(default["translations"]) > 2 * last(default["translations_high"])
    # words of one role lie together in every language, which its chance knows
    assert last(control["translations"]) < last(control["translations_high"]) + 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_c_align_and_shared_neighbourhoods_rise_in_the_control_as_well(
    spaces, seed, record_property
):
    for preset in PRESETS:
        results = spaces(preset, seed)
        aligned, mutual = results["latent_concepts"], results["companions"]["mutual"]
        record_property(f"c_align_{preset}", last(aligned["value"]))
        assert last(aligned["value"]) > 3 * last(aligned["chance_high"]) + 0.01
        assert over_steps(aligned["value"])[0] < 0.01
        assert last(aligned["overlap"]) < last(aligned["overlap_chance"]) - 0.5
        assert last(mutual) > 0.4


@pytest.mark.parametrize("seed", SEEDS)
def test_states_move_most_in_the_language_phase_and_languages_come_nearer(
    spaces, seed, record_property
):
    default, control = (spaces(preset, seed)["evolution"] for preset in PRESETS)
    for found in (default, control):
        moved = over_steps(found["value"])[1:]
        assert moved[0] == max(moved)
        assert moved[-1] < 0.25
    near, far = last(default["apart"]), last(control["apart"])
    record_property("apart_default", near)
    record_property("apart_control", far)
    assert near < far - 0.08
    assert far < over_steps(control["apart"])[0] - 0.1  # one grammar, and nothing shared
