"""From judged texts to outcomes: what forcing changed, against the same model left alone.

Texts of one seed begin alike in every arm, so arms are compared seed by seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.causal.judges import MOST_DEGENERATE
from neurotrace.causal.losses import nanmean, over_units
from neurotrace.nodes import MIN_CONCEPTS

RESAMPLED, CHOICE = 21, 27  # streams of random numbers
UNFORCED, MATCHED, CEILING = "unforced", "random_matched", "direction"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """What the judges found, text by text: arrays over ``(arm, concept, seed)``.

    Attributes
    ----------
    words, content
        ``(…, lang)``: words of the text's forced concept, and content words.
    wrong
        ``(…)``: words of the other concepts in the experiment, a concept; NaN if there is none.
    language
        ``(…, lang)`` bool: the language of the text.
    degenerate, distinct
        ``(…)``: whether it is no text, and its distinct-2.
    nats, tokens
        ``(…)``: −log p of the text under the unforced model, and its tokens.
    """

    words: Floats
    content: Floats
    wrong: Floats
    language: NDArray[np.bool_]
    degenerate: NDArray[np.bool_]
    distinct: Floats
    nats: Floats
    tokens: Floats


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of a tally, each with its draws.

    Seeds are resampled within every concept, the same in all arms. Concepts are few: where there
    are three or more, what a mean owes to each is drawn as well, by Student's t, see
    :func:`neurotrace.causal.losses.over_units`. Draw 0 is the estimate.

    Parameters
    ----------
    tally
        What was found.
    arms, languages
        Names of the axes.
    source
        The language whose experts were forced.
    weights
        ``(replicate, concept, seed)``, see :func:`weights`.
    alpha
        One less the level of the intervals.
    seed
        Of the draws over concepts.
    """

    tally: Tally
    arms: Sequence[str]
    languages: Sequence[str]
    source: str
    weights: Floats
    alpha: float
    seed: int = 0

    def dataset(self) -> xr.Dataset:
        """All outcomes over ``arm`` (and ``lang``)."""
        own = np.array([lang == self.source for lang in self.languages])
        result = xr.Dataset(coords={"arm": list(self.arms), "lang": list(self.languages)})
        result["lang"] = result["lang"].astype(object)
        for name, langs in (("topic", own | True), ("topic_own", own), ("topic_other", ~own)):
            words = self._sum(self.tally.words[..., langs].sum(-1))
            content = self._sum(self.tally.content[..., langs].sum(-1))
            self._keep(result, name, self._mean(_share(words, content)), within=(0, 1))
            for versus, suffix in ((UNFORCED, "log_odds"), (MATCHED, "over_random")):
                gain = self._against(words, content, versus)
                self._keep(result, f"{name}_{suffix}", self._mean(gain))
        wrong = self._sum(self.tally.wrong)
        content = self._sum(self.tally.content.sum(-1))
        result["topic_wrong"] = ("arm", self._mean(_share(wrong, content))[0])
        self._add_language(result, own)
        self._add_quality(result)
        result["chance"] = self._reference(result["topic"], UNFORCED)
        result["ceiling"] = self._reference(result["topic"], CEILING)
        return result

    def _add_language(self, result: xr.Dataset, own: NDArray[np.bool_]) -> None:
        sound = ~self.tally.degenerate
        texts = self._sum(sound.astype(float))
        hidden = self.tally.degenerate.mean(axis=(1, 2)) > MOST_DEGENERATE
        shares, gains = [], []
        for lang in range(len(self.languages)):
            spoken = self._sum((self.tally.language[..., lang] & sound).astype(float))
            shares.append(np.where(hidden, np.nan, self._mean(_share(spoken, texts))))
            if own[lang]:
                gain = self._mean(self._against(spoken, texts, UNFORCED))
                gains.append(np.where(hidden | self._hides(hidden), np.nan, gain))
        share = np.stack(shares, axis=-1)
        self._keep(result, "language", share, within=(0, 1))
        if UNFORCED in self.arms:
            at = list(self.arms).index(UNFORCED)
            change = share - share[:, at : at + 1]
            self._keep(result, "language_change", change, within=(-1, 1))
        if gains:
            self._keep(result, "source_log_odds", gains[0])

    def _hides(self, hidden: NDArray[np.bool_]) -> bool:
        return UNFORCED in self.arms and bool(hidden[list(self.arms).index(UNFORCED)])

    def _add_quality(self, result: xr.Dataset) -> None:
        tally, over = self.tally, (1, 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            result["perplexity"] = ("arm", np.exp(tally.nats.sum(over) / tally.tokens.sum(over)))
        counted = np.isfinite(tally.distinct)
        distinct = np.where(counted, tally.distinct, 0.0).sum(over)
        result["distinct"] = ("arm", _share(distinct, counted.sum(over).astype(float)))
        result["degenerate"] = ("arm", tally.degenerate.mean(axis=over))

    def _sum(self, values: Floats) -> Floats:
        """``(arm, concept, seed)`` → ``(replicate, arm, concept)``."""
        return np.einsum("rcs,acs->rac", self.weights, values)

    def _mean(self, values: Floats) -> Floats:
        """``(replicate, arm, concept)`` → ``(replicate, arm)``; what is NaN does not count."""
        if values.shape[-1] < MIN_CONCEPTS:
            return nanmean(values, axis=-1)
        return over_units(values.swapaxes(1, 2), key=(self.seed, CHOICE))

    def _against(self, k: Floats, n: Floats, versus: str) -> Floats:
        """Log-odds of k among n against another arm, concept by concept."""
        if versus not in self.arms:
            return np.full_like(k, np.nan)
        at = list(self.arms).index(versus)
        k0, n0 = k[:, at : at + 1], n[:, at : at + 1]
        gain = _log_odds(k, n) - _log_odds(k0, n0)
        return np.where((k + k0 > 0) & (n > 0) & (n0 > 0), gain, np.nan)

    def _keep(
        self,
        result: xr.Dataset,
        name: str,
        draws: Floats,
        *,
        within: tuple[float, float] = (-np.inf, np.inf),
    ) -> None:
        """An outcome ``(replicate, arm[, lang])`` with its interval, of values that can be."""
        dims = ("arm", "lang")[: draws.ndim - 1]
        result[name] = (dims, draws[0])
        low, high = np.clip(_interval(draws, self.alpha), *within)
        result[f"{name}_low"], result[f"{name}_high"] = (dims, low), (dims, high)

    def _reference(self, topic: xr.DataArray, arm: str) -> xr.DataArray:
        if arm not in self.arms:
            return xr.DataArray(np.nan)
        return topic.sel(arm=arm, drop=True)


def weights(n_concepts: int, n_seeds: int, replicates: int, *, seed: int) -> Floats:
    """How often each replicate counts the seeds of each concept; row 0 counts all of them once.

    Returns
    -------
    ``(replicate, concept, seed)``
    """
    rng = np.random.default_rng([seed, RESAMPLED])
    even = np.full(n_seeds, 1 / n_seeds)
    counts = np.ones((1 + replicates, n_concepts, n_seeds))
    counts[1:] = rng.multinomial(n_seeds, even, size=(replicates, n_concepts))
    return counts


def _log_odds(k: Floats, n: Floats) -> Floats:
    # Half a word on either side (Haldane, Anscombe), so that none and all stay finite.
    return np.log((k + 0.5) / (n - k + 0.5))


def _share(k: Floats, n: Floats) -> Floats:
    return np.divide(k, n, out=np.full(np.broadcast(k, n).shape, np.nan), where=n > 0)


def _interval(draws: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Percentiles over the replicates behind the first; NaN where the estimate is."""
    low, high = np.full((2, *draws.shape[1:]), np.nan)
    for at in zip(*np.nonzero(np.isfinite(draws[0])), strict=True):
        own = draws[(slice(1, None), *at)]
        own = own[np.isfinite(own)]
        if len(own):
            low[at], high[at] = np.quantile(own, [alpha / 2, 1 - alpha / 2])
    return low, high
