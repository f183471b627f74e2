"""Synthetic stores whose truth is planted: known experts, sharing, nuisances and directions.

A response is one number a sentence and neuron, as pooled activations are; nothing here knows a
model. Sizes are small enough for a second, large enough for halves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.store import ActivationStore, CheckpointWriter

PATH = "mlp.hook_post/max"
ROTATED = "mlp.hook_post@rotated0/max"


@dataclass(frozen=True)
class Stage:
    """Who says what: the sentences of a planted store."""

    n_concepts: int = 8
    n_groups: int = 24
    n_langs: int = 3
    widths: tuple[int, ...] = (256, 256)

    @property
    def languages(self) -> list[str]:
        return [f"qa{chr(97 + i)}_Latn" for i in range(self.n_langs)]

    @property
    def n_neurons(self) -> int:
        return sum(self.widths)

    @property
    def concept(self) -> NDArray[np.intp]:
        """(example,) the one concept of each sentence."""
        return np.tile(np.repeat(np.arange(self.n_concepts), self.n_groups), self.n_langs)

    @property
    def lang(self) -> NDArray[np.intp]:
        return np.repeat(np.arange(self.n_langs), self.n_concepts * self.n_groups)

    @property
    def group(self) -> NDArray[np.intp]:
        return np.tile(np.arange(self.n_concepts * self.n_groups), self.n_langs)

    def write(
        self,
        folder: Path,
        responses: Mapping[int | tuple[int, int], NDArray | Mapping[str, NDArray]],
        *,
        dtype: str = "float32",
    ) -> ActivationStore:
        """Write ``{step: (example, neuron)}``, or ``{step: {path: (example, neuron)}}``.

        A step may be a pair (stage, step).
        """
        folder.mkdir(parents=True, exist_ok=True)
        for index, (key, given) in enumerate(responses.items()):
            stage, step = key if isinstance(key, tuple) else (0, key)
            by_path = given if isinstance(given, Mapping) else {PATH: given}
            header = {"model": "planted", "step": step, "stage": stage}
            header |= {"weight_hash": f"{index:064x}"}
            self._write_step(folder / f"{index:04d}_step{step}.h5", header, by_path, dtype)
        return ActivationStore.open(folder)

    def _write_step(
        self, file: Path, header: dict[str, object], by_path: Mapping[str, NDArray], dtype: str
    ) -> None:
        edges = np.cumsum((0, *self.widths))
        values = {
            (path, layer): X[:, edges[layer] : edges[layer + 1]].astype(dtype)
            for path, X in by_path.items()
            for layer in range(len(self.widths))
        }
        examples = pd.DataFrame(
            {
                "group": [f"g{i:04d}" for i in self.group],
                "lang": [self.languages[i] for i in self.lang],
                "n_tokens": 1,
                "text_hash": "",
            }
        )
        labels = (self.concept[:, None] == np.arange(self.n_concepts)).astype(np.int8)
        with CheckpointWriter.open(
            file,
            header=header,
            examples=examples,
            labels=labels,
            concepts=[f"c{i:02d}" for i in range(self.n_concepts)],
            arrays={key: (X.shape[1], dtype) for key, X in values.items()},
        ) as writer:
            for start in range(0, len(examples), 256):
                rows = {key: X[start : start + 256] for key, X in values.items()}
                writer.write(start, rows)
            writer.finish()


def experts_of(
    stage: Stage, *, k: int, shared: float, rng: np.random.Generator
) -> NDArray[np.intp]:
    """(lang, concept, k) planted experts, of which a share is common to all languages."""
    chosen = np.empty((stage.n_langs, stage.n_concepts, k), dtype=np.intp)
    n_shared = round(shared * k)
    for concept in range(stage.n_concepts):
        drawn = rng.permutation(stage.n_neurons)
        chosen[:, concept, :n_shared] = drawn[:n_shared]
        own = k - n_shared
        for lang in range(stage.n_langs):
            start = n_shared + lang * own
            chosen[lang, concept, n_shared:] = drawn[start : start + own]
    return chosen


def fire(
    stage: Stage, experts: NDArray[np.intp], *, signal: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Noise everywhere, and `signal` standard deviations more where an expert sees its concept."""
    X = rng.standard_normal((len(stage.lang), stage.n_neurons))
    for row, (lang, concept) in enumerate(zip(stage.lang, stage.concept, strict=True)):
        X[row, experts[lang, concept]] += signal
    return X


def nuisance(stage: Stage, *, strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """No concept at all: each sentence group moves the neurons alike in every language."""
    own = rng.standard_normal((stage.n_concepts * stage.n_groups, stage.n_neurons))
    noise = rng.standard_normal((len(stage.lang), stage.n_neurons))
    return strength * own[stage.group] + noise


def rotation(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random orthogonal matrix."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


def drawn_experts(
    stage: Stage, *, k: int, concept_sd: float, lang_sd: float, rng: np.random.Generator
) -> NDArray[np.intp]:
    """(lang, concept, k) experts whose concepts and languages are draws from a population.

    Every concept has k neurons of its own. A language takes each of them with probability
    ``logistic(α_c + β_l)``, α and β normal with the given spreads, and random others for the rest.
    """
    effect = rng.normal(0, concept_sd, stage.n_concepts) + rng.normal(
        0, lang_sd, (stage.n_langs, 1)
    )
    share = 1 / (1 + np.exp(-effect))
    chosen = np.empty((stage.n_langs, stage.n_concepts, k), dtype=np.intp)
    for concept in range(stage.n_concepts):
        drawn = rng.permutation(stage.n_neurons)
        for lang in range(stage.n_langs):
            taken = rng.random(k) < share[lang, concept]
            others = rng.choice(drawn[k:], k, replace=False)
            chosen[lang, concept] = np.where(taken, drawn[:k], others)
    return chosen


def drawn_sharing(*, concept_sd: float, lang_sd: float, n: int = 2_000_000) -> float:
    """Share of experts that two languages of `drawn_experts`'s population have in common.

    The mean of ``p(c, l) · p(c, l′)`` over that many concepts and pairs of languages.
    """
    rng = np.random.default_rng(0)
    concept, a, b = (rng.normal(0, sd, n) for sd in (concept_sd, lang_sd, lang_sd))
    return float(np.mean(1 / (1 + np.exp(-concept - a)) / (1 + np.exp(-concept - b))))
