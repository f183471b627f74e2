"""Do layers divide the labour between them? Spread of a profile over layers, and how it changes.

A measure of a layer's role (how well languages are told apart there, how many experts it holds)
has a profile over layers. Its spread is the standard deviation over layers, in the measure's own
unit. Noise alone gives a flat profile some spread, and more of it where fewer sentences were
measured: beside every spread stands that of a flat profile with the same noise.

That the mean falls and the spread grows happens where nothing is shared between languages, too:
neither is evidence of sharing.
"""

import numpy as np
import xarray as xr

from neurotrace.nodes import interval

MEASURES = ("language_id", "within", "across", "experts", "language_neurons")
PREFIXES = {"": "language_id", "within_": "within", "across_": "across"}  # of claims
SETTLED = 0.02  # of the last step: the headline starts after it, whatever the curves did
NO_EVIDENCE = (
    "layers specialise, and identification of languages falls, where nothing is shared "
    "between languages, too: no evidence of sharing"
)


def division_of_labour(roles: xr.Dataset, *, alpha: float = 0.05) -> xr.Dataset:
    """How far apart do layers lie, beside what a flat profile would show?

    ``spread = √(Σ_l (p_l − mean p)² / L)``, in the unit of the measure; ``chance`` is the
    quadratic mean of the spread that noise alone has: of the draws less their mean profile, or of
    the jackknife (``name_noise``) where the draws are stretched;
    ``corrected = ±√|spread² − chance²|``, negative where noise alone spreads more.
    *Eats* replicate, layer → *leaves* step.

    Parameters
    ----------
    roles
        What :func:`neurotrace.trajectories.layer_roles` returns, with its draws.
    alpha
        One minus the coverage of the intervals, and the level of ``chance_high``.

    Returns
    -------
    For each measure ``name``: the spread, ``name_low`` and ``name_high``, ``name_chance`` and its
    upper quantile ``name_chance_high``, ``name_corrected`` with ``…_low`` and ``…_high``; and
    ``chance``, that of the first measure. For ``language_id`` also ``language_id_minimum``, the
    layer with the least accuracy, with ``…_support``, the share of draws that agree.

    Notes
    -----
    A draw has the noise of the estimate and noise of its own; that is taken off before quantiles
    are read, so that intervals do not lie above the spread. Riemenschneider & Frank (2025) show
    the profiles; here their spread is a number with an interval.
    """
    found: dict[str, xr.DataArray] = {}
    for name in _measures(roles):
        draws, chance = roles[f"{name}_draws"], _chance(roles, name)
        noise = _noise(draws)
        drawn = _quadratic_mean(noise)
        spread, corrected = draws.std("layer", skipna=False), corrected_spread(roles, name)
        raw = np.sqrt(np.maximum(np.square(spread) - np.square(drawn), 0))
        level = noise.quantile(1 - alpha, dim="replicate").drop_vars("quantile")
        found |= {name: spread.isel(replicate=0), f"{name}_chance": chance}
        found |= {f"{name}_chance_high": level, f"{name}_corrected": corrected.isel(replicate=0)}
        for part, of in ((name, raw), (f"{name}_corrected", corrected)):
            found[f"{part}_low"], found[f"{part}_high"] = interval(of, alpha=alpha)
    if "language_id_draws" in roles:
        lowest, support = _minimum(roles["language_id_draws"])
        found |= {"language_id_minimum": lowest, "language_id_minimum_support": support}
    result = xr.Dataset(
        {name: part.drop_vars("replicate", errors="ignore") for name, part in found.items()}
    )
    result["chance"] = result[f"{_measures(roles)[0]}_chance"]
    result.attrs |= {"alpha": alpha, "unit": "that of the measure", "note": NO_EVIDENCE}
    return result


