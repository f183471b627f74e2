"""One order of the sentences for each neuron, made once and read by any number of label sets.

Average precision and AUROC depend on a neuron only through the order in which it puts the
sentences, ties included. `rank` makes that order; a `Ranking` then scores many concepts, and many
splits into halves, in one walk down each order. Half A and half B keep counters of their own, so
a split costs a walk and never a new sort.

Ties are exact: tied sentences enter together, and -0.0 equals 0.0. Values must be finite; NaN and
infinity are refused by name. Inputs are never modified, and may be strided or memory-mapped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from neurotrace.probes.inputs import check_responses, not_finite
from neurotrace.probes.labels import Labels
from neurotrace.probes.sorting import LEFT_OUT, order_rows, walk

BLOCK = 128  # neurons sorted and scored together: bounds the memory beside input and output


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order in which each neuron puts the same sentences.

    Attributes
    ----------
    order : (neuron, example) signed integers
        Sentences by falling value. Position p holds sentence i, or ~i where i is the last of its
        tie group; sentences within a tie group stand in no particular order.
    """

    order: NDArray[np.signedinteger]

    @property
    def n_neurons(self) -> int:
        return self.order.shape[0]

    @property
    def n_examples(self) -> int:
        return self.order.shape[1]

    def average_precision(self, labels: ArrayLike) -> NDArray[np.float64]:
        """Average precision of every neuron for every concept.

        AP = mean over positives i of #{positives with s >= s_i} / #{all with s >= s_i}

        Parameters
        ----------
        labels : (example,) or (example, concept)
            Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).

        Returns
        -------
        (neuron,) or (concept, neuron)

        Raises
        ------
        ValueError
            Labels of another length, of other values, or without a positive.
        """
        return self._whole(labels, precision=True)

    def auroc(self, labels: ArrayLike) -> NDArray[np.float64]:
        """Area under the ROC curve, ties counting half; labels and result as in AP.

        AUROC = P(s_i > s_k) + P(s_i = s_k) / 2, for a positive i and a negative k

        Raises
        ------
        ValueError
            As `average_precision`, and where a concept has no negative.
        """
        return self._whole(labels, precision=False)

    def average_precision_halves(
        self, labels: ArrayLike, halves: ArrayLike, *, dtype: DTypeLike = np.float32
    ) -> NDArray[np.floating]:
        """Average precision inside half A and inside half B, for many splits at once.

        Equal to ranking the sentences of each half alone, at the cost of one walk a split.

        Parameters
        ----------
        labels : (example, concept), or (example,) for one concept
            Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
        halves : (split, example) bool
            True puts the sentence in half A, False in half B.
        dtype
            Of the result. Sums are always float64.

        Returns
        -------
        (split, 2, concept, neuron)
            Index 0 of the second axis is half A, 1 is half B.

        Raises
        ------
        ValueError
            Wrong shapes or values, or a half in which a concept has no positive.
        """
        return self._halves(labels, halves, precision=True, dtype=dtype)

    def auroc_halves(
        self, labels: ArrayLike, halves: ArrayLike, *, dtype: DTypeLike = np.float32
    ) -> NDArray[np.floating]:
        """AUROC inside half A and inside half B: as `average_precision_halves`.

        Raises
        ------
        ValueError
            Wrong shapes or values, or a half in which a concept lacks positives or negatives.
        """
        return self._halves(labels, halves, precision=False, dtype=dtype)

    def _whole(self, labels: ArrayLike, *, precision: bool) -> NDArray[np.float64]:
        parsed = Labels.of(labels, self.n_examples)
        parsed.check_classes(None, negatives=not precision)
        return parsed.shaped(self.score(parsed, None, precision=precision)[0, 0])

    def _halves(
        self, labels: ArrayLike, halves: ArrayLike, *, precision: bool, dtype: DTypeLike
    ) -> NDArray[np.floating]:
        in_a = _check_halves(halves, self.n_examples)
        parsed = Labels.of(labels, self.n_examples)
        parsed.check_classes(in_a, negatives=not precision)
        return self.score(parsed, in_a, precision=precision, dtype=dtype)

    def score(
        self,
        labels: "Labels",
        in_a: NDArray[np.bool_] | None,
        *,
        precision: bool,
        dtype: DTypeLike = np.float64,
    ) -> NDArray[np.floating]:
        """Scores (split, 2, concept, neuron) of checked labels; no split is one half A of all.

        One walk serves all concepts that leave out the same sentences.
        """
        sides = np.zeros((1, self.n_examples), bool) if in_a is None else ~in_a
        shape = (len(sides), 2, labels.n_concepts, self.n_neurons)
        scores = np.empty(shape, dtype)
        for members, left_out, starts, concepts in labels.patterns:
            where = np.where(left_out, np.uint8(LEFT_OUT), sides.astype(np.uint8))
            for first in range(0, self.n_neurons, BLOCK):
                order = self.order[first : first + BLOCK]
                part = np.empty((len(order), len(sides), 2, len(members)), dtype)
                walk(order, starts, concepts, where, len(members), precision, part)
                scores[:, :, members, first : first + BLOCK] = np.moveaxis(part, 0, -1)
        return scores


