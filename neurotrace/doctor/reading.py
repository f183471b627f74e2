"""What the hooks of a loaded model say of a few sentences, as plain arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Place = tuple[str, int | None]
Values = Mapping[Place, NDArray[Any]]  # (token, feature), padding left out

N_SENTENCES = 6
LONGEST = 64  # tokens


def chosen(lengths: NDArray[np.int64], *, most: int | None) -> NDArray[np.intp]:
    """A few sentences of lengths as different as there are, so that a batch of them is padded."""
    order = np.argsort(lengths, kind="stable")
    fitting = order[lengths[order] <= min(LONGEST, most or LONGEST)]
    if not len(fitting):
        fitting = order[:1]
    at = np.linspace(0, len(fitting) - 1, min(N_SENTENCES, len(fitting))).round().astype(int)
    return fitting[np.unique(at)]


def places_of(sites: Sequence[str], n_layers: int) -> list[Place]:
    """Every site in every block; the embedding once."""
    blocks: list[Place] = [(s, n) for n in range(n_layers) for s in sites if s != "embed"]
    return [("embed", None), *blocks] if "embed" in sites else blocks


def read(model: Any, batch: Any, places: Sequence[Place]) -> Values:
    """One batch through a hooked model.

    Parameters
    ----------
    model
        :class:`neurotrace.capture.HookedModel`.
    batch
        :class:`neurotrace.capture.pooling.Batch`.
    """
    found: dict[Place, NDArray[Any]] = {}

    def keep(place: Place) -> Any:
        def reader(x: Any) -> None:
            found[place] = x[batch.mask.bool().to(x.device)].float().cpu().numpy()

        return reader

    with model.watch({place: keep(place) for place in places}) as forward:
        forward(batch.ids, batch.mask)
    return found


def read_alone(
    model: Any, tokenized: Any, rows: NDArray[np.intp], places: Sequence[Place]
) -> Values:
    """The same sentences, each in a batch of its own, their tokens one after the other."""
    device = str(model.device)
    each = [
        read(model, tokenized.batch(rows[[n]], device=device), places) for n in range(len(rows))
    ]
    return {place: np.concatenate([one[place] for one in each]) for place in places}


def pooled(values: NDArray[Any], content: NDArray[np.bool_], counts: NDArray[np.int64]) -> Any:
    """``(sentence, feature)``: the maximum over the content tokens of each sentence.

    Parameters
    ----------
    content
        ``(token,)`` bool.
    counts
        Tokens of each sentence.
    """
    kept = np.where(content[:, None], values, -np.inf)
    return np.maximum.reduceat(kept, np.concatenate([[0], np.cumsum(counts)[:-1]]))


def difference(got: Values, truth: Values) -> pd.Series:
    """Largest difference at each place, as a share of the largest value there."""
    found = {}
    for place, expected in truth.items():
        values = got.get(place)
        if values is None or values.shape != expected.shape:
            found[place] = np.inf
            continue
        scale = max(float(np.nanmax(np.abs(expected), initial=0)), 1e-6)
        off = np.abs(values.astype(np.float64) - expected)
        # Both may hold what is no number: that is another check's finding.
        off[~np.isfinite(expected) & ~np.isfinite(values)] = 0
        found[place] = float(np.nan_to_num(off, nan=np.inf).max(initial=0)) / scale
    return pd.Series(found, dtype=float)
