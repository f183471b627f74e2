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
from neurotrace.trajectories.lifts import is_parallel, step_keys
from neurotrace.trajectories.overlap_tasks import Get, Task

FEWEST = 3  # languages to tune on, for correlations over their pairs


def tasks(road: Road, store: ActivationStore, get: Get) -> list[Task]:
    """Names of the results about spaces and what computes each, in order.

    What cannot be done is left out, with a warning that says why.

    Parameters
    ----------
    get
        Reads an earlier result of the run by name.
    """
    wanted = [name for name in SPACES if name in road.config.analyses]
    givens = Givens(road, store)
    offered: dict[str, Callable[[], list[Task]]] = {
        "ilo": lambda: _ilo(givens),
        "embeddings": lambda: _embeddings(givens),
        "latent_concepts": lambda: _latent_concepts(givens),
        "evolution": lambda: _evolution(givens, get),
        TUNING: lambda: _tuning(givens, get),
    }
    if wanted and len(store.languages) < 2:
        return _leave_out(", ".join(wanted), "there is one language")
    return [task for name in wanted for task in offered[name]()]


def _ilo(givens: Givens) -> list[Task]:
    road, store = givens.road, givens.store
    path, seed = road.config.states_path, road.config.seed
    made: list[Task] = [
        ("ilo", partial(trajectories.ilo, store, path=path, strata=givens.strata, seed=seed))
    ]
    if store.twin is not None:
        twin = partial(trajectories.ilo, store.twin, path=path, strata=givens.strata, seed=seed)
        made.append(("ilo_twin", twin))
    if not is_parallel(store):
        return made + _leave_out("MEXA", "the sentences are not parallel")
    return [*made, ("companions", partial(trajectories.companions, store, path=path, seed=seed))]


def _evolution(givens: Givens, get: Get) -> list[Task]:
    store, config = givens.store, givens.road.config
    lift = partial(trajectories.evolution, path=config.states_path, seed=config.seed)
    if not is_parallel(store):
        if len(store.steps) < 2:
            return _leave_out("evolution", "there is one checkpoint, not parallel")
        _leave_out("the distance study", "the sentences are not parallel")
        return [("evolution", partial(lift, store))]
    made: list[Task] = [("evolution", partial(lift, store))]
    if store.twin is not None:
        made.append(("evolution_twin", partial(lift, store.twin)))
    if len(store.languages) < 3:
        return made + _leave_out("the distance study", "there are two languages")
    try:
        tables = givens.distances
    except (ValueError, OSError) as error:
        if config.distances is not None:
            raise
        return made + _leave_out("the distance study", str(error))

    def study() -> xr.Dataset:
        return trajectories.distance_study(get("evolution"), tables, seed=config.seed)

    return [*made, ("distances", study)]


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


def _latent_concepts(givens: Givens) -> list[Task]:
    store, config = givens.store, givens.road.config
    if givens.dictionaries is None and not is_parallel(store):
        return _leave_out("latent concepts", "not parallel, and no --dictionary")
    full = config.causes == "full"
    keys = step_keys(store)
    steps = keys if full else [keys[at] for at in some_steps(store.steps)]
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
    return [("latent_concepts", partial(lift, steps=steps)), ("latent_words", words)]


def _leave_out(what: str, why: str) -> list[Task]:
    warnings.warn(f"{what} is left out: {why}", stacklevel=3)
    return []
