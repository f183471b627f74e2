"""Scores of single neurons: how well each neuron's response ranks the sentences of a concept.

Every score is a scikit-learn `score_func`: it takes responses `(example, neuron)` and labels, and
gives one number a neuron, so that `SelectKBest(average_precision, k=16)` works as it stands. Given
a matrix of labels it gives one row a concept, sorting each neuron once for all of them.

A score alone says little: average precision depends on the share of positives (its expectation
under a random ranking is `expected_average_precision`), and the best of many neurons is high by
chance. Scores of languages with different shares of positives are comparable by AUROC only.
"""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.special import digamma

from neurotrace.probes.labels import Labels
from neurotrace.probes.ranking import check_responses, rank, rankings


def average_precision(X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """How well does each neuron rank a concept's sentences first?

    AP = mean over positives i of #{positives with s >= s_i} / #{all with s >= s_i}

    Exact with ties: a constant neuron scores the share of positives. Equal to
    `sklearn.metrics.average_precision_score`, column by column.

    Eats `example`, leaves `neuron` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).

    Returns
    -------
    (neuron,) or (concept, neuron), fractions

    Raises
    ------
    ValueError
        X and y of different length, NaN or infinity in X, other labels, or no positive.

    References
    ----------
    Suau, Zappella, Apostoloff 2020, "Finding experts in transformer models", arXiv:2005.07647;
    here padding takes no part in the responses, and one sort serves all concepts.

    Examples
    --------
    >>> average_precision([[0.9, 0.0], [0.8, 0.0], [0.8, 0.0], [0.1, 0.0]], [1, 0, 1, 0]).round(4)
    array([0.8333, 0.5   ])
    """
    return _by_blocks(X, y, precision=True)


def auroc(X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """How often does each neuron respond more to a concept's sentence than to another?

    AUROC = P(s_i > s_k) + P(s_i = s_k) / 2, for a positive i and a negative k

    A constant neuron scores 0.5 whatever the share of positives, which makes AUROC the figure to
    compare between languages.

    Eats `example`, leaves `neuron` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).

    Returns
    -------
    (neuron,) or (concept, neuron), fractions

    Raises
    ------
    ValueError
        As `average_precision`, and where a concept has no negative.

    References
    ----------
    Sundar et al. 2025, arXiv:2502.15639; here by mid-ranks, exact with ties.

    Examples
    --------
    >>> auroc([[0.9], [0.8], [0.8], [0.1]], [True, False, True, False])
    array([0.875])
    """
    return _by_blocks(X, y, precision=False)


def average_precision_halves(
    X: ArrayLike, y: ArrayLike, halves: ArrayLike, *, dtype: DTypeLike = np.float32
) -> NDArray[np.floating]:
    """Average precision inside each half of many splits, from one sort of each neuron.

    Experts of one half must be scored, or met by another language's experts, on the other half:
    chosen on the same sentences, two sets share length and syntax without any concept.

    Eats `example`, leaves `split`, half, `concept` and `neuron`.

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    y : (example, concept), or (example,) for one concept
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
    halves : (split, example) bool
        True puts the sentence in half A, False in half B.
    dtype
        Of the result.

    Returns
    -------
    (split, 2, concept, neuron), fractions; half A is 0, half B is 1 on the second axis

    Raises
    ------
    ValueError
        As `average_precision`, or a half in which a concept has no positive.
    """
    return rank(X).average_precision_halves(y, halves, dtype=dtype)


def expected_average_precision(n_pos: int, n: int) -> float:
    """Exact mean of average precision under a random ranking without ties.

    E[AP] = (1 / n) ((n_pos - 1) / (n - 1) (n - H_n) + H_n), with H_n the n-th harmonic number

    It exceeds the share of positives, most where positives are few.

    Parameters
    ----------
    n_pos : positive sentences, 1 … n
    n : sentences

    Raises
    ------
    ValueError
        Counts that are no whole numbers with 1 <= n_pos <= n.

    Examples
    --------
    >>> round(expected_average_precision(3, 7), 7)
    0.5802721
    """
    if int(n_pos) != n_pos or int(n) != n or not 1 <= n_pos <= n:
        raise ValueError(f"got n_pos={n_pos}, n={n}, expected whole numbers with 1 <= n_pos <= n")
    if n == 1:
        return 1.0
    harmonic = float(digamma(n + 1) + np.euler_gamma)
    return ((n_pos - 1) / (n - 1) * (n - harmonic) + harmonic) / n


def _by_blocks(X: ArrayLike, y: ArrayLike, *, precision: bool) -> NDArray[np.float64]:
    """Rank and score a block of neurons at a time: no order of all neurons is ever held."""
    X = check_responses(X)
    labels = Labels.of(y, len(X))
    labels.check_classes(None, negatives=not precision)
    scores = np.empty((labels.n_concepts, X.shape[1]))
    for neurons, ranking in rankings(X):
        scores[:, neurons] = ranking.score(labels, None, precision=precision)[0, 0]
    return labels.shaped(scores)
