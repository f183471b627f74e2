"""How the languages' spaces lie to each other, as results of a run: ILO and its companions, input
embeddings, latent concepts, evolution against language distance, and what tuning does to them.
"""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from neurotrace import trajectories
from neurotrace.bench import LANGUAGES, some_steps
from neurotrace.config import SPACES, TUNING, WORDS
from neurotrace.geometry.scripts import scripts_of
from neurotrace.geometry.separability import has_contrast
from neurotrace.givens import Givens
from neurotrace.road import Road
from neurotrace.store import ActivationStore
from neurotrace.trajectories import scoring
from neurotrace.trajectories.entries import Entry, Get, Task, results, with_twin
from neurotrace.trajectories.evolution import languages_apart
from neurotrace.trajectories.lifts import StepKey, is_parallel, step_keys
from neurotrace.trajectories.parts import held

FEWEST = 3  # languages to tune on, for correlations over their pairs


def tasks(road: Road, store: ActivationStore, get: Get) -> list[Task]:
    """Names of the results about spaces and what computes each, in order.

    What cannot be done is left out, with a warning that says why.

    Parameters
    ----------
    get
        Reads an earlier result of the run by name.
    """
    made = table(road, store, get)
    return [(entry.name, entry.compute) for entry in made if entry.compute is not None]


def score_step(
    road: Road, store: ActivationStore, *, last: bool, twin: bool = False, only: str | None = None
) -> None:
    """Compute and keep what the results about spaces need of one checkpoint.

    Parameters
    ----------
    store
        Of one checkpoint, with ``store.parts``.
    last
        Whether it is the last checkpoint of the run.
    twin
        Whether it is the re-initialised twin, of which less is needed.
    only
        The one unit to do.
    """
    made, told = entries_of_one(road, store, last=last), told_of(road, last)
    scoring.keep(store, made, told, twin=twin, only=only)


def pending(road: Road, store: ActivationStore, *, last: bool, twin: bool = False) -> list[str]:
    """Units of one checkpoint's store that :func:`score_step` would still do."""
    made, told = entries_of_one(road, store, last=last), told_of(road, last)
    return scoring.pending(store, made, told, twin=twin)


