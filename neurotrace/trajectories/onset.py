"""When does a curve leave its null, and when is it half way to where it ends?

Two numbers, because they answer different questions. The first step at which a rise can be *seen*
depends on how many concepts, languages and sentences there were to see it with; the step of half
the final excess does not, and is what layers, concepts or models are compared by.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes
from neurotrace.trajectories.bands import confidence_band, null_envelope
from neurotrace.trajectories.crossing import between, last_defined, monotone, passed, positions

Floats = NDArray[np.float64]

RISING = 0.05  # a last change beyond this share of the whole range is still going on
DRAWS = ("", "_early", "_late")  # of a half: interpolated, and the checkpoints around it
SERIES = 2  # checkpoints at which a curve must be comparable: one shows nothing over time


def onset(
    curve: xr.DataArray,
    null: xr.DataArray,
    *,
    run: int = 2,
    alpha: float = 0.05,
    level: float | None = None,
    chance: float = 0.0,
) -> xr.Dataset:
    """Onset of a curve over training: first seen, half reached, level passed.

    ``detect``: the first step from which the curve is above the envelope of the null at ``run``
    consecutive checkpoints; where the null is a constant, the lower band of the curve above that.
    Envelope and band hold for all steps, layers and whatever else the curve has at once, so that
    onsets of many layers are corrected together.
    ``half``: the step at which a monotone fit of ``curve − mean null`` passes one half of its last
    value, interpolated on log steps (step 0 stands at half the first positive step).
    *Eats* replicate, step → *leaves* the rest; curves and bands keep their step.

    Parameters
    ----------
    curve
        ``(replicate, step, …)``: replicate 0 is the estimate, the others are its bootstrap draws.
        NaN, where the curve is undefined, is not above anything and ends a run.
    null
        The same axes, every replicate a draw of one whole series under the null; or a single
        replicate, any axes: a constant.
    run
        Consecutive checkpoints. A rise seen only at the last ones, fewer than ``run``, is
        ``unconfirmed`` and has no onset: a single checkpoint may be a fault of its data.
    alpha
        Share of series without any onset in which one is found somewhere; one minus the coverage
        of the intervals.
    level
        Also the step at which the monotone fit of the curve itself passes this value.
    chance
        What is carried along as the result's ``chance``; 0 is right for corrected overlap.

    Returns
    -------
    ``detect``, ``half`` with ``half_low``, ``half_high`` (steps, NaN where there is no onset) and
    ``half_draws`` (replicate, …), with ``half_draws_early`` and ``half_draws_late``, between which
    each draw's half lies: the checkpoints around it where a third of the rise falls between those
    two, else that step itself; ``level_step``, ``level_step_low``, ``level_step_high``, whose
    high end is NaN where it lies beyond the last checkpoint; ``detect_tokens``, ``half_tokens``
    where ``tokens`` stands beside the steps; ``value``, ``low``, ``high``, ``null_mean``,
    ``null_high`` (step, …); ``still_rising`` (0 or 1: the half of such a curve is an early one);
    ``censored`` (1: above the null at its first defined checkpoint already, so that ``detect`` is
    an upper bound); and ``outcome``:

    - ``onset``: it rose, and the larger part of the rise was seen;
    - ``present``: above the null, but no rise was shown, or half of the final excess was there at
      the first defined checkpoint: what grew is the power to see it;
    - ``unconfirmed``: above the null at the last checkpoints, fewer than ``run``;
    - ``none``: not above the null;
    - ``undefined``: fewer than two checkpoints at which curve and null can be compared, because
      there is one only, the null is undefined throughout, or neither side has draws.

    Raises
    ------
    ValueError
        For axes that are not the house's, a null of other axes or steps, steps that do not grow
        (stages that count from the start again), ``run`` below 1, or too few draws.

    Notes
    -----
    A null of whole series says what these concepts and languages would show if nothing bound them
    together, and nothing of other languages: that is what the band of the curve is for, which with
    four languages is wide. Two bands that do not touch would count the noise twice: four standard
    errors were then seen in 13 % of series.

    A rise is shown where the curve minus its first defined checkpoint is above the envelope of the
    same of the null (or its band above 0, where the null is a constant) at ``detect`` or later.
    Without draws of the curve there are no intervals. Intervals of ``half`` and ``level_step``
    are each for its own curve, and at least as wide as the distance of two checkpoints where a
    third of the final excess falls between those: no interpolation knows where. (With two thirds
    instead, rises .3 octaves wide had their half inside it in 20 to 93 % of series, the fewer the
    less noise there was; with a third in 92 % or more.)
    """
    _check(curve, null, run)
    curve = curve.transpose("replicate", "step", ...)
    found = _lines(curve, null, alpha)
    seen, start = _from(found["above"].values, run), _first_defined(found["value"].values)
    cell = found["value"].isel(step=0, drop=True)
    outcome = _outcome(curve, null, found, seen, start, alpha=alpha)
    happened = outcome == "onset"
    steps = curve["step"].values.astype(float)
    detected = np.where(happened, steps[np.minimum(seen, len(steps) - 1)], np.nan)
    result = found.drop_vars(["above", "comparable"]).assign(chance=xr.DataArray(chance))
    result["detect"] = cell.copy(data=detected)
    result["outcome"] = cell.copy(data=outcome)
    result["censored"] = cell.copy(data=(happened & (seen == start)).astype(np.int8))
    result["still_rising"] = cell.copy(data=_still_rising(found["value"].values))
    asked: list[tuple[str, xr.DataArray, float | None]] = [
        ("half", curve - found["null_mean"], None)
    ]
    asked += [("level_step", curve, level)] if level is not None else []
    for name, curves, target in asked:
        passing = passed(curves.values, happened, target, positions(steps))
        ends = between(passing.early[1:], passing.late[1:], alpha)
        for suffix, values in zip(("", "_low", "_high"), (passing.at[0], *ends), strict=True):
            result[name + suffix] = cell.copy(data=_finite(values))
        for suffix, draws in zip(DRAWS, passing, strict=True) if target is None else ():
            result[f"{name}_draws{suffix}"] = (("replicate", *cell.dims), _finite(draws))
    for name in ("detect", "half") if "tokens" in curve.coords else ():
        at = np.interp(result[name].values, steps, curve["tokens"].values)
        result[f"{name}_tokens"] = cell.copy(data=at)
    rising = int(result["still_rising"].values.max(initial=0))
    result.attrs = {"run": run, "alpha": alpha, "level": np.nan if level is None else level}
    result.attrs |= {"still_rising": rising, "curve": str(curve.name or "")}
    return result


def _check(curve: xr.DataArray, null: xr.DataArray, run: int) -> None:
    axes.check(curve, "replicate", "step")
    axes.check(null, "replicate")
    if run < 1:
        raise ValueError(f"got run={run}; expected at least 1 checkpoint")
    steps = curve["step"].values
    if (np.diff(steps) <= 0).any():
        raise ValueError(
            f"got steps {', '.join(str(s) for s in steps[:8])} …, which do not grow; expected one "
            "stage of training: take it with curve.isel(step=curve['stage'] == 0)"
        )
    if null.sizes["replicate"] == 1:
        return
    if set(null.dims) != set(curve.dims):
        raise ValueError(f"got a null over {null.dims}; expected the curve's axes {curve.dims}")
    for dim in set(curve.dims) - {"replicate"}:
        if not np.array_equal(null[dim].values, curve[dim].values):
            raise ValueError(f"got a null at other values of {dim!r}; expected those of the curve")


def _from(above: NDArray[np.bool_], run: int) -> NDArray[np.intp]:
    """First checkpoint of the first run of ``run`` above; the number of checkpoints where none."""
    n = len(above)
    starts = np.zeros_like(above)
    for at in range(n - run + 1):
        starts[at] = above[at : at + run].all(0)
    return np.where(starts.any(0), starts.argmax(0), n)


def _first_defined(values: Floats) -> NDArray[np.intp]:
    return np.isfinite(values).argmax(0)


def _lines(curve: xr.DataArray, null: xr.DataArray, alpha: float) -> xr.Dataset:
    """Band of the curve, mean and envelope of its null, where they are comparable and apart."""
    band, envelope = confidence_band(curve, alpha=alpha), null_envelope(null, alpha=alpha)
    value = band["value"]
    for name, line in (("null_mean", envelope["mean"]), ("null_high", envelope["high"])):
        band[name] = line.broadcast_like(value).transpose(*value.dims)
    # Whichever side has draws carries the uncertainty: a null of whole series, or else the curve.
    drawn = null.sizes["replicate"] > 1
    line = value if drawn else band["low"]
    known = line.notnull() & band["null_high"].notnull()
    known &= drawn or curve.sizes["replicate"] > 1
    return band.assign(above=known & (line > band["null_high"]), comparable=known)


def _outcome(
    curve: xr.DataArray,
    null: xr.DataArray,
    found: xr.Dataset,
    seen: NDArray[np.intp],
    start: NDArray[np.intp],
    *,
    alpha: float,
) -> NDArray[np.str_]:
    """What became of each series: undefined, onset, present, unconfirmed, none."""
    above = found["above"].values
    fitted = monotone((found["value"] - found["null_mean"]).values)
    most = np.take_along_axis(fitted, start[None], 0)[0] < last_defined(fitted) / 2
    risen = _rises(curve, null, start, seen, alpha)
    anywhere = seen < len(above)
    unseen = found["comparable"].values.sum(0) < SERIES
    states = [unseen, anywhere & risen & most, anywhere, above[-1]]
    return np.select(states, ["undefined", "onset", "present", "unconfirmed"], "none")


def _rises(
    curve: xr.DataArray,
    null: xr.DataArray,
    start: NDArray[np.intp],
    seen: NDArray[np.intp],
    alpha: float,
) -> NDArray[np.bool_]:
    """Is the curve, from where it was seen on, above its own first defined checkpoint?

    By more than a series of the null changes, or, where the null is a constant, by more than the
    curve's own draws leave open.
    """
    if null.sizes["replicate"] > 1:
        change = _since(curve.isel(replicate=slice(1)), start)
        line = null_envelope(_since(null.transpose(*curve.dims), start), alpha=alpha)["high"]
        higher = (change.isel(replicate=0) > line).values
    else:
        change = _since(curve - null.isel(replicate=0, drop=True), start)
        higher = (confidence_band(change, alpha=alpha)["low"] > 0).values
    order = np.arange(len(higher)).reshape(-1, *[1] * start.ndim)
    return np.asarray((higher & (order >= seen)).any(0))


def _since(series: xr.DataArray, start: NDArray[np.intp]) -> xr.DataArray:
    """Each series less its value at the curve's first defined checkpoint."""
    at = np.broadcast_to(start, (series.sizes["replicate"], 1, *start.shape))
    return series - np.take_along_axis(series.values, at, 1)


def _still_rising(values: Floats) -> NDArray[np.int8]:
    """1 where the last change is more than a twentieth of the range, 0 elsewhere."""
    found = np.zeros(values.shape[1:], np.int8)
    for cell in np.ndindex(found.shape):
        known = values[(slice(None), *cell)]
        known = known[np.isfinite(known)]
        if len(known) > 2:
            found[cell] = known[-1] - known[-2] > RISING * np.ptp(known)
    return found


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
