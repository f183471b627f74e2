"""Bands that hold at every step of every layer at once, and the line that a null stays below.

A pointwise interval is wrong somewhere on most curves: of 24 layers and 17 checkpoints one or
another leaves its own 95 % by accident, and noise that is correlated over steps leaves it for
several checkpoints in a row. So the width is chosen for the largest deviation over all cells.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes

MIN_DEFINED = 0.5  # share of the draws that a cell needs to have a band
NO_SPREAD = 1e-12  # of the largest value: spread that is left by rounding alone


class Spread(NamedTuple):
    """What draws ``(replicate, cell)`` say of each cell, and how far each draw is from the rest.

    ``mean``, ``sd`` are ``(cell,)``, NaN where too few draws are defined; ``deviation`` is
    ``(replicate, cell)`` in standard deviations of the *other* draws, NaN where there is no spread.
    """

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    deviation: NDArray[np.float64]


def confidence_band(curve: xr.DataArray, *, alpha: float = 0.05) -> xr.Dataset:
    """Where does the whole true curve lie, in all but ``alpha`` of cases?

    ``value ± q·sd``, with ``sd`` of each cell over the bootstrap draws and ``q`` the 1 − ``alpha``
    quantile over draws of ``max |draw − value| / sd``, the maximum taken over every axis but
    ``replicate``. *Eats* replicate.

    Parameters
    ----------
    curve
        Replicate 0 is the estimate, the others bootstrap draws of it; NaN where undefined.

    Returns
    -------
    ``value``, ``low``, ``high``. A cell that does not vary has a band of no width; one that is
    undefined, or undefined in more than half of the draws, has none (NaN). Without draws there is
    no band: ``low`` and ``high`` are the value itself.

    Raises
    ------
    ValueError
        When there are draws, but too few for the quantile.

    Notes
    -----
    The studentised maximum of Westfall & Young (1993) and Montiel Olea & Plagborg-Møller (2019).
    Here each draw is measured by the spread of the others, since a draw that takes part in its own
    yardstick can never be far away, and that makes bands of many cells and few draws too narrow.
    """
    axes.check(curve, "replicate")
    value = curve.isel(replicate=0, drop=True)
    draws = curve.isel(replicate=slice(1, None))
    if not draws.sizes["replicate"]:
        return xr.Dataset({"value": value, "low": value, "high": value})
    cells, centre = _cells(draws), value.values.reshape(-1)
    found = spread(cells, centre)
    width = _largest(np.abs(found.deviation), alpha) * found.sd
    width = np.where(np.isnan(centre), np.nan, width).reshape(value.shape)
    return xr.Dataset({"value": value, "low": value - width, "high": value + width})


def null_envelope(null: xr.DataArray, *, alpha: float = 0.05) -> xr.Dataset:
    """Which line does a whole null curve stay below, in all but ``alpha`` of cases?

    ``mean + q·sd`` with ``q`` the 1 − ``alpha`` quantile over draws of ``max (draw − mean) / sd``
    over every axis but ``replicate``. *Eats* replicate.

    Parameters
    ----------
    null
        Every replicate is a draw of the null. A single one is a constant to compare with.

    Returns
    -------
    ``mean`` and ``high``, NaN where the null is undefined in more than half of the draws.

    Raises
    ------
    ValueError
        When there are more than one and too few draws for the quantile.
    """
    axes.check(null, "replicate")
    first = null.isel(replicate=0, drop=True)
    if null.sizes["replicate"] == 1:
        return xr.Dataset({"mean": first, "high": first})
    found = spread(_cells(null))
    high = found.mean + _largest(found.deviation, alpha) * found.sd
    return xr.Dataset(
        {
            "mean": first.copy(data=found.mean.reshape(first.shape)),
            "high": first.copy(data=high.reshape(first.shape)),
        }
    )


def spread(draws: NDArray[np.float64], centre: NDArray[np.float64] | None = None) -> Spread:
    """Mean, standard deviation and studentised deviations of draws ``(replicate, cell)``.

    Deviations are from ``centre`` ``(cell,)``, or from the mean of the other draws.
    """
    defined = np.isfinite(draws)
    n = defined.sum(0)
    enough = (n >= 3) & (n >= MIN_DEFINED * len(draws))
    n = np.where(enough, n, 3)
    known = np.where(defined, draws, 0.0)
    mean = known.sum(0) / n
    apart = np.where(defined, draws - mean, 0.0)
    squares = (apart**2).sum(0)
    varies = enough & (squares > n * (NO_SPREAD * np.abs(known).max(0, initial=0.0)) ** 2)
    sd = np.where(varies, np.sqrt(squares / (n - 1)), 0.0)
    without = np.sqrt(np.maximum(squares - apart**2 * n / (n - 1), 0) / (n - 2))
    # Where all other draws are equal they are no yardstick: then the spread with this one is.
    without = np.where(without > NO_SPREAD * sd, without, sd)
    away = apart * n / (n - 1) if centre is None else draws - centre
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(defined & varies, away / without, np.nan)
    return Spread(np.where(enough, mean, np.nan), np.where(enough, sd, np.nan), deviation)


def _largest(deviation: NDArray[np.float64], alpha: float) -> float:
    """The 1 − alpha quantile, over draws, of each draw's largest deviation over cells; or 0."""
    if not 0 < alpha < 1:
        raise ValueError(f"got alpha={alpha}; expected a number between 0 and 1")
    drawn = np.where(np.isnan(deviation), -np.inf, deviation).max(1, initial=-np.inf)
    drawn = np.sort(drawn[drawn > -np.inf])
    if not len(drawn):
        return 0.0
    # The observed curve is one more draw under the null, hence n + 1.
    rank = int(np.ceil((1 - alpha) * (len(drawn) + 1) - 1e-9))
    if rank > len(drawn):
        least = int(np.ceil(1 / alpha - 1e-9)) - 1
        raise ValueError(f"got {len(drawn)} draws; expected at least {least} for alpha={alpha}")
    return float(drawn[rank - 1])


def _cells(draws: xr.DataArray) -> NDArray[np.float64]:
    """``(replicate, cell)``, the other axes in their order."""
    flat = draws.transpose("replicate", ...).values.astype(np.float64)
    return flat.reshape(len(flat), -1)
