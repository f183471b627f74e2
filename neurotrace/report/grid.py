"""Small multiples: many panels of one kind on one sheet, each with its own heading."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neurotrace.report.canvas import RC, figure_class

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEAD = 0.94  # inches above the panels, for title, subtitle and the first row's headings
KEYED = 0.98  # with a key between subtitle and panels that have no headings
KEYED_AXIS = 1.2  # the same, with headings or tokens above the panels
FOOT = 0.52  # and below, for what is written under an axis


def sheet(
    title: str,
    subtitle: str,
    *,
    headings: Sequence[str],
    columns: int,
    width: float = 12.6,
    height: float = 1.5,
    left: float = 0.74,
    right: float = 0.2,
    gap: tuple[float, float] = (0.7, 0.72),
    head: float = HEAD,
) -> "tuple[Figure, list[Axes]]":
    """A figure with one panel for each heading, in rows of ``columns``.

    Parameters
    ----------
    width
        Of the whole figure, in inches.
    height
        Of a panel, in inches.
    left, right
        Room beside the outer panels, in inches.
    gap
        Between panels, across and down, in inches.
    head
        Above the panels, in inches.
    """
    from matplotlib import rc_context

    rows = -(-len(headings) // columns)
    tall = head + rows * height + (rows - 1) * gap[1] + FOOT
    wide = (width - left - right - (columns - 1) * gap[0]) / columns
    with rc_context(RC):
        figure = figure_class()(figsize=(width, tall))
        figure.text(0.12 / width, 1 - 0.14 / tall, title, fontsize=11.5, fontweight="bold",
                    va="top", color="#1A1A1A")  # fmt: skip
        figure.text(0.12 / width, 1 - 0.38 / tall, subtitle, fontsize=8.5, va="top",
                    color="#666666")  # fmt: skip
        drawn = []
        for at, heading in enumerate(headings):
            row, column = divmod(at, columns)
            bottom = tall - head - (row + 1) * height - row * gap[1]
            x = left + column * (wide + gap[0])
            ax = figure.add_axes((x / width, bottom / tall, wide / width, height / tall))
            ax.set_title(heading, loc="left", fontsize=9, fontweight="bold", color="#333333", pad=5)
            ax.tick_params(labelsize=8)
            drawn.append(ax)
    return figure, drawn


def rows_of(
    title: str,
    subtitle: str,
    names: Sequence[str],
    *,
    width: float = 6.2,
    left: float = 1.75,
    head: float = KEYED_AXIS,
) -> "tuple[Figure, Axes]":
    """A figure of one panel with a named row for each entry, the first on top."""
    height = max(0.27 * min(len(names), 12) + 0.18 * max(len(names) - 12, 0), 1.2)
    figure, (ax,) = sheet(
        title, subtitle, headings=[""], columns=1, width=width, height=height, left=left,
        right=0.35, head=head,
    )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    return figure, ax


def key(figure: "Figure", handles: "Sequence[Artist]", *, columns: int = 4) -> None:
    """A legend between the subtitle and the panels, where it hides no data."""
    width, tall = figure.get_size_inches()
    figure.legend(
        handles=list(handles), loc="upper left", bbox_to_anchor=(0.06 / width, 1 - 0.52 / tall),
        ncols=columns, frameon=False, fontsize=8, handletextpad=0.4, columnspacing=1.4,
        borderpad=0.1, handlelength=1.5,
    )  # fmt: skip
