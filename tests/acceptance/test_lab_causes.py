"""What the lab's models do when neurons are exchanged, held or silenced, over three seeds."""

from functools import cache

import numpy as np
import pytest
import xarray as xr

from neurotrace import capture, causal, lab, trajectories
from neurotrace.store import ActivationStore

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
LAST = 1500
SHARED = 51  # neurons, a twentieth of all


@pytest.fixture(scope="session")
def traced(lab_run):
    """``traced(preset, seed)``: the results of one run, by name."""
    return cache(lambda preset, seed: trajectories.read(lab_run(preset, seed)))


def arm(results: dict[str, xr.Dataset], name: str, step: int = LAST) -> xr.Dataset:
    return results["interchange"].sel(arm=name, step=step)


@pytest.mark.parametrize("seed", SEEDS)
class TestInterchange:
    def test_use_is_shared_in_default_less_in_slow_and_not_in_control(
        self, traced, seed, record_property
    ):
        ratio = {
            name: float(traced(name, seed)["interchange"]["ratio"].sel(step=LAST))
            for name in ("default", "slow", "control")
        }
        for name, value in ratio.items():
            record_property(name, value)
        assert ratio["default"] > 0.55
        assert abs(ratio["control"]) < 0.15
        assert ratio["control"] < ratio["slow"] < ratio["default"]

    @pytest.mark.parametrize("preset", ["default", "slow", "control"])
    def test_nothing_acts_before_concepts_are_learned(self, traced, seed, preset):
        for step in (0, 64):
            assert abs(float(arm(traced(preset, seed), "experts", step)["across"])) < 0.05

    def test_experts_act_beyond_norm_matched_random_neurons(self, traced, seed):
        results = traced("default", seed)
        for step in (256, LAST):
            experts, random = (arm(results, name, step) for name in ("experts", "random_matched"))
            assert float(experts["across"]) > 3 * float(random["across"])
            assert float(experts["excess_low"]) > 0
            assert int(experts["topics_positive"]) >= 14
        first = arm(results, "experts", 0)
        assert float(first["excess_low"]) < 0 < float(first["excess_high"])

    def test_rotated_directions_are_measured_beside(self, traced, seed, record_property):
        found = traced("default", seed)["interchange"].sel(step=LAST)
        for name in ("ratio", "ratio_rotated"):
            record_property(name, float(found[name]))
        assert float(found["ratio_rotated"]) > 0.3


@pytest.mark.parametrize("seed", SEEDS)
class TestForcing:
    def test_a_topic_is_forced_beyond_random_neurons_and_not_at_step_0(self, lab_run, seed):
        last, first = (
            forced(lab_run, "default", seed, step).sel(arm="experts") for step in (LAST, 0)
        )
        assert (last["topic_over_random_low"] > 0).all()
        assert (first["topic_over_random_low"] < 0).all()
        assert (first["topic_over_random_high"] > 0).all()

    def test_it_comes_out_in_other_languages_only_where_words_are_shared(
        self, lab_run, seed, record_property
    ):
        found = {name: forced(lab_run, name, seed) for name in ("default", "control")}
        for name, one in found.items():
            for arm_name in ("experts", "random_matched"):
                for share in ("topic_own", "topic_other"):
                    value = float(one[share].sel(arm=arm_name).mean())
                    record_property(f"{name} {arm_name} {share}", value)
        default, control = (one.sel(arm="experts").mean("source") for one in found.values())
        assert float(default["topic_other"]) > 0.18
        assert float(control["topic_other"]) < 0.12
        assert float(control["topic_own"]) > 0.30

    def test_the_unforced_language_shares_stand_beside_every_forced_one(self, traced, seed):
        found = traced("imbalanced", seed)["forcing"]
        assert {"unforced", "random_matched"} <= set(found["arm"].values.tolist())
        assert np.isfinite(found["language"].sel(arm="unforced", step=LAST)).all()


def forced(lab_run, preset: str, seed: int, step: int = LAST) -> xr.Dataset:
    """Every language's experts of every topic at one step, over ``source``."""
    run = lab_run(preset, seed)
    store = ActivationStore.open(run)
    words = lab.Vocabulary.of(run.with_name(run.name.removesuffix("-trace")))
    judge = causal.WordLists(
        words.concepts,
        words.languages,
        {(c, lang): words.words(c, lang) for c in words.concepts for lang in words.languages},
    )
    folder = run.with_name(run.name.removesuffix("-trace")) / f"step-{step:06d}"
    model = capture.load_model(folder, backend="plain", sites=("mlp.hook_post",))
    parts = []
    for lang in store.languages:
        held = trajectories.handles(store, step, top=SHARED, languages=[lang])
        experts, medians = (
            dict(zip(held.concepts, of[0], strict=True)) for of in (held.experts, held.medians)
        )
        found = causal.force(
            model, experts, medians, language=lang, topics=judge, identify=words.identify,
            arms=("unforced", "experts", "random_matched"), seeds=24,
        )  # fmt: skip
        kept = ["topic_own", "topic_other"]
        kept += [f"topic_over_random{end}" for end in ("", "_low", "_high")]
        parts.append(found.drop_dims("example")[kept])
    return xr.concat(parts, dim="source")


@pytest.mark.parametrize("seed", SEEDS)
def test_use_is_there_from_where_it_can_be_measured_and_its_effect_has_an_onset(traced, seed):
    found = traced("default", seed)
    assert str(found["onset_use"]["outcome"].values) in ("present", "onset")
    assert str(found["onset_effect"]["outcome"].values) == "onset"
    assert float(found["onset_effect"]["detect"]) <= 256
    assert str(traced("control", seed)["onset_effect"]["outcome"].values) == "none"


@pytest.mark.parametrize("seed", SEEDS)
def test_silencing_a_language_hurts_that_language(traced, seed):
    found = traced("default", seed)["ablation"].sel(step=LAST)
    assert float(found["own"]) > float(found["other"])
