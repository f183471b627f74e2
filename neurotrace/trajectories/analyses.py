"""What a whole trace computes: a table from names to results, in the order they are read."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import xarray as xr

from neurotrace.store import ActivationStore
from neurotrace.trajectories.cards import cards
from neurotrace.trajectories.ceilings import ceilings
from neurotrace.trajectories.compression import compression
from neurotrace.trajectories.confounds import CONCEPTS, confounds, sentences
from neurotrace.trajectories.counts import concept_neurons, language_neurons
from neurotrace.trajectories.division import division_of_labour, role_claims
from neurotrace.trajectories.entries import Entry, Get, Task, results, with_twin
from neurotrace.trajectories.expert_sets import ExpertSets, expert_sets
from neurotrace.trajectories.expert_tables import experts_kept
from neurotrace.trajectories.expertise import best_neurons, expert_bars, expertise
from neurotrace.trajectories.labelled import counted, label_bars, labelled, labels_kept, why_not
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
from neurotrace.trajectories.overlap_tasks import onset_tasks, overlap_tasks
from neurotrace.trajectories.participation import participation
from neurotrace.trajectories.parts import held
from neurotrace.trajectories.roles import layer_roles
from neurotrace.trajectories.turnover import expert_turnover

SETS = "expert_sets"
OF_EXPERTS = frozenset({"overlap", "expertise", "turnover"})


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
    scoring = Scoring(tuple(analyses), path, tuple(rotated), score, top, n_splits, seed)
    made = table(store, get, scoring)
    return [(entry.name, entry.compute) for entry in made if entry.compute is not None]


@dataclass(frozen=True)
class Scoring:
    """What :func:`tasks` takes: all that decides what is scored of a checkpoint."""

    analyses: tuple[str, ...]
    path: str = "mlp.hook_post/max"
    rotated: tuple[str, ...] = ()
    score: str = "average_precision"
    top: float = 0.05
    n_splits: int = 20
    seed: int = 0


def table(store: ActivationStore, get: Get, scoring: Scoring, *, last: bool = True) -> list[Entry]:
    """The table behind :func:`tasks` and behind what scoring keeps of a checkpoint.

    Parameters
    ----------
    last
        Whether the store's last checkpoint is, or may be, that of the series: tables of single
        neurons are made of it alone.
    """
    analyses, path, top, seed = scoring.analyses, scoring.path, scoring.top, scoring.seed
    sets = cache(lambda: expert_sets(store, path=path, seed=seed))
    valid: dict[str, Callable[[], list[Entry]]] = {
        "overlap": lambda: _overlap_tasks(store, get, scoring),
        "expertise": lambda: _expertise_tasks(store, path, seed, last),
        "onset": lambda: results(*onset_tasks(store, get, analyses=analyses, seed=seed)),
        "turnover": lambda: _turnover_tasks(store, path, top, seed),
        "counts": lambda: _count_tasks(store, path, seed),
        "labels": lambda: _label_tasks(store, path, seed, last),
        "compression": lambda: _compression_tasks(store, sets, path, seed),
        "lives": lambda: _life_tasks(store, get, sets, path, seed),
        "roles": lambda: _role_tasks(store, get, path, top, seed),
        "language_id": lambda: _language_tasks(store, get, "roles" in analyses),
        "retrieval": lambda: _retrieval_tasks(store),
        "loss": lambda: _loss_tasks(store),
        "confounds": lambda: _confound_tasks(store, get, "overlap" in analyses, seed),
    }
    unknown = [name for name in analyses if name not in valid]
    if unknown:
        raise ValueError(f"got analyses {', '.join(unknown)}; valid are {', '.join(valid)}")
    made = [entry for name in valid if name in analyses for entry in valid[name]()]
    if OF_EXPERTS & set(analyses):
        keep = partial(experts_kept, store, path=path, top=top, seed=seed)
        made.append(Entry("experts", score=keep))
    return made


def _overlap_tasks(store: ActivationStore, get: Get, scoring: Scoring) -> list[Entry]:
    if len(store.languages) < 2:
        return _leave_out("expert overlap", "there is one language")
    return overlap_tasks(
        store,
        get,
        path=scoring.path,
        rotated=scoring.rotated,
        score=scoring.score,
        top=scoring.top,
        n_splits=scoring.n_splits,
        seed=scoring.seed,
    )


def _turnover_tasks(store: ActivationStore, path: str, top: float, seed: int) -> list[Entry]:
    if len(store.steps) < 2:
        return _leave_out("turnover", "there is one checkpoint")
    return results(("turnover", partial(expert_turnover, store, path=path, top=top, seed=seed)))


def _count_tasks(store: ActivationStore, path: str, seed: int) -> list[Entry]:
    counts = {
        name: partial(lift, store, path=path, seed=seed)
        for name, lift in (
            ("concept_neurons", concept_neurons),
            ("language_neurons", language_neurons),
        )
    }
    return [Entry(name, count, score=count) for name, count in counts.items()]


def _compression_tasks(
    store: ActivationStore, sets: Callable[[], ExpertSets], path: str, seed: int
) -> list[Entry]:
    made = with_twin("participation", partial(participation, path=path, seed=seed), store)
    why = why_not(store, path=path, seed=seed)
    if why is not None:
        return [*_leave_out("compression", why), *made]
    count = lambda: compression(store, path=path, sets=sets(), seed=seed)  # noqa: E731
    return [Entry("compression", count, score=count, group=SETS), *made]


def _life_tasks(
    store: ActivationStore, get: Get, sets: Callable[[], ExpertSets], path: str, seed: int
) -> list[Entry]:
    why = why_not(store, path=path, seed=seed)
    if why is not None:
        return _leave_out("lives of neurons", why)
    count = lambda: lives_counts(store, path=path, sets=sets(), seed=seed)  # noqa: E731
    made = [Entry("lives_counts", count, score=count, group=SETS)]
    if not held(store, path):
        # Which neurons these are the last checkpoint tells, and then all are read again.
        _leave_out("what single neurons did over training", f"{path} was scored and not kept")
        return made
    twin = store.twin
    lives = lambda: neuron_lives(store, path=path, twin=twin, sets=sets(), seed=seed)  # noqa: E731
    shown = [("cards", lambda: cards(store, get("lives")))] if _has_sentences(store) else []
    return [*results(("lives", lives)), *made, *results(*shown)]


def _role_tasks(store: ActivationStore, get: Get, path: str, top: float, seed: int) -> list[Entry]:
    if len(store.languages) < 2:
        return _leave_out("layer roles", "there is one language")
    roles = partial(layer_roles, path=path, top=top, seed=seed)
    made = [
        *with_twin("roles", roles, store),
        Entry("division", lambda: division_of_labour(get("roles"))),
    ]
    if len(store.steps) > 1 and usual_kind(store) is not None:
        made.append(Entry("claims", lambda: role_claims(get("roles"))))
    return made


def _expertise_tasks(store: ActivationStore, path: str, seed: int, last: bool) -> list[Entry]:
    run = partial(expertise, path=path, seed=seed)
    ceiling = partial(ceilings, store, path=path, seed=seed)
    best = partial(best_neurons, store, path=path, seed=seed)
    bars = partial(expert_bars, store, path=path, seed=seed)
    return [
        *with_twin("expertise", run, store),
        Entry("ceilings", ceiling, score=ceiling),
        Entry("top_neurons", best, score=best if last else None, twin=bars),
    ]


def _label_tasks(store: ActivationStore, path: str, seed: int, last: bool) -> list[Entry]:
    why = why_not(store, path=path, seed=seed)
    if why is not None:
        return _leave_out("labels of neurons", why)

    def texts() -> list[str] | None:
        return sentences(store).frame["text"].tolist() if _has_sentences(store) else None

    def keep() -> None:
        labels_kept(store, path=path, texts=texts(), seed=seed, last=last)

    return [
        Entry(
            "labels",
            lambda: counted(store, path=path, texts=texts(), seed=seed),
            score=keep,
            twin=partial(label_bars, store, path=path, seed=seed),
        ),
        Entry("labelled_neurons", partial(labelled, store, path=path, seed=seed)),
    ]


def _language_tasks(store: ActivationStore, get: Get, with_roles: bool) -> list[Entry]:
    kind = usual_kind(store)
    if kind is None:
        return _leave_out(
            "language identification",
            f"fewer than two languages have {MIN_TOKENS} drawn tokens of {MIN_TYPES} types",
        )
    lift = partial(language_identification, kind=kind)
    made = with_twin("language_id", lift, store)
    if not with_roles:
        return made
    return [
        replace(entry, compute=partial(_as_roles_say, get, entry.name, partial(lift, of)))
        for entry, of in zip(made, (store, store.twin), strict=False)
    ]


def _as_roles_say(get: Get, name: str, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
    """One accuracy for one question: the layer roles have it from more divisions of the tokens."""
    roles = get(name.replace("language_id", "roles"))
    result = compute().assign(value=roles["language_id"], embed=roles["language_id_embed"])
    return result.drop_vars("replicate", errors="ignore").assign_attrs(seeds=roles.attrs["seeds"])


def _loss_tasks(store: ActivationStore) -> list[Entry]:
    if store.loss(step_keys(store)[0]) is None:
        return _leave_out("loss", "none was captured")
    return results(("loss", partial(loss, store)))


def _confound_tasks(store: ActivationStore, get: Get, with_overlap: bool, seed: int) -> list[Entry]:
    if not _has_sentences(store):
        return _leave_out("what else differs between languages", f"there is no {CONCEPTS}")

    def compute() -> xr.Dataset:
        overlap = get("overlap") if with_overlap and len(store.languages) > 1 else None
        return confounds(store, overlap=overlap, seed=seed)

    return results(("confounds", compute))


def _retrieval_tasks(store: ActivationStore) -> list[Entry]:
    if not is_parallel(store) or len(store.languages) < 2:
        return _leave_out("retrieval", "the sentences are not parallel")
    return with_twin("retrieval", retrieval, store)


def _has_sentences(store: ActivationStore) -> bool:
    folder = store.path if store.path.is_dir() else store.path.parent
    return (folder / CONCEPTS).is_file()


def _leave_out(what: str, why: str) -> list[Entry]:
    warnings.warn(f"{what} is left out: {why}", stacklevel=2)
    return []
