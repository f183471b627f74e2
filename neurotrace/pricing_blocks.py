"""What a job is in numbers, and what the blocks of its work cost on this machine."""

import math
import time
from dataclasses import dataclass

import numpy as np

from neurotrace.probes import pairwise_overlap
from neurotrace.probes.costs import measured
from neurotrace.probes.rank_nulls import auroc_null

MOST_SENTENCES = 20_000  # of a language: ranking more is told from ranking so many, as n log n
MOST_BYTES = 3 << 29  # of expert sets held at once, as trajectories.overlap has it
WIDEST = 10  # times the headline size is the largest set that is asked for
TABLE = 40, 640  # positives and sentences of the null that is timed
MOST_CELLS, APPROXIMATED = 4e9, 0.5  # beyond so many a null is not summed; seconds it then takes
PRODUCT = 768  # rows and columns of the matrix product that is timed


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A job in numbers, without its weights.

    Attributes
    ----------
    n_checkpoints
        Of the series, without the twin.
    n_layers, width, n_features
        Blocks; neurons of each; width of the residual stream.
    n_weights, n_embedded
        Weights of the blocks, and of the input embedding.
    n_languages, n_concepts, n_sentences
        Sentences are those of one language.
    n_tokens
        Tokens of one checkpoint's sentences, padding included.
    top, n_splits, rotations
        Experts of a set, divisions into halves, rotated bases.
    n_drawn, n_words
        Token and word states kept, of one language.
    bytes_read, bytes_written, bytes_states
        Of one checkpoint: weights, its file, and what of the file ``--keep states`` keeps.
    device
        Where the model runs.
    """

    n_checkpoints: int
    n_layers: int
    width: int
    n_features: int
    n_weights: int
    n_embedded: int
    n_languages: int
    n_concepts: int
    n_sentences: int
    n_tokens: int
    top: int
    n_splits: int = 20
    rotations: int = 1
    n_drawn: int = 1000
    n_words: int = 1000
    bytes_read: int = 0
    bytes_written: int = 0
    bytes_states: int = 0
    twin: bool = True
    device: str = "cpu"

    @property
    def n_neurons(self) -> int:
        return self.n_layers * self.width

    @property
    def n_pairs(self) -> int:
        return self.n_languages * (self.n_languages - 1) // 2

    @property
    def n_files(self) -> int:
        return self.n_checkpoints + self.twin

    @property
    def n_positives(self) -> float:
        """Sentences of a concept in half of a language's."""
        return self.n_sentences / 2 / max(1, self.n_concepts)

    @property
    def largest_top(self) -> int:
        """Experts of the largest set that the overlap is counted in."""
        return max(self.top, min(WIDEST * self.top, self.n_neurons // 4))

    @property
    def n_rankings(self) -> int:
        """Times the overlap ranks the sentences: once for as many splits as fit into memory."""
        of_split = 2 * self.n_languages * self.n_concepts * self.largest_top * 8
        return -(-self.n_splits // max(1, MOST_BYTES // of_split))


@dataclass(frozen=True)
class Blocks:
    """Seconds of one core on this machine, at a job's own number of sentences.

    Attributes
    ----------
    ranking, precision, area
        Of one neuron in one language: sentences ordered, and AP and AUROC of all concepts.
    halves
        AP of all concepts in both halves of one split.
    choice, largest
        Competing for the experts of a split, of the headline and of the largest size.
    shared
        One neuron of a set against all sets of another language: ``(concept, concept)`` counts.
    table
        The exact null of AUROC for the positives of one half.
    operation
        One multiplication or addition of a matrix product.
    """

    ranking: float
    precision: float
    area: float
    halves: float
    choice: float
    largest: float
    shared: float
    table: float
    operation: float

    @classmethod
    def measured(cls, shape: Shape) -> "Blocks":
        """Measure on this machine, in a few seconds."""
        n = max(min(shape.n_sentences, MOST_SENTENCES), 2 * shape.n_concepts)
        more = shape.n_sentences / n
        costs = measured(
            n,
            shape.n_concepts,
            n_splits=shape.n_splits,
            top=min(shape.top, shape.n_neurons),
            n_neurons=shape.n_neurons,
        )
        largest = measured(
            2 * shape.n_concepts,
            shape.n_concepts,
            n_splits=1,
            top=shape.largest_top,
            n_neurons=shape.n_neurons,
        )
        return cls(
            ranking=costs.ranking * more * math.log(max(shape.n_sentences, 2)) / math.log(n),
            precision=costs.average_precision * more,
            area=costs.auroc * more,
            halves=costs.halves * more / shape.n_splits,
            choice=costs.experts / shape.n_splits,
            largest=largest.experts,
            shared=_shared(shape),
            table=_table(shape),
            operation=_operation(),
        )


def _shared(shape: Shape) -> float:
    """Seconds a neuron of a set, for all sets of one half of a split against another language's."""
    rng = np.random.default_rng(0)
    k, n = min(shape.top, shape.n_neurons), shape.n_neurons
    a, b = (rng.integers(n, size=(1, 1, shape.n_concepts, k)) for _ in range(2))
    pairwise_overlap(a, b, n)
    begun = time.process_time()
    pairwise_overlap(a, b, n)
    return (time.process_time() - begun) / k


def _table(shape: Shape) -> float:
    """Seconds of a null at the job's own counts, told from a small one by the cells it fills."""
    wanted = _cells(shape.n_positives, shape.n_sentences / 2)
    if wanted > MOST_CELLS:
        return APPROXIMATED
    fill = auroc_null.__wrapped__  # not what is remembered of an earlier call
    fill(*TABLE, None)
    begun = time.process_time()
    fill(*TABLE, None)
    return (time.process_time() - begun) * wanted / _cells(*TABLE)


def _cells(n_pos: float, n: float) -> float:
    return n * n_pos**2 * (n - n_pos) / 4


def _operation() -> float:
    """Of a matrix product of usual size, single precision."""
    a = np.ones((PRODUCT, PRODUCT), np.float32)
    a @ a
    best = math.inf
    for _ in range(5):
        begun = time.process_time()
        a @ a
        best = min(best, time.process_time() - begun)
    return best / (2 * PRODUCT**3)
