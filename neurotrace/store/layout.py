"""The file format, written out: what lies where in a checkpoint's file.

::

    RUN/0007_step512.h5            index in the series, label of the checkpoint
      root attributes              format, version, model, revision, step, stage, tokens,
                                   weight_hash, tokenizer_hash, concepts, bos, dtype, backend, …
                                   n_done: rows written and counted (all of them, once renamed)
                                   tables_checksum: CRC-32 of all but the slabs' values
                                   kept: states or scores, where the rest was stripped
      /examples/<column>           one dataset a column: group, lang, n_tokens, text_hash, lexical
      /labels  /concepts           int8 (example, concept): 1 yes, 0 no, -1 unknown; their names
      /languages                   names, in set order
      /mlp.hook_post/max/00        (example, neuron), one dataset a layer
      /hook_resid_post/mean/00     (example, feature) float32
      /hook_resid_post/tokens/00   (token, feature) float32
      /hook_resid_post/words/00    (token, feature) float32; also words_first, words_mean
      /embed/max                   (example, feature) float32: the embedding output is no layer
      /tokens/<column>             the drawn tokens: example, position, id, word, lang, kind
      /words/<column>              the drawn words: example, position, stop, word, lang
      /loss/<column>               example, nats a token, n_tokens
      /checksums                   uint32 (slab, dataset): CRC-32 of what each slab holds;
                                   attribute ``datasets`` names the columns; in a stripped
                                   file ``widths`` says how wide each was

Rows are in concept-set order. A *slab* is 256 sentences (and the tokens and words drawn from
these): the unit of writing, of counting and of checking. Nothing in a file says when, where or by
whom it was made.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

FORMAT = "neurotrace-activations"
VERSION = 1
SLAB = 256  # sentences
TEXTS = 2048  # texts that are read at a time
# With chunks of 256 × 1024 a layer is written in one go, and 512 neurons of all sentences read,
# near the speed of memory. Uncompressed: neuron values shrink by 6 to 27 % at a tenth of the speed.
CHUNK_WIDTH = 1024
# Which row table a path's rows come from, by its pooling; the sentences' where it is not named.
DRAWN = {"tokens": "tokens", "words": "words", "words_first": "words", "words_mean": "words"}
STATES = frozenset({"hook_resid_post", "embed"})

Key = tuple[str, int | None]  # path such as "mlp.hook_post/max", layer (None for `embed`)
Spec = tuple[int, str]  # width, dtype


class StoreMismatch(ValueError):
    """Two things that a comparison needs equal are not: the message names them."""


class StoreDamaged(StoreMismatch):
    """A file is no whole file of ours: truncated, foreign, or changed since it was written."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name} {reason}; --repair sets it aside and captures it again")


class NotKept(ValueError):
    """What is asked for was captured, scored, and not kept."""


class StoreFull(OSError):
    """The disk cannot hold the file; no counted row was lost."""


def dataset_name(path: str, layer: int | None) -> str:
    """Where a layer lies in the file.

    >>> dataset_name("mlp.hook_post/max", 3)
    'mlp.hook_post/max/03'
    >>> dataset_name("embed/mean", None)
    'embed/mean'
    """
    return path if layer is None else f"{path}/{layer:02d}"


def parse(name: str) -> Key:
    """Path and layer of a dataset's name.

    >>> parse("mlp.hook_post/max/03"), parse("embed/mean")
    (('mlp.hook_post/max', 3), ('embed/mean', None))
    """
    path, _, last = name.rpartition("/")
    return (path, int(last)) if last.isdigit() else (name, None)


def table_of(path: str) -> str:
    """The row table of a path: ``examples``, or that of what was drawn from them.

    >>> table_of("mlp.hook_post/max"), table_of("hook_resid_post/words_mean")
    ('examples', 'words')
    """
    return DRAWN.get(path.rsplit("/", 1)[-1], "examples")


def is_state(path: str) -> bool:
    """Whether a path holds residual states or embeddings, which ``--keep states`` keeps.

    >>> is_state("hook_resid_post@rotated7/mean"), is_state("mlp.hook_pre/rate")
    (True, False)
    """
    return path.split("/", 1)[0].split("@", 1)[0] in STATES


def keeps(kept: str, path: str) -> bool:
    """Whether a file that keeps ``activations``, ``states`` or ``scores`` holds a path."""
    return kept == "activations" or (kept == "states" and is_state(path))


def holds_tokens(path: str) -> bool:
    """Whether a path's rows are drawn tokens or words instead of sentences."""
    return table_of(path) != "examples"


def chunks(rows: int, width: int) -> tuple[int, int]:
    """Chunk shape of a dataset: read a neuron of all sentences, or all neurons of some, fast."""
    return max(1, min(SLAB, rows)), max(1, min(CHUNK_WIDTH, width))


def slabs(n_examples: int) -> Iterator[tuple[int, int]]:
    """First and last-plus-one row of each slab.

    >>> list(slabs(600))
    [(0, 256), (256, 512), (512, 600)]
    """
    for start in range(0, n_examples, SLAB):
        yield start, min(start + SLAB, n_examples)


