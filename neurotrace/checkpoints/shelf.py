"""Checkpoints at hand: brought from the Hub when they are wanted, evicted when room is needed."""

import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.download import CalledOff, Download
from neurotrace.checkpoints.find import Checkpoint
from neurotrace.checkpoints.freight import Freight, price, refuse_poor_budget
from neurotrace.checkpoints.ledger import writable_or_not
from neurotrace.checkpoints.room import Room
from neurotrace.checkpoints.wanted import Want, repos_of, wants

Report = Callable[[str, int, int], None]  # a checkpoint's label, bytes that are here, of how many
WORKERS = 8  # requests at a time for small files, as huggingface_hub makes itself


class Shelf:
    """Where a series' checkpoints are taken from; local folders are simply there.

    Files are brought by huggingface_hub into its own cache (``HF_HOME``, ``HF_HUB_CACHE``), and
    only those that are needed: configuration, tokenizer and one format of the weights.

    Parameters
    ----------
    series
        Whose downloads count together.
    budget
        Most bytes of them on disk at any time, those on their way included; None for no bound.
        Only what neurotrace downloaded counts and is evicted, least recently used first, weights
        alone, and never what is in use or was prefetched.
    ahead
        Whether the next checkpoint is fetched while one is at hand.

    Raises
    ------
    ValueError
        For a budget that is no positive number.
    """

    def __init__(
        self, series: Sequence[Checkpoint] = (), *, budget: int | None = None, ahead: bool = True
    ):
        if budget is not None and budget <= 0:
            raise ValueError(f"got a cache budget of {budget} bytes; expected more than 0")
        self.ahead = ahead
        self.room = Room([repo for c in series for repo in repos_of(c)], budget=budget)
        self._coming: tuple[Checkpoint, threading.Thread, Download] | None = None
        self._refs: dict[str, dict[str, str]] = {}

    @contextlib.contextmanager
    def at_hand(
        self,
        checkpoint: Checkpoint,
        *,
        then: Checkpoint | None = None,
        report: Report | None = None,
    ) -> Iterator[Path]:
        """The folder of a checkpoint, brought if need be, and safe from eviction inside the with.

        Parameters
        ----------
        then
            The one that will be wanted next: fetched meanwhile, where budget and disk allow.
        report
            Told of the progress of downloads.

        Raises
        ------
        HubError
            When a file cannot be had.
        ValueError
            When the budget is too small for it.
        CacheFull
            When the disk is.
        BrokenCheckpoint
            When it has no weights.
        """
        if checkpoint.remote is None:
            yield checkpoint.path
            return
        with self.room.held(*_of(checkpoint)):
            self._end_coming(checkpoint)
            self.room.settle()
            self._bring(checkpoint, Download(), report=report)
            self._begin_coming(then, report)
            try:
                yield checkpoint.path
            except BaseException:
                self._end_coming(None)
                raise

    def small(self, checkpoint: Checkpoint) -> None:
        """Bring configuration, tokenizer and index of a checkpoint, no weights; these stay."""
        if checkpoint.remote is not None:
            self._fetch(wants(checkpoint, weights=False), checkpoint.label, Download())

    def small_of_all(self, series: Iterable[Checkpoint]) -> None:
        """The same for many, several at a time."""
        remote = [checkpoint for checkpoint in series if checkpoint.remote is not None]
        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(self.small, remote):
                pass

    def keep(self, checkpoint: Checkpoint, *, report: Report | None = None) -> None:
        """Bring a checkpoint for good: no budget counts it, and it is never evicted."""
        if checkpoint.remote is not None:
            with self.room.held(*_of(checkpoint)):
                self._bring(checkpoint, Download(), keep=True, report=report)

    def price(self, series: Sequence[Checkpoint]) -> Freight:
        """What bringing a series costs; nothing is brought.

        Raises
        ------
        ValueError
            When the budget is below what one of the checkpoints takes.
        HubError
            When the Hub cannot be asked.
        """
        self.refuse_poor_budget(series)
        return price(series, self.room)

    def refuse_poor_budget(self, series: Sequence[Checkpoint]) -> None:
        """Refuse a budget below any one checkpoint and the small files of all.

        Raises
        ------
        ValueError
            With both numbers.
        """
        refuse_poor_budget(series, self.room)

    def _bring(
        self,
        checkpoint: Checkpoint,
        download: Download,
        *,
        keep: bool = False,
        wait: bool = True,
        report: Report | None = None,
    ) -> None:
        """All files of a checkpoint, the small ones first: an index names the shards."""
        label = checkpoint.label
        small = wants(checkpoint, weights=False)
        self._fetch(small, label, download, keep=keep, wait=wait)
        self._write_ref(checkpoint)
        # With a budget for one, evicted checkpoints leave exactly this much room.
        heavy = [want for want in wants(checkpoint, weights=True) if want.weights]
        n_bytes = sum(want.file.size for want in heavy)
        tell = (lambda n: report(label, n, n_bytes)) if report else None
        self._fetch(heavy, label, download, keep=keep, wait=wait, tell=tell)

    def _fetch(
        self,
        wanted: Sequence[Want],
        label: str,
        download: Download,
        *,
        keep: bool = False,
        wait: bool = True,
        tell: Callable[[int], None] | None = None,
    ) -> None:
        """Reserve room for what is missing of some files, and download it."""
        missing = self.room.reserve(wanted, label=label, keep=keep, wait=wait)
        if not missing:
            return
        n_here = sum(want.file.size for want in wanted) - sum(w.file.size for w in missing)
        download.listen(tell, n_here)
        try:
            for want in missing:
                download.file(want.repo, want.commit, want.file)
        finally:
            self.room.done(missing, keep=keep)

    def _begin_coming(self, then: Checkpoint | None, report: Report | None) -> None:
        if then is None or then.remote is None or not self.ahead or hub.offline():
            return
        download = Download()
        thread = threading.Thread(
            target=self._bring_ahead, args=(then, download, report), daemon=True
        )
        self.room.hold(*_of(then))
        self._coming = (then, thread, download)
        thread.start()

    def _bring_ahead(
        self, checkpoint: Checkpoint, download: Download, report: Report | None
    ) -> None:
        # What goes wrong ahead goes wrong again when the checkpoint is wanted, and is told then.
        with contextlib.suppress(CalledOff, OSError, ValueError):
            self._bring(checkpoint, download, wait=False, report=report)

    def _end_coming(self, wanted: Checkpoint | None) -> None:
        """Wait for what is being fetched if it is what is wanted; call it off otherwise."""
        if self._coming is None:
            return
        (checkpoint, thread, download), self._coming = self._coming, None
        if checkpoint != wanted:
            download.call_off()
        thread.join()
        self.room.release(*_of(checkpoint))

    def _write_ref(self, checkpoint: Checkpoint) -> None:
        """Tell the cache what a branch or tag points at, so that other tools find it by name."""
        (repo, commit), name = _of(checkpoint), checkpoint.revision
        if name is None:
            return
        file = hub.repo_folder(repo) / "refs" / name
        if file.is_file() and file.read_text(encoding="utf-8") == commit:
            return
        if repo not in self._refs:
            self._refs[repo] = hub.refs(repo)
        if self._refs[repo].get(name) == commit:
            with writable_or_not():
                file.parent.mkdir(parents=True, exist_ok=True)
                partial = file.with_name(f"{file.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}")
                partial.write_text(commit, encoding="utf-8")
                partial.replace(file)


def _of(checkpoint: Checkpoint) -> tuple[str, str]:
    assert checkpoint.remote is not None
    return checkpoint.remote.repo, checkpoint.remote.commit
