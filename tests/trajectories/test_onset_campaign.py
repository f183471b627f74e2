"""Onsets counted over many series: false ones in slow noise, and halves inside their intervals.

Noise of autocorrelation .9 over the lab's seventeen checkpoints. Some repetitions are always run,
hundreds when asked.
"""

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from neurotrace.trajectories.changes import change_points
from neurotrace.trajectories.onset import onset

STEPS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1500])
PLACES = np.log2(np.where(STEPS > 0, STEPS, 0.5))
ALPHA, RUN = 0.05, 2
LAYERS, CONCEPTS = 24, 30
ZERO = xr.DataArray([0.0], dims="replicate")


def slow_noise(rng: np.random.Generator, *shape: int, rho: float = 0.9) -> NDArray:
    """``(step, …)`` of unit variance, each checkpoint correlated ``rho`` with the one before."""
    fresh = rng.standard_normal((len(STEPS), *shape))
    found = fresh.copy()
    for step in range(1, len(STEPS)):
        found[step] = rho * found[step - 1] + np.sqrt(1 - rho**2) * fresh[step]
    return found


def resampled(values: NDArray, rng: np.random.Generator, draws: int = 300) -> xr.DataArray:
    """Means over concepts ``(step, concept[, layer])`` under the node bootstrap."""
    n = values.shape[1]
    counts = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), draws)])
    return named(np.einsum("rc,tc...->rt...", counts / n, values))


def named(values: NDArray) -> xr.DataArray:
    dims = ("replicate", "step", "layer", "concept")[: values.ndim]
    return xr.DataArray(values, dims=dims, coords={"step": STEPS})


def null_of(rng: np.random.Generator, *shape: int, sd: float, draws: int = 200) -> xr.DataArray:
    return named(np.moveaxis(sd * slow_noise(rng, draws, *shape), 1, 0))


def runs(above: NDArray) -> bool:
    """Is some series above at two checkpoints in a row?"""
    return bool((above[1:] & above[:-1]).any())


def allowed(n: int) -> float:
    return ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / n)


def seen(found: xr.Dataset) -> bool:
    """Above the null for a run somewhere, whether a rise was shown or not."""
    return bool(np.isin(found["outcome"].values, ["onset", "present"]).any())


def lengths(short: int, long: int) -> list:
    slow = pytest.param(long, id="long", marks=pytest.mark.slow)
    return [pytest.param(short, id="short"), slow]


@pytest.mark.parametrize("constant", [False, True], ids=["null-draws", "constant-null"])
@pytest.mark.parametrize("n", lengths(12, 300))
def test_layers_of_noise_have_no_onset(n, constant, record_property):
    false, above, pointwise = [], [], []
    for seed in range(n):
        rng = np.random.default_rng([seed, 1])
        curve = resampled(slow_noise(rng, CONCEPTS, LAYERS), rng)
        null = ZERO if constant else null_of(rng, LAYERS, sd=CONCEPTS**-0.5)
        found = onset(curve, null, run=RUN, alpha=ALPHA)
        false.append(bool(found["detect"].notnull().any()))
        above.append(seen(found))
        pointwise.append(runs(np.quantile(curve.values[1:], ALPHA / 2, axis=0) > 0))
    record_property("false_onsets", float(np.mean(false)))
    record_property("above_for_a_run", float(np.mean(above)))
    record_property("pointwise", float(np.mean(pointwise)))
    assert np.mean(false) <= ALPHA
    assert np.mean(above) <= allowed(n)
    assert np.mean(pointwise) > 0.5, "the test could not see what it guards against"


@pytest.mark.parametrize("n", lengths(3, 100))
def test_a_family_of_720_series_of_noise_has_no_onset(n, record_property):
    """No draws of the curves: what protects is the null alone, the harder case."""
    false, pointwise = [], []
    for seed in range(n):
        rng = np.random.default_rng([seed, 2])
        series = slow_noise(rng, LAYERS, CONCEPTS)
        null = null_of(rng, LAYERS, CONCEPTS, sd=1.0)
        false.append(seen(onset(named(series[None]), null, run=RUN, alpha=ALPHA)))
        pointwise.append(runs(series > np.quantile(null.values, 1 - ALPHA / 2, axis=0)))
    record_property("false_onsets", float(np.mean(false)))
    record_property("pointwise", float(np.mean(pointwise)))
    assert np.mean(false) <= allowed(n)
    assert np.mean(pointwise) > 0.9


SHAPES = {"default": (np.log2(165), 0.27), "slow": (np.log2(420), 0.7)}


def planted(shape: str, concepts: int, seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """A sigmoid on log steps whose height differs between concepts, in slow noise."""
    rng = np.random.default_rng([seed, 3])
    middle, width = SHAPES[shape]
    heights = 0.33 * (1 + 0.3 * rng.standard_normal(concepts))
    sigmoid = 1 / (1 + np.exp(-(PLACES - middle) / width))
    values = sigmoid[:, None] * heights + 0.06 * slow_noise(rng, concepts)
    return resampled(values, rng), null_of(rng, sd=0.06 / np.sqrt(concepts))


def true_half(shape: str) -> float:
    """Where the sigmoid is at half of what it is at the last checkpoint."""
    middle, width = SHAPES[shape]
    end = 1 / (1 + np.exp(-(PLACES[-1] - middle) / width))
    return float(2 ** (middle - width * np.log(2 / end - 1)))


@pytest.mark.parametrize("concepts", [16, 30])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", lengths(20, 200))
def test_a_planted_half_is_inside_its_interval(n, shape, concepts, record_property):
    truth, inside, found_at = true_half(shape), [], []
    for seed in range(n):
        found = onset(*planted(shape, concepts, seed))
        inside.append(bool(found["half_low"] <= truth <= found["half_high"]))
        found_at.append(float(found["half"]))
    record_property("coverage", float(np.mean(inside)))
    record_property("median_half", float(np.median(found_at)))
    record_property("true_half", float(truth))
    assert np.isfinite(found_at).all()
    assert abs(np.log2(np.median(found_at) / truth)) < 0.1
    assert np.mean(inside) >= 0.9 - 2 * np.sqrt(0.9 * 0.1 / n) * (n < 200)


@pytest.mark.parametrize("n", lengths(30, 300))
def test_noise_seldom_changes_its_level(n, record_property):
    false = []
    for seed in range(n):
        rng = np.random.default_rng([seed, 4])
        curve = resampled(slow_noise(rng, CONCEPTS), rng, draws=200)
        false.append(change_points(curve, alpha=ALPHA).sizes["pair"] > 0)
    record_property("false_changes", float(np.mean(false)))
    assert np.mean(false) <= 0.08 + 2 * np.sqrt(0.08 * 0.92 / n)
