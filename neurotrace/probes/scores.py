"""Scores of single neurons: how well each neuron's response ranks the sentences of a concept.

Every score is a scikit-learn `score_func`: it takes responses `(example, neuron)` and labels, and
gives one number a neuron, so that `SelectKBest(average_precision, k=16)` works as it stands. Given
a matrix of labels it gives one row a concept, sorting each neuron once for all of them.

A score alone says little: average precision depends on the share of positives (its expectation
under a random ranking is `expected_average_precision`), and the best of many neurons is high by
chance. Scores of languages with different shares of positives are comparable by AUROC only.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.special import digamma

from neurotrace.probes import on_device
from neurotrace.probes.information import mutual_information
from neurotrace.probes.inputs import check_responses
from neurotrace.probes.labels import Labels
from neurotrace.probes.moments import f_statistic, mean_difference
from neurotrace.probes.ranking import Ranking, each_ranking, rank
from neurotrace.probes.stratified import stratified_auroc

Tails = Literal["upper", "both"]
TAILS = ("upper", "both")


def average_precision(X: ArrayLike, y: ArrayLike, *, n_jobs: int = 1) -> NDArray[np.float64]:
    """How well does each neuron rank a concept's sentences first?

    AP = mean over positives i of #{positives with s >= s_i} / #{all with s >= s_i}

    Exact with ties: a constant neuron scores the share of positives. Equal to
    `sklearn.metrics.average_precision_score`, column by column.

    Eats `example`, leaves `neuron` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite. A tensor on a CUDA device is scored there.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
    n_jobs
        Threads, -1 for all cores. The values do not depend on it.

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
    return _by_blocks(X, y, precision=True, n_jobs=n_jobs)


def auroc(
    X: ArrayLike,
    y: ArrayLike,
    *,
    stratify: ArrayLike | None = None,
    bins: int = 10,
    tails: Tails = "upper",
    n_jobs: int = 1,
) -> NDArray[np.float64]:
    """How often does each neuron respond more to a concept's sentence than to another?

    AUROC = P(s_i > s_k) + P(s_i = s_k) / 2, for a positive i and a negative k

    A constant neuron scores 0.5 whatever the share of positives, which makes AUROC the figure to
    compare between languages.

    With `stratify`, only pairs of one bin of a covariate are compared: AUROC within bins, weighted
    by their n_pos n_neg pairs. A neuron that only counts tokens falls towards 0.5 when stratified
    by token count, and one that knows the concept stays. Within a bin the covariate still varies,
    and what it explains there remains: a token counter of AUROC .80 was seen to keep .60 with 5
    bins, .55 with 10 and .53 with 20. More bins leave less, and fewer pairs: noise about 0.5 grew
    by a tenth on 720 sentences, by half on 60. With at least as many bins as distinct values
    nothing remains.

    Eats `example`, leaves `neuron` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
    stratify : (example,)
        A nuisance of each sentence, such as its number of tokens.
    bins
        Of about equal mass over the sentences known for a concept; equal values share a bin. Read
        only with `stratify`.
    tails
        "upper" asks for neurons that rise with the concept. "both" takes neurons that fall with it
        as seriously, as bottom experts do: max(AUROC, 1 - AUROC), at least 0.5. Noise then scores
        0.5 + .8 standard deviations on average, and a p-value is twice that of one tail.
    n_jobs
        Threads, -1 for all cores. The values do not depend on it.

    Returns
    -------
    (neuron,) or (concept, neuron), fractions

    Raises
    ------
    ValueError
        As `average_precision`; a concept without a negative, or without a positive and a negative
        in one bin; a covariate of another length or not finite; unknown tails.

    References
    ----------
    Sundar et al. 2025, arXiv:2502.15639; here by mid-ranks, exact with ties. Both tails: Kojima et
    al. 2024, arXiv:2404.02431, who take as many experts from the bottom as from the top.

    Examples
    --------
    >>> auroc([[0.9], [0.8], [0.8], [0.1]], [True, False, True, False])
    array([0.875])
    >>> auroc([[0.9], [0.8], [0.8], [0.1]], [True, False, True, False], stratify=[9, 9, 2, 2])
    array([1.])
    """
    if tails not in TAILS:
        raise ValueError(f"got tails={tails!r}, expected one of {', '.join(TAILS)}")
    if stratify is None:
        scores = _by_blocks(X, y, precision=False, n_jobs=n_jobs)
    else:
        scores = stratified_auroc(X, y, stratify, bins=bins, n_jobs=n_jobs)
    return scores if tails == "upper" else np.maximum(scores, 1 - scores)


def average_precision_halves(
    X: ArrayLike,
    y: ArrayLike,
    halves: ArrayLike,
    *,
    dtype: DTypeLike = np.float32,
    n_jobs: int = 1,
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
    n_jobs
        Threads, -1 for all cores. The values do not depend on it.

    Returns
    -------
    (split, 2, concept, neuron), fractions; half A is 0, half B is 1 on the second axis

    Raises
    ------
    ValueError
        As `average_precision`, or a half in which a concept has no positive.
    """
    if on_device.lies_on_device(X):
        return on_device.halves(X, y, halves, dtype=dtype)  # type: ignore[arg-type]
    return rank(X, n_jobs=n_jobs).average_precision_halves(y, halves, dtype=dtype, n_jobs=n_jobs)


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


def _by_blocks(X: ArrayLike, y: ArrayLike, *, precision: bool, n_jobs: int) -> NDArray[np.float64]:
    """Rank and score a block of neurons at a time: no order of all neurons is ever held."""
    if on_device.lies_on_device(X):
        return on_device.scores(X, y, precision=precision)  # type: ignore[arg-type]
    X = check_responses(X)
    labels = Labels.of(y, len(X))
    labels.check_classes(None, negatives=not precision)
    scores = np.empty((labels.n_concepts, X.shape[1]))

    def keep(neurons: slice, ranking: Ranking) -> None:
        scores[:, neurons] = ranking.whole(labels, precision=precision)

    each_ranking(X, keep, n_jobs=n_jobs)
    return labels.shaped(scores)


# Every score `(X, y) → (neuron,) or (concept, neuron)` by its name: what a ranking may be called.
SCORES: Mapping[str, Callable[[Any, Any], NDArray[np.float64]]] = MappingProxyType(
    {
        "average_precision": average_precision,
        "auroc": auroc,
        "mean_difference": mean_difference,
        "f_statistic": f_statistic,
        "mutual_information": mutual_information,
    }
)
