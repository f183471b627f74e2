"""What panels over the checkpoints have in common: one curve a layer, chance, ceiling, the twin.

The rules are those of ``plots``: nothing is computed but means over what is not shown.
"""

from math import isfinite

import numpy as np
import xarray as xr

from neurotrace.report.canvas import COLOURS, STYLES, Panel
from neurotrace.report.plots import LOOSE
from neurotrace.report.reading import Curve, Results, by_family, curve, demand, mean_of

HEADING = 0.16  # of the height of the axes, kept free for a heading
FAR = 0.4  # of the ceiling: below it the data would be flat if the ceiling were in view
MANY_LANGUAGES = 6
# Scripts and other classes of languages, so that none looks like one of the languages above.
CLASSES = ("#332288", "#2E9C8B", "#882255", "#4C95C2", "#8F8A1F", "#CC6677", "#117733", "#B58A2C")


def by_layer(panel: Panel, found: xr.Dataset, name: str = "value") -> None:
    """One curve a layer, averaged over languages or pairs; the layers in shades of depth."""
    family = by_family(found, "layer", name)
    if family:
        panel.layers(family, {})
    else:
        panel.line(curve(found, name), "all layers", COLOURS["embed"])


def by_language(panel: Panel, family: dict[str, Curve]) -> None:
    """One colour a language, the same in every figure; their mean above many."""
    panel.family(family)
    if len(family) > MANY_LANGUAGES:
        panel.line(mean_of(family, len(panel.x)), "mean", COLOURS["embed"], width=2.2)


def by_class(panel: Panel, family: dict[str, Curve], *, width: float = 1.4) -> None:
    """One colour a script or another class of languages, none of them a language's colour."""
    for at, (name, y) in enumerate(family.items()):
        style = STYLES[(at // len(CLASSES)) % len(STYLES)]
        panel.line(y, class_named(name), CLASSES[at % len(CLASSES)], style=style, width=width)


def class_named(name: str) -> str:
    """A class short enough for the end of a curve; scripts of Unicode in small letters.

    >>> class_named("CYRILLIC"), class_named("Latn"), class_named("S")
    ('Cyrillic', 'Latn', 'S')
    """
    return name.capitalize()[:10] if name.isupper() and len(name) > 1 else name[:10]


def chance_curve(
    panel: Panel,
    found: xr.Dataset,
    name: str = "chance",
    *,
    label: str = "chance",
    band: str = "",
) -> None:
    """Chance over the checkpoints, dotted grey, with its band: ``band`` where it has another name
    than the chance; a mean over what is not shown."""
    band = band or name
    panel.line(
        curve(found, name), label, COLOURS["chance"], style=":", width=1.4,
        low=curve(found, f"{band}_low"), high=curve(found, f"{band}_high"),
    )  # fmt: skip


def beyond_chance(
    panel: Panel, found: xr.Dataset, name: str = "chance", *, top: float | None = 1.0
) -> None:
    """Chance as the zero line of a corrected value: its band, and what is left to its ceiling.

    Parameters
    ----------
    top
        Ceiling of the value before correction where the results hold none; None without one.
    """
    chance = curve(found, name)
    panel.level(0.0, "chance", COLOURS["chance"])
    low, high = (curve(found, f"{name}_{end}") for end in ("low", "high"))
    if np.isfinite(low).any():
        panel.band(low - chance, high - chance, COLOURS["chance"])
    if "ceiling" in found and name == "chance":
        panel.line(curve(found, "ceiling") - chance, "ceiling", COLOURS["ceiling"], style="--",
                   width=1.3)  # fmt: skip
    elif top is not None and np.isfinite(chance).any():
        panel.line(top - chance, "ceiling", COLOURS["ceiling"], style="--", width=1.3)


def twin_span(panel: Panel, results: Results, name: str, variable: str = "value") -> None:
    """The twin's range over its layers, or its level where that is one number."""
    if name not in results:
        return
    by = [float(one[0]) for one in by_family(demand(results, name), "layer", variable).values()]
    known = [value for value in by if np.isfinite(value)]
    if known and min(known) < max(known):
        panel.span(min(known), max(known), "twin", COLOURS["twin"])
    elif known:
        panel.level(known[0], "twin", COLOURS["twin"], style=LOOSE)


def framed(
    panel: Panel,
    *,
    floor: float | None = None,
    ceiling: float | None = None,
    show: tuple[float, float] | None = None,
) -> None:
    """Finish a panel with room for its heading, and its ceiling where that is not far off.

    A ceiling that would flatten the data is named at the top with an arrow instead.
    """
    bottom, top = panel.ax.get_ylim()
    bottom, top = (min(bottom, show[0]), max(top, show[1])) if show else (bottom, top)
    bottom = bottom if floor is None else floor
    near = ceiling is not None and top >= FAR * ceiling
    if near and ceiling is not None:
        panel.level(ceiling, "ceiling", COLOURS["ceiling"], style="--")
        top = max(top, ceiling)
    roof = top + HEADING * (top - bottom)
    if ceiling is not None and not near and isfinite(roof):
        label = f"ceiling {ceiling:g} \N{UPWARDS ARROW}"
        panel.ends.append(((top + roof) / 2, label, COLOURS["ceiling"]))
    panel.finish(floor=bottom, roof=roof)
