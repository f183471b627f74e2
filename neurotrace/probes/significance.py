"""p-values of AP and AUROC under a random ranking: how often would chance score as high?

The null is that labels have nothing to do with the ranking: every placement of the positives
among the ranks is equally likely. It depends on the number of positives, of sentences and on the
tie pattern alone, so one table serves any number of neurons and concepts; `rank_nulls` says how a
table is made and what is proven of it. The tail is right to better than 10 % down to 1e-8.

When the null is wrong: sentences that are no independent draws. Translations of one sentence, or
sentences of one document, respond alike, which makes chance scores wilder than any random ranking
says. Test within a language, or on one sentence a group. And a small p-value says that the ranking
is related to the label, not that the relation is the concept: length and script do as well.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.labels import Labels, Pattern
from neurotrace.probes.ranking import Ranking, check_responses, rankings

Score = Literal["average_precision", "auroc"]
CHUNK = 1 << 18  # values looked up at a time
Floats = NDArray[np.float64]


class PValue(Protocol):
    """What `average_precision_p_value` and `auroc_p_value` have in common."""

    def __call__(
        self, value: ArrayLike, n_pos: int, n: int, *, ties: ArrayLike | None = None
    ) -> Floats: ...


def average_precision_p_value(
    value: ArrayLike, n_pos: int, n: int, *, ties: ArrayLike | None = None
) -> Floats:
    """How often does a random ranking reach this average precision?

    P(AP >= value), every placement of the positives being equally likely

    The error is below 10 %, proven, down to 1e-8, and below 0.1 % as measured; values where p is
    below 1e-15 may be given 1e-15, an upper bound. The first call for a size makes its table: a
    second for 60 positives among 720 sentences, ten to thirty for 500 among 3,000, and about in
    proportion to n_pos n. Beyond some 1,000 among 6,000 the grid is kept coarser, and less is
    proven: the error stays near 1 %. Tables are kept while the process lives.

    Parameters
    ----------
    value : array of any shape, fractions
        NaN stays NaN. float32 and float16 are taken to be rounded: p is that of the next lower
        score the rounding allows.
    n_pos : positive sentences, 1 … n
    n : sentences that take part
    ties : (group,) int, or None
        Sizes of the tie groups, from the highest value down, summing to n; None for no ties.
        Tied sentences share one threshold, as in `average_precision`.

    Returns
    -------
    p-values, shape of `value`

    Raises
    ------
    ValueError
        Counts out of range, ties that do not sum to n, or a value outside 0 … 1.

    Examples
    --------
    >>> average_precision_p_value([1.0, 0.5], 2, 4).round(4)
    array([0.1667, 0.8333])
    >>> round(float(average_precision_p_value(0.5, 2, 4, ties=[4])), 4)
    1.0
    """
    from neurotrace.probes.rank_nulls import average_precision_null

    n_pos, n, pattern = _check_counts(n_pos, n, ties, negatives=False)
    return _looked_up(value, average_precision_null(n_pos, n, pattern).p_value)


def auroc_p_value(value: ArrayLike, n_pos: int, n: int, *, ties: ArrayLike | None = None) -> Floats:
    """How often does a random ranking reach this AUROC?

    P(U >= value n_pos n_neg), the upper tail of Mann and Whitney's U

    Exact, with and without ties, while n n_pos² n_neg / 4 is below 4·10⁹ (half of it with ties;
    n_pos and n_neg swap roles where that is less): 60 positives among 720 sentences take about a
    second, 100 among 1,200 five, once. Beyond, a saddlepoint of the exact cumulants, right to 1 %
    at 1e-8, in a fraction of a second; with few positives and most sentences in a few large groups
    of ties it can be off by half, which is its known limit.

    The lower tail is the upper one of the complement: P(AUROC <= v) is
    `auroc_p_value(1 - v, n_pos, n, ties=ties[::-1])`. For both tails add the two of
    v = max(AUROC, 1 - AUROC): `auroc_p_value(v, …, ties=ties)` and
    `auroc_p_value(v, …, ties=ties[::-1])`.

    Parameters
    ----------
    value, n_pos, n, ties : as in `average_precision_p_value`
        Tied pairs count half. n_pos is at most n - 1.

    Returns
    -------
    p-values, shape of `value`

    Raises
    ------
    ValueError
        As `average_precision_p_value`, or no negative.

    References
    ----------
    Mann, Whitney 1947, doi:10.1214/aoms/1177730491; here with ties, by the mid-ranks themselves
    and not by a correction to the variance.

    Examples
    --------
    >>> auroc_p_value([1.0, 0.75, 0.0], 2, 4).round(4)
    array([0.1667, 0.3333, 1.    ])
    """
    from neurotrace.probes.rank_nulls import auroc_null

    n_pos, n, pattern = _check_counts(n_pos, n, ties, negatives=True)
    return _looked_up(value, auroc_null(n_pos, n, pattern).p_value)


def p_values(
    X: ArrayLike,
    y: ArrayLike,
    *,
    score: Score = "average_precision",
    ties: Literal["bound", "exact"] = "bound",
) -> Floats:
    """How often would chance rank a concept's sentences as high as each neuron does?

    Neurons without ties share one table for each number of positives. Pooled activations in half
    precision do have ties, and hardly two neurons the same ones; there is a choice:

    `"bound"` breaks every tie against the positives and reads the table without ties. Broken at
    random, ties would leave a uniformly random ranking, whose p-value is valid; breaking them
    downwards only lowers the score, hence only raises p. What is called is right, and something
    is lost: little for scattered pairs, much for AUROC where most sentences are tied.
    `"exact"` makes a table for each tie pattern and number of positives that occurs.

    For 720 sentences in half precision, some 150 of them tied, the bound raised p by .4 % at the
    median and 9 % at most (AP), by .8 % and 3 % (AUROC). A tied score itself is no bound in the
    table without ties: a constant neuron would get less than 1. Nor is AP with ties broken in
    favour of the positives one of AP: of three sentences let the last two be tied and positive;
    AP is 2/3, and 7/12 however the tie is broken.

    Eats `example`, leaves `neuron` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
    score : "average_precision" or "auroc"
    ties : "bound" or "exact"

    Returns
    -------
    (neuron,) or (concept, neuron) p-values; a constant neuron has 1

    Raises
    ------
    ValueError
        As `auroc`, or an unknown score or way with ties.

    Examples
    --------
    >>> p_values([[0.9, 0.0], [0.8, 0.0], [0.3, 0.0], [0.1, 0.0]], [1, 1, 0, 0]).round(4)
    array([0.1667, 1.    ])
    """
    valid = {"score": ("average_precision", "auroc"), "ties": ("bound", "exact")}
    for name, given in (("score", score), ("ties", ties)):
        if given not in valid[name]:
            raise ValueError(f"got {name}={given!r}, valid are {', '.join(valid[name])}")
    X = check_responses(X)
    labels = Labels.of(y, len(X))
    labels.check_classes(None, negatives=True)
    p, exact = np.empty((labels.n_concepts, X.shape[1])), ties == "exact"
    precision = score == "average_precision"
    for neurons, ranking in rankings(X):
        scores = ranking.whole(labels, precision=precision) if exact else None
        for pattern in labels.patterns:
            n_pos = labels.positive[:, pattern.members].sum(0)
            if scores is not None:
                ends = _ends(ranking, pattern)
                part = _by_ties(scores[pattern.members], n_pos, ends, _TABLES[score])
            else:
                part = _bounded(ranking, pattern, n_pos, score)
            p[pattern.members, neurons] = part
    return labels.shaped(p)


def _bounded(ranking: Ranking, pattern: Pattern, n_pos: NDArray[np.int64], score: Score) -> Floats:
    """(concept of the pattern, neuron) p-values with ties broken against the positives."""
    from neurotrace.probes.tie_breaks import lowest_scores

    lowest = np.empty((len(ranking.order), len(n_pos)))
    left_out, starts, concepts = pattern[1:]
    precision = score == "average_precision"
    lowest_scores(ranking.order, left_out, starts, concepts, n_pos, precision, lowest)
    untied = np.ones((len(ranking.order), int((~left_out).sum())), bool)
    return _by_ties(lowest.T, n_pos, untied, _TABLES[score])


def _by_ties(
    values: Floats, n_pos: NDArray[np.int64], ends: NDArray[np.bool_], p_value: PValue
) -> Floats:
    """p-values of (concept, neuron) scores; `ends`, (neuron, rank), closes tie groups."""
    p = np.empty(values.shape)
    kinds, kind = np.unique(ends, axis=0, return_inverse=True)
    for number, closes in enumerate(kinds):
        sizes = np.diff(np.flatnonzero(closes), prepend=-1)
        same = np.flatnonzero(kind.ravel() == number)
        for count in np.unique(n_pos):
            where = np.ix_(n_pos == count, same)
            p[where] = p_value(values[where], int(count), len(closes), ties=sizes)
    return p


def _ends(ranking: Ranking, pattern: Pattern) -> NDArray[np.bool_]:
    """(neuron, known example): which ranks end a tie group once unknown sentences are out."""
    ends = ranking.order < 0
    groups: NDArray[np.int64] = np.cumsum(ends, axis=1) - ends
    known = ~pattern.left_out[np.where(ends, ~ranking.order, ranking.order)]
    groups = groups[known].reshape(len(groups), -1)
    return np.diff(groups, axis=1, append=-1) != 0


def _looked_up(value: ArrayLike, table: Callable[[Floats, float], Floats]) -> Floats:
    """Read a table for values of any shape, a part at a time."""
    values = np.asarray(value)
    if values.dtype.kind not in "fiub":
        raise ValueError(f"got values of dtype {values.dtype}, expected scores from 0 to 1")
    floating = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    slack = max(1e-12, 2 * float(np.finfo(floating).eps))
    flat = values.ravel()
    p = np.empty(flat.shape)
    for start in range(0, len(flat), CHUNK):
        part = flat[start : start + CHUNK].astype(np.float64)
        with np.errstate(invalid="ignore"):
            outside = (part < 0) | (part > 1 + slack)
        if outside.any():
            raise ValueError(f"got a score of {part[outside][0]:.6g}, expected 0 to 1")
        p[start : start + CHUNK] = table(part, slack)
    return p.reshape(values.shape)


def _check_counts(
    n_pos: int, n: int, ties: ArrayLike | None, *, negatives: bool
) -> tuple[int, int, tuple[int, ...] | None]:
    """Whole numbers, and the tie pattern as a key: None where every group is one sentence."""
    most = n - 1 if negatives else n
    if int(n_pos) != n_pos or int(n) != n or not 1 <= n_pos <= most:
        raise ValueError(
            f"got n_pos={n_pos}, n={n}, expected whole numbers with 1 <= n_pos <= {most}"
        )
    if ties is None:
        return int(n_pos), int(n), None
    sizes = np.asarray(ties)
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 1).any() or sizes.sum() != n:
        raise ValueError(
            f"got ties {sizes.tolist()[:5]} of dtype {sizes.dtype} that sum to {sizes.sum()}, "
            f"expected whole group sizes from 1 that sum to n={n}"
        )
    pattern = None if sizes.max() == 1 else tuple(sizes.tolist())
    return int(n_pos), int(n), pattern


_TABLES: dict[str, PValue] = {
    "average_precision": average_precision_p_value,
    "auroc": auroc_p_value,
}
