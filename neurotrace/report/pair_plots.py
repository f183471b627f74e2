"""Figures of language pairs at one checkpoint: no step axis, one point a pair."""

from itertools import combinations
from math import isfinite
from typing import TYPE_CHECKING

import xarray as xr

from neurotrace.report.canvas import BOTTOM, COLOURS, HEIGHT, LEFT, RC, TOP, WIDTH
from neurotrace.report.reading import Results, attribute, count, demand, joined, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIGHT = 0.25


def overlap_by_strings(results: Results) -> "Figure":
    """Do languages overlap more where they spell more alike?

    Corrected overlap of every language pair at the last step against the share of translations
    that have a string in common; pairs of one script are filled, pairs of two are rings.

    Raises
    ------
    ValueError
        Without ``confounds``, without its chance level, or where it holds no overlap.
    """
    found = demand(results, "confounds", chance="shared_chance")
    if "corrected" not in found:
        raise ValueError("got 'confounds' without 'corrected'; expected the overlap traced with it")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    width = WIDTH[1]
    with rc_context(RC):
        figure = Figure(figsize=(width, HEIGHT))
        figure.text(0.12 / width, 1 - 0.14 / HEIGHT, "Corrected overlap by shared strings",
                    fontsize=11.5, fontweight="bold", va="top", color="#1A1A1A")  # fmt: skip
        figure.text(0.12 / width, 1 - 0.38 / HEIGHT, _subtitle(results), fontsize=8.5, va="top",
                    color="#666666")  # fmt: skip
        box = (LEFT / width, BOTTOM / HEIGHT, 1 - (LEFT + RIGHT) / width,
               (HEIGHT - TOP - BOTTOM) / HEIGHT)  # fmt: skip
        ax = figure.add_axes(box)
        ax.axhline(0.0, color=COLOURS["chance"], linestyle=":", linewidth=1.3, zorder=2)
        points = _points(found)
        for kind, face in (("one script", COLOURS["neurons"]), ("two scripts", "white")):
            x, y = ([point[at] for point in points if point[2] == kind] for at in (0, 1))
            if x:
                ax.scatter(x, y, s=34, color=face, linewidths=1.4, zorder=3,
                           edgecolors=COLOURS["neurons"], label=kind)  # fmt: skip
        ax.set_xlim(left=min(-0.01, -0.03 * max((x for x, *_ in points), default=0.0)))
        ax.margins(x=0.12)
        ax.set_xlabel("translations that share a string", labelpad=2)
        ax.set_ylabel("corrected overlap")
        ax.legend(frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(0.6, 1.14),
                  ncols=2, handletextpad=0.2, columnspacing=1.0)  # fmt: skip
    return figure


def _points(found: xr.Dataset) -> list[tuple[float, float, str]]:
    """Shared strings, corrected overlap, and whether the scripts are one."""
    langs = [str(lang) for lang in found["lang_a"].values]
    points = []
    for a, b in combinations(range(len(langs)), 2):
        one = found.isel(lang_a=a, lang_b=b)
        x, y = float(one["shared"]), float(one["corrected"])
        scripts = {lang.rpartition("_")[2] for lang in (langs[a], langs[b])}
        kind = "one script" if len(scripts) == 1 else "two scripts"
        if isfinite(x) and isfinite(y):
            points.append((x, y, kind))
    return points


def _subtitle(results: Results) -> str:
    found = results["confounds"]
    step, r = attribute(found, "step"), float(found["shared_r"])
    return joined(
        f"step {count(step)}" if step is not None else "",
        f"rank correlation {number(r, 2)}" if isfinite(r) else "",
    )
