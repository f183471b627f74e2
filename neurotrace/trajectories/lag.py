"""How much later does one curve reach its half than another?"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.nodes import interval
from neurotrace.trajectories.bands import MIN_DEFINED

UNPAIRED = 4000  # pairs drawn where the replicates of two curves do not belong together
STREAM = 61


def lag(a: xr.Dataset, b: xr.Dataset, *, alpha: float = 0.05, seed: int = 0) -> xr.Dataset:
    """The step of half the final excess of ``b`` after that of ``a``, in doublings and in steps.

    ``value = log2(half_b / half_a)``: 1 where ``b`` takes twice as long. Replicates are paired
    where both have as many (the same seed then resampled both alike), else drawn independently.
    *Eats* replicate.

    Parameters
    ----------
    a, b
        Two results of :func:`neurotrace.trajectories.onset`, over the same axes or none.

    Returns
    -------
    ``value``, ``low``, ``high`` (log2 of a ratio), ``steps``, ``steps_low``, ``steps_high``,
    ``chance`` 0, and ``reason``: empty, or why there is no lag (NaN) because a curve has no onset.
    Attributes ``half_a`` and ``half_b`` where each is one number.

    Raises
    ------
    ValueError
        When either is not the result of an onset.
    """
    for name, given in (("a", a), ("b", b)):
        if not {"half", "half_draws", "outcome"} <= set(given):
            raise ValueError(f"got {name} without half_draws; expected a result of onset")
    first, second = _pairs(a["half_draws"], b["half_draws"], seed)
    result = xr.Dataset()
    doublings = xr.apply_ufunc(np.log2, second / first)
    for name, draws in (("", doublings), ("steps", second - first)):
        low, high = interval(draws, alpha=alpha)
        defined = draws.isel(replicate=slice(1, None)).notnull().sum("replicate")
        enough = defined >= MIN_DEFINED * (draws.sizes["replicate"] - 1)
        estimate = draws.isel(replicate=0, drop=True)
        known = enough & estimate.notnull()
        prefix = f"{name}_" if name else ""
        result[name or "value"] = estimate
        result[f"{prefix}low"], result[f"{prefix}high"] = low.where(known), high.where(known)
    result["chance"] = xr.DataArray(0.0)
    result["reason"] = xr.apply_ufunc(_reason, a["outcome"], b["outcome"], vectorize=True)
    if not a["half"].ndim and not b["half"].ndim:
        result.attrs = {"half_a": float(a["half"]), "half_b": float(b["half"])}
    return result


def _pairs(a: xr.DataArray, b: xr.DataArray, seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Replicates of both, side by side; 0 stays the estimate."""
    if a.sizes["replicate"] == b.sizes["replicate"]:
        return a, b
    if 1 in (a.sizes["replicate"], b.sizes["replicate"]):
        return a.isel(replicate=[0]), b.isel(replicate=[0])
    rng = np.random.default_rng([seed, STREAM])
    return _drawn(a, rng), _drawn(b, rng)


def _drawn(draws: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
    chosen: NDArray[np.intp] = rng.integers(1, draws.sizes["replicate"], UNPAIRED)
    return draws.isel(replicate=np.concatenate([[0], chosen]))


def _reason(a: str, b: str) -> str:
    return "; ".join(
        f"no onset of {name}: {outcome}"
        for name, outcome in (("a", a), ("b", b))
        if outcome != "onset"
    )
