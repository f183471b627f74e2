"""A captured run as the source of a trace: its activations are analysed, its model is not needed.

Training that was captured while it ran leaves no weights behind, only files of activations and
the sentences. What such a run can answer is answered; what needs weights, or was not captured, is
left out by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neurotrace.checkpoints import Checkpoint, select
from neurotrace.concepts import ConceptSet
from neurotrace.config import CAUSES, CONCEPT_FREE, TUNING, WORDS, TraceConfig
from neurotrace.store import ActivationStore
from neurotrace.store.match import key_of

CONCEPTS = "concepts.jsonl"
FROM_WEIGHTS = (*CAUSES, "embeddings", TUNING)
# Settings that were decided when the run was captured.
DECIDED = (
    "bos", "dtype", "compute_dtype", "backend", "stack", "batch_tokens", "tokens_per_language",
    "words_per_language", "loss_sentences",
)  # fmt: skip


@dataclass(frozen=True)
class Captured:
    """A captured run, and what of a trace it can answer.

    Attributes
    ----------
    config
        The configuration with the analyses that can be done, and with what was decided when the
        run was captured.
    store
        The chosen checkpoints' activations.
    concepts
        The captured sentences.
    notes
        What is left out, and why.
    """

    config: TraceConfig
    store: ActivationStore
    concepts: ConceptSet
    notes: tuple[str, ...]

    @classmethod
    def of(cls, config: TraceConfig) -> "Captured":
        """The run that ``config.source`` names.

        Raises
        ------
        ValueError
            When other sentences, languages or negatives are asked for than were captured, a
            checkpoint that was not, or nothing that can be answered.
        FileNotFoundError, StoreMismatch
            As :meth:`neurotrace.store.ActivationStore.open` says.
        """
        source = Path(config.source)
        store = _chosen(ActivationStore.open(source), config.checkpoints)
        concepts = ConceptSet.load(source / CONCEPTS)
        _refuse_other_sentences(config, store, concepts)
        why = dict(_left_out(config, store, concepts))
        kept = tuple(name for name in config.analyses if name not in why)
        if not set(kept) - {"onset"}:
            told = "; ".join(dict.fromkeys(why.values()))
            raise ValueError(
                f"got source {source.name}, of which none of the analyses can be done: {told}"
            )
        rotated = [path in store.paths for path in config.rotated_paths]
        rotations = (*rotated, False).index(False)
        header = store.header(_key(store, 0))
        decided = {name: header[name] for name in DECIDED if name in header}
        return cls(
            replace(config, analyses=kept, rotations=rotations, **decided),
            store,
            concepts,
            tuple(_notes(why, config, rotations)),
        )

    @property
    def series(self) -> list[Checkpoint]:
        """The captured checkpoints; ``path`` is the file of each one's activations."""
        return series_of(self.store)

    @property
    def exclude_ids(self) -> tuple[int, ...]:
        """Token ids that were never pooled."""
        return tuple(int(i) for i in self.store.header(_key(self.store, 0))["exclude_ids"])

    @property
    def weights(self) -> dict[str, str]:
        """Label → mark of the weights that each checkpoint was captured from."""
        marks = [str(mark)[:16] for mark in self.store.checkpoints["weight_hash"]]
        return dict(zip((c.label for c in self.series), marks, strict=True))


def is_captured(source: str | Path) -> bool:
    """Whether a folder holds captured activations and sentences, and no checkpoints."""
    folder = Path(source)
    return (
        (folder / CONCEPTS).is_file()
        and any(folder.glob("[0-9]*_*.h5"))
        and not any(folder.glob("config.json"))
        and not any(folder.glob("*/config.json"))
    )


def series_of(store: ActivationStore) -> list[Checkpoint]:
    """The checkpoints of a store, as :func:`neurotrace.checkpoints.find` names them.

    Returns
    -------
    ``path`` is the file of a checkpoint's activations: there are no weights.
    """
    return [_checkpoint(store, at) for at in range(len(store.checkpoints))]


def _checkpoint(store: ActivationStore, at: int) -> Checkpoint:
    header = store.header(_key(store, at))
    tokens: Any = header.get("tokens")
    stage, step = key_of(header)
    return Checkpoint(
        model=str(header.get("model", store.path.name)),
        step=step,
        path=store.path / str(store.checkpoints["file"].iloc[at]),
        stage=stage,
        tokens=None if tokens is None else int(tokens),
        revision=header.get("revision"),
    )


def _key(store: ActivationStore, at: int) -> tuple[int, int]:
    row = store.checkpoints.iloc[at]
    return int(row["stage"]), int(row["step"])


def _chosen(store: ActivationStore, selection: str) -> ActivationStore:
    chosen = select(series_of(store), selection)
    return ActivationStore(store.path, [checkpoint.path for checkpoint in chosen])


def _refuse_other_sentences(
    config: TraceConfig, store: ActivationStore, concepts: ConceptSet
) -> None:
    """A captured run has the sentences it has: none can be chosen or added afterwards."""
    what = "which was captured already"
    captured = store.header(_key(store, 0)).get("concepts")
    if concepts.digest != captured:
        raise ValueError(
            f"got {CONCEPTS} with digest {concepts.digest[:12]} in {store.path.name}; expected "
            f"{str(captured)[:12]}, that of the captured sentences"
        )
    if config.concepts is not None and ConceptSet.load(config.concepts).digest != captured:
        raise ValueError(
            f"got --concepts {Path(config.concepts).name} for {store.path.name}, {what} with other "
            "sentences; expected these, or no --concepts"
        )
    if config.languages and set(config.languages) != set(store.languages):
        raise ValueError(
            f"got --languages {' '.join(config.languages)} for {store.path.name}, {what} in "
            f"{', '.join(store.languages)}; expected these, or no --languages"
        )
    if config.negatives is not None:
        raise ValueError(
            f"got --negatives {config.negatives} for {store.path.name}, {what}; expected the set "
            "to be balanced before it is captured"
        )


def _left_out(
    config: TraceConfig, store: ActivationStore, concepts: ConceptSet
) -> Iterator[tuple[str, str]]:
    """Each analysis that cannot be done, and why."""
    needed = {
        "language_id": "hook_resid_post/tokens",
        "retrieval": "hook_resid_post/mean",
        "ilo": config.states_path,
        "evolution": config.states_path,
        "latent_concepts": WORDS,
        "loss": None,
        "confounds": None,
    }
    for name in config.analyses:
        path = needed.get(name, config.path)
        if name in FROM_WEIGHTS:
            yield name, "the source holds activations and no weights"
        elif not concepts.concepts and name not in CONCEPT_FREE:
            yield name, "the sentences have no concepts"
        elif path is not None and path not in store.paths:
            yield name, f"{path} was not captured, but {', '.join(store.paths)}"


def _notes(why: dict[str, str], config: TraceConfig, rotations: int) -> Iterator[str]:
    for reason in dict.fromkeys(why.values()):
        names = ", ".join(name for name in why if why[name] == reason)
        yield f"{names} {'are' if ',' in names else 'is'} left out: {reason}"
    if rotations < config.rotations:
        lacking = config.rotated_paths[rotations]
        yield f"the rotated basis is left out: {lacking} was not captured"
