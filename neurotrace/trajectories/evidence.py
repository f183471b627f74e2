"""What one checkpoint's neurons say on two halves of the sentences: p-values, and what is shown.

Half A calls, half B confirms and is what figures are read from. Everything is per language, since
translations of one sentence are no independent rows, except the comparison of languages itself,
which is made within groups.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.arbitrary import arbitrary_words
from neurotrace.trajectories.halved import Halved, ranges
from neurotrace.trajectories.lifts import StepKey, is_parallel

SCORES = ("auroc", "average_precision")
MIN_WITHOUT = 3  # positives without the word, in a half, from which a rank test can say anything
LEARNED = 99  # percentile of the re-initialised twin's neurons that a learned one exceeds


class Bars(NamedTuple):
    """What the re-initialised twin reaches: ``(lang, concept, layer)`` and ``(set, layer)``."""

    ap: NDArray[np.float64]
    wins: NDArray[np.float64]


class Evidence(NamedTuple):
    """One checkpoint, neurons of all layers in a row.

    ``p`` is ``(half, lang, concept, neuron)``, and 1 where AUROC on half A is below ``least``: a
    larger p-value stays a valid one. ``wins`` is ``(half, set, neuron)``; the others are of half B
    and None where only calls were asked for.
    """

    p: NDArray[np.float64]
    wins: NDArray[np.float64]
    ap: NDArray[np.float32] | None
    auroc: NDArray[np.float32] | None
    without_word: NDArray[np.float64] | None


@dataclass(frozen=True)
class Questions:
    """What is asked of every checkpoint: labels and halves, and which languages to compare.

    Attributes
    ----------
    halved
        Of one split.
    code
        ``(example,)`` index of each sentence's language, shuffled within groups under a null.
    score
        ``"auroc"`` or ``"average_precision"``, of which p-values are taken.
    least
        AUROC on half A below which a neuron is not called for a concept, and wins over another
        language that are not more than a preference.
    seed
        Of the halves, the null labels and the draws of nulls.
    """

    halved: Halved
    code: NDArray[np.intp]
    score: str
    least: float
    seed: int

    @classmethod
    def of(
        cls,
        store: ActivationStore,
        path: str,
        *,
        score: str,
        least: float,
        seed: int,
        null: str | None = None,
    ) -> "Questions":
        """Ask a store about its own labels, or about those of a null."""
        if score not in SCORES:
            raise ValueError(f"got score {score!r}; valid are {', '.join(SCORES)}")
        halved = Halved.of(store, path, n_splits=1, seed=seed, null=null)
        place = {lang: at for at, lang in enumerate(store.languages)}
        code: NDArray = store.examples["lang"].map(place).to_numpy(np.intp)
        if null is not None:
            units = store.examples["group"].to_numpy() if is_parallel(store) else None
            code = _shuffled(code, units, seed)
        return cls(halved, code, score, least, seed)

    def arbitrary_words(self, texts: list[str]) -> "Questions | None":
        """The same questions about words as frequent as the concepts, None where there are none."""
        halved, langs = self.halved, self.halved.store.examples["lang"].to_numpy()
        labels = arbitrary_words(texts, langs, halved.labels, halved.in_a[0], seed=self.seed)
        return None if labels is None else replace(self, halved=replace(halved, labels=labels))

    @cached_property
    def sets(self) -> list[probes.LanguageSet]:
        return probes.language_sets(self.halved.store.languages)

    @cached_property
    def groups(self) -> NDArray | None:
        """Groups to compare translations in, None where the sentences are not parallel."""
        store = self.halved.store
        return store.examples["group"].to_numpy() if is_parallel(store) else None

    @cached_property
    def n_compared(self) -> tuple[int, int]:
        """Groups of half A and of half B, or sentences of the rarest language there."""
        n_languages = len(self.halved.store.languages)
        counts = [np.bincount(self.code[half], minlength=n_languages).min() for half in self._sides]
        return int(counts[0]), int(counts[1])

    @cached_property
    def chance(self) -> NDArray[np.float64]:
        """``(lang, concept)`` exact mean AP of a random ranking of half B."""
        in_b, labels = self._sides[1], self.halved.labels
        return np.array(
            [
                [
                    probes.expected_average_precision(int((c > 0).sum()), int((c >= 0).sum()))
                    for c in labels[own][in_b[own]].T
                ]
                for own in self.halved.rows
            ]
        )

    @property
    def _sides(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return self.halved.in_a[0], ~self.halved.in_a[0]

    def ask(self, step: StepKey, *, show: bool = True) -> Evidence:
        """Read one checkpoint, some neurons at a time."""
        store, widths = self.halved.store, self.halved.widths
        found = []
        for layer, width in zip(store.layers, widths, strict=True):
            store.verify(step, layer, self.halved.path)
            for columns in ranges(int(width), len(self.code)):
                found.append(self._some(step, layer, columns, show))

        def joined(parts: Iterable[NDArray | None]) -> Any:
            held = [part for part in parts if part is not None]
            return np.concatenate(held, axis=-1) if held else None

        return Evidence(*map(joined, zip(*found, strict=True)))

    def _some(self, step: StepKey, layer: int, columns: slice, show: bool) -> Evidence:
        X = self.halved.store.read(step, layer, self.halved.path, columns=columns).values
        X = X.astype(np.float32) if X.dtype == np.float16 else X
        by_language = [self._concepts(X[own], own, show) for own in self.halved.rows]
        p, *shown = zip(*by_language, strict=True)
        ap, auroc, without_word = (np.stack(part) if show else None for part in shown)
        return Evidence(np.stack(p, axis=1), self._wins(X), ap, auroc, without_word)

    def _concepts(
        self, X: NDArray, own: NDArray[np.intp], show: bool
    ) -> tuple[NDArray | None, ...]:
        """p-values of both halves; AP, AUROC and p-values without the word of half B."""
        labels, in_a = self.halved.labels[own], self.halved.in_a[0, own]
        p = np.stack([_p_values(X[side], labels[side], self.score) for side in (in_a, ~in_a)])
        p[0, probes.auroc(X[in_a], labels[in_a]) < self.least] = 1
        if not show:
            return p, None, None, None
        ranking = probes.rank(X[~in_a])
        ap, auroc = (
            score(labels[~in_a]).astype(np.float32)
            for score in (ranking.average_precision, ranking.auroc)
        )
        return p, ap, auroc, self._without_word(X[~in_a], own[~in_a])

    def _wins(self, X: NDArray) -> NDArray[np.float64]:
        if not self.sets:
            return np.empty((2, 0, X.shape[1]))
        sides = []
        for rows in self._sides:
            groups = None if self.groups is None else self.groups[rows]
            wins = probes.language_wins(X[rows], self.code[rows], groups=groups)
            sides.append(probes.set_wins(wins, self.sets))
        return np.stack(sides)

    def _without_word(self, X: NDArray, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """``(concept, neuron)`` p-values on positives without the word, NaN where they are few."""
        labels = self.halved.labels[rows].copy()
        p = np.full((labels.shape[1], X.shape[1]), np.nan)
        lexical = self.halved.store.examples.get("lexical")
        if lexical is None:
            return p
        labels[(labels > 0) & lexical.to_numpy(bool)[rows][:, None]] = -1
        asked = np.flatnonzero((labels > 0).sum(0) >= MIN_WITHOUT)
        if len(asked):
            p[asked] = _p_values(X, labels[:, asked], self.score)
        return p

    def bars(self, twin: ActivationStore) -> Bars:
        """What the neurons of a re-initialised model reach on the same sentences."""
        halved = Halved(twin, self.halved.path, self.halved.labels, self.halved.in_a)
        evidence = Questions(halved, self.code, self.score, self.least, self.seed).ask(
            twin.steps[0]
        )
        ends = np.cumsum(halved.widths)[:-1]

        def bar(scores: NDArray) -> NDArray[np.float64]:
            by_layer = np.split(scores, ends, axis=-1)
            return np.stack([np.percentile(own, LEARNED, axis=-1) for own in by_layer], axis=-1)

        return Bars(bar(np.asarray(evidence.ap)), bar(evidence.wins[1]))


def _p_values(X: NDArray, labels: NDArray[np.int8], score: str) -> NDArray[np.float64]:
    """``(concept, neuron)`` for the sentences of one language on one half."""
    return probes.p_values(X, labels, score="auroc" if score == "auroc" else "average_precision")


def _shuffled(code: NDArray, groups: NDArray | None, seed: int) -> NDArray[np.intp]:
    """Languages handed on at random, within each group where there are whole ones."""
    rng = np.random.default_rng([seed, 4])
    if groups is None:
        return rng.permutation(code)
    ids = np.unique(groups, return_inverse=True)[1]
    mixed = code.copy()
    mixed[np.argsort(ids, kind="stable")] = code[np.lexsort((rng.random(len(ids)), ids))]
    return mixed
