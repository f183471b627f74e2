"""ConceptSet: one row a sentence, its language, its meaning-sharing group and its concepts.

The file form is JSON lines, UTF-8: first a header object (``name``, ``languages``, ``parallel``
and whatever a data card says), then one object a sentence with ``group``, ``lang``, ``text`` and
``concept`` or ``concepts``, and optionally ``lexical``, ``cognate`` and ``negative_for``.
"""

import hashlib
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.concepts import rows
from neurotrace.splits import halves


@dataclass(frozen=True, eq=False)
class ConceptSet:
    """Sentences with concepts, checked once and never changed.

    A set is *parallel* when every group stands in every language; a header with
    ``"parallel": false`` says that it is not. Positives of a concept are the sentences that carry
    it; its negatives are all others of the same language, unless rows name the concepts they are
    negatives for (``negative_for``): then only those.

    Attributes
    ----------
    frame
        One row a sentence: ``group lang text concepts lexical cognate`` and, where the source has
        it, ``negative_for``.
    header
        What the file says of itself.
    """

    frame: pd.DataFrame
    header: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, name_or_path: str | Path) -> "ConceptSet":
        """Read a set from a path, or by the name of one that comes with neurotrace.

        Raises
        ------
        FileNotFoundError
            Listing every place looked in.
        ValueError
            With file, line and what is wrong.
        """
        path = _locate(name_or_path)
        header, table = rows.read(path)
        try:
            return cls.from_frame(table, header=header)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        *,
        name: str = "unnamed",
        parallel: bool = True,
        header: Mapping[str, Any] | None = None,
    ) -> "ConceptSet":
        """Check a table and fold it to one row a sentence.

        Parameters
        ----------
        df
            Columns ``group lang text`` and ``concept`` (long form, folded) or ``concepts``.
        parallel
            Whether every group must stand in every language; a header's own word goes first.
        header
            Overrides ``name`` and ``parallel``.

        Raises
        ------
        ValueError
            For an empty sentence, a duplicate row, a missing language or group, or a concept
            without positives or without negatives in some language.
        """
        head = {"name": name, "parallel": parallel, **(header or {})}
        frame = rows.fold(df)
        languages = list(head.get("languages") or pd.unique(frame["lang"]))
        rows.check(frame, languages=languages, parallel=bool(head["parallel"]))
        made = cls(frame, {**head, "languages": languages})
        rows.check_negatives(made.labels(), made.frame, made.concepts)
        return made

    @property
    def name(self) -> str:
        """The set's own name."""
        return str(self.header["name"])

    @property
    def languages(self) -> list[str]:
        """Language codes, in the header's order."""
        return list(self.header["languages"])

    @cached_property
    def concepts(self) -> list[str]:
        """Concept names, sorted."""
        return sorted({concept for named in self.frame["concepts"] for concept in named})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the rows say, in order; the header does not count."""
        lines = [_canonical(row) for row in rows.records(self.frame)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def labels(self) -> NDArray[np.int8]:
        """``(example, concept)``: 1 carries the concept, 0 does not, −1 not judged."""
        index = {concept: column for column, concept in enumerate(self.concepts)}
        labels = np.zeros((len(self.frame), len(index)), dtype=np.int8)
        if "negative_for" in self.frame:
            labels[:] = self._judged(index)
        for row, named in enumerate(self.frame["concepts"]):
            labels[row, [index[concept] for concept in named]] = 1
        return labels

    def select(
        self, *, languages: Sequence[str] | None = None, concepts: Sequence[str] | None = None
    ) -> "ConceptSet":
        """The same set in some languages, or judged for some concepts only.

        Sentences of concepts that are not selected stay: they are the negatives of those that are.

        Raises
        ------
        ValueError
            When a language or concept is asked for that the set lacks, naming those it has.
        """
        frame, header = self.frame, dict(self.header)
        if languages is not None:
            languages = list(dict.fromkeys(languages))
            _refuse_unknown("language", languages, self.languages)
            frame = frame[frame["lang"].isin(list(languages))]
            header["languages"] = list(languages)
        if concepts is not None:
            _refuse_unknown("concept", concepts, self.concepts)
            wanted = set(concepts)
            kept = [tuple(c for c in named if c in wanted) for named in frame["concepts"]]
            frame = frame.assign(concepts=pd.Series(kept, index=frame.index, dtype=object))
        return ConceptSet.from_frame(frame.reset_index(drop=True), header=header)

    def halves(self, n_splits: int = 20, *, seed: int = 0) -> NDArray[np.bool_]:
        """``(split, example)`` bool, True is half A; see :func:`neurotrace.splits.halves`."""
        return halves(self.frame["group"], self.labels(), n_splits=n_splits, seed=seed)

    def to_jsonl(self, path: str | Path) -> Path:
        """Write the file form, under a temporary name first."""
        path = Path(path)
        lines = [json.dumps(dict(self.header), ensure_ascii=False)]
        lines += [_canonical(row) for row in rows.records(self.frame)]
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return partial.replace(path)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        groups = self.frame["group"].nunique()
        return (
            f"ConceptSet({self.name!r}: {len(self)} sentences, {groups} groups, "
            f"{len(self.concepts)} concepts, {len(self.languages)} languages)"
        )

    def _judged(self, index: Mapping[str, int]) -> NDArray[np.int8]:
        judged = np.full((len(self.frame), len(index)), -1, dtype=np.int8)
        for row, named in enumerate(self.frame["negative_for"]):
            judged[row, [index[concept] for concept in named if concept in index]] = 0
        return judged


def _canonical(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(", ", ": "))


def _refuse_unknown(kind: str, asked: Sequence[str], valid: Sequence[str]) -> None:
    unknown = [name for name in asked if name not in valid]
    if unknown:
        raise ValueError(f"got {kind} {', '.join(unknown)}; the set has {', '.join(valid)}")


def _locate(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.is_file():
        return path
    name = unicodedata.normalize("NFC", f"{name_or_path}.jsonl")
    shipped = [
        Path(__file__).parents[2] / "data" / "concepts" / name,
        Path(sys.prefix) / "share" / "neurotrace" / "concepts" / name,
    ]
    for candidate in shipped:
        if candidate.is_file():
            return candidate
    looked = ", ".join(str(place) for place in [path, *shipped])
    raise FileNotFoundError(f"got concept set {str(name_or_path)!r}; looked in {looked}")
