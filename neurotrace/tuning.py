"""What tuning on one language does to the space all share, and what frozen layers keep of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurotrace.capture.loading import skeleton
from neurotrace.causal.freezing import check_freeze
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.road import Road
from neurotrace.store import ActivationStore
from neurotrace.trajectories.distance_study import freeze_list
from neurotrace.trajectories.word_rows import Dictionaries
from neurotrace.tuning_arms import (
    NAMES,
    Freeze,
    Stage,
    alike,
    freeze_lists,
    joined,
    languages_to_choose_on,
)
from neurotrace.tuning_scores import (
    ALIGNED,
    PATH,
    Sentences,
    aligned,
    change,
    losses,
    nothing_aligned,
    spaces,
)

EVERYTHING = ("embed", "norm", "head")
LAB_RATE, RATE = 1e-3, 2e-5  # the lab's models are a thousand times smaller
LAB_TEXTS = 2000
ARMS = ("base", "free", "frozen_embed", "frozen_early", "frozen_late", "frozen_phi",
        "frozen_random")  # fmt: skip


def tune(
    checkpoint: Checkpoint,
    concepts: ConceptSet,
    texts: Sequence[str],
    *,
    source: str,
    out: str | Path,
    arms: Sequence[str] = ARMS,
    steps: int = 100,
    lr: float = RATE,
    freeze_phi: Sequence[int] | None = None,
    choose_on: Sequence[str] | None = None,
    n_random: int = 2,
    seeds: Sequence[int] = (0,),
    sentences: int = 1000,
    k: int = 5,
    t: int = 3,
    permutations: int = 20,
    probe_layer: int | None = None,
    dictionary: Dictionaries | None = None,
    clusters: int | None = None,
    exclude_ids: Sequence[int] = (),
    bos: str = "default",
    device: str = "cpu",
    trust_remote_code: bool = False,
) -> xr.Dataset:
    """Does tuning on one language pull the languages apart, and do frozen layers prevent it?

    Every arm is tuned from the same checkpoint on the same texts in the same order, and what is
    measured before is measured after. *Eats* example, feature → *leaves* run, arm, layer, lang.

    The arms: ``base``, untouched; ``free``, nothing frozen; ``frozen_embed``, the embeddings
    alone; ``frozen_early`` and ``frozen_late``, the first and the last third of the blocks;
    ``frozen_phi``, as many blocks, those that moved most in ``free``; ``frozen_random_1`` …, as
    many blocks as ``frozen_phi`` drawn at random, and ``frozen_random``, their mean. All that
    freeze blocks freeze the embeddings too and so differ in the blocks alone. Arms of the same
    list are tuned once; ``alike`` in the attributes names them.

    Parameters
    ----------
    texts
        Of the source language; those that are sentences of the set are left out.
    out
        Folder of the tuned checkpoints and their states, which other sources may share; the same
        call again goes on in it.
    arms
        Which of the above to do; ``base`` and ``free`` are always done.
    lr
        Of the model's parameters: Philippy et al. (2023); tiny models need more.
    freeze_phi
        Blocks of ``frozen_phi``, as many as you like. By default a third of all, chosen from Φ of
        the first run's ``free`` on the languages ``choose_on`` and half A of the groups. Spaces of
        all arms and runs are then measured on half B, and the other languages can judge them.
    choose_on
        By default the first half of the languages that are not the source, rounded down; none
        where that is nothing, and no ``frozen_phi`` then. With ``freeze_phi``, the languages that
        it was chosen on, if you say so.
    seeds
        One run each: order of the texts, new heads, halves. Random lists come from the first.
    k, t, permutations, sentences
        As in :func:`neurotrace.tuning_scores.spaces`; ``sentences`` groups at most.
    probe_layer
        Layer that ``probe`` reads, the middle one by default.
    dictionary, clusters
        Of ``task_align``, as in :func:`neurotrace.trajectories.latent_concepts.latent_concepts`.

    Returns
    -------
    ``ilo ilo_chance ilo_corrected phi mexa retrieval`` (run, arm, layer, lang), the last two of
    the source and each other language, ``mexa_chance retrieval_chance phi_chance``; ``loss`` (run,
    arm, lang) nats a token with ``loss_chance``, the logarithm of the vocabulary. ``zero_shot``
    (run, arm, lang), also ``value``: accuracy on half B of each language of a classifier whose
    body was tuned, under the arm's freeze list, on half A of the source (``base``: its head
    alone), with ``zero_shot_chance_low zero_shot_chance_high``, 95 % of what permuted names of
    concepts give, of ``frozen_random`` the mean; ``probe``: of a linear probe on the states after
    tuning on texts; ``zero_shot_chance`` (run, lang), also ``chance``, the commonest concept's
    share. Sentences of no or several concepts have no part in these; NaN where there are no two
    concepts. ``task_align task_align_chance`` (run, arm, layer, lang), C-ALIGN from the source to
    each language, on words of groups that no classifier learnt from: ``base`` is the untuned
    model, ``free`` the body of the classifier of ``zero_shot``; NaN for other arms, left out
    without a task. ``phi_choosing`` (layer, lang): Φ that blocks were chosen from, where they were.

    Raises
    ------
    ValueError
        For a source or languages to choose on that the set lacks, unknown arms, no texts left,
        layers that the model lacks, a set that is not parallel, or one of fewer than 16 groups
        where blocks are to be chosen.

    Notes
    -----
    Wilie et al. (2025) freeze the first eight blocks (their code: nine, or seven), embeddings,
    norm and head, and report neither hyper-parameters nor null. Mousi et al. (2024) show latent
    concepts before and after task tuning beside zero-shot accuracy, without a null. Alignment is
    necessary for transfer, not sufficient.

    References
    ----------
    Wilie et al. 2025, "High-Dimensional Interlingual Representations of Large Language Models";
    Mousi et al. 2024, "Exploring Alignment in Shared Cross-lingual Spaces";
    Philippy, Guo and Haddadan 2023, "Identifying the Correlation Between Language Distance and
    Cross-Lingual Transfer in a Multilingual Representation Space".
    """
    chosen = languages_to_choose_on(source, concepts.languages, choose_on)
    if unknown := sorted(set(arms) - set(ARMS)):
        raise ValueError(f"got arms {', '.join(unknown)}; valid are {', '.join(ARMS)}")
    config = skeleton(checkpoint.path, trust_remote_code=trust_remote_code).config
    n_layers = int(config.num_hidden_layers)
    layer = n_layers // 2 if probe_layer is None else probe_layer
    if not 0 <= layer < n_layers:
        raise ValueError(f"got probe_layer {layer}; valid are 0 to {n_layers - 1}")
    if freeze_phi is not None:
        check_freeze(freeze_phi, n_layers)
    training: dict[str, Any] = {"steps": steps, "lr": lr, "bos": bos,
                                "exclude_ids": exclude_ids, "device": device,
                                "trust_remote_code": trust_remote_code}  # fmt: skip
    is_chosen = "frozen_phi" in arms and freeze_phi is None and bool(chosen) and n_layers > 1
    lists = freeze_lists(n_layers, freeze_phi, n_random, seed=seeds[0])
    stages = [Stage.of(checkpoint, concepts, source, texts, out=out, seed=seed, **training)
              for seed in seeds]  # fmt: skip
    base, kept = stages[0].untuned(), len(stages[0].texts)
    judging = Sentences.of(base)
    if is_chosen:
        choosing, judging = judging.halved(seed=seeds[0])
        free = stages[0].tuned([], stages[0].at("free", seed=seeds[0]), seed=seeds[0])
        moved = change(base, free, choosing.drawn(sentences, seed=seeds[0]))
        size = len(lists["frozen_early"]) - len(NAMES)
        found = freeze_list(moved, n_layers=size, languages=chosen)
        lists = freeze_lists(n_layers, found, n_random, seed=seeds[0])
    lists = {name: own for name, own in lists.items() if _is_of(name, arms)}
    same, runs = alike(lists), []
    for seed, stage in zip(seeds, stages, strict=True):
        measure = _Measure(stage, base, judging.drawn(sentences, seed=seed), layer, seed,
                           {"k": k, "t": t, "permutations": permutations},
                           {"dictionary": dictionary, "clusters": clusters})  # fmt: skip
        found_of = {"base": measure.base([*range(n_layers), *EVERYTHING])}
        found_of["free"] = measure.arm("free", [])
        for name, freeze in lists.items():
            twin = same.get(name)
            found_of[name] = found_of[twin] if twin else measure.arm(name, freeze)
        runs.append(joined(found_of).assign(measure.chances()))
    moving = [name for name, values in runs[0].items() if values.dims]
    result = xr.concat(runs, dim=pd.Index(list(seeds), name="run"), data_vars=moving,
                       coords="minimal", compat="override")  # fmt: skip
    if result["task_align"].isnull().all():
        result = result.drop_vars(list(ALIGNED))
    if is_chosen:
        result["phi_choosing"] = moved
    result["value"], result["chance"] = result["zero_shot"], result["zero_shot_chance"]
    result["loss_chance"] = float(np.log(config.vocab_size))
    result.attrs = {
        "source": source, "steps": steps, "lr": lr, "texts": kept, "path": PATH, "k": k,
        "t": t, "permutations": permutations, "probe_layer": layer,
        "dropped": len(texts) - kept,
        "freeze": json.dumps({"free": [], **lists}), "seeds": json.dumps(list(seeds)),
        "alike": json.dumps(same),
        "chosen_on": ", ".join(chosen if is_chosen or (freeze_phi and choose_on) else ()),
    }  # fmt: skip
    return result


def tune_road(
    road: Road,
    *,
    source: str | None = None,
    texts: str | Path | None = None,
    steps: int = 100,
    dictionary: Dictionaries | None = None,
) -> xr.Dataset:
    """:func:`tune` on what a trace runs on: its last checkpoint and its sentences.

    Parameters
    ----------
    source
        Language to tune on, the set's first by default.
    texts
        File of texts in it, one a line, or folder of such files ``LANG.txt``. A lab run with a
        generated grammar brings its own.
    dictionary
        As in :func:`tune`.
    """
    lang = source or road.concepts.languages[0]
    with road.shelf.at_hand(road.series[-1]):
        return tune(
            road.series[-1], road.concepts, texts_of(road, lang, texts), source=lang,
            dictionary=dictionary, clusters=road.config.clusters, seeds=(road.config.seed,),
            **tuning_of(road, steps),
        )  # fmt: skip


def tuning_of(road: Road, steps: int) -> dict[str, Any]:
    """How and where the last checkpoint of a trace is tuned."""
    config = road.config
    is_lab = (Path(config.source) / "lab.json").is_file()
    return {
        "out": Path(config.out) / "tuning", "steps": steps, "lr": LAB_RATE if is_lab else RATE,
        "exclude_ids": road.exclude_ids, "bos": config.bos, "device": config.device,
        "trust_remote_code": config.trust_remote_code,
    }  # fmt: skip


def texts_of(road: Road, lang: str, given: str | Path | None) -> list[str]:
    """Texts of a language: of a file, of ``LANG.txt`` in a folder, or those that a lab says.

    Raises
    ------
    ValueError
        Where there are none.
    """
    from neurotrace.lab.texts import passages
    from neurotrace.lab.tuning_texts import sample_texts

    folder = Path(road.config.source)
    if given is not None:
        file = Path(given)
        return passages(file / f"{lang}.txt" if file.is_dir() else file)
    if not (folder / "lab.json").is_file():
        raise ValueError("got no texts to tune on; expected a file, one text a line")
    return sample_texts(folder, lang, n=LAB_TEXTS)


@dataclass(frozen=True)
class _Measure:
    """One run: what is measured of every arm."""

    stage: Stage
    before: ActivationStore
    sentences: Sentences
    layer: int
    seed: int
    dials: dict[str, Any]
    words: dict[str, Any]

    def base(self, everything: Freeze) -> xr.Dataset:
        """The model as it was; its classifier learns the head alone."""
        return self._scores("base", everything, self.before)

    def arm(self, name: str, freeze: Freeze) -> xr.Dataset:
        """The model tuned under a freeze list."""
        return self._scores(name, freeze, self.stage.tuned(freeze, self._at(name), seed=self.seed))

    def chances(self) -> dict[str, Any]:
        """What a classifier that never looks gets right."""
        task = self.stage.task
        return {"zero_shot_chance": np.nan if task is None else task.chance()}

    def _scores(self, name: str, freeze: Freeze, store: ActivationStore) -> xr.Dataset:
        found = spaces(self.before, store, self.sentences, source=self.stage.source,
                       seed=self.seed, **self.dials)  # fmt: skip
        classifier = self.stage.classifier(freeze, self._at(name), seed=self.seed)
        found["loss"] = losses(store)
        found = found.merge(self.stage.zero_shot(classifier, seed=self.seed))
        found["probe"] = self.stage.probed(store, self.layer)
        return found.merge(self._aligned(name, classifier))

    def _aligned(self, name: str, classifier: Checkpoint | None) -> xr.Dataset:
        """Latent concepts of the untuned model, and of the body of the free classifier."""
        if classifier is None or name not in ("base", "free"):
            return nothing_aligned(self.before)
        model = self.stage.checkpoint if name == "base" else classifier  # base: all but its head
        store = self.stage.words(model, self._at(name) / "unseen_words")
        return aligned(
            store, self.stage.source, permutations=self.dials["permutations"], seed=self.seed,
            **self.words,
        )  # fmt: skip

    def _at(self, name: str) -> Path:
        return self.stage.at(name, seed=self.seed)


def _is_of(name: str, arms: Sequence[str]) -> bool:
    """Is it one of the arms, or a draw of one?"""
    return name in arms or ("frozen_random" in arms and name.startswith("frozen_random_"))
