"""What a run is going to do, decided and refused before any model is loaded."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neurotrace.capture import loading
from neurotrace.capture.agreement import refuse_disorder, refuse_other_shapes
from neurotrace.capture.batches import Slab, plan_batches
from neurotrace.capture.loss import sample
from neurotrace.capture.models import BACKENDS
from neurotrace.capture.plain import UnsupportedModel, family_of
from neurotrace.capture.sites import NEURON_SITES, Target, parse_all
from neurotrace.capture.tokens import BOS, Tokenized, draw, tokenize, tokenizer_hash
from neurotrace.capture.words import draw_words
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.store import StoreMismatch
from neurotrace.store.layout import Key, Spec, bytes_needed, table_of

DTYPES = ("float16", "float32")
MOST_EXCLUDED = 8192  # ids: they are kept as an attribute, of which HDF5 allows 64 kB
PACKAGES = ("numpy", "torch", "transformers", "transformer-lens", "tokenizers", "h5py")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run captures, whatever it captures; explained in :func:`neurotrace.capture.run`.

    Raises
    ------
    ValueError
        For a value that is refused, naming the valid ones.
    """

    what: Sequence[str]
    dtype: str
    bos: str
    device: str
    compute_dtype: str
    batch_tokens: int
    backend: str
    tokens_per_language: int
    words_per_language: int
    word_cap: int
    loss_sentences: int
    exclude_ids: Sequence[int]
    trust_remote_code: bool
    seed: int

    def __post_init__(self) -> None:
        parse_all(self.what)
        loading.torch_dtype(self.compute_dtype, self.device)
        for name, valid in (("dtype", DTYPES), ("backend", BACKENDS), ("bos", BOS)):
            if getattr(self, name) not in valid:
                got = getattr(self, name)
                raise ValueError(f"got {name} {got!r}; valid are {', '.join(valid)}")
        counts = ("tokens_per_language", "words_per_language", "loss_sentences", "seed")
        for name in counts:
            if getattr(self, name) < 0:
                raise ValueError(f"got {name} {getattr(self, name)}; expected 0 or more")
        if self.word_cap < 1:
            raise ValueError(f"got word_cap {self.word_cap}; expected at least 1")
        if len(self.exclude_ids) > MOST_EXCLUDED:
            got = len(self.exclude_ids)
            raise ValueError(f"got {got} exclude_ids; expected at most {MOST_EXCLUDED}")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run's decisions. Made by :func:`prepare`.

    Attributes
    ----------
    tokenized, slabs, loss
        Sentences as ids, the batches, and the sentences whose loss is taken (None without).
    tables
        ``tokens`` and ``words`` kept as rows of their own, each where a path asks for it.
    widths
        Columns of each site.
    n_layers
        Blocks.
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
    widths: Mapping[str, int]
    n_layers: int
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
    targets = parse_all(options.what)
    refuse_disorder(series)
    for checkpoint in series:
        loading.refuse_incomplete(checkpoint.path)
    refuse_other_shapes(series)
    first, trust = series[0].path, options.trust_remote_code
    skeleton = loading.skeleton(first, trust_remote_code=trust)
    tokenizer = loading.load_tokenizer(first, trust_remote_code=trust)
    # Before the first use: using a tokenizer changes its truncation, which is part of its state.
    tokenizer_name = tokenizer_hash(tokenizer)
    tokenized = tokenize(
        tokenizer,
        concepts.frame,
        bos=options.bos,
        exclude_ids=options.exclude_ids,
        max_length=_positions(skeleton.config),
    )
    _refuse_unknown_ids(tokenized, int(skeleton.config.vocab_size), concepts.frame)
    return Job(
        series=series,
        concepts=concepts,
        targets=targets,
        tokenized=tokenized,
        tables=_drawn(tokenizer, tokenized, concepts.frame, options),
        slabs=plan_batches(tokenized.lengths, options.batch_tokens),
        loss=_loss_sample(tokenized, concepts.frame, options),
        widths=_widths(skeleton, targets),
        n_layers=int(skeleton.config.num_hidden_layers),
        options=options,
        header={
            "concepts": concepts.digest,
            "concept_set": concepts.name,
            "tokenizer_hash": tokenizer_name,
            "vocab_size": int(skeleton.config.vocab_size),
            "bos_present": tokenized.bos_present,
            **_recorded(options),
        },
    )


