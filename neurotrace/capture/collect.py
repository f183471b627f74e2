"""One checkpoint's sentences through the model and into its file, slab by slab."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurotrace.capture.batches import Allowance, DoesNotFit, Slab
from neurotrace.capture.job import Job
from neurotrace.capture.models import HookedModel
from neurotrace.capture.plain import Place, Reader
from neurotrace.capture.pooling import Batch, finite, pool
from neurotrace.capture.rotation import Rotation
from neurotrace.capture.sites import Target
from neurotrace.store import CheckpointWriter
from neurotrace.store.layout import Key, rows_of, table_of, token_rows

Rotations = Mapping[tuple[str, int, int | None], Rotation]  # by site, seed, layer
Tables = Mapping[str, pd.DataFrame]  # drawn tokens and words, of a batch
Keep = Callable[[Key, Tensor], None]
Into = Callable[[Key, NDArray], None]


class Collector:
    """Pools what hooks see of one batch; one site is read once however many paths it serves.

    Attributes
    ----------
    readers
        For :meth:`neurotrace.capture.HookedModel.watch`.
    """

    def __init__(self, targets: Sequence[Target], n_layers: int, rotations: Rotations):
        self._rotations = rotations
        self._batches: dict[torch.device, Batch] = {}
        self._keep: Keep = lambda _key, _values: None
        self._finite: dict[Place, Tensor] = {}
        places: dict[Place, list[Target]] = {}
        for target in targets:
            for layer in target.layers(n_layers):
                places.setdefault((target.site, layer), []).append(target)
        self.readers: dict[Place, Reader] = {
            place: partial(self._read, place, wanted) for place, wanted in places.items()
        }

    def run(
        self,
        forward: Callable[[Tensor, Tensor], None],
        batch: Batch,
        keep: Keep | None = None,
    ) -> tuple[dict[Key, Tensor], dict[Place, Tensor]]:
        """Pooled rows of a batch, and for every place whether each sentence was finite there.

        With ``keep`` each row goes there as soon as it is pooled, and none is returned.
        """
        values: dict[Key, Tensor] = {}
        self._batches, self._keep = {batch.ids.device: batch}, keep or values.__setitem__
        try:
            forward(batch.ids, batch.mask)
            return values, self._finite
        finally:
            # A pass that ran out of memory leaves nothing behind that would fill it.
            self._batches, self._finite = {}, {}
            self._keep = lambda _key, _values: None

    def _read(self, place: Place, targets: Sequence[Target], x: Tensor) -> None:
        site, layer = place
        batch = self._batch_at(x.device)
        # Left on the device; all places of a batch are looked at together when it is through.
        self._finite[place] = finite(x)
        turned: dict[int | None, Tensor] = {None: x}
        for target in targets:
            seed = target.rotation
            if seed is not None and seed not in turned:
                turned[seed] = self._rotations[site, seed, layer].to(x.device)(x)
            self._keep((str(target), layer), pool(turned[seed], batch, target.pooling))

    def _batch_at(self, device: torch.device) -> Batch:
        """The batch where a layer runs: a model may lie on several devices."""
        if not self._batches:
            raise RuntimeError("a hook was called outside a batch")
        if device not in self._batches:
            self._batches[device] = next(iter(self._batches.values())).to(device)
        return self._batches[device]


def rotations_of(targets: Sequence[Target], widths: Mapping[str, int], n_layers: int) -> Rotations:
    """The maps of all rotated paths, made once for all checkpoints; they follow their layers."""
    wanted = {
        (target.site, target.rotation, layer)
        for target in targets
        for layer in target.layers(n_layers)
        if target.rotation is not None
    }
    return {
        (site, seed, layer): Rotation(widths[site], seed=seed, layer=layer)
        for site, seed, layer in wanted
    }


def collect(
    model: HookedModel,
    writer: CheckpointWriter,
    *,
    job: Job,
    rotations: Rotations,
    label: str,
    advance: Callable[[int], None] = lambda _: None,
    allowance: Allowance | None = None,
) -> None:
    """Capture the sentences that the writer has not counted yet.

    Parameters
    ----------
    label
        Name of the checkpoint, for messages.
    advance
        Called with the number of sentences of each batch.
    allowance
        What goes through at once, shared by all checkpoints of a run.

    Raises
    ------
    ValueError
        For NaN or infinity, naming checkpoint, layer, site and sentence; the message of the
        writer for a value beyond float16; for a sentence whose memory does not suffice alone.
    """
    collector = Collector(job.targets, model.n_layers, rotations)
    allowed = Allowance(str(model.device)) if allowance is None else allowance
    with model.watch(collector.readers) as forward:

        def run(numbers: NDArray[np.intp], tables: Tables, into: Into) -> None:
            batch = job.tokenized.batch(
                numbers,
                device=str(model.device),
                drawn=tables.get("tokens"),
                words=tables.get("words"),
            )
            late: dict[Key, Tensor] = {}

            def keep(key: Key, values: Tensor) -> None:
                # In host memory at once: small rows held between large passing arrays would split
                # the space that these leave, until none of it fits again.
                if values.device.type == "cpu":
                    into(key, values.numpy())
                else:
                    late[key] = values

            _, good = collector.run(forward, batch, keep)
            _refuse_not_finite(good, numbers, label, job.concepts.frame)
            # The only transfers: pooled rows, never token values.
            for key, values in late.items():
                into(key, values.cpu().numpy())
            advance(len(numbers))

        for slab in job.slabs:
            if slab.start >= writer.n_done:
                try:
                    rows = _rows(job, slab, run, allowed)
                except DoesNotFit as error:
                    raise _too_long(error, job.concepts.frame, model.device, label) from None
                writer.write(slab.start, rows)
                del rows  # hundreds of megabytes, before the next slab's are made


def _rows(
    job: Job,
    slab: Slab,
    run: Callable[[NDArray[np.intp], Tables, Into], None],
    allowance: Allowance,
) -> dict[Key, NDArray[np.float32]]:
    """Rows of a slab for every dataset, batch by batch, each batch back in set order."""
    where = {path: rows_of(path, job.tables, slab.start, slab.stop) for path, _ in job.arrays}
    rows = {
        (path, layer): np.empty((where[path].stop - where[path].start, width), np.float32)
        for (path, layer), (width, _) in job.arrays.items()
    }
    of_slab = {
        name: table.iloc[token_rows(table, slab.start, slab.stop)]
        for name, table in job.tables.items()
    }

    def attempt(numbers: NDArray[np.intp]) -> None:
        # The index of a part keeps its rows' place in the whole table.
        parts = {name: table[table["example"].isin(numbers)] for name, table in of_slab.items()}
        places = {name: part.index.to_numpy() for name, part in parts.items()}
        places["examples"] = numbers

        def into(key: Key, values: NDArray) -> None:
            rows[key][places[table_of(key[0])] - where[key[0]].start] = values

        run(numbers, parts, into)

    for batch in slab.batches:
        # A part that did not fit is tried again in smaller ones, which write all of its rows anew.
        for _ in allowance.through(batch, job.tokenized.lengths, attempt):
            pass
    return rows


def _refuse_not_finite(
    good: Mapping[Place, Tensor], numbers: NDArray[np.intp], label: str, frame: pd.DataFrame
) -> None:
    device = next(iter(good.values())).device
    together = torch.stack([each.to(device) for each in good.values()])
    if bool(together.all()):
        return
    # Places stand in the order of the forward pass: the first is where it began.
    place, row = (int(index) for index in (~together).nonzero()[0])
    site, layer = list(good)[place]
    sentence = frame.iloc[int(numbers[row])]
    where = site if layer is None else f"layer {layer}, {site}"
    raise ValueError(
        f"{label}, {where}, {sentence['lang']} group {sentence['group']!r}: got NaN or infinity "
        f"for {sentence['text']!r:.60}; its weights are damaged, or compute_dtype is too narrow"
    )


def _too_long(
    error: DoesNotFit, frame: pd.DataFrame, device: torch.device, label: str
) -> ValueError:
    sentence = frame.iloc[error.row]
    return ValueError(
        f"{label}, {sentence['lang']} group {sentence['group']!r}: got a sentence of "
        f"{error.n_tokens} tokens, which alone does not fit into the memory of {device}; leave its "
        "group out, or lay the model over more devices (--device-map auto)"
    )
