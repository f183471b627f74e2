"""The arms of a tuning experiment: what each freezes, how it is tuned and what is read of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.splits import halves
from neurotrace.store import ActivationStore
from neurotrace.trajectories.distance_study import random_lists
from neurotrace.tuning_scores import PATH, WORDS, name_band, probe

NAMES = ("embed",)  # frozen in every arm that freezes blocks, so that these differ in blocks alone
LOSS_SENTENCES = 64  # a language
REACHED = ("zero_shot", "zero_shot_chance_low", "zero_shot_chance_high")
DEVICE = ("device", "trust_remote_code")

Freeze = list[int | str]


@dataclass(frozen=True)
class Task:
    """Sentences with one concept each: learnt in the source language, half A, read on half B."""

    texts: NDArray[np.object_]
    labels: NDArray[np.str_]
    train: NDArray[np.intp] = field(repr=False)
    test: dict[str, NDArray[np.intp]] = field(repr=False)

    @classmethod
    def of(cls, concepts: ConceptSet, source: str, *, seed: int) -> "Task | None":
        """None where the set has no two concepts with sentences of their own."""
        frame = concepts.frame.reset_index(drop=True)
        single = frame["concepts"].map(len).to_numpy() == 1
        labels = np.array([names[0] if len(names) == 1 else "" for names in frame["concepts"]])
        names = np.unique(labels[single])
        if len(names) < 2:
            return None
        in_a = np.zeros(len(frame), dtype=bool)
        in_a[single] = halves(
            frame["group"][single], labels[single, None] == names, n_splits=1, seed=seed
        )[0]
        lang = frame["lang"].to_numpy()
        test = {
            name: np.flatnonzero(single & ~in_a & (lang == name)) for name in concepts.languages
        }
        train = np.flatnonzero(in_a & (lang == source))
        return cls(frame["text"].to_numpy(dtype=object), labels, train, test)

    def chance(self) -> xr.DataArray:
        """``(lang,)``: share of the commonest concept among those read."""
        most = [pd.Series(self.labels[rows]).value_counts(normalize=True).iloc[0]
                for rows in self.test.values()]  # fmt: skip
        return xr.DataArray(most, {"lang": list(self.test)}, dims="lang")


@dataclass(frozen=True)
class Stage:
    """One model, its sentences, and how it is tuned in one language.

    ``out`` is shared by all languages: each has a folder of its own in it, beside ``base``.
    """

    checkpoint: Checkpoint
    concepts: ConceptSet
    source: str
    texts: Sequence[str]
    out: Path
    task: Task | None
    training: dict[str, Any]
    capturing: dict[str, Any]

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        concepts: ConceptSet,
        source: str,
        texts: Sequence[str],
        *,
        out: str | Path,
        seed: int,
        steps: int,
        lr: float,
        bos: str,
        exclude_ids: Sequence[int],
        **where: Any,
    ) -> "Stage":
        """The texts that are no sentences of the set, and a task of its concepts; ``where`` is
        the device, and whether a checkpoint's own code may run."""
        task = Task.of(concepts, source, seed=seed)
        training = {"steps": steps, "lr": lr, "bos": bos, **where}
        capturing = {"exclude_ids": exclude_ids, "bos": bos, **where}
        kept = _new(texts, concepts)
        return cls(checkpoint, concepts, source, kept, Path(out), task, training, capturing)

    def at(self, arm: str, *, seed: int) -> Path:
        """Folder of an arm."""
        return self.out / self.source / f"seed{seed}" / arm

    def untuned(self) -> ActivationStore:
        """The sentences' states and losses under the model as it is."""
        return self.states(self.checkpoint, self.out / "base" / "states")

    def states(self, checkpoint: Checkpoint, folder: Path) -> ActivationStore:
        """The sentences' states and losses under one model."""
        every = self.concepts
        return self._captured(checkpoint, folder, PATH, every, loss_sentences=LOSS_SENTENCES)

    def words(self, checkpoint: Checkpoint, folder: Path) -> ActivationStore:
        """The states of words under one model, the same words under every one: of sentences that
        no classifier learnt from, nor from their translations."""
        return self._captured(checkpoint, folder, WORDS, self.unseen(), loss_sentences=0)

    def unseen(self) -> ConceptSet:
        """The set without the groups that the task is learnt from."""
        frame = self.concepts.frame
        if self.task is None:
            return self.concepts
        learnt = frame["group"].iloc[self.task.train]
        kept = frame[~frame["group"].isin(learnt)].reset_index(drop=True)
        return replace(self.concepts, frame=kept)

    def _captured(
        self,
        checkpoint: Checkpoint,
        folder: Path,
        path: str,
        concepts: ConceptSet,
        *,
        loss_sentences: int,
    ) -> ActivationStore:
        from neurotrace import capture

        return capture.run(
            [checkpoint], concepts, folder, what=(path,), loss_sentences=loss_sentences,
            backend="plain", progress=False, **self.capturing,
        )  # fmt: skip

    def tuned(self, freeze: Freeze, folder: Path, *, seed: int) -> ActivationStore:
        """Tune on the texts, and capture what became of it."""
        from neurotrace.causal.finetune import finetune

        series = finetune(
            self.checkpoint, self.texts, out=folder / "causal", freeze=freeze, seed=seed,
            **self.training,
        )  # fmt: skip
        return self.states(series[-1], folder / "states")

    def classifier(self, freeze: Freeze, folder: Path, *, seed: int) -> Checkpoint | None:
        """The model tuned on the task in the source language; None without a task."""
        from neurotrace.causal.finetune import finetune

        if self.task is None:
            return None
        task = self.task
        series = finetune(
            self.checkpoint, task.texts[task.train].tolist(), out=folder / "classifier",
            freeze=freeze, head="classification", labels=task.labels[task.train].tolist(),
            seed=seed, **self.training,
        )  # fmt: skip
        return series[-1]

    def zero_shot(self, classifier: Checkpoint | None, *, seed: int) -> xr.Dataset:
        """``REACHED`` (lang): accuracy of a classifier that was tuned in the source language, and
        the band of its accuracies under permuted names of concepts."""
        from neurotrace.causal.tuning_heads import classify

        if self.task is None or classifier is None:
            return xr.Dataset({name: self._nothing() for name in REACHED})
        task, options = self.task, {k: v for k, v in self.capturing.items() if k in DEVICE}
        rows = np.concatenate(list(task.test.values()))
        told = classify(classifier, task.texts[rows].tolist(), **options)
        parts = np.split(told, np.cumsum([len(own) for own in task.test.values()])[:-1])
        values = [
            (float((part == (true := task.labels[own])).mean()), *name_band(part, true, seed=seed))
            for part, own in zip(parts, task.test.values(), strict=True)
        ]
        columns = zip(REACHED, np.array(values).T, strict=True)
        return xr.Dataset({name: ("lang", v) for name, v in columns}, {"lang": list(task.test)})

    def probed(self, store: ActivationStore, layer: int) -> xr.DataArray:
        """``(lang,)`` accuracy of a linear probe on the states of one layer."""
        if self.task is None:
            return self._nothing()
        task = self.task
        return probe(store, task.train, task.test, task.labels, layer=layer)

    def _nothing(self) -> xr.DataArray:
        langs = self.concepts.languages
        return xr.DataArray(np.full(len(langs), np.nan), {"lang": langs}, dims="lang")


