"""Bands that hold everywhere at once, by hand and by counting."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories.bands import confidence_band, null_envelope, spread


def array(values) -> xr.DataArray:
    values = np.asarray(values, float)
    return xr.DataArray(values, dims=("replicate", "step", "layer")[: values.ndim])


def test_the_yardstick_of_a_draw_is_the_spread_of_the_others():
    draws = np.array([[0.0], [1.0], [2.0], [3.0], [9.0]])
    found = spread(draws)
    others = draws[:-1, 0]
    assert found.mean[0] == 3
    assert found.deviation[-1, 0] == pytest.approx((9 - others.mean()) / others.std(ddof=1))


def test_a_band_is_as_wide_as_its_largest_deviation_in_standard_deviations():
    draws = np.arange(19.0)[:, None] - 9
    found = confidence_band(array(np.vstack([[[0.0]], draws])))
    others = draws[:-1, 0]
    expected = 9 / others.std(ddof=1) * draws.std(ddof=1)
    assert float(found["high"][0]) == pytest.approx(expected)
    assert float(found["low"][0]) == pytest.approx(-expected)


def test_cells_that_do_not_vary_or_are_undefined_take_no_part():
    rng = np.random.default_rng(0)
    varying = rng.standard_normal((200, 1))
    constant, undefined = np.full((200, 1), 0.3), np.full((200, 1), np.nan)
    both = confidence_band(array(np.hstack([varying, constant, undefined])))
    alone = confidence_band(array(varying))
    assert float(both["low"][0]) == pytest.approx(float(alone["low"][0]))
    assert float(both["low"][1]) == float(both["high"][1]) == 0.3
    assert np.isnan(both["low"][2])


def test_a_cell_that_half_of_the_draws_lack_has_no_band():
    draws = np.random.default_rng(1).standard_normal((101, 2))
    draws[1:60, 1] = np.nan
    found = confidence_band(array(draws))
    assert np.isfinite(found["low"][0])
    assert np.isnan(found["low"][1])


def test_one_odd_draw_in_a_constant_cell_does_not_blow_up_the_rest():
    draws = np.random.default_rng(2).standard_normal((200, 40))
    draws[:, 1:20] = 0.0
    draws[np.arange(1, 20), np.arange(1, 20)] = 1e-6
    found = confidence_band(array(draws))
    assert np.isfinite(found["high"]).all()


@pytest.mark.parametrize("kind", ["band", "envelope"])
def test_the_promise_holds_for_all_cells_at_once_with_few_draws(kind):
    """100 cells, 99 draws: where a draw takes part in its own yardstick this fails."""
    outside = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        truth, draws = rng.standard_normal((1, 100)), rng.standard_normal((99, 100))
        if kind == "band":
            band = confidence_band(array(np.vstack([truth, truth + draws])))
            outside.append(((band["low"] > 0) | (band["high"] < 0)).any())
        else:
            outside.append((truth[0] > null_envelope(array(draws))["high"]).any())
    assert 0.02 < np.mean(outside) < 0.08


def test_a_single_null_is_a_constant_and_too_few_draws_are_refused():
    one = null_envelope(array([[0.1, 0.2]]))
    np.testing.assert_array_equal(one["high"], [0.1, 0.2])
    with pytest.raises(ValueError, match="got 18 draws; expected at least 19"):
        null_envelope(array(np.random.default_rng(3).standard_normal((18, 3))))
    with pytest.raises(ValueError, match="between 0 and 1"):
        null_envelope(array(np.eye(30)), alpha=5)


def test_bands_move_and_scale_with_the_curve():
    draws = np.random.default_rng(4).standard_normal((100, 5, 2))
    plain, moved = (confidence_band(array(d)) for d in (draws, 3 * draws + 7))
    np.testing.assert_allclose(moved["low"], 3 * plain["low"] + 7)
    swapped = confidence_band(array(draws[:, :, ::-1]))
    np.testing.assert_allclose(swapped["low"].values[:, ::-1], plain["low"].values)
