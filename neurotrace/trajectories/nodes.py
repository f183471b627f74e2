"""Draws of means over concepts and languages, which are the sampled units.

Pairs of languages are no independent samples, and neither are the concepts of one language: what
a mean owes to each concept, and to each language with all its pairs, is measured by leaving it out.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neurotrace.trajectories.intervals import MIN_CONCEPTS

Floats = NDArray[np.float64]
LEVEL = 0.975  # at which normal draws are stretched to reach as far as Student's


def node_draws(
    means: Callable[[Floats, Floats], Floats],
    n_concepts: int,
    n_langs: int,
    *,
    replicates: int = 500,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Draws of a mean over concepts and languages, and the noise of its profile.

    ``draw = estimate + Σ_c u_c d_c + Σ_l v_l d_l``: ``d`` is what leaving out one concept, or one
    language, does to the mean (centred), ``u`` and ``v`` are normal with the jackknife's scale,
    stretched so that 95 % of either sum alone reach as far as Student's t with one degree of
    freedom less than there are concepts, or languages. The same seed draws alike.

    Parameters
    ----------
    means
        Weights (row, concept) and (row, lang) → means under each row of weights (row, …, layer).
    replicates
        Draws; none with fewer than three concepts.

    Returns
    -------
    Draws (replicate, …, layer), of which 0 is the estimate, and the jackknife's standard error of
    the profile (…): the quadratic mean of its spread over layers, without the stretching.

    Notes
    -----
    With few languages, resampling them is too narrow: of four, a resample has 2.7 different ones.
    Where no pair is left without a language, that language adds nothing.
    """
    n = n_concepts + n_langs
    kept = np.vstack([np.ones((1, n)), 1 - np.eye(n)])
    found = means(kept[:, :n_concepts], kept[:, n_concepts:])
    rng = np.random.default_rng([seed, 24])
    draws = np.repeat(found[:1], 1 + (replicates if n_concepts >= MIN_CONCEPTS else 0), axis=0)
    squared = np.zeros(found.shape[1:-1])
    for without in (found[1 : 1 + n_concepts], found[1 + n_concepts :]):
        size = len(without)
        known = ~np.isnan(without)  # where nothing is left, a node moves nothing
        center = np.where(known, without, 0).sum(0) / np.maximum(known.sum(0), 1)
        moved = np.where(known, without - center, 0) * np.sqrt((size - 1) / size)
        stretch = stats.t.ppf(LEVEL, max(size - 1, 1)) / stats.norm.ppf(LEVEL)
        normal = stretch * rng.standard_normal((len(draws) - 1, size))
        draws[1:] += np.tensordot(normal, moved, axes=1)
        squared += np.square(moved.std(-1)).sum(0)
    return draws, np.sqrt(squared)
