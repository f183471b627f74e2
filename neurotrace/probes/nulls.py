"""Chance levels of expert overlap: what two sets, or many, share without any common concept.

Three nulls, from the weakest to the strongest claim they silence:

`hypergeometric` draws two sets from all neurons alike. `layer_stratified` keeps how many experts
each layer has, since experts crowd into the same layers for reasons of depth. `degree_preserving`
is for counts over many languages ("shared by at least two"): it also keeps how many concepts each
neuron serves in each language, since a neuron that passes for every concept is shared for nothing.

None of them replaces disjoint halves of the sentences: sets chosen on translations of the same
sentences share more than any of these says.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.trades import trade

TRADES = 10  # per concept of a layer and language between two replicates


@dataclass(frozen=True)
class OverlapNull:
    """Overlap of two random sets of fixed size.

    Attributes
    ----------
    mean, sd : neurons in common; divide by min(k_a, k_b) for a fraction.
    """

    mean: float
    sd: float
    k_a: int
    k_b: int
    n: int

    def p_value(self, count: ArrayLike) -> NDArray[np.float64]:
        """Probability that random sets share `count` neurons or more; same shape as `count`."""
        from scipy.stats import hypergeom  # loads all of scipy.stats

        return np.asarray(hypergeom.sf(np.asarray(count) - 1, self.n, self.k_a, self.k_b))


class SharedCounts(NamedTuple):
    """(concept, neuron) pairs by the number of languages in which they pass.

    Each field is an int, or (replicate,) ints under a null.
    """

    exactly_one: NDArray[np.int64]
    at_least_two: NDArray[np.int64]
    all_languages: NDArray[np.int64]


def hypergeometric(k_a: int, k_b: int, n: int) -> OverlapNull:
    """How many neurons two independent random sets share.

    Answers: would sets drawn from all neurons alike share as many? Wrong, and too low, where both
    sets favour the same layers (`layer_stratified`), the same promiscuous neurons
    (`degree_preserving`), or were chosen on the same sentences (no null helps; use halves).

    mean = k_a k_b / n,  sd² = mean (1 - k_a / n) (n - k_b) / (n - 1)

    Parameters
    ----------
    k_a, k_b : sizes of the sets
    n : neurons they are drawn from

    Raises
    ------
    ValueError
        Sizes outside 0 … n.

    Examples
    --------
    >>> chance = hypergeometric(50, 50, 1000)
    >>> chance.mean, round(float(chance.p_value(8)), 4)
    (2.5, 0.0024)
    """
    if n < 1 or not 0 <= k_a <= n or not 0 <= k_b <= n:
        raise ValueError(f"got sets of {k_a} and {k_b} among {n}, expected sizes from 0 to n >= 1")
    mean = k_a * k_b / n
    variance = mean * (1 - k_a / n) * (n - k_b) / max(n - 1, 1)
    return OverlapNull(mean, variance**0.5, int(k_a), int(k_b), int(n))


def layer_stratified(
    counts_a: ArrayLike, counts_b: ArrayLike, widths: ArrayLike
) -> NDArray[np.float64]:
    """Expected overlap of sets that are random within layers.

    Σ_layer counts_a counts_b / width, divided by min(Σ counts_a, Σ counts_b)

    Answers: is the overlap more than sharing a depth explains? Wrong, and too low, where neurons
    of one layer differ in how readily they pass for any concept: `degree_preserving` keeps that.

    Never below k / n when both sets have the same profile over layers, and equal to it when both
    are spread evenly.

    Eats `layer`; the other axes broadcast.

    Parameters
    ----------
    counts_a, counts_b : (…, layer)
        Experts of each set in each layer: `layer_counts` gives them.
    widths : (layer,)
        Neurons of each layer.

    Returns
    -------
    (…) fractions, in the unit of `overlap`; NaN where a set is empty

    Raises
    ------
    ValueError
        Another number of layers, or more experts than a layer has neurons.

    Examples
    --------
    >>> float(layer_stratified([10, 0], [10, 0], [100, 100]))
    0.1
    """
    a, b, width = (np.asarray(values, float) for values in (counts_a, counts_b, widths))
    if width.ndim != 1 or a.shape[-1:] != width.shape or b.shape[-1:] != width.shape:
        raise ValueError(
            f"got counts of shape {a.shape} and {b.shape} for widths of shape {width.shape}, "
            "expected (…, layer), (…, layer) and (layer,)"
        )
    if min(a.min(), b.min()) < 0 or (a > width).any() or (b > width).any():
        raise ValueError("got a count outside its layer, expected 0 to the layer's width")
    smaller = np.minimum(a.sum(-1), b.sum(-1))
    with np.errstate(invalid="ignore"):
        return np.asarray((a * b / width).sum(-1) / smaller)


def shared_counts(passes: ArrayLike) -> SharedCounts:
    """How many (concept, neuron) pairs pass in exactly one, at least two, all languages.

    Parameters
    ----------
    passes : (lang, concept, neuron) bool

    Raises
    ------
    ValueError
        Another shape or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> passes = np.array([[[True, True, False]], [[True, False, True]]])
    >>> [int(count) for count in shared_counts(passes)]
    [2, 1, 1]
    """
    languages = _check_passes(passes).sum(0)
    return SharedCounts(*_tally(languages, len(np.asarray(passes))))


def degree_preserving(
    passes: ArrayLike, layer_of_neuron: ArrayLike, *, replicates: int, seed: int
) -> SharedCounts:
    """`shared_counts` when languages choose independently, degrees kept.

    Answers: do languages share more (concept, neuron) pairs than neurons that serve many concepts
    would share anyway? Wrong where sets of two languages were chosen on translations of the same
    sentences, whose noise they share; and it says nothing where a layer leaves no freedom, each
    neuron of it passing for all concepts or for none. An empirical p-value is
    (1 + #{replicates >= observed}) / (1 + replicates), never below 1 / (1 + replicates).

    In each language and layer, neurons and concepts form a graph. The null draws uniformly from
    all graphs in which every neuron keeps its number of concepts and every concept its number of
    neurons, independently for each language. It walks by curveball trades: two concepts pool the
    neurons that only one of them has and deal them out anew, each keeping its number. One chain is
    read every 10 trades per concept, after as many to begin with.

    Eats `lang`, `concept` and `neuron`, leaves `replicate`.

    Parameters
    ----------
    passes : (lang, concept, neuron) bool
        Which neurons pass for which concept in which language.
    layer_of_neuron : (neuron,) int
    replicates : draws
    seed : the same seed gives the same draws

    Returns
    -------
    SharedCounts of (replicate,) ints

    Raises
    ------
    ValueError
        Arrays of other shapes, or less than one replicate.

    References
    ----------
    Strona et al. 2014, "A fast and unbiased procedure to randomize ecological binary matrices",
    doi:10.1038/ncomms5114; Carstens 2015, doi:10.1103/PhysRevE.91.042812 (uniformity). Here one
    matrix stands for each layer and language.

    Examples
    --------
    >>> import numpy as np
    >>> passes = np.zeros((2, 3, 60), bool)
    >>> passes[:, [0, 1, 2], [4, 5, 6]] = True  # each concept has one neuron, in both languages
    >>> null = degree_preserving(passes, np.zeros(60, int), replicates=200, seed=0)
    >>> int(shared_counts(passes).at_least_two), bool(null.at_least_two.mean() < 2)
    (3, True)
    """
    table = _check_passes(passes)
    layers = np.asarray(layer_of_neuron)
    if layers.shape != table.shape[-1:]:
        raise ValueError(
            f"got layers of shape {layers.shape}, "
            f"expected one for each of {table.shape[-1]} neurons"
        )
    if replicates < 1:
        raise ValueError(f"got replicates={replicates}, expected at least 1")
    n_languages, n_concepts, n_neurons = table.shape
    neurons, starts = _adjacency(table, layers)
    pair = _concept_of(starts, n_concepts) * n_neurons
    rng = np.random.default_rng(seed)
    draws = np.empty((3, replicates), np.int64)
    for replicate in range(replicates):
        # One chain goes on: restarting from the data would leave each draw as near to it.
        trade(neurons, starts, n_concepts, n_neurons, TRADES * n_concepts, rng)
        languages = np.bincount(pair + neurons, minlength=n_concepts * n_neurons)
        draws[:, replicate] = _tally(languages, n_languages)
    return SharedCounts(*draws)


def _check_passes(passes: ArrayLike) -> NDArray[np.bool_]:
    table = np.asarray(passes)
    if table.ndim != 3 or table.dtype != bool or 0 in table.shape:
        raise ValueError(
            f"got passes of shape {table.shape} and dtype {table.dtype}, "
            "expected bool (lang, concept, neuron)"
        )
    return table


def _tally(languages: NDArray[np.integer], n_languages: int) -> NDArray[np.int64]:
    """Exactly one, at least two, all, from the number of languages of each pair."""
    counts = np.bincount(languages.ravel(), minlength=n_languages + 1)
    return np.array([counts[1], counts[2:].sum(), counts[n_languages]])


def _adjacency(
    table: NDArray[np.bool_], layers: NDArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Neurons of every (lang, layer, concept), in that order, and where each list starts."""
    names, layer = np.unique(layers, return_inverse=True)
    lang, concept, neuron = np.nonzero(table)
    row = (lang * len(names) + layer[neuron]) * table.shape[1] + concept
    order = np.argsort(row, kind="stable")  # any order within a row would do, but the same one
    starts = np.zeros(len(table) * len(names) * table.shape[1] + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=len(starts) - 1), out=starts[1:])
    return neuron[order], starts


def _concept_of(starts: NDArray[np.int64], n_concepts: int) -> NDArray[np.int64]:
    """The concept of each entry of the neuron lists."""
    blocks = (len(starts) - 1) // n_concepts
    return np.repeat(np.tile(np.arange(n_concepts), blocks), np.diff(starts))
