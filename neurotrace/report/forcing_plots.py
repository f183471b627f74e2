"""Figures of forced generation: does the topic come, and in which language does the model speak?

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.canvas import COLOURS, panels
from neurotrace.report.reading import Curve, Results, attribute, curve, demand, joined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ODDS_VIEW = (-0.5, 1.0)


def forcing(results: Results) -> "Figure":
    """What does the model write when one language's experts of a concept are switched on?

    Left: the concept's share of content words as a change in log-odds against the unforced model.
    Middle: the share of the source language. Right: the share of texts that are degenerate, where
    no language can be said.

    Raises
    ------
    ValueError
        Without ``forcing``, or where it has no ``chance``.
    """
    found = one_source(demand(results, "forcing"))
    source, seeds = source_of(found), attribute(found, "seeds")
    figure, (topic, tongue, broken) = panels(
        found,
        "Forced generation: the topic, the language, and texts that are neither",
        joined(
            f"source language {source}" if source else "",
            f"{seeds} seeds" if seeds else "",
            "each arm against the unforced model at the same checkpoint",
        ),
        ylabels=["log-odds of the topic", "share of the source language", "degenerate texts"],
        label_width=16,
    )
    topic.level(0.0, "unforced", COLOURS["embed"])
    for at, (arm, one) in enumerate(arms.each(found, "topic_log_odds")):
        low, high = (curve(one, f"topic_log_odds_{end}") for end in ("low", "high"))
        topic.line(curve(one, "topic_log_odds"), arms.short(arm), arms.tint(arm, at), low=low,
                   high=high, shade=0.13 if arm == "experts" else 0.05)  # fmt: skip
    for at, arm in enumerate(arms.of(found)):
        one = found.isel(arm=at)
        style = "--" if arm == "unforced" else "-"
        for panel, y in ((tongue, share_of(one, source)), (broken, curve(one, "degenerate"))):
            panel.line(y, arms.short(arm), arms.tint(arm, at), width=1.6, style=style)
    topic.finish(show=ODDS_VIEW)
    tongue.finish(floor=0.0, roof=1.02)
    broken.finish(floor=0.0, roof=1.02)
    return figure


def source_of(found: xr.Dataset) -> str:
    """The language whose experts are forced; empty where nothing says it."""
    if "lang_a" in found.coords and not found["lang_a"].ndim:
        return str(found["lang_a"].values)
    return str(attribute(found, "source") or attribute(found, "language") or "")


def one_source(found: xr.Dataset) -> xr.Dataset:
    """The first source language where several were forced: shares of two do not average."""
    return found.isel(lang_a=0) if "lang_a" in found.dims else found


def share_of(one: xr.Dataset, lang: str) -> Curve:
    """A language's share of one arm's output ``(step,)``; NaN where it cannot be said."""
    names = [str(name) for name in one["lang"].values] if "lang" in one.coords else []
    if "language" not in one or lang not in names:
        return np.full(one.sizes.get("step", 1), np.nan)
    return curve(one.isel(lang=names.index(lang)), "language")
