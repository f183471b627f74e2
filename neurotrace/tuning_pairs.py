"""Tuning on each language in turn: how far each tuning moves every language, and what it gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.road import Road
from neurotrace.store import ActivationStore
from neurotrace.trajectories.evolution import impact
from neurotrace.tuning import RATE, texts_of, tuning_of
from neurotrace.tuning_arms import Stage
from neurotrace.tuning_scores import PATH

FREE = "free"
PAIR = ("lang_a", "lang_b")


def tune_pairs(
    checkpoint: Checkpoint,
    concepts: ConceptSet,
    texts: Mapping[str, Sequence[str]],
    *,
    out: str | Path,
    steps: int = 100,
    lr: float = RATE,
    sentences: int = 1000,
    seed: int = 0,
    exclude_ids: Sequence[int] = (),
    bos: str = "default",
    device: str = "cpu",
    trust_remote_code: bool = False,
) -> xr.Dataset:
    """How far does tuning on one language move each other one, and does a task come along?

    From one checkpoint, nothing frozen, two models for every source language S: one tuned on its
    texts, and a classifier of concepts tuned on its sentences of half A. They are the ``free`` arm
    of :func:`neurotrace.tuning.tune`, which shares the folder. *Eats* example, feature → *leaves*
    layer, lang_a, lang_b.

    Parameters
    ----------
    texts
        Source language → its texts; those that are sentences of the set are left out.
    out
        Folder of the tuned models; what lies there whole is not tuned again.
    sentences
        At most so many a language behind Φ.
    seed
        Of the order of texts, new heads, halves and sentences.

    Returns
    -------
    Over (layer, lang_a, lang_b): ``value``, Φ(S, T), 1 − debiased CKA of T's states before and
    after tuning on the texts of S, which is 1 for unrelated states (``value_chance``), and
    ``biased`` as published with its own ``chance``; ``task``, as ``value``, of the classifier's
    body. Over (lang_a, lang_b): ``zero_shot``, the classifier's accuracy on half B of T, with
    ``zero_shot_chance``, the commonest concept's share. S = T is included. Accuracies and ``task``
    are NaN where the set has no two concepts.

    Raises
    ------
    ValueError
        Without a source, for one that the set lacks, or one without texts of its own.

    Notes
    -----
    In the paper Φ and accuracy are of one model, tuned on the task: that is ``task``. ``value``
    leaves the task out, so that what it goes with is not the task's own doing.

    References
    ----------
    Philippy, Guo and Haddadan 2023, "Identifying the Correlation Between Language Distance and
    Cross-Lingual Transfer in a Multilingual Representation Space": Φ by biased CKA.
    """
    known = concepts.languages
    if not texts or set(texts) - set(known):
        got = ", ".join(sorted(set(texts) - set(known))) or "none"
        raise ValueError(f"got sources {got}; valid are {', '.join(known)}")
    training: dict[str, Any] = {"steps": steps, "lr": lr, "bos": bos,
                                "exclude_ids": exclude_ids, "device": device,
                                "trust_remote_code": trust_remote_code}  # fmt: skip
    stages = [
        Stage.of(checkpoint, concepts, lang, texts[lang], out=out, seed=seed, **training)
        for lang in known if lang in texts
    ]  # fmt: skip
    base = stages[0].untuned()
    tuned = {s.source: s.tuned([], s.at(FREE, seed=seed), seed=seed) for s in stages}
    result = impact(base, tuned, sentences=sentences, seed=seed)
    result = result[["value", "biased", "chance"]].assign(value_chance=1.0)
    result["task"], reached = _task(stages, base, result, sentences=sentences, seed=seed)
    chances = [_chance(stage) for stage in stages]
    for name, rows in (("zero_shot", reached), ("zero_shot_chance", chances)):
        result[name] = (PAIR, np.array([row.sel(lang=result["lang_b"].values) for row in rows]))
    return result.assign_attrs(
        path=PATH, steps=steps, lr=lr, seed=seed, texts=min(len(s.texts) for s in stages)
    )


def tune_pairs_road(
    road: Road, *, sources: Sequence[str], texts: str | Path | None = None, steps: int = 100
) -> xr.Dataset:
    """:func:`tune_pairs` on what a trace runs on: its last checkpoint and its sentences.

    Parameters
    ----------
    sources
        Languages to tune on, such as :func:`sources_of` gives.
    texts
        Folder of files ``LANG.txt``, one text a line. A lab run brings its own.
    """
    given = {lang: texts_of(road, lang, texts) for lang in sources}
    last = road.series[-1]
    with road.shelf.at_hand(last):
        return tune_pairs(
            last, road.concepts, given, seed=road.config.seed, **tuning_of(road, steps)
        )


def sources_of(folder: str | Path | None, languages: Sequence[str]) -> list[str]:
    """Languages that have texts to tune on: all in a lab (None), else those of a folder's files;
    a single file serves one language and is no source for pairs."""
    if folder is None:
        return list(languages)
    return [lang for lang in languages if (Path(folder) / f"{lang}.txt").is_file()]


def square(pairs: xr.Dataset) -> xr.Dataset:
    """Those targets only that are sources, too: what correlations over pairs take."""
    return pairs.sel(lang_b=pairs["lang_a"].values)


def _task(
    stages: Sequence[Stage], base: ActivationStore, like: xr.Dataset, *, sentences: int, seed: int
) -> tuple[xr.DataArray, list[xr.DataArray]]:
    """Φ of every classifier's body, and its accuracy in every language."""
    made = {s.source: s.classifier([], s.at(FREE, seed=seed), seed=seed) for s in stages}
    reached = [s.zero_shot(made[s.source], seed=seed)["zero_shot"] for s in stages]
    bodies = {
        stage.source: stage.states(own, stage.at(FREE, seed=seed) / "task")
        for stage in stages if (own := made[stage.source]) is not None
    }  # fmt: skip
    if not bodies:
        return xr.full_like(like["value"], np.nan), reached
    return impact(base, bodies, sentences=sentences, seed=seed)["value"], reached


def _chance(stage: Stage) -> xr.DataArray:
    if stage.task is None:
        langs = stage.concepts.languages
        return xr.DataArray(np.full(len(langs), np.nan), {"lang": langs}, dims="lang")
    return stage.task.chance()
