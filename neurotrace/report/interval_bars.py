"""Curves with a bar at every checkpoint, side by side: intervals that would hide one another."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.report.canvas import Panel
from neurotrace.report.reading import curve

APART = 0.014  # of the axis, between the bars of neighbours


def barred(
    panel: Panel,
    one: xr.Dataset,
    name: str,
    label: str,
    colour: str,
    *,
    at: int = 0,
    of: int = 1,
    style: str = "-",
) -> None:
    """The curve ``at`` of ``of`` neighbours with its intervals, moved aside to be told apart.

    Parameters
    ----------
    one
        Holds ``name`` and its ``_low`` and ``_high`` over the panel's own checkpoints.
    """
    x = aside(panel, at - (of - 1) / 2)
    y, low, high = (curve(one, name + end) for end in ("", "_low", "_high"))
    panel.line(y, label, colour, style=style, width=1.6, x=x)
    known = np.isfinite(low) & np.isfinite(high)
    if known.any():
        panel.ax.vlines(x[known], low[known], high[known], color=colour, linewidth=1.5, alpha=0.55,
                        zorder=3)  # fmt: skip


def aside(panel: Panel, places: float) -> NDArray[np.float64]:
    """The panel's checkpoints moved by so many bars, on a log axis or in order."""
    if panel.ax.get_xscale() == "log":
        return panel.x * (panel.x.max() / panel.x.min()) ** (APART * places)
    low, high = panel.ax.get_xlim()
    return panel.x + APART * places * (high - low)
