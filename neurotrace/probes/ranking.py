"""One order of the sentences for each neuron, made once and read by any number of label sets.

Average precision and AUROC depend on a neuron only through the order in which it puts the
sentences, ties included. `rank` makes that order; a `Ranking` then scores many concepts, and many
splits into halves, in one walk down each order. Half A and half B keep counters of their own, so
a split costs a walk and never a new sort.

Ties are exact: tied sentences enter together, and -0.0 equals 0.0. Values must be finite; NaN and
infinity are refused by name. Inputs are never modified, and may be strided or memory-mapped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from neurotrace.probes import walks
from neurotrace.probes.halves_walk import walk_halves
from neurotrace.probes.inputs import check_responses
from neurotrace.probes.labels import Labels, Pattern
from neurotrace.probes.ordering import index_type, ordered
from neurotrace.probes.sorting import drop_sentences
from neurotrace.probes.split_walk import walk_splits
from neurotrace.probes.threads import n_threads, run_each

BLOCK = 128  # neurons sorted and scored together: bounds the memory beside input and output
AT_ONCE = 1 << 20  # responses of a block that is handed out
FEW_SPLITS = 6  # of AP, a third for AUROC: up to here one after the other is faster
LANES = 24  # splits walked together: what they hold of one neuron fits the second cache
SCORES_AT_ONCE = 1 << 17  # of halves, before they are turned to one neuron a column

HalvesWalk = Callable[[NDArray[np.signedinteger], NDArray[np.floating]], None]


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

    def average_precision(self, labels: ArrayLike, *, n_jobs: int = 1) -> NDArray[np.float64]:
        """Average precision of every neuron for every concept.

        AP = mean over positives i of #{positives with s >= s_i} / #{all with s >= s_i}

        Parameters
        ----------
        labels : (example,) or (example, concept)
            Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
        n_jobs
            Threads, -1 for all cores. The values do not depend on it.

        Returns
        -------
        (neuron,) or (concept, neuron)

        Raises
        ------
        ValueError
            Labels of another length, of other values, or without a positive.
        """
        return self._whole(labels, precision=True, n_jobs=n_jobs)

    def auroc(self, labels: ArrayLike, *, n_jobs: int = 1) -> NDArray[np.float64]:
        """Area under the ROC curve, ties counting half; labels and result as in AP.

        AUROC = P(s_i > s_k) + P(s_i = s_k) / 2, for a positive i and a negative k

        Raises
        ------
        ValueError
            As `average_precision`, and where a concept has no negative.
        """
        return self._whole(labels, precision=False, n_jobs=n_jobs)

    def average_precision_halves(
        self,
        labels: ArrayLike,
        halves: ArrayLike,
        *,
        dtype: DTypeLike = np.float32,
        n_jobs: int = 1,
    ) -> NDArray[np.floating]:
        """Average precision inside half A and inside half B, for many splits at once.

        Equal to ranking the sentences of each half alone, from one sort of all.

        Parameters
        ----------
        labels : (example, concept), or (example,) for one concept
            Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
        halves : (split, example) bool
            True puts the sentence in half A, False in half B.
        dtype
            Of the result. Sums are always float64.
        n_jobs
            Threads, -1 for all cores. The values do not depend on it.

        Returns
        -------
        (split, 2, concept, neuron)
            Index 0 of the second axis is half A, 1 is half B.

        Raises
        ------
        ValueError
            Wrong shapes or values, or a half in which a concept has no positive.
        """
        return self._halves(labels, halves, precision=True, dtype=dtype, n_jobs=n_jobs)

    def auroc_halves(
        self,
        labels: ArrayLike,
        halves: ArrayLike,
        *,
        dtype: DTypeLike = np.float32,
        n_jobs: int = 1,
    ) -> NDArray[np.floating]:
        """AUROC inside half A and inside half B: as `average_precision_halves`.

        Raises
        ------
        ValueError
            Wrong shapes or values, or a half in which a concept lacks positives or negatives.
        """
        return self._halves(labels, halves, precision=False, dtype=dtype, n_jobs=n_jobs)

    def _whole(self, labels: ArrayLike, *, precision: bool, n_jobs: int) -> NDArray[np.float64]:
        parsed = Labels.of(labels, self.n_examples)
        parsed.check_classes(None, negatives=not precision)
        return parsed.shaped(self.whole(parsed, precision=precision, n_jobs=n_jobs))

    def _halves(
        self,
        labels: ArrayLike,
        halves: ArrayLike,
        *,
        precision: bool,
        dtype: DTypeLike,
        n_jobs: int,
    ) -> NDArray[np.floating]:
        in_a = check_halves(halves, self.n_examples)
        parsed = Labels.of(labels, self.n_examples)
        parsed.check_classes(in_a, negatives=not precision)
        return self.halves(parsed, in_a, precision=precision, dtype=dtype, n_jobs=n_jobs)

    def halves(
        self,
        labels: Labels,
        in_a: NDArray[np.bool_],
        *,
        precision: bool,
        dtype: DTypeLike = np.float32,
        n_jobs: int = 1,
    ) -> NDArray[np.floating]:
        """Scores (split, 2, concept, neuron) of checked labels inside checked halves.

        One walk serves all concepts that leave out the same sentences, and many splits.
        """
        shape = (len(in_a), 2, labels.n_concepts, self.n_neurons)
        scores = np.empty(shape, dtype)
        step = max(1, min(BLOCK, SCORES_AT_ONCE // int(np.prod(shape[:3]))))
        for pattern in labels.patterns:
            walk = _halves_walk(pattern, labels, in_a, precision=precision)

            def walk_block(first: int, pattern: Pattern = pattern, walk: HalvesWalk = walk) -> None:
                order = _known(self.order[first : first + step], pattern)
                part = np.empty((len(order), *shape[:2], len(pattern.members)), dtype)
                walk(order, part)
                scores[:, :, pattern.members, first : first + step] = np.moveaxis(part, 0, -1)

            run_each(walk_block, range(0, self.n_neurons, step), n_jobs=n_jobs)
        return scores

    def whole(self, labels: Labels, *, precision: bool, n_jobs: int = 1) -> NDArray[np.float64]:
        """Scores (concept, neuron) of checked labels on all sentences.

        One walk serves all concepts that leave out the same sentences.
        """
        scores = np.empty((labels.n_concepts, self.n_neurons))
        walk = walks.precision if precision else walks.mean_rank
        for pattern in labels.patterns:
            n_pos = labels.positive[:, pattern.members].sum(0, dtype=np.int32)

            def walk_block(
                first: int, pattern: Pattern = pattern, n_pos: NDArray[np.int32] = n_pos
            ) -> None:
                order = _known(self.order[first : first + BLOCK], pattern)
                part = np.empty((len(order), len(n_pos)))
                walk(order, pattern.starts, pattern.concepts, n_pos, part)
                scores[pattern.members, first : first + BLOCK] = part.T

            run_each(walk_block, range(0, self.n_neurons, BLOCK), n_jobs=n_jobs)
        return scores


def rank(X: ArrayLike, *, n_jobs: int = 1) -> Ranking:
    """Order the sentences of every neuron by falling value, with their ties.

    Parameters
    ----------
    X : (example, neuron)
        Responses: floating, integer or bool. float16 and float32 are sorted by radix on their
        bits, everything else by NumPy.
    n_jobs
        Threads, -1 for all cores. The order does not depend on it.

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
    order = np.empty((X.shape[1], X.shape[0]), index_type(X.shape[0]))

    def keep(neurons: slice, part: Ranking) -> None:
        order[neurons] = part.order

    each_ranking(X, keep, n_jobs=n_jobs)
    return Ranking(order)


