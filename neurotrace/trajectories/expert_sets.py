"""Expert sets of every size the evidence allows, at every step, made once for all who count them.

A set holds the neurons that half A called for a concept in one language and half B confirmed. Its
size follows from the false discovery rate, and so do its limits: what is counted in such sets
grows with the power of the test as well as with what the model shares. Every count is therefore
read beside the same count under a null that keeps the sizes.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.probes.trades import trade
from neurotrace.store import ActivationStore
from neurotrace.trajectories.evidence import SCORES
from neurotrace.trajectories.halved import Halved, by_language
from neurotrace.trajectories.lifts import StepKey, step_keys
from neurotrace.trajectories.parts import kept

PART = "expert_sets"
TRADES = 10  # for each concept of a layer and language, between two draws
STREAM = 41


@dataclass(frozen=True, eq=False)
class ExpertSets:
    """Confirmed experts of one run, over its steps.

    Attributes
    ----------
    halved, deranged
        The sentences' two halves, with the store's labels and with deranged ones.
    alpha, least, score, seed
        What the sets were called with, and what divided the sentences.
    """

    halved: Halved
    deranged: Halved
    alpha: float
    least: float
    score: str
    seed: int
    # Without parts to read from: the members of each checkpoint, deflated.
    _made: dict[StepKey, list[bytes]] = field(default_factory=dict, repr=False)

    @property
    def store(self) -> ActivationStore:
        return self.halved.store

    @property
    def layer_of(self) -> NDArray[np.intp]:
        """``(neuron,)`` number of each neuron's layer, neurons of all layers in a row."""
        return np.repeat(np.arange(len(self.halved.widths)), self.halved.widths)

    @property
    def attrs(self) -> dict[str, str | float]:
        """What a result made of these sets says of them."""
        named = {name: getattr(self, name) for name in ("score", "alpha", "least", "seed")}
        sizes = (len(self.halved.rows), self.halved.labels.shape[1], int(self.halved.widths.sum()))
        family = "{} languages x {} concepts x {} neurons at each step".format(*sizes)
        return {"path": self.halved.path, "method": "bh", "family": family} | named

    def at(self, number: int, *, silent: bool = False) -> NDArray[np.bool_]:
        """``(lang, concept, neuron)`` of one checkpoint, by its place in the series.

        Computed when it is first asked for.

        Parameters
        ----------
        silent
            By deranged labels.
        """
        gaps = self._gaps(step_keys(self.store)[number], "silent" if silent else "own")
        found = np.zeros(self.shape, bool)
        found.ravel()[np.cumsum(gaps, dtype=np.intp) - 1] = True
        return found

    def number(self, step: StepKey) -> int:
        """A checkpoint's place in the series."""
        return step_keys(self.store).index(step)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of languages, concepts and neurons."""
        n_concepts = self.halved.labels.shape[1]
        return len(self.halved.rows), n_concepts, int(self.halved.widths.sum())

    def _gaps(self, step: StepKey, name: str) -> NDArray[np.uint32]:
        """Steps from one member to the next in (lang, concept, neuron) order, by either labels."""
        settings = {key: value for key, value in self.attrs.items() if key != "family"}
        if self.store.parts is not None:
            part = kept(self.store, step, lambda: self._called(step), name=PART, settings=settings)
            return np.asarray(part[name].values)
        if step not in self._made:
            found = self._called(step)
            self._made[step] = [
                zlib.compress(found[one].values.tobytes(), 1) for one in ("own", "silent")
            ]
        return np.frombuffer(zlib.decompress(self._made[step][name == "silent"]), np.uint32)

    def _called(self, step: StepKey) -> xr.Dataset:
        """Called on half A, confirmed on half B: by the store's labels and by deranged ones."""
        lang, concept, neuron, p_a, p_b = _candidates(self, step)
        _, n_concepts, n_neurons = self.shape
        found = {}
        for name, first in (("own", 0), ("silent", n_concepts)):
            here = np.flatnonzero((concept >= first) & (concept < first + n_concepts))
            called = here[_passes(p_a[here], int(np.prod(self.shape)), self.alpha)]
            sure = called[_passes(p_b[called], len(called), self.alpha)]
            row = lang[sure].astype(np.intp) * n_concepts + concept[sure] - first
            place = row * n_neurons + neuron[sure]
            gaps = np.diff(np.sort(place), prepend=-1).astype(np.uint32)
            found[name] = (f"{name}_member", gaps)
        return xr.Dataset(found)


def expert_sets(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    score: str = "auroc",
    alpha: float = 0.05,
    least: float = probes.LEAST,
    seed: int = 0,
) -> ExpertSets:
    """Which neurons serve which concept in which language, at every checkpoint?

    Called on half A of the sentence groups, where AUROC must also reach ``least``, and confirmed
    on half B among what was called; each checkpoint is one family of languages × concepts ×
    neurons, and every language calls for itself. The same halves judge deranged labels.

    Parameters
    ----------
    score
        ``"auroc"`` or ``"average_precision"``: what the rank null's p-values are of.
    alpha
        False discovery rate (Benjamini, Hochberg) of either half.

    Raises
    ------
    ValueError
        For several stores, an unknown score, or too few groups for two halves.
    """
    refuse_several(store)
    if score not in SCORES:
        raise ValueError(f"got score {score!r}; valid are {', '.join(SCORES)}")
    halved = Halved.of(store, path, n_splits=1, seed=seed)
    deranged = Halved.of(store, path, n_splits=1, seed=seed, null="deranged")
    return ExpertSets(halved, deranged, alpha, least, score, seed)