def role_claims(roles: xr.Dataset, *, alpha: float = 0.05) -> xr.Dataset:
    """Does the mean over layers fall over training, and does the spread grow?

    The headline starts at a checkpoint that no curve had a part in choosing: the first at or after
    a fiftieth of the last step. At random initialisation a model has yet to learn what it may give
    up, and the published series starts after that. Changes named ``whole_…`` start at the first
    checkpoint, ``peak_…`` where identification of languages is highest in the mean over layers.
    All end at the last.
    *Eats* replicate, step, layer → *leaves* numbers.

    Parameters
    ----------
    roles
        What :func:`neurotrace.trajectories.layer_roles` returns, with its draws.
    alpha
        One minus the coverage of the intervals.

    Returns
    -------
    ``mean_change`` and ``spread_change`` of language identification, each with ``_low`` and
    ``_high``; the same as ``within_…`` and ``across_…`` for concepts, and ``net_mean_change`` for
    accuracy minus that at the embeddings; all again as ``whole_…``; the first two as ``peak_…``.
    Spreads are corrected for noise. ``mean_falls`` and ``spread_grows`` are 1 where the headline's
    interval excludes 0 on that side. ``minimum_layer`` is the layer with the least accuracy at the
    last checkpoint, ``minimum_support`` the share of draws that agree, ``minimum_is_last`` the
    share of draws in which it is the last layer. ``chance`` is 0. Attributes ``first``, ``last``,
    ``series_first`` and ``peak`` are the steps compared. Where no checkpoint lies between, the
    headline is 0 without an interval.

    Raises
    ------
    ValueError
        For fewer than two checkpoints.

    Notes
    -----
    ``peak_…`` was chosen on the curve it measures: descriptive, and never a claim. Any curve that
    wanders lies below its highest point later on, and where accuracy is near 1 its spread is then
    least. The interval of ``peak_mean_change`` is simultaneous over all starts (maximum of the
    studentised draws), which pays for noise of the tokens, not for wandering.
    No interval here covers the walk of the training run: they say how other sentences and words
    would have measured these very checkpoints, not where another run of the same training would
    have gone, so that a difference between two points of a random walk counts as a change. Of
    series that wander about .95 or .97 (autocorrelation .7 or .9, .02 or .03 wide) and go nowhere,
    the headline fell in 39 to 44 % and rose in 31 to 41 %, and its spread grew in 12 to 27 %; from
    the peak, means fell in 69 to 83 % and spreads grew in 10 to 62 %. Several runs
    tell the two apart.
    Riemenschneider & Frank (2025) claim both changes without intervals.
    """
    if roles.sizes["step"] < 2:
        raise ValueError(f"got {roles.sizes['step']} checkpoint; expected at least two")
    means, spreads = _means(roles), _spreads(roles)
    found: dict[str, float] = {}
    steps = [int(step) for step in roles["step"].values]
    start = next(at for at, step in enumerate(steps) if step >= SETTLED * steps[-1])
    for window, first in (("", start), ("whole_", 0)):
        for kind, curves in (("mean", means), ("spread", spreads)):
            for prefix, draws in curves.items():
                found |= _named(f"{window}{prefix}{kind}_change", _change(draws, first, alpha))
    compared = {"first": steps[start], "last": steps[-1], "series_first": steps[0]}
    if "" in means:
        peak = int(means[""].isel(replicate=0).argmax("step"))
        compared["peak"] = steps[peak]
        found |= _named("peak_mean_change", _chosen_change(means[""], peak, alpha))
        found |= _named("peak_spread_change", _change(spreads[""], peak, alpha))
        found |= _minimum_claims(roles["language_id_draws"].isel(step=-1))
        found["mean_falls"] = float(found["mean_change_high"] < 0)
        found["spread_grows"] = float(found["spread_change_low"] > 0)
    result = xr.Dataset({name: xr.DataArray(value) for name, value in found.items()})
    result["chance"] = xr.DataArray(0.0)
    result.attrs |= compared | {"alpha": alpha, "note": NO_EVIDENCE}
    return result


