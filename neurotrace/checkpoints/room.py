"""Room in the cache: entered before a download begins, made by evicting what was brought before."""

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.ledger import Blob, Page, opened
from neurotrace.checkpoints.owners import owner_here
from neurotrace.checkpoints.wanted import Want
from neurotrace.checkpoints.weights import BrokenCheckpoint

WAIT = 1.0  # seconds until room that another process holds is asked for again


class CacheFull(OSError):
    """A disk that cannot hold what is to be downloaded."""


class Room:
    """The cache's room for some repositories.

    Parameters
    ----------
    repos
        Whose downloads count together; more may join.
    budget
        Most bytes of what we downloaded of them, what is on its way included; None for no bound.
        What ``prefetch`` brought and what others downloaded count for nothing.
    """

    def __init__(self, repos: Iterable[str], *, budget: int | None = None):
        self.budget = budget
        self._repos = set(repos)

    @property
    def n_bytes(self) -> int:
        """Bytes that count towards the budget now."""
        with self._pages() as pages:
            return sum(page.n_bytes for page in pages.values())

    @contextlib.contextmanager
    def held(self, repo: str, commit: str) -> Iterator[None]:
        """Protect a commit from eviction, by this process and any other."""
        self.hold(repo, commit)
        try:
            yield
        finally:
            self.release(repo, commit)

    def hold(self, repo: str, commit: str) -> None:
        """The same, until it is released."""
        self._repos.add(repo)
        with opened(hub.repo_folder(repo)) as page:
            page.hold(self._me, commit)

    def release(self, repo: str, commit: str) -> None:
        """Protect it once less."""
        with opened(hub.repo_folder(repo)) as page:
            page.release(self._me, commit)

    def settle(self) -> None:
        """Evict what a budget that is new or smaller no longer allows."""
        if self.budget is not None:
            with self._pages() as pages:
                self._evict(pages, 0, self.budget)

    def reserve(
        self, wants: Sequence[Want], *, label: str, keep: bool = False, wait: bool = True
    ) -> list[Want] | None:
        """Enter what is missing as ours, once there is room for all of it.

        Parameters
        ----------
        label
            Of the checkpoint, for messages.
        keep
            Whether it shall never be evicted.
        wait
            Whether to wait for room that another process holds.

        Returns
        -------
        What is to be downloaded; None where there is no room and ``wait`` is false.

        Raises
        ------
        ValueError
            When the budget is too small.
        CacheFull
            When the disk is.
        BrokenCheckpoint
            When a file that others brought is not what it should be.
        """
        self._repos.update(want.repo for want in wants)
        while True:
            with self._pages() as pages:
                missing = [want for want in wants if not _here(pages[want.repo], want)]
                new = {w.file.digest: w for w in missing if not stored(pages[w.repo], w)}
                # What is on its way already, for another commit or process, counts already.
                needed = sum(w.file.size for d, w in new.items() if d not in pages[w.repo].blobs)
                if self._fits(pages, needed, self.budget if not keep else None):
                    self._enter(pages, wants, set(new), keep=keep)
                    return missing
                if not wait:
                    return None
                if not self._others(pages):
                    raise self._full(pages, needed, label)
            time.sleep(WAIT)

    def done(self, wants: Iterable[Want], *, keep: bool = False) -> None:
        """Downloads that are whole, failed or were called off: they are no longer on their way."""
        with self._pages() as pages:
            for want in wants:
                page, digest = pages[want.repo], want.file.digest
                blob = page.blobs.get(digest)
                if blob is None and stored(page, want):
                    # Another process had entered it, gave up, and struck it out.
                    page.blobs[digest] = Blob(want.file.size, weights=want.weights, kept=keep)
                    page.begin(digest, want.link, page.blobs[digest])
                elif blob is not None and blob.by == self._me:
                    # The downloader removed its partial file itself, whatever went wrong.
                    blob.by, blob.before = "", []
            for page in pages.values():
                page.settle(hub.cache_folder())

    def sorted_out(self, wants: Iterable[Want]) -> tuple[list[Want], list[Want]]:
        """What is missing, and what lies in the cache and counts towards no budget."""
        wants = list(wants)
        self._repos.update(want.repo for want in wants)
        with self._pages(make=False) as pages:
            here = [want for want in wants if stored(pages[want.repo], want)]
            fixed = [want for want in here if not _counted(pages[want.repo], want)]
        there = set(here)
        return [want for want in wants if want not in there], fixed

    def refuse_full_disk(self, n_bytes: int) -> None:
        """Refuse so many bytes more than the disk has.

        Raises
        ------
        CacheFull
            With both numbers.
        """
        free = _free()
        if n_bytes > free:
            raise CacheFull(
                f"the disk of the cache is too small: {n_bytes:,} bytes needed, {free:,} free"
            )

    def _fits(self, pages: dict[str, Page], needed: int, budget: int | None) -> bool:
        """Whether so much can be had; if so, it is made free."""
        if budget is None:
            return needed <= _free()
        loose = sum(page.n_loose for page in pages.values())
        total = sum(page.n_bytes for page in pages.values())
        if total - loose + needed > budget or needed > _free() + loose:
            return False
        return self._evict(pages, needed, budget)

    def _evict(self, pages: dict[str, Page], needed: int, budget: int) -> bool:
        """Evict, least recently used first, until so much fits or nothing is left to go."""
        while sum(page.n_bytes for page in pages.values()) + needed > budget or needed > _free():
            oldest = min(
                ((p.used.get(c, 0), c, repo) for repo, p in pages.items() for c in p.evictable()),
                default=None,
            )
            if oldest is None:
                return False
            pages[oldest[2]].evict(oldest[1])
        return True

    def _enter(
        self, pages: dict[str, Page], wants: Sequence[Want], new: set[str], *, keep: bool
    ) -> None:
        for want in wants:
            page, digest = pages[want.repo], want.file.digest
            if digest in new:
                blob = Blob(want.file.size, weights=want.weights, kept=keep, by=self._me)
                page.begin(digest, want.link, blob)
            elif digest in page.blobs:  # ours: another commit, or an earlier run, brought it
                page.begin(digest, want.link, page.blobs[digest])
                page.blobs[digest].kept |= keep

    def _others(self, pages: dict[str, Page]) -> bool:
        """Whether another process holds or downloads something that may become free."""
        names = {name for page in pages.values() for name, held in page.held.items() if held}
        names |= {blob.by for page in pages.values() for blob in page.blobs.values() if blob.by}
        return self.budget is not None and bool(names - {self._me})

    def _full(self, pages: dict[str, Page], needed: int, label: str) -> Exception:
        held = sum(page.n_bytes - page.n_loose for page in pages.values())
        if self.budget is not None and held + needed > self.budget:
            return poor(self.budget, held + needed, label)
        return CacheFull(
            f"the disk of the cache is too small: {needed:,} bytes needed for {label}, "
            f"{_free():,} free"
        )

    @property
    def _me(self) -> str:
        return owner_here(hub.cache_folder())

    @contextlib.contextmanager
    def _pages(self, *, make: bool = True) -> Iterator[dict[str, Page]]:
        """The pages of all repositories at once, always in the same order: nobody waits in turn."""
        with contextlib.ExitStack() as stack:
            order = sorted(self._repos)
            yield {
                repo: stack.enter_context(opened(hub.repo_folder(repo), make=make))
                for repo in order
            }