def token_rows(tokens: pd.DataFrame | None, start: int, stop: int) -> slice:
    """Rows of a table of drawn tokens or words that belong to the sentences of a slab."""
    if tokens is None:
        return slice(0, 0)
    # The table is sorted by sentence, so the tokens of some sentences are a range.
    example = tokens["example"].to_numpy()
    first, last = np.searchsorted(example, [start, stop])
    return slice(int(first), int(last))


def rows_of(path: str, tables: Mapping[str, pd.DataFrame], start: int, stop: int) -> slice:
    """Rows of a path that belong to the sentences ``start`` to ``stop``."""
    table = table_of(path)
    return slice(start, stop) if table == "examples" else token_rows(tables[table], start, stop)


def bytes_needed(
    arrays: Mapping[Key, Spec], *, n_examples: int, n_tokens: int = 0, n_words: int = 0
) -> int:
    """Size of a checkpoint's file, in bytes, rounded up: whole chunks, tables and bookkeeping."""
    # HDF5 rounds every dataset up to whole chunks; texts and bookkeeping are bounded generously.
    total = 1_000_000 + 600 * n_examples + 200 * (n_tokens + n_words)
    heights = {"examples": n_examples, "tokens": n_tokens, "words": n_words}
    for (path, _), (width, dtype) in arrays.items():
        rows = heights[table_of(path)]
        high, wide = chunks(rows, width)
        padded = -(-rows // high) * high * (-(-width // wide) * wide)
        total += padded * np.dtype(dtype).itemsize
    return total


def reading(file: Path) -> h5py.File:
    """A whole file, open for reading."""
    # Whole files never change: no lock, so that read-only disks and other readers do not matter.
    return h5py.File(file, "r", locking=False)


def widths(h5: h5py.File) -> list[int]:
    """Width of every captured dataset, in the order of the checksums' columns.

    A stripped file lacks datasets and holds their widths instead.
    """
    sums = h5["checksums"].attrs
    if "widths" in sums:
        return [int(width) for width in sums["widths"]]
    return [int(h5[str(name)].shape[1]) for name in sums["datasets"]]


def write_table(file: h5py.File, name: str, table: pd.DataFrame) -> None:
    """A row table as a group with one dataset a column."""
    group = file.create_group(name)
    for column in table.columns:
        write_column(group, str(column), table[column].to_numpy())


def write_column(group: h5py.Group, name: str, values: NDArray | list[str]) -> None:
    """One column; text as UTF-8 of variable length."""
    array = np.asarray(values)
    if array.dtype.kind in "OUST":
        strings = np.asarray([str(value) for value in array], dtype=object)
        group.create_dataset(name, data=strings, dtype=h5py.string_dtype())
    else:
        group.create_dataset(name, data=array)


def read_table(file: h5py.File, name: str) -> pd.DataFrame:
    """The table written by :func:`write_table`, columns in the order of the format."""
    group = file[name]
    order = (
        "group", "example", "position", "stop", "id", "word", "lang", "nats", "n_tokens", "kind",
    )  # fmt: skip
    names = sorted(group, key=lambda c: (order.index(c) if c in order else len(order), c))
    return pd.DataFrame({column: read_column(group[column]) for column in names})


def read_column(dataset: h5py.Dataset) -> NDArray:
    """One column; text comes back as Python strings, equal ones as one."""
    if not h5py.check_string_dtype(dataset.dtype):
        return np.asarray(dataset[...])
    texts, known = np.empty(dataset.shape, dtype=object), dict[str, str]()
    for start in range(0, len(texts), TEXTS):
        some = dataset.asstr()[start : start + TEXTS]
        texts[start : start + len(some)] = [known.setdefault(text, text) for text in some]
    return texts


def dims(path: str) -> tuple[str, str]:
    """Names of the axes of a dataset."""
    rows = "token" if holds_tokens(path) else "example"
    return rows, "neuron" if path.startswith("mlp.") else "feature"


def selection(rows: Sequence[int] | NDArray | slice | None) -> NDArray | slice:
    """Rows as indices or a slice, whatever they were given as."""
    if rows is None:
        return slice(None)
    if isinstance(rows, slice):
        return rows
    chosen = np.asarray(rows)
    return np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.intp)


def take(dataset: h5py.Dataset, chosen: NDArray | slice, columns: slice) -> NDArray:
    """Rows of a dataset, in the order asked for, and a range of its columns."""
    if isinstance(chosen, slice):
        return np.asarray(dataset[chosen, columns])
    if not len(chosen):
        return np.asarray(dataset[:0, columns])
    # HDF5 picks scattered rows one by one: the span is read whole and picked in memory.
    low, high = int(chosen.min()), int(chosen.max()) + 1
    if low < 0:
        raise IndexError(f"got row {low}; expected rows from 0")
    return np.asarray(dataset[low:high, columns])[chosen - low]