def corrected_spread(roles: xr.Dataset, name: str) -> xr.DataArray:
    """Spread over layers less that of noise, ``±√|spread² − chance²|``: (replicate, step).

    Replicate 0 has the noise of one sample; the others have it, too, and their own on top.
    """
    draws = roles[f"{name}_draws"]
    own = xr.DataArray(np.ones(draws.sizes["replicate"]), dims="replicate")
    own[0] = 0.0
    noise = np.square(_chance(roles, name)) + own * np.square(_quadratic_mean(_noise(draws)))
    squared = np.square(draws.std("layer", skipna=False)) - noise
    return np.sign(squared) * np.sqrt(np.abs(squared))


def _chance(roles: xr.Dataset, name: str) -> xr.DataArray:
    """Quadratic mean of the spread of a flat profile with the same noise."""
    if f"{name}_noise" in roles:
        return roles[f"{name}_noise"]
    return _quadratic_mean(_noise(roles[f"{name}_draws"]))


def _measures(roles: xr.Dataset) -> list[str]:
    return [name for name in MEASURES if f"{name}_draws" in roles]


def _means(roles: xr.Dataset) -> dict[str, xr.DataArray]:
    """Means over layers (replicate, step), by the prefix of their claims."""
    means = {
        prefix: roles[f"{name}_draws"].mean("layer", skipna=False)
        for prefix, name in PREFIXES.items()
        if f"{name}_draws" in roles
    }
    if "" in means and "language_id_embed_draws" in roles:
        means["net_"] = means[""] - roles["language_id_embed_draws"]
    return means


def _spreads(roles: xr.Dataset) -> dict[str, xr.DataArray]:
    return {
        prefix: corrected_spread(roles, name)
        for prefix, name in PREFIXES.items()
        if f"{name}_draws" in roles
    }


def _noise(draws: xr.DataArray) -> xr.DataArray:
    """Spread over layers of each draw, its mean profile taken off: (replicate, …)."""
    drawn = draws.isel(replicate=slice(1, None))
    return (drawn - drawn.mean("replicate")).std("layer", skipna=False)


def _quadratic_mean(noise: xr.DataArray) -> xr.DataArray:
    squared: xr.DataArray = noise**2
    return squared.mean("replicate") ** 0.5


def _named(name: str, change: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), change, strict=True))


def _change(draws: xr.DataArray, start: int, alpha: float) -> tuple[float, float, float]:
    """Change from one step to the last, and its interval, NaN where there is nothing between."""
    if start == draws.sizes["step"] - 1:
        return 0.0, float("nan"), float("nan")
    change = draws.isel(step=-1) - draws.isel(step=start)
    low, high = interval(change, alpha=alpha)
    return float(change.isel(replicate=0)), float(low), float(high)


def _chosen_change(draws: xr.DataArray, start: int, alpha: float) -> tuple[float, float, float]:
    """The same with an interval that holds for all starts at once, whichever was chosen."""
    if start == draws.sizes["step"] - 1:
        return 0.0, float("nan"), float("nan")
    others = (draws.isel(step=-1) - draws).isel(step=slice(None, -1))
    estimate = others.isel(replicate=0)
    away = (others.isel(replicate=slice(1, None)) - estimate).values
    error = away.std(0)
    largest = np.abs(away[:, error > 0] / error[error > 0]).max(1, initial=0.0)
    half = float(np.quantile(largest, 1 - alpha) * error[start]) if len(largest) else float("nan")
    value = float(estimate[start])
    return value, value - half, value + half


def _minimum(draws: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """The layer with the least value, and the share of draws that agree."""
    lowest = draws.argmin("layer")
    first = lowest.isel(replicate=0, drop=True)
    agree = xr.where(lowest.isel(replicate=slice(1, None)) == first, 1.0, 0.0)
    return first.copy(data=draws["layer"].values[first.values]), agree.mean("replicate")


def _minimum_claims(last: xr.DataArray) -> dict[str, float]:
    layer, support = _minimum(last)
    lowest = last.isel(replicate=slice(1, None)).argmin("layer")
    is_last = float((lowest == last.sizes["layer"] - 1).mean())
    return {
        "minimum_layer": float(layer),
        "minimum_support": float(support),
        "minimum_is_last": is_last,
    }
