"""What a trace runs on: checkpoints, sentences and the twin, found and checked before it begins."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pandas as pd

from neurotrace.captured import Captured, is_captured
from neurotrace.checkpoints import Checkpoint, Shelf, audit, find, refused, select, weights_mark
from neurotrace.checkpoints.hub import is_repo
from neurotrace.checkpoints.list_command import gaps_line
from neurotrace.checkpoints.quantities import bytes_of
from neurotrace.concepts import ConceptSet
from neurotrace.config import ANALYSES, CONCEPT_FREE, TraceConfig
from neurotrace.givens import refuse_unreadable
from neurotrace.runner import ELSEWHERE

MIN_GROUPS = 8  # with fewer, ties of tiny halves decide which neurons are experts
PACKAGES = ("neurotrace", "torch", "transformers", "transformer-lens", "numpy", "scikit-learn")


class SharesLeft(Exception):
    """One worker's share of a run is done, and others' are not; no fault."""


@dataclass(frozen=True)
class Road:
    """What a trace runs on, found and checked before anything is computed.

    Attributes
    ----------
    series, audit
        The checkpoints to trace, and what was found of all that the source has.
    shelf
        Brings those that are not on this disk.
    captured
        The source, where it is a captured run.
    twin
        Folder of a re-initialised model, or the seed to make one; None without.
    notes
        What a reader should know of all this.
    """

    config: TraceConfig
    series: list[Checkpoint]
    concepts: ConceptSet
    twin: Path | int | None
    shelf: Shelf = field(default_factory=Shelf, repr=False)
    audit: pd.DataFrame | None = field(default=None, repr=False)
    captured: Captured | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    exclude_ids: tuple[int, ...] = field(default=(), repr=False)

    @cached_property
    def predicts(self) -> bool:
        """Whether the model writes one token after another, as experiments and tuning need it."""
        from neurotrace.capture.loading import load_config
        from neurotrace.capture.plain import known_family

        trusted = self.config.trust_remote_code
        config = load_config(self.series[0].path, trust_remote_code=trusted)
        return known_family(config).auto == "causal"

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
    if is_captured(config.source):
        return _again(config)
    config = _placed(config)
    source = Path(config.source)
    _refuse_unfinished(source)
    found = find(config.source, pattern=config.pattern, tokenizer=config.tokenizer)
    audited = audit(found)
    series, told = _admitted(select(found, config.checkpoints), audited, allow=config.allow)
    shelf = Shelf(series, budget=bytes_of(config.cache_budget))
    shelf.small(series[0])
    concepts = _sentences(config, source / "concepts.jsonl")
    _refuse_large_top(config, series[0])
    refuse_unreadable(config, concepts.languages)
    if config.force not in (None, *concepts.languages):
        raise ValueError(f"got --force {config.force}; valid are {', '.join(concepts.languages)}")
    twin = _twin(config, source / "twin")
    if twin is None:
        told.append("the re-initialised twin is left out: it would have to fit one device")
    shared = source / "shared_ids.json"
    return Road(
        config,
        series,
        concepts,
        twin,
        shelf,
        audited,
        notes=(*getattr(found, "notes", ()), *told),
        exclude_ids=tuple(json.loads(shared.read_text())) if shared.is_file() else (),
    )


def _twin(config: TraceConfig, own: Path) -> Path | int | None:
    if (own / "config.json").is_file():
        return own
    return config.twin_seed if config.device_map is None else None


def _placed(config: TraceConfig) -> TraceConfig:
    """The same with the device and the type that ``auto`` comes to here."""
    from neurotrace.capture.devices import resolve

    here = config.executor not in ELSEWHERE
    device, kind = resolve(config.device, config.compute_dtype, here=here)
    gpus = [one for one in config.executor_options if one.lstrip("-").startswith(("gpu", "gres"))]
    if gpus and not here and config.device == "auto" and device == "cpu":
        raise ValueError(
            f"got {gpus[0]} for jobs and device 'auto', which is cpu on this machine; "
            "expected --device cuda and --compute-dtype bfloat16 or float32"
        )
    return replace(config, device=device, compute_dtype=cast(Any, kind))


def _again(config: TraceConfig) -> Road:
    """What was captured already: its series, its sentences, and what they can answer."""
    from neurotrace import probes

    found = Captured.of(config)
    _refuse_few(found.concepts)
    if found.config.path in found.store.paths:
        probes.n_experts(config.expert_size, sum(found.store.width(found.config.path)))
    refuse_unreadable(found.config, found.concepts.languages)
    return Road(
        found.config,
        found.series,
        found.concepts,
        config.twin_seed,
        captured=found,
        notes=found.notes,
        exclude_ids=found.exclude_ids,
    )


def _admitted(
    series: Sequence[Checkpoint], audited: pd.DataFrame, *, allow: bool
) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints that the audit lets pass, and what is to be said of the others.

    Raises
    ------
    ValueError
        Naming each one that it refuses, unless that is allowed; and where none is left.
    """
    verdicts = refused(audited).set_index(["stage", "step"])["verdict"].to_dict()
    named = {c: verdicts[c.stage, c.step] for c in series if (c.stage, c.step) in verdicts}
    told = [f"{checkpoint}: {verdict}" for checkpoint, verdict in named.items()]
    if named and not allow:
        raise ValueError(
            f"got checkpoints that are not what their names say ({'; '.join(told)}); expected "
            "others by --checkpoints, or --allow to go on"
        )
    left = [c for c in series if not named.get(c, "").startswith("broken")]
    if not left:
        raise ValueError(f"got no checkpoint that is whole ({'; '.join(told)})")
    return left, [f"allowed by --allow: {one}" for one in told]


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
    _refuse_few(concepts)
    return concepts


