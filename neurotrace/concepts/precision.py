"""Average precision of many rankings at once, and what a random one is expected to have.

A sister of what the probes compute for neurons: here several sentences may share one place, and
the room of concepts stands below theirs.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def average_precision(scores: ArrayLike, hits: ArrayLike, seen: ArrayLike) -> NDArray[np.float64]:
    """Average precision of each column, over items that may stand for several sentences.

    AP = mean over positives i of #{positives with s >= s_i} / #{all with s >= s_i}

    Parameters
    ----------
    scores
        ``(item, column)``; equal scores enter together.
    hits, seen
        ``(item, column)``: positive sentences, and all judged sentences, that an item stands for.

    Returns
    -------
    ``(column,)``, NaN where a column has no positive.

    >>> average_precision([[3.0], [2.0], [1.0]], [[1], [0], [1]], [[1], [1], [1]]).round(3).tolist()
    [0.833]
    """
    falling = -np.asarray(scores, dtype=float).T
    order = np.argsort(falling, axis=1)
    ranked = np.take_along_axis(falling, order, axis=1)
    new = np.take_along_axis(np.asarray(hits, dtype=float).T, order, axis=1)
    total = np.take_along_axis(np.asarray(seen, dtype=float).T, order, axis=1).cumsum(axis=1)
    # Every item has the precision at the last of those it is tied with.
    last = np.full(order.shape, order.shape[1] - 1)
    ends = np.diff(ranked, axis=1) != 0
    last[:, :-1] = np.where(ends, np.arange(order.shape[1] - 1), order.shape[1] - 1)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    precision = new.cumsum(axis=1) / np.maximum(total, 1)
    positives = new.sum(axis=1)
    gained = (new * np.take_along_axis(precision, last, axis=1)).sum(axis=1)
    return np.divide(gained, positives, out=np.full(len(new), np.nan), where=positives > 0)


def expected_average_precision(n_positive: int, n: int) -> float:
    """Exact mean of AP under a random ranking without ties, of `n_positive` among `n`.

    E[AP] = (1 / n) ((n_positive - 1) / (n - 1) (n - H_n) + H_n), H_n the n-th harmonic number
    """
    if n == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    return ((n_positive - 1) / (n - 1) * (n - harmonic) + harmonic) / n
