"""Which neurons should a sparse probe read? Rankings, each a whole order with the best first.

A support of k neurons is the first k of a ranking, so that supports are nested and one ranking
serves a whole sparsity curve. Ties are broken by the lower index. Nothing here knows of held-out
sentences: whoever ranks must hand in training sentences only.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.elastic import fit_elastic
from neurotrace.probes.heap import keep_best
from neurotrace.probes.information import mutual_information
from neurotrace.probes.inputs import blocks, check_responses
from neurotrace.probes.labels import Labels
from neurotrace.probes.moments import f_statistic, mean_difference
from neurotrace.probes.scores import average_precision, expected_average_precision

RankingName = Literal[
    "mean_difference",
    "f_statistic",
    "mutual_information",
    "average_precision",
    "l1",
    "adaptive",
    "random",
]
RANKINGS: tuple[str, ...] = get_args(RankingName)

FILTER = 512  # neurons that l1 and adaptive look at, the best by difference of means
LASSO_C = 0.1  # of l1
STAGES = (256, 128, 64, 32, 16, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1)  # of adaptive
TOLERANCE, STEPS = 1e-4, 100  # of the elastic net

Floats = NDArray[np.float64]
Orders = NDArray[np.intp]


def select_neurons(
    X: ArrayLike,
    y: ArrayLike,
    *,
    k: int,
    ranking: RankingName = "mean_difference",
    seed: int = 0,
    together: bool = False,
) -> Orders:
    """The k best neurons for each concept, best first.

    Rankings, of which the first four go by a score of each neuron alone:

    - ``mean_difference``: |mean of the positives - mean of the negatives|, in units of X. Neurons
      of a larger scale come first for it alone.
    - ``f_statistic``: the same in units of each neuron's spread; where neurons differ in scale,
      it ranks as mean_difference does after standardisation.
    - ``mutual_information``: nats, also where a concept is told by values in the middle.
    - ``average_precision``: only neurons that respond *more* to the concept.
    - ``l1``: size of the coefficient in a balanced logistic regression with the lasso, C = 0.1;
      neurons it leaves out follow by difference of means.
    - ``adaptive``: telescoping. An elastic net of the best s neurons keeps those with the largest
      coefficients, for falling s; who stays longer ranks higher. At size s, C = s / 20 and
      the share of the lasso is exp(-s / 20), within .1 … .9.
    - ``random``: none of the labels is looked at.

    ``l1`` and ``adaptive`` look at the 512 best by difference of means, standardised; all other
    neurons follow behind in that order.

    Parameters
    ----------
    X : (example, neuron)
        Responses of training sentences, finite.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
    k
        1 … neurons.
    ranking
        One of the names above.
    seed
        Of ``random``.
    together
        One support for all concepts: a neuron counts by its best score over concepts. Average
        precision is then (AP - E) / (1 - E), with E its expectation under a random ranking.

    Returns
    -------
    (k,) or (concept, k); (k,) where together

    Raises
    ------
    ValueError
        An unknown ranking, k outside 1 … neurons, and whatever the scores refuse.

    References
    ----------
    Gurnee et al. 2023, arXiv:2305.01610: rankings, pre-filter and telescoping. Their activations
    were divided by their standard deviations beforehand; here a ranking says itself what it does.

    Examples
    --------
    >>> select_neurons([[4.0, 0.0, 1.0], [0.0, 9.0, 1.0]], [True, False], k=2)
    array([1, 0])
    """
    check_ranking(ranking)
    X = check_responses(X)
    if not 1 <= k <= X.shape[1]:
        raise ValueError(f"got k={k}, expected a number of neurons from 1 to {X.shape[1]}")
    labels = Labels.of(y, len(X))
    if ranking == "random":
        orders = _random(labels.n_concepts, X.shape[1], seed)
        return orders[0, :k] if together or labels.single else orders[:, :k]
    if ranking in ("l1", "adaptive"):
        return _by_weights(X, labels, k, ranking, together=together)
    score = _scores(X, labels, ranking)
    best = best_of(score.max(0, keepdims=True) if together else score, k)
    return best[0] if together or labels.single else best


def check_ranking(ranking: str) -> None:
    """Refuse a name that is no ranking.

    Raises
    ------
    ValueError
    """
    if ranking not in RANKINGS:
        raise ValueError(f"got ranking={ranking!r}, expected one of {', '.join(RANKINGS)}")


def _random(n_concepts: int, n_neurons: int, seed: int) -> Orders:
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(n_neurons) for _ in range(n_concepts)])


def _states(labels: Labels) -> NDArray[np.int8]:
    """(example, concept), 1, 0 and -1."""
    states = labels.positive.astype(np.int8)
    return states if labels.unknown is None else np.where(labels.unknown, -1, states)


def _scores(X: NDArray[Any], labels: Labels, ranking: str) -> Floats:
    """(concept, neuron), higher is better, comparable between concepts."""
    y = _states(labels)
    if ranking == "mean_difference":
        return np.abs(mean_difference(X, y))
    if ranking == "f_statistic":
        return f_statistic(X, y)
    if ranking == "mutual_information":
        return mutual_information(X, y)
    n_pos, n = (y == 1).sum(0), (y >= 0).sum(0)
    chance = [expected_average_precision(p, m) for p, m in zip(n_pos, n, strict=True)]
    expected = np.array(chance)[:, None]
    return (average_precision(X, y) - expected) / np.maximum(1 - expected, 1e-12)


def best_of(score: Floats, k: int) -> Orders:
    """Indices (concept, k) of the highest scores, the lower index first where they tie.

    Parameters
    ----------
    score : (concept, neuron), no NaN
    k : 1 … neurons
    """
    values = np.empty((len(score), k))
    names = np.empty((len(score), k), np.int64)
    keep_best(score, 0, np.zeros(len(score), np.int64), values, names)
    order = np.lexsort((names, -values), axis=-1)
    return np.take_along_axis(names, order, axis=-1).astype(np.intp)


def _by_weights(X: NDArray[Any], labels: Labels, k: int, ranking: str, *, together: bool) -> Orders:
    """Orders by the coefficients of elastic nets, one a concept, or one for all concepts."""
    score = _scores(X, labels, "mean_difference")
    states = _states(labels).T
    parts = [np.arange(len(states))] if together else np.arange(len(states))[:, None]
    orders = []
    for members in parts:
        rough = best_of(score[members].max(0, keepdims=True), X.shape[1])[0]
        head = rough[:FILTER]
        order = _lasso if ranking == "l1" else _telescope
        fine = order(_weigher(X[:, head], states[members]), len(head))
        orders.append(np.concatenate([head[fine], rough[FILTER:]])[:k])
    return orders[0] if together or labels.single else np.stack(orders)


def _weigher(X: NDArray[Any], states: NDArray[np.int8]) -> Callable[[Orders, float, float], Floats]:
    """A function of columns, C and lasso share that gives their largest |coefficient|."""
    problems = []
    for state in states:
        known = state >= 0
        rows = np.concatenate([part for _, part in blocks(X[known])], axis=1)
        scale = rows.std(0)
        rows = (rows - rows.mean(0)) / np.where(scale > 0, scale, 1)
        y = state[known].astype(np.float64)
        weight = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
        problems.append((np.ascontiguousarray(rows.T), y, weight))

    def weigh(columns: Orders, C: float, share: float) -> Floats:
        found = np.zeros(len(columns))
        for rows, y, weight in problems:
            w = np.zeros(len(columns) + 1)
            lasso, ridge = share / C, (1 - share) / C
            fit_elastic(rows[columns], y, weight, lasso, ridge, TOLERANCE, STEPS, w)
            found = np.maximum(found, np.abs(w[:-1]))
        return found

    return weigh


def _lasso(weigh: Callable[[Orders, float, float], Floats], n: int) -> Orders:
    every = np.arange(n)
    return np.argsort(-weigh(every, LASSO_C, 1.0), kind="stable")


def _telescope(weigh: Callable[[Orders, float, float], Floats], n: int) -> Orders:
    """Positions in the order in which they would have to go, the last to go first."""
    kept, gone = np.arange(n), np.empty(0, np.intp)
    for size in STAGES:
        if size >= len(kept):
            continue
        share = float(np.clip(np.exp(-size / 20), 0.1, 0.9))
        order = kept[np.argsort(-weigh(kept, size / 20, share), kind="stable")]
        kept, gone = order[:size], np.concatenate([order[size:], gone])
    return np.concatenate([kept, gone])
