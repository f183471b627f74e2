"""What neurons are called, in words: each count with what calls for nothing give.

That a neuron serves a concept in two languages may be coincidence, since many neurons serve
several concepts in each: such a count is never shown without what independent languages give.
"""

from collections.abc import Iterator
from math import isfinite

import numpy as np
import xarray as xr

from neurotrace.report.label_plots import of_languages
from neurotrace.report.reading import (
    Results,
    attribute,
    between,
    count,
    curve,
    demand,
    number,
    step_names,
)

NAME = "labels"
ALPHA = 0.05
METHODS = {"bh": "Benjamini–Hochberg", "by": "Benjamini–Yekutieli"}
SILENT = {"chance": "deranged labels", "pseudo": "pseudo-concepts", "words": "arbitrary words"}


def findings_of_labels(results: Results) -> Iterator[str]:
    """Sentences on pairs, on neurons of one language, and on words that pass for concepts.

    Raises
    ------
    ValueError
        Where a count has no chance level.
    """
    if NAME in results:
        found = demand(results, NAME, chance="at_least_two_chance")
        demand(results, NAME, chance="one_language_chance")
        yield _pairs(found)
        yield f"{_languages(found)}. {_one_language(found)}."
        yield from _word_or_concept(found)


def loud_labels(results: Results) -> Iterator[str]:
    """At most one warning: labels that mean nothing for which too many neurons are called."""
    if NAME not in results or "shared_chance" not in results[NAME]:
        return
    found = results[NAME]
    neurons, alpha = attribute(found, "neurons"), attribute(found, "alpha") or ALPHA
    called = curve(found, "shared_chance") + curve(found, "one_language_chance")
    at = int(np.argmax(called))
    if neurons and called[at] > alpha * neurons:
        yield (
            f"Deranged labels, which mean nothing, have {count(called[at])} of {count(neurons)} "
            f"neurons called at {step_names(found)[at]}: the false discovery rate is not kept."
        )


def _pairs(found: xr.Dataset) -> str:
    """Pairs by number of languages, never without the null beside them."""
    at, said = step_names(found)[-1], []
    languages = attribute(found, "languages")
    for kind in ("at_least_two", "all") if languages != 2 else ("at_least_two",):
        value, null = curve(found, kind)[-1], curve(found, f"{kind}_chance")[-1]
        low, high = (curve(found, f"{kind}_chance_{end}")[-1] for end in ("low", "high"))
        where = "two or more languages" if kind == "at_least_two" else f"all {languages or ''}"
        span = f"{count(null)} {between(low, high, 0)}"
        said.append(f"{count(value)} in {where} where independent languages give {span}".rstrip())
    high = curve(found, "at_least_two_chance_high")[-1]
    if not isfinite(high):
        verdict = "One concept has nothing to compare with, so coincidence is not ruled out"
    elif curve(found, "at_least_two")[-1] > high:
        verdict = "That is more than coincidence allows"
    else:
        verdict = "That is no more than coincidence allows"
    neurons, concepts = attribute(found, "neurons"), attribute(found, "concepts")
    family = ""
    if languages and concepts and neurons:
        family = (
            f", over {count(languages * concepts * neurons)} tests ({languages} languages × "
            f"{concepts} concepts × {count(neurons)} neurons)"
        )
    return (
        f"Concept–neuron pairs called at {at}: {'; '.join(said)}. {verdict}; independent languages "
        "are those that meet in a neuron only because it serves many concepts in each. False "
        f"discovery rate {rate(found)}{family}, confirmed on the other half."
    )


def _languages(found: xr.Dataset) -> str:
    """Neurons that answer to a language, or that none could be called."""
    least, smallest = attribute(found, "least"), attribute(found, "language_p")
    if smallest is not None and smallest > (attribute(found, "alpha") or ALPHA):
        return (
            "No neuron can be called for a language from "
            f"{count(attribute(found, 'compared'))} sentence groups a half: even one that wins "
            f"every comparison has p = {number(smallest, 2)} (chance is that of shuffled languages)"
        )
    names = step_names(found)
    told, silent = of_languages(found, ""), of_languages(found, "_chance")
    peak, neurons = int(np.argmax(told)), attribute(found, "neurons")
    script = " or a script" if isfinite(curve(found, "script")[-1]) else ""
    text = f"Called for a language{script} at {names[-1]}: {count(told[-1])}"
    text += f" of {count(neurons)} neurons" if neurons else " neurons"
    text += f", after {count(told[peak])} at {names[peak]}" if told[peak] > told[-1] else ""
    text += f"; {count(silent[-1])} with shuffled languages"
    won = f" ({100 * least:.0f} % and more)" if least else ""
    text += f". They answer more to it than to the translations{won}"
    return f"{text}, and come and go where nothing is shared, too"


def _one_language(found: xr.Dataset) -> str:
    """Neurons of a concept in any language and in one, beside labels without meaning."""
    said = []
    for words, kinds in (
        ("in any language", ("shared", "one_language")),
        ("in one language alone", ("one_language",)),
    ):
        silence = ", ".join(
            f"{count(value)} for {control}"
            for suffix, control in SILENT.items()
            if isfinite(value := sum(curve(found, f"{kind}_{suffix}")[-1] for kind in kinds))
        )
        called = sum(curve(found, kind)[-1] for kind in kinds)
        learned = sum(curve(found, f"{kind}_learned")[-1] for kind in kinds)
        beyond = f"{count(learned)} of them beyond the twin; " if isfinite(learned) else ""
        said.append(f"{count(called)} {words} ({beyond}{silence})")
    text = f"Called for a concept at {step_names(found)[-1]}: {' and '.join(said)}"
    if curve(found, "one_language_words")[-1] >= called:
        text += ". Arbitrary words get as many in one language: it takes no meaning"
    return text


def _word_or_concept(found: xr.Dataset) -> Iterator[str]:
    concept, word, unknown = (curve(found, name)[-1] for name in ("concept", "word", "undecided"))
    called, lacking = concept + word + unknown, attribute(found, "lacking")
    if not called > 0:
        return
    if concept + word == 0:
        why = "too few sentences lack the word"
        why = "every sentence holds the word" if lacking == 0 else why
        why = "nothing says which sentences hold the word" if lacking == -1 else why
        yield (
            f"Whether the {count(called)} neurons called for a concept answer to the concept or "
            f"only to its usual word is undecided: {why}."
        )
        return
    rest = f"; of {count(unknown)} too few sentences lack it" if unknown else ""
    yield (
        f"Of {count(called)} neurons called for a concept, {count(concept)} answer without its "
        f"usual word, too, and {count(word)} do not: they may detect the word{rest}."
    )


def rate(found: xr.Dataset) -> str:
    """At which false discovery rate, and how it was kept."""
    alpha, method = attribute(found, "alpha"), attribute(found, "method")
    return f"{alpha or ALPHA:g} ({METHODS.get(method or '', 'Benjamini–Hochberg')})"
