"""Draws of means over concepts and languages, which are the sampled units of every interval.

Pairs of languages are no independent samples, and neither are the concepts of one language: what
a mean owes to each concept, and to each language with all its pairs, is measured by leaving it
out. A draw is ``estimate + Σ_c u_c d_c + Σ_l v_l d_l``: ``d`` is what leaving out one concept, or
one language, does to the estimate (centred), ``u`` and ``v`` are normal with the jackknife's
scale, stretched so that 95 % of either sum alone reach as far as Student's t with one degree of
freedom less than there are concepts, or languages.

Resampling nodes with replacement, as is usual, is too narrow for few languages: of four, a
resample has 2.7 different ones in the mean. The jackknife of pairs is the variance estimate of Sen
(1960) for U-statistics. What concepts and languages do together is counted in both sums, which
errs on the wide side.
"""

import warnings
from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MIN_CONCEPTS = 3  # fewer cannot be left out to any purpose
LEVEL = 0.975  # at which normal draws are stretched to reach as far as Student's


def left_out(n_concepts: int, n_langs: int) -> tuple[Floats, Floats]:
    """Weights with nothing left out, then each concept, then each language: ``(row, node)``."""
    n = n_concepts + n_langs
    kept = np.vstack([np.ones((1, n)), 1 - np.eye(n)])
    return kept[:, :n_concepts], kept[:, n_concepts:]


def draws_of(
    found: xr.Dataset,
    n_concepts: int,
    n_langs: int,
    *,
    replicates: int = 1000,
    languages: bool = True,
    seed: int = 0,
) -> xr.Dataset:
    """Draws of means, given what they are under each row of :func:`left_out`.

    Parameters
    ----------
    found
        The means over ``replicate``, one entry a row. Where nothing is left without a node (NaN),
        that node adds nothing.
    replicates
        Draws; none with fewer than three concepts. The same seed draws alike, so that differences
        of two results of the same concepts and languages are paired.
    languages
        Whether languages vary, too; without, the draws speak of these languages alone.

    Returns
    -------
    The same variables over ``replicate``, of which 0 is the estimate.
    """
    rng = np.random.default_rng([seed, 2])
    n_draws = replicates if n_concepts >= MIN_CONCEPTS else 0
    result = found.isel(replicate=0).expand_dims(replicate=n_draws + 1)
    for first, n in ((1, n_concepts), (1 + n_concepts, n_langs))[: 1 + languages]:
        without = found.isel(replicate=slice(first, first + n)).rename(replicate="without")
        moved = (without - without.mean("without")).fillna(0)
        by_node = xr.DataArray(_multipliers(n, n_draws, rng), dims=("replicate", "without"))
        result = result + moved.map(lambda d, w=by_node: xr.dot(w, d, dim="without"))
    return result


def node_draws(
    means: Callable[[Floats, Floats], Floats],
    n_concepts: int,
    n_langs: int,
    *,
    replicates: int = 500,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """The same for plain arrays, and the noise of a profile over layers.

    Parameters
    ----------
    means
        Weights (row, concept) and (row, lang) → means under each row of weights (row, …, layer).
    replicates
        Draws; none with fewer than three concepts. The same seed draws alike.

    Returns
    -------
    Draws (replicate, …, layer), of which 0 is the estimate, and the jackknife's standard error of
    the profile (…): the quadratic mean of its spread over layers, without the stretching.
    """
    found = means(*left_out(n_concepts, n_langs))
    rng = np.random.default_rng([seed, 2])
    n_draws = replicates if n_concepts >= MIN_CONCEPTS else 0
    draws = np.repeat(found[:1], 1 + n_draws, axis=0)
    squared = np.zeros(found.shape[1:-1])
    for without in (found[1 : 1 + n_concepts], found[1 + n_concepts :]):
        known = ~np.isnan(without)  # where nothing is left, a node moves nothing
        center = np.where(known, without, 0).sum(0) / np.maximum(known.sum(0), 1)
        moved = np.where(known, without - center, 0)
        draws += np.tensordot(_multipliers(len(without), n_draws, rng), moved, axes=1)
        squared += np.square(moved.std(-1)).sum(0) * (len(without) - 1) / len(without)
    return draws, np.sqrt(squared)


def interval(draws: xr.DataArray, *, alpha: float = 0.05) -> tuple[xr.DataArray, xr.DataArray]:
    """Percentile interval over ``replicate``, of which 0 is the estimate.

    Draws that are NaN (no pair left) do not count; NaN where all are, or where the estimate is.
    """
    estimate, rest = draws.isel(replicate=0), draws.isel(replicate=slice(1, None))
    if not rest.sizes["replicate"]:
        nothing = xr.full_like(estimate, np.nan, dtype=float)
        return nothing, nothing
    with warnings.catch_warnings():
        # Where every draw is NaN the interval is NaN, which is all that NumPy would tell.
        warnings.filterwarnings("ignore", message="All-NaN slice")
        bounds = rest.quantile([alpha / 2, 1 - alpha / 2], dim="replicate", skipna=True)
    there = estimate.notnull()
    low, high = (bounds.isel(quantile=at, drop=True).where(there) for at in (0, 1))
    return low, high


def _multipliers(n: int, replicates: int, rng: np.random.Generator) -> Floats:
    """``(replicate, node)`` multipliers of what leaving a node out does; row 0 is the estimate."""
    from scipy import stats  # loads slowly

    stretch = stats.t.ppf(LEVEL, max(n - 1, 1)) / stats.norm.ppf(LEVEL)
    normal = stretch * np.sqrt((n - 1) / n) * rng.standard_normal((replicates, n))
    return np.vstack([np.zeros((1, n)), normal])
