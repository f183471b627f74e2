"""A file put in the place of another by one process: written under a name of its own, then named.

The draft's name holds its writer's token, and whoever comes next removes the drafts of those
before it: one that hangs and wakes writes into a file that nobody reads and has nothing to name.
"""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from neurotrace.runner.leases import Lease
from neurotrace.store.disk import naming_the_disk, sync


@contextlib.contextmanager
def replacing(file: Path, kind: str, lease: Lease | None = None) -> Iterator[Path]:
    """A draft to write, ``<file>.<token>.<kind>``, which replaces the file in the end.

    What the draft is made of is best read inside: others may put a draft of theirs in place until
    it is entered, and not after.

    Parameters
    ----------
    kind
        The draft's last suffix, such as ``"stripping"``.
    lease
        What the writer holds of the file; None where nobody else can be at it.

    Raises
    ------
    LeaseLost
        When another process took over, in place of whatever follows from that; the draft is
        removed and the file stays as it is.
    StoreFull, PermissionError
        When the disk cannot hold it; the file stays as it is.
    """
    token = secrets.token_hex(4) if lease is None else lease.token
    draft = file.with_name(f"{file.name}.{token}.{kind}")
    with contextlib.nullcontext() if lease is None else lease.explaining():
        _remove_others(file, kind, lease)
        try:
            with naming_the_disk(file):
                yield draft
            sync(draft)
            if lease is not None:
                lease.refuse_if_lost()
            draft.replace(file)
            sync(file.parent)
        finally:
            with contextlib.suppress(OSError):  # what went wrong is said, not what followed
                draft.unlink(missing_ok=True)


def _remove_others(file: Path, kind: str, lease: Lease | None) -> None:
    for left in file.parent.glob(f"{file.name}.*{kind}"):
        token = left.name.removeprefix(f"{file.name}.").removesuffix(f".{kind}")
        if lease is not None and lease.owner_of(token) == "heir":
            lease.refuse_if_lost()
        left.unlink(missing_ok=True)
