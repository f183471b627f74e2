"""Finding the checkpoints of a training run, wherever it lies, and putting them in order."""

from collections.abc import Sequence
from pathlib import Path

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.local import find_here, with_tokens
from neurotrace.checkpoints.naming import suite_of
from neurotrace.checkpoints.online import find_apart, find_online
from neurotrace.checkpoints.series import Checkpoint, Series, gaps, select
from neurotrace.checkpoints.suite_file import SuiteFile, read_suite

__all__ = ["Checkpoint", "Series", "find", "gaps", "select"]


def find(
    source: str | Path, *, pattern: str | None = None, tokenizer: str | None = None
) -> list[Checkpoint]:
    """The checkpoints of a training run, ordered by stage and step.

    Parameters
    ----------
    source
        A folder whose sub-folders are checkpoints (a Trainer's output among them), or one
        checkpoint folder; a repository ``org/model`` of the Hub, whose branches and tags are the
        checkpoints, or ``org/model@revision`` for one of them; or a ``.toml`` file that describes
        a suite (:mod:`neurotrace.checkpoints.suite_file`).
    pattern
        Regular expression that the whole name of a folder, branch or tag must match, with a group
        named ``step`` (and optionally ``stage``, ``tokens``). Without it the usual names are known:
        ``step-000512 step512 checkpoint-512 global_step512 stage1-step150-tokens1B
        step-001000-2BT``.
    tokenizer
        Folder, ``org/model`` or ``org/model@revision`` that all checkpoints take their tokenizer
        from. Without it: their own; else the one in the folder above or in the branch ``main``;
        for published suites as :mod:`neurotrace.checkpoints.naming` says.

    Returns
    -------
    Checkpoints sorted by (stage, step). Names that do not match are no part of the series; a
    branch or tag without weights is no part of it either, but one of its :func:`gaps`. On the Hub
    nothing is downloaded but listings.

    Raises
    ------
    FileNotFoundError
        When there is no such folder or file, or no checkpoint in it.
    ValueError
        When two names have the same stage and step, the pattern has no group ``step``, no local
        folder that is named like a checkpoint holds weights, or a suite's file is wrong.
    HubError
        When the Hub cannot be asked, or knows no such repository.
    """
    if Path(source).suffix == ".toml":
        return _described(read_suite(source), pattern=pattern, tokenizer=tokenizer)
    return _found(str(source), pattern=pattern, tokenizer=tokenizer)


def _found(source: str, *, pattern: str | None, tokenizer: str | None) -> Series:
    if Path(source).is_dir():
        return find_here(Path(source), pattern=pattern, tokenizer=tokenizer)
    repo = source.partition("@")[0]
    if not hub.is_repo(repo):
        raise FileNotFoundError(
            f"got source {source!r}; expected a folder of checkpoints, org/model or a .toml file"
        )
    series = find_online(source, pattern=pattern, tokenizer=tokenizer)
    suite = suite_of(repo)
    if suite is None or pattern or repo != source:
        return series
    return with_tokens(_scheduled(series, suite.schedule), suite.tokens_per_step)


def _described(suite: SuiteFile, *, pattern: str | None, tokenizer: str | None) -> Series:
    """The series of a suite's file; what the caller says goes before what the file says."""
    pattern, tokenizer = pattern or suite.pattern, tokenizer or suite.tokenizer
    if suite.repositories:
        repos = {name for start in suite.repositories for name in _repositories(start)}
        series = find_apart(
            suite.source or suite.name, sorted(repos), pattern=pattern, tokenizer=tokenizer
        )
        if not series:
            raise FileNotFoundError(
                f"got repositories {', '.join(suite.repositories)}, none named like a checkpoint; "
                "expected names like run-step512, or a pattern"
            )
    else:
        series = _found(str(suite.source), pattern=pattern, tokenizer=tokenizer)
    return with_tokens(_scheduled(series, suite.steps), suite.tokens_per_step)


def _repositories(pattern: str) -> list[str]:
    """``org/run-step*`` as the names that are there; another name as itself."""
    if not hub.is_repo(pattern.removesuffix("*").rstrip("-.")):
        raise ValueError(f"got repository {pattern!r}; expected org/model, or org/start*")
    return hub.repositories(pattern[:-1]) if pattern.endswith("*") else [pattern]


def _scheduled(series: Series, schedule: Sequence[int]) -> Series:
    """A series whose gaps are those of a known schedule, beside names without weights."""
    if not schedule:
        return series
    stages = sorted({checkpoint.stage for checkpoint in series})
    if len(stages) > 1:
        raise ValueError(f"got steps of a suite with stages {stages}; expected a suite of one")
    absent = {*series.empty, *((stages[0], step) for step in schedule)}
    return Series(series, absent, series.notes, series.empty)
