"""Whether a run allows one to claim sharing, and of what: the rule, apart from its wording."""

from math import isfinite
from typing import NamedTuple

import xarray as xr

from neurotrace.report.reading import (
    Results,
    count,
    curve,
    demand,
    headline,
    number,
    with_interval,
)

NULLS = {
    "summary_twin": "the re-initialised twin",
    "summary_deranged": "deranged labels",
    "summary_pseudo": "pseudo-concepts",
}


EQUIVALENT = 0.05  # corrected overlap this near to 0 on both sides is as good as none


class Claim(NamedTuple):
    """Whether sharing may be claimed at the last checkpoint, and what speaks against it."""

    holds: bool
    units: str
    against: list[str]


def claim(results: Results) -> Claim:
    """May sharing be claimed at the last checkpoint?

    Needs ``corrected`` and ``excess`` above zero with their whole intervals at the headline k,
    ``excess`` above zero at every k, and ``corrected`` with its whole interval above the value
    that each silent null (twin, deranged labels, pseudo-concepts) gives.
    """
    main, summary = headline(results), demand(results, "summary")
    against = []
    for name, words in (("corrected", "the corrected overlap"), ("excess", "the excess")):
        if not curve(main, f"{name}_low")[-1] > 0:
            against.append(
                f"{words}, {with_interval(main, name, -1)}, is not above 0 with its whole interval"
            )
    if "k" in summary.dims:
        wrong = [
            f"{named_k(k)} ({number(value)})"
            for k, value in zip(summary["k"].values, at_last(summary, "excess"), strict=True)
            if not value > 0
        ]
        if wrong:
            against.append(f"the excess is not above 0 at {', '.join(wrong)}")
    for name, words in NULLS.items():
        if name in results and curve(main, "corrected_low")[-1] > 0:
            null = headline(results, name)
            kind = "corrected" if isfinite(curve(null, "corrected")[-1]) else "value"
            value = curve(null, kind)[-1]
            if value >= curve(main, f"{kind}_low")[-1]:
                against.append(
                    f"{words} {null_value(results, name)}, no less than the interval allows"
                )
    return Claim(not against, claimed_units(results), against)


def claimed_units(results: Results) -> str:
    """The word a conclusion may use: "neurons" only if the basis is privileged."""
    if "basis" not in results:
        return "directions"
    low = curve(demand(results, "basis"), "value_low")[-1]
    return "neurons" if low > 0 else "directions"


def single_units(results: Results) -> str:
    """What single neurons are called: "neurons", or "units" where the basis has no privilege."""
    return "neurons" if claimed_units(results) == "neurons" else "units"


def claimed_meaning(results: Results) -> str:
    """The word a conclusion may use: "concept" only if neurons answer without its usual word.

    More of the neurons that could be tested on sentences without the word must answer there than
    not; where none could be tested, or nothing was labelled, it is "word".
    """
    if "labels" not in results:
        return "word"
    concept, word = (curve(results["labels"], name)[-1] for name in ("concept", "word"))
    return "concept" if concept > 0 and not word >= concept else "word"


def equivalence(low: float, high: float) -> str:
    """What an interval about nothing allows one to say: within a bound of none, or nothing.

    >>> equivalence(-0.01, 0.02)
    'within ±0.05 of none'
    >>> equivalence(-0.01, 0.12)
    'not within ±0.05 of none: sharing is not shown, and not excluded'
    """
    if -EQUIVALENT <= low and high <= EQUIVALENT:
        return f"within ±{EQUIVALENT:g} of none"
    return f"not within ±{EQUIVALENT:g} of none: sharing is not shown, and not excluded"


def null_value(results: Results, name: str) -> str:
    """What a null gives at its last checkpoint; raw where it cannot be corrected, as most nulls
    of labels cannot: experts of a meaningless label do not agree with themselves."""
    null = headline(results, name)
    if isfinite(curve(null, "corrected")[-1]):
        return with_interval(null, "corrected", -1)
    raw = with_interval(null, "value", -1)
    return f"undefined (raw overlap {raw}, chance {number(curve(null, 'chance')[-1])})"


def named_k(size: float) -> str:
    return f"k\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{count(float(size))}"


def at_last(summary: xr.Dataset, name: str) -> list[float]:
    """A variable at the last checkpoint, one number for every k."""
    return [float(curve(summary.isel(k=at), name)[-1]) for at in range(summary.sizes["k"])]
