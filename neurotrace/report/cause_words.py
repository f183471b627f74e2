"""What interchange did, in words, and which controls of interventions are loud."""

from collections.abc import Iterator
from math import isfinite

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.claim import claimed_meaning
from neurotrace.report.reading import (
    Results,
    Said,
    curve,
    demand,
    headline,
    number,
    step_names,
    with_interval,
)
from neurotrace.report.when_words import lag

LOUD = 1 / 3  # of the experts' effect, from which a control's is no longer a small one
NECESSARY = "Alignment is necessary for transfer, not sufficient."
EFFECTS = {
    "interchange": ("across", "interchange"),
    "forcing": ("topic_log_odds", "forced generation"),
}


def use(results: Results) -> Iterator[Said]:
    """Whether what was learned in one language acts in another, beside overlap and the lag.

    Raises
    ------
    ValueError
        Where ``interchange`` has no ``chance``.
    """
    if "interchange" not in results:
        return
    found = demand(results, "interchange")
    experts = arms.pick(found, "experts")
    if experts is None:
        return
    acts, against = acting(found)
    meaning, names = claimed_meaning(results), step_names(found)
    random = arms.said(found, "random_matched", "across")
    verdict = (
        f"A {meaning}'s experts act across languages" if acts
        else f"That a {meaning}'s experts act across languages is not shown"
    )  # fmt: skip
    text = (
        f"{verdict}. At {names[-1]}, written into another language's sentence, their values move "
        f"its words there by {arms.said(found, 'experts', 'across')} nats against other words"
        f"{f', norm-matched random neurons by {random}' if random else ''} (none is 0). "
        f"{_beyond(experts)}{_ratio(found, results)}."
    )
    text += f" {against}" if against else ""
    text += _already(found, names)
    text += f" {lag(results)}" if lag(results) else ""
    together = " ".join((text, NECESSARY if "summary" in results or "retrieval" in results else ""))
    yield Said("Use across languages", together.strip(), "found" if acts else "not_found")


def _beyond(experts: xr.Dataset) -> str:
    """The paired difference to norm-matched random neurons, which the verdict rests on."""
    if not isfinite(curve(experts, "excess_low")[-1]):
        return ""
    return f"Beyond random that is {with_interval(experts, 'excess', -1, 2)}. "


def acting(found: xr.Dataset) -> tuple[bool, str]:
    """Do experts act beyond nothing and beyond every silent control, and what speaks against it?"""
    experts = arms.pick(found, "experts")
    if experts is None:
        return False, ""
    low, beyond = (curve(experts, name)[-1] for name in ("across_low", "excess_low"))
    loud = [f"{arms.named(arm)} {text}" for arm, text in loud_arms(found, "across", -1)]
    against = f"A control that should be silent is loud: {', '.join(loud)}." if loud else ""
    highs = [
        curve(one, "across_high")[-1]
        for arm in arms.SILENT
        if (one := arms.pick(found, arm)) is not None
    ]
    if isfinite(beyond):  # beyond norm-matched random neurons, draw by draw
        return bool(low > 0 and beyond > 0), against
    rivals = [high for high in highs if isfinite(high)]
    return bool(low > 0 and all(low > high for high in rivals)), against


def loud_arms(found: xr.Dataset, name: str, at: int) -> list[tuple[str, str]]:
    """Controls that act at a checkpoint, and by a third of what the experts do, with their values.

    Random neurons carry a little of every concept, so a small effect of theirs is no alarm: what
    counts is what the experts do beyond it.
    """
    experts = arms.pick(found, "experts")
    least = 0.0 if experts is None else LOUD * curve(experts, name)[at]
    return [
        (arm, with_interval(one, name, at, 2))
        for arm in arms.SILENT
        if (one := arms.pick(found, arm)) is not None
        and curve(one, f"{name}_low")[at] > 0
        and not curve(one, name)[at] < least
    ]


def _ratio(found: xr.Dataset, results: Results) -> str:
    value = curve(found, "ratio")[-1]
    if not isfinite(value):
        return "The ratio to the effect within a language is undefined"
    text = (
        f"Within a language they do by {arms.said(found, 'experts', 'within')}. That is a ratio of "
        f"{with_interval(found, 'ratio', -1, 2)} (0 is none, 1 fully shared)"
    )
    if "summary" in results:
        overlap = with_interval(headline(results), "corrected", -1)
        text += f", beside a corrected overlap of {overlap} (chance 0)"
    rotated = arms.said(found, "rotated", "across")
    if not rotated:
        return text
    text += f". Rotated units give {rotated} nats across"
    if not isfinite(curve(found, "ratio_rotated")[-1]):
        return text
    return f"{text}, a ratio of {with_interval(found, 'ratio_rotated', -1, 2)}"


def _already(found: xr.Dataset, names: list[str]) -> str:
    """What the first checkpoint gives, where an effect would be no effect of training."""
    one = arms.pick(found, "experts")
    if one is None or len(names) < 2:
        return ""
    value = f"{with_interval(one, 'across', 0, 2)} nats (none is 0)"
    if curve(one, "across_low")[0] > 0:
        return f" It acts already at {names[0]}, with {value}: that is no effect of training."
    return f" At {names[0]} it was {value}."


def loud_causes(results: Results) -> Iterator[str]:
    """Warnings: controls of interventions that act, and counts under deranged labels."""
    for name, (variable, words) in EFFECTS.items():
        if name not in results:
            continue
        found = results[name]
        steps = [at for at in range(found.sizes["step"]) if loud_arms(found, variable, at)]
        if not steps:
            continue
        at = steps[-1]
        loud = loud_arms(found, variable, at)
        said = ", ".join(f"{arms.named(arm)} {text}" for arm, text in loud)
        yield (
            f"In {words} a control that should be silent acts at {step_names(found)[at]}: {said} "
            "(none is 0). What exceeds it may be the experts'; the rest is not."
        )
    yield from _deranged(results)


def _deranged(results: Results) -> Iterator[str]:
    for name, words in (("lives_counts", "neurons that serve several languages"),
                        ("compression", "compression")):  # fmt: skip
        found = results.get(name)
        if found is None or "deranged" not in found:
            continue
        value, high = curve(found, "deranged"), curve(found, "chance_high")
        at = int(np.argmax(np.where(np.isfinite(value - high), value - high, -np.inf)))
        if value[at] > high[at] and value[at] > 0:
            digits = 0 if name == "lives_counts" else 3
            yield (
                f"Deranged labels, which must find nothing, give {number(value[at], digits)} at "
                f"{step_names(found)[at]} for {words}, above what coincidence allows "
                f"({number(high[at], digits)})."
            )
