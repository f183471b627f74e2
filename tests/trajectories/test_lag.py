"""Lags between two halves, by hand and planted."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories.lag import lag
from neurotrace.trajectories.onset import onset

STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128])
GRID = np.array([0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1500])
ZERO = xr.DataArray([0.0], dims="replicate")


def result(draws, outcome="onset", dims=("replicate",)) -> xr.Dataset:
    """What lag reads of an onset."""
    draws = np.asarray(draws, float)
    return xr.Dataset(
        {
            "half_draws": (dims, draws),
            "half": (dims[1:], draws[0]),
            "outcome": (dims[1:], np.full(draws.shape[1:], outcome)),
        }
    )


def rising(middle: float, *, draws=200, seed=0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    places = np.log2(np.where(STEPS > 0, STEPS, 0.5))
    values = 1 / (1 + np.exp(-(places - middle) / 0.4))
    wobble = 0.03 * rng.standard_normal((draws, 1)) + 0.01 * rng.standard_normal((draws, 9))
    every = np.vstack([values, values + wobble])
    return xr.DataArray(every, dims=("replicate", "step"), coords={"step": STEPS})


def test_a_lag_of_one_doubling_is_one():
    found = lag(result([100.0, 90, 110]), result([200.0, 180, 220]), paired=True)
    assert float(found["value"]) == 1
    assert float(found["low"]) == float(found["high"]) == 1  # paired: the ratio never varies
    assert float(found["steps"]) == 100
    assert float(found["steps_low"]) == 90  # rounded outwards
    assert float(found["chance"]) == 0
    assert str(found["reason"].values) == ""
    assert found.attrs == {"half_a": 100, "half_b": 200}


def test_a_planted_lag_is_inside_its_interval():
    a, b = (onset(rising(middle), ZERO) for middle in (2.5, 4.5))
    found = lag(a, b)
    assert float(found["low"]) <= 2 <= float(found["high"])
    assert float(found["low"]) > 0


def test_a_curve_does_not_lag_behind_itself_and_exchange_turns_the_sign():
    a, b = (onset(rising(middle), ZERO) for middle in (3.0, 4.5))
    assert float(lag(a, a)["low"]) <= 0 <= float(lag(a, a)["high"])
    one, other = lag(a, b, paired=True), lag(b, a, paired=True)
    assert float(one["value"]) == pytest.approx(-float(other["value"]))
    assert float(one["low"]) == pytest.approx(-float(other["high"]))


def test_replicates_that_do_not_belong_together_are_drawn_independently():
    rng = np.random.default_rng(0)
    halves = 100 * 2 ** (0.1 * rng.standard_normal(401))
    halves[0] = 100
    paired, unpaired = (
        lag(result(halves), result(halves), paired=True),
        lag(result(halves), result(halves)),
    )
    assert float(paired["high"] - paired["low"]) == 0
    assert float(unpaired["high"] - unpaired["low"]) == pytest.approx(4 * 0.1 * 2**0.5, rel=0.1)
    assert lag(result(halves), result(halves)).identical(unpaired)
    assert float(lag(result(halves), result(halves[:300]))["low"]) < 0
    with pytest.raises(ValueError, match="got 401 and 300 replicates; expected as many of both"):
        lag(result(halves), result(halves[:300]), paired=True)


def within(early, at, late) -> xr.Dataset:
    found = result([at] * 3)
    for name, end in (("early", early), ("late", late)):
        found[f"half_draws_{name}"] = found["half_draws"] * 0 + end
    return found


def test_two_rises_in_one_gap_may_be_a_gap_apart():
    found = lag(within(64, 80, 128), within(64, 100, 128))
    assert float(found["value"]) == pytest.approx(np.log2(100 / 80))
    assert (float(found["low"]), float(found["high"])) == (-1, 1)
    assert (float(found["steps_low"]), float(found["steps_high"])) == (-64, 64)
    older = lag(within(64, 80, 128), result([100.0] * 3))  # a result without the ends
    assert (float(older["low"]), float(older["steps_high"])) == (np.log2(100 / 128), 36)


def test_draws_without_a_half_leave_the_ends_open():
    halves = np.full(101, 100.0)
    halves[1:11] = np.nan
    found = lag(result(halves), result(np.full(101, 200.0)))
    assert float(found["value"]) == 1
    assert np.isnan(found["low"])
    assert np.isnan(found["high"])


def logistic(middle: float, slope: float, rng: np.random.Generator) -> xr.DataArray:
    """Sixteen resampled concepts on the grid of a real series."""
    places = np.log2(np.where(GRID > 0, GRID, 0.5))
    rise = 1 / (1 + np.exp(-np.clip((places - middle) / slope, -500, 500)))
    heights = 0.4 * (1 + 0.3 * rng.standard_normal(16))
    values = rise[:, None] * heights + 0.02 * rng.standard_normal((len(GRID), 16))
    counts = np.vstack([np.ones(16), rng.multinomial(16, np.full(16, 1 / 16), 100)]) / 16
    every = counts @ values.T
    return xr.DataArray(every, dims=("replicate", "step"), coords={"step": GRID})


@pytest.mark.parametrize("slope", [0.02, 0.1, 0.3, 0.6])
def test_a_planted_lag_is_covered_however_steep_the_rises(slope, record_property):
    covered = []
    for seed in range(60):
        rng = np.random.default_rng([seed, 7])
        first = rng.uniform(3, 8)
        planted = rng.uniform(-0.6, 0.6) if seed % 2 else rng.uniform(3, 8) - first
        found = lag(*(onset(logistic(m, slope, rng), ZERO) for m in (first, first + planted)))
        covered.append(bool(found["low"] <= planted <= found["high"]))
    record_property("coverage", float(np.mean(covered)))
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize(("a", "b"), [("none", "onset"), ("onset", "present")])
def test_without_an_onset_there_is_a_reason_and_no_lag(a, b):
    missing = np.full(3, np.nan)
    found = lag(
        result([1.0, 1, 1] if a == "onset" else missing, a),
        result([1.0, 1, 1] if b == "onset" else missing, b),
    )
    assert found[["value", "low", "high"]].to_array().isnull().all()
    name, outcome = ("a", a) if a != "onset" else ("b", b)
    assert str(found["reason"].values) == f"no onset of {name}: {outcome}"


def test_layers_have_lags_of_their_own():
    a = result([[100.0, 100], [100, 100]], dims=("replicate", "layer"))
    b = result([[200.0, 50], [200, 50]], dims=("replicate", "layer"))
    assert lag(a, b)["value"].values.tolist() == [1, -1]
    assert lag(a, b)["reason"].dims == ("layer",)


def test_a_single_estimate_has_a_lag_and_no_interval():
    found = lag(result([100.0]), result([200.0, 190, 210]))
    assert float(found["value"]) == 1
    assert np.isnan(found["low"])


def test_what_is_no_onset_is_refused():
    with pytest.raises(ValueError, match="got b without half_draws; expected a result of onset"):
        lag(result([1.0, 2]), xr.Dataset({"half": 3.0}))
