"""The same number of positives and of judged negatives in every language.

Average precision depends on the share of positives, so that it may be compared between languages
only where they have equally many of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Drawn:
    """A concept's sentences after the draw: row numbers of its positives and its negatives."""

    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]


def balance(
    frame: pd.DataFrame,
    labels: NDArray[np.int8],
    concepts: Sequence[str],
    *,
    positives: int | None = None,
    negatives: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The table with what :func:`draw` drew: ``concepts`` and ``negative_for`` hold no more.

    Sentences that no concept drew are left out.
    """
    drawn = draw(labels, frame, concepts, positives=positives, negatives=negatives, seed=seed)
    own: list[list[str]] = [[] for _ in range(len(frame))]
    against: list[list[str]] = [[] for _ in range(len(frame))]
    for concept, rows in zip(concepts, drawn, strict=True):
        for row in rows.positives:
            own[row].append(concept)
        for row in rows.negatives:
            against[row].append(concept)
    kept = [bool(a or b) for a, b in zip(own, against, strict=True)]
    made = frame.assign(concepts=pd.Series(own), negative_for=pd.Series(against))
    return made[kept].reset_index(drop=True)


def count(
    labels: NDArray[np.int8], langs: pd.Series, concepts: Sequence[str]
) -> dict[tuple[str, str, str], int]:
    """Sentences by (concept, lang, ``positives`` or ``negatives``)."""
    both = {"positives": _counts(labels, langs, 1), "negatives": _counts(labels, langs, 0)}
    return {
        (concept, str(lang), what): int(counts[row, column])
        for column, concept in enumerate(concepts)
        for row, lang in enumerate(pd.unique(langs))
        for what, counts in both.items()
    }


def uneven(labels: NDArray[np.int8], langs: pd.Series) -> NDArray[np.bool_]:
    """``(concept,)``: whether a concept's positives or negatives differ between languages."""
    counts = np.stack([_counts(labels, langs, wanted) for wanted in (1, 0)])
    return (counts.min(1) < counts.max(1)).any(0)


def draw(
    labels: NDArray[np.int8],
    frame: pd.DataFrame,
    concepts: Sequence[str],
    *,
    positives: int | None = None,
    negatives: int | None = None,
    seed: int = 0,
) -> list[Drawn]:
    """Draw each concept's sentences, equally many in every language.

    The groups are put into one seeded random order for each concept, and every language takes its
    first ones: in a parallel set those are the same groups everywhere.

    Parameters
    ----------
    labels
        ``(example, concept)``: 1 positive, 0 negative, −1 not judged.
    frame
        Columns ``group lang``, one row a sentence.
    positives, negatives
        How many in each language; None takes as many as the poorest language has.

    Raises
    ------
    ValueError
        When a language has fewer than asked for, naming the concept and the language.
    """
    group = np.unique(frame["group"], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    made = []
    for column, concept in enumerate(concepts):
        place = rng.permutation(group.max() + 1)[group]
        both = []
        for wanted, asked, what in ((1, positives, "positives"), (0, negatives, "negatives")):
            counts = _counts(labels[:, [column]], frame["lang"], wanted)[:, 0]
            number = int(counts.min()) if asked is None else asked
            if not 0 < number <= counts.min():
                poorest = pd.unique(frame["lang"])[int(counts.argmin())]
                raise ValueError(
                    f"got {number} {what} asked for; {poorest} has {counts.min()} of "
                    f"{concept!r}, expected 1 to {counts.min()}"
                )
            both.append(_first(labels[:, column] == wanted, place, frame["lang"], number))
        made.append(Drawn(*both))
    return made


def _counts(labels: NDArray[np.int8], langs: pd.Series, wanted: int) -> NDArray[np.intp]:
    """``(lang, concept)``: sentences with one label."""
    rows = [(langs == lang).to_numpy() for lang in pd.unique(langs)]
    return np.stack([(labels[own] == wanted).sum(0) for own in rows])


def _first(
    candidates: NDArray[np.bool_], place: NDArray[np.intp], langs: pd.Series, number: int
) -> NDArray[np.intp]:
    """Row numbers: in each language the candidates whose groups come first."""
    kept = []
    for lang in pd.unique(langs):
        own = np.flatnonzero(candidates & (langs == lang).to_numpy())
        kept.append(own[np.argsort(place[own], kind="stable")[:number]])
    return np.sort(np.concatenate(kept))
