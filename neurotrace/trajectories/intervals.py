"""Intervals of a mean overlap: concepts and languages are the sampled units.

Pairs of languages are no independent samples (66 pairs of 12 languages are 12 languages), and
sentences must not be resampled through a selection of experts. So concepts and languages vary as
nodes, each taking along all that it has part in; the splits within are averaged first.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import nodes
from neurotrace.nodes import interval
from neurotrace.trajectories.agreement import reliability_root

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


def node_bootstrap(
    overlap: xr.Dataset, *, replicates: int = 1000, languages: bool = True, seed: int = 0
) -> xr.Dataset:
    """Draws of an overlap's means over concepts and languages; replicate 0 is the estimate.

    See :mod:`neurotrace.nodes`. The same seed draws alike at every step and in every overlap of the
    same concepts and languages, so the difference of two results (neurons against a rotated basis,
    say) is paired: subtract them and take the interval of the difference. Where no pair is left
    without a language, as with two of them, that language adds nothing. ``languages=False`` keeps
    the languages as they are and lets concepts vary alone.
    """
    sizes = overlap.sizes["concept"], overlap.sizes["lang"]
    found = _means(overlap, *nodes.left_out(*sizes))
    result = nodes.draws_of(found, *sizes, replicates=replicates, languages=languages, seed=seed)
    result["valid_pairs"] = _valid_pairs(overlap)
    return result


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
