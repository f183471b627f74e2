"""How many neurons tell a language, and how many serve a concept in one, two or all languages?

A neuron counts only where it passes on both halves of the sentence groups, so that each half
confirms what the other chose. Coincidence alone lets some neurons pass in several languages:
every count stands beside its mean under a null that keeps each neuron's number of concepts.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import Halved, ranges
from neurotrace.trajectories.lifts import StepKey, along_steps, is_parallel

KINDS = ("exactly_one", "at_least_two", "all")


def concept_neurons(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    threshold: float = 0.5,
    replicates: int = 20,
    alpha: float = 0.05,
    seed: int = 0,
) -> xr.Dataset:
    """Numbers of (concept, neuron) pairs that pass in exactly one, two or more, all languages.

    A pair passes in a language when its average precision is at least ``threshold`` on half A and
    on half B. The null shuffles, within each language and layer, which neurons serve which
    concepts, keeping every neuron's number of concepts and every (concept, language, layer) count.
    *Eats* example, layer, neuron, concept, lang → *leaves* step.

    Parameters
    ----------
    threshold
        Average precision, a fraction. It is absolute: keep an eye on ``base``, the chance AP.
    replicates
        Draws of the null.

    Returns
    -------
    For each of ``exactly_one at_least_two all``: the count, ``…_chance`` (mean of the null) and
    ``…_chance_low``, ``…_chance_high``, NaN for a single concept, which cannot be traded;
    ``base``, the mean chance AP.
    """
    halved = Halved.of(store, path, n_splits=1, seed=seed)
    layer_of = np.repeat(np.arange(len(store.layers)), halved.widths)

    def one(step: StepKey) -> xr.Dataset:
        passes = _passes(halved, step, threshold)
        counts = probes.shared_counts(passes)
        drawn = probes.degree_preserving(passes, layer_of, replicates=replicates, seed=seed)
        result: dict[str, float] = {}
        for name, count, null in zip(KINDS, counts, drawn, strict=True):
            drawn_counts = null if passes.shape[1] > 1 else np.full(1, np.nan)
            low, high = np.quantile(drawn_counts, [alpha / 2, 1 - alpha / 2])
            result |= {
                name: int(count),
                f"{name}_chance": float(drawn_counts.mean()),
                f"{name}_chance_low": low,
                f"{name}_chance_high": high,
            }
        return xr.Dataset(result)

    settings = {"path": path, "threshold": threshold, "replicates": replicates, "alpha": alpha}
    result = along_steps(store, one, name="concept_neurons", settings={**settings, "seed": seed})
    result["base"] = xr.DataArray(float(halved.chance().mean()))
    n_pairs = halved.labels.shape[1] * len(layer_of)
    result.attrs |= {"path": path, "threshold": threshold, "pairs": n_pairs}
    return result


def language_neurons(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    threshold: float = 0.9,
    seed: int = 0,
) -> xr.Dataset:
    """Number of neurons that tell one language from all others, over training.

    A neuron counts for a language when its average precision for "this sentence is in the
    language" is at least ``threshold`` on both halves. Its fall over training happens where
    nothing is shared, too: no evidence of sharing.
    *Eats* example, layer, neuron → *leaves* step, lang.

    Returns
    -------
    ``value`` (step, lang) and ``chance``, the same count after the languages are shuffled within
    each group (among all sentences where the set is not parallel); attribute ``neurons`` is
    their total number.
    """
    examples = store.examples
    langs = examples["lang"].to_numpy()
    onehot = langs[:, None] == np.array(store.languages)
    units = examples["group"].to_numpy() if is_parallel(store) else np.zeros(len(langs))
    shuffled = onehot[_within_groups(units, seed)]
    in_a = Halved.of(store, path, n_splits=1, seed=seed).in_a

    def one(step: StepKey) -> xr.Dataset:
        found = np.zeros((2, len(store.languages)))
        for layer, width in zip(store.layers, store.width(path), strict=True):
            store.verify(step, layer, path)
            for columns in ranges(width, len(langs)):
                # Not named: the next is read when this one is gone.
                for _, ranking in probes.rankings(
                    store.read(step, layer, path, columns=columns).values
                ):
                    for kind, labels in enumerate((onehot, shuffled)):
                        scores = ranking.average_precision_halves(labels, in_a)[0]
                        found[kind] += (scores >= threshold).all(0).sum(-1)
        return xr.Dataset({"value": ("lang", found[0]), "chance": ("lang", found[1])})

    settings = {"path": path, "threshold": threshold, "seed": seed}
    result = along_steps(store, one, name="language_neurons", settings=settings)
    result = result.assign_coords(lang=store.languages)
    result.attrs |= {"path": path, "threshold": threshold, "neurons": int(sum(store.width(path)))}
    return result


def _passes(halved: Halved, step: StepKey, threshold: float) -> NDArray[np.bool_]:
    """``(lang, concept, neuron)``: passes on both halves; neurons of all layers in a row."""
    by_layer = [
        np.stack([(found[0] >= threshold).all(0) for found in halved.scores(step, layer)])
        for layer in halved.store.layers
    ]
    return np.concatenate(by_layer, axis=-1)


def _within_groups(groups: NDArray, seed: int) -> NDArray[np.intp]:
    """A permutation of the rows that keeps every group to itself."""
    rng = np.random.default_rng([seed, 3])
    ids = np.unique(groups, return_inverse=True)[1]
    plain = np.argsort(ids, kind="stable")
    mixed = np.lexsort((rng.random(len(ids)), ids))
    permutation = np.empty_like(plain)
    permutation[plain] = mixed
    return permutation
