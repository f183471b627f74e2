"""The doors of a concept set for other people's formats; each reader has a file of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd

from neurotrace.concepts import conllu, onesec, parallel, tables


class ForeignFormats:
    """Class methods that read a set from tables, treebanks, aligned lines and JSON files.

    Every one of them refuses what is wrong in one line with file and line, before a model is
    loaded.
    """

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        *,
        name: str = "unnamed",
        parallel: bool | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> Self:
        """Check a table and fold it to one row a sentence."""
        raise NotImplementedError

    @classmethod
    def from_table(
        cls,
        path: str | Path,
        *,
        columns: Mapping[str, str] | None = None,
        parallel: bool | None = None,
    ) -> Self:
        """Read a TSV, CSV or JSON-lines table with named columns.

        Parameters
        ----------
        columns
            Our names to the file's, such as ``{"lang": "language"}``; then only these columns and
            those that bear our names are read.
        parallel
            As in :meth:`from_frame`; unless None, it overrides what the file's header says.

        Raises
        ------
        ValueError
            With file and line.
        """
        header, table = tables.read_table(path, columns=columns)
        if parallel is not None:
            header["parallel"] = parallel
        return cls._named(Path(path), header, table)

    @classmethod
    def from_dataset(
        cls, dataset: Any, *, columns: Mapping[str, str] | None = None, name: str = "unnamed"
    ) -> Self:
        """Read one split of a Hugging Face ``datasets`` object.

        Raises
        ------
        ValueError
            With the row, or naming the splits where several are given.
        """
        header, table = tables.from_dataset(dataset, columns=columns)
        return cls.from_frame(table, name=name, header=header)

    @classmethod
    def from_onesec(
        cls,
        paths: onesec.Paths,
        *,
        lang: str | None = None,
        name: str = "onesec",
    ) -> Self:
        """Read OneSec or selfcond JSON files (Suau, Zappella & Apostoloff 2022).

        The languages are not parallel, and a file's own negatives are all that is judged.

        Parameters
        ----------
        paths
            A file, several, a folder, or a mapping from languages to any of these.
        lang
            The language of files that no mapping and no folder name gives one.

        Raises
        ------
        ValueError
            With the file and what is wrong.
        """
        header, table = onesec.read_onesec(paths, lang=lang)
        return cls.from_frame(table, header={"name": name, **header})

    @classmethod
    def from_parallel(
        cls,
        folder: str | Path,
        *,
        concepts: parallel.Concepts | None = None,
        pivot: str | None = None,
    ) -> Self:
        """Read a folder of aligned lines, one file a language, as FLORES-200 is distributed.

        Parameters
        ----------
        folder
            Holds one file a language, or one folder that does. A file is named by its language,
            in FLORES style or any ISO code, and ends in ``.dev``, ``.devtest``, ``.test``,
            ``.train`` (all files in the same of these) or ``.txt``: ``eng_Latn.dev``, ``de.txt``.
            UTF-8, one sentence a line, none of them empty; line n of every file says the same.
            Other files, those whose names begin with a dot, and README, LICENSE, CHANGELOG and
            NOTICE are passed over. The folder's name becomes the set's.
        concepts
            From concepts to line numbers (counted from 1) or to words of the pivot language, or
            the path of a TSV with columns ``concept`` and ``line``. None for a set without
            concepts, of which translations alone are asked.
        pivot
            The language whose lines are searched; needed for words.

        Raises
        ------
        FileNotFoundError
            When there is no such folder.
        ValueError
            With file and line.
        """
        header, table = parallel.read_parallel(folder, concepts=concepts, pivot=pivot)
        return cls.from_frame(table, header={"name": Path(folder).name, **header})

    @classmethod
    def from_conllu(
        cls,
        paths: Mapping[str, str | Path],
        *,
        lemmas: conllu.Lemmas,
        pivot: str | None = None,
        name: str = "conllu",
    ) -> Self:
        """Read treebanks that are parallel by ``sent_id``, such as those of Parallel UD.

        Parameters
        ----------
        paths
            From languages to CoNLL-U files.
        lemmas
            From concepts to lemmas of the pivot language, or to lemmas by language: then
            ``lexical`` is true to each language's own.

        Raises
        ------
        ValueError
            With file and line.
        """
        header, table = conllu.read_conllu(paths, lemmas=lemmas, pivot=pivot)
        return cls.from_frame(table, header={"name": name, **header})

    @classmethod
    def _named(cls, path: Path, header: Mapping[str, Any], table: pd.DataFrame) -> Self:
        """The set of a file: what is wrong with its rows is said with its name."""
        try:
            return cls.from_frame(table, name=path.stem, header=header)
        except ValueError as error:
            said = str(error)
            raise ValueError(
                said if said.startswith(path.name) else f"{path.name}: {said}"
            ) from None
