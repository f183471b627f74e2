"""Claims about the table of presets and the steps that are saved."""

import pytest

from neurotrace.lab import presets
from neurotrace.lab.preset import PRESETS, checkpoint_steps, preset_named

RECIPE = [0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1500]


def test_every_preset_says_what_must_be_found():
    found = presets()
    assert set(found) == {
        "tiny", "short", "default", "control", "late", "slow", "strong", "imbalanced", "clone",
        "texts",
    }  # fmt: skip
    assert all(found.values())
    assert found["control"].startswith("nothing")


def test_steps_of_the_presets():
    steps = {name: preset.steps for name, preset in PRESETS.items()}
    assert steps.pop("tiny") == 256
    assert steps.pop("short") == 512
    assert set(steps.values()) == {1500}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (1500, RECIPE),
        (256, RECIPE[:12]),
        (300, [*RECIPE[:12], 300]),
        (2000, [*RECIPE, 2000]),
        (1, [0, 1]),
    ],
)
def test_the_recipe_s_steps_are_saved_and_the_last_one(steps, expected):
    assert checkpoint_steps(steps) == expected


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"got preset 'huge'; valid are tiny, short, default"):
        preset_named("huge")