def _refuse_few(concepts: ConceptSet) -> None:
    if not concepts.concepts:
        return
    (concept, lang, what), fewest = min(concepts.n_judged.items(), key=lambda item: item[1])
    if fewest < MIN_GROUPS:
        raise ValueError(
            f"got {fewest} {what} of concept {concept!r} in {lang}; "
            f"expected at least {MIN_GROUPS}, for two halves"
        )


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

    n = capture.n_neurons(
        first, config.path, stack=config.stack, trust_remote_code=config.trust_remote_code
    )
    probes.n_experts(config.expert_size, n)


def capture_options(road: Road) -> dict[str, Any]:
    """The keyword arguments of :func:`neurotrace.capture.run`."""
    same = (
        "dtype", "bos", "device", "compute_dtype", "device_map", "batch_tokens", "backend", "stack",
        "tokens_per_language", "words_per_language", "loss_sentences",
        "trust_remote_code", "seed",
    )  # fmt: skip
    options = {name: getattr(road.config, name) for name in same}
    if "loss" not in road.config.analyses:
        options["loss_sentences"] = 0
    given = {"what": road.config.what, "twin": road.twin, "exclude_ids": road.exclude_ids}
    return {**options, **given, "shelf": road.shelf, "allow_equal": _equal_allowed(road)}


def _equal_allowed(road: Road) -> bool:
    """Where training had not moved the weights yet, equal ones are what they should be."""
    verdicts = [] if road.audit is None else list(road.audit["verdict"])
    return road.config.allow or any(verdict.startswith("unmoved") for verdict in verdicts)


def facts(road: Road) -> dict[str, Any]:
    """What trace.json records beside the configuration."""
    return {
        "concepts_digest": road.concepts.digest,
        "series": [checkpoint.label for checkpoint in road.series],
        "weights": _marks(road),
        "versions": {name: version(name) for name in PACKAGES},
    }


def _marks(road: Road) -> dict[str, str]:
    if road.captured is not None:
        return road.captured.weights
    return {checkpoint.label: weights_mark(checkpoint)[:16] for checkpoint in road.series}


def source_name(config: TraceConfig) -> str:
    """A repository as it is called, of a folder or file its last name: no machine's path."""
    repo = config.source.partition("@")[0]  # org/model@revision
    return config.source if is_repo(repo) else Path(config.source).name


def plan(config: TraceConfig) -> str:
    """What a run would do, in lines: checkpoints, sentences, bytes, and what it would cost."""
    from neurotrace import capture, pricing

    road = prepare(config)
    config = road.config
    lines = [
        f"source       {source_name(config)}: {len(road.series)} checkpoints, "
        f"{road.series[0].label} to {road.series[-1].label}",
        f"sentences    {road.concepts!r}",
        f"analyses     {', '.join(config.analyses)}",
    ]
    if road.captured is not None:
        return "\n".join([*lines, "captured already; no model is run", *road.captured.notes])
    lines.insert(2, f"captures     {', '.join(config.what)}")
    if road.audit is not None:
        absent = road.audit[road.audit["verdict"] == "missing"]
        lines.append(gaps_line(list(zip(absent["stage"], absent["step"], strict=True))))
    planned = capture.plan(road.series, road.concepts, **capture_options(road))
    priced = pricing.of_trace(road, planned)
    told = priced.lines(executor=config.executor, workers=config.workers)
    return "\n".join([*lines, str(planned), *told])
