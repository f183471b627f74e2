"""A function applied to every step and layer of a store."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.store import layout

if TYPE_CHECKING:
    from neurotrace.store.reader import ActivationStore


def over_steps(
    store: "ActivationStore",
    fn: Callable[[NDArray, pd.DataFrame], Any],
    path: str,
    *,
    layers: Sequence[int | None],
    groups: Collection[str] | None = None,
) -> xr.DataArray:
    """See :meth:`neurotrace.store.ActivationStore.map`; ``layers`` are those of the path."""
    table = getattr(store, layout.table_of(path))
    rows = None
    if groups is not None:
        group = store.examples["group"].to_numpy()
        group = group[table["example"]] if layout.holds_tokens(path) else group
        rows = np.flatnonzero(np.isin(group, list(groups)))
        table = table.iloc[rows].reset_index(drop=True)
    steps = list(zip(store.checkpoints["stage"], store.checkpoints["step"], strict=True))
    values = []
    # One layer of one step is in memory at a time, whatever the store holds.
    for stage, step in steps:
        read = (store.read((int(stage), int(step)), layer, path, rows=rows) for layer in layers)
        per_layer = [_named(fn(X.to_numpy(), table), X.shape[1], path) for X in read]
        values.append(xr.concat(per_layer, "layer"))
    joined = xr.concat(values, "step")
    joined = joined.isel(layer=0) if list(layers) == [None] else joined.assign_coords(layer=layers)
    beside = {
        name: ("step", store.checkpoints[name].to_numpy()) for name in ("step", "stage", "tokens")
    }
    return joined.assign_coords(beside).rename(path)


def _named(value: Any, width: int, path: str) -> xr.DataArray:
    """A function's answer with its axes named."""
    if isinstance(value, xr.DataArray):
        return value
    array = np.asarray(value)
    if array.ndim == 0:
        return xr.DataArray(array)
    if array.ndim == 1 and len(array) == width:
        return xr.DataArray(array, dims=layout.dims(path)[1])
    raise ValueError(
        f"got an array {array.shape}; expected a number, one number a neuron ({width}), "
        "or a DataArray that names its axes"
    )