def freeze_lists(
    n_layers: int, phi: Sequence[int] | None, n_random: int, *, seed: int
) -> dict[str, Freeze]:
    """The freeze list of every arm that has one, blocks by number and parts by name.

    ``frozen_early`` and ``frozen_late`` are a third of the blocks. Random lists are as long as
    ``frozen_phi`` where it is given, whatever its length, and else a third; no two are alike, and
    none is ``frozen_phi``, which is held against them, but one may be the first or last blocks:
    they are lists as good as any. Fewer than ``n_random`` where there are no more of that size.
    """
    size = max(1, n_layers // 3)
    blocks = {"frozen_early": [*range(size)], "frozen_late": [*range(n_layers - size, n_layers)]}
    if phi is not None:
        blocks["frozen_phi"], size = sorted(phi), len(phi)
    own = blocks.get("frozen_phi", [])
    there = min(comb(n_layers, size) - bool(own), n_random)
    if there > 0:
        drawn = random_lists(n_layers, size, n=there, chosen=own, seed=seed)
        blocks |= {f"frozen_random_{n}": each for n, each in enumerate(drawn, start=1)}
    return {"frozen_embed": [*NAMES], **{name: [*each, *NAMES] for name, each in blocks.items()}}


def alike(lists: dict[str, Freeze]) -> dict[str, str]:
    """Arms that freeze what an arm before them freezes → that arm, which stands for both."""
    first: dict[tuple[int | str, ...], str] = {}
    stands = {name: first.setdefault(tuple(own), name) for name, own in lists.items()}
    return {name: one for name, one in stands.items() if one != name}


def joined(arms: dict[str, xr.Dataset]) -> xr.Dataset:
    """All arms along ``arm``, the mean of the random ones before them."""
    drawn = [name for name in arms if name.startswith("frozen_random_")]
    scalars = [name for name, values in arms["base"].items() if not values.dims]
    moving = {name: own.drop_vars(scalars) for name, own in arms.items()}
    if drawn:
        mean = xr.concat([moving[name] for name in drawn], dim="replicate").mean("replicate")
        rest = {name: moving.pop(name) for name in drawn}
        moving |= {"frozen_random": mean, **rest}
    result = xr.concat(list(moving.values()), dim="arm").assign_coords(arm=list(moving))
    return result.assign({name: arms["base"][name] for name in scalars})


def _new(texts: Sequence[str], concepts: ConceptSet) -> list[str]:
    """The texts that are no sentences of the set."""
    known = set(concepts.frame["text"])
    kept = [text for text in texts if text not in known]
    if not kept:
        raise ValueError(f"got {len(texts)} texts, all of them sentences of the set or none at all")
    return kept


def languages_to_choose_on(
    source: str, languages: Sequence[str], given: Sequence[str] | None
) -> list[str]:
    """The languages given, or half of those that are not the source."""
    if source not in languages:
        raise ValueError(f"got source {source!r}; valid are {', '.join(languages)}")
    others = [lang for lang in languages if lang != source]
    chosen = list(others[: len(others) // 2] if given is None else given)
    if unknown := sorted(set(chosen) - set(others)):
        raise ValueError(f"got choose_on {', '.join(unknown)}; valid are {', '.join(others)}")
    return chosen
