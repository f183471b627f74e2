"""What corrected overlap would be over a whole series if languages shared no concepts.

One seeded exchange of concepts is applied at every step, in every layer and at every size of
expert set, so that a null series drifts and wobbles as the measured one does. Concepts permuted
anew at each step would forget each other, and any trend would stand out from them.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

MIN_CONCEPTS = 3  # two can be exchanged in one way only, which is no distribution
STREAM = 51


def exchanges(
    n_concepts: int, n_langs: int, *, replicates: int = 200, seed: int = 0
) -> NDArray[np.intp]:
    """Which concept's experts stand in for each concept, language by language.

    A draw is one random cycle through all concepts; every language moves along it by a number of
    places of its own, so that no two languages hand over the same concept. With more languages
    than concepts some must move alike: :func:`overlap_null` leaves such pairs out.

    Returns
    -------
    ``(replicate, lang, concept)`` concept numbers. With fewer than three concepts every one stands
    for itself in all languages, so that no pair has a null.
    """
    rng = np.random.default_rng([seed, STREAM])
    drawn = np.tile(np.arange(n_concepts), (replicates, n_langs, 1))
    for draw in drawn if n_concepts >= MIN_CONCEPTS else []:
        cycle = rng.permutation(n_concepts)
        moves = rng.permutation(np.resize(rng.permutation(n_concepts), n_langs))
        draw[:] = cycle[(np.argsort(cycle) + moves[:, None]) % n_concepts]
    return drawn


def overlap_null(
    pairwise: NDArray[np.float64], moved_a: NDArray[np.intp], moved_b: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Mean overlap of one pair of languages under each exchange of its concepts.

    Parameters
    ----------
    pairwise : (concept, concept)
        Overlap of every set of one language with every set of the other.
    moved_a, moved_b : (replicate, concept)
        The two languages' parts of :func:`exchanges`.

    Returns
    -------
    ``(replicate,)``, NaN where both languages moved alike, so that concepts still match.
    """
    alike = (moved_a == moved_b).any(-1)
    return np.where(alike, np.nan, pairwise[moved_a, moved_b].mean(-1))


def corrected_null(
    by_pair: NDArray[np.float64], root: NDArray[np.float64], chance: float
) -> NDArray[np.float64]:
    """Null draws on the scale of corrected overlap, ``(replicate,)``, moved to be conservative.

    ``(overlap − chance) / root`` of each pair, then the mean over pairs: formed as the corrected
    overlap itself. With good experts a wrong concept falls below chance, which would flatter
    every curve; a mean below 0 is therefore moved up to 0, and a mean above 0 is left there.

    Parameters
    ----------
    by_pair : (pair, replicate)
        Overlap of each pair of languages under the null.
    root : (pair,)
        Each pair's reliability root, NaN where none is defined.
    chance
        Overlap of random sets.
    """
    with warnings.catch_warnings():
        # No usable pair: NaN, as the corrected overlap is.
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        drawn = np.nanmean((by_pair - chance) / root[:, None], axis=0)
        return drawn + max(0.0, -float(np.nanmean(drawn)))
