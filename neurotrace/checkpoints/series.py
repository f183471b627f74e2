"""Checkpoints in the order of their training, what is chosen of them, and what is missing."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neurotrace.checkpoints.gaps import regular_gaps
from neurotrace.checkpoints.remote import Remote

VALID = "valid are all, 0,64,512, 64:1024, ::2 and log:12"


@dataclass(frozen=True)
class Checkpoint:
    """One saved state of one training run.

    Attributes
    ----------
    model
        Name of the series: the folder or repository it was found in.
    step
        Optimiser updates.
    path
        Local folder with config, weights and tokenizer. For a checkpoint on the Hub, where its
        snapshot lies in the cache, or will lie once it is brought.
    stage
        Training stage, for suites that have several.
    tokens
        Training tokens seen, where the name or the suite says so.
    revision
        The series' own name of this checkpoint.
    tokenizer
        Folder of the tokenizer where it is another one than ``path``.
    remote
        Where on the Hub it comes from; None for a local folder.
    """

    model: str
    step: int
    path: Path
    stage: int = 0
    tokens: int | None = None
    revision: str | None = None
    tokenizer: Path | None = None
    remote: Remote | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """``step512``, or ``stage1-step512`` where there are stages."""
        return f"stage{self.stage}-step{self.step}" if self.stage else f"step{self.step}"

    def __str__(self) -> str:
        return self.label


class Series(list[Checkpoint]):
    """The checkpoints of one run, sorted by (stage, step): a list that knows what it lacks.

    Parameters
    ----------
    checkpoints
        In any order.
    absent
        (stage, step) of those that should be there and are not.
    notes
        Sentences about what was left out or taken for granted, for people to read.
    empty
        (stage, step) of names that hold no weights; they are absent too.

    Raises
    ------
    ValueError
        When two checkpoints have the same stage and step.
    """

    def __init__(
        self,
        checkpoints: Iterable[Checkpoint] = (),
        absent: Iterable[tuple[int, int]] = (),
        notes: Iterable[str] = (),
        empty: Iterable[tuple[int, int]] = (),
    ):
        super().__init__(sorted(checkpoints, key=_place))
        _refuse_twins(self)
        there = {_place(checkpoint) for checkpoint in self}
        self.notes, self.empty = tuple(notes), tuple(sorted(set(empty) - there))
        self.absent = tuple(sorted({*absent, *self.empty} - there))


def gaps(series: Sequence[Checkpoint]) -> list[tuple[int, int]]:
    """The (stage, step) that a series should have and lacks, sorted.

    Known from the suite's published schedule, the steps of a suite's file, a name without weights,
    or else, stage by stage, from a regular grid with a hole. Of a selection, those gaps that its
    ranges cover.
    """
    if isinstance(series, Series):
        return list(series.absent)
    return grid_gaps(series)


def grid_gaps(series: Sequence[Checkpoint]) -> list[tuple[int, int]]:
    """The holes of a regular grid, stage by stage."""
    stages = sorted({checkpoint.stage for checkpoint in series})
    return [
        (stage, step)
        for stage in stages
        for step in regular_gaps([c.step for c in series if c.stage == stage])
    ]


def select(series: Sequence[Checkpoint], selection: str) -> list[Checkpoint]:
    """Part of a series, by steps.

    Parameters
    ----------
    selection
        ``"all"``; a list ``"0,64,512"``; a range of steps, both ends included, ``"64:1024"``,
        ``":512"``; every n-th checkpoint ``"::2"``; ``"log:12"``, twelve as evenly as they come
        on a logarithmic axis of steps (of all stages on end), the first and the last among them.
        Commas join several of these.

    Raises
    ------
    ValueError
        For a step that the series lacks, or a selection that is empty or cannot be read.
    """
    chosen: set[int] = set()
    covered: set[tuple[int, int]] = set()
    for part in selection.split(","):
        chosen |= _chosen(series, part.strip())
        covered |= _covered(gaps(series), part.strip())
    if not chosen:
        raise ValueError(f"got checkpoints {selection!r}, which selects none of {_steps(series)}")
    picked = [series[index] for index in sorted(chosen)]
    return Series(picked, covered, getattr(series, "notes", ()))


def _chosen(series: Sequence[Checkpoint], part: str) -> set[int]:
    if part in ("all", ""):
        return set(range(len(series)))
    bounds = _bounds(part)
    if bounds:
        low, high, every = bounds
        inside = [index for index, c in enumerate(series) if low <= c.step <= high]
        return set(inside[::every])
    spread = re.fullmatch(r"log:(\d+)", part)
    if spread:
        return _log_spaced([checkpoint.step for checkpoint in series], int(spread[1]))
    if not part.isdigit():
        raise ValueError(f"got checkpoints {part!r}; {VALID}")
    found = {index for index, checkpoint in enumerate(series) if checkpoint.step == int(part)}
    if not found:
        raise ValueError(f"got checkpoint {part}; the series has {_steps(series)}")
    return found


def _covered(absent: Sequence[tuple[int, int]], part: str) -> set[tuple[int, int]]:
    """Gaps that a part of a selection would have wanted: those of all, and of whole ranges."""
    if part in ("all", ""):
        return set(absent)
    low, high, every = _bounds(part) or (1, 0, 1)
    return {place for place in absent if low <= place[1] <= high} if every == 1 else set()


def _bounds(part: str) -> tuple[float, float, int] | None:
    """First and last step and stride of ``64:1024``, ``:512``, ``::2``; None for another form."""
    match = re.fullmatch(r"(\d*):(\d*)(?::(\d+))?", part)
    if not match:
        return None
    if match[3] and int(match[3]) == 0:
        raise ValueError(f"got checkpoints {part!r} with every 0th; {VALID}")
    return float(match[1] or 0), float(match[2] or math.inf), int(match[3] or 1)


def _log_spaced(steps: Sequence[int], wanted: int) -> set[int]:
    """Indices of ``wanted`` steps, evenly on an axis of log(1 + step); all where there are fewer.

    Each aim takes the nearest step that is still free, so that the number is kept where early
    steps are far apart on the axis. Where a stage begins anew at 0, its steps go on behind the
    last of the stage before.
    """
    if wanted < 2:
        raise ValueError(f"got checkpoints log:{wanted}; expected log:2 or more")
    if wanted >= len(steps):
        return set(range(len(steps)))
    axis = [math.log1p(step) for step in _on_end(steps)]
    width = (axis[-1] - axis[0]) / (wanted - 1)
    free = set(range(1, len(steps) - 1))
    chosen = {0, len(steps) - 1}
    for number in range(1, wanted - 1):
        aim = axis[0] + number * width
        best = min(free, key=lambda index: (abs(axis[index] - aim), index))
        free.discard(best)
        chosen.add(best)
    return chosen


def _on_end(steps: Sequence[int]) -> list[int]:
    behind, last = 0, 0
    laid: list[int] = []
    for step in steps:
        if step <= last and laid:
            behind = laid[-1]
        laid.append(behind + step)
        last = step
    return laid


def _steps(series: Sequence[Checkpoint]) -> str:
    return ", ".join(str(checkpoint.step) for checkpoint in series)


def _place(checkpoint: Checkpoint) -> tuple[int, int]:
    return checkpoint.stage, checkpoint.step


def _refuse_twins(series: Sequence[Checkpoint]) -> None:
    counts = Counter(_place(checkpoint) for checkpoint in series)
    for key, count in counts.items():
        if count > 1:
            twins = [c for c in series if _place(c) == key]
            names = sorted(c.revision or c.path.name for c in twins)
            kind = "revisions" if twins[0].remote else "folders"
            raise ValueError(f"got step {key[1]} twice, in {kind} {' and '.join(names)}")
