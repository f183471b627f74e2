"""Bringing a whole series ahead of a run, where the run itself will have no network."""

import time
from collections.abc import Sequence
from dataclasses import replace

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.find import Checkpoint
from neurotrace.checkpoints.freight import Freight
from neurotrace.checkpoints.shelf import Report, Shelf
from neurotrace.checkpoints.wanted import repos_of


def prefetch(series: Sequence[Checkpoint], *, report: Report | None = None) -> Freight:
    """Bring all checkpoints of a series for good, and pin what the Hub says of them.

    A later run connects to nothing, with or without ``HF_HUB_OFFLINE``. The same call again goes
    on where the last one was stopped, and asks the Hub anew what it has.

    Parameters
    ----------
    report
        Told of the progress: a checkpoint's label, bytes that are here, of how many.

    Returns
    -------
    What was downloaded, and the seconds it took.

    Raises
    ------
    HubError
        When a file cannot be had; what was brought before stays.
    CacheFull
        When the disk cannot hold all that is missing; nothing is brought then.
    """
    shelf = Shelf(series, ahead=False)
    freight = shelf.price(series)
    shelf.room.refuse_full_disk(freight.n_bytes)
    begun = time.monotonic()
    shelf.small_of_all(series)
    for checkpoint in series:
        shelf.keep(checkpoint, report=report)
    with hub.asking_anew():
        for repo in sorted({repo for checkpoint in series for repo in repos_of(checkpoint)}):
            hub.keep_listing(repo, _found(series, repo))
    return replace(freight, seconds=time.monotonic() - begun)


def _found(series: Sequence[Checkpoint], repo: str) -> dict[str, str]:
    """Branches and tags (name → commit) by which a repository's checkpoints were found."""
    of_repo = [(c, c.remote) for c in series if c.remote is not None and c.remote.repo == repo]
    return {
        # A checkpoint that has a repository to itself is called by its name.
        "main" if repo.endswith(f"/{c.revision}") else str(c.revision): remote.commit
        for c, remote in of_repo
        if c.revision is not None
    }
