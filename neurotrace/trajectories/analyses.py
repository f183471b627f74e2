"""What a whole trace computes: a table from names to results, in the order they are read."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import xarray as xr

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.ceilings import ceilings
from neurotrace.trajectories.confounds import CONCEPTS, confounds, sentences
from neurotrace.trajectories.counts import concept_neurons, language_neurons
from neurotrace.trajectories.expertise import expertise, top_neurons
from neurotrace.trajectories.intervals import interval, node_bootstrap, summarize
from neurotrace.trajectories.labelled import counted, labelled, why_not
from neurotrace.trajectories.layers import (
    MIN_TOKENS,
    MIN_TYPES,
    language_identification,
    loss,
    retrieval,
    usual_kind,
)
from neurotrace.trajectories.lifts import is_parallel, step_keys
from neurotrace.trajectories.overlap import expert_overlap

Task = tuple[str, Callable[[], xr.Dataset]]
NULL_SPLITS = 4  # a null's mean over concepts and pairs needs fewer splits than an estimate


def tasks(
    store: ActivationStore,
    get: Callable[[str], xr.Dataset],
    *,
    analyses: Sequence[str],
    path: str = "mlp.hook_post/max",
    rotated: Sequence[str] = (),
    score: str = "average_precision",
    top: float = 0.05,
    n_splits: int = 20,
    seed: int = 0,
) -> list[Task]:
    """Names of results and what computes each, in order.

    Parameters
    ----------
    get
        Reads an earlier result of the same list by name.
    analyses
        Any of ``overlap expertise counts labels language_id retrieval loss confounds``.
    path, rotated
        The neurons, and the same neurons in rotated bases.

    Raises
    ------
    ValueError
        For an analysis that is not offered.
    """
    overlap = partial(expert_overlap, n_splits=n_splits, score=score, seed=seed)
    valid: dict[str, Callable[[], list[Task]]] = {
        "overlap": lambda: _overlap_tasks(
            store, get, overlap, path, rotated=rotated, top=top, seed=seed
        ),
        "expertise": lambda: _expertise_tasks(store, path, seed),
        "counts": lambda: [
            ("concept_neurons", partial(concept_neurons, store, path=path, seed=seed)),
            ("language_neurons", partial(language_neurons, store, path=path, seed=seed)),
        ],
        "labels": lambda: _label_tasks(store, path, seed),
        "language_id": lambda: _language_tasks(store),
        "retrieval": lambda: _retrieval_tasks(store),
        "loss": lambda: _loss_tasks(store),
        "confounds": lambda: _confound_tasks(store, get, "overlap" in analyses, seed),
    }
    unknown = [name for name in analyses if name not in valid]
    if unknown:
        raise ValueError(f"got analyses {', '.join(unknown)}; valid are {', '.join(valid)}")
    return [task for name in valid if name in analyses for task in valid[name]()]


def expert_sizes(top: float, n_neurons: int) -> list[int]:
    """The headline size of an expert set and about a tenth and ten times of it: a claim that
    changes its sign between them is none."""
    k = probes.n_experts(top, n_neurons)
    return sorted({max(1, k // 10), k, max(k, min(10 * k, n_neurons // 4))})


def _overlap_tasks(
    store: ActivationStore,
    get: Callable[[str], xr.Dataset],
    overlap: Callable[..., xr.Dataset],
    path: str,
    *,
    rotated: Sequence[str],
    top: float,
    seed: int,
) -> list[Task]:
    if len(store.languages) < 2:
        return _leave_out("expert overlap", "there is one language")
    k = probes.n_experts(top, sum(store.width(path)))
    sizes = expert_sizes(top, sum(store.width(path)))
    null = partial(overlap, store, path=path, top=k, n_splits=NULL_SPLITS)
    share = k / sum(store.width(path))  # within a layer the same share, not the same number
    made: dict[str, Callable[[], xr.Dataset]] = {
        "": lambda: overlap(store, path=path, top=sizes).assign_attrs(main_k=k),
        "_layers": lambda: overlap(store, path=path, top=share, per_layer=True),
        "_deranged": partial(null, null="deranged"),
    }
    if len(store.concepts) > 1:  # a single pseudo-concept would be every sentence
        made["_pseudo"] = partial(null, null="pseudo")
    if rotated:
        made["_rotated"] = lambda: _mean_of([overlap(store, path=p, top=k) for p in rotated])
    if store.twin is not None:
        made["_twin"] = partial(overlap, store.twin, path=path, top=k)
    both = [
        task
        for suffix, compute in made.items()
        for task in (
            (f"overlap{suffix}", compute),
            (f"summary{suffix}", lambda s=suffix: summarize(get(f"overlap{s}"), seed=seed)),
        )
    ]
    if rotated:
        both.append(("basis", lambda: _basis(get("overlap"), get("overlap_rotated"), k, seed)))
    return both


def _expertise_tasks(store: ActivationStore, path: str, seed: int) -> list[Task]:
    last = step_keys(store)[-1]

    def table() -> xr.Dataset:
        frame = top_neurons(store, last, path=path, twin=store.twin, seed=seed)
        dataset = frame.rename_axis("example").to_xarray()
        return dataset.assign_attrs(step=int(store.steps[-1]), path=path)

    run = partial(expertise, path=path, seed=seed)
    ceiling = partial(ceilings, store, path=path, seed=seed)
    return [*_with_twin("expertise", run, store), ("ceilings", ceiling), ("top_neurons", table)]


def _label_tasks(store: ActivationStore, path: str, seed: int) -> list[Task]:
    why = why_not(store, path=path, seed=seed)
    if why is not None:
        return _leave_out("labels of neurons", why)

    def counts() -> xr.Dataset:
        texts = sentences(store).frame["text"].tolist() if _has_sentences(store) else None
        return counted(store, path=path, texts=texts, seed=seed)

    return [
        ("labels", counts),
        ("labelled_neurons", partial(labelled, store, path=path, seed=seed)),
    ]


def _language_tasks(store: ActivationStore) -> list[Task]:
    kind = usual_kind(store)
    if kind is None:
        return _leave_out(
            "language identification",
            f"fewer than two languages have {MIN_TOKENS} drawn tokens of {MIN_TYPES} types",
        )
    return _with_twin("language_id", partial(language_identification, kind=kind), store)


def _loss_tasks(store: ActivationStore) -> list[Task]:
    if store.loss(step_keys(store)[0]) is None:
        return _leave_out("loss", "none was captured")
    return [("loss", partial(loss, store))]


def _confound_tasks(
    store: ActivationStore, get: Callable[[str], xr.Dataset], with_overlap: bool, seed: int
) -> list[Task]:
    if not _has_sentences(store):
        return _leave_out("what else differs between languages", f"there is no {CONCEPTS}")

    def compute() -> xr.Dataset:
        overlap = get("overlap") if with_overlap and len(store.languages) > 1 else None
        return confounds(store, overlap=overlap, seed=seed)

    return [("confounds", compute)]


def _retrieval_tasks(store: ActivationStore) -> list[Task]:
    if not is_parallel(store) or len(store.languages) < 2:
        return _leave_out("retrieval", "the sentences are not parallel")
    return _with_twin("retrieval", retrieval, store)


def _has_sentences(store: ActivationStore) -> bool:
    folder = store.path if store.path.is_dir() else store.path.parent
    return (folder / CONCEPTS).is_file()


def _leave_out(what: str, why: str) -> list[Task]:
    warnings.warn(f"{what} is left out: {why}", stacklevel=2)
    return []


def _with_twin(
    name: str, lift: Callable[[ActivationStore], xr.Dataset], store: ActivationStore
) -> list[Task]:
    made: list[Task] = [(name, partial(lift, store))]
    if store.twin is not None:
        made.append((f"{name}_twin", partial(lift, store.twin)))
    return made


def _mean_of(results: list[xr.Dataset]) -> xr.Dataset:
    """The mean over several rotations, with the attributes of the first."""
    mean = sum(results[1:], results[0]) / len(results)
    return mean.assign_attrs(results[0].attrs | {"rotations": len(results)})


def _basis(overlap: xr.Dataset, rotated: xr.Dataset, k: int, seed: int) -> xr.Dataset:
    """Overlap of neurons minus that of rotated units, with a paired interval.

    Before correction: a rotation lowers overlap and ceiling together, so that the corrected
    overlap of sparse neurons would stay what it is.
    """
    at_k = overlap.isel(k=list(overlap["k"].values).index(k), drop=True)
    draws = node_bootstrap(at_k, seed=seed) - node_bootstrap(rotated.drop_vars("k"), seed=seed)
    found = {"chance": xr.DataArray(0.0)}
    for name in ("value", "corrected"):
        low, high = interval(draws[name])
        found |= {name: draws[name].isel(replicate=0), f"{name}_low": low, f"{name}_high": high}
    return xr.Dataset(found)
