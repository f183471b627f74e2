"""When sharing begins in the lab, and what the trace says of the paper's four claims there."""

from functools import cache

import pytest

from neurotrace import trajectories
from neurotrace.store import ActivationStore

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
LATE = (0, 1, 2, 3, 4)
LAST, PLANTED = 1500, 512


@pytest.fixture(scope="session")
def traced(lab_run):
    """``traced(preset, seed)``: the results of one run, by name."""
    return cache(lambda preset, seed: trajectories.read(lab_run(preset, seed)))


@pytest.mark.parametrize("seed", LATE)
def test_a_planted_onset_is_found_within_two_checkpoints(traced, seed):
    found = traced("late", seed)["onset_overlap"]
    assert str(found["outcome"].values) == "onset"
    assert float(found["detect"]) in (768, 1024)
    assert float(found["half"]) > PLANTED


@pytest.mark.parametrize("seed", LATE)
def test_its_half_lies_apart_from_that_of_the_default_it_is_paired_with(traced, seed):
    late, default = (traced(name, seed)["onset_overlap"] for name in ("late", "default"))
    assert float(late["half_low"]) > float(default["half_high"])


@pytest.mark.parametrize("seed", SEEDS)
def test_default_begins_after_the_language_phase(traced, seed):
    found = traced("default", seed)["onset_overlap"]
    assert str(found["outcome"].values) == "onset"
    assert 64 < float(found["detect"]) <= 256
    assert float(found["half_low"]) <= float(found["half"]) <= float(found["half_high"]) < PLANTED


@pytest.mark.parametrize("seed", SEEDS)
def test_the_control_has_no_onset_and_lies_within_the_equivalence_bound(traced, seed):
    results = traced("control", seed)
    assert str(results["onset_overlap"]["outcome"].values) == "none"
    main = results["summary"].sel(k=results["summary"].attrs["main_k"]).sel(step=LAST)
    assert abs(float(main["corrected"])) < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_slow_passes_a_fixed_level_later(traced, seed):
    default, slow = (traced(name, seed)["onset_overlap"] for name in ("default", "slow"))
    assert not float(slow["level_step"]) <= float(default["level_step"])  # NaN: never


@pytest.mark.parametrize("preset", ["default", "control"])
@pytest.mark.parametrize("seed", SEEDS)
def test_identification_falls_and_layers_part_with_and_without_sharing(traced, preset, seed):
    found = traced(preset, seed)["claims"]
    assert float(found["mean_change_high"]) < 0
    assert float(found["spread_change_low"]) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_concepts_are_read_across_languages_only_where_words_are_shared(traced, seed):
    default, control = (
        traced(name, seed)["roles"].sel(step=LAST) for name in ("default", "control")
    )
    assert float(default["across"].mean()) > 0.5
    assert float(control["across"].mean()) < 0.2
    assert float(default["across_deranged"].mean()) == pytest.approx(
        float(default["across_chance"].mean()), abs=0.02
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_single_neurons_come_to_serve_many_languages_beyond_coincidence(traced, seed):
    default, control = (
        traced(name, seed)["lives_counts"].sel(step=LAST) for name in ("default", "control")
    )
    assert float(default["value"]) > 2 * float(default["chance_high"])
    assert float(control["value"]) < 1.15 * float(control["chance_high"])
    lives = traced("default", seed)["lives"]
    assert int((lives["serves"].sel(step=LAST) >= 3).sum()) >= 12
    assert float(lives["coincidence"].max()) < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_expert_sets_are_compressed_beyond_coincidence_only_in_default(traced, seed):
    default, control = (
        traced(name, seed)["compression"].sel(step=LAST) for name in ("default", "control")
    )
    assert float(default["value_low"]) > 2 * float(default["chance_high"])
    assert float(control["value"]) < 1.3 * float(control["chance_high"])


@pytest.mark.parametrize("seed", SEEDS)
def test_deranged_labels_have_neither_onset_nor_lives(lab_run, traced, seed):
    store = ActivationStore.open(lab_run("default", seed))
    overlap = trajectories.expert_overlap(store, n_splits=4, null="deranged")
    draws, null = trajectories.node_bootstrap(overlap), overlap["null"]
    corrected = trajectories.onset(draws["corrected"], null.transpose("replicate", "step"))
    raw = trajectories.onset(draws["value"], overlap["chance"].expand_dims("replicate"))
    assert str(corrected["outcome"].values) in ("none", "undefined")
    assert str(raw["outcome"].values) == "none"
    counts = traced("default", seed)["lives_counts"]
    assert float(counts["deranged"].max()) == 0
    assert trajectories.neuron_lives(store, null="deranged").sizes["neuron"] == 0
