"""What corrected overlap would be over a whole series if languages shared no concepts.

One seeded exchange of concepts is applied at every step, in every layer and at every size of
expert set, so that a null series drifts and wobbles as the measured one does. Concepts permuted
anew at each step would forget each other, and any trend would stand out from them.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

LEAST = 80  # distinct exchanges: about 4 above a line that 5 % of null series pass
LOOKED_AT = 4 * LEAST  # exchanges among which distinct ones are counted
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
    ``(replicate, lang, concept)`` concept numbers. Where fewer than 80 distinct exchanges exist,
    every concept stands for itself in all languages, so that no pair has a null.

    Notes
    -----
    Exchanges are distinct where some language differs relative to the first: moving all of them
    alike changes no overlap. Three concepts of two languages have 2, four 9, five 24, six 175; five
    have 72 with three languages and 144 with four. A line drawn from so few is passed by chance far
    more often than it says: of 200 series without any sharing, those of three concepts in two
    languages had a false onset in 75, of four in 13, of five in 5, of six in 1.
    """
    drawn = _cycles(n_concepts, n_langs, max(replicates, LOOKED_AT), seed)
    if _distinct(drawn[:LOOKED_AT]) < LEAST:
        return np.tile(np.arange(n_concepts), (replicates, n_langs, 1))
    return drawn[:replicates]


def _cycles(n_concepts: int, n_langs: int, replicates: int, seed: int) -> NDArray[np.intp]:
    rng = np.random.default_rng([seed, STREAM])
    drawn = np.empty((replicates, n_langs, n_concepts), dtype=np.intp)
    for draw in drawn:
        cycle = rng.permutation(n_concepts)
        moves = rng.permutation(np.resize(rng.permutation(n_concepts), n_langs))
        draw[:] = cycle[(np.argsort(cycle) + moves[:, None]) % n_concepts]
    return drawn


def _distinct(drawn: NDArray[np.intp]) -> int:
    """How many of the exchanges differ in what a language hands over relative to the first."""
    order = np.argsort(drawn[:, :1], axis=-1)
    relative = np.take_along_axis(drawn, np.broadcast_to(order, drawn.shape), axis=-1)
    return len(np.unique(relative.reshape(len(drawn), -1), axis=0))


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