def poor(budget: int, needed: int, label: str) -> ValueError:
    """The refusal of a budget that is too small, with both numbers."""
    return ValueError(
        f"got a cache budget of {budget:,} bytes; expected at least {needed:,}, what {label} and "
        "the small files of the series take"
    )


def stored(page: Page, want: Want) -> bool:
    """Whether a content lies in the cache, under whatever commit."""
    snapshot = page.folder / "snapshots" / want.commit / want.file.name
    blob = page.folder / "blobs" / want.file.digest
    return any(file.exists() and file.stat().st_size == want.file.size for file in (blob, snapshot))


def _counted(page: Page, want: Want) -> bool:
    blob = page.blobs.get(want.file.digest)
    return blob is not None and not blob.kept


def _here(page: Page, want: Want) -> bool:
    """Whether a file lies in its snapshot; one of another size is removed if it is ours."""
    file = page.folder / "snapshots" / want.commit / want.file.name
    if not file.exists():
        return False
    size = file.stat().st_size
    if size == want.file.size:
        return True
    blob = page.blobs.get(want.file.digest)
    if blob is None or blob.by:
        raise BrokenCheckpoint(
            f"{want.repo} at {want.commit[:7]}: got {want.file.name} of {size:,} bytes in the "
            f"cache; expected {want.file.size:,} (remove {file.resolve()})"
        )
    page.remove(want.file.digest)
    return False


def _free() -> int:
    folder = hub.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free
