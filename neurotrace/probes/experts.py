"""Experts: the neurons that score best for a concept, and how much two sets of them share.

Sets come in two forms: a bool mask over neurons, for a few sets, and sorted indices `(…, k)`, for
the thousands of sets of a trace (split, half, language, concept). Both follow one rule: higher
score first, then the lower flat index. Where the neuron axis lists layer after layer, that reads:
score, then layer, then neuron.
"""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.heap import keep_best
from neurotrace.probes.members import count_shared

LARGEST = 500  # experts that a fraction may give, as in the field's expert sets


def experts(
    score: ArrayLike, *, top: float | int = 0.05, threshold: float | None = None
) -> NDArray[np.bool_]:
    """Which neurons are experts: the best `top`, or all that reach `threshold`.

    Parameters
    ----------
    score : (…, neuron)
        One set for each leading index. Scores (…, layer, neuron) are flattened by the caller, so
        that layers compete: `score.reshape(*score.shape[:-2], -1)`.
    top
        A whole number is taken as it is. A fraction is of all neurons, rounded half up, at least
        1 and at most 500.
    threshold
        In units of the score. Where given it alone decides, and sets differ in size.

    Returns
    -------
    (…, neuron) bool

    Raises
    ------
    ValueError
        NaN scores, or a `top` that is no fraction and no number of neurons.

    References
    ----------
    Suau, Zappella, Apostoloff 2020, arXiv:2005.07647 (top neurons by average precision); here ties
    are broken by a stated rule, not by the sort.

    Examples
    --------
    >>> experts([0.2, 0.9, 0.5, 0.9, 0.5], top=3).astype(int)
    array([0, 1, 1, 1, 0])
    """
    score = _check_scores(score)
    if threshold is not None:
        return score >= threshold
    k = n_experts(top, score.shape[-1])
    # The k-th best value; what lies above it is in, ties fill up from the lowest index.
    edge = -np.partition(-score, k - 1, axis=-1)[..., k - 1 : k]
    chosen = score > edge
    tied = score == edge
    room = k - chosen.sum(-1, keepdims=True)
    return chosen | (tied & (np.cumsum(tied, axis=-1) <= room))


def n_experts(top: float | int, n_neurons: int) -> int:
    """How many experts `top` means among `n_neurons`: see `experts`.

    Raises
    ------
    ValueError
        A fraction outside (0, 1), or a number outside 1 … n_neurons.

    Examples
    --------
    >>> n_experts(0.05, 1024), n_experts(0.05, 98_304), n_experts(16, 1024)
    (51, 500, 16)
    """
    if isinstance(top, (int, np.integer)) and not isinstance(top, bool):
        if 1 <= top <= n_neurons:
            return int(top)
    elif isinstance(top, (float, np.floating)) and 0 < top < 1:
        return max(1, min(LARGEST, int(top * n_neurons + 0.5)))
    raise ValueError(
        f"got top={top!r} for {n_neurons} neurons, "
        f"expected a fraction in (0, 1) or a whole number from 1 to {n_neurons}"
    )


