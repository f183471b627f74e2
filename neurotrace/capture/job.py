"""What a run is going to do, decided and refused before any model is loaded."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.capture import loading
from neurotrace.capture.agreement import refuse_disorder, refuse_other_shapes
from neurotrace.capture.batches import Slab, plan_batches
from neurotrace.capture.checks import vocabulary_of
from neurotrace.capture.families import Family
from neurotrace.capture.loss import Loss, plan_loss
from neurotrace.capture.options import Options, recorded, tables_asked
from neurotrace.capture.plain import UnsupportedModel, family_of, row_of, stack_of, width_of
from neurotrace.capture.positions import n_positions
from neurotrace.capture.sites import Target, parse_all
from neurotrace.capture.tokens import Tokenized, draw, tokenize, tokenizer_hash
from neurotrace.capture.words import draw_words
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.store import StoreMismatch
from neurotrace.store.layout import Key, Spec, bytes_needed


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run's decisions. Made by :func:`prepare`.

    Attributes
    ----------
    tokenized, slabs, loss
        Sentences as ids, the batches, and the sentences whose loss is taken (None without).
    masked
        ``(token,)`` bool: tokens that are hidden and guessed for the loss of a masked model; None
        of one that predicts the next token.
    tables
        ``tokens`` and ``words`` kept as rows of their own, each where a path asks for it.
    widths
        Columns of each site.
    n_layers
        Blocks of the stack that is read.
    stack
        ``encoder`` or ``decoder``.
    header
        Root attributes that all files share.
    """

    series: Sequence[Checkpoint]
    concepts: ConceptSet
    targets: Sequence[Target]
    tokenized: Tokenized
    tables: Mapping[str, pd.DataFrame]
    slabs: Sequence[Slab]
    loss: pd.DataFrame | None
    masked: NDArray[np.bool_] | None
    widths: Mapping[str, int]
    n_layers: int
    stack: str
    options: Options
    header: Mapping[str, Any]

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that are read."""
        return tuple(dict.fromkeys(target.site for target in self.targets))

    @property
    def arrays(self) -> dict[Key, Spec]:
        """Every dataset of a file."""
        return {
            (str(target), layer): (self.widths[target.site], target.dtype(self.options.dtype))
            for target in self.targets
            for layer in target.layers(self.n_layers)
        }

    @property
    def n_bytes(self) -> int:
        """Size of one checkpoint's file, rounded up."""
        counts = {f"n_{name}": len(table) for name, table in self.tables.items()}
        return bytes_needed(self.arrays, n_examples=len(self.concepts), **counts)

    @property
    def examples(self) -> pd.DataFrame:
        """The file's table of sentences; texts stand in concepts.jsonl, here only their hash."""
        frame = self.concepts.frame
        hashes = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in frame["text"]]
        return pd.DataFrame(
            {
                "group": frame["group"],
                "lang": frame["lang"],
                "n_tokens": self.tokenized.n_tokens,
                "text_hash": hashes,
                "lexical": frame["lexical"],
            }
        )


def prepare(series: Sequence[Checkpoint], concepts: ConceptSet, options: Options) -> Job:
    """Check series and sentences against each other, and plan the run.

    Raises
    ------
    ValueError
        For an empty or unordered series, checkpoints of different shapes, and sentences that the
        model cannot hold, naming them.
    BrokenCheckpoint
        Naming a weight file that is missing or truncated, before anything is captured.
    """
    parse_all(options.what)
    refuse_disorder(series)
    for checkpoint in series:
        loading.refuse_incomplete(checkpoint)
    refuse_other_shapes(series)
    return decide(series, concepts, options)


