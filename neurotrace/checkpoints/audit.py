"""Is every checkpoint what its name says? A row a step, before anything is computed from it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from neurotrace.checkpoints.alike import differing, smaller
from neurotrace.checkpoints.copies import copies, main_mark, marks, said, shared_files
from neurotrace.checkpoints.deep import (
    OK,
    WORKERS,
    Found,
    Loss,
    Report,
    original,
    place_on_curve,
    weigh,
)
from neurotrace.checkpoints.headers import Entry, layout
from neurotrace.checkpoints.hub import files
from neurotrace.checkpoints.series import Checkpoint, gaps
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.checkpoints.wanted import weights_of
from neurotrace.checkpoints.weights import BrokenCheckpoint

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "stage", "step", "revision", "tokens", "weight_hash", "duplicate_of", "drift", "loss",
    "verdict", "detour", "note",
)  # fmt: skip
FINAL, MISSING = "serves the final weights", "missing"
REFUSED = ("copy of ", FINAL, "broken: ")


def audit(
    series: Sequence[Checkpoint],
    *,
    loss: Loss | None = None,
    deep: bool = False,
    shelf: Shelf | None = None,
    report: Report | None = None,
) -> "pd.DataFrame":
    """What each checkpoint of a series is, by its files; deep, by its weights too.

    Cheap, nothing is downloaded but listings and headers: files that are missing or have not the
    size their header says, tensors of other shapes, weights equal to another step's. Deep, every
    checkpoint that can be is read: hashes of all tensors, NaN, and whether each step lies on the
    path between its neighbours (:mod:`neurotrace.checkpoints.drift`).

    Parameters
    ----------
    series
        As :func:`neurotrace.checkpoints.find` gives it. Audit all of it, even where some is
        traced: what the last step holds and which steps are neighbours matters.
    loss
        Mean loss of a checkpoint on a few sentences, in nats a token, None where it has none;
        asked once its files are at hand, deep only, and never where they are not brought.
    deep
        Read the weights.
    shelf
        Brings remote checkpoints, one at a time. Without it nothing is downloaded, and deep reads
        samples of remote weights by ranges; files that only torch reads are left unread, which
        their note says.
    report
        Told of each checkpoint before its weights are read.

    Returns
    -------
    A row a step, missing ones included, sorted by stage and step. ``weight_hash``: of the tensors
    where they were read, else a mark of the files. ``duplicate_of``: step whose weights these are.
    ``drift``: distance from the step before, as a share of its norm. ``detour``: length of the way
    through this step between its neighbours, over the distance it spans: 1 for a straight line,
    √2 for a random walk. ``verdict``: ``ok``, ``copy of step N``, ``serves the final weights``,
    ``unmoved since step N`` (identical adjacent steps where training or a stage began, which may be
    true), ``off the curve``, ``broken: WHY`` or ``missing``. ``note``: what else a reader should
    know, such as where a step would fit.

    Raises
    ------
    HubError
        When the Hub does not answer.
    ValueError
        When a loss is given and deep is not: it needs the weights.
    """
    if loss is not None and not deep:
        raise ValueError("got a loss without deep=True; expected deep, since a loss needs weights")
    found = [Found() for _ in series]
    _headers(series, found)
    _marks(series, found)
    if deep:
        weigh(series, found, loss, shelf, report)
    _copies(series, found)
    if deep:
        for stage in sorted({checkpoint.stage for checkpoint in series}):
            place_on_curve(series, found, [at for at, c in enumerate(series) if c.stage == stage])
    return _table(series, found)


def refused(table: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of an audit that a trace refuses: copies, the final weights elsewhere, broken."""
    return table[table["verdict"].str.startswith(REFUSED)]


def _headers(series: Sequence[Checkpoint], found: list[Found]) -> None:
    """Layouts of all files, what is broken in them, and what differs from the others."""

    def look(checkpoint: Checkpoint) -> dict[str, Entry] | str | None:
        try:
            return layout(checkpoint)
        except BrokenCheckpoint as error:
            return str(error)

    with ThreadPoolExecutor(WORKERS) as pool:
        looks = list(pool.map(look, series))
    sizes: list[int | None] = []
    for checkpoint, one, seen in zip(series, found, looks, strict=True):
        unread = seen is None and checkpoint.remote is not None
        sizes.append(_listed_bytes(checkpoint) if unread else None)
        if isinstance(seen, str):
            one.broken = seen
        else:
            one.layout = seen
    unlike = smaller(sizes) | differing([one.layout for one in found])
    for at, why in unlike.items():
        found[at].broken = found[at].broken or why


def _marks(series: Sequence[Checkpoint], found: list[Found]) -> None:
    whole = [at for at, one in enumerate(found) if not one.broken]
    for at, mark in zip(whole, marks([series[at] for at in whole]), strict=True):
        found[at].mark = found[at].files = mark
    parts = shared_files([series[at] for at in whole])
    for at, why in parts.items():
        found[whole[at]].broken = why


def _copies(series: Sequence[Checkpoint], found: list[Found]) -> None:
    whole = [at for at, one in enumerate(found) if not one.broken]
    some = [series[at] for at in whole]
    known = [found[at].mark for at in whole]
    for at, copy in copies(some, known, best=lambda group: original(found, whole, group)).items():
        one, other = found[whole[at]], some[copy.of]
        one.duplicate_of = other.step
        one.verdict = {
            "copy": f"copy of {said(other)}",
            "final": FINAL,
            "unmoved": f"unmoved since {said(other)}",
        }[copy.how]
    for one in found:
        if one.broken:
            one.verdict = f"broken: {one.broken}"
    alone = [at for at in whole[:-1] if found[at].verdict == OK]
    main = main_mark(some) if alone else None
    for at in alone:
        if main is not None and found[at].files == main:
            found[at].notes.append("the branch main serves these weights too")


def _listed_bytes(checkpoint: Checkpoint) -> int:
    assert checkpoint.remote is not None
    listing = files(checkpoint.remote.repo, checkpoint.remote.commit)
    return sum(file.size for file in weights_of(listing))


def _table(series: Sequence[Checkpoint], found: Sequence[Found]) -> "pd.DataFrame":
    import pandas as pd

    rows = [
        (c.stage, c.step, c.revision, c.tokens, one.mark or None, one.duplicate_of, one.drift,
         one.loss, one.verdict, one.detour, "; ".join(one.notes))
        for c, one in zip(series, found, strict=True)
    ]  # fmt: skip
    rows += [
        (stage, step, None, None, None, None, np.nan, np.nan, MISSING, np.nan, "")
        for stage, step in gaps(series)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    kinds: dict[str, Any] = {"stage": int, "step": int, "tokens": "Int64", "duplicate_of": "Int64"}
    kinds |= dict.fromkeys(("drift", "loss", "detour"), float)
    return table.astype(kinds).sort_values(["stage", "step"], ignore_index=True)
