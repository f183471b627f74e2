"""How good are a concept's best neurons, in their own language and in the others?

Neurons are chosen on one half of the sentence groups and read on the other, so a random model's
best of many neurons is not flattered.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.nodes import node_draws
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import SCORES, Halved
from neurotrace.trajectories.lifts import StepKey, along_steps, step_keys
from neurotrace.trajectories.parts import kept, twin_hash

PASSES = 0.5  # average precision at which a neuron is said to serve a concept
LEARNED = 99  # percentile of the re-initialised twin's neurons that a learned one exceeds


def expertise(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    n_best: int = 5,
    n_splits: int = 4,
    seed: int = 0,
) -> xr.Dataset:
    """Held-out average precision of each concept's best neurons, over training.

    ``value[c, a, b]`` is the mean AP in language ``b``, on the half not used for choosing, of the
    ``n_best`` neurons with the highest AP for concept ``c`` in language ``a``: the diagonal is a
    language's own experts, the rest is what they are worth elsewhere.
    *Eats* example, layer, neuron, split → *leaves* step, concept, lang_a, lang_b.

    Returns
    -------
    ``value`` and ``auroc`` with ``chance`` (the exact mean AP under a random ranking, by concept
    and language) and ``auroc_chance`` (½).

    Notes
    -----
    Suau et al. (2020) score experts on the sentences that chose them; a random-init model then
    has "experts", and so it has here, less: compare with the re-initialised twin.
    """
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed)

    def one(step: StepKey) -> xr.Dataset:
        chosen = halved.experts(step, n_best, layers=store.layers)
        dims = ("concept", "lang_a", "lang_b")
        ap, roc = (_held_out(halved, step, chosen, score) for score in SCORES)
        return xr.Dataset({"value": (dims, ap), "auroc": (dims, roc)})

    about = {"path": path, "n_best": n_best, "n_splits": n_splits}
    result = along_steps(store, one, name="expertise", settings={**about, "seed": seed})
    result = result.assign_coords(
        concept=store.concepts, lang_a=store.languages, lang_b=store.languages
    )
    result["chance"] = (("concept", "lang_b"), halved.chance())
    result["auroc_chance"] = xr.DataArray(0.5)
    result.attrs |= about
    return result


def own_draws(found: xr.Dataset, *, replicates: int = 1000, seed: int = 0) -> xr.DataArray:
    """Precision of experts in their own language, ``(replicate, step)``; replicate 0 is the mean.

    The other replicates differ by what concepts and languages, the sampled units, owe to chance.

    Parameters
    ----------
    found
        What :func:`expertise` returns.
    """
    value = found["value"].transpose("step", "concept", "lang_a", "lang_b").values
    own = np.diagonal(value, axis1=2, axis2=3)

    def means(concepts: NDArray[np.float64], langs: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.einsum("scl,rc,rl->rs", own, concepts, langs, optimize=True)
        return total / (concepts.sum(1) * langs.sum(1))[:, None]

    draws, _ = node_draws(means, *own.shape[1:], replicates=replicates, seed=seed)
    return xr.DataArray(draws, dims=("replicate", "step"), coords={"step": found["step"]})


def top_neurons(
    store: ActivationStore,
    step: StepKey,
    *,
    path: str = "mlp.hook_post/max",
    n_best: int = 5,
    twin: ActivationStore | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The best neurons of every concept in every language at one step, as a row table.

    Chosen on half A of one seeded split, all figures read on half B.

    Returns
    -------
    Columns ``concept lang rank layer neuron ap auroc chance learned other_languages
    best_other_concept best_other_ap concepts_passed``: ``learned`` is the 99th percentile of AP
    over the same layer of the re-initialised twin (NaN without one); ``other_languages`` the mean
    AP in the other languages; ``concepts_passed`` counts the concepts with AP of at least ½.
    """
    halved = Halved.of(store, path, n_splits=1, seed=seed)
    chosen = halved.experts(step, n_best, layers=store.layers)[:, 0, 0]
    chance = halved.chance()
    learned = None
    if twin is not None:
        learned = _twin_threshold(Halved(twin, path, halved.labels, halved.in_a), seed)
    rows = []
    for at, inside, neurons, column in _by_layer(halved, chosen):
        ap, roc = (
            np.stack(
                [
                    s[0, 1]
                    for s in halved.scores(step, store.layers[at], score=score, neurons=neurons)
                ]
            )
            for score in SCORES
        )
        for lang, concept, rank in np.argwhere(inside):
            spot = int(column[lang, concept, rank])
            rows.append(
                {
                    "concept": store.concepts[concept],
                    "lang": store.languages[lang],
                    "rank": int(rank),
                    "layer": int(store.layers[at]),
                    "neuron": int(neurons[spot]),
                    "ap": float(ap[lang, concept, spot]),
                    "auroc": float(roc[lang, concept, spot]),
                    "chance": float(chance[concept, lang]),
                    "learned": np.nan if learned is None else float(learned[at, lang, concept]),
                    "other_languages": _mean(np.delete(ap[:, concept, spot], lang)),
                    "concepts_passed": int((ap[lang, :, spot] >= PASSES).sum()),
                    **_best_other(ap[lang, :, spot], int(concept), store.concepts),
                }
            )
    frame = pd.DataFrame(rows)
    language = frame["lang"].map({lang: order for order, lang in enumerate(store.languages)})
    frame = frame.assign(order=language).sort_values(["concept", "order", "rank"])
    return frame.drop(columns="order").reset_index(drop=True)


