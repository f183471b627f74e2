"""What all experiments of a trace share: sentences, words and judges, and what they keep to."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neurotrace import trajectories
from neurotrace.concepts import Lexicon, identifier
from neurotrace.concepts.shipped import locate
from neurotrace.config import CAUSES, TraceConfig
from neurotrace.road import Road
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import StepKey, step_keys

if TYPE_CHECKING:
    from neurotrace.causal import Materials
    from neurotrace.causal.judges import Identifier, TopicJudge

# What --causes default keeps to: an interchange's cost grows with the square of the languages.
LANGUAGES, CONCEPTS, FORCED, VISITED = 4, 16, 4, 6
SPAN = 32  # of six checkpoints the second is about this many times before the last


@dataclass(frozen=True)
class Bench:
    """A run's experiments, before any model is loaded.

    Attributes
    ----------
    road, store
        The trace, and what it captured.
    """

    road: Road
    store: ActivationStore

    @property
    def config(self) -> TraceConfig:
        return self.road.config

    @property
    def full(self) -> bool:
        return self.config.causes == "full"

    @cached_property
    def keys(self) -> list[StepKey]:
        """What the store takes for each checkpoint."""
        return step_keys(self.store)

    @cached_property
    def some(self) -> list[int]:
        """Positions of the checkpoints of ablation and forced generation."""
        return list(range(len(self.keys))) if self.full else some_steps(self.store.steps)

    @cached_property
    def in_a(self) -> NDArray[np.bool_]:
        """``(example,)``: the half of the sentences on which everything is chosen."""
        return trajectories.half_a(self.store, path=self.config.path, seed=self.config.seed)

    @cached_property
    def materials(self) -> "Materials":
        """Frames, words and judges; a lab's own where its own sentences are traced.

        Raises
        ------
        ValueError
            When there are words or frames for too few concepts and languages.
        """
        from neurotrace.capture.loading import load_config, load_tokenizer
        from neurotrace.causal import Materials, start_of

        first, trusted = self.road.series[0], self.config.trust_remote_code
        tokenizer = load_tokenizer(first, trust_remote_code=trusted)
        family = str(load_config(first.path, trust_remote_code=trusted).model_type)
        start = int(start_of(tokenizer, family)[0])
        source = Path(self.config.source)
        if self.road.of_lab:
            from neurotrace import lab

            own = lab.Vocabulary.of(source)
            return Materials.from_words(
                {(c, lang): own.words(c, lang) for c in own.concepts for lang in own.languages},
                {lang: own.frames(lang) for lang in own.languages},
                tokenizer=tokenizer,
                start=start,
                identify=own.identify,
            )
        path = self.config.concepts or source / "concepts.jsonl"
        return Materials.from_set(
            self.road.concepts,
            tokenizer,
            lexicon=Lexicon.of(locate(path)),
            in_a=self.in_a,
            start=start,
            identify=_identifier(self.road.concepts.languages),
            seed=self.config.seed,
        )

    @cached_property
    def digest(self) -> str:
        """Eight digits that change with the words, frames and judges of the experiments."""
        told: list[object] = [version("neurotrace")]
        if {"interchange", "forcing"} & set(self.possible):
            made = self.materials
            words = {f"{c} {lang}": ids.tolist() for (c, lang), ids in made.words.items()}
            judges = [type(judge).__qualname__ for judge in (made.identify, made.word_forms)]
            told += [words, dict(made.frames), judges, self.languages, self.concepts(CONCEPTS)]
        text = json.dumps(told, sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def judges(self) -> "tuple[TopicJudge, Identifier]":
        """Who tells the topic and the language of what a model writes.

        Raises
        ------
        ValueError
            When nobody does.
        """
        topics, identify = self.materials.word_forms, self.materials.identify
        if topics is None or identify is None:
            raise ValueError(f"got nobody who tells a text's language; {identifier.EXTRA} may help")
        return topics, identify

    @cached_property
    def possible(self) -> list[str]:
        """The experiments asked for that can be done; a warning names each other one, and why."""
        wanted = [name for name in CAUSES if name in self.config.analyses]
        gone = self._impossible(wanted) if wanted else {}
        for name, why in gone.items():
            warnings.warn(f"{name} is left out: {why}", stacklevel=2)
        return [name for name in wanted if name not in gone]

    def _impossible(self, wanted: Sequence[str]) -> Mapping[str, str]:
        """What cannot be done, and why."""
        why = self._why_none()
        if why is not None:
            return dict.fromkeys(wanted, why)
        with_words = [name for name in wanted if name != "ablation"]
        try:
            materials = self.materials if with_words else None
            if with_words:
                self.source_language  # noqa: B018 - refused where it has no words
        except ValueError as error:
            return dict.fromkeys(with_words, str(error))
        if "forcing" in wanted and materials is not None and materials.identify is None:
            return {"forcing": f"nobody tells a text's language; {identifier.EXTRA} may help"}
        return {}

    def _why_none(self) -> str | None:
        """Why no experiment can be done."""
        config = self.config
        if config.site != "mlp.hook_post":
            return f"neurons are written at mlp.hook_post, not {config.site}"
        if config.device_map is not None:
            return "the model is spread over devices"
        if not self.store.held(config.path):
            return f"{config.path} was scored and not kept (--keep activations keeps it)"
        return None if self.road.predicts else "the model does not predict the next token"

    @cached_property
    def source_language(self) -> str:
        """The language whose experts are forced.

        Raises
        ------
        ValueError
            When the one that was asked for has no words.
        """
        known = self._known_languages
        chosen = self.config.force or known[min(1, len(known) - 1)]
        if chosen not in known:
            raise ValueError(f"got --force {chosen}; valid are {', '.join(known)}")
        return chosen

    @cached_property
    def languages(self) -> list[str]:
        """Languages of an interchange: the forced one and, by default, the first three others."""
        known, own = self._known_languages, self.source_language
        others = [lang for lang in known if lang != own]
        kept = {own, *(others if self.full else others[: LANGUAGES - 1])}
        return [lang for lang in known if lang in kept]

    @property
    def sources(self) -> list[str]:
        """The languages whose experts are forced."""
        return self.languages if self.full else [self.source_language]

    def concepts(self, most: int) -> list[str]:
        """Concepts that have words: all of them, or by default so many, evenly over the list."""
        known = [name for name in self.store.concepts if name in self.materials.concepts]
        if self.full or len(known) <= most:
            return known
        return [known[at] for at in np.linspace(0, len(known) - 1, most).round().astype(int)]

    @property
    def _known_languages(self) -> list[str]:
        return [lang for lang in self.store.languages if lang in self.materials.languages]


def some_steps(steps: Sequence[int], n: int = VISITED) -> list[int]:
    """Positions of ``n`` checkpoints: the first, the last, and others evenly on a log axis.

    >>> steps = [0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1500]
    >>> [steps[at] for at in some_steps(steps)]
    [0, 64, 128, 256, 768, 1500]
    """
    if len(steps) <= n:
        return list(range(len(steps)))
    places = np.asarray(steps, dtype=float)
    if (np.diff(places) <= 0).any():  # stages that count from the start again
        return sorted({round(at) for at in np.linspace(0, len(steps) - 1, n)})
    logs = np.log(np.maximum(places, places[1] / 2))
    wanted = np.linspace(max(logs[-1] - np.log(SPAN), logs[1]), logs[-1], n - 1)
    return sorted({0, *(int(np.abs(logs - at).argmin()) for at in wanted)})


def _identifier(languages: Sequence[str]) -> "Identifier | None":
    """A judge of a text's language, None where there is none to be had."""
    from neurotrace.causal import LanguageIdentifier

    try:
        return LanguageIdentifier.of(languages)
    except (ImportError, ValueError):
        return None
