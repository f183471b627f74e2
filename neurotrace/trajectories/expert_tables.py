"""The experts of one checkpoint as a table for other people, and as sets to compare with the next.

One scoring of the sentences gives the ranked experts of the first split with what they are worth
on the other half, the sets of the further splits, and a histogram of every neuron's score.
:mod:`neurotrace.trajectories.parts` says how they lie on disk.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, step_keys
from neurotrace.trajectories.parts import Part

SPLITS = 4
BINS = 200
UNIT = 4000  # a held-out score of 1: finer than any score of so few sentences is known
HALVES = ("A", "B")
RANKED = ("concept", "lang", "half", "rank")


def experts_kept(
    store: ActivationStore, *, path: str, top: float | int, n_splits: int = SPLITS, seed: int = 0
) -> None:
    """Have every checkpoint's experts kept, where the store keeps parts.

    Parameters
    ----------
    top
        Size of the sets, as :func:`neurotrace.trajectories.expert_turnover` takes it.
    """
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed)
    k = probes.n_experts(top, int(halved.widths.sum()))
    for step in step_keys(store):
        _tables(halved, step, k, seed)


def split_experts(halved: Halved, step: StepKey, k: int, *, seed: int) -> NDArray[np.intp]:
    """Sets of every split: ``(lang, split, half, concept, k)`` flat neuron numbers, in any order.

    Read from what is kept of the checkpoint, where anything is.
    """
    if halved.store.parts is None:
        return halved.experts(step, k, layers=halved.store.layers)
    return _sets_of(_tables(halved, step, k, seed)[0], halved)


def _tables(halved: Halved, step: StepKey, k: int, seed: int) -> list[xr.Dataset]:
    about = {"path": halved.path, "n_splits": len(halved.in_a), "seed": seed}
    parts = [Part.of("experts", {**about, "k": k}), Part.of("histogram", about)]
    return halved.store.parts.together(step, parts, lambda: _counted(halved, step, k))


def _counted(halved: Halved, step: StepKey, k: int) -> list[xr.Dataset]:
    """Experts and histogram of one checkpoint, from one scoring."""
    store, labels = halved.store, halved.labels
    n_langs, n_neurons = len(halved.rows), int(halved.widths.sum())
    best = [probes.BestExperts(k) for _ in range(n_langs)]
    first = np.empty((n_langs, 2, labels.shape[1], n_neurons), np.uint16)
    counts = np.zeros((len(store.layers), n_langs, BINS), np.uint32)
    start = 0
    for at, (layer, width) in enumerate(zip(store.layers, halved.widths, strict=True)):
        for lang, scores in enumerate(halved.scores(step, layer)):
            best[lang].add(scores, start)
            first[lang, ..., start : start + width] = np.rint(scores[0] * np.float32(UNIT))
            place = np.minimum(scores[0] * np.float32(BINS), BINS - 1).astype(np.intp)
            counts[at, lang] = np.bincount(place.ravel(), minlength=BINS)
        start += int(width)
    sets = np.stack([kept.indices.astype(np.int32) for kept in best])
    names = {"concept": np.array(store.concepts), "lang": np.array(store.languages)}
    table = _ranked(sets[:, 0], first, halved).assign(gaps=_gaps(sets[:, 1:], n_neurons))
    bins = xr.Dataset({"count": (("layer", "lang", "bin"), counts)})
    bins = bins.assign_coords(lang=names["lang"], layer=store.layers)
    return [
        table.assign_coords(names | {"half": list(HALVES)}).assign_attrs(path=halved.path, k=k),
        bins.assign_coords(bin=np.arange(BINS) / BINS).assign_attrs(path=halved.path),
    ]


def _ranked(sets: NDArray[np.int32], first: NDArray[np.uint16], halved: Halved) -> xr.Dataset:
    """The experts of one split, ``(lang, half, concept, k)``, with their layers and scores."""
    held_out = np.take_along_axis(first[:, ::-1], sets.astype(np.intp), axis=-1)
    ends = np.cumsum(halved.widths)
    place = np.searchsorted(ends, sets, side="right")
    layers, starts = np.array(halved.store.layers), ends - halved.widths
    columns = {
        "layer": _small(layers[place], int(layers.max())),
        "neuron": _small(sets - starts[place], int(halved.widths.max())),
        "held_out": held_out,
    }
    return xr.Dataset({name: (RANKED, np.moveaxis(own, 2, 0)) for name, own in columns.items()})


def _gaps(sets: NDArray[np.int32], n_neurons: int) -> xr.DataArray:
    """Sorted sets as differences, in which few bits differ from zero: (lang, split, …) turned."""
    gaps = np.sort(sets, axis=-1)
    gaps[..., 1:] -= gaps[..., :-1].copy()
    gaps[..., 0] += 1
    dims = ("split", "lang", "half", "concept", "rank")
    return xr.DataArray(_small(gaps.swapaxes(0, 1), n_neurons), dims=dims)


def _sets_of(table: xr.Dataset, halved: Halved) -> NDArray[np.intp]:
    """``(lang, split, half, concept, k)`` from what is kept."""
    starts = np.cumsum(halved.widths) - halved.widths
    place = np.searchsorted(np.array(halved.store.layers), table["layer"].values)
    flat = np.moveaxis(starts[place] + table["neuron"].values, 0, 2)
    further = np.cumsum(table["gaps"].values, axis=-1, dtype=np.intp) - 1
    return np.concatenate([flat[:, None], further.swapaxes(0, 1)], axis=1)


def _small(values: NDArray[np.integer], most: int) -> NDArray[np.unsignedinteger]:
    return values.astype(np.min_scalar_type(most))
