"""The four shapes that were published of such trajectories, and whether this run has them.

Language identification falls and specializes; experts of one concept overlap beyond wrong ones;
the share of the source language in forced output falls; single neurons end up serving many
languages (Riemenschneider & Frank 2025). Each is said with its interval and its chance level.
"""

from math import isfinite

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.claim import claimed_meaning, single_units
from neurotrace.report.coincidence import lives_said
from neurotrace.report.forcing_plots import one_source, share_of, source_of
from neurotrace.report.reading import (
    Kind,
    Results,
    Said,
    at_scalar,
    attribute,
    between,
    by_family,
    count,
    curve,
    demand,
    headline,
    number,
    step_names,
    with_interval,
)

NO_EVIDENCE = "Both happen where nothing is shared, too: this is no evidence of sharing."
DEGENERATE = 0.2  # with a larger share of texts in no language, shares of languages mean nothing


def shapes(results: Results) -> list[Said]:
    """The four shapes in the paper's order, those that were not traced among them."""
    return [part(results) for part in (_identification, _overlap, _forced, _single_neurons)]


def _identification(results: Results) -> Said:
    name = "Language identification"
    if "claims" not in results:
        return Said(name, "Its change over training was not traced.", "note")
    found = demand(results, "claims")
    if "mean_change" not in found:
        return Said(name, "Its change over training was not traced.", "note")
    first, last = attribute(found, "first"), attribute(found, "last")
    when = f" from step {count(first)} to step {count(last)}" if last is not None else ""
    mean = _direction(
        found, "mean_change", "falls", "does not fall but rises", "is not shown to fall"
    )
    spread = _direction(
        found, "spread_change", "does not grow but shrinks", "grows", "is not shown to grow"
    )
    text = (
        f"Its mean over the layers {mean}{when}. Its spread over the layers {spread}. {NO_EVIDENCE}"
    )
    both = _end(found, "mean_change_high") < 0 and _end(found, "spread_change_low") > 0
    return Said(name, text, "found" if both else "not_found")


def _direction(found: xr.Dataset, name: str, down: str, up: str, neither: str) -> str:
    """Which way a change goes, with its interval; no change is 0."""
    value, low, high = (_end(found, name + end) for end in ("", "_low", "_high"))
    verdict = down if high < 0 else up if low > 0 else neither
    return f"{verdict} ({_signed(value)} {between(low, high)}; no change is 0)"


def _overlap(results: Results) -> Said:
    name = f"Overlap of a {claimed_meaning(results)}'s experts"
    if "summary" not in results:
        return Said(name, "It was not traced.", "note")
    main = headline(results)
    low, high = (curve(main, f"excess_{end}")[-1] for end in ("low", "high"))
    rivals = f"that of different {claimed_meaning(results)}s"
    verdict = f"It is above {rivals}" if low > 0 else (
        f"It is not shown to be above {rivals}"
        if isfinite(high) else f"Whether it is above {rivals} cannot be said"
    )  # fmt: skip
    text = (
        f"{verdict} at {step_names(main)[-1]}: {with_interval(main, 'value', -1)} against "
        f"{with_interval(main, 'wrong_concept', -1)} (chance {number(curve(main, 'chance')[-1])}). "
        f"Beyond the larger baseline it is {with_interval(main, 'excess', -1)} (none is 0)."
    )
    return Said(name, text + _depth(results, shown=low > 0), "found" if low > 0 else "not_found")


def _depth(results: Results, *, shown: bool) -> str:
    """In which layers the corrected overlap is largest, and whose profile that is."""
    if "summary_layers" not in results or not shown:
        return ""
    found = demand(results, "summary_layers")
    last = {layer: one[-1] for layer, one in by_family(found, "layer", "corrected").items()}
    known = [layer for layer, value in last.items() if isfinite(value)]
    if len(known) < 2:
        return ""
    named, ends = list(last), {}
    for layer in (max(known, key=last.__getitem__), min(known, key=last.__getitem__)):
        one = found.isel(layer=named.index(layer))
        ends[layer] = (with_interval(one, "corrected", -1), curve(one, "corrected_low")[-1],
                       curve(one, "corrected_high")[-1])  # fmt: skip
    (most, (top, low, _)), (least, (bottom, _, high)) = ends.items()
    apart = "" if low > high else "; the intervals meet"
    return (
        f" Chosen within layers, experts overlap most in layer {most} (corrected {top}) and least "
        f"in layer {least} ({bottom}; chance 0{apart}). This profile over depth is this model's "
        "own; the published one is highest in middle layers."
    )


