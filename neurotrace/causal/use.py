"""The use curve: how much of a concept's effect within a language arrives across languages.

Concepts and languages are the sampled units, as for the overlap of expert sets: pairs of
languages are no independent samples, so each node takes along all that it has part in.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes, nodes
from neurotrace.nodes import interval

LEAST_NATS = 0.05  # an effect within languages under this is none to take a share of
NODES = ("concept", "lang_a", "lang_b")


def summarize_interchange(
    effects: xr.Dataset,
    *,
    replicates: int = 1000,
    alpha: float = 0.05,
    least: float = LEAST_NATS,
    seed: int = 0,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Means, intervals and the ratio across / within, of the effects of some checkpoints.

    Parameters
    ----------
    effects
        What :func:`neurotrace.causal.interchange` returns, joined along ``step``.
    replicates
        Draws around the estimate. With the same seed, concepts and languages they move as those
        of an overlap's intervals do, so that the two curves may be paired.
    alpha
        One minus the coverage of the intervals.
    least
        Smallest effect within languages, in nats, of which a share is taken.

    Returns
    -------
    interchange
        Over (step, arm): ``across`` (mean over concepts and ordered pairs of languages), ``within``
        (the ceiling: a language's values written into itself) and ``excess`` (across, minus that of
        ``random_matched``, paired), each with ``_low`` and ``_high``; ``topics_positive``, the
        number of concepts whose effect across is positive. Over (step): ``ratio`` = across /
        within of the experts, with bounds; 1 is fully shared. It is NaN where the interval of
        within holds 0 or within is below ``least``. ``ratio_rotated`` is the same of the rotated
        arm, NaN where that was not run. ``by_pair`` (step, lang_a, lang_b) of the
        experts; ``chance`` (step), across of ``random_matched``.
    draws
        Over (replicate, step), 0 the estimate: ``ratio across within excess`` of the
        experts, and ``chance``.

    Raises
    ------
    ValueError
        When an axis or the experts' arm is missing.

    Notes
    -----
    Intervals are those of the jackknife over concepts and over languages (Sen 1960, for
    U-statistics), with Student's t for few of them; with fewer than three concepts there are none.
    They never cover differences between training runs.
    """
    axes.check(effects, "step", "arm", *NODES)
    if "experts" not in effects["arm"]:
        raise ValueError(f"got arms {list(effects['arm'].values)}; expected experts among them")
    draws = node_draws(effects["value"], replicates=replicates, seed=seed)
    chance = _arm(draws["across"], "random_matched")
    draws["excess"] = draws["across"] - chance
    result = _with_intervals(draws, ("across", "within", "excess"), alpha)
    result["topics_positive"] = _positive(effects["value"])
    # Where there is nothing within, there is nothing to take a share of.
    ratio = draws["ratio"].where((result["within_low"] > 0) & (result["within"] >= least))
    own = draws.sel(arm="experts", drop=True).assign(ratio=_arm(ratio, "experts"))
    for name, arm in (("ratio", "experts"), ("ratio_rotated", "rotated")):
        of_arm = _arm(ratio, arm)
        result[name] = of_arm.isel(replicate=0)
        result[f"{name}_low"], result[f"{name}_high"] = interval(of_arm, alpha=alpha)
    result["by_pair"] = effects["value"].sel(arm="experts", drop=True).mean("concept")
    result["chance"] = chance.isel(replicate=0)
    result.attrs |= effects.attrs | {"alpha": alpha, "replicates": replicates, "least": least}
    result.attrs["concepts"] = effects.sizes["concept"]
    kept = own[["ratio", "across", "within", "excess"]].assign(chance=chance)
    return result, kept.transpose("replicate", "step", ...)


def node_draws(value: xr.DataArray, *, replicates: int, seed: int) -> xr.Dataset:
    """Draws of ``across``, ``within`` and their ``ratio``; replicate 0 is the estimate.

    See :mod:`neurotrace.nodes`. *Eats* concept, lang_a, lang_b → *leaves* replicate and whatever
    else there is.
    """
    sizes = value.sizes["concept"], value.sizes["lang_a"]
    found = _means(value, *nodes.left_out(*sizes))
    return nodes.draws_of(found, *sizes, replicates=replicates, seed=seed)


def _means(
    value: xr.DataArray, concepts: NDArray[np.float64], langs: NDArray[np.float64]
) -> xr.Dataset:
    """Means under rows of weights ``(replicate, node)``."""
    same = np.eye(value.sizes["lang_a"])
    dims = ("replicate", "lang_a", "lang_b")
    apart = xr.DataArray(langs[:, :, None] * langs[:, None, :] * (1 - same), dims=dims)
    own = xr.DataArray(langs[:, :, None] * same, dims=dims)
    plain = value.drop_vars(NODES, errors="ignore")
    result = xr.Dataset(
        {"across": _mean(plain, concepts, apart), "within": _mean(plain, concepts, own)}
    )
    return result.assign(ratio=result["across"] / result["within"].where(result["within"] > 0))


def _mean(value: xr.DataArray, concepts: NDArray[np.float64], pairs: xr.DataArray) -> xr.DataArray:
    """Weighted over concepts and pairs, NaN left out, NaN where no weight is left."""
    weight = xr.DataArray(concepts, dims=("replicate", "concept"))

    def total(cells: xr.DataArray) -> xr.DataArray:
        return xr.dot(xr.dot(cells, weight, dim="concept"), pairs, dim=["lang_a", "lang_b"])

    mass = total(value.notnull().astype(float))
    return total(value.fillna(0)) / mass.where(mass > 0)


def _with_intervals(draws: xr.Dataset, names: tuple[str, ...], alpha: float) -> xr.Dataset:
    result = xr.Dataset(coords=draws.isel(replicate=0).coords)
    for name in names:
        result[name] = draws[name].isel(replicate=0)
        result[f"{name}_low"], result[f"{name}_high"] = interval(draws[name], alpha=alpha)
    return result


def _positive(value: xr.DataArray) -> xr.DataArray:
    """How many concepts have a positive effect across languages."""
    across = value.where(value["lang_a"] != value["lang_b"]).mean(["lang_a", "lang_b"])
    return (across > 0).sum("concept").astype(float)


def _arm(values: xr.DataArray, name: str) -> xr.DataArray:
    """An arm's values, NaN where it was not run."""
    if name in values["arm"]:
        return values.sel(arm=name, drop=True)
    return xr.full_like(values.isel(arm=0, drop=True), np.nan)
