"""Figures of forced generation: does the topic come, and in which language does the model speak?

The rules are those of ``plots``: results in, Figure out, no number without its chance level.
"""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.canvas import COLOURS, panels
from neurotrace.report.interval_bars import barred
from neurotrace.report.reading import Curve, Results, attribute, curve, demand, joined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ODDS_VIEW = (-0.5, 1.0)


def forcing(results: Results) -> "Figure":
    """What does the model write when one language's experts of a concept are switched on?

    Left: the concept's share of content words as a change in log-odds against the unforced model,
    with a bar for each interval. Middle: the share of the source language. Right: the share of
    texts that are degenerate, where no language can be said.

    Raises
    ------
    ValueError
        Without ``forcing``, or where it has no ``chance``.
    """
    found = one_source(demand(results, "forcing"))
    source, seeds = source_of(found), attribute(found, "seeds")
    figure, (topic, tongue, broken) = panels(
        found,
        "Forced generation: does the topic come, and in which language?",
        joined(
            f"experts of {source} switched on" if source else "experts switched on",
            f"{seeds} texts for each concept and arm" if seeds else "",
            "beside the unforced model at the same checkpoint",
        ),
        ylabels=["change in log-odds of the topic", "share of the source language",
                 "degenerate texts"],
        label_width=16,
    )  # fmt: skip
    topic.level(0.0, "unforced", COLOURS["embed"], style="--")
    forced = [(arm, one) for arm, one in arms.each(found, "topic_log_odds") if arm != "unforced"]
    for at, (arm, one) in enumerate(forced):
        barred(topic, one, "topic_log_odds", arms.short(arm), arms.tint(arm, at), at=at,
               of=len(forced))  # fmt: skip
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
