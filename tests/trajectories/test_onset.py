"""Onsets known by hand, planted ones, and what must not move them."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories.crossing import monotone
from neurotrace.trajectories.onset import onset

STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64])
ZERO = xr.DataArray([0.0], dims="replicate")


def plain(values, steps=STEPS) -> xr.DataArray:
    """A curve whose draws are all alike."""
    return xr.DataArray([values] * 20, dims=("replicate", "step"), coords={"step": steps})


def noisy(values, *, sd=0.02, draws=200, seed=0, layers=None) -> xr.DataArray:
    """A curve whose bootstrap draws differ by a constant noise, as autocorrelated as can be."""
    rng = np.random.default_rng(seed)
    values = np.asarray(values, float)
    shape = (draws, 1) if layers is None else (draws, 1, layers)
    own = values if layers is None else np.repeat(values[:, None], layers, 1)
    wobble = 0.3 * rng.standard_normal((draws, *own.shape))
    every = np.concatenate([own[None], own + sd * (rng.standard_normal(shape) + wobble)])
    dims = ("replicate", "step", "layer")[: every.ndim]
    return xr.DataArray(every, dims=dims, coords={"step": STEPS})


def null_like(curve: xr.DataArray, *, sd=0.02, draws=200) -> xr.DataArray:
    rng = np.random.default_rng(9)
    shape = (draws, 1, *curve.shape[2:])
    values = sd * np.broadcast_to(rng.standard_normal(shape), (draws, *curve.shape[1:]))
    return xr.DataArray(values, dims=curve.dims, coords={"step": STEPS})


RISE = [0.0, 0.0, 0.0, 0.0, 0.1, 0.3, 0.4, 0.4]


def test_detect_is_the_first_of_a_run_and_half_is_interpolated_on_log_steps():
    found = onset(plain(RISE), ZERO)
    assert float(found["detect"]) == 8
    assert float(found["half"]) == pytest.approx(2**3.5)  # .2 lies midway between steps 8 and 16
    assert str(found["outcome"].values) == "onset"
    assert float(found["chance"]) == 0


def test_a_level_is_passed_where_the_monotone_fit_passes_it():
    found = onset(plain(RISE), ZERO, level=0.3)
    assert float(found["level_step"]) == pytest.approx(16)
    assert np.isnan(onset(plain(RISE), ZERO, level=0.5)["level_step"])


def test_step_zero_stands_at_half_the_first_positive_step():
    found = onset(plain([0.0, 1, 1, 1, 1, 1, 1, 1]), ZERO)
    assert float(found["half"]) == pytest.approx(2**-0.5)  # midway between 1/2 and 1


@pytest.mark.parametrize(
    ("values", "run", "outcome", "detect"),
    [
        ([0, 0, 0.3, 0, 0, 0.3, 0.3, 0.3], 2, "onset", 16),
        ([0, 0, 0.3, 0, 0, 0.3, 0.3, 0.3], 1, "onset", 2),
        ([0, 0, 0, 0, 0, 0, 0, 0.3], 2, "unconfirmed", np.nan),
        ([0, 0, 0, 0, 0, 0, 0, 0.3], 1, "onset", 64),
        ([0, 0, 0, 0.3, np.nan, 0.3, 0.3, 0.3], 2, "onset", 16),
        ([0, 0, 0, 0, 0, 0, 0, 0], 2, "none", np.nan),
        ([np.nan] * 8, 2, "undefined", np.nan),
        ([np.nan, np.nan, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3], 2, "present", np.nan),
        ([np.nan, np.nan, 0, 0.3, 0.3, 0.3, 0.3, 0.3], 2, "onset", 4),
    ],
)
def test_outcomes_of_small_curves(values, run, outcome, detect):
    found = onset(plain(values), ZERO, run=run)
    assert str(found["outcome"].values) == outcome
    np.testing.assert_equal(float(found["detect"]), detect)
    assert np.isnan(found["half"]) == (outcome != "onset")


def test_a_constant_curve_that_becomes_measurable_late_has_no_onset():
    """Fixed sharing with growing signal: undefined, then noisy, then the same value, surer."""
    curve = noisy([np.nan, np.nan, 0.27, 0.3, 0.32, 0.29, 0.3, 0.31])
    curve.values[1:, 2:4] += 0.2 * np.random.default_rng(5).standard_normal((200, 2))
    found = onset(curve, null_like(curve))
    assert str(found["outcome"].values) == "present"
    assert np.isnan(found["detect"])
    assert np.isnan(found["half"])


def test_nothing_can_be_said_without_a_null_or_without_draws():
    curve = noisy(RISE, layers=2)
    null = null_like(curve)
    null[:, :, 1] = np.nan
    assert onset(curve, null)["outcome"].values.tolist() == ["onset", "undefined"]
    single = plain(RISE).isel(replicate=[0])
    assert str(onset(single, ZERO)["outcome"].values) == "undefined"
    assert str(onset(single, null_like(noisy(RISE)))["outcome"].values) == "onset"
    lost = noisy(RISE)
    lost[1:] = np.nan
    for found in (onset(single, ZERO), onset(lost, ZERO), onset(lost, null_like(lost) * np.nan)):
        assert str(found["outcome"].values) == "undefined"
        assert found[["detect", "half", "half_low", "half_high"]].to_array().isnull().all()


@pytest.mark.parametrize("step", [0, 512])
@pytest.mark.parametrize("drawn", [True, False])
def test_one_checkpoint_shows_nothing_over_time(step, drawn):
    curve = noisy(RISE).isel(step=[-1]).assign_coords(step=[step])
    null = null_like(noisy(RISE)).isel(step=[-1]).assign_coords(step=[step]) if drawn else ZERO
    found = onset(curve, null, level=0.2, run=1)
    assert str(found["outcome"].values) == "undefined"
    for name in ("detect", "half", "half_low", "half_high", "level_step"):
        assert np.isnan(found[name])


def test_draws_of_a_half_lie_between_the_checkpoints_around_it():
    steep = onset(noisy([0, 0, 0, 0, 0, 0.5, 0.5, 0.5]), ZERO)
    assert set(np.unique(steep["half_draws_early"].round(9))) == {8}
    assert set(np.unique(steep["half_draws_late"].round(9))) == {16}
    gentle = onset(noisy([0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5], sd=0.001), ZERO)
    np.testing.assert_array_equal(gentle["half_draws_early"], gentle["half_draws"])


def test_a_small_excess_at_the_start_is_an_upper_bound():
    found = onset(noisy([0.1, 0.1, 0.1, 0.1, 0.2, 0.6, 0.6, 0.6]), ZERO)
    assert int(found["censored"]) == 1
    assert float(found["detect"]) == 0
    assert float(found["half"]) > 8


def test_a_planted_onset_is_found_in_each_layer_with_its_interval():
    curve = noisy(RISE, layers=4)
    found = onset(curve, null_like(curve))
    assert (found["detect"] <= 16).all()
    assert (found["half_low"] <= 2**3.5).all()
    assert (found["half_high"] >= 2**3.5).all()
    assert found["half_draws"].dims == ("replicate", "layer")


def test_nothing_depends_on_level_names_or_units():
    curve = noisy(RISE, layers=3)
    curve.values[:, 1:, 1] = curve.values[:, :-1, 1].copy()
    curve.values[:, :, 2] *= 0.7
    null = null_like(curve)
    found = onset(curve, null)
    drift = xr.DataArray(np.linspace(0, 3, 8), dims="step", coords={"step": STEPS})
    moved = onset(curve + drift, null + drift)
    renamed = onset(curve.isel(layer=[2, 0, 1]), null.isel(layer=[2, 0, 1]))
    scaled = onset(curve.assign_coords(step=STEPS * 1000), null.assign_coords(step=STEPS * 1000))
    for name in ("detect", "half", "half_low", "half_high"):
        np.testing.assert_allclose(moved[name], found[name], rtol=1e-9)
        np.testing.assert_allclose(renamed[name], found[name].values[[2, 0, 1]], rtol=1e-9)
        np.testing.assert_allclose(scaled[name], 1000 * found[name], rtol=1e-9)


def test_a_rise_between_two_checkpoints_is_nowhere_in_particular_between_them():
    found = onset(noisy([0, 0, 0, 0, 0, 0.5, 0.5, 0.5]), ZERO)
    assert float(found["half_low"]) == pytest.approx(8)
    assert float(found["half_high"]) == pytest.approx(16)


def test_a_level_that_many_draws_never_reach_has_no_upper_end():
    found = onset(noisy(RISE), ZERO, level=0.4)
    assert np.isfinite(found["level_step_low"])
    assert np.isnan(found["level_step_high"])


def test_tokens_stand_beside_the_steps():
    curve = plain(RISE).assign_coords(tokens=("step", STEPS * 500.0))
    found = onset(curve, ZERO)
    assert float(found["detect_tokens"]) == 4000
    assert float(found["half_tokens"]) == pytest.approx(500 * 2**3.5)


def test_a_curve_that_still_rises_says_so():
    assert int(onset(plain(np.linspace(0, 1, 8)), ZERO)["still_rising"]) == 1
    assert onset(plain(RISE), ZERO).attrs["still_rising"] == 0


def test_the_monotone_fit_is_that_of_pool_adjacent_violators():
    from scipy.optimize import isotonic_regression

    rng = np.random.default_rng(0)
    values = np.cumsum(rng.standard_normal((17, 50)), 0)
    expected = np.stack([isotonic_regression(column).x for column in values.T], 1)
    np.testing.assert_allclose(monotone(values), expected, atol=1e-12)
    values[[0, 3, 4, 16]] = np.nan
    known = np.isfinite(values[:, 0])
    some = np.stack([isotonic_regression(column).x for column in values[known].T], 1)
    np.testing.assert_allclose(monotone(values)[known], some, atol=1e-12)
    assert np.isnan(monotone(values)[~known]).all()


def test_bad_questions_are_refused():
    again = plain(RISE, [0, 1, 2, 3, 0, 1, 2, 3]).assign_coords(stage=("step", [0] * 4 + [1] * 4))
    with pytest.raises(ValueError, match="do not grow; expected one stage"):
        onset(again, ZERO)
    assert str(onset(again.isel(step=again["stage"] == 0), ZERO)["outcome"].values) == "none"
    curve = noisy(RISE, layers=2)
    with pytest.raises(ValueError, match="expected the curve's axes"):
        onset(curve, null_like(curve).isel(layer=0))
    with pytest.raises(ValueError, match="other values of 'step'"):
        onset(curve, null_like(curve).assign_coords(step=STEPS + 1))
    with pytest.raises(ValueError, match="got run=0"):
        onset(curve, ZERO, run=0)
    with pytest.raises(ValueError, match="got axes step"):
        onset(curve.isel(replicate=0, layer=0), ZERO)
