"""Scores from means and variances: how far apart are a neuron's two classes of sentences?

Both are sums over sentences, so one product with the labels serves all concepts. They follow the
size of responses, where average precision and AUROC follow their order: one outlier may decide.
Sums are float64 whatever the dtype of the responses, about the mean of each neuron.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.inputs import blocks, check_responses
from neurotrace.probes.labels import Labels

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, NDArray[np.bool_]], Floats]

DOUBTFUL = 1e-4  # share of the spread within classes below which a difference is not trusted


def mean_difference(X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """How much more does each neuron respond to a concept's sentences than to the others?

    d = mean of the positives - mean of the negatives

    In units of the responses and signed: a neuron that the concept silences scores below 0, and
    `abs` of the score ranks both directions alike. Neurons of a larger scale score higher for it
    alone. A constant neuron scores 0.

    Eats `example`, leaves `neuron` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).

    Returns
    -------
    (neuron,) or (concept, neuron), units of X

    Raises
    ------
    ValueError
        X and y of different length, NaN or infinity in X, other labels, or a concept without a
        positive or without a negative.

    References
    ----------
    Gurnee et al. 2023, "Finding neurons in a haystack", arXiv:2305.01610, whose default ranking
    takes the absolute value; here the sign is kept.

    Examples
    --------
    >>> mean_difference([[4.0, 1.0], [2.0, 1.0], [1.0, 1.0], [0.0, 1.0]], [1, 1, 0, 0])
    array([2.5, 0. ])
    """
    return _by_blocks(X, y, _difference)


def f_statistic(X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """How far apart are the two means, against the spread within the classes?

    F = (n - 2) between / within,  between = d² n_pos n_neg / n,  within = total - between

    with d the difference of the means and the others sums of squares: the one-way analysis of
    variance of two classes, the square of Student's t. Equal to
    `sklearn.feature_selection.f_classif`, column by column, where that is finite. A constant
    neuron scores 0 here and NaN there; two classes that are each constant, at different values,
    score infinity.

    Eats `example`, leaves `neuron` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).

    Returns
    -------
    (neuron,) or (concept, neuron), without unit, at least 0

    Raises
    ------
    ValueError
        As `mean_difference`, and where fewer than three sentences of a concept are known.

    References
    ----------
    Fisher 1925, *Statistical Methods for Research Workers*; as a ranking of neurons, Gurnee et al.
    2023, arXiv:2305.01610.

    Examples
    --------
    >>> f_statistic([[4.0, 1.0], [2.0, 1.0], [1.0, 1.0], [0.0, 1.0]], [1, 1, 0, 0])
    array([5., 0.])
    """
    return _by_blocks(X, y, _variance_ratio)


def _by_blocks(X: ArrayLike, y: ArrayLike, statistic: Statistic) -> Floats:
    X = check_responses(X)
    labels = Labels.of(y, len(X))
    labels.check_classes(None, negatives=True)
    scores = np.empty((labels.n_concepts, X.shape[1]))
    for neurons, block in blocks(X):
        for members, left_out, *_ in labels.patterns:
            known = ~left_out
            positive = labels.positive[np.ix_(known, members)]
            scores[members, neurons] = statistic(block[known], positive)
    return labels.shaped(scores)


def _difference(values: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Difference of means (concept, neuron) of known sentences."""
    moved, unit = _centred(values)
    return _contrasts(positive) @ moved * unit


def _variance_ratio(values: Floats, positive: NDArray[np.bool_]) -> Floats:
    """F (concept, neuron) of known sentences."""
    n = len(values)
    if n < 3:
        raise ValueError(f"got {n} known sentences for a concept, expected at least 3")
    moved, _ = _centred(values)  # F has no unit
    n_pos = positive.sum(0)[:, None]
    total = np.square(moved).sum(0)
    between = np.square(_contrasts(positive) @ moved) * (n_pos * (n - n_pos) / n)
    within = total - between
    for concept, chosen in enumerate(positive.T):
        # Near perfect separation the two sums cancel, and rounding would pass for spread.
        near = np.flatnonzero(within[concept] < DOUBTFUL * total)
        within[concept, near] = _spread(moved[chosen][:, near]) + _spread(moved[~chosen][:, near])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (n - 2) * between / within
    return np.where(total == 0, 0.0, ratio)


def _centred(values: Floats) -> tuple[Floats, Floats]:
    """Columns about their mean, in units of a power of two near their largest value.

    The unit keeps squares of huge and tiny responses within range, and costs no digit.
    """
    exponent = np.frexp(np.abs(values).max(0))[1]
    unit = np.exp2(np.clip(exponent, -1000, 1000).astype(float))
    moved = values / unit
    moved -= moved.mean(0)
    # A mean is rounded: what never changes must come out as nothing at all.
    moved[:, (values == values[0]).all(0)] = 0.0
    return moved, unit


def _contrasts(positive: NDArray[np.bool_]) -> Floats:
    """Weights (concept, example) that sum to 0: what rounding left of the mean cancels."""
    n_pos = positive.sum(0)
    return np.where(positive, 1 / n_pos, -1 / (len(positive) - n_pos)).T


def _spread(values: Floats) -> Floats:
    """Sum of squares about the mean of each column, exactly 0 where a column is constant."""
    moved = values - values[0]
    return np.square(moved - moved.mean(0)).sum(0)
