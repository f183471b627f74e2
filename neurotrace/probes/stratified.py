"""AUROC among sentences alike in a nuisance: only pairs within one stratum are compared.

Long sentences have larger maxima, so a neuron that follows length looks like an expert of any
concept whose sentences are long. Within a stratum of like lengths that neuron has little left.
"""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.inputs import check_responses, plain_array
from neurotrace.probes.labels import Labels, Pattern
from neurotrace.probes.ranking import Ranking, each_ranking

Array = NDArray[Any]


def stratified_auroc(
    X: ArrayLike, y: ArrayLike, covariate: ArrayLike, *, bins: int, n_jobs: int = 1
) -> NDArray[np.float64]:
    """AUROC within bins of a covariate, weighted by the bins' comparable pairs.

    Σ_bin n_pos n_neg AUROC_bin / Σ_bin n_pos n_neg: the share of all (positive, negative) pairs of
    one bin that the positive wins, ties counting half. See `auroc`, which hands it out.

    Parameters
    ----------
    X : (example, neuron)
    y : (example,) or (example, concept)
    covariate : (example,) finite numbers
    bins
        Of the sentences known for a concept: `equal_mass`.
    n_jobs
        Threads, -1 for all cores.

    Raises
    ------
    ValueError
        As `auroc`; a covariate of another shape or not finite; fewer than 1 bin; or a concept
        whose positives never share a bin with a negative.
    """
    X = check_responses(X)
    labels = Labels.of(y, len(X))
    labels.check_classes(None, negatives=True)
    values = _check_covariate(covariate, len(X))
    if bins != int(bins) or bins < 1:
        raise ValueError(f"got bins={bins}, expected a whole number, at least 1")
    strata = [_strata(values, pattern, int(bins)) for pattern in labels.patterns]
    pairs = np.empty(labels.n_concepts)
    largest = np.empty(labels.n_concepts)  # rank sum of positives that lose every pair, halved
    for pattern, stratum in zip(labels.patterns, strata, strict=True):
        n_pos, n_neg = _class_sizes(labels.positive[:, pattern.members], stratum, int(bins))
        pairs[pattern.members] = (n_pos * n_neg).sum(0)
        largest[pattern.members] = (n_pos * n_neg + n_pos * (n_pos + 1) / 2).sum(0)
    _check_pairs(pairs)
    scores = np.empty((labels.n_concepts, X.shape[1]))

    def score(neurons: slice, ranking: Ranking) -> None:
        for pattern, stratum in zip(labels.patterns, strata, strict=True):
            members = pattern.members
            twice = np.zeros((ranking.n_neurons, len(members)), np.int64)
            rank_sums(ranking.order, pattern.starts, pattern.concepts, stratum, int(bins), twice)
            scores[members, neurons] = ((largest[members] - twice / 2) / pairs[members]).T

    each_ranking(X, score, n_jobs=n_jobs)
    return labels.shaped(scores)


def equal_mass(values: NDArray[Any], bins: int) -> NDArray[np.int64]:
    """Bins of about equal mass, rising with the values; equal values share a bin.

    A group of equal values goes where its middle falls, so that a bin may stay empty. Where there
    are no more distinct values than bins, each has its own.

    Parameters
    ----------
    values : (example,)
    bins

    Returns
    -------
    (example,) from 0 to bins - 1

    Examples
    --------
    >>> equal_mass(np.array([9, 1, 5, 5, 7, 3, 8, 5]), 4)
    array([3, 0, 1, 1, 2, 0, 3, 1])
    """
    distinct, which, sizes = np.unique(values, return_inverse=True, return_counts=True)
    if len(distinct) <= bins:
        return which.astype(np.int64)
    middle = 2 * (np.cumsum(sizes) - sizes) + sizes  # twice the sentences below it
    return (bins * middle // (2 * len(values)))[which]


def _strata(values: Array, pattern: Pattern, bins: int) -> NDArray[np.int64]:
    """Bin of each sentence; `bins` for those left out."""
    stratum = np.full(len(values), bins)
    known = ~pattern.left_out
    stratum[known] = equal_mass(values[known], bins)
    return stratum


def _class_sizes(positive: Array, stratum: Array, bins: int) -> tuple[Array, Array]:
    """Positives and negatives of each bin: (bin, concept) each."""
    inside = stratum == np.arange(bins)[:, None]
    n_pos = inside.astype(float) @ positive
    return n_pos, inside.sum(1, keepdims=True) - n_pos


def _check_covariate(covariate: ArrayLike, n_examples: int) -> Array:
    values = plain_array(covariate)
    if values.shape != (n_examples,) or values.dtype.kind not in "fiub":
        raise ValueError(
            f"got stratify of shape {values.shape} and dtype {values.dtype}, "
            f"expected ({n_examples},) numbers, one for each sentence"
        )
    if not np.isfinite(values).all():
        bad = int(np.isfinite(values).argmin())
        raise ValueError(f"got stratify={values[bad]} at sentence {bad}, expected finite numbers")
    return values


def _check_pairs(pairs: NDArray[np.float64]) -> None:
    if (pairs == 0).any():
        raise ValueError(
            f"got no bin of stratify with both a positive and a negative of concept (column) "
            f"{int(pairs.argmin())}, expected at least one; fewer bins are wider"
        )


@njit(nogil=True, cache=True, error_model="numpy")
def rank_sums(
    order: Array, starts: Array, concepts: Array, stratum: Array, n_strata: int, twice: Array
) -> None:
    """Twice the sum of the positives' falling mid-ranks, each within its own stratum.

    Parameters
    ----------
    order : (neuron, example) as a Ranking holds it.
    starts, concepts : the concepts of sentence i are concepts[starts[i]:starts[i + 1]].
    stratum : (example,) from 0; `n_strata` leaves a sentence out.
    twice : (neuron, concept) int64, zeros, written.
    """
    above = np.empty(n_strata + 1, np.int64)  # sentences before the tie group, in each stratum
    reached = np.empty(n_strata + 1, np.int64)  # and those down to its end
    for j in range(len(order)):
        above[:] = 0
        reached[:] = 0
        first = 0
        for p in range(order.shape[1]):
            closes = order[j, p] < 0
            reached[stratum[~order[j, p] if closes else order[j, p]]] += 1
            if not closes:
                continue
            for q in range(first, p + 1):
                i = ~order[j, q] if q == p else order[j, q]
                for e in range(starts[i], starts[i + 1]):
                    twice[j, concepts[e]] += above[stratum[i]] + reached[stratum[i]] + 1
            for q in range(first, p + 1):
                s = stratum[~order[j, q] if q == p else order[j, q]]
                above[s] = reached[s]
            first = p + 1
