"""Lives of single neurons: those that end as predictors of one concept in many languages.

Neurons are chosen at the last step, on half A of the sentences; their curves over all steps are
read on half B. A neuron is told by its index, which means something within one training run only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes, probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.expert_sets import ExpertSets, chosen_sets
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, along_steps, step_keys
from neurotrace.trajectories.lives_counts import coincidence, least_or_half

LEARNED = 99  # percentile of the re-initialised twin's neurons that a learned one exceeds
NULL_TAIL = 0.001  # share of random rankings above ``null_high``
NULLS = (None, "deranged")
GRID = 4096  # average precisions at which the rank null is read


def neuron_lives(
    store: ActivationStore,
    concept: str | None = None,
    *,
    path: str = "mlp.hook_post/max",
    least_languages: int | None = None,
    most: int = 24,
    twin: ActivationStore | None = None,
    null: str | None = None,
    alpha: float = 0.05,
    score: str = "auroc",
    sets: ExpertSets | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Which neurons end as predictors of a concept in many languages, and how did they get there?

    At the last step a neuron is chosen that half A calls for one concept in ``least_languages`` or
    more (false discovery rate ``alpha``, AUROC of at least .9), there above the twin's bar, too,
    and that half B confirms. More languages first, then the higher mean AP on half A. All curves
    are of half B, which had no part in the choice but to confirm it.
    *Eats* example → *leaves* step, neuron, lang.

    Parameters
    ----------
    concept
        Keep to the neurons of this one.
    least_languages
        Half of the languages, rounded up, and two at least, unless given.
    most
        Neurons to follow; a neuron of several concepts is followed for the best of them.
    twin
        The re-initialised model's store, for ``learned``.
    null
        ``"deranged"`` does all this with labels deranged in each language: nothing should be left.
    score, sets
        As for :func:`neurotrace.trajectories.compression`.

    Returns
    -------
    ``value`` (step, neuron, lang), held-out AP for the neuron's concept; for each (neuron, lang)
    ``chance``, its exact mean under random rankings, ``null_high``, the AP that one ranking in a
    thousand exceeds (without ties), ``learned``, the 99th percentile of the same layer in the twin
    (NaN without one), and ``called``, whether it was called there; ``coincidence`` (neuron), of
    the pairs called in as many languages, the share that languages would have in common if they
    chose independently (near 1, nothing speaks for sharing; NaN for a single concept);
    ``best_other`` (step, neuron), the highest mean AP for another concept over the languages
    called, and ``other`` (neuron), which that is at the last step; ``serves`` (step, neuron),
    languages in which AP exceeds both bars; ``since`` (neuron), the first step from which it
    serves ``least_languages`` at every checkpoint to the end (NaN where it does not at the last).
    Coordinates ``name``, such as ``L3.N117``, and ``of_concept``. There may be no neuron at all.
    Attribute ``candidates`` counts the (concept, neuron) pairs from which they were chosen.

    Raises
    ------
    ValueError
        For stores of several training runs, whose neuron indices do not correspond; an unknown
        concept, null or score; a number of languages that the store does not have.

    Notes
    -----
    Riemenschneider and Frank (2025) report such neurons without a held-out score, a null or a
    re-initialised model, by our reading; a neuron picked for its AP ends high by that alone.
    """
    sets = chosen_sets(sets, store, path=path, score=score, alpha=alpha, seed=seed)
    if null not in NULLS:
        raise ValueError(f"got null {null!r}; valid are None, 'deranged'")
    if concept is not None and concept not in store.concepts:
        raise ValueError(f"got concept {concept!r}; valid are {', '.join(store.concepts)}")
    if most < 1:
        raise ValueError(f"got most={most}; expected at least 1")
    least = least_or_half(least_languages, len(store.languages))
    silent = null is not None
    found = _Search(sets.deranged if silent else sets.halved, sets.at(-1, silent=silent), twin)
    lives, candidates = found.choose(least, most, concept)
    result = _curves(found, lives, least)
    by_chance = coincidence(found.passes, sets.layer_of, seed=seed)
    result["coincidence"] = ("neuron", by_chance[result["called"].values.sum(1)])
    result.attrs |= sets.attrs | {"candidates": candidates, "least_languages": least}
    result.attrs |= {"null": null or "", "selected_at": int(store.steps[-1])}
    axes.check(result, "step", "neuron", "lang")
    return result


