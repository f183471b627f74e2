"""What an onset of overlap is held against: concepts that differ around nothing are nothing."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories import main_overlap, onset, series_of

STEPS = np.array([0, 16, 64, 128, 192, 256, 384, 512, 768, 1024])
CONCEPTS, LANGS, CHANCE, REL, NOISE = 16, 4, 0.05, 0.65, 0.05
DRAWS = 99


def planted(shares: np.ndarray, rng: np.random.Generator) -> xr.Dataset:
    """Overlaps ``(step, concept, pair)`` whose corrected values are shares plus noise."""
    shape = (len(STEPS), CONCEPTS, LANGS, LANGS)
    noise = NOISE * slow(rng, *shape[1:])
    noise = (noise + noise.swapaxes(-1, -2)) / np.sqrt(2)
    value = CHANCE + (REL - CHANCE) * (shares[:, :, None, None] + noise)
    value[..., range(LANGS), range(LANGS)] = np.nan
    pairs = LANGS * (LANGS - 1) / 2
    null = NOISE / np.sqrt(CONCEPTS * pairs) * slow(rng, DRAWS)
    dims = ("step", "concept", "lang_a", "lang_b")
    other = {n: (dims, value) for n in ("stratified", "wrong_concept", "same_half", "excess")}
    return xr.Dataset(
        {
            "value": (dims, value),
            "rel": (("step", "concept", "lang"), np.full(shape[:3], REL)),
            "chance": CHANCE,
            "null": (("step", "replicate"), null),
            **other,
        },
        coords={"step": STEPS},
    )


def slow(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """``(step, …)`` of unit variance, each checkpoint correlated .9 with the one before."""
    found = rng.standard_normal((len(STEPS), *shape))
    for at in range(1, len(STEPS)):
        found[at] = 0.9 * found[at - 1] + np.sqrt(1 - 0.81) * found[at]
    return found


def outcome(overlap: xr.Dataset) -> str:
    return str(onset(*series_of(overlap))["outcome"].values)


def test_concepts_that_differ_around_nothing_have_no_onset():
    rng = np.random.default_rng(0)
    naive = found = 0
    for _ in range(40):
        own = 0.15 * rng.standard_normal(CONCEPTS) * np.linspace(0, 1, len(STEPS))[:, None]
        overlap = planted(own, rng)
        curve, _ = series_of(overlap)
        plain = onset(curve, overlap["null"].transpose("replicate", "step"))
        naive += str(plain["outcome"].values) == "onset"
        found += outcome(overlap) == "onset"
    assert naive >= 6  # exchanges alone would find many
    assert found <= 4


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rise_of_the_mean_is_found_though_concepts_differ(seed):
    rng = np.random.default_rng(seed)
    rise = np.where(STEPS >= 192, 0.25, 0.0)[:, None]
    overlap = planted(rise * (1 + 0.3 * rng.standard_normal(CONCEPTS)), rng)
    assert outcome(overlap) == "onset"
    assert float(onset(*series_of(overlap))["detect"]) == 192


def test_without_exchanges_there_is_nothing_to_hold_against():
    rng = np.random.default_rng(4)
    overlap = planted(np.zeros((len(STEPS), CONCEPTS)), rng)
    overlap["null"] = overlap["null"] * np.nan
    assert outcome(overlap) == "undefined"


def test_the_headline_size_is_picked_by_its_number():
    both = xr.Dataset({"value": ("k", [1.0, 2.0])}, coords={"k": [5, 51]}, attrs={"main_k": 51})
    assert float(main_overlap(both)["value"]) == 2.0
    assert main_overlap(main_overlap(both)).identical(main_overlap(both))
