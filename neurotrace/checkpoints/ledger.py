"""What neurotrace downloaded into a Hugging Face cache: one page beside each repository's files.

A page is the only ground on which anything is deleted. A download is entered before it begins and
struck out if it fails, so a killed one is known for ours. Who holds a checkpoint is entered under
an owner's name, and counts as long as that owner is alive.
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from neurotrace.checkpoints.owners import alive, downloading

FILE, LOCK, VERSION = "neurotrace-downloads.json", "neurotrace-downloads.lock", 1
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass
class Blob:
    """One downloaded content, which several commits may share.

    Attributes
    ----------
    size
        Bytes, as the Hub lists it.
    weights
        Whether it may be evicted; small files stay.
    kept
        Brought by ``prefetch``: never evicted, and outside of every budget.
    by
        Owner who is downloading it; empty once it is whole.
    links
        ``commit/name`` of the files it was brought for.
    before
        Partial files of others that lay there already.
    """

    size: int
    weights: bool = False
    kept: bool = False
    by: str = ""
    links: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    @property
    def commits(self) -> set[str]:
        """The commits it was brought for."""
        return {link.partition("/")[0] for link in self.links}


@dataclass
class Page:
    """The downloads of one repository; read and changed only inside :func:`opened`.

    Attributes
    ----------
    folder
        ``models--org--name`` in the cache.
    blobs
        By digest.
    used
        When a commit was last wanted, in nanoseconds.
    held
        Commits that each owner has at hand, once for every time.
    """

    folder: Path
    blobs: dict[str, Blob] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    held: dict[str, list[str]] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """Bytes of ours that count: on disk or on their way, without what is kept."""
        return sum(self.n_bytes_of(digest) for digest, b in self.blobs.items() if not b.kept)

    @property
    def n_loose(self) -> int:
        """Those among them that may be evicted now."""
        busy = self.in_use()
        loose = [digest for digest, blob in self.blobs.items() if _loose(blob, busy)]
        return sum(self.n_bytes_of(digest) for digest in loose)

    def n_bytes_of(self, digest: str) -> int:
        """Bytes that a blob takes, or will."""
        blob = self.blobs[digest]
        # Without symbolic links every commit has a copy of its own.
        copies = {(s.st_dev, s.st_ino): s.st_size for s in map(_stat, self.places(digest)) if s}
        return max(blob.size, sum(copies.values())) if blob.by else sum(copies.values())

    def places(self, digest: str) -> list[Path]:
        """Where a blob of ours and its links may lie."""
        links = (self.folder / "snapshots" / link for link in self.blobs[digest].links)
        return [self.folder / "blobs" / digest, *links]

    def in_use(self) -> set[str]:
        """Commits that anyone has at hand."""
        return {commit for commits in self.held.values() for commit in commits}

    def hold(self, owner: str, commit: str) -> None:
        """Have a commit at hand, and stamp it as just used."""
        self.held.setdefault(owner, []).append(commit)
        self.used[commit] = time.time_ns()

    def release(self, owner: str, commit: str) -> None:
        """Have it at hand once less."""
        commits = self.held.get(owner, [])
        if commit in commits:
            commits.remove(commit)

    def begin(self, digest: str, link: str, blob: Blob) -> None:
        """Enter a download that is about to begin, or one more link to what is ours already."""
        there = self.blobs.setdefault(digest, blob)
        there.links = sorted({*there.links, link})
        there.weights |= blob.weights
        if there is blob:
            there.before = sorted(file.name for file in self.partials(digest))

    def partials(self, digest: str) -> list[Path]:
        """Unfinished downloads of a content, whoever began them."""
        return sorted((self.folder / "blobs").glob(f"{digest}*.incomplete"))

    def evictable(self) -> list[str]:
        """Commits whose weights may go, least recently used first."""
        busy = self.in_use()
        commits = {self._last(blob) for blob in self.blobs.values() if _loose(blob, busy)}
        return sorted(commits, key=self._age)

    def evict(self, commit: str) -> None:
        """Delete a commit's weights, but for what a commit used later or in use shares."""
        busy = self.in_use()
        for digest, blob in list(self.blobs.items()):
            if _loose(blob, busy) and self._last(blob) == commit:
                # Another tool has linked it since: it is no longer ours to delete.
                if self._foreign(digest):
                    del self.blobs[digest]
                else:
                    self.remove(digest)

    def settle(self, cache: Path) -> None:
        """Bring the page in line with the disk and with who is still alive."""
        owners = {*self.held, *(blob.by for blob in self.blobs.values() if blob.by)}
        dead = {name for name in owners if not alive(cache, name)}
        self.held = {name: commits for name, commits in self.held.items() if name not in dead}
        for digest, blob in list(self.blobs.items()):
            if blob.by in dead and not downloading(cache, self.folder.name, digest):
                self.drop_partials(digest)
                blob.by = ""
            if not blob.by and not any(map(_stat, self.places(digest))):
                del self.blobs[digest]
        commits = {commit for blob in self.blobs.values() for commit in blob.commits}
        self.used = {c: when for c, when in self.used.items() if c in commits | self.in_use()}

    def drop_partials(self, digest: str) -> None:
        """Remove what a download of ours left behind unfinished."""
        for file in self.partials(digest):
            if file.name not in self.blobs[digest].before:
                file.unlink(missing_ok=True)

    def _last(self, blob: Blob) -> str:
        """The commit for which a blob was last wanted."""
        return max(blob.commits, key=self._age)

    def _age(self, commit: str) -> tuple[int, str]:
        return self.used.get(commit, 0), commit

    def _foreign(self, digest: str) -> bool:
        """Whether a snapshot that we did not make leads to a blob."""
        blob = _stat(self.folder / "blobs" / digest)
        ours = set(self.places(digest))
        snapshots = (self.folder / "snapshots").rglob("*")
        return blob is not None and any(
            file not in ours and file.is_symlink() and _same(_stat(file), blob)
            for file in snapshots
        )

    def remove(self, digest: str) -> None:
        """Delete a blob of ours, its links, and folders that they leave empty."""
        blob, *links = self.places(digest)
        for file in links:
            file.unlink(missing_ok=True)
        stored = blob.resolve() if blob.is_symlink() else None
        blob.unlink(missing_ok=True)
        if stored is not None:
            _sweep(stored, self.folder.parent)
        for folder in {file.parent for file in links}:
            with contextlib.suppress(OSError):  # something else lies there
                folder.rmdir()
        del self.blobs[digest]