def overlap(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """How much two sets share: |a ∩ b| / min(|a|, |b|).

    Parameters
    ----------
    a, b : (…, neuron) bool, leading axes broadcast

    Returns
    -------
    (…) fractions; NaN where either set is empty

    Raises
    ------
    ValueError
        Sets that are not bool, or over different numbers of neurons.

    Examples
    --------
    >>> float(overlap([True, True, False, False], [True, False, True, True]))
    0.5
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != bool or b.dtype != bool or a.shape[-1:] != b.shape[-1:]:
        raise ValueError(
            f"got sets of dtype {a.dtype} and {b.dtype}, shape {a.shape} and {b.shape}, "
            "expected bool over the same neurons"
        )
    smaller = np.minimum(a.sum(-1), b.sum(-1)).astype(float)
    with np.errstate(invalid="ignore"):
        return np.asarray((a & b).sum(-1) / smaller)


def pairwise_overlap(
    indices_a: ArrayLike, indices_b: ArrayLike, n_neurons: int
) -> NDArray[np.float64]:
    """Overlap of every set of one list with every set of another.

    With the concepts of two languages in the same order, the diagonal is the overlap of the same
    concept and everything beside it that of wrong concepts.

    Parameters
    ----------
    indices_a : (…, concept_a, k) int
        Flat neuron indices, none twice in a set.
    indices_b : (…, concept_b, k) int
        The same leading axes. The k of the two lists may differ; the smaller is the unit, as in
        `overlap`.
    n_neurons
        Neurons there are to choose from.

    Returns
    -------
    (…, concept_a, concept_b) fractions

    Raises
    ------
    ValueError
        Lists of other shapes, or indices outside 0 … n_neurons - 1.
    """
    a, b = _check_indices(indices_a, n_neurons), _check_indices(indices_b, n_neurons)
    if a.shape[:-2] != b.shape[:-2]:
        raise ValueError(f"got lists of {a.shape[:-2]} and {b.shape[:-2]}, expected the same")
    shape = (*a.shape[:-1], b.shape[-2])
    shared = np.zeros((int(np.prod(a.shape[:-2])), *shape[-2:]), np.int64)
    count_shared(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]), int(n_neurons), shared)
    return shared.reshape(shape) / min(a.shape[-1], b.shape[-1])


def layer_counts(indices: ArrayLike, widths: ArrayLike) -> NDArray[np.int64]:
    """How many experts of each set lie in each layer.

    Parameters
    ----------
    indices : (…, k) int
        Flat neuron indices, layer after layer.
    widths : (layer,) neurons

    Returns
    -------
    (…, layer)
    """
    ends = np.cumsum(np.asarray(widths))
    layer = np.searchsorted(ends, np.asarray(indices), side="right")
    return np.stack([(layer == number).sum(-1) for number in range(len(ends))], axis=-1)


class BestExperts:
    """The best k neurons of many sets, gathered layer by layer.

    Equal to `experts(score, top=k)` on the scores of all layers side by side, in memory that does
    not grow with the number of layers. Layers may come in any order.

    Parameters
    ----------
    k : neurons a set

    Examples
    --------
    >>> best = BestExperts(2)
    >>> best.add([[0.1, 0.9, 0.9]], 0).add([[0.9, 0.95]], 3).indices
    array([[4, 1]])
    """

    def __init__(self, k: int) -> None:
        if k < 1:
            raise ValueError(f"got k={k}, expected at least 1")
        self.k = int(k)
        self._shape: tuple[int, ...] | None = None

    def add(self, scores: ArrayLike, offset: int) -> Self:
        """Let the neurons of one layer compete.

        Parameters
        ----------
        scores : (…, neuron)
            The leading axes are those of the sets, the same in every call.
        offset
            Flat index of the layer's first neuron.

        Raises
        ------
        ValueError
            NaN scores, or other leading axes than before.
        """
        scores = _check_scores(scores)
        if self._shape is None:
            self._start(scores)
        if scores.shape[:-1] != self._shape:
            raise ValueError(f"got sets of shape {scores.shape[:-1]}, expected {self._shape}")
        rows = np.ascontiguousarray(scores).reshape(-1, scores.shape[-1])
        if not rows.flags.writeable:  # compiled for one kind of array only
            rows = rows.copy()
        keep_best(rows, offset, self._filled, self._scores, self._indices)
        return self

    @property
    def indices(self) -> NDArray[np.int64]:
        """(…, k) flat neuron indices, best first."""
        return self._sorted()[1]

    @property
    def scores(self) -> NDArray[np.floating]:
        """(…, k) scores of `indices`."""
        return self._sorted()[0]

    def _start(self, scores: NDArray[np.floating]) -> None:
        self._shape = scores.shape[:-1]
        n_sets = int(np.prod(self._shape))
        self._filled = np.zeros(n_sets, np.int64)
        self._scores = np.empty((n_sets, self.k), scores.dtype)
        self._indices = np.empty((n_sets, self.k), np.int32)

    def _sorted(self) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
        seen = 0 if self._shape is None else int(self._filled.min(initial=self.k))
        if self._shape is None or seen < self.k:
            raise ValueError(f"got {seen} neurons so far, expected at least k={self.k}")
        # A heap is in no useful order; the last key of lexsort sorts first.
        order = np.lexsort((self._indices, -self._scores))
        shape = (*self._shape, self.k)
        scores = np.take_along_axis(self._scores, order, axis=1).reshape(shape)
        indices = np.take_along_axis(self._indices, order, axis=1).reshape(shape)
        return scores, indices.astype(np.int64)


def _check_scores(scores: ArrayLike) -> NDArray[np.floating]:
    scores = np.asarray(scores)
    if scores.ndim < 1 or 0 in scores.shape or scores.dtype.kind not in "fiub":
        raise ValueError(
            f"got scores of shape {scores.shape} and dtype {scores.dtype}, "
            "expected non-empty (…, neuron) numbers"
        )
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)
    if np.isnan(scores).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(scores))[0])
        raise ValueError(f"got NaN as the score at {where}, expected a score for every neuron")
    return scores


def _check_indices(indices: ArrayLike, n_neurons: int) -> NDArray[np.int64]:
    table = np.asarray(indices)
    if table.ndim < 2 or table.dtype.kind not in "iu" or 0 in table.shape:
        raise ValueError(
            f"got indices of shape {table.shape} and dtype {table.dtype}, "
            "expected whole numbers (…, concept, k)"
        )
    if table.min() < 0 or table.max() >= n_neurons:
        raise ValueError(
            f"got indices from {table.min()} to {table.max()}, expected 0 to {n_neurons - 1}"
        )
    # A copy: compiled for one kind of array only, contiguous and writable.
    return np.array(table, dtype=np.int64, order="C")
