"""Leases: several workers share one list of work through the folder it is written to.

A worker that makes ``RUN/0007_step512.h5`` first makes ``RUN/.leases/0007_step512.h5.1.lease``,
which only one can make. Whoever takes over makes the next number, ``….2.lease``: of many heirs one
wins, nobody removes another's file, and the holder is the highest number. A lease is free when it
was released, when its process is known to have ended (same machine only), or when its file has not
been touched for as long as stands in it. That age is the difference to a file touched just now on
the same file system; no machine's clock takes part. Where the disk or all machines stood still,
every lease looks old: one is taken over only if it is not touched for a beat after that, either.

Nothing here stops a worker that was thought dead: it finds :meth:`Lease.still_ours` false, and
the names of unfinished files hold :attr:`Lease.token`, so that it never shares one with its heir.
"""

import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from neurotrace.runner import lease_files
from neurotrace.runner.lease_files import HELD, RELEASED, Record
from neurotrace.runner.owners import Owner, here

BEATS = 4  # touches of the file within the time after which it lapses
WATCHED = 1 / BEATS  # of that time: how long one that seems to have lapsed is looked at


class LeaseLost(OSError):
    """Another process took the work over, since this one was not heard of for too long."""


class Lease:
    """The right to make one file; by :func:`hold` or :func:`try_hold`.

    Attributes
    ----------
    token
        Eight hexadecimal digits, drawn anew for every lease: part of an unfinished file's name.
    inherited
        What became of the holder before: ``"dead"`` (its process has ended), ``"lapsed"`` (it was
        not heard of and may wake), or empty where there was none or it released its lease.
    """

    def __init__(self, file: Path, number: int, record: Record, inherited: str):
        self.token = record.token
        self.inherited = inherited
        self._file = file
        self._number = number
        self._record = record
        self._pid = os.getpid()
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._touch, name=f"lease {file.name}", daemon=True)
        self._beat.start()

    def still_ours(self) -> bool:
        """Whether nobody took over and nothing was released; asked before a file is renamed."""
        if self._ended.is_set() or os.getpid() != self._pid:
            return False
        try:
            # The folder is listed: of a file asked for by name, a network file system may answer
            # from memory that it is not there.
            last = max(lease_files.numbers(self._file), default=0)
            record, _ = lease_files.read(lease_files.named(self._file, self._number))
        except FileNotFoundError:
            return False  # somebody cleared the folder: no right can be shown
        return last == self._number and record is not None and record.token == self.token

    def refuse_if_lost(self) -> None:
        """Stop a worker whose work was taken over.

        Raises
        ------
        LeaseLost
            In one line that says what to do: nothing but the same command, if anything.
        """
        if not self.still_ours():
            raise LeaseLost(
                f"{self._file.name}: this process was not heard of for {self._record.expiry:g} s "
                "and another took the file over, with the rows counted so far; its own later work "
                "on it is dropped; the same command again goes on with what is left"
            )

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Raise LeaseLost instead of whatever goes wrong once the work was taken over."""
        try:
            yield
        except Exception:
            self.refuse_if_lost()
            raise

    def owner_of(self, token: str) -> str:
        """What is known of the holder that had a token, by which its unfinished file is named.

        Returns
        -------
        ``"free"`` when it released its lease, has ended or is this one: nobody else writes its
        file;
        ``"lapsed"`` when it may wake and go on writing; ``"heir"`` when it came after this one,
        which was thought hung; empty where no lease had this token.
        """
        if token == self.token:
            return "free"
        for number in lease_files.numbers(self._file):
            record = lease_files.read(lease_files.named(self._file, number))[0]
            if record is not None and record.token == token:
                if number > self._number:
                    return "heir"
                free = record.state == RELEASED or record.owner.gone()
                return "free" if free else "lapsed"
        return ""

    def release(self) -> None:
        """Let the next one have it at once; safe to call twice."""
        if self._ended.is_set() or os.getpid() != self._pid:
            return
        self._ended.set()
        self._beat.join()
        # Whoever cannot say so (the folder is gone, the disk is away) lets it lapse.
        with contextlib.suppress(OSError):
            handle = os.open(lease_files.named(self._file, self._number), os.O_WRONLY)
            try:
                os.write(handle, self._record.dump(RELEASED))
            finally:
                os.close(handle)

    def _touch(self) -> None:
        while not self._ended.wait(self._record.expiry / BEATS):
            # A file system that does not answer once is asked again; age decides, not one beat.
            with contextlib.suppress(OSError):
                os.utime(lease_files.named(self._file, self._number))

    def __repr__(self) -> str:
        return f"Lease({self._file.name}, number {self._number}, token {self.token})"


@contextlib.contextmanager
def hold(
    file: Path,
    *,
    expiry: float = 120.0,
    say: Callable[[str], None] | None = None,
    poll: float = 1.0,
    until: Callable[[], bool] | None = None,
) -> Iterator[Lease | None]:
    """Wait for the lease of a file, and release it in the end.

    Parameters
    ----------
    file
        What is to be made. It need not exist; leases lie beside it, in the folder ``.leases``.
    expiry
        Seconds without a sign of life after which others may take over.
    say
        Is given one line for every holder that is waited for; by default it goes to stderr.
    poll
        Seconds between two looks.
    until
        Whether the work was done by another meanwhile; asked before each look and after the
        lease was had.

    Yields
    ------
    The lease, or None where ``until`` became true.

    Raises
    ------
    ValueError
        For a time that is not above zero.
    OSError
        Where leases cannot be written, in one line.
    """
    lease = _waited_for(file, expiry, say or _to_stderr, poll, until or (lambda: False))
    try:
        yield lease
    finally:
        if lease is not None:
            lease.release()


def try_hold(file: Path, *, expiry: float = 120.0) -> Lease | None:
    """The lease of a file if it can be had now, else None; see :func:`hold`."""
    found = _attempt(file, expiry)
    return found if isinstance(found, Lease) else None


def holder(folder: Path, *, but: Path | None = None) -> Owner | None:
    """Somebody else who holds a lease of a file in a folder; None where nobody does.

    Parameters
    ----------
    but
        A file whose lease does not count.
    """
    names = {
        path.name.rsplit(".", 2)[0] for path in lease_files.folder(folder / "x").glob("*.lease")
    }
    for name in sorted(names - {but.name if but is not None else ""}):
        file = folder / name
        with contextlib.suppress(FileNotFoundError):  # the folder was cleared just now
            number = max(lease_files.numbers(file), default=0)
            record, touched = lease_files.read(lease_files.named(file, number))
            if record is not None and _fate(file, record, touched, record.expiry) is None:
                return record.owner
    return None


def _waited_for(
    file: Path,
    expiry: float,
    say: Callable[[str], None],
    poll: float,
    until: Callable[[], bool],
) -> Lease | None:
    named: set[str] = set()
    while not until():
        found = _attempt(file, expiry)
        if isinstance(found, Lease):
            return _unless_done(found, until)
        if found is not None and found.token not in named:
            named.add(found.token)
            say(
                f"waiting for {found.owner}, at work on {file.name} since {found.since}; "
                f"go on when it is done or its lease lapses ({found.expiry:g} s)"
            )
        time.sleep(poll)
    return None


def _unless_done(lease: Lease, until: Callable[[], bool]) -> Lease | None:
    """The work may have been done between the last look and the lease."""
    done = True
    try:
        done = until()
    finally:
        if done:
            lease.release()
    return None if done else lease


def _attempt(file: Path, expiry: float) -> "Lease | Record | None":
    """The lease; else the record of its holder, None where that one is not written yet."""
    if not expiry > 0:
        raise ValueError(f"got a lease's expiry of {expiry:g}; expected seconds above 0")
    with lease_files.explained(file):
        lease_files.folder(file).mkdir(parents=True, exist_ok=True)
        try:
            return _looked(file, expiry)
        except FileNotFoundError:
            return None  # whoever finished the run cleared the folder just now


def _looked(file: Path, expiry: float) -> "Lease | Record | None":
    number = max(lease_files.numbers(file), default=0)
    path = lease_files.named(file, number)
    try:
        record, touched = lease_files.read(path)
    except FileNotFoundError:
        # There is none, or its maker met a full disk just now.
        return _claim(file, 1, expiry, "") if number == 0 else None
    patience = expiry if record is None else record.expiry
    fate = _fate(file, record, touched, patience)
    if fate == "lapsed" and record is not None:  # whoever says nothing shows no sign of life
        time.sleep(patience * WATCHED)
        if lease_files.read(path)[1] != touched:
            return record
    return record if fate is None else _claim(file, number + 1, expiry, fate)


def _fate(file: Path, record: Record | None, touched: float, expiry: float) -> str | None:
    """What became of a holder; None where it is at work."""
    if record is not None and record.state == RELEASED:
        return ""
    if record is not None and record.owner.gone():
        return "dead"
    # A file that says nothing yet is judged by its age, too: its maker may have been killed.
    # Where nothing is known of it now, it is asked again: a waiter writes nothing.
    age = lease_files.age(file, touched)
    return "lapsed" if age is not None and age > expiry else None


def _claim(file: Path, number: int, expiry: float, inherited: str) -> Lease | None:
    """Make the next file; None where another was quicker."""
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    record = Record(HELD, secrets.token_hex(4), here(), expiry, since)
    if not lease_files.make(lease_files.named(file, number), record):
        return None
    return Lease(file, number, record, inherited)


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
