"""What the numbers allow one to say: sentences from templates, each with chance and ceiling.

The rules: sharing is claimed only where the corrected overlap and the excess both lie above zero
with their whole intervals, the excess keeps its sign at every k, and every silent null stays
below; "neurons" is said only where the neuron basis beats a rotated one, else "directions".
Plain text: the page and the terminal dress it.
"""

from collections.abc import Iterator
from math import isfinite
from typing import NamedTuple

import numpy as np
import xarray as xr

from neurotrace.report.claim import (
    NULLS,
    at_last,
    claim,
    claimed_meaning,
    claimed_units,
    equivalence,
    named_k,
    null_value,
)
from neurotrace.report.doubts import doubts
from neurotrace.report.geometry_words import findings_of_geometry
from neurotrace.report.labels import findings_of_labels
from neurotrace.report.reading import (
    Kind,
    Results,
    attribute,
    between,
    by_family,
    count,
    curve,
    demand,
    experts_named,
    headline,
    level,
    mean_of,
    number,
    other_languages,
    own_language,
    step_names,
    with_interval,
)
from neurotrace.report.tuning_words import findings_of_tuning

NO_EVIDENCE = "This happens where nothing is shared, too: it is no evidence of sharing."


class Finding(NamedTuple):
    """One sentence or two, and how they are meant."""

    text: str
    kind: Kind