def rank(X: ArrayLike) -> Ranking:
    """Order the sentences of every neuron by falling value, with their ties.

    Parameters
    ----------
    X : (example, neuron)
        Responses: floating, integer or bool. float16 and float32 are sorted by radix on their
        bits, everything else by NumPy.

    Returns
    -------
    Ranking
        Two bytes an entry up to 32,768 sentences, four beyond.

    Raises
    ------
    ValueError
        X is not a matrix of numbers, is empty, or holds NaN or infinity.
    """
    X = check_responses(X)
    order = np.empty((X.shape[1], X.shape[0]), _index_type(X.shape[0]))
    for neurons, part in rankings(X):
        order[neurons] = part.order
    return Ranking(order)


def rankings(X: ArrayLike) -> Iterator[tuple[slice, Ranking]]:
    """The Ranking of one block of neurons after the other: `rank` in bounded memory."""
    X = check_responses(X)
    for first in range(0, X.shape[1], BLOCK):
        neurons = slice(first, min(first + BLOCK, X.shape[1]))
        # A copy with one neuron a row: contiguous, writable, and never the caller's memory.
        values = np.array(X[:, neurons].T, order="C", copy=True)
        yield neurons, Ranking(_order(values, first))


def _check_halves(halves: ArrayLike, n_examples: int) -> NDArray[np.bool_]:
    in_a = np.asarray(halves)
    if in_a.ndim != 2 or in_a.shape[1] != n_examples or not len(in_a):
        raise ValueError(f"got halves of shape {in_a.shape}, expected (split, {n_examples})")
    if in_a.dtype != bool:
        raise ValueError(f"got halves of dtype {in_a.dtype}, expected bool (True is half A)")
    return in_a


def _index_type(n_examples: int) -> type[np.signedinteger]:
    return np.int16 if n_examples <= np.iinfo(np.int16).max + 1 else np.int32


def _order(values: NDArray, first: int) -> NDArray[np.signedinteger]:
    """Order the rows of (neuron, example) values; `first` is the name of neuron 0 in errors."""
    n = values.shape[1]
    order = np.empty(values.shape, _index_type(n))
    if values.dtype.newbyteorder("=") in (np.float16, np.float32):
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        half = values.dtype == np.float16
        shift = max(n - 1, 1).bit_length()
        packed = np.empty(n, np.uint32 if half and shift <= 16 else np.int64)
        bits, infinity = (np.uint16, 0x7C00) if half else (np.uint32, 0x7F800000)
        digit, passes = (8, 2) if half else (11, 3)
        bad = order_rows(
            values.view(bits), infinity, shift, digit, passes, packed, np.empty_like(packed), order
        )
    else:
        bad = _order_by_numpy(values, order)
    if bad >= 0:
        raise not_finite(first + bad)
    return order


def _order_by_numpy(values: NDArray, order: NDArray[np.signedinteger]) -> int:
    finite = np.isfinite(values).all(1)
    if not finite.all():
        return int(np.flatnonzero(~finite)[0])
    falling = np.argsort(values, axis=1)[:, ::-1]
    ranked = np.take_along_axis(values, falling, axis=1)
    closes = np.ones(values.shape, bool)
    closes[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    order[:] = np.where(closes, ~falling, falling)
    return -1
