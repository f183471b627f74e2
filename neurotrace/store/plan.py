"""What a file is to hold, and whether an unfinished one was begun for the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.store import layout
from neurotrace.store.layout import Key, Spec, StoreMismatch
from neurotrace.store.match import equal
from neurotrace.store.sums import TABLES

# Attributes that may differ between a start and its resumption.
UNCOMPARED = frozenset({"n_done", "packages", TABLES})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a file is to hold; see :meth:`neurotrace.store.CheckpointWriter.open`."""

    header: Mapping[str, Any]
    examples: pd.DataFrame
    labels: NDArray[np.int8]
    concepts: Sequence[str]
    arrays: Mapping[Key, Spec]
    tokens: pd.DataFrame | None = None
    words: pd.DataFrame | None = None
    languages: Sequence[str] | None = None
    loss: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        missing = {"group", "lang"} - set(self.examples.columns)
        if missing:
            raise ValueError(f"got examples without {', '.join(sorted(missing))}")
        expected = (len(self.examples), len(self.concepts))
        if np.shape(self.labels) != expected:
            raise ValueError(f"got labels {np.shape(self.labels)}; expected {expected}")
        if not self.arrays or len(self.examples) == 0:
            raise ValueError("got nothing to write; expected a dataset and a sentence at least")
        for path in (path for path, _ in self.arrays if layout.table_of(path) not in self.tables):
            what = layout.table_of(path).removesuffix("s")
            raise ValueError(f"got path {path!r} without a {what} table; expected one")

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes, without those that are unknown."""
        given = {name: value for name, value in self.header.items() if value is not None}
        return {"format": layout.FORMAT, "version": layout.VERSION} | given

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Row tables by name; a loss that is still to come is NaN."""
        tables = {"examples": self.examples}
        if self.tokens is not None:
            tables["tokens"] = self.tokens
        if self.words is not None:
            tables["words"] = self.words
        if self.loss is not None:
            tables["loss"] = self.loss.assign(nats=np.full(len(self.loss), np.nan))
        return tables

    @property
    def names(self) -> dict[str, list[str]]:
        """Concepts and languages, in set order."""
        languages = self.languages or list(pd.unique(self.examples["lang"]))
        return {"concepts": list(self.concepts), "languages": list(languages)}

    @property
    def n_bytes(self) -> int:
        """Size of the file, rounded up."""
        return layout.bytes_needed(
            self.arrays,
            n_examples=len(self.examples),
            n_tokens=0 if self.tokens is None else len(self.tokens),
            n_words=0 if self.words is None else len(self.words),
        )


def refuse_other(file: Path, h5: h5py.File, plan: Plan) -> None:
    """Refuse to go on with a file that was started for something else.

    Raises
    ------
    StoreMismatch
        Naming what differs.
    """
    wanted = plan.attributes
    differing = [
        f"{name} (there {h5.attrs.get(name, 'none')}, here {wanted.get(name, 'none')})"
        for name in sorted((set(h5.attrs) | set(wanted)) - UNCOMPARED)
        if not equal(h5.attrs.get(name), wanted.get(name))
    ]
    names = {layout.dataset_name(*key): spec for key, spec in plan.arrays.items()}
    if set(h5["checksums"].attrs["datasets"]) != set(names):
        differing.append("what is captured")
    elif any(_spec(h5[name]) != (s[0], np.dtype(s[1])) for name, s in names.items()):
        differing.append("width or dtype")
    if not np.array_equal(h5["labels"][...], plan.labels):
        differing.append("labels")
    for name, table in plan.tables.items():
        columns = [c for c in table.columns if c != "nats"]
        if name not in h5 or not layout.read_table(h5, name)[columns].equals(
            _plain(table[columns])
        ):
            differing.append(name)
    if differing:
        raise StoreMismatch(f"{file.name} was started with another {', '.join(differing)}")


def _spec(dataset: h5py.Dataset) -> tuple[int, np.dtype]:
    return int(dataset.shape[1]), dataset.dtype


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table as it reads back: text as objects, a fresh index."""
    columns = {}
    for name in table.columns:
        values = np.asarray(table[name])
        if values.dtype.kind in "OUST":
            values = np.asarray([str(value) for value in values], dtype=object)
        columns[name] = values
    return pd.DataFrame(columns)
