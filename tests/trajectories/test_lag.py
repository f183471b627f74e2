"""Lags between two halves, by hand and planted."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories.lag import lag
from neurotrace.trajectories.onset import onset

STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128])
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
    found = lag(result([100.0, 90, 110]), result([200.0, 180, 220]))
    assert float(found["value"]) == 1
    assert float(found["low"]) == float(found["high"]) == 1  # paired: the ratio never varies
    assert float(found["steps"]) == 100
    assert float(found["steps_low"]) == pytest.approx(90.5)
    assert float(found["chance"]) == 0
    assert str(found["reason"].values) == ""
    assert found.attrs == {"half_a": 100, "half_b": 200}


def test_a_planted_lag_is_inside_its_interval():
    a, b = (onset(rising(middle), ZERO) for middle in (3.0, 4.5))
    found = lag(a, b)
    assert float(found["low"]) <= 1.5 <= float(found["high"])
    assert float(found["low"]) > 0


def test_a_curve_does_not_lag_behind_itself_and_exchange_turns_the_sign():
    a, b = (onset(rising(middle), ZERO) for middle in (3.0, 4.5))
    assert float(lag(a, a)["high"]) == 0
    one, other = lag(a, b), lag(b, a)
    assert float(one["value"]) == pytest.approx(-float(other["value"]))
    assert float(one["low"]) == pytest.approx(-float(other["high"]))


def test_replicates_that_do_not_belong_together_are_drawn_independently():
    rng = np.random.default_rng(0)
    halves = 100 * 2 ** (0.1 * rng.standard_normal(401))
    halves[0] = 100
    paired, unpaired = (
        lag(result(halves), result(halves)),
        lag(result(halves), result(halves[:300])),
    )
    assert float(paired["high"] - paired["low"]) == 0
    assert float(unpaired["high"] - unpaired["low"]) == pytest.approx(4 * 0.1 * 2**0.5, rel=0.1)
    again = lag(result(halves), result(halves[:300]))
    assert float(again["low"]) == float(unpaired["low"])


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
