"""Expert sets of every size the evidence allows, at every step, made once for all who count them.

A set holds the neurons that half A called for a concept in one language and half B confirmed. Its
size follows from the false discovery rate, and so do its limits: what is counted in such sets
grows with the power of the test as well as with what the model shares. Every count is therefore
read beside the same count under a null that keeps the sizes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.probes.trades import trade
from neurotrace.store import ActivationStore
from neurotrace.trajectories.evidence import SCORES
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, step_keys

TRADES = 10  # for each concept of a layer and language, between two draws
STREAM = 41


@dataclass(frozen=True, eq=False)
class ExpertSets:
    """Confirmed experts of one run, over its steps.

    Attributes
    ----------
    halved, deranged
        The sentences' two halves, with the store's labels and with deranged ones.
    own, silent
        For each step ``(lang, concept, neuron)`` bool, as packed bits, by either labels.
    alpha, least, score, seed
        What the sets were called with, and what divided the sentences.
    """

    halved: Halved
    deranged: Halved
    own: list[NDArray[np.uint8]]
    silent: list[NDArray[np.uint8]]
    alpha: float
    least: float
    score: str
    seed: int

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
        """``(lang, concept, neuron)`` of one checkpoint, by its place in the series."""
        n_neurons = int(self.halved.widths.sum())
        packed = (self.silent if silent else self.own)[number]
        return np.unpackbits(packed, axis=-1, count=n_neurons).astype(bool)

    def number(self, step: StepKey) -> int:
        """A checkpoint's place in the series."""
        return step_keys(self.store).index(step)


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
    labels = np.hstack([halved.labels, deranged.labels])  # one ranking serves both
    own: list[NDArray[np.uint8]] = []
    silent: list[NDArray[np.uint8]] = []
    for step in step_keys(store):
        p = _p_values(halved, step, labels, score, least)
        for sets, part in zip((own, silent), np.split(p, 2, axis=2), strict=True):
            called = probes.call_experts(part[0], alpha=alpha).passes
            confirmed = probes.call_experts(part[1], alpha=alpha, among=called).passes
            sets.append(np.packbits(confirmed, axis=-1))
    return ExpertSets(halved, deranged, own, silent, alpha, least, score, seed)


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


def _p_values(
    halved: Halved, step: StepKey, labels: NDArray[np.int8], score: str, least: float
) -> NDArray[np.float32]:
    """``(half, lang, concept, neuron)``; 1 where AUROC on half A stays below ``least``."""
    by_layer = []
    for layer in halved.store.layers:
        X = halved.store.read(step, layer, halved.path).values
        X = X.astype(np.float32) if X.dtype == np.float16 else X
        by_language = [
            _halves(X[own], labels[own], halved.in_a[0, own], score, least) for own in halved.rows
        ]
        by_layer.append(np.stack(by_language, axis=1))
    return np.concatenate(by_layer, axis=-1)


def _halves(
    X: NDArray, labels: NDArray[np.int8], in_a: NDArray[np.bool_], score: str, least: float
) -> NDArray[np.float32]:
    """``(half, concept, neuron)`` p-values of one language."""
    kind: probes.significance.Score = "auroc" if score == "auroc" else "average_precision"
    p = np.stack([probes.p_values(X[side], labels[side], score=kind) for side in (in_a, ~in_a)])
    p[0, probes.auroc(X[in_a], labels[in_a]) < least] = 1
    return p.astype(np.float32)  # all of a checkpoint's tests are held at once
