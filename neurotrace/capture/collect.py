"""One checkpoint's sentences through the model and into its file, slab by slab."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurotrace.capture.batches import Slab
from neurotrace.capture.models import HookedModel
from neurotrace.capture.plain import Place, Reader
from neurotrace.capture.pooling import Batch, finite, pool
from neurotrace.capture.rotation import Rotation
from neurotrace.capture.sites import Target
from neurotrace.capture.tokens import Tokenized
from neurotrace.store import CheckpointWriter
from neurotrace.store.layout import Key, holds_tokens, token_rows

Rotations = Mapping[tuple[str, int, int | None], Rotation]  # by site, seed, layer


class Collector:
    """Pools what hooks see of one batch; one site is read once however many paths it serves.

    Attributes
    ----------
    readers
        For :meth:`neurotrace.capture.HookedModel.watch`.
    """

    def __init__(self, targets: Sequence[Target], n_layers: int, rotations: Rotations):
        self._rotations = rotations
        self._batch: Batch | None = None
        self._values: dict[Key, Tensor] = {}
        self._finite: dict[Place, Tensor] = {}
        places: dict[Place, list[Target]] = {}
        for target in targets:
            for layer in target.layers(n_layers):
                places.setdefault((target.site, layer), []).append(target)
        self.readers: dict[Place, Reader] = {
            place: partial(self._read, place, wanted) for place, wanted in places.items()
        }

    def run(
        self, forward: Callable[[Tensor, Tensor], None], batch: Batch
    ) -> tuple[dict[Key, Tensor], dict[Place, Tensor]]:
        """Pooled rows of a batch, and for every place whether each sentence was finite there."""
        self._batch, self._values, self._finite = batch, {}, {}
        forward(batch.ids, batch.mask)
        return self._values, self._finite

    def _read(self, place: Place, targets: Sequence[Target], x: Tensor) -> None:
        site, layer = place
        if self._batch is None:
            raise RuntimeError("a hook was called outside a batch")
        self._finite[place] = finite(x)
        turned: dict[int | None, Tensor] = {None: x}
        for target in targets:
            seed = target.rotation
            if seed is not None and seed not in turned:
                turned[seed] = self._rotations[site, seed, layer](x)
            self._values[str(target), layer] = pool(turned[seed], self._batch, target.pooling)


def rotations_of(
    targets: Sequence[Target], widths: Mapping[str, int], n_layers: int, *, device: str
) -> Rotations:
    """The maps of all rotated paths, made once for all checkpoints."""
    wanted = {
        (target.site, target.rotation, layer)
        for target in targets
        for layer in target.layers(n_layers)
        if target.rotation is not None
    }
    return {
        (site, seed, layer): Rotation(widths[site], seed=seed, layer=layer).to(device)
        for site, seed, layer in wanted
    }


def collect(
    model: HookedModel,
    writer: CheckpointWriter,
    *,
    label: str,
    frame: pd.DataFrame,
    tokenized: Tokenized,
    targets: Sequence[Target],
    slabs: Sequence[Slab],
    rotations: Rotations,
    drawn: pd.DataFrame | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Capture the sentences that the writer has not counted yet.

    Parameters
    ----------
    label, frame
        Names of the checkpoint and of the sentences, for messages.
    advance
        Called with the number of sentences of each batch.

    Raises
    ------
    ValueError
        For NaN or infinity, naming checkpoint, layer, site and sentence.
    """
    collector = Collector(targets, model.n_layers, rotations)
    keys = [(str(t), layer) for t in targets for layer in t.layers(model.n_layers)]
    sites = {str(target): target.site for target in targets}
    device = str(model.device)
    with model.watch(collector.readers) as forward:
        for slab in slabs:
            if slab.start < writer.n_done:
                continue
            of_slab = token_rows(drawn, slab.start, slab.stop)
            rows = {
                key: np.empty(
                    (_height(key[0], slab, of_slab), model.widths[sites[key[0]]]), np.float32
                )
                for key in keys
            }
            for numbers in slab.batches:
                tokens = None if drawn is None else _drawn_of(drawn, of_slab, numbers)
                batch = tokenized.batch(numbers, device=device, drawn=tokens)
                values, good = collector.run(forward, batch)
                _refuse_not_finite(good, numbers, label, frame)
                at_tokens = None if tokens is None else tokens.index.to_numpy() - of_slab.start
                for key, x in values.items():
                    where = at_tokens if holds_tokens(key[0]) else numbers - slab.start
                    rows[key][where] = x.cpu().numpy()
                advance(len(numbers))
            writer.write(slab.start, rows)


def _height(path: str, slab: Slab, of_slab: slice) -> int:
    return of_slab.stop - of_slab.start if holds_tokens(path) else slab.stop - slab.start


def _drawn_of(drawn: pd.DataFrame, of_slab: slice, numbers: NDArray[np.intp]) -> pd.DataFrame:
    """The slab's drawn tokens that lie in a batch; the index keeps their place in the table."""
    part = drawn.iloc[of_slab]
    return part[part["example"].isin(numbers)]


def _refuse_not_finite(
    good: Mapping[Place, Tensor], numbers: NDArray[np.intp], label: str, frame: pd.DataFrame
) -> None:
    together = torch.stack(list(good.values()))
    if bool(together.all()):
        return
    # Places stand in the order of the forward pass: the first is where it began.
    place, row = (int(index) for index in (~together).nonzero()[0])
    site, layer = list(good)[place]
    sentence = frame.iloc[int(numbers[row])]
    where = site if layer is None else f"layer {layer}, {site}"
    raise ValueError(
        f"{label}, {where}, {sentence['lang']} group {sentence['group']!r}: got NaN or infinity "
        f"for {sentence['text']!r:.60}; the weights of this checkpoint are damaged"
    )
