"""ConceptSet: one row a sentence, its language, its meaning-sharing group and its concepts.

The file form is JSON lines, UTF-8: first a header object (``name``, ``languages``, ``parallel``
and whatever a data card says), then one object a sentence with ``group``, ``lang``, ``text`` and
``concept`` or ``concepts``, and optionally ``lexical``, ``cognate`` and ``negative_for``.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.concepts import languages, onesec, romanise, rows, shipped, tables
from neurotrace.concepts.foreign import ForeignFormats
from neurotrace.concepts.negatives import balance, count, uneven
from neurotrace.splits import halves

READERS: Mapping[str, Callable[[Path], tuple[dict[str, Any], pd.DataFrame]]] = {
    **dict.fromkeys((".tsv", ".tab", ".csv", ".jsonl", ".ndjson"), tables.read_table),
    ".json": onesec.read_onesec,
}


@dataclass(frozen=True, eq=False)
class ConceptSet(ForeignFormats):
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

        JSON lines with a header, tables with named columns (``.tsv``, ``.csv``, ``.jsonl``) and
        OneSec's ``.json`` are told apart by their endings.

        Raises
        ------
        FileNotFoundError
            Listing every place looked in.
        ValueError
            With file, line and what is wrong.
        """
        path = shipped.locate(name_or_path)
        if path.suffix.lower() not in READERS:
            raise ValueError(f"got {path.name}; valid are files ending in {', '.join(READERS)}")
        header, table = READERS[path.suffix.lower()](path)
        return cls._named(path, header, table)

    @staticmethod
    def names() -> list[str]:
        """The sets that come with neurotrace, by name."""
        return shipped.names()

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        *,
        name: str = "unnamed",
        parallel: bool | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> "ConceptSet":
        """Check a table and fold it to one row a sentence.

        Parameters
        ----------
        df
            Columns ``group lang text`` and ``concept`` (long form, folded) or ``concepts``;
            ``origin``, where a reader gives it, says in errors where a row stands.
        parallel
            Whether every group must stand in every language. None: it must, unless no group
            stands in two.
        header
            Overrides ``name`` and ``parallel``. With ``concept_free: true`` no row need have a
            concept: such a set serves whatever asks only for translations.

        Raises
        ------
        ValueError
            For an empty sentence, a duplicate row, a missing language or group, or a concept
            without positives or without negatives in some language.
        """
        head = {"name": name, "parallel": parallel, **(header or {})}
        declared = [str(lang) for lang in head.get("languages") or ()]
        frame = rows.fold(df, declared=declared)
        named = [languages.code(lang, declared=declared) for lang in declared]
        named = list(dict.fromkeys(named)) or list(pd.unique(frame["lang"]))
        if head["parallel"] is None:
            head["parallel"] = bool((frame.groupby("group")["lang"].nunique() > 1).any())
        rows.check(frame, languages=named, parallel=bool(head["parallel"]))
        made = cls(frame.drop(columns="origin", errors="ignore"), {**head, "languages": named})
        if made.concepts or not head.get("concept_free"):
            rows.check_negatives(made.labels(), frame, made.concepts)
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
        self,
        *,
        languages: str | Sequence[str] | None = None,
        concepts: str | Sequence[str] | None = None,
    ) -> "ConceptSet":
        """The same set in some languages, or judged for some concepts only.

        Sentences of concepts that are not selected stay: where the set judges no negatives of its
        own, they are the negatives of those that are. A single name may be given as it is.

        Raises
        ------
        ValueError
            When a language or concept is asked for that the set lacks, naming those it has.
        """
        frame, header = self.frame, dict(self.header)
        if languages is not None:
            wanted_langs = self._own(languages)
            frame = frame[frame["lang"].isin(wanted_langs)]
            header["languages"] = wanted_langs
        if concepts is not None:
            wanted = {concepts} if isinstance(concepts, str) else set(concepts)
            _refuse_unknown("concept", sorted(wanted), self.concepts)
            kept = [tuple(c for c in named if c in wanted) for named in frame["concepts"]]
            frame = frame.assign(concepts=pd.Series(kept, index=frame.index, dtype=object))
        return ConceptSet.from_frame(frame.reset_index(drop=True), header=header)

    def halves(self, n_splits: int = 20, *, seed: int = 0) -> NDArray[np.bool_]:
        """``(split, example)`` bool, True is half A: by group, even in each concept, in
        ``lexical`` and, where languages share no groups, in each language; see
        :func:`neurotrace.splits.halves`."""
        even = self.labels()
        if not self.header["parallel"]:
            langs = self.frame["lang"].to_numpy()
            even = np.hstack([even, langs[:, None] == np.array(self.languages)])
        strata = self.frame["lexical"]
        return halves(self.frame["group"], even, strata=strata, n_splits=n_splits, seed=seed)

    @property
    def n_judged(self) -> dict[tuple[str, str, str], int]:
        """Sentences by (concept, lang, ``positives`` or ``negatives``)."""
        return count(self.labels(), self.frame["lang"], self.concepts)

    @property
    def twins(self) -> list[str]:
        """Languages that are romanised twins of others, see :meth:`romanised`."""
        return [lang for lang in self.header.get("romanised", ()) if lang in self.languages]

    @property
    def notes(self) -> list[str]:
        """What a reader of results must know of how the sentences were put together."""
        notes = [] if self.header["parallel"] else ["the sentences are not parallel"]
        if "balanced" in self.header:
            seed = self.header["balanced"]["seed"]
            notes.append(
                f"positives and negatives were drawn with seed {seed}, equally many in every "
                "language"
            )
        if self.twins:
            notes.append(f"{', '.join(self.twins)} are romanised twins")
        return notes

    @property
    def uneven(self) -> list[str]:
        """Concepts whose positives or negatives differ in number between languages."""
        which = uneven(self.labels(), self.frame["lang"])
        return [concept for concept, yes in zip(self.concepts, which, strict=True) if yes]

    def balanced(
        self, *, positives: int | None = None, negatives: int | None = None, seed: int = 0
    ) -> "ConceptSet":
        """The same number of positives, and of negatives, of each concept in every language.

        Negatives are drawn from the set's own (``negative_for``) or, without these, from the
        other concepts' sentences of the same language; in a parallel set they are the same groups
        in every language. What is not drawn for a concept is not judged for it, and sentences
        that no concept drew are left out. The header records the draw under ``balanced``.

        Parameters
        ----------
        positives, negatives
            How many in each language; None takes as many as the poorest language has.
        seed
            The same seed draws the same sentences.

        Raises
        ------
        ValueError
            When a language has fewer than asked for.
        """
        frame = balance(
            self.frame, self.labels(), self.concepts,
            positives=positives, negatives=negatives, seed=seed,
        )  # fmt: skip
        record = {"positives": positives, "negatives": negatives, "seed": seed}
        return ConceptSet.from_frame(frame, header={**self.header, "balanced": record})

    def romanised(self, languages: str | Sequence[str]) -> "ConceptSet":
        """The set with romanised twins of some languages (``rus_Latn`` beside ``rus_Cyrl``).

        A neuron of a script falls silent on the twin, a neuron of a language does not. See
        :mod:`neurotrace.concepts.romanise` for what uroman cannot know. The twins are for
        :func:`neurotrace.capture.run` and the probes; ``python -m neurotrace.trace`` leaves them
        out unless they are named, since a language and its twin agree for the language's sake.

        Raises
        ------
        ImportError
            When the extra ``language`` is not installed.
        ValueError
            For a language that the set lacks or that is in Latin letters.
        """
        langs = self._own(languages)
        frame = pd.concat([self.frame, romanise.twins(self.frame, langs)], ignore_index=True)
        twins = [romanise.twin_of(lang) for lang in langs]
        header = {**self.header, "languages": [*self.languages, *twins], "romanised": twins}
        return ConceptSet.from_frame(frame, header=header)

    def to_jsonl(self, path: str | Path) -> Path:
        """Write the file form, under a temporary name first."""
        path = Path(path).expanduser()
        lines = [json.dumps(dict(self.header), ensure_ascii=False)]
        lines += [_canonical(row) for row in rows.records(self.frame)]
        # Several processes may write the same at once; each its own file.
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
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

    def _own(self, given: str | Sequence[str]) -> list[str]:
        """The set's codes of languages given in any form, each once.

        Raises
        ------
        ValueError
            When the set lacks one.
        """
        named = [given] if isinstance(given, str) else given
        own = [
            lang if lang in self.languages else languages.code(lang, declared=[lang])
            for lang in named
        ]
        _refuse_unknown("language", own, self.languages)
        return list(dict.fromkeys(own))

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
