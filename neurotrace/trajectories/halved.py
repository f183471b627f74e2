"""One store's neurons, scored language by language inside the halves of many splits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.splits import halves
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import StepKey, is_parallel, language_rows
from neurotrace.trajectories.relabel import relabel

Pool = tuple[Sequence[int], int]  # layers whose neurons compete, and how many are kept

# Values read at a time, at least so many neurons: chunks are wider, and less would read them often.
READ, LEAST = 1 << 21, 128

SCORES = {
    "average_precision": probes.Ranking.average_precision_halves,
    "auroc": probes.Ranking.auroc_halves,
}


@dataclass(frozen=True)
class Halved:
    """Sentences of a store divided into halves, many times over, the same at every step.

    Attributes
    ----------
    labels
        ``(example, concept)``: the store's own, or those of a null.
    in_a
        ``(split, example)`` bool, True is half A.
    """

    store: ActivationStore
    path: str
    labels: NDArray[np.int8]
    in_a: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        store: ActivationStore,
        path: str,
        *,
        n_splits: int,
        seed: int,
        null: str | None = None,
    ) -> Self:
        """Divide a store's groups; a null's labels are halved as evenly as real ones."""
        groups, langs = store.examples["group"].to_numpy(), store.examples["lang"].to_numpy()
        own = even = store.labels
        if null == "pseudo":
            own = relabel(null, own, groups, langs, seed=seed)
            # Even in the real concepts, too: one that is all in half A would repel half B.
            even = np.hstack([own, store.labels])
        if not is_parallel(store):
            even = np.hstack([even, langs[:, None] == np.unique(langs)])
        strata = store.examples.get("lexical")
        in_a = halves(groups, even, strata=strata, n_splits=n_splits, seed=seed)
        if null != "pseudo":
            own = relabel(null, own, groups, langs, in_a=in_a, seed=seed)
        return cls(store, path, own, in_a)

    @cached_property
    def rows(self) -> list[NDArray[np.intp]]:
        """Row numbers of each language."""
        return [own for _, own in language_rows(self.store)]

    @cached_property
    def widths(self) -> NDArray[np.intp]:
        """Neurons of each layer."""
        return np.array(self.store.width(self.path))

    def scores(
        self,
        step: StepKey,
        layer: int,
        *,
        score: str = "average_precision",
        neurons: NDArray[np.intp] | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """``(split, half, concept, neuron)`` for one language after the other."""
        width = int(self.widths[self.store.layers.index(layer)])
        wanted = width if neurons is None else len(neurons)
        found: dict[int, NDArray[np.float32]] = {}
        left = dict.fromkeys(range(len(self.rows)), wanted)
        for lang, places, X in by_language(self, step, layer, neurons):
            own = self.rows[lang]
            scores = SCORES[score](probes.rank(X), self.labels[own], self.in_a[:, own])
            if lang not in found:
                found[lang] = np.empty((*scores.shape[:-1], wanted), scores.dtype)
            del X
            found[lang][..., places] = scores
            left[lang] -= len(places)
            if not left[lang]:
                yield found.pop(lang)

    def experts(
        self, step: StepKey, k: int, *, layers: Sequence[int], score: str = "average_precision"
    ) -> NDArray[np.intp]:
        """Best neurons of some layers: ``(lang, split, half, concept, k)`` indices, best first.

        The first neuron of the first of ``layers`` has index 0.
        """
        found = next(sets for _, sets in self.pools(step, [(layers, k)], score=score))
        return found.astype(np.intp)

    def pools(
        self, step: StepKey, asked: Sequence[Pool], *, score: str = "average_precision"
    ) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Best neurons of several pools of layers, all from one scoring of the sentences.

        Yields each pool's number in ``asked`` and its sets, as :meth:`experts` gives them but in
        half the bytes, once the last of its layers is scored.
        """
        best = {at: [probes.BestExperts(k) for _ in self.rows] for at, (_, k) in enumerate(asked)}
        left = {at: set(layers) for at, (layers, _) in enumerate(asked)}
        for layer in dict.fromkeys(layer for layers, _ in asked for layer in layers):
            into = {at: self._offset(asked[at][0], layer) for at in best if layer in asked[at][0]}
            for lang, scores in enumerate(self.scores(step, layer, score=score)):
                for at, offset in into.items():
                    best[at][lang].add(scores, offset)
            for at in into:
                left[at].remove(layer)
                if not left[at]:
                    yield at, _gathered(best.pop(at))

    def _offset(self, layers: Sequence[int], layer: int) -> int:
        """Neurons of a pool that come before a layer's first."""
        before = [self.store.layers.index(other) for other in layers[: list(layers).index(layer)]]
        return int(self.widths[before].sum())

    def chance(self) -> NDArray[np.float64]:
        """Exact mean AP of a random ranking inside a half: ``(concept, lang)``."""
        return np.array(
            [
                [self._chance(own, concept) for own in self.rows]
                for concept in range(self.labels.shape[1])
            ]
        )

    def _chance(self, own: NDArray[np.intp], concept: int) -> float:
        judged = own[self.labels[own, concept] >= 0]
        positive = self.labels[judged, concept] > 0
        in_a = self.in_a[:, judged]
        return float(
            np.mean(
                [
                    probes.expected_average_precision(int(positive[half].sum()), int(half.sum()))
                    for half in (*in_a, *~in_a)
                ]
            )
        )


def by_language(
    halved: Halved, step: StepKey, layer: int, neurons: NDArray[np.intp] | None = None
) -> Iterator[tuple[int, NDArray[np.intp], NDArray]]:
    """Responses of one language after the other, some neurons at a time.

    Yields the language's number, the places of these neurons among those asked for (all of the
    layer by default), and ``(example, neuron)``. What is held does not grow with the layer's width,
    and hardly with the sentences.
    """
    store, path, rows = halved.store, halved.path, halved.rows
    width = int(halved.widths[store.layers.index(layer)])
    asked = np.arange(width) if neurons is None else neurons
    store.verify(step, layer, path)
    # Languages that stand one after the other are read one by one, others together.
    apart = all(own[-1] - own[0] < 2 * len(own) for own in rows)
    for together in [[lang] for lang in range(len(rows))] if apart else [range(len(rows))]:
        picked = rows[together[0]] if apart else None
        n_rows = len(store.examples) if picked is None else int(picked[-1] - picked[0]) + 1
        for columns in ranges(width, n_rows):
            places = np.flatnonzero((asked >= columns.start) & (asked < columns.stop))
            if not len(places):
                continue
            X = store.read(step, layer, path, rows=picked, columns=columns).values
            some = slice(None) if neurons is None else asked[places] - columns.start
            for lang in together:
                yield lang, places, (X if apart else X[rows[lang]])[:, some]
            del X  # before the next is read


def ranges(width: int, n_rows: int) -> Iterator[slice]:
    """Ranges of neurons that are read at a time."""
    at_once = max(LEAST, READ // max(1, n_rows) // LEAST * LEAST)
    for start in range(0, width, at_once):
        yield slice(start, min(start + at_once, width))


def _gathered(kept: list[probes.BestExperts]) -> NDArray[np.int32]:
    """``(lang, …, k)`` sets of all languages; each is let go as soon as it is copied."""
    found: NDArray[np.int32] | None = None
    for at in range(len(kept)):
        own = kept.pop(0).indices
        if found is None:
            found = np.empty((len(kept) + 1, *own.shape), np.int32)
        found[at] = own
    if found is None:
        raise ValueError("got no languages; expected at least one")
    return found
