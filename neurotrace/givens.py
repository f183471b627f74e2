"""What the measures of a run's spaces need from outside: classes and distances of its languages,
translations of words and tokens. The user's own, the lab's, or what can be derived.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace import geometry
from neurotrace.config import TraceConfig
from neurotrace.store import ActivationStore
from neurotrace.trajectories.word_rows import Dictionaries
from neurotrace.vocabulary_words import TokenCounts, sentence_dictionaries, token_dictionary

if TYPE_CHECKING:
    from neurotrace.lab import Vocabulary
    from neurotrace.road import Road


@dataclass(frozen=True)
class Givens:
    """What the measures of a run's spaces share and need from outside.

    Attributes
    ----------
    road, store
        The trace, and what it captured.
    """

    road: "Road"
    store: ActivationStore

    @cached_property
    def strata(self) -> dict[str, str] | None:
        """Classes of the languages, where the user gives any."""
        file = self.road.config.strata
        return None if file is None else read_strata(Path(file), self.road.concepts.languages)

    @cached_property
    def distances(self) -> dict[str, pd.DataFrame]:
        """Language distances: the user's, the lab's, or from geography and family trees.

        Raises
        ------
        ValueError
            Where a language's place or family is not known, or the user's table lacks a pair.
        """
        file, languages = self.road.config.distances, self.road.concepts.languages
        if file is not None:
            return geometry.read_distances(file, languages=languages)
        if self.vocabulary is not None:
            from neurotrace.lab.typology import syntactic_distances

            return {"syntactic": syntactic_distances(languages)}
        return {
            "geographic": geometry.geographic(languages),
            "genetic": geometry.genetic(languages),
        }

    @cached_property
    def dictionaries(self) -> Dictionaries | None:
        """Word translations for every two languages: the user's, or the lab's; None without."""
        folder, languages = self.road.config.dictionary, self.road.concepts.languages
        if folder is not None:
            return read_dictionaries(Path(folder), languages)
        if self.vocabulary is None:
            return None
        table = self.vocabulary.translations()
        back = {"lang_a": "lang_b", "lang_b": "lang_a", "word_a": "word_b", "word_b": "word_a"}
        both = pd.concat([table, table.rename(columns=back)])
        return {
            (str(a), str(b)): {str(word): list(own) for word, own in words}
            for (a, b), pairs in both.groupby(["lang_a", "lang_b"])
            for words in [pairs.groupby("word_a")["word_b"]]
        }

    @cached_property
    def token_translations(self) -> dict[int, list[int]]:
        """Translations of tokens that are words: the lab's, the user's, or learned from the
        sentences, which must be parallel for it."""
        if self.vocabulary is not None:
            return self.vocabulary.token_translations()
        from neurotrace.capture import token_texts

        config, first = self.road.config, self.road.series[0]
        words = self.dictionaries or sentence_dictionaries(self.road.concepts)
        return token_dictionary(
            words, token_texts(first, trust_remote_code=config.trust_remote_code)
        )

    def token_classes(self, used: TokenCounts) -> NDArray[np.str_]:
        """``(vocab,)`` the language that uses a token most; of the lab's words also their role.

        Words of one role lie together whatever they mean, so a random translation must have the
        role of the true one where roles are known.
        """
        if self.vocabulary is None:
            return used.languages
        ids = self.vocabulary.tokenizer.get_vocab()
        roles = np.full(len(used.languages), "", dtype=object)
        table = self.vocabulary.table
        roles[table["word"].map(ids).to_numpy()] = table["kind"].to_numpy()
        return np.array([f"{lang} {role}" if lang else "" for lang, role in
                         zip(used.languages, roles, strict=True)])  # fmt: skip

    @cached_property
    def vocabulary(self) -> "Vocabulary | None":
        """The words of a lab whose own sentences are traced, where a grammar made them."""
        if not self.road.of_lab:
            return None
        from neurotrace import lab

        try:
            return lab.Vocabulary.of(self.road.config.source)
        except ValueError:  # its words come from a text
            return None


def refuse_unreadable(config: TraceConfig, languages: Sequence[str]) -> None:
    """Read every table that a configuration names, before anything is captured for it.

    Raises
    ------
    ValueError, FileNotFoundError
        For what is not as it should be, with file and line.
    """
    if config.strata is not None:
        read_strata(Path(config.strata), languages)
    if config.distances is not None:
        geometry.read_distances(config.distances, languages=languages)
    if config.dictionary is not None:
        read_dictionaries(Path(config.dictionary), languages)
    if config.tune is not None and config.tune not in languages:
        raise ValueError(f"got --tune {config.tune}; valid are {', '.join(languages)}")
    if config.tune_texts is not None and not Path(config.tune_texts).exists():
        raise FileNotFoundError(f"got no {config.tune_texts}; expected a file or folder of texts")


def read_strata(file: Path, languages: Sequence[str]) -> dict[str, str]:
    """Language → class, from a table with the columns lang and stratum.

    Raises
    ------
    ValueError
        For other columns, a language twice, or one of ``languages`` that is not there.
    """
    table = pd.read_csv(file, sep="\t" if file.suffix == ".tsv" else ",", dtype=str)
    if not {"lang", "stratum"} <= set(table.columns):
        got = ", ".join(map(str, table.columns))
        raise ValueError(f"{file.name}: got columns {got}; expected lang and stratum")
    twice = table["lang"][table["lang"].duplicated()].tolist()
    lacking = [lang for lang in languages if lang not in set(table["lang"])]
    if twice or lacking or table["stratum"].isna().any():
        told = f"{twice[0]} twice" if twice else f"no stratum of {(lacking or ['some'])[0]}"
        raise ValueError(f"{file.name}: got {told}; expected one of each language")
    return dict(zip(table["lang"], table["stratum"], strict=True))


def read_dictionaries(folder: Path, languages: Sequence[str]) -> Dictionaries:
    """Files ``LANG-LANG.txt`` of word pairs, for every two languages in at least one direction.

    Raises
    ------
    ValueError
        Naming the pair that has no file; with file and line for a line that is no pair.
    """
    found = {}
    for a, b in permutations(languages, 2):
        own, other = (folder / f"{x}-{y}.txt" for x, y in ((a, b), (b, a)))
        if not own.is_file() and not other.is_file():
            raise ValueError(f"{folder.name}: got no {own.name}; expected one for every two")
        found[a, b] = (
            geometry.read_muse(own) if own.is_file() else _turned(geometry.read_muse(other))
        )
    return found


def _turned(dictionary: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The same pairs from target to source."""
    turned: dict[str, list[str]] = {}
    for source, targets in dictionary.items():
        for target in targets:
            turned.setdefault(target, []).append(source)
    return turned
