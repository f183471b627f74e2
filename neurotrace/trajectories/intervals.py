"""Intervals of a mean overlap: concepts and languages are the sampled units.

Pairs of languages are no independent samples (66 pairs of 12 languages are 12 languages), and
sentences must not be resampled through a selection of experts. So replicates reweight concepts
and languages as nodes; the splits within are averaged first.
"""

import warnings

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.trajectories.overlap import reliability_root

MIN_CONCEPTS = 3  # fewer cannot be resampled to any purpose
AVERAGED = ("value", "stratified", "wrong_concept", "same_half", "excess")


def summarize(
    overlap: xr.Dataset, *, replicates: int = 1000, alpha: float = 0.05, seed: int = 0
) -> xr.Dataset:
    """Mean over concepts and language pairs of every column of an overlap, with intervals.

    ``corrected`` is formed per language pair from the concept means, as
    ``(value − chance) / √((rel_a − chance)(rel_b − chance))``, then averaged over pairs.
    *Eats* concept, lang_a, lang_b → *leaves* step (layer, k).

    Parameters
    ----------
    overlap
        What :func:`neurotrace.trajectories.expert_overlap` returns.
    replicates
        Draws of the node bootstrap.
    alpha
        One minus the coverage of the intervals.

    Returns
    -------
    For each column ``name`` also ``name_low`` and ``name_high``; ``chance``; ``valid_pairs``, the
    number of language pairs whose reliability allows a corrected value, and ``pairs``.

    Notes
    -----
    With fewer than about five languages the interval over languages is rough, with two it covers
    concepts alone, and with fewer than three concepts there is none (NaN). It never covers
    differences between training runs: show seeds apart.
    """
    draws = node_bootstrap(overlap, replicates=replicates, seed=seed)
    result = xr.Dataset(coords={n: c for n, c in overlap.coords.items() if n != "k" or c.ndim})
    for name in [*AVERAGED, "rel", "ceiling", "corrected"]:
        low, high = interval(draws[name], alpha=alpha)
        result[name] = draws[name].isel(replicate=0)
        result[f"{name}_low"], result[f"{name}_high"] = low, high
    result["chance"] = overlap["chance"]
    result["valid_pairs"] = draws["valid_pairs"]
    n_langs = overlap.sizes["lang"]
    result["pairs"] = xr.DataArray(n_langs * (n_langs - 1) // 2)
    result = result.drop_vars(["concept", "lang", "lang_a", "lang_b"], errors="ignore")
    result.attrs |= overlap.attrs | {"alpha": alpha, "replicates": replicates}
    return result


def node_bootstrap(overlap: xr.Dataset, *, replicates: int = 1000, seed: int = 0) -> xr.Dataset:
    """Means of an overlap under reweighted concepts and languages; replicate 0 is the estimate.

    The same seed reweights alike, so the difference of two results (neurons against a rotated
    basis, say) is paired: subtract them and take the interval of the difference.
    """
    n_concepts, n_langs = overlap.sizes["concept"], overlap.sizes["lang"]
    concepts, langs = _weights(n_concepts, n_langs, replicates, seed)
    pairs = langs[:, :, None] * langs[:, None, :] * (1 - np.eye(n_langs))
    weight_c = xr.DataArray(concepts, dims=("replicate", "concept"))
    weight_p = xr.DataArray(pairs, dims=("replicate", "lang_a", "lang_b"))
    plain = overlap.drop_vars(["concept", "lang", "lang_a", "lang_b"], errors="ignore")
    rel = _mean(plain["rel"], weight_c, ["concept"])
    value = _mean(plain["value"], weight_c, ["concept"])
    chance = plain["chance"]
    root = _root(rel, chance)
    result = xr.Dataset(
        {"corrected": _mean((value - chance) / root, weight_p, ["lang_a", "lang_b"])}
    )
    result["ceiling"] = _mean(chance + root, weight_p, ["lang_a", "lang_b"])
    for name in AVERAGED:
        by_pair = _mean(plain[name], weight_c, ["concept"])
        result[name] = _mean(by_pair, weight_p, ["lang_a", "lang_b"])
    weight_l = xr.DataArray(langs, dims=("replicate", "lang"))
    result["rel"] = _mean(rel, weight_l, ["lang"])
    usable = (root.isel(replicate=0) * (1 - np.eye(n_langs))) > 0
    result["valid_pairs"] = usable.sum(["lang_a", "lang_b"]) // 2
    return result


def interval(draws: xr.DataArray, *, alpha: float = 0.05) -> tuple[xr.DataArray, xr.DataArray]:
    """Percentile interval over ``replicate``, of which 0 is the estimate.

    Draws that are NaN (no pair left) do not count; NaN where all are, as where the estimate is.
    """
    estimate, draws = draws.isel(replicate=0), draws.isel(replicate=slice(1, None))
    if not draws.sizes["replicate"]:
        nothing = xr.full_like(estimate, np.nan, dtype=float)
        return nothing, nothing
    with warnings.catch_warnings():
        # Where every draw is NaN the interval is NaN, which is all that NumPy would tell.
        warnings.filterwarnings("ignore", message="All-NaN slice")
        bounds = draws.quantile([alpha / 2, 1 - alpha / 2], dim="replicate", skipna=True)
    return bounds.isel(quantile=0, drop=True), bounds.isel(quantile=1, drop=True)


def _weights(
    n_concepts: int, n_langs: int, replicates: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of each node in resamples with replacement; row 0 counts every node once."""
    rng = np.random.default_rng([seed, 2])
    if n_concepts < MIN_CONCEPTS:
        replicates = 0
    concepts = rng.multinomial(n_concepts, np.full(n_concepts, 1 / n_concepts), replicates)
    langs = rng.multinomial(n_langs, np.full(n_langs, 1 / n_langs), replicates)
    return tuple(  # type: ignore[return-value]
        np.vstack([np.ones(drawn.shape[1]), drawn]).astype(float) for drawn in (concepts, langs)
    )


def _mean(values: xr.DataArray, weights: xr.DataArray, dims: list[str]) -> xr.DataArray:
    """Weighted mean that leaves NaN out and is NaN where no weight is left."""
    total = xr.dot(weights, values.notnull().astype(float), dim=dims)
    return xr.dot(weights, values.fillna(0), dim=dims) / total.where(total > 0)


def _root(rel: xr.DataArray, chance: xr.DataArray) -> xr.DataArray:
    """Ceilings of all pairs; a draw may fall below what the estimate needs, not below chance."""
    a, b = rel.rename(lang="lang_a"), rel.rename(lang="lang_b")
    estimate = xr.apply_ufunc(reliability_root, a.isel(replicate=0), b.isel(replicate=0), chance)
    above = (a > chance) & (b > chance)
    return ((a - chance) * (b - chance)).where(above & estimate.notnull()) ** 0.5
