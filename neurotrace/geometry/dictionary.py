"""Which words translate which: read from files, or learned from sentences and translations.

A dictionary maps a source word to its translations, best first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Sentences = Sequence[Sequence[str]]
COLUMNS = ["source", "target", "probability", "count"]


class Dictionary(Mapping[str, tuple[str, ...]]):
    """Translations of each source word, best first, with what is known of each pair.

    Attributes
    ----------
    table
        One row a pair, words in alphabetical order and their translations best first: ``source
        target probability count``; ``probability`` of the target given the source, NaN where the
        origin does not tell, and ``count``, the links or sentences it rests on.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        pairs = zip(table["source"], table["target"], strict=True)
        held: dict[str, list[str]] = {}
        for source, target in pairs:
            held.setdefault(source, []).append(target)
        self._held = {word: tuple(targets) for word, targets in held.items()}

    def __getitem__(self, word: str) -> tuple[str, ...]:
        return self._held[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"Dictionary({len(self)} words, {len(self.table)} pairs)"


def read_muse(path: str | Path, *, lower: bool = True) -> Dictionary:
    """Read a file of word pairs, one a line: ``dog Hund``, parted by white space.

    Parameters
    ----------
    path
        Lines of a source and a target word, the better translation first; a third column, where
        there is one, is the probability, by which the translations are then ordered. Empty lines
        are skipped, and a pair that is repeated counts once, where it stands first.
    lower
        Lower-case both words, as captured words are.

    Raises
    ------
    ValueError
        For a line that is no pair, naming file and line, and for a file without any.

    References
    ----------
    Conneau et al. 2018, "Word translation without parallel data" (the MUSE dictionaries).
    """
    path = Path(path)
    rows, given = [], 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        source, target, probability = _pair(line, f"{path.name}, line {number}")
        given += not np.isnan(probability)
        words = (source.lower(), target.lower()) if lower else (source, target)
        rows.append((*words, probability, 1))
    if not rows:
        raise ValueError(f"got {path.name} without a line; expected pairs such as 'dog Hund'")
    if 0 < given < len(rows):
        raise ValueError(f"got {path.name} with a probability in {given} of {len(rows)} lines")
    table = pd.DataFrame(rows, columns=COLUMNS).drop_duplicates(["source", "target"])
    return Dictionary(_ordered(table, "probability" if given else None))


def read_alignments(
    source: Sentences, target: Sentences, links: Iterable[str], *, min_count: int = 1
) -> Dictionary:
    """A dictionary counted from word alignments in the form ``0-0 1-2 2-1``.

    Parameters
    ----------
    source, target
        The words of each sentence and of its translation.
    links
        One line a sentence pair: positions of linked words, from 0, as FastAlign and eflomal write
        them. A path is opened by the caller: ``Path("forward.align").read_text().splitlines()``.
    min_count
        Links that a pair needs.

    Returns
    -------
    ``probability`` is the share of the source word's links; ``count`` the links of the pair.

    Raises
    ------
    ValueError
        For unequal numbers of sentences, a link that is none, or one beyond its sentence, naming
        the line.

    References
    ----------
    Mousi et al. 2024 count FastAlign's links. Their code cuts fields at ``|||`` and takes the
    first n lines of a word unsorted; here pairs are sorted and a word may hold a bar.

    Examples
    --------
    >>> found = read_alignments([["the", "dog"]], [["der", "Hund"]], ["0-0 1-1"])
    >>> found["dog"]
    ('Hund',)
    """
    lines = list(links)
    if not len(source) == len(target) == len(lines):
        raise ValueError(
            f"got {len(source)} source and {len(target)} target sentences and {len(lines)} "
            "lines of links; expected one each"
        )
    pairs = [
        pair
        for number, row in enumerate(zip(source, target, lines, strict=True), start=1)
        for pair in _linked(*row, where=f"line {number}")
    ]
    counts = pd.DataFrame(pairs, columns=COLUMNS[:2]).value_counts().rename("count").reset_index()
    counts["probability"] = counts["count"] / counts.groupby("source")["count"].transform("sum")
    return Dictionary(_ordered(counts[counts["count"] >= min_count], "probability"))


def _pair(line: str, where: str) -> tuple[str, str, float]:
    cells = line.split()
    try:
        if len(cells) not in (2, 3):
            raise ValueError
        probability = float(cells[2]) if len(cells) == 3 else np.nan
        if len(cells) == 3 and not 0 <= probability <= 1:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{where}: got {line.strip()[:60]!r}; expected two words, and at most a probability"
        ) from None
    return cells[0], cells[1], probability


def _linked(
    source: Sequence[str], target: Sequence[str], line: str, *, where: str
) -> Iterator[tuple[str, str]]:
    for link in line.split():
        left, dash, right = link.partition("-")
        if not (dash and left.isascii() and left.isdigit() and right.isascii() and right.isdigit()):
            raise ValueError(f"{where}: got link {link!r}; expected two positions such as 0-2")
        at, to = int(left), int(right)
        if at >= len(source) or to >= len(target):
            raise ValueError(
                f"{where}: got link {link!r} for sentences of {len(source)} and {len(target)} "
                "words; expected positions from 0"
            )
        yield source[at], target[to]


def _ordered(table: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Words in alphabetical order; translations best first, equal ones by count, then name."""
    keys, up = ["source"], [True]
    if by is not None:
        keys, up = ["source", by, "count", "target"], [True, False, False, True]
    ordered = table.sort_values(keys, ascending=up, kind="stable")
    return ordered[[*COLUMNS, *ordered.columns.difference(COLUMNS)]].reset_index(drop=True)


def ordered_dictionary(
    source: NDArray, target: NDArray, probability: NDArray, count: NDArray, score: NDArray
) -> Dictionary:
    """A dictionary of these pairs, the higher score first."""
    table = pd.DataFrame(
        {"source": source, "target": target, "probability": probability, "count": count}
    ).assign(score=score)
    return Dictionary(_ordered(table, "score"))