def _forced(results: Results) -> Said:
    name = "Language of forced output"
    if "forcing" not in results:
        return Said(name, "It was not traced.", "note")
    found = one_source(demand(results, "forcing"))
    experts, free = arms.pick(found, "experts"), arms.pick(found, "unforced")
    source, step = source_of(found), step_names(found)[-1]
    if experts is None or free is None:
        return Said(name, "Experts were not forced beside an unforced model.", "note")
    share, unforced = share_of(experts, source), share_of(free, source)
    topic = _topic(found)
    if not (isfinite(share[-1]) and isfinite(unforced[-1])):
        shares = [curve(one, "degenerate")[-1] for one in (experts, free)]
        broken = number(max((x for x in shares if isfinite(x)), default=float("nan")), 2)
        text = (
            f"It cannot be said at {step}: {broken} of the texts are in no language or repeat "
            f"themselves (at most {DEGENERATE:g} may)."
        )
        return Said(name, text + topic, "not_found")
    low, high = (curve(experts, f"source_log_odds_{end}")[-1] for end in ("low", "high"))
    verdict, kind = _follows(found, low, high)
    random = arms.pick(found, "random_matched")
    beside = f", norm-matched random {number(share_of(random, source)[-1], 2)}" if (
        random is not None) else ""  # fmt: skip
    odds = with_interval(experts, "source_log_odds", -1, 2)
    moved = " By itself this is no evidence of sharing." if kind == "found" else ""
    text = (
        f"{verdict} at {step}.{moved} With experts of {source} switched on, the share of {source} "
        f"is {number(share[-1], 2)}, unforced {number(unforced[-1], 2)}{beside}. Its log-odds "
        f"change by {odds} (none is 0).{_earlier(found, share, unforced)}{topic}"
    )
    return Said(name, text, kind)


def _follows(found: xr.Dataset, low: float, high: float) -> tuple[str, Kind]:
    """Whether forcing moves the language, and whether it is the experts that do."""
    if not (isfinite(low) and isfinite(high)):
        return "It stands beside the unforced one", "note"
    if low <= 0 <= high:
        return "It is not shown to differ from the unforced one", "note"
    way = "towards" if low > 0 else "away from"
    random = arms.pick(found, "random_matched")
    if random is not None:
        ends = [curve(random, f"source_log_odds_{end}")[-1] for end in ("low", "high")]
        if (low > 0 and ends[0] > 0) or (high < 0 and ends[1] < 0):
            return f"It moves {way} the source language, and so does that of random neurons", (
                "not_found")  # fmt: skip
    return f"It moves {way} the source language", "found"


def _earlier(found: xr.Dataset, share: np.ndarray, unforced: np.ndarray) -> str:
    """The first checkpoint at which a share could be said, for the change over training."""
    known = np.flatnonzero(np.isfinite(share) & np.isfinite(unforced))
    if len(known) < 2:
        return ""
    at = int(known[0])
    return (
        f" At {step_names(found)[at]} that share was {number(share[at], 2)}, "
        f"unforced {number(unforced[at], 2)}."
    )


def _topic(found: xr.Dataset) -> str:
    """Whether the topic comes, beside norm-matched random neurons and beyond them."""
    experts = arms.pick(found, "experts")
    if experts is None or not isfinite(curve(experts, "topic_log_odds")[-1]):
        return ""
    beyond = curve(experts, "topic_over_random_low")[-1]  # NaN where it was not traced
    comes = curve(experts, "topic_log_odds_low")[-1] > 0 and not beyond <= 0
    random = arms.said(found, "random_matched", "topic_log_odds")
    text = (
        f" The topic {'comes' if comes else 'is not shown to come'}: its log-odds change by "
        f"{arms.said(found, 'experts', 'topic_log_odds')}"
        f"{f', with norm-matched random neurons by {random}' if random else ''} (none is 0)."
    )
    if isfinite(beyond):
        text += f" Beyond random that is {with_interval(experts, 'topic_over_random', -1, 2)}."
    return text + _elsewhere(experts)


def _elsewhere(experts: xr.Dataset) -> str:
    """Whether the topic comes in words that are not of the forced language, beyond random."""
    low = curve(experts, "topic_other_over_random_low")[-1]
    if not isfinite(low):
        return ""
    value = with_interval(experts, "topic_other_over_random", -1, 2)
    verdict = "it comes there, too" if low > 0 else "there it is not shown to come"
    return f" Counted in other languages' words alone, beyond random, it is {value}: {verdict}."


def _single_neurons(results: Results) -> Said:
    units = single_units(results)
    name = f"Single {units} that serve many languages"
    if "lives_counts" not in results:
        return Said(name, "They were not counted.", "note")
    found = demand(results, "lives_counts")
    value, null = curve(found, "value")[-1], curve(found, "chance")[-1]
    low, high = (curve(found, f"chance_{end}")[-1] for end in ("low", "high"))
    least, more = attribute(found, "least_languages"), value > high
    deranged = curve(found, "deranged")[-1]
    silent = f"; {count(deranged)} with deranged labels" if isfinite(deranged) else ""
    where = f"{least} languages or more" if least else "several languages"
    verdict = "more than coincidence gives" if more else "no more than coincidence gives"
    different = curve(found, "neurons")[-1]
    on = f" They lie on {count(different)} {units}." if isfinite(different) else ""
    text = (
        f"{count(value)} pairs of a {units[:-1]} and a {claimed_meaning(results)} hold in "
        f"{where} at {step_names(found)[-1]}, {verdict} "
        f"({count(null)} {between(low, high, 0)}{silent}).{on} {lives_said(results)}"
    )
    return Said(name, text.strip(), "found" if more else "not_found")


def _end(found: xr.Dataset, name: str) -> float:
    return at_scalar(found, name)


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)
