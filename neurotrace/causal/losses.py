"""Next-token losses of the same sentences under several ablations, and their means."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.capture import HookedModel
from neurotrace.capture.head import Head
from neurotrace.capture.loss import nats
from neurotrace.capture.tokens import Tokenized
from neurotrace.causal.clamp import clamp
from neurotrace.causal.writes import Write
from neurotrace.nodes import LEVEL

RESAMPLED = 25  # stream of random numbers
TOKENS = 2048  # of a forward pass, padding included

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """Sentences, and what the model left alone loses on them.

    Attributes
    ----------
    n
        ``(example,)``: content tokens that have a token before them.
    alone
        ``(example,)`` nats a token.
    head
        The model's, None where it cannot be run by itself.
    """

    model: HookedModel
    sentences: Tokenized
    n: Floats
    alone: Floats
    head: Head | None

    @classmethod
    def of(cls, model: HookedModel, sentences: Tokenized) -> "Losses":
        """Run the model once, with nothing changed."""
        first = sentences.content[sentences.offsets[:-1]]
        n = (sentences.n_tokens - first).astype(float)
        bare = cls(model, sentences, n, np.zeros(len(n)), Head.of(model))
        return replace(bare, alone=bare._run(np.arange(len(n))))

    def without(
        self,
        neurons: NDArray[np.intp],
        *,
        like: NDArray[np.intp],
        rows: NDArray[np.intp] | None = None,
    ) -> Floats:
        """Change of the loss when neurons are zeroed.

        Parameters
        ----------
        neurons
            Flat numbers.
        like
            The change is rescaled, token by token and layer by layer, to that of zeroing these;
            the neurons themselves for one that is not.
        rows
            Sentences to run, all unless given.

        Returns
        -------
        ``(example,)`` nats a token; NaN for sentences that are not run, and where no neuron is.
        """
        delta = np.full(len(self.n), np.nan)
        rows = np.arange(len(self.n)) if rows is None else rows
        if not len(neurons) or not len(rows):
            return delta
        target = None if neurons is like else Write(like, None, "zero")
        with clamp(self.model, neurons, how="zero", norm_like=target):
            delta[rows] = self._run(rows) - self.alone[rows]
        return delta

    def _run(self, rows: NDArray[np.intp]) -> Floats:
        # A sentence in which nothing is predicted has no loss, and no weight either.
        if self.head is None:
            return np.where(self.n[rows] > 0, nats(self.model, self.sentences, rows), 0.0)
        order = rows[np.argsort(self.sentences.lengths[rows], kind="stable")]
        lost = np.zeros(len(self.n))
        while len(order):
            # Sorted by length: the last sentence of a pass is the longest, and sets its width.
            padded = self.sentences.lengths[order] * np.arange(1, len(order) + 1)
            size = max(1, int(np.searchsorted(padded, TOKENS, side="right")))
            lost[order[:size]] = self._pass(self.head, order[:size])
            order = order[size:]
        return lost[rows]

    def _pass(self, head: Head, rows: NDArray[np.intp]) -> Floats:
        """Losses of sentences that go through the body together; the head skips the padding."""
        batch = self.sentences.batch(rows, device=str(self.model.device))
        wanted = batch.content[:, 1:].bool()
        lost = head.nats(
            head.states(batch.ids, batch.mask)[:, :-1][wanted], batch.ids[:, 1:][wanted]
        )
        row = wanted.nonzero()[:, 0].cpu().numpy()
        total = np.bincount(row, weights=lost.numpy(), minlength=len(rows))
        return total / np.maximum(self.n[rows], 1.0)


@dataclass(frozen=True)
class Draws:
    """Means over sentences under a bootstrap of groups; replicate 0 is the estimate.

    Attributes
    ----------
    spoken, carries
        ``(lang, example)`` and ``(concept, example)`` bool.
    weights
        ``(replicate, example)``: tokens of the sentence, as often as its group was drawn.
    """

    spoken: NDArray[np.bool_]
    carries: NDArray[np.bool_]
    weights: Floats

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        languages: Sequence[str],
        concepts: Sequence[str],
        n: Floats,
        *,
        replicates: int,
        seed: int,
    ) -> "Draws":
        """Draw groups with replacement, translations of a sentence together."""
        group = pd.factorize(frame["group"])[0]
        n_groups = int(group.max()) + 1
        rng = np.random.default_rng([seed, RESAMPLED])
        drawn = np.ones((1 + replicates, n_groups))
        drawn[1:] = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), replicates)
        carries = [[concept in named for named in frame["concepts"]] for concept in concepts]
        spoken = frame["lang"].to_numpy() == np.array(languages)[:, None]
        told = np.array(carries, dtype=bool).reshape(len(concepts), len(frame))
        return cls(spoken, told, drawn[:, group] * n)

    def by_language(self, deltas: Floats) -> Floats:
        """``(arm, example)`` → ``(replicate, arm, lang)``: nats a token."""
        return self._mean(deltas, self.spoken)

    def by_concept(self, deltas: Floats) -> Floats:
        """``(arm, example)`` → ``(replicate, arm, concept)``: nats a token, mean of languages."""
        cells = self.carries[:, None] & self.spoken
        shape = (*cells.shape[:2], -1)
        means = self._mean(deltas, cells.reshape(-1, cells.shape[-1]))
        return nanmean(means.reshape(*means.shape[:2], *shape[:2]), axis=-1)

    def _mean(self, deltas: Floats, cells: NDArray[np.bool_]) -> Floats:
        """``(replicate, arm, cell)``: NaN where a cell has a sentence that was not run, or none."""
        total = (self.weights @ cells.T)[:, None]
        parts = np.nan_to_num(deltas)[:, None] * cells
        summed = np.einsum("re,ace->rac", self.weights, parts, optimize=True)
        mean = np.divide(summed, total, out=np.full_like(summed, np.nan), where=total > 0)
        missing = (np.isnan(deltas)[:, None] & cells).any(axis=-1)
        return np.where(missing, np.nan, mean)


def nanmean(values: Floats, *, axis: int | tuple[int, ...]) -> Floats:
    """Mean of what is there; NaN, without a warning, where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.asarray(np.where(there, values, 0.0).sum(axis=axis))
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def over_units(found: Floats, *, key: Sequence[int]) -> Floats:
    """Draws of a mean over a few units, which tell how much it owes to those that were drawn.

    ``mean_u x_u + Σ_u z_u (x̂_u − mean x̂) · t / (q √(n (n − 1)))``, z normal, t and q the 97.5 %
    quantiles of Student's t with n − 1 degrees of freedom and of the normal: what the units leave
    out of a bootstrap within them, as wide as it must be where they are few. What a unit's own
    samples add to its distance from the others is counted twice, which errs on the wide side.

    Parameters
    ----------
    found
        ``(replicate, unit, …)``, 0 the estimate x̂, the others resampled within units. Units that
        are NaN do not count.
    key
        Seeds of the stream of random numbers; results of one key move together.

    Returns
    -------
    ``(replicate, …)``, 0 the estimate; the others NaN where a single unit counts.
    """
    from scipy import stats  # loads slowly

    draws, there = nanmean(found, axis=1), np.isfinite(found[0])
    away = np.where(there, found[0] - draws[0], 0.0)
    n = np.where(there.sum(axis=0) > 1, there.sum(axis=0), np.nan)
    reach = stats.t.ppf(LEVEL, n - 1) / stats.norm.ppf(LEVEL) / np.sqrt(n * (n - 1))
    normal = np.random.default_rng(list(key)).standard_normal((len(found) - 1, found.shape[1]))
    draws[1:] += reach * np.tensordot(normal, away, axes=1)
    return draws
