"""Checkpoints on the Hub: a repository's branches and tags, or a repository for each of them."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import NamedTuple, TypeVar

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.local import VOCABULARIES, WEIGHT_FILES, tokenizer_folder
from neurotrace.checkpoints.naming import (
    Place,
    Suite,
    compiled,
    place_of,
    quoted,
    suite_of,
    with_stages,
)
from neurotrace.checkpoints.remote import File, Remote
from neurotrace.checkpoints.series import Checkpoint, Series, grid_gaps

AT_ONCE = 8  # questions to the Hub under way together
MAIN = "main"

Item = TypeVar("Item")
Result = TypeVar("Result")


class Saved(NamedTuple):
    """A place of the training and what holds it on the Hub."""

    place: Place
    name: str
    repo: str
    commit: str


def find_online(repo: str, *, pattern: str | None, tokenizer: str | None) -> Series:
    """The checkpoints of ``org/model``, or of ``org/model@revision`` alone.

    Raises
    ------
    FileNotFoundError
        When no branch or tag is named like a checkpoint, or none of them holds weights.
    HubError
        When the Hub cannot be asked.
    """
    repo, _, revision = repo.partition("@")
    suite = suite_of(repo)
    if revision:
        return _one_revision(repo, revision, tokenizer=tokenizer)
    if suite and suite.apart and not pattern:
        series = find_apart(
            repo, hub.repositories(suite.apart), pattern=suite.pattern, tokenizer=tokenizer,
            unit=suite.unit,
        )  # fmt: skip
        if series:
            return series
    return _of_refs(repo, suite, pattern=pattern, tokenizer=tokenizer)


def find_apart(
    model: str, repos: Sequence[str], *, pattern: str | None, tokenizer: str | None, unit: int = 1
) -> Series:
    """One series out of repositories that hold one checkpoint each, in their branch ``main``.

    Parameters
    ----------
    model
        Name of the series.
    repos
        ``org/name`` each; the pattern is matched with ``name``.
    pattern
        As :func:`neurotrace.checkpoints.find` has it.
    unit
        Steps that the number in a name counts.
    """
    matcher = compiled(pattern)
    names = [(repo, repo.split("/")[1]) for repo in repos]
    matched = [(repo, name) for repo, name in names if matcher.fullmatch(name)]
    commits = _together(lambda item: hub.commit_of(item[0], MAIN), matched)
    saved = [
        Saved(place_of(matcher.fullmatch(name), name=name, unit=unit), name, repo, commit)
        for (repo, name), commit in zip(matched, commits, strict=True)
    ]
    others = [repo for repo, name in names if not matcher.fullmatch(name)]
    return _series(model, saved, others=others, tokenizer=tokenizer)


def _of_refs(
    repo: str, suite: Suite | None, *, pattern: str | None, tokenizer: str | None
) -> Series:
    refs, matcher = hub.refs(repo), compiled(pattern)
    matches = {name: matcher.fullmatch(name) for name in sorted(refs)}
    saved = [
        Saved(place_of(match, name=name), name, repo, refs[name])
        for name, match in matches.items()
        if match
    ]
    if not saved and set(refs) == {MAIN}:
        return _one_revision(repo, MAIN, tokenizer=tokenizer)
    if not saved:
        wanted = (
            f"whole names that match {pattern!r}"
            if pattern
            else f"names like step512 or stage1-step150-tokens1B, --pattern, or {repo}@main for one"
        )
        raise FileNotFoundError(
            f"got source {repo!r} with branches and tags {quoted(refs)}; expected {wanted}"
        )
    others = [name for name, match in matches.items() if not match and name != MAIN]
    lent = suite.tokenizer if suite else None
    return _series(repo, saved, others=others, tokenizer=tokenizer or lent)


def _one_revision(repo: str, revision: str, *, tokenizer: str | None) -> Series:
    """A series of one; its step is 0 where the revision's name says none."""
    commit = hub.commit_of(repo, revision)
    match = compiled(None).fullmatch(revision)
    saved = Saved(place_of(match, name=revision), revision, repo, commit)
    note = f"{repo}: one checkpoint, {revision}" + ("" if match else ", taken as step 0")
    series = _series(repo, [saved], others=(), tokenizer=tokenizer)
    return Series(series, notes=(note, *series.notes))