def n_neurons(
    checkpoint: Checkpoint, path: str = "mlp.hook_post/max", *, trust_remote_code: bool = False
) -> int:
    """Neurons of a path over all layers, read off the configuration; no weights are loaded."""
    targets = parse_all([path])
    skeleton = loading.skeleton(checkpoint.path, trust_remote_code=trust_remote_code)
    return int(skeleton.config.num_hidden_layers) * _widths(skeleton, targets)[targets[0].site]


def _drawn(
    tokenizer: Any, tokenized: Tokenized, frame: pd.DataFrame, options: Options
) -> dict[str, pd.DataFrame]:
    """The tokens and words that paths ask for, by the name of their table."""
    given, found = (tokenizer, tokenized, frame), {}
    if "tokens" in _asked(options):
        per_language = options.tokens_per_language
        found["tokens"] = draw(*given, per_language=per_language, seed=options.seed)
    if "words" in _asked(options):
        found["words"] = draw_words(
            *given,
            per_language=options.words_per_language,
            cap=options.word_cap,
            seed=options.seed,
        )
    return found


def _loss_sample(
    tokenized: Tokenized, frame: pd.DataFrame, options: Options
) -> pd.DataFrame | None:
    if not options.loss_sentences:
        return None
    return sample(tokenized, frame, per_language=options.loss_sentences, seed=options.seed)


def _asked(options: Options) -> set[str]:
    """The row tables that the paths need."""
    return {table_of(str(target)) for target in parse_all(options.what)}


def _recorded(options: Options) -> dict[str, Any]:
    """Options as root attributes; the device is no part of what was captured."""
    asked = _asked(options)
    return {
        "what": json.dumps([str(target) for target in parse_all(options.what)]),
        "dtype": options.dtype,
        "compute_dtype": options.compute_dtype,
        "backend": options.backend,
        "bos": options.bos,
        "exclude_ids": np.array(sorted(set(options.exclude_ids)), dtype=np.int64),
        "batch_tokens": options.batch_tokens,
        "tokens_per_language": options.tokens_per_language if "tokens" in asked else None,
        "words_per_language": options.words_per_language if "words" in asked else None,
        "word_cap": options.word_cap if "words" in asked else None,
        "loss_sentences": options.loss_sentences,
        "seed": options.seed,
        "packages": json.dumps({name: importlib.metadata.version(name) for name in PACKAGES}),
    }


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


def _positions(config: Any) -> int | None:
    """Tokens the model can place, None where its positions have no end (ALiBi)."""
    for name in ("max_position_embeddings", "n_positions"):
        if isinstance(getattr(config, name, None), int):
            return int(getattr(config, name))
    return None


def _refuse_unknown_ids(tokenized: Tokenized, vocabulary: int, frame: pd.DataFrame) -> None:
    at = np.flatnonzero(tokenized.ids >= vocabulary)
    if len(at):
        row = int(np.searchsorted(tokenized.offsets, at[0], side="right")) - 1
        raise ValueError(
            f"{frame['lang'].iloc[row]} group {frame['group'].iloc[row]!r}: got token id "
            f"{tokenized.ids[at[0]]}; the model's vocabulary has {vocabulary}"
        )


def _widths(skeleton: Any, targets: Sequence[Target]) -> dict[str, int]:
    """Columns of each site before any weights are read; checked against values after loading."""
    sites = {target.site for target in targets}
    family = family_of(skeleton, sorted(sites))
    hidden = int(skeleton.config.hidden_size)
    widths = dict.fromkeys(sites, hidden)
    if sites & set(NEURON_SITES):
        block = skeleton.base_model.get_submodule(f"{family.blocks}.0")
        # The module, not the configuration: intermediate_size is absent or wrong in some families.
        down = block.get_submodule(family.down)
        widths |= dict.fromkeys(sites & set(NEURON_SITES), int(down.in_features))
    return widths
