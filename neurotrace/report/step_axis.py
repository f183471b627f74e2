"""The axis every trajectory is drawn over: training steps, with the tokens seen above them.

Steps stand on a log axis, where the early checkpoints are; step 0 has no place there and is drawn
at half of the first positive step. A series of several stages, whose steps start again, and a
single checkpoint are drawn in order instead.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.report.reading import checkpoint_keys, short_count, staged, steps_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 0.4  # inches that a label such as 1,500 takes


def step_axis(ax: "Axes", dataset: xr.Dataset, *, small: bool = False) -> NDArray[np.float64]:
    """Draw the axis of training steps; the place of every checkpoint on it is returned.

    A ``small`` one has fewer ticks, no name and no tokens: for one of many panels.
    """
    steps = steps_of(dataset)
    positive = steps[steps > 0]
    ordinal = in_order(dataset)
    if ordinal:
        x = np.arange(len(steps), dtype=float)
        ticks = spaced(len(steps), 3 if small else 8)
        places, labels = x[ticks], [short_count(steps[at]) for at in ticks]
        ax.set_xlim(-0.5, len(steps) - 0.5)
    else:
        half = positive.min() / 2
        x = np.where(steps > 0, steps, half).astype(float)
        ax.set_xscale("log")
        pad = (x.max() / x.min()) ** 0.02
        ax.set_xlim(x.min() / pad, x.max() * pad)
        wide = ax.get_window_extent().width / ax.figure.dpi
        places = _ticks(x, bool((steps == 0).any()), max(LABEL / wide, 0.09))
        labels = ["0" if at == half and 0 in steps else short_count(at) for at in places]
    if small and not ordinal:
        kept = spaced(len(places), 3)
        places, labels = places[kept], [labels[at] for at in kept]
    ax.set_xticks(places, labels)
    ax.minorticks_off()
    if small:
        return x
    ax.set_xlabel(
        "training step, in order of checkpoints" if ordinal and len(x) > 1 else "training step"
    )
    _token_axis(ax, dataset, x, places)
    return x


def in_order(dataset: xr.Dataset) -> bool:
    """Do the checkpoints stand in order, not at their steps?"""
    return staged(dataset) or not (steps_of(dataset) > 0).any() or dataset.sizes.get("step", 1) == 1


def place(step: float, dataset: xr.Dataset, x: NDArray[np.float64]) -> float:
    """Where a step, of a checkpoint or between two, stands on the axis of ``dataset``.

    NaN for a step of one of several stages, since it is no place in their order.
    """
    if staged(dataset) or not np.isfinite(step):
        return float("nan")
    if in_order(dataset):
        return float(np.interp(step, steps_of(dataset), x))
    return float(np.clip(step, x.min(), x.max()))


def places(found: xr.Dataset, base: xr.Dataset, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the checkpoints of ``found`` stand on the axis of ``base``; NaN where it has none."""
    known = dict(zip(checkpoint_keys(base), x, strict=True))
    return np.array([known.get(key, np.nan) for key in checkpoint_keys(found)])


def _ticks(x: NDArray[np.float64], zero: bool, apart: float) -> NDArray[np.float64]:
    """Round steps spread over a log axis; the place of step 0, and the last step, always.

    ``apart`` is what two labels need, as a share of the axis.
    """
    low, high = x[1 if zero else 0], x.max()
    for steps in ((1,), (1, 3), (1, 2, 5)):
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        found = np.sort(np.outer(decades, steps).ravel())
        found = found[(found >= low) & (found <= high)]
        if len(found) >= 3:
            break
    room = (high / x.min()) ** apart
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