def findings(results: Results) -> list[Finding]:
    """What was found, what was not, what to doubt and what to know, most important first.

    Parameters
    ----------
    results
        One Dataset for each analysis; any may be absent and is then not spoken of.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    parts = (_sharing, _basis, _numbers, _baselines, _experts, _language_id, _language_neurons,
             _concept_neurons, _labels, _retrieval, _spaces, _loss)  # fmt: skip
    said = [finding for part in parts for finding in part(results)]
    warned = [Finding(text, kind) for kind, text in doubts(results)]
    return said[:1] + [w for w in warned if w.kind == "warning"] + said[1:] + [
        w for w in warned if w.kind != "warning"
    ]  # fmt: skip


def _sharing(results: Results) -> Iterator[Finding]:
    if "summary" not in results:
        yield Finding("Overlap of experts was not traced, so nothing is said of sharing.", "note")
        return
    main = headline(results)
    names, claimed = step_names(main), claim(results)
    value = with_interval(main, "corrected", -1)
    before = (
        f" At {names[0]} it was {with_interval(main, 'corrected', 0)}." if len(names) > 1 else ""
    )
    scale = "0 is chance, 1 is the agreement of a language with itself"
    of_what = f"the corrected overlap of a {claimed_meaning(results)}'s experts in two languages"
    if claimed.holds:
        text = (
            f"Shared {claimed.units} are found: at {names[-1]} {of_what} is {value} "
            f"({scale}).{before}"
        )
        yield Finding(text, "found")
        return
    if not isfinite(curve(main, "corrected")[-1]):
        text = (
            f"Whether concepts are shared cannot be said at {names[-1]}: hardly any language "
            "agrees with itself well enough (split-half overlap below 0.2) to be compared."
        )
        yield Finding(text + before, "not_found")
        return
    low, high = (curve(main, f"corrected_{end}")[-1] for end in ("low", "high"))
    verdict = f", {equivalence(low, high)}" if isfinite(low) and isfinite(high) else ""
    yield Finding(
        f"No sharing is found beyond the baselines: at {names[-1]} {of_what} is {value} "
        f"({scale}){verdict}.{before}",
        "not_found",
    )
    bound = f" Sharing above {number(high)} lies outside the interval." if isfinite(high) else ""
    against = "; ".join(claimed.against)
    yield Finding(f"Why no sharing is claimed: {against}.{bound}", "not_found")


def _basis(results: Results) -> Iterator[Finding]:
    if "basis" in results:
        basis = demand(results, "basis")
        words = f"neurons minus rotated basis {with_interval(basis, 'value', -1)}"
        if claimed_units(results) == "neurons":
            shared = "summary" in results and claim(results).holds
            yield Finding(
                f"The neuron basis matters: at {step_names(basis)[-1]} neurons overlap more than "
                f"the same site in a random rotation ({words}; no difference is 0).",
                "found" if shared else "note",  # a privileged basis without sharing is no result
            )
        else:
            yield Finding(
                f"No privilege of neurons is found ({words}; the interval does not lie above 0), "
                "so this report speaks of directions, not of neurons.",
                "not_found",
            )
    elif "summary" in results:
        yield Finding(
            "Neurons were not set against a rotated basis, so this report speaks of directions, "
            "not of neurons.",
            "note",
        )


def _numbers(results: Results) -> Iterator[Finding]:
    if "summary" not in results:
        return
    main, summary = headline(results), demand(results, "summary")
    sets = experts_named(results)
    text = (
        f"Before correction, at {step_names(main)[-1]}"
        f"{f' ({sets})' if sets else ''}: same concept {with_interval(main, 'value', -1)}, "
        f"wrong concept {_last(main, 'wrong_concept')}, chance {_last(main, 'chance')}, chance "
        f"by layer {_last(main, 'stratified')}, ceiling {_last(main, 'ceiling')}; excess over "
        f"the larger baseline {with_interval(main, 'excess', -1)}"
    )
    if summary.sizes.get("k", 1) > 1:
        at_k = (
            f"{number(value)} at {named_k(k)}"
            for k, value in zip(summary["k"].values, at_last(summary, "excess"), strict=True)
        )
        text += f". Excess by size of the sets: {', '.join(at_k)}"
    yield Finding(text + ".", "note")


def _baselines(results: Results) -> Iterator[Finding]:
    named = NULLS | {"summary_rotated": "the rotated basis"}
    said = [
        f"{words} {null_value(results, name)}" for name, words in named.items() if name in results
    ]
    if said:
        text = f"Corrected overlap elsewhere, where chance is 0: {'; '.join(said)}."
        yield Finding(text, "note")


def _experts(results: Results) -> Iterator[Finding]:
    if "expertise" not in results:
        return
    found = demand(results, "expertise")
    names, n = step_names(found), found.sizes["step"]
    own, other = (mean_of(part(found), n) for part in (own_language, other_languages))
    text = (
        f"A concept's best neurons tell it with average precision {number(own[-1], 2)} in their "
        f"own language at {names[-1]}"
    )
    text += f" ({number(own[0], 2)} at {names[0]})" if n > 1 else ""
    text += f", {number(other[-1], 2)} in the other languages" if isfinite(other[-1]) else ""
    text += f"; chance is {number(level(found))}"
    if "expertise_twin" in results:
        twin = mean_of(own_language(demand(results, "expertise_twin")), 1)
        text += f", the re-initialised twin has {number(twin[0], 2)} in its own language"
    if "ceilings" in results:
        ceiling = demand(results, "ceilings")
        for name, words in (("direction", "a difference of means"), ("dense", "a dense probe")):
            at_home, away = (
                mean_of(part(ceiling, name), n)[-1] for part in (own_language, other_languages)
            )
            text += f"; {words} over all neurons has {number(at_home, 2)} at home"
            text += f" and {number(away, 2)} elsewhere" if isfinite(away) else ""
    yield Finding(text + ".", "note")


def _language_id(results: Results) -> Iterator[Finding]:
    if "language_id" not in results:
        return
    found = demand(results, "language_id")
    by_layer = list(by_family(found, "layer").items())
    said = [f"{number(one[-1], 2)} after layer {layer}" for layer, one in by_layer]
    said = said if len(said) < 3 else [said[0], said[-1]]
    text = f"The language of a token is read off with accuracy {' and '.join(said)}"
    text += f" at {step_names(found)[-1]}"
    if "embed" in found:
        text += f"; {number(curve(found, 'embed')[-1], 2)} at the embeddings"
    text += f"; chance is {number(level(found), 2)}"
    if "language_id_twin" in results:
        twin = by_family(demand(results, "language_id_twin"), "layer").values()
        values = [one[-1] for one in twin]
        text += f", the twin's layers have {number(min(values), 2)} to {number(max(values), 2)}"
    left_out = attribute(found, "left_out")
    if left_out:
        text += f"; left out for want of tokens: {left_out}"
    yield Finding(f"{text}. {NO_EVIDENCE}", "note")


def _language_neurons(results: Results) -> Iterator[Finding]:
    if "language_neurons" not in results:
        return
    found = demand(results, "language_neurons")
    names = step_names(found)
    total = sum(by_family(found, "lang").values(), start=np.zeros(len(names)))
    peak, of = int(np.argmax(total)), attribute(found, "neurons")
    text = f"{count(total[-1])}{f' of {count(of)}' if of else ''} neurons tell one language from "
    threshold = attribute(found, "threshold")
    how = f" by average precision of at least {threshold:g} on both halves" if threshold else ""
    text += f"the others{how} at {names[-1]}"
    text += f", after {count(total[peak])} at {names[peak]}" if total[peak] > total[-1] else ""
    shuffled = level(found) * found.sizes.get("lang", 1)
    yield Finding(f"{text}; {count(shuffled)} with shuffled languages. {NO_EVIDENCE}", "note")


def _concept_neurons(results: Results) -> Iterator[Finding]:
    if "concept_neurons" not in results:
        return
    found = demand(results, "concept_neurons", chance="at_least_two_chance")
    said, threshold = [], attribute(found, "threshold")
    how = f" with average precision of at least {threshold:g} on both halves" if threshold else ""
    for kind, words in (("at_least_two", "two or more languages"), ("all", "all languages")):
        low, high = (curve(found, f"{kind}_chance_{end}")[-1] for end in ("low", "high"))
        coincidence = f"{count(curve(found, f'{kind}_chance')[-1])} {between(low, high, 0)}"
        said.append(f"{count(curve(found, kind)[-1])} in {words} (coincidence gives {coincidence})")
    yield Finding(
        f"Of {count(attribute(found, 'pairs') or np.nan)} concept–neuron pairs, "
        f"{' and '.join(said)} pass{how} at {step_names(found)[-1]}. These counts share their "
        "sentences between languages: they describe, the corrected overlap decides.",
        "note",
    )


def _labels(results: Results) -> Iterator[Finding]:
    for text in findings_of_labels(results):
        yield Finding(text, "note")


def _retrieval(results: Results) -> Iterator[Finding]:
    if "retrieval" not in results:
        return
    found = demand(results, "retrieval")
    layer, best = max(by_family(found, "layer").items(), key=lambda item: item[1][-1])
    text = (
        f"A sentence's translation is its nearest neighbour in {number(best[-1])} of all cases "
        f"at {step_names(found)[-1]} in the best layer, {layer}; chance is {number(level(found))}"
    )
    if "retrieval_twin" in results:
        twin = by_family(demand(results, "retrieval_twin"), "layer")[layer]
        text += f", the twin has {number(twin[-1])}"
    yield Finding(f"{text}. Alignment is necessary for transfer, not sufficient.", "note")


def _spaces(results: Results) -> Iterator[Finding]:
    for part in (findings_of_geometry, findings_of_tuning):
        for text in part(results):
            yield Finding(text, "note")


def _loss(results: Results) -> Iterator[Finding]:
    if "loss" not in results:
        return
    found = demand(results, "loss")
    mean, names = curve(found, "value"), step_names(found)
    start = f" from {number(mean[0], 2)} at {names[0]}" if len(names) > 1 else ""
    guess = f"; the uniform guess costs {number(level(found), 2)}" if isfinite(level(found)) else ""
    text = f"Loss is {number(mean[-1], 2)} nats a token at {names[-1]}{start}{guess}."
    yield Finding(text, "note")


def _last(dataset: xr.Dataset, name: str) -> str:
    return number(curve(dataset, name)[-1])