def rankings(X: ArrayLike) -> Iterator[tuple[slice, Ranking]]:
    """The Ranking of one block of neurons after the other: `rank` in bounded memory."""
    X = check_responses(X)
    step = max(32, min(BLOCK, AT_ONCE // len(X)))
    for first in range(0, X.shape[1], step):
        neurons = slice(first, min(first + step, X.shape[1]))
        yield neurons, Ranking(ordered(X, neurons))


def each_ranking(
    X: NDArray[Any], work: Callable[[slice, Ranking], None], *, n_jobs: int = 1
) -> None:
    """Hand the Ranking of every block of neurons to `work`, several blocks at once.

    Parameters
    ----------
    X : (example, neuron), as `check_responses` returns it
    work
        Called with the neurons of a block and their Ranking, in any order, from any thread.
    n_jobs
        Threads, -1 for all cores.
    """
    # At least four blocks a thread, so that none waits long for the last one.
    share = -(-X.shape[1] // (4 * n_threads(n_jobs)))
    step = BLOCK if n_threads(n_jobs) == 1 else max(16, min(BLOCK, share))

    def one(first: int) -> None:
        neurons = slice(first, min(first + step, X.shape[1]))
        work(neurons, Ranking(ordered(X, neurons)))

    run_each(one, range(0, X.shape[1], step), n_jobs=n_jobs)


def _known(order: NDArray[np.signedinteger], pattern: Pattern) -> NDArray[np.signedinteger]:
    """The order without the sentences that a pattern leaves out, writable and contiguous."""
    order = np.ascontiguousarray(order)
    n_left_out = int(pattern.left_out.sum())
    if not n_left_out:
        return order if order.flags.writeable else order.copy()
    kept = np.empty((len(order), order.shape[1] - n_left_out), order.dtype)
    drop_sentences(order, pattern.left_out, kept)
    return kept


def _halves_walk(
    pattern: Pattern, labels: Labels, in_a: NDArray[np.bool_], *, precision: bool
) -> HalvesWalk:
    """A walk of the concepts of a pattern, `(order, scores to write)`, that knows the splits."""
    positive = labels.positive[:, pattern.members]
    starts, concepts = pattern.starts, pattern.concepts
    counts = positive.sum(0, dtype=np.int32)
    counts_a = (in_a.astype(np.float32) @ positive).astype(np.int32)  # far below 2 ** 24: exact
    if len(in_a) <= (FEW_SPLITS if precision else FEW_SPLITS // 3):
        in_b, each = (~in_a).view(np.uint8), np.stack([counts_a, counts - counts_a], axis=1)
        return lambda order, part: walk_splits(order, starts, concepts, each, in_b, precision, part)
    n_chunks = -(-len(in_a) // LANES)
    n_lanes = 8 * -(-len(in_a) // (8 * n_chunks))  # whole vectors
    sides = np.zeros((n_chunks, len(positive)), np.uint32)
    lanes = np.zeros((n_chunks, len(counts), n_lanes), np.int32)
    for split, half in enumerate(in_a):
        chunk, lane = divmod(split, n_lanes)
        sides[chunk] |= half.astype(np.uint32) << np.uint32(lane)
        lanes[chunk, :, lane] = counts_a[split]
    return lambda order, part: walk_halves(
        order, starts, concepts, counts, sides, lanes, precision, part
    )


def check_halves(halves: ArrayLike, n_examples: int) -> NDArray[np.bool_]:
    in_a = np.asarray(halves)
    if in_a.ndim != 2 or in_a.shape[1] != n_examples or not len(in_a):
        raise ValueError(f"got halves of shape {in_a.shape}, expected (split, {n_examples})")
    if in_a.dtype != bool:
        raise ValueError(f"got halves of dtype {in_a.dtype}, expected bool (True is half A)")
    return in_a
