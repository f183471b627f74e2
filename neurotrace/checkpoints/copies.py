"""Which steps serve the same weights, and which of them is the original."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from neurotrace.checkpoints import hub, wanted
from neurotrace.checkpoints.remote import Remote
from neurotrace.checkpoints.series import Checkpoint
from neurotrace.checkpoints.wanted import weights_mark
from neurotrace.checkpoints.weights import BrokenCheckpoint, weight_hash

# Steps up to which weights may truly stand still: a rate that begins at zero, or updates skipped
# until a loss scale that starts at 2^32 fits half precision.
EARLY = 32
SKIPPED = 2  # updates in a row that may be skipped once training has begun


@dataclass(frozen=True)
class Copy:
    """A step that has the weights of another.

    Attributes
    ----------
    of
        Position of the original.
    how
        ``"copy"``, ``"final"`` (the last step's weights) or ``"unmoved"``.
    """

    of: int
    how: str


def marks(series: Sequence[Checkpoint]) -> list[str]:
    """What tells the checkpoints' weights apart, each 64 hexadecimal digits.

    On the Hub, digests of the weight files from its listing. In folders, the ends of the files,
    and every tensor where the ends of two are the same.

    Raises
    ------
    BrokenCheckpoint
        When there are no weights.
    HubError
        When the Hub does not answer.
    """
    found = [weights_mark(c) for c in series]
    alike = {mark for mark, count in Counter(found).items() if count > 1}
    return [
        weight_hash(c.path) if not c.remote and mark in alike else mark
        for c, mark in zip(series, found, strict=True)
    ]


def main_mark(series: Sequence[Checkpoint]) -> str | None:
    """The mark of what the branch ``main`` serves; None where the series is not of one repository.

    A repository in which one checkpoint alone lies has nothing to compare ``main`` with.
    """
    repos = {c.remote.repo if c.remote else None for c in series}
    repo = repos.pop() if len(repos) == 1 else None
    commit = hub.refs(repo).get("main") if repo and len(series) > 1 else None
    if repo is None or commit is None:
        return None
    main = Checkpoint(repo, 0, hub.snapshot_path(repo, commit), remote=Remote(repo, commit))
    try:
        return weights_mark(main)
    except BrokenCheckpoint:
        return None
    except hub.HubError:
        if hub.offline():
            return None  # it was never brought
        raise


def shared_files(series: Sequence[Checkpoint]) -> dict[int, str]:
    """Remote checkpoints of several files, some of which are another step's too.

    Returns
    -------
    By position, what is wrong: the file, and who else has it. Which of the two it belongs to, files
    do not tell.
    """
    files = [_weights(checkpoint) for checkpoint in series]
    owners: dict[str, list[int]] = {}
    for at, own in enumerate(files):
        for digest in {file.digest for file in own}:
            owners.setdefault(digest, []).append(at)
    found = {}
    for at, own in enumerate(files):
        shared = [(file, other) for file in own for other in owners[file.digest] if other != at]
        if len(own) > 1 and 0 < len({file.name for file, _ in shared}) < len(own):
            file, other = shared[0]
            found[at] = f"{file.name} is that of {said(series[other])} too"
    return found


def copies(
    series: Sequence[Checkpoint],
    weights: Sequence[str],
    *,
    best: Callable[[list[int]], int] | None = None,
) -> dict[int, Copy]:
    """Steps whose weights are another's, by position.

    Parameters
    ----------
    weights
        A mark for each checkpoint; equal marks mean equal weights, the empty one is unknown.
    best
        Chooses the original among positions of equal weights, where more is known than marks:
        without it the original is the last step of the series, or else the earliest.
    """
    groups: dict[str, list[int]] = {}
    for at, mark in enumerate(weights):
        if mark:
            groups.setdefault(mark, []).append(at)
    found: dict[int, Copy] = {}
    for group in groups.values():
        rest = [at for at in group if not _still(series, group, at)]
        last = len(series) - 1
        # Those that stand still are one place: its first step speaks for it.
        original = last if last in rest else rest[0]
        if best is not None and len(rest) > 1:
            original = best(rest)
        for at in group:
            begun = max(one for one in rest if one <= at)
            if begun != original:  # what stands still on a copy is that copy too
                found[at] = Copy(original, "final" if original == last else "copy")
            elif at != begun:
                found[at] = Copy(begun, "unmoved")
    return found


def said(checkpoint: Checkpoint) -> str:
    """``step 512``, or ``stage1-step512`` where there are stages."""
    return checkpoint.label if checkpoint.stage else f"step {checkpoint.step}"


def _still(series: Sequence[Checkpoint], group: Sequence[int], at: int) -> bool:
    """Whether a step and the one right before it may truly have the same weights."""
    if at == 0 or at - 1 not in group:
        return False
    if series[at - 1].stage != series[at].stage:
        return series[at].step == 0  # a stage begins where the one before it ended
    begin = at
    while begin - 1 in group and series[begin - 1].stage == series[at].stage:
        begin -= 1
    start, stop = series[begin].step, series[at].step
    return stop <= EARLY and (start == 0 or stop - start <= SKIPPED)


def _weights(checkpoint: Checkpoint) -> tuple[wanted.File, ...]:
    if checkpoint.remote is None:
        return ()
    listing = hub.files(checkpoint.remote.repo, checkpoint.remote.commit)
    return wanted.weights_of(listing)
