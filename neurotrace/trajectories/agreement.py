"""How far expert sets of two languages agree, counted split by split and averaged at the end.

Sets of all splits of a large model do not fit into memory at once. What is counted of them is
small, and does not depend on how many splits were handed in at a time.
"""

from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.trajectories.series_null import corrected_null, overlap_null

MIN_RELIABILITY = 0.2  # below it the ceiling is too near chance to divide by
MIN_ABOVE_CHANCE = 0.15  # of the way from chance to 1: the same, where chance itself is high
OF_PAIRS = ("value", "stratified", "wrong_concept", "same_half")

Floats = NDArray[np.float64]


class Agreement:
    """Overlaps of sets of one size among the neurons of some layers.

    Parameters
    ----------
    k
        Neurons of a set.
    widths
        Neurons of each layer that competes.
    """

    def __init__(self, k: int, widths: NDArray[np.intp]) -> None:
        self.k, self.widths = k, widths
        self._n_splits, self._n_langs = 0, 0
        self._rel = np.zeros(())
        # By pair of languages: same concept and any two, layers kept, same sentences.
        self._pairwise: list[Floats] = []
        self._stratified: list[Floats] = []
        self._same: list[Floats] = []

    def add(self, sets: NDArray[np.integer]) -> None:
        """Count some splits: ``(lang, split, half, concept, k)``, in their order."""
        n_langs, n_splits, _, n_concepts, _ = sets.shape
        pairs = list(combinations(range(n_langs), 2))
        if not self._n_splits:
            self._n_langs, self._rel = n_langs, np.zeros((n_langs, n_concepts))
            self._pairwise = [np.zeros((n_concepts, n_concepts)) for _ in pairs]
            self._stratified = [np.zeros(n_concepts) for _ in pairs]
            self._same = [np.zeros(n_concepts) for _ in pairs]
        self._n_splits += n_splits
        counts = probes.layer_counts(sets, self.widths)
        for own in _matched(sets[:, :, 0], sets[:, :, 1]).swapaxes(0, 1):
            self._rel += own
        for number, (a, b) in enumerate(pairs):
            crossed = sets[b][:, ::-1]  # half B of b stands against half A of a, and the reverse
            pairwise = probes.pairwise_overlap(sets[a], crossed, int(self.widths.sum()))
            expected = probes.layer_stratified(counts[a], counts[b][:, ::-1], self.widths)
            _sum(pairwise, self._pairwise[number])
            _sum(expected, self._stratified[number])
            _sum(_matched(sets[a], sets[b]), self._same[number])

    def means(self, moved: NDArray[np.intp]) -> xr.Dataset:
        """What is kept of a step: of pairs the means, with coordinate ``k``.

        Parameters
        ----------
        moved
            ``(replicate, lang, concept)`` exchanges of concepts, for ``null``.
        """
        n_sets = 2 * self._n_splits
        pairwise = [total / n_sets for total in self._pairwise]
        pairs = list(combinations(range(self._n_langs), 2))
        exchanged = [
            overlap_null(mean, moved[:, a], moved[:, b])
            for mean, (a, b) in zip(pairwise, pairs, strict=True)
        ]
        found = (
            [np.diagonal(mean) for mean in pairwise],
            [total / n_sets for total in self._stratified],
            [_off_diagonal_mean(mean) for mean in pairwise],
            [total / n_sets for total in self._same],
        )
        columns = {
            name: (("concept", "pair"), np.stack(own, axis=1))
            for name, own in zip(OF_PAIRS, found, strict=True)
        }
        rel, chance = (self._rel / self._n_splits).T, self.k / int(self.widths.sum())
        of_pair = rel.mean(0)[np.stack(np.triu_indices(self._n_langs, 1))]
        mean_root = reliability_root(of_pair[0], of_pair[1], chance)
        null = corrected_null(np.stack(exchanged), mean_root, chance)
        return xr.Dataset(
            {
                **columns,
                "rel": (("concept", "lang"), rel),
                "null": ("replicate", null),
                "chance": ((), chance),
            }
        ).assign_coords(k=self.k)


def with_ceiling(kept: xr.Dataset, n_langs: int) -> xr.Dataset:
    """What is kept of a step as a table of languages, with what follows from it."""
    upper = np.triu_indices(n_langs, 1)
    dims = ("layer", "k", "concept", "lang_a", "lang_b")
    found = {}
    for name in OF_PAIRS:
        own = kept[name].transpose(*dims[:3], "pair").values
        table = np.full((*own.shape[:-1], n_langs, n_langs), np.nan)
        table[..., upper[0], upper[1]] = table[..., upper[1], upper[0]] = own
        found[name] = table
    rel = np.ascontiguousarray(kept["rel"].transpose(*dims[:3], "lang").values)
    chance = kept["chance"].transpose("layer", "k").values[..., None, None, None]
    value = found["value"]
    root = reliability_root(rel[..., :, None], rel[..., None, :], chance)
    found["ceiling"] = np.where(np.isnan(value), np.nan, chance + root)
    found["corrected"] = (value - chance) / root
    found["excess"] = value - np.fmax(found["wrong_concept"], found["stratified"])
    order = (*OF_PAIRS, "rel", "ceiling", "corrected", "excess", "null", "chance")
    tables = {name: (dims, values) for name, values in found.items()}
    # In the order in which they have always stood in the results.
    return xr.Dataset({name: tables.get(name, kept.get(name)) for name in order}, kept.coords)


def reliability_root(rel_a: Floats, rel_b: Floats, chance: float | Floats) -> Floats:
    """``√((rel_a − chance)(rel_b − chance))``, NaN where a reliability is too low to divide by."""
    low = np.fmin(rel_a, rel_b)
    usable = (low >= MIN_RELIABILITY) & (low >= chance + MIN_ABOVE_CHANCE * (1 - chance))
    with np.errstate(invalid="ignore"):
        root = np.sqrt((rel_a - chance) * (rel_b - chance))
    return np.where(usable, root, np.nan)


def _sum(of_splits: Floats, total: Floats) -> None:
    """Add ``(split, half, …)`` one after the other: a sum that batches do not change."""
    for own in of_splits.reshape(-1, *total.shape):
        total += own


def _matched(a: NDArray[np.integer], b: NDArray[np.integer]) -> Floats:
    """Shared fraction of corresponding sets: ``(…, k)`` and ``(…, k)`` → ``(…)``."""
    both = np.sort(np.concatenate([a, b], axis=-1), axis=-1)
    return (both[..., 1:] == both[..., :-1]).sum(-1) / a.shape[-1]


def _off_diagonal_mean(pairwise: Floats) -> Floats:
    """For each concept the mean overlap with every other one, in either role; NaN for a single."""
    n = len(pairwise)
    if n < 2:
        return np.full(n, np.nan)
    both = (pairwise.sum(0) + pairwise.sum(1)) / 2 - np.diagonal(pairwise)
    return both / (n - 1)
