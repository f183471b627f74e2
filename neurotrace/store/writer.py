"""Writing one checkpoint's file: allocated first, slab by slab, renamed when whole.

The order that survives a SIGKILL at any moment: the data of a slab, flush, its row count, flush.
Rows beyond the count are never trusted; rows below it are never written again.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.runner.leases import Lease, LeaseLost
from neurotrace.store import disk, layout, partial, sums
from neurotrace.store.layout import Key, Spec
from neurotrace.store.plan import Plan
from neurotrace.store.repair import refuse_damaged


class CheckpointWriter:
    """The one writer of a checkpoint's file. Use :meth:`open`; needs no model.

    Attributes
    ----------
    file
        The name under which the file will appear when it is whole.
    n_done
        Sentences written, flushed and counted: where to go on.
    n_examples
        Sentences in all.
    """

    def __init__(
        self,
        file: Path,
        held: Path,
        h5: h5py.File,
        arrays: Mapping[Key, Spec],
        lease: Lease | None = None,
    ):
        self.file = file
        self.n_examples = int(h5["labels"].shape[0])
        self.n_done = int(h5.attrs["n_done"])
        self._held = held
        self._h5 = h5
        self._lease = lease
        # Handles stay open while writing: looking a dataset up again for each slab costs more.
        self._sets = {key: h5[layout.dataset_name(*key)] for key in arrays}
        self._examples = layout.read_table(h5, "examples")
        self._drawn = sums.drawn_tables(h5)

    @classmethod
    def open(
        cls,
        file: Path,
        *,
        header: Mapping[str, Any],
        examples: pd.DataFrame,
        labels: NDArray[np.int8],
        concepts: Sequence[str],
        arrays: Mapping[Key, Spec],
        tokens: pd.DataFrame | None = None,
        words: pd.DataFrame | None = None,
        languages: Sequence[str] | None = None,
        loss: pd.DataFrame | None = None,
        lease: Lease | None = None,
    ) -> "CheckpointWriter":
        """Start a file at its full size, or go on with the rows counted by one who was stopped.

        Parameters
        ----------
        file
            Final name. Until :meth:`finish` it is ``<file>.<token of this owner>.partial``.
        header
            Root attributes; ``None`` values are left out. ``model`` and ``step`` are expected.
        examples
            Columns ``group``, ``lang``; usually also ``n_tokens`` and ``text_hash``.
        labels
            int8 ``(example, concept)``: 1, 0, or -1 for unknown.
        arrays
            ``(path, layer)`` to (width, dtype). Paths that end in ``/tokens`` have the rows of
            ``tokens``, those in ``/words``, ``/words_first`` and ``/words_mean`` the rows of
            ``words``; both tables must be sorted by example.
        languages
            In set order; by default in order of appearance.
        loss
            Columns ``example`` and ``n_tokens`` of the sentences whose loss will be written.
        lease
            The right to write this file, from :func:`neurotrace.runner.leases.hold`: whoever
            loses it is refused at the next slab or at the end. Without one HDF5's lock keeps a
            second process of the same machine out.

        Raises
        ------
        OSError
            When another process is writing it, the folder is read-only, or its file system has
            no locks and there is no lease, in one line.
        LeaseLost
            When another process took the lease over before the file was opened.
        StoreFull
            When the disk cannot hold the whole file; nothing is left behind.
        StoreMismatch
            When a partial file of the same name was started with another header or other rows.
        """
        if file.exists():
            raise FileExistsError(f"{file.name}: got a finished file; expected none of this name")
        plan = Plan(
            header=header,
            examples=examples,
            labels=labels,
            concepts=concepts,
            arrays=arrays,
            tokens=tokens,
            words=words,
            languages=languages,
            loss=loss,
        )
        try:
            held, h5 = partial.resume(file, plan, lease) or partial.start(file, plan, lease)
        except (OSError, RuntimeError):
            if lease is not None:  # its heir may have taken the file from under it
                lease.refuse_if_lost()
            raise
        writer = cls(file, held, h5, arrays, lease)
        writer._refuse_if_lost()
        return writer

    def write(self, start: int, rows: Mapping[Key, NDArray]) -> None:
        """Write one whole slab, flush it, count it, flush the count.

        Parameters
        ----------
        start
            Its first sentence, which must be ``n_done``.
        rows
            For every dataset, the rows of the slab: 256 sentences (fewer at the end), or the
            tokens or words drawn from these sentences.

        Raises
        ------
        ValueError
            For NaN or infinity, and for a value that float16 cannot hold, naming layer, site and
            sentence; for a slab out of order or of another shape.
        StoreFull
            When the disk is full after all. The rows counted before stay.
        LeaseLost
            When another process took the file over.
        """
        stop = min(start + layout.SLAB, self.n_examples)
        if start != self.n_done or start >= self.n_examples:
            raise ValueError(f"got rows from {start}; expected the slab that starts {self.n_done}")
        # All are cast before any is written: a value that is refused leaves the slab untouched.
        cast = {key: self._cast(key, start, stop, rows) for key in self._sets}
        checks = [sums.checksum(values) for _, values in cast.values()]
        with self._at_the_disk():
            for key, (where, values) in cast.items():
                self._sets[key][where] = values
            self._h5["checksums"][start // layout.SLAB] = np.asarray(checks, dtype=np.uint32)
            self._h5.flush()
            # Only now, and in place: a count that reached the disk first would count nothing.
            self._h5.attrs.modify("n_done", np.int64(stop))
            self._h5.flush()
        self.n_done = stop

    def write_loss(self, nats: NDArray[np.float64]) -> None:
        """Fill in the loss of the sentences announced at :meth:`open`, nats a token."""
        with self._at_the_disk():
            self._h5["loss/nats"][...] = nats
            self._h5.flush()

    def finish(self) -> Path:
        """Re-read every slab against its checksum, make it durable, and give it its final name.

        Raises
        ------
        OSError
            When a slab does not read back as it was written. Opening the writer again goes on
            from the last slab that does.
        LeaseLost
            When another process took the file over: this one's gets no name.
        """
        if self.n_done != self.n_examples:
            raise ValueError(f"{self.file.name}: got {self.n_done} of {self.n_examples} rows")
        with self._at_the_disk():
            if sums.TABLES in self._h5.attrs:  # a file begun by an older version has no room
                self._h5.attrs.modify(sums.TABLES, np.uint32(sums.tables_checksum(self._h5)))
            self._h5.flush()
            good = sums.verified(self._h5)
            self._h5.close()
            if good < self.n_examples:
                raise OSError(f"{self.file.name}: rows from {good} on do not read back as written")
            refuse_damaged(self._held, quick=True)  # as others will open it
            disk.sync(self._held)
            self._refuse_if_lost()
            self._held.replace(self.file)
            disk.sync(self.file.parent)
        return self.file

    def close(self) -> None:
        """Leave the file as it is, resumable; safe to call twice and after :meth:`finish`."""
        # A full disk may refuse the last flush too; what was counted is on it already.
        with contextlib.suppress(OSError, RuntimeError):
            self._h5.close()

    @contextlib.contextmanager
    def _at_the_disk(self) -> Iterator[None]:
        """Errors in one line each; that of a file which another took away comes first."""
        self._refuse_if_lost()
        try:
            with disk.naming_the_disk(self.file):
                yield
        except (OSError, RuntimeError):
            self._refuse_if_lost()
            raise

    def _refuse_if_lost(self) -> None:
        if self._lease is None:
            return
        try:
            self._lease.refuse_if_lost()
        except LeaseLost:
            # Rows are the heir's to copy; a file without any, made too late, is nobody's.
            if self.n_done == 0:
                self.close()
                self._held.unlink(missing_ok=True)
            raise

    def __enter__(self) -> "CheckpointWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _cast(
        self, key: Key, start: int, stop: int, rows: Mapping[Key, NDArray]
    ) -> tuple[slice, NDArray]:
        """The rows of one dataset in the type it is stored in, and where they go."""
        path, layer = key
        dataset = self._sets[key]
        where = layout.rows_of(path, self._drawn, start, stop)
        expected = (where.stop - where.start, dataset.shape[1])
        if key not in rows or rows[key].shape != expected:
            got = rows[key].shape if key in rows else "nothing"
            raise ValueError(f"{path} layer {layer}: got rows {got}; expected {expected}")
        # NumPy casts several times faster than HDF5 would while writing.
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(rows[key], dtype=dataset.dtype)
        good = np.isfinite(values)
        if not good.all():
            self._refuse(key, where, rows[key], good)
        return where, values

    def _refuse(self, key: Key, where: slice, given: NDArray, good: NDArray[np.bool_]) -> None:
        """Raise, naming the first sentence whose value cannot be stored."""
        path, layer = key
        row, column = (int(index) for index in np.argwhere(~good)[0])
        value = given[row, column]
        example = where.start + row
        if layout.holds_tokens(path):
            example = int(self._drawn[layout.table_of(path)]["example"].iloc[example])
        sentence = self._examples.iloc[example]
        place = "embed" if layer is None else f"layer {layer}"
        step = self._h5.attrs.get("step", "?")
        name = f"step {step}, {place}, {path}, {sentence['lang']} group {sentence['group']!r}"
        if np.isfinite(value):
            raise ValueError(
                f"{name}: got {value:.6g}, beyond what float16 holds (65504); use dtype='float32'"
            )
        raise ValueError(f"{name}: got {value}; expected finite numbers")