@dataclass(frozen=True, eq=False)
class _Life:
    """One neuron, the concept it is followed for, and the languages that called it."""

    layer: int  # its place among the store's layers
    neuron: int
    concept: int
    called: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Search:
    """Where lives are looked for: halves with labels, and who passes at the last step."""

    halved: Halved
    passes: NDArray[np.bool_]
    twin: ActivationStore | None

    @cached_property
    def bars(self) -> NDArray[np.float64] | None:
        """``(layer, half, lang, concept)`` AP that 1 % of the twin's neurons exceed."""
        if self.twin is None:
            return None
        there = Halved(self.twin, self.halved.path, self.halved.labels, self.halved.in_a)
        step = step_keys(self.twin)[0]
        found = [
            [np.percentile(s[0], LEARNED, axis=-1) for s in there.scores(step, layer)]
            for layer in self.twin.layers
        ]
        return np.array(found).swapaxes(1, 2)

    def choose(self, least: int, most: int, concept: str | None) -> tuple[list[_Life], int]:
        """The lives to follow, best first, and how many pairs they were chosen from."""
        store = self.halved.store
        pairs = self.passes.sum(0) >= least
        if concept is not None:
            pairs[np.arange(len(pairs)) != store.concepts.index(concept)] = False
        rows = []
        for at, neurons, passes in self._by_layer(pairs):
            ap = _half(self.halved, step_keys(store)[-1], at, neurons, half=0)
            bar = 0.0 if self.bars is None else self.bars[at, 0][..., None]
            holds = passes & (ap > bar)
            for c, n in np.argwhere(holds.sum(0) >= least):
                mean = float(ap[holds[:, c, n], c, n].mean())
                life = _Life(at, int(neurons[n]), int(c), passes[:, c, n])
                rows.append(((-int(holds[:, c, n].sum()), -mean, at, life.neuron), life))
        best: dict[tuple[int, int], _Life] = {}
        for _, life in sorted(rows, key=lambda row: row[0]):
            best.setdefault((life.layer, life.neuron), life)
        return list(best.values())[:most], len(rows)

    def _by_layer(
        self, pairs: NDArray[np.bool_]
    ) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.bool_]]]:
        """Each layer with candidates: their indices in it, and their (lang, concept) passes."""
        start = 0
        for at, width in enumerate(self.halved.widths):
            own = slice(start, start + int(width))
            neurons = np.flatnonzero(pairs[:, own].any(0))
            if len(neurons):
                yield at, neurons, (self.passes[:, :, own] & pairs[:, own])[:, :, neurons]
            start += int(width)


def _half(
    halved: Halved, step: StepKey, at: int, neurons: NDArray[np.intp], *, half: int
) -> NDArray[np.float64]:
    """``(lang, concept, neuron)`` average precision of some neurons of one layer on one half."""
    layer = halved.store.layers[at]
    return np.stack([s[0, half] for s in halved.scores(step, layer, neurons=neurons)]).astype(float)


def _curves(found: _Search, lives: list[_Life], least: int) -> xr.Dataset:
    """What is shown of the lives, all from half B."""
    store = found.halved.store
    called = np.array([life.called for life in lives], bool).reshape(-1, len(store.languages))
    layer, concept = (
        np.array([getattr(life, name) for life in lives], int) for name in ("layer", "concept")
    )
    learned = np.full(called.shape, np.nan)
    if found.bars is not None:
        learned = found.bars[layer, 1, :, concept].reshape(called.shape)
    chance, high = _rank_null(found.halved, concept)
    pairs = {"chance": chance, "null_high": high, "learned": learned}
    pairs["called"] = called.astype(np.int8)

    # No part of a checkpoint: which neurons these are was told by the last one.
    result = along_steps(store, lambda step: _at_step(found.halved, step, lives, called, concept))
    result = result.assign({name: (("neuron", "lang"), held) for name, held in pairs.items()})
    result["serves"] = (result["value"] > np.fmax(high, learned)).sum("lang")
    since = _since(result["serves"].values >= least, np.array(store.steps, float))
    return _named(result.assign(since=("neuron", since)), store, lives)


