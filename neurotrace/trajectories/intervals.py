"""Intervals of a mean overlap: concepts and languages are the sampled units.

Pairs of languages are no independent samples (66 pairs of 12 languages are 12 languages), and
sentences must not be resampled through a selection of experts. So concepts and languages vary as
nodes, each taking along all that it has part in; the splits within are averaged first.
"""

import warnings

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.trajectories.overlap import reliability_root

MIN_CONCEPTS = 3  # fewer cannot be resampled to any purpose
FRACTIONS = ("value", "stratified", "wrong_concept", "same_half", "rel", "ceiling")
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
    Few languages make wide intervals: the multiplier of a standard error is 3.2 for four
    languages, 2.4 for eight. With two the interval covers concepts alone, and with fewer than
    three concepts there is none (NaN). Bounds of fractions are kept within 0 and 1. It never
    covers differences between training runs: show seeds apart.
    """
    draws = node_bootstrap(overlap, replicates=replicates, seed=seed)
    result = xr.Dataset(coords={n: c for n, c in overlap.coords.items() if n != "k" or c.ndim})
    for name in [*AVERAGED, "rel", "ceiling", "corrected"]:
        low, high = interval(draws[name], alpha=alpha)
        if name in FRACTIONS:
            low, high = low.clip(0, 1), high.clip(0, 1)
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
    """Draws of an overlap's means over concepts and languages; replicate 0 is the estimate.

    ``draw = estimate + Σ_c u_c d_c + Σ_l v_l d_l``, with ``d`` what leaving out one concept, or one
    language with all its pairs, does to the estimate (centred), and ``u`` and ``v`` normal
    multipliers, scaled so that each sum alone has the spread of Student's t times the jackknife's
    standard error, with one degree of freedom less than there are concepts or languages.

    The same seed draws alike at every step and in every overlap of the same concepts and
    languages, so the difference of two results (neurons against a rotated basis, say) is paired:
    subtract them and take the interval of the difference.

    Notes
    -----
    Resampling nodes with replacement, as is usual, gives too narrow an interval for few languages:
    of four, a resample has 2.7 different ones in the mean, and its spread is a share √(3/4) of
    what it should be, read off as if it were known. The jackknife of pairs is the variance
    estimate of Sen (1960) for U-statistics. What concepts and languages do together is counted in
    both sums, which errs on the wide side. Where no pair is left without a language, as with two
    of them, that language adds nothing.
    """
    n_concepts, n_langs = overlap.sizes["concept"], overlap.sizes["lang"]
    everything = np.ones((1, n_concepts + n_langs))
    kept = np.vstack([everything, 1 - np.eye(n_concepts + n_langs)])
    found = _means(overlap, kept[:, :n_concepts], kept[:, n_concepts:])
    estimate = found.isel(replicate=0)
    if n_concepts < MIN_CONCEPTS:
        replicates = 0
    result = estimate.expand_dims(replicate=replicates + 1)
    rng = np.random.default_rng([seed, 2])
    for first, n in ((1, n_concepts), (1 + n_concepts, n_langs)):
        without = found.isel(replicate=slice(first, first + n)).rename(replicate="left_out")
        moved = (without - without.mean("left_out")).fillna(0)
        multipliers = xr.DataArray(_multipliers(n, replicates, rng), dims=("replicate", "left_out"))
        result = result + moved.map(lambda d, m=multipliers: xr.dot(m, d, dim="left_out"))
    result["valid_pairs"] = _valid_pairs(overlap)
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


def _means(
    overlap: xr.Dataset, concepts: NDArray[np.float64], langs: NDArray[np.float64]
) -> xr.Dataset:
    """Means over concepts and pairs under rows of weights ``(replicate, node)``."""
    plain = overlap.drop_vars(["concept", "lang", "lang_a", "lang_b"], errors="ignore")
    pairs = langs[:, :, None] * langs[:, None, :] * (1 - np.eye(langs.shape[1]))
    weight_c = xr.DataArray(concepts, dims=("replicate", "concept"))
    weight_p = xr.DataArray(pairs, dims=("replicate", "lang_a", "lang_b"))
    weight_l = xr.DataArray(langs, dims=("replicate", "lang"))
    chance = plain["chance"]
    rel = _mean(plain["rel"], weight_c, ["concept"])
    by_pair = {name: _mean(plain[name], weight_c, ["concept"]) for name in AVERAGED}
    root = _root(rel, chance)
    by_pair |= {"corrected": (by_pair["value"] - chance) / root, "ceiling": chance + root}
    found = {name: _mean(of, weight_p, ["lang_a", "lang_b"]) for name, of in by_pair.items()}
    return xr.Dataset(found | {"rel": _mean(rel, weight_l, ["lang"])})


def _multipliers(n: int, replicates: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(replicate, node)`` multipliers of what leaving a node out does; row 0 is the estimate."""
    normal = rng.standard_normal((replicates, n))
    freedom = max(n - 1, 1)
    student = np.sqrt(freedom / rng.chisquare(freedom, replicates))[:, None]
    return np.vstack([np.zeros((1, n)), normal * student * np.sqrt((n - 1) / n)])


def _valid_pairs(overlap: xr.Dataset) -> xr.DataArray:
    """Pairs of languages whose reliability allows a corrected value."""
    rel = overlap["rel"].mean("concept").drop_vars("lang", errors="ignore")
    a, b = rel.rename(lang="lang_a"), rel.rename(lang="lang_b")
    root = xr.apply_ufunc(reliability_root, a, b, overlap["chance"])
    apart = xr.DataArray(1 - np.eye(overlap.sizes["lang"]), dims=("lang_a", "lang_b"))
    return (root * apart > 0).sum(["lang_a", "lang_b"]) // 2


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
