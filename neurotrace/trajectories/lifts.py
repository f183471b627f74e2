"""Lifting pure functions over a store: whatever keeps its `step` is a trajectory."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes, probes
from neurotrace.runner import map_each
from neurotrace.store import ActivationStore
from neurotrace.trajectories.parts import kept

StepKey = int | tuple[int, int]
Score = Callable[[NDArray, NDArray], NDArray]


def step_keys(store: ActivationStore) -> list[StepKey]:
    """What ``store.read`` takes for each checkpoint, in order."""
    table = store.checkpoints
    if table["step"].is_unique:
        return [int(step) for step in table["step"]]
    return [
        (int(stage), int(step)) for stage, step in zip(table["stage"], table["step"], strict=True)
    ]


def along_steps(
    store: ActivationStore,
    fn: Callable[[StepKey], xr.Dataset],
    *,
    name: str | None = None,
    settings: Mapping[str, object] | None = None,
) -> xr.Dataset:
    """One Dataset a checkpoint, joined along ``step``; stage and tokens stand beside it.

    Parameters
    ----------
    fn
        What is computed of one checkpoint, from its activations alone.
    name
        Under which the store keeps it, where it keeps parts; None for what is not to be kept.
    settings
        All that decides its values beside the checkpoint, as JSON holds it.
    """

    def one(step: StepKey) -> xr.Dataset:
        if name is None:
            return fn(step)
        return kept(store, step, lambda: fn(step), name=name, settings=settings or {})

    return joined(store, map_each(one, step_keys(store)))


def joined(store: ActivationStore, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Datasets of all checkpoints, in order, joined along ``step``."""
    table = store.checkpoints
    steps = pd.Index(table["step"].to_numpy(), name="step")
    joined = xr.concat(parts, dim=steps, coords="different", compat="equals")
    joined = joined.assign_coords(stage=("step", table["stage"].to_numpy()))
    if table["tokens"].notna().all():
        joined = joined.assign_coords(tokens=("step", table["tokens"].to_numpy(dtype=float)))
    axes.check(joined, "step")
    return joined


def language_rows(store: ActivationStore) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Row numbers of each language's sentences, in the store's order of languages."""
    langs = store.examples["lang"].to_numpy()
    for lang in store.languages:
        yield lang, np.flatnonzero(langs == lang)


def drawn_rows(
    store: ActivationStore, sentences: int, rng: np.random.Generator
) -> dict[str, NDArray[np.intp]]:
    """At most so many rows of each language; of parallel languages the same groups in one order,
    so that row i of one is the translation of row i of all."""
    number, group = np.unique(store.examples["group"].to_numpy(), return_inverse=True)
    place = rng.permutation(len(number))[group]
    return {
        lang: own[np.argsort(place[own], kind="stable")[:sentences]]
        for lang, own in language_rows(store)
    }


def is_parallel(store: ActivationStore) -> bool:
    """Whether every group of sentences stands in every language."""
    counts = store.examples.groupby("group")["lang"].nunique()
    return bool((counts == len(store.languages)).all())


def per_neuron(
    store: ActivationStore,
    score: Score,
    *,
    path: str = "mlp.hook_post/max",
    groups: NDArray | None = None,
) -> xr.Dataset:
    """A score of every neuron for every concept in every language, with its chance level.

    Read one layer of one step at a time, so that memory does not grow with the series.
    *Eats* example → *leaves* step, lang, concept, layer, neuron.

    Parameters
    ----------
    score
        ``(X, y) → (concept, neuron)``, such as :func:`neurotrace.probes.average_precision`.
    groups
        Keep only the sentences of these groups (one half, say).

    Returns
    -------
    ``value`` (step, lang, concept, layer, neuron) and ``chance`` (lang, concept): the exact mean
    under random rankings for average precision, the base ½ for AUROC, NaN for other scores.

    Raises
    ------
    ValueError
        When layers differ in width, so that they cannot share a neuron axis.
    """
    widths = store.width(path)
    if len(set(widths)) > 1:
        raise ValueError(f"got layers of widths {sorted(set(widths))}; expected one width")
    kept = np.isin(store.examples["group"], groups) if groups is not None else None
    rows = {lang: r if kept is None else r[kept[r]] for lang, r in language_rows(store)}
    labels = store.labels

    def one(step: StepKey) -> xr.Dataset:
        value = np.empty((len(rows), labels.shape[1], len(widths), widths[0]), dtype=np.float32)
        for at, layer in enumerate(store.layers):
            X = store.read(step, layer, path).values
            for index, own in enumerate(rows.values()):
                value[index, :, at] = score(X[own], labels[own])
        dims = ("lang", "concept", "layer", "neuron")
        return xr.Dataset({"value": (dims, value)})

    chance = np.array(
        [[_chance(score, labels[own, c]) for c in range(labels.shape[1])] for own in rows.values()]
    )
    result = along_steps(store, one).assign(chance=(("lang", "concept"), chance))
    return result.assign_coords(
        lang=list(rows), concept=store.concepts, layer=store.layers, neuron=np.arange(widths[0])
    )


def _chance(score: Score, labels: NDArray[np.int8]) -> float:
    if score is probes.average_precision:
        n_judged = int((labels >= 0).sum())
        return probes.expected_average_precision(int((labels > 0).sum()), n_judged)
    return 0.5 if score is probes.auroc else float("nan")
