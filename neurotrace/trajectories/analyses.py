"""What a whole trace computes: a table from names to results, in the order they are read."""

import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import xarray as xr

from neurotrace.store import ActivationStore
from neurotrace.trajectories.cards import cards
from neurotrace.trajectories.ceilings import ceilings
from neurotrace.trajectories.compression import compression
from neurotrace.trajectories.confounds import CONCEPTS, confounds, sentences
from neurotrace.trajectories.counts import concept_neurons, language_neurons
from neurotrace.trajectories.division import division_of_labour, role_claims
from neurotrace.trajectories.expert_sets import ExpertSets, expert_sets
from neurotrace.trajectories.expertise import expertise, top_neurons
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
from neurotrace.trajectories.lives import neuron_lives
from neurotrace.trajectories.lives_counts import lives_counts
from neurotrace.trajectories.overlap_tasks import Get, Task, onset_tasks, overlap_tasks
from neurotrace.trajectories.participation import participation
from neurotrace.trajectories.roles import layer_roles
from neurotrace.trajectories.turnover import expert_turnover


def tasks(
    store: ActivationStore,
    get: Get,
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
        Any of ``overlap expertise onset turnover counts labels compression lives roles language_id
        retrieval loss confounds``.
    path, rotated
        The neurons, and the same neurons in rotated bases.

    Raises
    ------
    ValueError
        For an analysis that is not offered.
    """
    sets = cache(lambda: expert_sets(store, path=path, seed=seed))
    valid: dict[str, Callable[[], list[Task]]] = {
        "overlap": lambda: _overlap_tasks(
            store, get, path=path, rotated=rotated, score=score,
            top=top, n_splits=n_splits, seed=seed,
        ),
        "expertise": lambda: _expertise_tasks(store, path, seed),
        "onset": lambda: onset_tasks(store, get, analyses=analyses, seed=seed),
        "turnover": lambda: _turnover_tasks(store, path, top, seed),
        "counts": lambda: [
            ("concept_neurons", partial(concept_neurons, store, path=path, seed=seed)),
            ("language_neurons", partial(language_neurons, store, path=path, seed=seed)),
        ],
        "labels": lambda: _label_tasks(store, path, seed),
        "compression": lambda: _compression_tasks(store, sets, path, seed),
        "lives": lambda: _life_tasks(store, get, sets, path, seed),
        "roles": lambda: _role_tasks(store, get, path, top, seed),
        "language_id": lambda: _language_tasks(store, get, "roles" in analyses),
        "retrieval": lambda: _retrieval_tasks(store),
        "loss": lambda: _loss_tasks(store),
        "confounds": lambda: _confound_tasks(store, get, "overlap" in analyses, seed),
    }  # fmt: skip
    unknown = [name for name in analyses if name not in valid]
    if unknown:
        raise ValueError(f"got analyses {', '.join(unknown)}; valid are {', '.join(valid)}")
    return [task for name in valid if name in analyses for task in valid[name]()]


def _overlap_tasks(store: ActivationStore, get: Get, **settings: Any) -> list[Task]:
    if len(store.languages) < 2:
        return _leave_out("expert overlap", "there is one language")
    return overlap_tasks(store, get, **settings)


def _turnover_tasks(store: ActivationStore, path: str, top: float, seed: int) -> list[Task]:
    if len(store.steps) < 2:
        return _leave_out("turnover", "there is one checkpoint")
    return [("turnover", partial(expert_turnover, store, path=path, top=top, seed=seed))]


def _compression_tasks(
    store: ActivationStore, sets: Callable[[], ExpertSets], path: str, seed: int
) -> list[Task]:
    made = _with_twin("participation", partial(participation, path=path, seed=seed), store)
    why = why_not(store, path=path, seed=seed)
    if why is not None:
        return [*_leave_out("compression", why), *made]
    return [("compression", lambda: compression(store, path=path, sets=sets(), seed=seed)), *made]


def _life_tasks(
    store: ActivationStore, get: Get, sets: Callable[[], ExpertSets], path: str, seed: int
) -> list[Task]:
    why = why_not(store, path=path, seed=seed)
    if why is not None:
        return _leave_out("lives of neurons", why)
    made: list[Task] = [
        ("lives", lambda: neuron_lives(store, path=path, twin=store.twin, sets=sets(), seed=seed)),
        ("lives_counts", lambda: lives_counts(store, path=path, sets=sets(), seed=seed)),
    ]
    if _has_sentences(store):
        made.append(("cards", lambda: cards(store, get("lives"))))
    return made


def _role_tasks(store: ActivationStore, get: Get, path: str, top: float, seed: int) -> list[Task]:
    if len(store.languages) < 2:
        return _leave_out("layer roles", "there is one language")
    roles = partial(layer_roles, path=path, top=top, seed=seed)
    made = [
        *_with_twin("roles", roles, store),
        ("division", lambda: division_of_labour(get("roles"))),
    ]
    if len(store.steps) > 1 and usual_kind(store) is not None:
        made.append(("claims", lambda: role_claims(get("roles"))))
    return made


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


def _language_tasks(store: ActivationStore, get: Get, with_roles: bool) -> list[Task]:
    kind = usual_kind(store)
    if kind is None:
        return _leave_out(
            "language identification",
            f"fewer than two languages have {MIN_TOKENS} drawn tokens of {MIN_TYPES} types",
        )
    made = _with_twin("language_id", partial(language_identification, kind=kind), store)
    return [(name, partial(_as_roles_say, get, name, one)) if with_roles else (name, one)
            for name, one in made]  # fmt: skip


def _as_roles_say(get: Get, name: str, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
    """One accuracy for one question: the layer roles have it from more divisions of the tokens."""
    roles = get(name.replace("language_id", "roles"))
    result = compute().assign(value=roles["language_id"], embed=roles["language_id_embed"])
    return result.drop_vars("replicate", errors="ignore").assign_attrs(seeds=roles.attrs["seeds"])


def _loss_tasks(store: ActivationStore) -> list[Task]:
    if store.loss(step_keys(store)[0]) is None:
        return _leave_out("loss", "none was captured")
    return [("loss", partial(loss, store))]


def _confound_tasks(store: ActivationStore, get: Get, with_overlap: bool, seed: int) -> list[Task]:
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
