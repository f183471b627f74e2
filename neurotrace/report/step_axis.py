"""The axis every trajectory is drawn over: training steps, with the tokens seen above them.

Steps stand on a log axis, where the early checkpoints are; step 0 has no place there and is drawn
at half of the first positive step. A series of several stages, whose steps start again, and a
single checkpoint are drawn in order instead.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.report.reading import short_count, staged, steps_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def step_axis(ax: "Axes", dataset: xr.Dataset) -> NDArray[np.float64]:
    """Draw the axis of training steps; the place of every checkpoint on it is returned."""
    steps = steps_of(dataset)
    positive = steps[steps > 0]
    ordinal = staged(dataset) or len(steps) == 1 or not len(positive)
    if ordinal:
        x = np.arange(len(steps), dtype=float)
        ticks = spaced(len(steps), 8)
        places, labels = x[ticks], [short_count(steps[at]) for at in ticks]
        ax.set_xlim(-0.5, len(steps) - 0.5)
    else:
        half = positive.min() / 2
        x = np.where(steps > 0, steps, half).astype(float)
        ax.set_xscale("log")
        pad = (x.max() / x.min()) ** 0.02
        ax.set_xlim(x.min() / pad, x.max() * pad)
        places = _ticks(x, bool((steps == 0).any()))
        labels = ["0" if at == half and 0 in steps else short_count(at) for at in places]
    ax.set_xticks(places, labels)
    ax.minorticks_off()
    ax.set_xlabel(
        "training step, in order of checkpoints" if ordinal and len(x) > 1 else "training step"
    )
    _token_axis(ax, dataset, x, places)
    return x


def _ticks(x: NDArray[np.float64], zero: bool) -> NDArray[np.float64]:
    """Round steps spread over a log axis; the place of step 0, and the last step, always."""
    low, high = x[1 if zero else 0], x.max()
    for steps in ((1,), (1, 3), (1, 2, 5)):
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        found = np.sort(np.outer(decades, steps).ravel())
        found = found[(found >= low) & (found <= high)]
        if len(found) >= 3:
            break
    room = (high / x.min()) ** 0.09  # two labels need about a tenth of the axis
    found = found[found * room <= high] if len(found) else found
    found = found[found >= x.min() * room] if zero else found
    return np.concatenate([x[:1] if zero else [], found, [high]])


def _token_axis(
    ax: "Axes", dataset: xr.Dataset, x: NDArray[np.float64], places: NDArray[np.float64]
) -> None:
    if "tokens" not in dataset.coords:
        return
    tokens = np.atleast_1d(dataset["tokens"].values).astype(float)
    if not np.isfinite(tokens).all():
        return
    top: Any = ax.secondary_xaxis("top")
    top.set_xticks(places, [short_count(float(np.interp(at, x, tokens))) for at in places])
    top.minorticks_off()
    top.tick_params(labelsize=7.5, colors="#888888", length=2, pad=1)
    top.spines["top"].set_visible(False)
    top.set_xlabel("tokens", fontsize=7.5, color="#888888", labelpad=2)


def spaced(n: int, most: int) -> list[int]:
    """At most ``most`` of ``n`` positions, first and last among them."""
    return sorted({round(at) for at in np.linspace(0, n - 1, min(n, most))}) if n else []
