"""Changes of level and dips: by hand, planted, and in noise that forgets slowly."""

import builtins

import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories.changes import change_points, dips

STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 96, 128])


def curve_of(values, *, sd=0.02, draws=100, seed=0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    values = np.asarray(values, float)
    every = np.vstack([values, values + sd * rng.standard_normal((draws, len(values)))])
    steps = STEPS[: len(values)]
    return xr.DataArray(every, dims=("replicate", "step"), coords={"step": steps})


STAIRS = [0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.2, 0.2, 0.2]


def test_planted_steps_are_found_with_their_levels():
    found = change_points(curve_of(STAIRS))
    assert found["at"].values.tolist() == [8, 64]
    np.testing.assert_allclose(found["before"], [0, 0.5], atol=1e-12)
    np.testing.assert_allclose(found["after"], [0.5, 0.2], atol=1e-12)
    np.testing.assert_array_equal(found["support"], [1, 1])
    np.testing.assert_array_equal(found["at_low"], found["at"])
    assert found["chance"].isnull().all()


def test_the_penalty_is_what_noise_gains_by_its_best_single_change():
    curve = curve_of([0.0, 0, 0, 0], draws=19)
    curve.values[1:] = np.arange(1, 20)[:, None] * np.array([-1.0, -1, 1, 1])
    found = change_points(curve, alpha=0.5)
    assert found.attrs["penalty"] == pytest.approx(4 * 10**2)  # all squares, in the median draw


def test_a_flat_curve_has_no_change_and_a_null_has_little_support():
    assert change_points(curve_of(np.zeros(10))).sizes["pair"] == 0
    null = curve_of(np.zeros(10), seed=1).isel(replicate=slice(1, None))
    found = change_points(curve_of(STAIRS), null=null)
    assert (found["chance"] <= 0.1).all()


def test_a_single_checkpoint_is_no_change_of_level():
    found = change_points(curve_of([0.5, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5, 0.5]))
    assert found.sizes["pair"] == 0 or not (found["after"] < 0.1).any()


def test_units_and_undefined_checkpoints_move_nothing():
    plain = change_points(curve_of(STAIRS))
    moved = change_points(5 * curve_of(STAIRS) + 3)
    np.testing.assert_array_equal(moved["at"], plain["at"])
    np.testing.assert_allclose(moved["support"], plain["support"])
    holes = curve_of(STAIRS).where(STEPS != 2)
    assert change_points(holes)["at"].values.tolist() == [8, 64]


def test_an_unsure_place_has_a_wide_interval():
    found = change_points(curve_of([0, 0, 0, 0.2, 0.4, 0.4, 0.4, 0.4], sd=0.12, draws=300))
    assert found.sizes["pair"] == 1
    assert float(found["at_low"][0]) < float(found["at_high"][0])


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        (curve_of(STAIRS, draws=5), "got 5 defined draws; expected at least 19"),
        (curve_of(STAIRS).where(STEPS < 4), "got 3 defined checkpoints; expected at least 4"),
        (curve_of(STAIRS) * np.nan, "got 0 defined checkpoints; expected at least 4"),
    ],
)
def test_too_little_to_see_a_change_in_says_so(curve, reason):
    found = change_points(curve)
    assert found.attrs["reason"] == reason
    assert np.isnan(found.attrs["penalty"])
    assert found.sizes["pair"] == 0
    enough = change_points(curve_of(STAIRS))
    assert list(found) == list(enough)
    assert "reason" not in enough.attrs


def test_bad_questions_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="choose one curve"):
        change_points(curve_of(STAIRS).expand_dims(layer=2))
    genuine = builtins.__import__

    def without(name, *rest):
        if name == "ruptures":
            raise ImportError(name)
        return genuine(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'neurotrace\[changepoint\]'"):
        change_points(curve_of(STAIRS))


def test_a_dip_lies_at_chance_between_two_that_do_not():
    assert dips([0.0, 0.3, 0.01, 0.3, 0.3], floor=0.05) == [2]
    assert dips([0.0, 0.3, 0.01, 0.01, 0.3], floor=0.05) == []  # two checkpoints are no dip
    assert dips([0.04, 0.0, 0.04], floor=0.05) == []
    assert dips([0.3, np.nan, 0.3], floor=0.05) == []


def test_bands_confirm_or_excuse_a_dip():
    values = np.array([0.3, 0.01, 0.3])
    assert dips(values, floor=0.05, low=values - 0.1) == [1]
    assert dips(values, floor=0.05, low=values - 0.005) == []  # small, yet surely above chance
    assert dips(values, floor=0.05, low=values - 0.4) == []  # neighbours are not surely above
