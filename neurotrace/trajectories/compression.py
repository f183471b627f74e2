"""Does the model need fewer neurons for several languages than each language needs alone?

Compression of a concept is the share of its experts that would be counted twice: with E(l) the
experts of a language, 1 − |∪ E(l)| / Σ |E(l)|.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.nodes import MIN_CONCEPTS
from neurotrace.store import ActivationStore
from neurotrace.trajectories.expert_sets import ExpertSets, chosen_sets, coincidences
from neurotrace.trajectories.lifts import StepKey, along_steps

STREAM = 42
ALIKE = 1e-9  # concepts that differ by less say nothing of other concepts
MIN_LANGUAGES = 3  # without one of them, two must be left


class Compressed(NamedTuple):
    """Compression of each concept, and the most that sets of these sizes could reach.

    Both are ``(concept,)``, NaN where fewer than two languages have an expert.
    """

    value: NDArray[np.float64]
    ceiling: NDArray[np.float64]


def compression(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    alpha: float = 0.05,
    score: str = "auroc",
    replicates: int = 100,
    draws: int = 1000,
    sets: ExpertSets | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """How much smaller is the union of the languages' experts than all of them one by one?

    1 − |∪ experts over languages| / Σ |experts|, a fraction, averaged over the concepts with
    experts in two languages or more; at most 1 − 1 / languages, which equal sets reach.
    *Eats* example, layer, neuron, concept, lang → *leaves* step.

    Parameters
    ----------
    alpha
        False discovery rate of the sets, and one minus the coverage of bands and intervals.
    score
        ``"auroc"`` or ``"average_precision"``: what the p-values behind the sets are of.
    replicates
        Draws of the degree-preserving null.
    draws
        Draws behind the interval.
    sets
        What :func:`neurotrace.trajectories.expert_sets` made of this store, to make it once.

    Returns
    -------
    ``value`` with ``value_low`` and ``value_high``; ``chance`` with ``chance_low`` and
    ``chance_high``, the mean and the central ``1 − alpha`` of the same under
    :func:`neurotrace.probes.degree_preserving` (NaN for a single concept, which has nothing to
    trade with); ``ceiling``, reached where each smaller set lies within the largest;
    ``corrected``, (value − chance) / (ceiling − chance), NaN where these two are within .05 of
    each other; ``deranged``, the value with labels deranged in each language, NaN where those have
    no sets, which is what they should have; ``sizes`` and ``deranged_sizes`` (step, lang), experts
    over all concepts; ``concepts`` (step), how many were averaged. NaN where there is no set.

    Notes
    -----
    Sets are as large as a false discovery rate allows. With sets of one fixed size k this would be
    overlap restated: of two languages, half the share in common. But as the sets grow with the
    power of the test, so does coincidence between them: more called neurons mean more overlap,
    and a rise of the value alone says no more than that signals grew. It is read beside its null,
    which keeps every size and every neuron's number of concepts, or as ``corrected``, whose own
    limits are power again (an expert that is missed in one language counts as not shared) and the
    number of concepts: of few, the null hands many a neuron its own, and ``corrected`` is too low.

    The interval takes concepts and languages as nodes: concepts are resampled; for languages, since
    one drawn twice would share everything with itself, Student's t times the error found by
    leaving each out is added. It covers other concepts and other languages of the same kind, for
    this model and these sentences; not the choice of sentences, and not differences between
    training runs. With two languages it covers concepts alone; with three it is wide; with fewer
    than three concepts, or where all have the same value, there is none (NaN).
    """
    sets = chosen_sets(sets, store, path=path, score=score, alpha=alpha, seed=seed)

    def one(step: StepKey) -> xr.Dataset:
        number = sets.number(step)
        passes, silent = sets.at(number), sets.at(number, silent=True)
        found = compressed(passes)
        null = [
            _mean(_from_counts(counts, passes.sum(2)))
            for counts in coincidences(passes, sets.layer_of, replicates=replicates, seed=seed)
        ]
        value, ceiling, chance = _mean(found.value), _mean(found.ceiling), _mean(null)
        low, high = _band(np.clip(value + deviations(passes, draws, seed), 0, 1), alpha)
        null_low, null_high = _band(np.array(null), alpha)
        room = ceiling - chance
        return xr.Dataset(
            {
                "value": value,
                "value_low": low,
                "value_high": high,
                "chance": chance,
                "chance_low": null_low,
                "chance_high": null_high,
                "ceiling": ceiling,
                "corrected": (value - chance) / room if room > 0.05 else np.nan,
                "deranged": _mean(compressed(silent).value),
                "sizes": ("lang", passes.sum((1, 2))),
                "deranged_sizes": ("lang", silent.sum((1, 2))),
                "concepts": int(np.isfinite(found.value).sum()),
            }
        )

    attrs = sets.attrs | {"replicates": replicates, "draws": draws}
    result = along_steps(store, one, name="compression", settings=attrs)
    return result.assign_coords(lang=store.languages).assign_attrs(attrs)


def compressed(passes: NDArray[np.bool_]) -> Compressed:
    """Compression of every concept from its expert sets, ``(lang, concept, neuron)`` bool.

    >>> sets = np.array([[[1, 1, 1, 0]], [[1, 1, 0, 0]], [[1, 0, 0, 1]]], bool)
    >>> [float(part[0].round(3)) for part in compressed(sets)]
    [0.429, 0.571]
    """
    sizes = passes.sum(2)
    return Compressed(
        _from_counts(passes.sum(0), sizes), _judged(sizes, 1 - sizes.max(0) / _total(sizes))
    )


def _from_counts(languages: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """``(concept,)`` from the languages that each (concept, neuron) serves."""
    return _judged(sizes, 1 - (languages > 0).sum(1) / _total(sizes))


def _total(sizes: NDArray[np.integer]) -> NDArray[np.integer]:
    return np.maximum(sizes.sum(0), 1)


def _judged(sizes: NDArray[np.integer], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where fewer than two languages have an expert of the concept."""
    return np.where((sizes > 0).sum(0) >= 2, values, np.nan)


def deviations(passes: NDArray[np.bool_], draws: int, seed: int) -> NDArray[np.float64]:
    """``(draw,)`` what the mean would differ by with other concepts and other languages."""
    value = compressed(passes).value
    value = value[np.isfinite(value)]
    if len(value) < MIN_CONCEPTS or np.ptp(value) < ALIKE:
        return np.full(draws, np.nan)
    rng = np.random.default_rng([seed, STREAM])
    n = len(value)
    weights = rng.multinomial(n, np.full(n, 1 / n), draws) / np.sqrt(n * (n - 1))
    error = _error_of_languages(passes)
    return weights @ (value - value.mean()) + error * rng.standard_t(len(passes) - 1, draws)


def _error_of_languages(passes: NDArray[np.bool_]) -> float:
    """Standard error of the mean over languages, by leaving each out (jackknife).

    The level changes with the number of languages, but alike for each left out.
    """
    n = len(passes)
    if n < MIN_LANGUAGES:
        return 0.0
    without = [_mean(compressed(np.delete(passes, lang, 0)).value) for lang in range(n)]
    # A concept that only two languages have is lost with either of them, and may be the only one.
    known = np.array(without)[np.isfinite(without)]
    return float(np.sqrt((n - 1) / n * ((known - known.mean()) ** 2).sum()))


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Mean of what there is, NaN where there is nothing."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")


def _band(draws: NDArray[np.float64], alpha: float) -> tuple[float, float]:
    """The central ``1 − alpha`` of draws."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)