def decide(series: Sequence[Checkpoint], concepts: ConceptSet, options: Options) -> Job:
    """The plan of a run, from its first checkpoint's configuration and tokenizer alone.

    No weights are looked for: those of a model in training lie in no file.

    Raises
    ------
    ValueError
        For sentences that the model cannot hold, naming them.
    """
    targets = parse_all(options.what)
    first, trust = series[0].path, options.trust_remote_code
    skeleton = loading.skeleton(first, trust_remote_code=trust)
    stack = stack_of(skeleton, options.stack)
    family = family_of(skeleton, [target.site for target in targets], stack=stack)
    tokenizer = loading.load_tokenizer(series[0], trust_remote_code=trust)
    # Before the first use: using a tokenizer changes its truncation, which is part of its state.
    tokenizer_name = tokenizer_hash(tokenizer)
    tokenized = tokenize(
        tokenizer,
        concepts.frame,
        bos=options.bos,
        exclude_ids=options.exclude_ids,
        max_length=n_positions(skeleton.config, family, stack),
    )
    vocabulary = vocabulary_of(skeleton.config)
    refuse_unknown_ids(tokenized, vocabulary, concepts.frame)
    loss = _loss(family, tokenizer, tokenized, concepts.frame, options)
    return Job(
        series=series,
        concepts=concepts,
        targets=targets,
        tokenized=tokenized,
        tables=_drawn(tokenizer, tokenized, concepts.frame, options),
        slabs=plan_batches(tokenized.lengths, options.batch_tokens),
        loss=loss.rows,
        masked=loss.masked,
        widths=_widths(skeleton, targets, stack),
        n_layers=_n_layers(skeleton, stack),
        stack=stack,
        options=options,
        header={
            "concepts": concepts.digest,
            "concept_set": concepts.name,
            "tokenizer_hash": tokenizer_name,
            "vocab_size": vocabulary,
            "bos_present": tokenized.bos_present,
            **recorded(options),
            # What is used, which may not be what was asked for.
            "backend": options.backend if family.bridged(options.compute_dtype) else "plain",
            # Where there is nothing to choose, nothing is recorded.
            "stack": stack if len(family.stacks) > 1 else None,
            "loss_kind": None if family.auto == "causal" else loss.kind,
        },
    )


def n_neurons(
    checkpoint: Checkpoint,
    path: str = "mlp.hook_post/max",
    *,
    stack: str = "auto",
    trust_remote_code: bool = False,
) -> int:
    """Units of a path over all layers, read off the configuration; no weights are loaded."""
    targets = parse_all([path])
    skeleton = loading.skeleton(checkpoint.path, trust_remote_code=trust_remote_code)
    width = _widths(skeleton, targets, stack)[targets[0].site]
    return len(targets[0].layers(_n_layers(skeleton, stack))) * width


def _drawn(
    tokenizer: Any, tokenized: Tokenized, frame: pd.DataFrame, options: Options
) -> dict[str, pd.DataFrame]:
    """The tokens and words that paths ask for, by the name of their table."""
    given, found = (tokenizer, tokenized, frame), {}
    if "tokens" in tables_asked(options):
        per_language = options.tokens_per_language
        found["tokens"] = draw(*given, per_language=per_language, seed=options.seed)
    if "words" in tables_asked(options):
        found["words"] = draw_words(
            *given,
            per_language=options.words_per_language,
            cap=options.word_cap,
            seed=options.seed,
        )
    return found


def _loss(
    family: Family, tokenizer: Any, tokenized: Tokenized, frame: pd.DataFrame, options: Options
) -> Loss:
    return plan_loss(
        family.auto,
        tokenizer,
        tokenized,
        frame=frame,
        per_language=options.loss_sentences,
        seed=options.seed,
    )


def refuse_other_tokenizer(job: Job, tokenizer: Any, label: str) -> None:
    """Refuse a checkpoint whose tokenizer is not the first one's.

    Raises
    ------
    StoreMismatch
        Naming both checkpoints.
    """
    if tokenizer_hash(tokenizer) != job.header["tokenizer_hash"]:
        raise StoreMismatch(
            f"{label} has another tokenizer than {job.series[0].label}; one run needs one tokenizer"
        )


def refuse_other_widths(job: Job, widths: Mapping[str, int], label: str) -> None:
    """Refuse a model whose sites are not as wide as its modules promised.

    Raises
    ------
    UnsupportedModel
        Naming the site.
    """
    for site, width in job.widths.items():
        if widths[site] != width:
            raise UnsupportedModel(f"{label}: {site} is {widths[site]} wide; expected {width}")


def refuse_unknown_ids(tokenized: Tokenized, vocabulary: int, frame: pd.DataFrame) -> None:
    """Refuse sentences with ids for which the model has no embedding, naming the first."""
    at = np.flatnonzero(tokenized.ids >= vocabulary)
    if len(at):
        row = int(np.searchsorted(tokenized.offsets, at[0], side="right")) - 1
        raise ValueError(
            f"{frame['lang'].iloc[row]} group {frame['group'].iloc[row]!r}: got token id "
            f"{tokenized.ids[at[0]]}; the model's vocabulary has {vocabulary}"
        )


def _widths(skeleton: Any, targets: Sequence[Target], stack: str) -> dict[str, int]:
    """Columns of each site before any weights are read; checked against values after loading."""
    sites = sorted({target.site for target in targets})
    family_of(skeleton, sites, stack=stack)
    return {site: width_of(skeleton, site, stack=stack) for site in sites}


def _n_layers(skeleton: Any, stack: str) -> int:
    """Blocks, counted: configurations of two stacks have more than one number."""
    return len(skeleton.base_model.get_submodule(row_of(skeleton, stack).blocks))
