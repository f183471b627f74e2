"""The first paragraph of a report: what this run shows, and what it does not, in plain words.

It follows the headline and takes its words from the rules: "neurons" only where they beat a
rotated basis, else "directions"; "concept" only where neurons answer without its usual word.
"""

from collections.abc import Iterator
from math import isfinite
from typing import NamedTuple

from neurotrace.report.cause_words import NECESSARY, use
from neurotrace.report.claim import claimed_meaning, claimed_units, single_units
from neurotrace.report.geometry_words import spaces
from neurotrace.report.reading import (
    Results,
    Said,
    attribute,
    between,
    by_family,
    count,
    curve,
    demand,
    level,
    number,
    step_names,
    with_interval,
)
from neurotrace.report.shapes import shapes
from neurotrace.report.silence_words import silenced
from neurotrace.report.when_words import when

TRACED = ("claims", "summary", "forcing", "lives_counts")  # what the four shapes are read from


class Opening(NamedTuple):
    """Which words are used and why, the four published shapes, what else, and what is not shown."""

    words: str
    shapes: list[Said]
    rest: list[Said]
    limits: str


def opening(results: Results) -> Opening:
    """What stands below the headline; parts that were not traced are short or absent.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    traced = any(name in results for name in TRACED)
    rest = [said for part in (when, use, _compression, spaces, silenced) for said in part(results)]
    return Opening(
        " ".join(part(results) for part in (_units, _meaning) if "summary" in results),
        shapes(results) if traced else [],
        rest,
        _limits(results) if traced else "",
    )


def _units(results: Results) -> str:
    units = claimed_units(results)
    if "basis" not in results:
        return (
            "This page says “directions”, not “neurons”, since no rotated basis was set against "
            "them."
        )
    value = with_interval(demand(results, "basis"), "value", -1)
    if units == "neurons":
        return (
            f"This page says “neurons”, since they overlap more than a random rotation of the "
            f"same site does: by {value} (no difference is 0)."
        )
    return (
        f"This page says “directions”, not “neurons”, since these are not shown to overlap more "
        f"than a random rotation of the same site does: by {value} (no difference is 0)."
    )


def _meaning(results: Results) -> str:
    if "labels" not in results:
        return (
            "It says “word”, not “concept”, since answers without a concept's usual word were "
            "not examined."
        )
    found = demand(results, "labels", chance="at_least_two_chance")
    concept, word, unknown = (curve(found, name)[-1] for name in ("concept", "word", "undecided"))
    tested = concept + word
    if claimed_meaning(results) == "concept":
        return (
            f"It says “concept”, since {count(concept)} of {count(tested)} neurons that could be "
            "tested answer above chance without its usual word, too."
        )
    if tested > 0:
        return (
            f"It says “word”, not “concept”, since only {count(concept)} of {count(tested)} "
            "neurons that could be tested answer above chance without a concept's usual word."
        )
    every = attribute(found, "lacking") == 0
    why = "every sentence holds the usual word" if every else "none could be tested without it"
    return f"It says “word”, not “concept”, since {why}." if unknown > 0 or every else (
        "It says “word”, not “concept”, since no neuron was called for a concept.")  # fmt: skip


def _compression(results: Results) -> Iterator[Said]:
    parts = [part for part in (_saved(results), _spread(results)) if part]
    if parts:
        more = "compression" in results and _beyond(results)
        yield Said("Compression", " ".join(parts), "found" if more else "not_found")


def _beyond(results: Results) -> bool:
    found = results["compression"]
    return bool(curve(found, "value_low")[-1] > curve(found, "chance_high")[-1])


def _saved(results: Results) -> str:
    if "compression" not in results:
        return ""
    found = demand(results, "compression")
    low, high = (curve(found, f"chance_{end}")[-1] for end in ("low", "high"))
    verdict = "more than" if _beyond(results) else "not shown to be more than"
    null = f"{number(curve(found, 'chance')[-1])} {between(low, high)}".rstrip()
    deranged = curve(found, "deranged")[-1]
    silent = f"; deranged labels {number(deranged)}" if isfinite(deranged) else ""
    return (
        f"Experts of several languages meet in the same {single_units(results)}: that saves "
        f"{with_interval(found, 'value', -1)} of all expert places at {step_names(found)[-1]}, "
        f"{verdict} coincidence gives ({null}{silent})."
    )


def _spread(results: Results) -> str:
    if "participation" not in results:
        return ""
    found = demand(results, "participation")
    names, value = step_names(found), curve(found, "value")
    if not isfinite(value[-1]):
        return ""
    start = f" after {number(value[0], 1)} at {names[0]}" if len(names) > 1 else ""
    twin = ""
    if "participation_twin" in results:
        random = number(level(demand(results, "participation_twin"), "value"), 1)
        twin = f"; the re-initialised model has {random}"
    layers = by_family(found, "layer")
    return (
        f"A layer's activity spreads over {number(value[-1], 1)} directions at {names[-1]}{start} "
        f"(participation ratio, mean of {len(layers) or 1} layers). Chance, were its neurons "
        f"independent, is {number(curve(found, 'chance')[-1], 1)}{twin}."
    )


def _limits(results: Results) -> str:
    """What may not be concluded from this page, whatever it shows."""
    said = [
        "Not shown here is what another seed, other data or a longer schedule would give: "
        "intervals cover the concepts and languages of one training run."
    ]
    if "interchange" not in results:
        said.append("Nothing here says whether the model uses what overlaps.")
        if "retrieval" in results and "summary" in results:
            said.append(NECESSARY)
    return " ".join(said)
