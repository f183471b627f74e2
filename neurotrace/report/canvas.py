"""A canvas for trajectories: step axis, lines, bands, and labels that do not run into each other.

Figures are made without pyplot, so that drawing leaves no state behind, and written as SVG with
a fixed salt, so that the same results give the same bytes. matplotlib loads on first use.
"""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.report.reading import Curve
from neurotrace.report.step_axis import spaced, step_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# One colour for one meaning in every figure, told apart with any kind of colour vision
# (Okabe & Ito's set, darkened where it is too light for a thin line).
COLOURS = {
    "neurons": "#0072B2",
    "rotated": "#D55E00",
    "ceiling": "#00825F",
    "wrong": "#C98500",
    "twin": "#8B3A8B",
    "deranged": "#3A9BD5",
    "pseudo": "#7A5C2E",
    "chance": "#444444",
    "stratified": "#8C8C8C",
    "other": "#C2326B",
    "embed": "#222222",
    "language": "#5B7F12",
    "source": "#A08BD6",
    "use": "#4B3FA8",
    "free": "#A6192E",
    "early": "#1F6E78",
    "late": "#5FB0B7",
    "phi": "#8A9A2B",
}
FAMILY = ("#0072B2", "#D55E00", "#00825F", "#C2326B", "#C98500", "#56B4E9", "#7A5C2E", "#8B3A8B")
STYLES = ("-", "--", "-.")
RC: dict[Any, Any] = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": "#333333",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.unicode_minus": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: any script renders, with the reader's own fonts
}
HEIGHT, TOP, BOTTOM, LEFT = 3.8, 0.92, 0.52, 0.74  # inches
WIDTH = {1: 6.2, 2: 12.6, 3: 12.6}  # of a figure, by its number of panels
CHARACTER = 0.078  # width of a letter of a label; the leader before it takes two
ROOM = (-0.12, 1.04)  # of the height of the axes: where a label may stand
LABEL_GAP = 0.056  # of the height of the axes: a line of label text


@dataclass
class Panel:
    """One set of axes over the checkpoints; labels are placed when it is finished."""

    ax: "Axes"
    x: NDArray[np.float64]
    ends: list[tuple[float, str, str]] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)

    def line(
        self,
        y: Curve,
        label: str,
        colour: str,
        *,
        style: str = "-",
        width: float = 2.0,
        low: Curve | None = None,
        high: Curve | None = None,
        shade: float = 0.16,
        x: NDArray[np.float64] | None = None,
    ) -> None:
        """A curve ``(step,)`` with its band; an empty label leaves it unnamed.

        ``x`` gives the places of the curve's own checkpoints, where they are others.
        """
        x = self.x if x is None else x
        known = np.isfinite(y)
        if not known.any():
            self.undefined.append(label)
            return
        marker = "o" if len(x) <= 24 and width >= 1.5 else ""
        if known.sum() == 1:
            marker = "o"  # a single point has no line to be seen by
        self.ax.plot(
            x, y, style, color=colour, linewidth=width, marker=marker, markersize=3.2, zorder=3
        )
        if low is not None and high is not None:
            self.band(low, high, colour, shade=shade, x=x)
        if label:
            self.ends.append((float(y[known][-1]), label, colour))

    def level(
        self, y: float, label: str, colour: str, *, style: str | tuple[int, tuple[int, int]] = ":"
    ) -> None:
        """A value that holds at every step: a chance level, the twin."""
        if not isfinite(y):
            self.undefined.append(label)
            return
        self.ax.axhline(y, color=colour, linestyle=style, linewidth=1.3, zorder=2)
        self.ends.append((y, label, colour))

    def span(self, low: float, high: float, label: str, colour: str) -> None:
        """A range that holds at every step, such as the twin's over its layers."""
        if isfinite(low) and isfinite(high):
            self.ax.axhspan(low, high, color=colour, alpha=0.10, linewidth=0, zorder=1)
            self.ends.append(((low + high) / 2, label, colour))

    def family(self, curves: Mapping[str, Curve], *, style: str = "-") -> None:
        """A curve for each of several equals (languages), in a fixed order of colours."""
        for at, (name, y) in enumerate(curves.items()):
            round_ = (at // len(FAMILY)) % len(STYLES)
            dashes = STYLES[round_] if round_ else style
            self.line(y, name, FAMILY[at % len(FAMILY)], style=dashes, width=1.4)

    def layers(self, curves: Mapping[str, Curve], bands: Mapping[str, tuple[Curve, Curve]]) -> None:
        """A curve for each layer, dark to light with depth; only some are named if many."""
        named = set(spaced(len(curves), 8))
        for at, (layer, y) in enumerate(curves.items()):
            low, high = bands.get(layer, (None, None)) if len(curves) <= 4 else (None, None)
            label = f"layer {layer}" if at in named else ""
            width = 1.8 if len(curves) <= 8 else 1.2
            colour = depth(at, len(curves))
            self.line(y, label, colour, width=width, low=low, high=high, shade=0.07)

    def band(
        self,
        low: Curve,
        high: Curve,
        colour: str,
        *,
        shade: float = 0.16,
        x: NDArray[np.float64] | None = None,
    ) -> None:
        """The area between two curves; a bar where there is one checkpoint."""
        x = self.x if x is None else x
        if len(x) == 1:
            self.ax.vlines(x, low, high, color=colour, linewidth=1.4, zorder=3)
        else:
            self.ax.fill_between(x, low, high, color=colour, alpha=shade, linewidth=0, zorder=2)

    def finish(
        self,
        *,
        floor: float | None = None,
        roof: float | None = None,
        show: tuple[float, float] | None = None,
    ) -> None:
        """Fix the limits of y and write every label beside the end of its curve.

        ``floor`` and ``roof`` are limits; ``show`` is a range that is in view whatever the data
        do, so that noise about zero looks like what it is.
        """
        self.ax.set_ylim(bottom=floor, top=roof)
        bottom, top = self.ax.get_ylim()
        if show is not None:
            bottom, top = min(bottom, show[0]), max(top, show[1])
            self.ax.set_ylim(bottom, top)
        if self.undefined:
            what = ", ".join(name for name in self.undefined if name)
            self.ax.text(
                -0.12, -0.2, f"undefined: {what}", transform=self.ax.transAxes, fontsize=7.5,
                color="#777777",
            )  # fmt: skip
        self.ends.sort(key=lambda end: end[0])
        wanted = [(y - bottom) / (top - bottom) for y, _, _ in self.ends]
        places = spread(wanted, LABEL_GAP)
        width = self.ax.get_window_extent().width * 72 / self.ax.figure.dpi
        for (_, label, colour), at, place in zip(self.ends, wanted, places, strict=True):
            self.ax.annotate(
                label,
                xy=(1.0, at),
                xytext=(width + 12, place),
                xycoords="axes fraction",
                textcoords=("axes points", "axes fraction"),
                fontsize=8.5,
                color=colour,
                va="center",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 0,
                            "color": colour, "linewidth": 0.6, "alpha": 0.6},
            )  # fmt: skip