def entries_of_one(road: Road, store: ActivationStore, *, last: bool) -> list[Entry]:
    """The table of one checkpoint; what does not apply is told when results are computed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return table(road, store, _nothing, last=last)


def told_of(road: Road, last: bool) -> dict[str, object]:
    """Settings that decide what scoring keeps of spaces."""
    named = ("states", "strata", "dictionary", "clusters", "causes", "seed", "analyses")
    return {name: getattr(road.config, name) for name in named} | {"last": last}


def table(road: Road, store: ActivationStore, get: Get, *, last: bool = True) -> list[Entry]:
    """The table behind :func:`tasks` and behind what scoring keeps of a checkpoint."""
    wanted = [name for name in SPACES if name in road.config.analyses]
    givens = Givens(road, store)
    offered: dict[str, Callable[[], list[Entry]]] = {
        "ilo": lambda: _ilo(givens),
        "embeddings": lambda: results(*_embeddings(givens)),
        "latent_concepts": lambda: _latent_concepts(givens, last),
        "evolution": lambda: _evolution(givens, get),
        TUNING: lambda: results(*_tuning(givens, get)),
    }
    if wanted and len(store.languages) < 2:
        return _left_out(", ".join(wanted), "there is one language")
    return [entry for name in wanted for entry in offered[name]()]


def _ilo(givens: Givens) -> list[Entry]:
    road, store = givens.road, givens.store
    path, seed = road.config.states_path, road.config.seed
    lift = partial(trajectories.ilo, path=path, strata=givens.strata, seed=seed)
    made = with_twin("ilo", lift, store)
    if not is_parallel(store):
        return made + _left_out("MEXA", "the sentences are not parallel")
    companions = partial(trajectories.companions, store, path=path, seed=seed)
    return [*made, Entry("companions", companions, score=companions)]


def _evolution(givens: Givens, get: Get) -> list[Entry]:
    store, config = givens.store, givens.road.config
    lift = partial(trajectories.evolution, path=config.states_path, seed=config.seed)
    moves = len(store.steps) > 1 and held(store, config.states_path)
    if len(store.steps) > 1 and not moves:
        why = f"{config.states_path} was scored and not kept (--keep states keeps it)"
        _leave_out("how far languages move", why)
    if not is_parallel(store):
        if not moves:
            return _left_out("evolution", "there is one checkpoint, not parallel")
        _leave_out("the distance study", "the sentences are not parallel")
        return results(("evolution", partial(lift, store)))
    apart = partial(languages_apart, store, path=config.states_path, seed=config.seed)
    made = [Entry("evolution", partial(lift, store), score=apart, twin=apart)]
    if store.twin is not None:
        made.append(Entry("evolution_twin", partial(lift, store.twin)))
    if len(store.languages) < 3:
        return made + _left_out("the distance study", "there are two languages")
    try:
        tables = givens.distances
    except (ValueError, OSError) as error:
        if config.distances is not None:
            raise
        return made + _left_out("the distance study", str(error))

    def study() -> xr.Dataset:
        return trajectories.distance_study(get("evolution"), tables, seed=config.seed)

    return [*made, Entry("distances", study)]


def _embeddings(givens: Givens) -> list[Task]:
    from neurotrace.capture.embedding import token_texts
    from neurotrace.vocabulary_scores import embedding_map, embedding_scores
    from neurotrace.vocabulary_words import token_counts

    series, config = givens.road.series, givens.road.config
    steps = [checkpoint.step for checkpoint in series]
    if len(set(steps)) < len(steps):
        return _leave_out("the input embedding", "steps start again in a later stage")
    trusted: dict[str, Any] = {"trust_remote_code": config.trust_remote_code}
    if not has_contrast(scripts_of(token_texts(series[0], **trusted), nameless="OTHER")):
        why = "its vocabulary has no two scripts to tell apart"
        return _leave_out("the input embedding", why)
    shelf = givens.road.shelf

    def scores() -> xr.Dataset:
        used = token_counts(series[0], givens.road.concepts, **trusted)
        return embedding_scores(
            series,
            dictionary=givens.token_translations,
            frequency=used.frequency,
            classes=givens.token_classes(used),
            seed=config.seed,
            shelf=shelf,
            **trusted,
        )

    def drawn() -> xr.Dataset:
        return embedding_map(series[-1], seed=config.seed, shelf=shelf, **trusted)

    return [("embeddings", scores), ("embedding_map", drawn)]


def _tuning(givens: Givens, get: Get) -> list[Task]:
    from neurotrace.tuning import tune_road

    road, store = givens.road, givens.store
    config = road.config
    if not is_parallel(store):
        return _leave_out("tuning", "the sentences are not parallel")
    if not road.predicts or config.device_map is not None:
        return _leave_out("tuning", "it needs a model of the next token, on one device")
    if config.tune_texts is None and givens.vocabulary is None:
        return _leave_out("tuning", "there are no texts to tune on (--tune-texts FILE)")
    texts = None if config.tune_texts is None else Path(config.tune_texts)
    tune = partial(
        tune_road,
        road,
        source=config.tune,
        texts=texts,
        steps=config.tune_steps,
        dictionary=givens.dictionaries,
    )
    made: list[Task] = [(TUNING, tune)]
    return made + _tuning_pairs(givens, get) if config.causes == "full" else made


def _tuning_pairs(givens: Givens, get: Get) -> list[Task]:
    """Tuning on every language that has texts, against transfer and language distance."""
    from neurotrace.tuning_arms import Task as Concepts
    from neurotrace.tuning_pairs import sources_of, square, tune_pairs_road

    road, config = givens.road, givens.road.config
    sources, what = sources_of(config.tune_texts, givens.store.languages), "tuning on each language"
    if len(sources) < FEWEST:
        few = f"{len(sources)} have texts, {FEWEST} are needed (--tune-texts FOLDER)"
        return _leave_out(what, few)
    pairs = partial(
        tune_pairs_road, road, sources=sources, texts=config.tune_texts, steps=config.tune_steps
    )
    made: list[Task] = [("tuning_pairs", pairs)]
    try:
        tables = givens.distances
    except (ValueError, OSError) as error:
        if config.distances is not None:
            raise
        tables = {}
        _leave_out("the distance study of tuning", str(error))

    def transfer() -> xr.Dataset:
        found = square(get("tuning_pairs"))
        sides = (found["lang_a"].values, found["lang_b"].values)
        reached = pd.DataFrame(found["zero_shot"].transpose("lang_a", "lang_b").values, *sides)
        return trajectories.transfer_study(found, reached, distances=tables, seed=config.seed)

    def study() -> xr.Dataset:
        found = square(get("tuning_pairs"))
        return trajectories.distance_study(found, tables, variable="value", seed=config.seed)

    if Concepts.of(road.concepts, sources[0], seed=config.seed) is None:
        _leave_out("the study of transfer", "there are no two concepts")
    else:
        made.append(("transfer", transfer))
    return [*made, ("tuning_distances", study)] if tables else made


def _latent_concepts(givens: Givens, last: bool) -> list[Entry]:
    store, config = givens.store, givens.road.config
    if givens.dictionaries is None and not is_parallel(store):
        return _left_out("latent concepts", "not parallel, and no --dictionary")
    full = config.causes == "full"
    steps = [key for key in step_keys(store) if full or _chosen(givens.road, store, key)]
    languages = store.languages if full else store.languages[:LANGUAGES]
    if len(languages) < len(store.languages):
        warnings.warn(
            f"latent concepts keep to {', '.join(languages)} (--causes full keeps all)",
            stacklevel=2,
        )
    lift = partial(
        trajectories.latent_concepts,
        store,
        path=WORDS,
        clusters=config.clusters,
        dictionary=givens.dictionaries,
        languages=languages,
        seed=config.seed,
    )
    words = partial(
        trajectories.latent_words,
        store,
        path=WORDS,
        clusters=config.clusters,
        languages=languages,
        seed=config.seed,
    )
    clustered = partial(lift, steps=steps)
    return [
        Entry("latent_concepts", clustered, score=clustered if steps else None),
        Entry("latent_words", words, score=words if last else None),
    ]


def _chosen(road: Road, store: ActivationStore, key: StepKey) -> bool:
    """Whether a checkpoint is one of the few of the run that are clustered."""
    header = store.header(key)
    some = some_steps([checkpoint.step for checkpoint in road.series])
    own = int(header.get("stage", 0)), int(header["step"])
    return own in [(road.series[at].stage, road.series[at].step) for at in some]


def _left_out(what: str, why: str) -> list[Entry]:
    warnings.warn(f"{what} is left out: {why}", stacklevel=3)
    return []


def _leave_out(what: str, why: str) -> list[Task]:
    warnings.warn(f"{what} is left out: {why}", stacklevel=3)
    return []


def _nothing(name: str) -> xr.Dataset:
    raise KeyError(f"got {name}, a result of the series; expected what one checkpoint says")
