"""What else differs between the languages: tables, sentences and the one warning they may give.

None of these numbers comes from the model. They say what a neuron could answer to without any
meaning, so they stand beside the overlap, each with what it would be if it were no confound.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from neurotrace.report import confound_tables
from neurotrace.report.canvas import svg
from neurotrace.report.pair_plots import overlap_by_strings
from neurotrace.report.reading import Results, attribute, count, demand, number

NAME = "confounds"
TITLE = "What else differs between languages"
ALPHA = 0.05
FAR = 0.1  # an AUROC nearer to ½ tells too little to be what neurons answer to
PAIRS_SHOWN, LISTED, NAMED = 12, 12, 3  # pairs in view; concepts in the section, in a warning
FEW_LANGUAGES = 20
NO_SPACES = "character"
LEAD = (
    "These figures come from the sentences and the tokenizer; the model has no part in them. A "
    "neuron that answers to a spelling, to long sentences or to words cut in many pieces can look "
    "like one that answers to a meaning. Without such confounds every language would have the "
    "same figures, length would tell no concept (ratio 1, AUROC 0.5), and translations would "
    "share strings no more often than unrelated sentences do."
)
DEPENDENT = (
    "Pairs with a language in common depend on each other, so p comes from permuted languages, "
    "not from counting pairs"
)


class Told(NamedTuple):
    """A concept that length alone tells from the others in a language."""

    concept: str
    lang: str
    auroc: float

    def __str__(self) -> str:
        return f"{self.concept} in {self.lang} (AUROC {number(self.auroc, 2)})"


def section(results: Results) -> dict[str, Any] | None:
    """The section of the page as plain lists; None where confounds were not computed.

    Raises
    ------
    ValueError
        Where the result has no ``shared_chance``.
    """
    if NAME not in results:
        return None
    found = demand(results, NAME, chance="shared_chance")
    return {
        "title": TITLE,
        "lead": LEAD,
        "said": [text for part in (_length, _fertility, _strings) for text in part(found)],
        "languages": confound_tables.languages(found),
        "pairs": confound_tables.pairs(found),
        "shown": PAIRS_SHOWN,
        "concepts": confound_tables.concepts(found),
        "figure": _figure(results, found),
    }


def flagged(results: Results) -> Iterator[tuple[Literal["warning"], str]]:
    """At most one warning: concepts told by length, and overlap that goes with spelling."""
    if NAME not in results:
        return
    found = demand(results, NAME, chance="shared_chance")
    told, parts = told_by_length(found), []
    if told:
        named = ", ".join(map(str, told[:NAMED]))
        more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
        parts.append(f"length in tokens tells {named}{more}")
    if _goes_with_strings(found):
        parts.append(
            "language pairs that share more strings overlap more "
            f"(r = {number(float(found['shared_r']), 2)}, {_p(float(found['shared_p']))})"
        )
    if parts:
        yield "warning", f"Not only meaning can make experts agree: {'; '.join(parts)}."


def told_by_length(found: xr.Dataset) -> list[Told]:
    """Concepts whose sentences length tells from the others, the furthest from ½ first.

    After Holm over languages and concepts, and by an AUROC at least a tenth away from ½.
    """
    auroc, p = (found[n].transpose("lang", "concept").values for n in ("length_auroc", "length_p"))
    spots = np.argwhere((p <= ALPHA) & (np.abs(auroc - 0.5) >= FAR))
    told = [
        Told(str(found["concept"].values[c]), str(found["lang"].values[a]), float(auroc[a, c]))
        for a, c in spots
    ]
    return sorted(told, key=lambda one: (-abs(one.auroc - 0.5), one.concept, one.lang))


def _length(found: xr.Dataset) -> Iterator[str]:
    counted, tests = attribute(found, "length"), found["length_p"].size
    told = told_by_length(found)
    if told:
        more = f" and {len(told) - LISTED} more" if len(told) > LISTED else ""
        yield (
            f"Length in {counted} tells these concepts from the others in their language, so part "
            "of what their experts have in common may be length: "
            f"{', '.join(map(str, told[:LISTED]))}{more} "
            f"(chance 0.5; p below {ALPHA} after Holm over {count(tests)} tests)."
        )
        return
    auroc, p = (found[n].transpose("lang", "concept").values for n in ("length_auroc", "length_p"))
    at = np.unravel_index(np.nanargmax(np.abs(auroc - 0.5)), auroc.shape)
    lang, concept = str(found["lang"].values[at[0]]), str(found["concept"].values[at[1]])
    yield (
        f"Length in {counted} is not seen to tell a concept from the others: the furthest from "
        f"chance, 0.5, is {Told(concept, lang, float(auroc[at]))}, {_p(float(p[at]))} after Holm "
        f"over {count(tests)} tests."
    )


def _fertility(found: xr.Dataset) -> Iterator[str]:
    if "language_fertility" not in found:
        return
    value, units = found["language_fertility"].values, found["unit"].values.astype(str)
    said = []
    for unit in sorted(set(units), reverse=True):  # words first
        own = np.flatnonzero(units == unit)
        low, high = own[value[own].argmin()], own[value[own].argmax()]
        span = f"{number(value[low], 2)} tokens ({found['lang'].values[low]})"
        if low != high:
            span = f"from {span} to {number(value[high], 2)} ({found['lang'].values[high]})"
        where = ", in scripts that put no space between words," if unit == NO_SPACES else ""
        said.append(f"a {unit}{where} takes {span}")
    text = "; ".join(said)
    yield (
        f"{text[0].upper()}{text[1:]}. The more pieces a word is cut into, the less of it stands "
        "in any one token that a neuron reads."
    )


def _strings(found: xr.Dataset) -> Iterator[str]:
    shared = _of_pairs(found, "shared")
    shared = shared[np.isfinite(shared)]
    if not len(shared):
        if found.sizes["lang_a"] > 1:
            yield "No sentence stands in two languages, so what translations share is undefined."
        return
    some = int((shared > 0).sum())
    if not some:
        yield (
            f"No translation shares a string with another in any of {count(len(shared))} language "
            "pairs, so no word that is spelled alike explains what overlaps."
        )
        return
    text = f"Translations share strings in {count(some)} of {count(len(shared))} language pairs"
    if "shared_r" in found and isfinite(float(found["shared_r"])):
        yield f"{text}. {_correlation(found)}"
    else:
        yield f"{text}; whether overlap goes with them cannot be said of so few defined pairs."


def _correlation(found: xr.Dataset) -> str:
    """The rank correlation in words, never without what it is worth."""
    r, p, least = (float(found[f"shared_{name}"]) for name in ("r", "p", "r_detectable"))
    nodes, step = attribute(found, "nodes"), attribute(found, "step")
    seen = f"Pairs that share more overlap {'more' if r > 0 else 'less'}"
    if p > ALPHA:
        seen = "That such pairs overlap more or less than others is not seen"
    few = " the test is weak:" if nodes and nodes < FEW_LANGUAGES else ""
    limit = f" weaker than {number(least, 2)}" if isfinite(least) else ", however strong,"
    worth = f"with {nodes} languages{few} no correlation{limit} could be told from chance"
    return (
        f"{seen}: the rank correlation of shared strings with corrected overlap at step "
        f"{count(step)} is {number(r, 2)} (0 is none), {_p(p)}. {DEPENDENT}; {worth}."
    )


def _goes_with_strings(found: xr.Dataset) -> bool:
    return "shared_r" in found and bool(found["shared_r"] > 0 and found["shared_p"] <= ALPHA)


def _figure(results: Results, found: xr.Dataset) -> dict[str, Any] | None:
    """The scatter, where there is something to see: pairs that differ in both."""
    if "corrected" not in found:
        return None
    both = np.isfinite(_of_pairs(found, "corrected")) & np.isfinite(_of_pairs(found, "shared"))
    if both.sum() < 3 or not _of_pairs(found, "shared")[both].any():
        return None
    shows = "Do languages overlap more where they spell more alike?"
    return {
        "name": "overlap_by_strings",
        "svg": svg(overlap_by_strings(results), salt="neurotrace-overlap_by_strings", alt=shows),
        "shows": shows,
        "reading": "Every point is a language pair at the last step. Points that lie on a rising "
        "line would mean that overlap may be common spelling. Pairs that have a language in "
        "common are not independent of each other.",
        "path": "",
        "wide": False,
    }


def _of_pairs(found: xr.Dataset, name: str) -> np.ndarray:
    values = found[name].transpose("lang_a", "lang_b").values
    return values[np.triu_indices(len(values), 1)]


def _p(value: float) -> str:
    return (
        f"p < {number(0.001)}" if value < 0.001 else f"p = {number(value, 2 if value > 0.1 else 3)}"
    )