def best_neurons(store: ActivationStore, *, path: str, seed: int) -> xr.Dataset:
    """:func:`top_neurons` at the last step over ``example``, read where it is kept."""
    last = step_keys(store)[-1]

    def compute() -> xr.Dataset:
        frame = top_neurons(store, last, path=path, twin=store.twin, seed=seed)
        return frame.rename_axis("example").to_xarray()

    settings = {"path": path, "seed": seed, "twin": twin_hash(store.twin)}
    found = kept(store, last, compute, name="top_neurons", settings=settings)
    return found.assign_attrs(step=int(store.steps[-1]), path=path)


def expert_bars(twin: ActivationStore, *, path: str, seed: int) -> NDArray[np.float64]:
    """What the neurons of a re-initialised model reach on half B, as ``learned`` is told by."""
    return _twin_threshold(Halved.of(twin, path, n_splits=1, seed=seed), seed)


def _by_layer(
    halved: Halved, chosen: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.bool_], NDArray[np.intp], NDArray[np.intp]]]:
    """Layer by layer: which of the chosen lie in it, their neurons, and each one's column."""
    offset = 0
    for at, width in enumerate(halved.widths):
        inside = (chosen >= offset) & (chosen < offset + width)
        neurons = np.unique(chosen[inside]) - offset
        if len(neurons):
            column = np.searchsorted(neurons, chosen - offset)
            yield at, inside, neurons, np.minimum(column, len(neurons) - 1)
        offset += int(width)


def _half_b(
    halved: Halved, step: StepKey, layer: int, score: str, neurons: NDArray[np.intp] | None = None
) -> NDArray[np.float32]:
    """Scores on half B of the first split: ``(lang, concept, neuron)``."""
    return np.stack([s[0, 1] for s in halved.scores(step, layer, score=score, neurons=neurons)])


def _held_out(
    halved: Halved, step: StepKey, chosen: NDArray[np.intp], score: str
) -> NDArray[np.float64]:
    """Mean score on the other half: ``(concept, lang chosen in, lang read in)``."""
    n_langs, n_splits, _, n_concepts, n_best = chosen.shape
    total = np.zeros((n_concepts, n_langs, n_langs))
    split, half, concept, _ = np.ix_(range(n_splits), range(2), range(n_concepts), range(n_best))
    for at, inside, neurons, column in _by_layer(halved, chosen):
        layer = halved.store.layers[at]
        for b, scores in enumerate(halved.scores(step, layer, score=score, neurons=neurons)):
            for a in range(n_langs):
                read = scores[split, 1 - half, concept, column[a]]
                total[:, a, b] += np.where(inside[a], read, 0).sum((0, 1, 3))
    return total / (n_splits * 2 * n_best)


def _twin_threshold(twin: Halved, seed: int) -> NDArray[np.float64]:
    """99th percentile of AP on half B over each layer's neurons: ``(layer, lang, concept)``."""
    store, step = twin.store, twin.store.steps[0]

    def compute() -> xr.Dataset:
        scores = (_half_b(twin, step, layer, "average_precision") for layer in store.layers)
        bars = np.stack([np.percentile(of_layer, LEARNED, axis=-1) for of_layer in scores])
        return xr.Dataset({"ap": (("layer", "lang", "concept"), bars)})

    settings = {"path": twin.path, "seed": seed}
    return np.asarray(kept(store, step, compute, name="expert_bars", settings=settings)["ap"])


def _best_other(ap: NDArray[np.float32], concept: int, names: list[str]) -> dict[str, Any]:
    others = np.where(np.arange(len(ap)) == concept, -np.inf, ap)
    if len(ap) < 2:
        return {"best_other_concept": "", "best_other_ap": np.nan}
    best = int(others.argmax())
    return {"best_other_concept": names[best], "best_other_ap": float(ap[best])}


def _mean(values: NDArray[np.float32]) -> float:
    return float(values.mean()) if len(values) else float("nan")
