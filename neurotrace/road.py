"""What a trace runs on: checkpoints, sentences and the twin, found and checked before it begins."""

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from neurotrace.checkpoints import Checkpoint, find, fingerprint, select
from neurotrace.concepts import ConceptSet
from neurotrace.config import ANALYSES, CONCEPT_FREE, TraceConfig
from neurotrace.givens import refuse_unreadable

MIN_GROUPS = 8  # with fewer, ties of tiny halves decide which neurons are experts
PACKAGES = ("neurotrace", "torch", "transformers", "transformer-lens", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Road:
    """What a trace runs on, found and checked before anything is computed."""

    config: TraceConfig
    series: list[Checkpoint]
    concepts: ConceptSet
    twin: Path | int
    exclude_ids: tuple[int, ...] = field(default=(), repr=False)

    @property
    def of_lab(self) -> bool:
        """Whether a lab's own sentences are traced: what its words mean is known."""
        return self.config.concepts is None and (Path(self.config.source) / "lab.json").is_file()


def prepare(config: TraceConfig) -> Road:
    """Find and check checkpoints, sentences and the twin.

    Raises
    ------
    ValueError, FileNotFoundError
        As their rooms say, or when the sentences are too few for two halves.
    """
    config.check()
    if not config.source or not config.out:
        raise ValueError("got no --source or no --out; expected both (see --help)")
    source = Path(config.source)
    _refuse_unfinished(source)
    series = select(find(source, pattern=config.pattern), config.checkpoints)
    concepts = _sentences(config, source / "concepts.jsonl")
    _refuse_large_top(config, series[0])
    refuse_unreadable(config, concepts.languages)
    if config.force not in (None, *concepts.languages):
        raise ValueError(f"got --force {config.force}; valid are {', '.join(concepts.languages)}")
    twin = source / "twin"
    shared = source / "shared_ids.json"
    return Road(
        config,
        series,
        concepts,
        twin if (twin / "config.json").is_file() else config.twin_seed,
        tuple(json.loads(shared.read_text())) if shared.is_file() else (),
    )


def _refuse_unfinished(source: Path) -> None:
    lab = source / "lab.json"
    if lab.is_file() and not json.loads(lab.read_text(encoding="utf-8")).get("complete"):
        raise ValueError(f"got {source.name}, a lab run that is not finished; its command goes on")


def _sentences(config: TraceConfig, own: Path) -> ConceptSet:
    """The sentences, equally many of each concept in every language."""
    if config.concepts is None and not own.is_file():
        known = ", ".join(ConceptSet.names())
        raise ValueError(f"got no --concepts for {own.parent.name}; expected a path or {known}")
    concepts = ConceptSet.load(config.concepts or own)
    if config.languages:
        concepts = concepts.select(languages=config.languages)
    else:  # a language and its romanised twin would agree for the language's sake
        plain = [lang for lang in concepts.languages if lang not in concepts.twins]
        concepts = concepts.select(languages=plain) if concepts.twins else concepts
    if not concepts.concepts:
        _refuse_needing_concepts(config)
        return concepts
    if config.negatives or concepts.uneven:
        concepts = concepts.balanced(negatives=config.negatives, seed=config.seed)
    (concept, lang, what), fewest = min(concepts.n_judged.items(), key=lambda item: item[1])
    if fewest < MIN_GROUPS:
        raise ValueError(
            f"got {fewest} {what} of concept {concept!r} in {lang}; "
            f"expected at least {MIN_GROUPS}, for two halves"
        )
    return concepts


def _refuse_needing_concepts(config: TraceConfig) -> None:
    needing = [name for name in config.analyses if name not in CONCEPT_FREE]
    if needing:
        free = ", ".join(name for name in ANALYSES if name in CONCEPT_FREE)
        raise ValueError(
            f"got sentences without concepts for {', '.join(needing)}; "
            f"expected concepts, or --analyses of {free}"
        )


def _refuse_large_top(config: TraceConfig, first: Checkpoint) -> None:
    from neurotrace import capture, probes

    n = capture.n_neurons(first, config.path, trust_remote_code=config.trust_remote_code)
    probes.n_experts(config.expert_size, n)


def capture_options(road: Road) -> dict[str, Any]:
    """The keyword arguments of :func:`neurotrace.capture.run`."""
    same = (
        "dtype", "bos", "device", "compute_dtype", "batch_tokens", "backend",
        "tokens_per_language", "words_per_language", "loss_sentences", "allow_equal",
        "trust_remote_code", "seed",
    )  # fmt: skip
    options = {name: getattr(road.config, name) for name in same}
    if "loss" not in road.config.analyses:
        options["loss_sentences"] = 0
    return {**options, "what": road.config.what, "twin": road.twin, "exclude_ids": road.exclude_ids}


def facts(road: Road) -> dict[str, Any]:
    """What trace.json records beside the configuration."""
    return {
        "concepts_digest": road.concepts.digest,
        "series": [checkpoint.label for checkpoint in road.series],
        "weights": {c.label: fingerprint(c.path)[:16] for c in road.series},
        "versions": {name: version(name) for name in PACKAGES},
    }


def plan(config: TraceConfig) -> str:
    """What a run would do, in lines: checkpoints, sentences, bytes and a timed guess."""
    from neurotrace import capture

    road = prepare(config)
    lines = [
        f"source       {Path(config.source).name}: {len(road.series)} checkpoints, "
        f"{road.series[0].label} to {road.series[-1].label}",
        f"sentences    {road.concepts!r}",
        f"captures     {', '.join(config.what)}",
        f"analyses     {', '.join(config.analyses)}",
    ]
    return "\n".join(
        [*lines, str(capture.plan(road.series, road.concepts, **capture_options(road)))]
    )