def refuse_several(store: object) -> None:
    """Neurons of one training run only: number 7 of one run is not number 7 of another.

    Raises
    ------
    ValueError
        For several stores, or results with a ``run`` axis.
    """
    if not isinstance(store, ActivationStore):
        raise ValueError(
            f"got {type(store).__name__}; expected the ActivationStore of one training run, since "
            "neuron indices do not correspond between runs; valid are single stores, one by one"
        )


def chosen_sets(sets: ExpertSets | None, store: ActivationStore, **asked: object) -> ExpertSets:
    """Sets made before, where they are of this store, or newly made ones.

    Raises
    ------
    ValueError
        For sets that were made of another store, or otherwise than asked.
    """
    refuse_several(store)
    if sets is None:
        return expert_sets(store, **asked)  # type: ignore[arg-type]
    made = sets.attrs
    wrong = [name for name, value in asked.items() if name in made and made[name] != value]
    if sets.store.path != store.path or wrong:
        what = f"other {', '.join(wrong)}" if wrong else f"store {sets.store.path.name}"
        raise ValueError(f"got expert sets of {what}; expected those of {store.path.name} as asked")
    return sets


def coincidences(
    passes: NDArray[np.bool_], layer_of: NDArray[np.intp], *, replicates: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """``(concept, neuron)`` languages served, drawn as if languages chose independently.

    The walk of :func:`neurotrace.probes.degree_preserving`, read as a table instead of three
    counts: each neuron keeps its number of concepts in each language, and each concept its number
    of neurons in each language and layer. A single concept has nothing to trade with, and none is
    drawn.
    """
    n_languages, n_concepts, n_neurons = passes.shape
    if n_concepts < 2:
        return
    n_rows = n_languages * (int(layer_of.max()) + 1) * n_concepts
    lang, concept, neurons = np.nonzero(passes)
    row = (lang * (n_rows // n_languages // n_concepts) + layer_of[neurons]) * n_concepts + concept
    order = np.argsort(row, kind="stable")
    neurons, concept = neurons[order], concept[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_rows))])
    rng = np.random.default_rng([seed, STREAM])
    for _ in range(replicates):
        trade(neurons, starts, n_concepts, n_neurons, TRADES * n_concepts, rng)
        counts = np.bincount(concept * n_neurons + neurons, minlength=n_concepts * n_neurons)
        yield counts.reshape(n_concepts, n_neurons)


def _candidates(sets: ExpertSets, step: StepKey) -> tuple[NDArray, ...]:
    """What may be called: lang, concept, neuron, p-value on half A and on half B.

    Concepts count on with the deranged ones: one ranking serves both. The step-up never calls a
    p-value above its rate, so that the others need not be held; all count as tests.
    """
    halved = sets.halved
    labels = np.hstack([halved.labels, sets.deranged.labels])
    found: list[tuple[NDArray, ...]] = []
    starts = np.cumsum(halved.widths) - halved.widths
    for start, layer in zip(starts, halved.store.layers, strict=True):
        for lang, places, held in by_language(halved, step, layer):
            own = halved.rows[lang]
            X = held.astype(np.float32) if held.dtype == np.float16 else held
            p = _halves(X, labels[own], halved.in_a[0, own], sets.score, sets.least)
            concept, neuron = np.nonzero(p[0].astype(np.float64) <= sets.alpha)
            here = np.full(len(concept), lang, np.int16), concept.astype(np.int16)
            place = (start + places[neuron]).astype(np.int32)
            found.append((*here, place, *(side[concept, neuron] for side in p)))
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def _passes(p: NDArray[np.floating], n_tests: int, alpha: float) -> NDArray[np.bool_]:
    """Which p-values :func:`neurotrace.probes.call_experts` calls among so many tests, given at
    least all those that are ``alpha`` or less."""
    p = p.astype(np.float64)
    ordered = np.sort(p)
    reached = np.flatnonzero(ordered * (1.0 * n_tests / np.arange(1, len(p) + 1)) <= alpha)
    return p <= ordered[reached[-1]] if len(reached) else np.zeros(len(p), bool)


def _halves(
    X: NDArray, labels: NDArray[np.int8], in_a: NDArray[np.bool_], score: str, least: float
) -> NDArray[np.float32]:
    """``(half, concept, neuron)`` p-values of one language."""
    kind: probes.significance.Score = "auroc" if score == "auroc" else "average_precision"
    p = np.stack([probes.p_values(X[side], labels[side], score=kind) for side in (in_a, ~in_a)])
    p[0, probes.auroc(X[in_a], labels[in_a]) < least] = 1
    return p.astype(np.float32)
