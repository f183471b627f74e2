"""What scoring costs on this machine: seconds a neuron of each of its parts, measured in small.

Every part is in proportion to the neurons, so that a plan is a sum of products. What a call costs
before its first neuron is left out: it is measured on few and on more neurons, and the difference
counts. Times are those of one core; ties make them differ by some percent between data.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurotrace.probes.experts import BestExperts
from neurotrace.probes.labels import Labels
from neurotrace.probes.ranking import rank

FEW, MOST = 4, 512  # neurons of the two timings whose difference counts
SECONDS = 0.1  # of the longer timing of one part
LAYER = 4_096  # neurons of a layer
REPEATS = 2  # whose mean counts: a real run is disturbed as well
SETS, WIDTH = 128, 1024  # expert sets and neurons on which choosing is timed


class Costs(NamedTuple):
    """Seconds of one core for one neuron, all concepts and splits of `measured` together.

    Attributes
    ----------
    ranking : ordering the sentences once; every score below needs it
    average_precision : AP of all concepts
    auroc : AUROC of all concepts
    halves : AP of all concepts in both halves of all splits
    experts : competing for a place in the expert sets of all concepts, halves and splits
    """

    ranking: float
    average_precision: float
    auroc: float
    halves: float
    experts: float

    @property
    def table(self) -> float:
        """A table of APs: ranking and average precision."""
        return self.ranking + self.average_precision

    @property
    def overlap(self) -> float:
        """Expert sets for `expert_overlap`: ranking, halves and the choice of experts."""
        return self.ranking + self.halves + self.experts


def measured(
    n_examples: int,
    n_concepts: int,
    *,
    n_splits: int = 20,
    top: int = 500,
    n_neurons: int = 98_304,
    dtype: Literal["float16", "float32"] = "float16",
    seed: int = 0,
) -> Costs:
    """What does scoring one neuron cost here, on this many sentences of one language?

    Takes up to two seconds once the loops are compiled, which the very first call waits for.

    Parameters
    ----------
    n_examples
        Sentences, each with one concept: a pool in which other concepts are the negatives.
    n_concepts
        At most half as many, so that both halves hold all.
    n_splits
        Of the halves.
    top
        Experts of a set.
    n_neurons
        Neurons that compete for them. The more there are, the fewer of them get in.
    dtype
        Of the responses.

    Returns
    -------
    Costs, seconds a neuron

    Raises
    ------
    ValueError
        Fewer than two sentences a concept, or counts below 1.

    Examples
    --------
    >>> costs = measured(400, 4, n_splits=2)
    >>> costs.overlap > costs.halves > 0
    True
    """
    _check(n_examples, n_concepts, n_splits=n_splits, top=top, n_neurons=n_neurons)
    rng = np.random.default_rng(seed)
    # Drawing the responses must not take longer than scoring them.
    wide = max(4 * FEW, min(MOST, 2**22 // n_examples))
    # Columns of a layer as wide as real ones: its rows lie as far apart when it is turned.
    X = np.zeros((n_examples, max(wide, min(n_neurons, LAYER))), dtype)
    X[:, :wide] = rng.standard_normal((n_examples, wide), np.float32)
    concept = rng.permutation(n_examples) % n_concepts
    labels = Labels.of(concept[:, None] == np.arange(n_concepts), n_examples)
    in_a = _even_halves(concept, n_splits, rng)
    ranked = cache(lambda n: rank(X[:, :n]))
    parts: list[Callable[[int], object]] = [
        lambda n: rank(X[:, :n]),
        lambda n: ranked(n).whole(labels, precision=True),
        lambda n: ranked(n).whole(labels, precision=False),
        lambda n: ranked(n).halves(labels, in_a, precision=True),
    ]
    ranking, table, area, halves = (_slope(part, wide) for part in parts)
    choice = _choice(min(top, n_neurons), n_neurons, rng)
    return Costs(ranking, table, area, halves, 2 * n_splits * n_concepts * choice)


def _slope(part: Callable[[int], object], most: int) -> float:
    """Seconds that one more neuron costs; `part(n)` works on n of them."""
    few = _mean_seconds(lambda: part(FEW))
    # As many as fit the time, were every second of the first timing spent on its neurons.
    more = int(min(most, max(4 * FEW, FEW * SECONDS / max(few, 1e-9))))
    return max(_mean_seconds(lambda: part(more)) - few, 1e-9 * more) / (more - FEW)


def _choice(top: int, n_neurons: int, rng: np.random.Generator) -> float:
    """Seconds a (set, neuron) for a place among the best, with as many newcomers as in a trace.

    Of neurons in random order the t-th gets in with probability top / t.
    """
    share = min(1.0, top * (1 + np.log(n_neurons / top)) / n_neurons)
    times = []
    for _ in range(REPEATS + 1):  # the first compiles
        best = BestExperts(top)
        best.add(1 - share * rng.random((SETS, top), np.float32), 0)
        scores = rng.random((SETS, WIDTH), np.float32)
        started = time.thread_time()
        best.add(scores, top)
        times.append(time.thread_time() - started)
    return sum(times[1:]) / REPEATS / (SETS * WIDTH)


def _mean_seconds(call: Callable[[], object]) -> float:
    """Seconds of a call, after one that compiles and fills caches."""
    call()
    return sum(_seconds(call) for _ in range(REPEATS)) / REPEATS


def _seconds(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


def _even_halves(
    concept: NDArray[np.intp], n_splits: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(split, example): every concept's sentences in turns."""
    in_a = np.empty((n_splits, len(concept)), bool)
    for half in in_a:
        mixed = np.lexsort((rng.random(len(concept)), concept))
        half[mixed] = np.arange(len(concept)) % 2 == 0
    return in_a


def _check(n_examples: int, n_concepts: int, **counts: int) -> None:
    for name, count in {"n_concepts": n_concepts, **counts}.items():
        if int(count) != count or count < 1:
            raise ValueError(f"got {name}={count}, expected a whole number from 1")
    if int(n_examples) != n_examples or n_examples < 2 * n_concepts:
        raise ValueError(
            f"got n_examples={n_examples} for {n_concepts} concepts, "
            f"expected at least {2 * n_concepts}, two sentences a concept"
        )