def _series(
    model: str, saved: Sequence[Saved], *, others: Sequence[str], tokenizer: str | None
) -> Series:
    """Checkpoints of what holds weights; the rest becomes gaps and notes."""
    if not saved:
        return Series()
    saved, notes = _without_doubles(saved)
    listings = _together(_listing, saved)
    full = [(each, rows) for each, rows in zip(saved, listings, strict=True) if _weighs(rows)]
    empty = [each for each, rows in zip(saved, listings, strict=True) if not _weighs(rows)]
    if not full:
        raise FileNotFoundError(
            f"got source {model!r}, whose {quoted(each.name for each in saved)} hold no weights; "
            f"expected one of {', '.join(WEIGHT_FILES)}"
        )
    if empty:
        lacking = "not in the cache" if hub.offline() else "without weights"
        notes.append(f"{lacking}: {quoted(each.name for each in empty)}")
    if others:
        notes.append(f"not of the series: {quoted(others)}")
    lend = _lenders(tokenizer)
    series = [_checkpoint(model, each, lend(each, rows)) for each, rows in full]
    absent = [(each.place.stage, each.place.step) for each in empty]
    return Series(series, grid_gaps(series), notes, absent)


def _without_doubles(saved: Sequence[Saved]) -> tuple[list[Saved], list[str]]:
    """A name without a stage beside the same step with one is left out, and said."""
    staged = [
        each._replace(place=place)
        for each, place in zip(saved, with_stages([each.place for each in saved]), strict=True)
    ]
    commits: dict[tuple[int, int, str], Saved] = {}
    for each in staged:
        commits.setdefault((each.place.stage, each.place.step, each.commit), each)
    kept = list(commits.values())
    steps = {each.place.step for each in kept if each.place.stage}
    loose = [each for each in kept if not each.place.stage and each.place.step in steps]
    doubles = [each.name for each in staged if each not in kept or each in loose]
    notes = [f"other names of steps that are there: {quoted(doubles)}"] if doubles else []
    return [each for each in kept if each not in loose], notes


def _checkpoint(model: str, saved: Saved, tokenizer: Path | tuple[str, str] | None) -> Checkpoint:
    lent = tokenizer if isinstance(tokenizer, tuple) else None
    return Checkpoint(
        model=model,
        step=saved.place.step,
        path=hub.snapshot_path(saved.repo, saved.commit),
        stage=saved.place.stage,
        tokens=saved.place.tokens,
        revision=saved.name,
        tokenizer=hub.snapshot_path(*lent) if lent else tokenizer,  # type: ignore[arg-type]
        remote=Remote(saved.repo, saved.commit, lent),
    )


Lender = Callable[[Saved, Sequence[File]], "Path | tuple[str, str] | None"]


def _lenders(tokenizer: str | None) -> Lender:
    """Who gives a checkpoint its tokenizer: who was named, itself, or its repository's main."""
    repo, _, revision = (tokenizer or "").partition("@")
    if tokenizer and not hub.is_repo(repo):
        folder = tokenizer_folder(tokenizer)
        return lambda _saved, _rows: folder
    if tokenizer:
        commit = hub.commit_of(repo, revision or MAIN)
        hub.files(repo, commit)  # so that it is known, and can be pinned, with the series
        return lambda saved, _rows: None if saved.commit == commit else (repo, commit)

    mains: dict[str, str | None] = {}  # asked for once, not once a checkpoint

    def own_or_main(saved: Saved, rows: Sequence[File]) -> tuple[str, str] | None:
        if _speaks(rows):
            return None
        if saved.repo not in mains:
            mains[saved.repo] = hub.refs(saved.repo).get(MAIN)
        commit = mains[saved.repo]
        if commit is None or commit == saved.commit or not _speaks(hub.files(saved.repo, commit)):
            return None
        return saved.repo, commit

    return own_or_main


def _listing(saved: Saved) -> tuple[File, ...]:
    try:
        return hub.files(saved.repo, saved.commit)
    except hub.HubError:
        if hub.offline():
            return ()  # a ref whose snapshot was removed
        raise


def _weighs(rows: Iterable[File]) -> bool:
    return any(row.name in WEIGHT_FILES for row in rows)


def _speaks(rows: Iterable[File]) -> bool:
    return any(row.name in VOCABULARIES for row in rows)


def _together(ask: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Answers in the order of the questions, several asked at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(copy_context().run, ask, item) for item in items]
        return [answer.result() for answer in running]