def panels(
    dataset: xr.Dataset,
    title: str,
    subtitle: str,
    *,
    ylabels: Sequence[str],
    headings: Sequence[str] = (),
    label_width: int = 16,
) -> "tuple[Figure, list[Panel]]":
    """A figure with one panel for each y label, all over the checkpoints of ``dataset``.

    Parameters
    ----------
    dataset
        Gives the steps, and the tokens seen where that coordinate exists.
    label_width
        Room for the labels at the right of each panel, in characters.
    """
    from matplotlib import rc_context

    n = len(ylabels)
    width = WIDTH[n]
    axes_width = width / n - LEFT - (label_width + 3) * CHARACTER
    with rc_context(RC):
        figure = figure_class()(figsize=(width, HEIGHT))
        figure.text(0.12 / width, 1 - 0.14 / HEIGHT, title, fontsize=11.5, fontweight="bold",
                    va="top", color="#1A1A1A")  # fmt: skip
        figure.text(0.12 / width, 1 - 0.38 / HEIGHT, subtitle, fontsize=8.5, va="top",
                    color="#666666")  # fmt: skip
        drawn = []
        for at, ylabel in enumerate(ylabels):
            left = LEFT + at * width / n
            box = (left / width, BOTTOM / HEIGHT, axes_width / width,
                   (HEIGHT - TOP - BOTTOM) / HEIGHT)  # fmt: skip
            ax = figure.add_axes(box)
            ax.set_ylabel(ylabel)
            ax.locator_params(axis="y", nbins=7)
            if headings:
                ax.text(0.02, 0.95, headings[at], transform=ax.transAxes, va="top",
                        fontsize=9, fontweight="bold", color="#333333")  # fmt: skip
            drawn.append(Panel(ax, step_axis(ax, dataset)))
    return figure, drawn


def svg(figure: "Figure", *, salt: str = "neurotrace", alt: str = "") -> str:
    """The figure as one ``<svg>`` element: no date, no version, the same bytes every time.

    Parameters
    ----------
    salt
        Keeps the identifiers of several figures on one page apart.
    alt
        What a screen reader says; plain text.
    """
    from matplotlib import rc_context

    sheet = io.StringIO()
    with rc_context({**RC, "svg.hashsalt": salt}), warnings.catch_warnings():
        # text stays text, so a glyph missing here is no glyph missing there
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(sheet, format="svg", metadata={"Date": None})
    text = sheet.getvalue()
    text = text[text.index("<svg") :].rstrip()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[A-Za-z.]+_\d+"', "", text)  # names of groups; no reference needs them
    escaped = alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{escaped}" ', 1)


def depth(at: int, n: int) -> str:
    """Colour of layer ``at`` of ``n``: viridis without its palest end."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps["viridis"](0.80 * at / max(n - 1, 1)))


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Ascending places at least ``gap`` apart, as near as can be to those wanted, within ROOM.

    Isotonic regression of ``wanted − i·gap`` by pooling neighbours that violate the order; more
    labels than there is room for stand closer.

    >>> [round(place, 3) for place in spread([0.1, 0.1, 0.9], 0.1)]
    [0.05, 0.15, 0.9]
    """
    low, high = ROOM
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    pools: list[list[float]] = []  # sum, size
    for i, place in enumerate(wanted):
        pools.append([place - i * gap, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, size = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += size
    flat = [total / size for total, size in pools for _ in range(int(size))]
    last = high - (len(flat) - 1) * gap
    return [min(max(place, low), last) + i * gap for i, place in enumerate(flat)]


@cache
def figure_class() -> "type[Figure]":
    """The Figure that all figures here are; made once."""
    from matplotlib.figure import Figure

    class TraceFigure(Figure):
        """A matplotlib Figure that a notebook shows without pyplot."""

        def _repr_svg_(self) -> str:
            return svg(self)

    return TraceFigure
