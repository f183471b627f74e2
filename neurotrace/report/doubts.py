"""What to doubt in a run: dips, loud nulls, confounds, missing pairs, curves still rising.

A value at chance at one checkpoint between two that are not is a fault of the data before it is
a discovery; a curve that still rises has an early half; one training run is one training run.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import xarray as xr

from neurotrace.report.cause_words import loud_causes
from neurotrace.report.confounds import flagged
from neurotrace.report.labels import loud_labels
from neurotrace.report.reading import (
    Curve,
    Results,
    by_family,
    curve,
    demand,
    headline,
    level,
    mean_of,
    number,
    other_languages,
    own_language,
    step_names,
    steps_of,
    with_interval,
)
from neurotrace.trajectories.changes import dips

Doubt = tuple[Literal["warning", "note"], str]
RISING = 0.05  # a last change beyond this share of the whole range is still going on
FEW_LANGUAGES = 5


def doubts(results: Results) -> list[Doubt]:
    """Warnings and caveats of a run, as ``(kind, sentence)``."""
    parts = (_dips, _loud_nulls, _loud_labels, _loud_causes, flagged, _missing_pairs,
             _still_rising, _one_run)  # fmt: skip
    return [doubt for part in parts for doubt in part(results)]


def rising(y: Curve) -> bool:
    """Does the curve ``(step,)`` still rise at its last checkpoint?

    >>> import numpy as np
    >>> rising(np.array([0.0, 0.1, 0.2])), rising(np.array([0.0, 0.2, 0.2]))
    (True, False)
    """
    known = y[np.isfinite(y)]
    if len(known) < 3:
        return False
    return bool(known[-1] - known[-2] > RISING * (known.max() - known.min()))


def _dips(results: Results) -> Iterator[Doubt]:
    for name, above, floor, dataset in _watched(results):
        names = step_names(dataset)
        found = [names[at] for at in dips(above, floor=floor)]
        if found:
            yield (
                "warning",
                f"{name} falls to chance at {', '.join(found)}, between checkpoints where it does "
                "not: look at that checkpoint's weights before reading anything into it.",
            )


def _watched(results: Results) -> Iterator[tuple[str, Curve, float, xr.Dataset]]:
    """Curves minus chance, with the least distance from chance that means something."""
    if "summary" in results:
        main = headline(results)
        yield "Corrected overlap", curve(main, "corrected"), 0.05, main
    if "expertise" in results:
        found = demand(results, "expertise")
        n, chance = found.sizes["step"], level(found)
        yield "Own-language precision", mean_of(own_language(found), n) - chance, 0.05, found
        yield "Other-language precision", mean_of(other_languages(found), n) - chance, 0.05, found
    if "language_id" in results:
        found = demand(results, "language_id")
        for layer, one in by_family(found, "layer").items():
            yield f"Language identification in layer {layer}", one - level(found), 0.1, found
    if "retrieval" in results:
        found = demand(results, "retrieval")
        for layer, one in by_family(found, "layer").items():
            yield f"Retrieval in layer {layer}", one - level(found), 0.05, found
    if "loss" in results:
        found = demand(results, "loss")
        yield "Loss", level(found) - curve(found, "value"), 0.5, found


def _loud_nulls(results: Results) -> Iterator[Doubt]:
    for name, words in (
        ("summary_deranged", "Deranged labels, which must find nothing,"),
        ("summary_pseudo", "Pseudo-concepts, which mean nothing,"),
        ("summary_twin", "The re-initialised twin, which has learned nothing,"),
    ):
        if name not in results:
            continue
        null = headline(results, name)
        # Before correction: experts of a meaningless label rarely agree with themselves.
        value, chance = curve(null, "value"), curve(null, "chance")
        loud = np.flatnonzero((curve(null, "value_low") > chance) & (value > chance + 0.02))
        if len(loud):
            at = int(loud[np.argmax(value[loud])])
            yield (
                "warning",
                f"{words} give an overlap of {with_interval(null, 'value', at)}, above chance "
                f"{number(chance[at])}: something other than meaning is measured.",
            )


def _loud_labels(results: Results) -> Iterator[Doubt]:
    for text in loud_labels(results):
        yield "warning", text


def _loud_causes(results: Results) -> Iterator[Doubt]:
    for text in loud_causes(results):
        yield "warning", text


def _missing_pairs(results: Results) -> Iterator[Doubt]:
    if "summary" not in results or "valid_pairs" not in results["summary"]:
        return
    main = headline(results)
    valid, pairs = curve(main, "valid_pairs"), level(main, "pairs")
    short = np.flatnonzero(valid < pairs)
    if len(short):
        worst = int(short[np.argmin(valid[short])])
        where = f"{len(short)} of {len(valid)} checkpoints" if len(valid) > 1 else "the checkpoint"
        yield (
            "warning",
            f"At {where} some language pairs have no corrected overlap, because a language does "
            f"not agree with itself (below 0.2): {valid[worst]:.0f} of {pairs:.0f} pairs are left "
            f"at {step_names(main)[worst]}. They do not count as zero.",
        )


def _still_rising(results: Results) -> Iterator[Doubt]:
    named = []
    if "summary" in results:
        main = headline(results)
        if curve(main, "corrected_low")[-1] > 0 and rising(curve(main, "corrected")):
            named.append("corrected overlap")
    if "expertise" in results:
        found = demand(results, "expertise")
        if rising(mean_of(own_language(found), found.sizes["step"])):
            named.append("own-language precision")
    if "loss" in results and rising(-curve(demand(results, "loss"), "value")):
        named.append("the fall of the loss")
    if named:
        yield (
            "warning",
            f"Still moving at the last checkpoint: {' and '.join(named)}. A longer schedule would "
            "end elsewhere; half of the final value is reached early on such a curve.",
        )


def _one_run(results: Results) -> Iterator[Doubt]:
    if "summary" not in results:
        return
    text = "Intervals cover concepts and languages, not seeds: this is one training run."
    langs = results["overlap"].sizes.get("lang", 0) if "overlap" in results else 0
    if not langs and "expertise" in results:
        langs = results["expertise"].sizes.get("lang_a", 0)
    if 0 < langs < FEW_LANGUAGES:
        text += f" With {langs} languages the part that covers languages is rough."
    if len(steps_of(results["summary"])) > 1:
        text += " Each interval holds for its own checkpoint, not for all of them at once."
    yield "note", text