def _at_step(
    halved: Halved,
    step: StepKey,
    lives: list[_Life],
    called: NDArray[np.bool_],
    concept: NDArray[np.intp],
) -> xr.Dataset:
    """The lives at one step: AP for their concept, and which other they serve best."""
    ap, each = _followed(halved, step, lives), np.arange(len(lives))
    other = np.where(called[..., None], ap, 0).sum(1) / np.maximum(called.sum(1), 1)[:, None]
    other[each, concept] = -np.inf
    rival = other.argmax(1)
    best = other[each, rival]
    return xr.Dataset(
        {
            "value": (("neuron", "lang"), ap[each, :, concept]),
            "best_other": ("neuron", np.where(np.isfinite(best), best, np.nan)),
            "rival": ("neuron", rival),
        }
    )


def _named(result: xr.Dataset, store: ActivationStore, lives: list[_Life]) -> xr.Dataset:
    """Names of neurons, of their concepts, of their languages and of what else they serve."""
    concepts = np.array(store.concepts)
    other = concepts[result["rival"].values[-1]]
    names = [f"L{store.layers[life.layer]}.N{life.neuron}" for life in lives]
    return result.drop_vars("rival").assign_coords(
        lang=store.languages,
        name=("neuron", np.array(names, "U" if names else "U1")),
        of_concept=("neuron", concepts[np.array([life.concept for life in lives], int)]),
        other=("neuron", other if len(concepts) > 1 else np.full(len(lives), "")),
    )


def _followed(halved: Halved, step: StepKey, lives: list[_Life]) -> NDArray[np.float64]:
    """``(life, lang, concept)`` average precision on half B at one step."""
    n_languages, n_concepts = len(halved.rows), halved.labels.shape[1]
    ap = np.empty((len(lives), n_languages, n_concepts))
    for at in sorted({life.layer for life in lives}):
        inside = [i for i, life in enumerate(lives) if life.layer == at]
        neurons = np.array([lives[i].neuron for i in inside])
        ap[inside] = _half(halved, step, at, neurons, half=1).transpose(2, 0, 1)
    return ap


def _rank_null(
    halved: Halved, concept: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(life, lang)`` mean AP of random rankings of half B, and what few of them exceed."""
    sizes = np.empty((len(concept), len(halved.rows), 2), int)
    for lang, own in enumerate(halved.rows):
        labels = halved.labels[own[~halved.in_a[0, own]]][:, concept]
        sizes[:, lang] = np.stack([(labels > 0).sum(0), (labels >= 0).sum(0)], axis=1)
    # A table takes a second or more, and serves all lives of the same numbers of sentences.
    kinds, kind = np.unique(sizes.reshape(-1, 2), axis=0, return_inverse=True)
    grid = np.linspace(0, 1, GRID)
    mean, high = np.empty((2, len(kinds)))
    for number, (n_pos, n) in enumerate(kinds.tolist()):
        p = probes.average_precision_p_value(grid, n_pos, n)
        mean[number] = probes.expected_average_precision(n_pos, n)
        high[number] = grid[min(int((p > NULL_TAIL).sum()), GRID - 1)]
    shape = sizes.shape[:2]
    return mean[kind.ravel()].reshape(shape), high[kind.ravel()].reshape(shape)


def _since(holds: NDArray[np.bool_], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(neuron,)`` first step from which a (step, neuron) condition holds to the end, or NaN."""
    lasting = np.logical_and.accumulate(holds[::-1], axis=0).sum(0)
    first = np.minimum(len(steps) - lasting, len(steps) - 1)
    return np.where(lasting > 0, steps[first], np.nan)
