"""Figures of how much is packed into how little: compression of expert sets, participation ratio.

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import numpy as np

from neurotrace.report.canvas import COLOURS, panels
from neurotrace.report.plots import LOOSE
from neurotrace.report.reading import (
    Results,
    attribute,
    by_family,
    count,
    curve,
    demand,
    joined,
    level,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compression(results: Results) -> "Figure":
    """Do several languages do with fewer experts than they would have apart?

    ``1 − |∪ experts over languages| / Σ |experts|`` of sets sized by the false discovery rate,
    beside the null that keeps every neuron's number of concepts.

    Raises
    ------
    ValueError
        Without ``compression``, or where it has no ``chance``.
    """
    found = demand(results, "compression")
    sizes = curve(found, "sizes")
    figure, (panel,) = panels(
        found,
        "Compression of expert sets over languages",
        joined(
            attribute(found, "path"),
            f"{count(sizes[-1])} experts a language at the end" if np.isfinite(sizes[-1]) else "",
        ),
        ylabels=["share of experts saved"],
        label_width=16,
    )
    ends = ("low", "high")
    low, high = (curve(found, f"value_{end}") for end in ends)
    panel.line(curve(found, "value"), "neurons", COLOURS["neurons"], low=low, high=high)
    if np.isfinite(curve(found, "ceiling")).any():
        ceiling = curve(found, "ceiling")
        panel.line(ceiling, "ceiling", COLOURS["ceiling"], style="--", width=1.2)
    low, high = (curve(found, f"chance_{end}") for end in ends)
    panel.line(curve(found, "chance"), "chance", COLOURS["chance"], style=":", width=1.4,
               low=low, high=high)  # fmt: skip
    if np.isfinite(curve(found, "deranged")).any():
        deranged = curve(found, "deranged")
        panel.line(deranged, "deranged labels", COLOURS["deranged"], style="--", width=1.4)
    panel.finish(show=(0.0, 0.1))
    return figure


def participation(results: Results) -> "Figure":
    """Over how many directions does each layer spread its variance?

    The participation ratio of the neurons' covariance, ``(Σλ)² / Σλ²``, beside that of
    independent neurons of the same variances, with as many sentences.

    Raises
    ------
    ValueError
        Without ``participation``, or where it has no ``chance``.
    """
    found = demand(results, "participation")
    figure, (panel,) = panels(
        found,
        "Participation ratio of each layer's neurons",
        joined(
            attribute(found, "path"),
            "within languages" if attribute(found, "within_languages") else "",
        ),
        ylabels=["participation ratio"],
        label_width=16,
    )
    panel.layers(by_family(found, "layer"), {})
    if "participation_twin" in results:
        twin = demand(results, "participation_twin")
        panel.level(level(twin, "value"), "twin", COLOURS["twin"], style=LOOSE)
    panel.line(curve(found, "chance"), "chance", COLOURS["chance"], style=":", width=1.3)
    panel.finish(floor=0.0)
    return figure
