"""What a trace computes of overlap: the curves, their nulls, their intervals and their onsets."""

import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import xarray as xr

from neurotrace import probes
from neurotrace.nodes import MIN_CONCEPTS, interval
from neurotrace.store import ActivationStore
from neurotrace.trajectories.changes import change_points
from neurotrace.trajectories.entries import Entry, Get, Task
from neurotrace.trajectories.expertise import own_draws
from neurotrace.trajectories.intervals import node_bootstrap, summarize
from neurotrace.trajectories.onset import onset
from neurotrace.trajectories.overlap import expert_overlap, expert_overlaps

NULL_SPLITS = 4  # a null's mean over concepts and pairs needs fewer splits than an estimate
LEVEL = 0.15  # corrected overlap whose step is compared where a half would flatter a rising curve


def expert_sizes(top: float, n_neurons: int) -> list[int]:
    """The headline size of an expert set and about a tenth and ten times of it: a claim that
    changes its sign between them is none."""
    k = probes.n_experts(top, n_neurons)
    return sorted({max(1, k // 10), k, max(k, min(10 * k, n_neurons // 4))})


def main_overlap(overlap: xr.Dataset) -> xr.Dataset:
    """An overlap at the headline size of its expert sets."""
    if "k" not in overlap.dims:
        return overlap
    sizes = overlap["k"].values.tolist()
    return overlap.isel(k=sizes.index(int(overlap.attrs["main_k"])), drop=True)


def overlap_tasks(
    store: ActivationStore,
    get: Get,
    *,
    path: str,
    rotated: Sequence[str],
    score: str,
    top: float,
    n_splits: int,
    seed: int,
) -> list[Entry]:
    """Overlap of the neurons and of everything it is held against, each with its summary."""
    n_neurons = sum(store.width(path))
    k = probes.n_experts(top, n_neurons)
    overlap = partial(expert_overlap, n_splits=n_splits, score=score, seed=seed)
    null = partial(overlap, store, path=path, top=k, n_splits=NULL_SPLITS)
    both = cache(
        lambda: expert_overlaps(
            store,
            path=path,
            top=expert_sizes(top, n_neurons),
            layer_top=k / n_neurons,  # within a layer the same share, not the same number
            n_splits=n_splits,
            score=score,
            seed=seed,
        )
    )
    made = [
        Entry(
            "overlap",
            lambda: both()[0].assign_attrs(main_k=k),
            score=both,
            twin=partial(overlap, store, path=path, top=k),
        ),
        Entry("overlap_layers", lambda: both()[1]),
        _read("overlap_deranged", partial(null, null="deranged")),
    ]
    if len(store.concepts) > 1:  # a single pseudo-concept would be every sentence
        made.append(_read("overlap_pseudo", partial(null, null="pseudo")))
    if rotated:
        every = lambda: _mean_of([overlap(store, path=p, top=k) for p in rotated])  # noqa: E731
        made.append(_read("overlap_rotated", every))
    if store.twin is not None:
        made.append(Entry("overlap_twin", partial(overlap, store.twin, path=path, top=k)))
    entries = [both for entry in made for both in (entry, _summary(entry.name, get, seed))]
    if rotated:
        entries.append(Entry("basis", lambda: _basis(get("overlap"), get("overlap_rotated"), seed)))
    return entries


def _read(name: str, compute: Callable[[], xr.Dataset]) -> Entry:
    return Entry(name, compute, score=compute)


def _summary(name: str, get: Get, seed: int) -> Entry:
    """The intervals of an overlap."""
    summary = name.replace("overlap", "summary", 1)
    return Entry(summary, lambda: summarize(get(name), seed=seed))


def onset_tasks(
    store: ActivationStore, get: Get, *, analyses: Sequence[str], seed: int
) -> list[Task]:
    """When the curves that were computed leave their nulls."""
    why = why_no_onset(store)
    if why is not None:
        warnings.warn(f"onsets are left out: {why}", stacklevel=2)
        return []
    made: list[Task] = []
    if "overlap" in analyses and len(store.languages) > 1:
        corrected = cache(lambda: series_of(main_overlap(get("overlap")), seed=seed))
        made += [
            ("onset_overlap", lambda: onset(*corrected(), level=LEVEL)
             .assign_attrs(curve="corrected overlap", level=LEVEL)),
            ("onset_layers", lambda: onset(*series_of(get("overlap_layers"), seed=seed))
             .assign_attrs(curve="corrected overlap by layer")),
            *(_changes(corrected) if len(store.concepts) >= MIN_CONCEPTS else ()),
        ]  # fmt: skip
    if "expertise" in analyses and store.twin is not None:
        made.append(("onset_expertise", lambda: _of_expertise(get, seed)))
    return made


def why_no_onset(store: ActivationStore) -> str | None:
    """What keeps a run from having onsets, in words; None where nothing does."""
    steps = np.array(store.steps)
    if len(steps) < 2:
        return "there is one checkpoint"
    if (np.diff(steps) <= 0).any():
        return "steps start again in a later stage; trace one stage by itself"
    return None


def _changes(corrected: Callable[[], tuple[xr.DataArray, xr.DataArray]]) -> list[Task]:
    try:
        import ruptures  # noqa: F401 - asked for before anything is computed
    except ImportError:
        why = "pip install 'neurotrace[changepoint]'"
        warnings.warn(f"change points are left out: {why}", stacklevel=2)
        return []

    def compute() -> xr.Dataset:
        curve, null = corrected()
        return change_points(curve, null=null).assign_attrs(curve="corrected overlap")

    return [("changes", compute)]


def series_of(overlap: xr.Dataset, *, seed: int = 0) -> tuple[xr.DataArray, xr.DataArray]:
    """Corrected overlap with its draws, and series of its null, as an onset takes them.

    A draw of the null is one exchange of concepts plus what the choice of concepts does to the
    mean: exchanges alone say that *no* concept shares anything, and where concepts differ around a
    mean of nothing they would let an onset be found. Languages stay: what is found holds for the
    languages that were traced.
    """
    null = overlap["null"].transpose("replicate", "step", ...)
    moved = node_bootstrap(
        overlap, replicates=null.sizes["replicate"], languages=False, seed=seed + 1
    )["corrected"].transpose("replicate", "step", ...)
    noise = moved.isel(replicate=slice(1, None)) - moved.isel(replicate=0)
    if noise.sizes["replicate"]:  # with few concepts there is neither
        null = null + noise
    return node_bootstrap(overlap, seed=seed)["corrected"], null


def _of_expertise(get: Get, seed: int) -> xr.Dataset:
    """Onset of own-language precision over what the re-initialised twin reaches."""
    found, twin = (own_draws(get(name), seed=seed) for name in ("expertise", "expertise_twin"))
    nothing = xr.DataArray(np.zeros(1), dims="replicate")
    above = found - twin.isel(step=0, drop=True)  # paired: the same concepts and languages
    return onset(above, nothing).assign_attrs(curve="own-language precision above the twin's")


def _mean_of(results: list[xr.Dataset]) -> xr.Dataset:
    """The mean over several rotations, with the attributes of the first."""
    mean = sum(results[1:], results[0]) / len(results)
    return mean.assign_attrs(results[0].attrs | {"rotations": len(results)})


def _basis(overlap: xr.Dataset, rotated: xr.Dataset, seed: int) -> xr.Dataset:
    """Overlap of neurons minus that of rotated units, with a paired interval.

    Before correction: a rotation lowers overlap and ceiling together, so that the corrected
    overlap of sparse neurons would stay what it is.
    """
    own = node_bootstrap(main_overlap(overlap), seed=seed)
    draws = own - node_bootstrap(rotated.drop_vars("k"), seed=seed)
    found = {"chance": xr.DataArray(0.0)}
    for name in ("value", "corrected"):
        low, high = interval(draws[name])
        found |= {name: draws[name].isel(replicate=0), f"{name}_low": low, f"{name}_high": high}
    return xr.Dataset(found)
