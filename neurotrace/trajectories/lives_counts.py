"""How many neurons serve a concept in many languages, and how many would by coincidence?"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.store import ActivationStore
from neurotrace.trajectories.expert_sets import ExpertSets, chosen_sets, coincidences
from neurotrace.trajectories.lifts import StepKey, along_steps

REPLICATES = 100


def lives_counts(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    least_languages: int | None = None,
    alpha: float = 0.05,
    score: str = "auroc",
    replicates: int = REPLICATES,
    sets: ExpertSets | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """How many (concept, neuron) pairs serve many languages, and how many would by coincidence?

    *Eats* example, layer, neuron, concept, lang → *leaves* step.

    Parameters
    ----------
    least_languages, alpha, score, sets
        As for :func:`neurotrace.trajectories.neuron_lives`: at the last step these are the
        pairs it chooses from.
    replicates
        Draws of the degree-preserving null.

    Returns
    -------
    ``value``, the pairs that serve ``least_languages`` or more, and ``neurons``, how many
    different neurons they are; ``chance``, ``chance_low`` and ``chance_high``, mean and central
    ``1 − alpha`` of the pairs when languages choose independently, each neuron keeping its number
    of concepts (NaN for a single concept); ``ceiling``, the most that sets of these sizes allow;
    ``deranged``, the pairs under labels deranged in each language, which should be none.
    """
    sets = chosen_sets(sets, store, path=path, score=score, alpha=alpha, seed=seed)
    least = least_or_half(least_languages, len(store.languages))
    n_neurons = int(sets.halved.widths.sum())

    def one(step: StepKey) -> xr.Dataset:
        number = sets.number(step)
        passes = sets.at(number)
        many = passes.sum(0) >= least
        drawn = coincidences(passes, sets.layer_of, replicates=replicates, seed=seed)
        null = np.array([(counts >= least).sum() for counts in drawn] or [np.nan], float)
        low, high = np.quantile(null, [alpha / 2, 1 - alpha / 2])
        silent = sets.at(number, silent=True).sum(0) >= least
        return xr.Dataset(
            {
                "value": float(many.sum()),
                "neurons": float(many.any(0).sum()),
                "chance": float(null.mean()),
                "chance_low": float(low),
                "chance_high": float(high),
                "ceiling": float(sum(most_shared(s, least, n_neurons) for s in passes.sum(2).T)),
                "deranged": float(silent.sum()),
            }
        )

    settings = sets.attrs | {"least_languages": least, "replicates": replicates, "alpha": alpha}
    result = along_steps(store, one, name="lives_counts", settings=settings)
    pairs = len(store.concepts) * n_neurons
    return result.assign_attrs(sets.attrs | {"least_languages": least, "pairs": pairs})


def coincidence(
    passes: NDArray[np.bool_], layer_of: NDArray[np.intp], *, seed: int
) -> NDArray[np.float64]:
    """Of the pairs that serve m languages or more, the share that coincidence would give.

    Returns
    -------
    ``(m,)`` from m = 0 to the number of languages, mean of the degree-preserving null over the
    count and at most 1; NaN where there is no such pair, or a single concept.
    """
    least = np.arange(len(passes) + 1)[:, None, None]
    found = (passes.sum(0) >= least).sum((1, 2))
    drawn = [
        (counts >= least).sum((1, 2))
        for counts in coincidences(passes, layer_of, replicates=REPLICATES, seed=seed)
    ]
    if not drawn:
        return np.full(len(found), np.nan)
    share = np.minimum(np.mean(drawn, axis=0) / np.maximum(found, 1), 1)
    return np.where(found > 0, share, np.nan)


def least_or_half(given: int | None, n_languages: int) -> int:
    """The number asked for, or half of the languages, rounded up, and two at least.

    Raises
    ------
    ValueError
        For a number of languages that there are not.
    """
    least = max(2, -(-n_languages // 2)) if given is None else given
    if not 1 <= least <= n_languages:
        raise ValueError(
            f"got least_languages={least} for {n_languages} language(s); "
            f"expected a number from 1 to {n_languages}"
        )
    return least


def most_shared(sizes: NDArray[np.integer], least: int, n_neurons: int) -> int:
    """Most neurons that can lie in ``least`` or more of sets of these sizes.

    t neurons can where Σ min(size, t) ≥ least · t, which holds up to some t and never beyond.
    """
    low, high = 0, min(int(sizes.sum()) // least, n_neurons)
    while low < high:
        middle = (low + high + 1) // 2
        enough = np.minimum(sizes, middle).sum() >= least * middle
        low, high = (middle, high) if enough else (low, middle - 1)
    return low
