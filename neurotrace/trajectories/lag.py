"""How much later does one curve reach its half than another?"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.trajectories.crossing import between

UNPAIRED = 4000  # pairs drawn where the replicates of two curves do not belong together
STREAM = 61


def lag(
    a: xr.Dataset, b: xr.Dataset, *, alpha: float = 0.05, seed: int = 0, paired: bool = False
) -> xr.Dataset:
    """The step of half the final excess of ``b`` after that of ``a``, in doublings and in steps.

    ``value = log2(half_b / half_a)``: 1 where ``b`` takes twice as long. The interval goes from
    the quantile of ``log2(early_b / late_a)`` to that of ``log2(late_b / early_a)``, where a draw's
    half lies between its ``early`` and its ``late`` step: where a third of a rise falls between two
    checkpoints, nothing says where between them, and two rises in one gap may be a whole gap apart.
    *Eats* replicate.

    Parameters
    ----------
    a, b
        Two results of :func:`neurotrace.trajectories.onset`, over the same axes or none. One
        without ``half_draws_early`` and ``half_draws_late`` is taken at its ``half_draws``.
    alpha
        One minus the coverage of the intervals.
    paired
        Replicate i of both curves came from the same resample. That is so only where the same seed
        resampled the same concepts in the same languages; of other curves (another model, other
        concepts, another kind of draw) replicates are drawn independently, as they are unless told.

    Returns
    -------
    ``value``, ``low``, ``high`` (log2 of a ratio), ``steps``, ``steps_low``, ``steps_high``,
    ``chance`` 0, and ``reason``: empty, or why there is no lag (NaN) because a curve has no onset.
    Ends are NaN without draws, and where so many draws have no half that the end is nowhere.
    Attributes ``half_a`` and ``half_b`` where each is one number.

    Raises
    ------
    ValueError
        When either is not the result of an onset, or ``paired`` numbers of replicates differ.

    Notes
    -----
    Of 60 pairs of logistic rises each, of slopes .02, .1, .3 and .6 octaves, on a grid of 17
    checkpoints half an octave to an octave apart, the interval held the planted lag in 97 % or
    more, however little noise there was. With both halves interpolated instead it held 3 % of those
    of slope .02, 8 % of .1 and 62 % of .3.
    """
    for name, given in (("a", a), ("b", b)):
        if not {"half", "half_draws", "outcome"} <= set(given):
            raise ValueError(f"got {name} without half_draws; expected a result of onset")
    first, second = _pairs(_halves(a), _halves(b), seed=seed, paired=paired)
    result = xr.Dataset()
    for name, apart in (("", _doublings), ("steps", _steps)):
        early, late = apart(second["early"], first["late"]), apart(second["late"], first["early"])
        dims = ("replicate", *[dim for dim in early.dims if dim != "replicate"])
        least, most = (end.transpose(*dims).values[1:] for end in (early, late))
        estimate = apart(second["at"], first["at"]).isel(replicate=0, drop=True)
        estimate = estimate.transpose(*dims[1:])
        low, high = (estimate.copy(data=end) for end in between(least, most, alpha))
        known = np.isfinite(estimate)
        prefix = f"{name}_" if name else ""
        result[name or "value"] = estimate
        result[f"{prefix}low"] = low.where(known & np.isfinite(low))
        result[f"{prefix}high"] = high.where(known & np.isfinite(high))
    result["chance"] = xr.DataArray(0.0)
    result["reason"] = xr.apply_ufunc(_reason, a["outcome"], b["outcome"], vectorize=True)
    if not a["half"].ndim and not b["half"].ndim:
        result.attrs = {"half_a": float(a["half"]), "half_b": float(b["half"])}
    return result


def _halves(found: xr.Dataset) -> xr.Dataset:
    """Draws of a half, and the ends between which each lies: its own value in older results."""
    at = found["half_draws"]
    ends = {end: found.get(f"half_draws_{end}", at) for end in ("early", "late")}
    return xr.Dataset({"at": at, **ends})


def _doublings(later: xr.DataArray, earlier: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(xr.apply_ufunc(np.log2, later / earlier))


def _steps(later: xr.DataArray, earlier: xr.DataArray) -> xr.DataArray:
    return later - earlier


def _pairs(
    a: xr.Dataset, b: xr.Dataset, *, seed: int, paired: bool
) -> tuple[xr.Dataset, xr.Dataset]:
    """Replicates of both, side by side; 0 stays the estimate."""
    sizes = [given.sizes["replicate"] for given in (a, b)]
    if paired and sizes[0] != sizes[1]:
        raise ValueError(
            f"got {sizes[0]} and {sizes[1]} replicates; expected as many of both where paired"
        )
    if 1 in sizes:
        return a.isel(replicate=[0]), b.isel(replicate=[0])
    if paired:
        return a, b
    rng = np.random.default_rng([seed, STREAM])
    return _drawn(a, rng), _drawn(b, rng)


def _drawn(draws: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    chosen: NDArray[np.intp] = rng.integers(1, draws.sizes["replicate"], UNPAIRED)
    return draws.isel(replicate=np.concatenate([[0], chosen]))


def _reason(a: str, b: str) -> str:
    return "; ".join(
        f"no onset of {name}: {outcome}"
        for name, outcome in (("a", a), ("b", b))
        if outcome != "onset"
    )