@contextlib.contextmanager
def writable_or_not() -> Iterator[None]:
    """Inside, a cache that cannot be written is no error: what is not written is done without."""
    try:
        yield
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise


@contextlib.contextmanager
def opened(folder: Path, *, make: bool = True) -> Iterator[Page]:
    """The page of a repository, kept from everyone else, and written if it was changed.

    In a cache that cannot be written nothing is ours, and nothing is entered.

    Parameters
    ----------
    make
        Whether a repository that is not in the cache gets its folder; if not, its page is empty.
    """
    if not make and not folder.is_dir():
        yield Page(folder)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("a")
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        yield Page(folder)
        return
    with stream as lock:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        page = _read(folder)
        before = _text(page)
        page.settle(folder.parent)
        try:
            yield page
        finally:
            text = _text(page)
            if text != before:
                partial = folder / f"{FILE}.{os.getpid()}"
                partial.write_text(text, encoding="utf-8")
                partial.replace(folder / FILE)


def _read(folder: Path) -> Page:
    try:
        saved = json.loads((folder / FILE).read_text(encoding="utf-8"))
        blobs = {digest: Blob(**blob) for digest, blob in saved["blobs"].items()}
        return Page(folder, blobs, dict(saved["used"]), dict(saved["held"]))
    except FileNotFoundError:
        return Page(folder)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(
            f"got an unreadable {folder.name}/{FILE}; expected the list of what neurotrace "
            "downloaded (without it nothing there counts as ours: remove it to go on)"
        ) from None


def _text(page: Page) -> str:
    blobs = {digest: asdict(blob) for digest, blob in page.blobs.items()}
    saved = {"version": VERSION, "blobs": blobs, "used": page.used, "held": page.held}
    return json.dumps(saved, indent=1, sort_keys=True)


def _loose(blob: Blob, busy: set[str]) -> bool:
    return blob.weights and not blob.kept and not blob.by and not blob.commits & busy


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _same(one: os.stat_result | None, other: os.stat_result) -> bool:
    return one is not None and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _sweep(stored: Path, cache: Path) -> None:
    """Free a blob of the store that repositories share, once no repository refers to it."""
    try:
        from huggingface_hub.utils._shared_blobs import sweep_shared_blob
    except ImportError:
        return  # a client without such a store
    sweep_shared_blob(stored, cache_dir=cache)
