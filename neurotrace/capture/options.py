"""How a run captures: its options, and what of them is recorded."""

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurotrace.capture.devices import DeviceMap, torch_dtype
from neurotrace.capture.models import BACKENDS
from neurotrace.capture.sites import parse_all
from neurotrace.capture.tokens import BOS
from neurotrace.store.layout import table_of

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
    device_map: DeviceMap | None = None
    stack: str = "auto"

    def __post_init__(self) -> None:
        parse_all(self.what)
        torch_dtype(self.compute_dtype, self.device)
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


def tables_asked(options: Options) -> set[str]:
    """The row tables that the paths need."""
    return {table_of(str(target)) for target in parse_all(options.what)}


def recorded(options: Options) -> dict[str, Any]:
    """Options as root attributes; the device is no part of what was captured."""
    asked = tables_asked(options)
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
