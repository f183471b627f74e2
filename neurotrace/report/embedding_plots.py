"""Figures of the input embeddings: scripts, neighbours, translations, drift, and a map.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report.canvas import COLOURS, panels
from neurotrace.report.grid import KEYED, key, sheet
from neurotrace.report.layer_panels import CLASSES, by_class, chance_curve, class_named, framed
from neurotrace.report.reading import (
    Results,
    attribute,
    by_family,
    count,
    curve,
    demand,
    joined,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR = COLOURS["embed"]
KEY_COLUMNS, KEY_LINE = 5, 0.17  # inches a line of the key takes
MARKERS = "os^Dv"


def embeddings(results: Results) -> "Figure":
    """Do input embeddings keep scripts apart, and do they bring translations together?

    Left: accuracy of telling a script from the rest; thin lines are scripts. Middle: scripts among
    a token's neighbours. Right: tokens with a translation among their neighbours.

    Raises
    ------
    ValueError
        Without ``embeddings``, or where a value has no chance.
    """
    found = demand(results, "embeddings")
    for name in ("scripts", "translations"):
        demand(results, "embeddings", chance=f"{name}_chance")
    tokens, least, k, many = (
        attribute(found, name) for name in ("tokens", "min_tokens", "k", "script_k")
    )
    figure, (apart, mixed, together) = panels(
        found,
        "Input embeddings: scripts told apart, scripts and translations among neighbours",
        joined(
            f"{count(tokens)} tokens" if tokens else "",
            f"scripts with at least {count(least)}" if least else "",
            f"{many} neighbours for scripts, {k} for translations" if many and k else "",
        ),
        ylabels=["accuracy", "scripts", "share of tokens"],
        headings=["a script told from the rest", "scripts among neighbours",
                  "translation among neighbours"],
        label_width=10,
    )  # fmt: skip
    if "separability_by" in found:
        by_class(apart, by_family(found, "script", "separability_by"), width=1.0)
    apart.line(curve(found, "value"), "mean", COLOUR)
    chance_curve(apart, found)
    for panel, name in ((mixed, "scripts"), (together, "translations")):
        panel.line(curve(found, name), "found", COLOUR)
        band = name if name == "translations" else ""  # its band has the name of the value
        chance_curve(panel, found, f"{name}_chance", band=band)
    framed(apart, ceiling=1.0, show=(0.45, 1.0))
    mixed.level(1.0, "own only", COLOURS["stratified"], style="-.")
    framed(mixed, floor=0.0)
    framed(together, floor=0.0, ceiling=1.0, show=(0.0, 0.05))
    return figure


def embedding_drift(results: Results) -> "Figure":
    """How far have the input embeddings still to go, and how much do they move at each step?

    Raises
    ------
    ValueError
        Without ``embeddings``, or where a value has no chance.
    """
    found = demand(results, "embeddings", chance="previous_chance")
    demand(results, "embeddings", chance="agreement_chance")
    figure, drawn = panels(
        found,
        "Input embeddings against other checkpoints",
        "left: the spaces as a whole; right: the neighbours of each token",
        ylabels=["mean canonical cosine", "share of neighbours"],
        headings=["with the checkpoint before", "neighbours in common with the last"],
        label_width=16,
    )
    for panel, name in zip(drawn, ("previous", "agreement"), strict=True):
        panel.line(curve(found, name), "found", COLOUR)
        chance_curve(panel, found, f"{name}_chance")
        framed(panel, floor=0.0, ceiling=1.0)
    return figure


def embedding_map(results: Results) -> "Figure":
    """Where do the tokens lie: the two directions of largest variance, one colour a script?

    Raises
    ------
    ValueError
        Without ``embedding_map``, or where it has no ``chance``.
    """
    from matplotlib.lines import Line2D

    found = demand(results, "embedding_map")
    step = attribute(found, "step")
    figure, (ax,) = sheet(
        "Map of the input embeddings",
        joined(
            f"step {count(step)}" if step is not None else "",
            f"{count(found.sizes['token'])} tokens",
            _explained(results),
        ),
        headings=[""],
        columns=1,
        width=6.2,
        height=3.4,
        head=KEYED + KEY_LINE * ((len(_groups(results)) - 1) // KEY_COLUMNS),
    )
    groups = _groups(results)
    for at, (_, rows) in enumerate(groups):
        _points(ax, found.isel(token=rows), at)
    ax.set_xlabel("first direction", fontsize=9)
    ax.set_ylabel("second direction", fontsize=9)
    ax.grid(visible=True, axis="both")
    handles = [Line2D([], [], color=_tint(at), marker=MARKERS[at % len(MARKERS)], linestyle="",
                      markersize=5, label=class_named(name))
               for at, (name, _) in enumerate(groups)]  # fmt: skip
    key(figure, handles, columns=KEY_COLUMNS)
    return figure


def _groups(results: Results) -> list[tuple[str, np.ndarray]]:
    """Scripts and their tokens: those probed keep their order and so their colour, then the rest
    by number of tokens, those beyond the colours together."""
    scripts = results["embedding_map"]["script"].values.astype(str)
    names, sizes = np.unique(scripts, return_counts=True)
    counted = [str(name) for name in names[np.argsort(-sizes, kind="stable")]]
    probed = results["embeddings"] if "embeddings" in results else {}
    first = [str(name) for name in probed["script"].values] if "script" in probed else []
    order = list(dict.fromkeys([*first, *counted]))
    groups = [(name, scripts == name) for name in order[: len(CLASSES)]]
    rest = order[len(CLASSES) :]
    if rest:
        groups.append((f"{len(rest)} others", np.isin(scripts, rest)))
    return groups


def _points(ax: "Axes", found: xr.Dataset, at: int) -> None:
    x, y = (found[axis].values.astype(float) for axis in ("x", "y"))
    ax.plot(x, y, MARKERS[at % len(MARKERS)], color=_tint(at), markersize=2.6, markeredgewidth=0,
            alpha=0.75)  # fmt: skip


def _tint(at: int) -> str:
    return CLASSES[at] if at < len(CLASSES) else COLOURS["stratified"]


def _explained(results: Results) -> str:
    found = results["embedding_map"]
    if "explained" not in found:
        return ""
    share = float(found["explained"].astype(float).sum())
    return f"{100 * share:.0f} % of the variance" if np.isfinite(share) else ""
