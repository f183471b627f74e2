"""What silencing neurons cost, in words: a verdict for each set, beside as many random neurons."""

from collections.abc import Iterator
from math import isfinite

import xarray as xr

from neurotrace.report import arms
from neurotrace.report.reading import (
    Results,
    Said,
    between,
    curve,
    demand,
    number,
    step_names,
    with_interval,
)

SETS = {"shared": "random_shared", "language": "random_language"}  # a set and its control
MORE, LESS, NEITHER = (
    "costs more than random ones", "costs less than random ones", "is not shown to cost more",
)  # fmt: skip


def silenced(results: Results) -> Iterator[Said]:
    """What is lost without neurons of several languages and of one, each set judged by itself.

    A set costs more than as many random neurons where the paired difference, ``over_random``,
    lies above zero with its whole interval; without it, where the two intervals lie apart.

    Raises
    ------
    ValueError
        Where ``ablation`` has no ``chance``.
    """
    if "ablation" not in results:
        return
    found = demand(results, "ablation")
    told = [one for name in SETS if (one := _set(found, name)) is not None]
    if not told:
        return
    text = " ".join(
        [f"What it adds to the loss at {step_names(found)[-1]}, in nats a token (none is 0).",
         *(text for text, _ in told), _own(found)]
    )  # fmt: skip
    more = any(verdict == MORE for _, verdict in told)
    yield Said("Silencing neurons", text.strip(), "found" if more else "not_found")


def _set(found: xr.Dataset, name: str) -> tuple[str, str] | None:
    """What one set cost, and whether that is more than random neurons do; None where unknown."""
    one, random = arms.pick(found, name), arms.pick(found, SETS[name])
    if one is None or not isfinite(curve(one, "value")[-1]):
        return None
    n = curve(one, "neurons")[-1]
    many = f"{n:,.0f} {arms.named(name)}" if isfinite(n) else arms.named(name)
    text = f"{many[0].upper()}{many[1:]}: {with_interval(one, 'value', -1)}"
    if random is None:
        return f"{text}; they were not set against random ones.", NEITHER
    verdict = against(one, random)
    text += f", as many random ones {with_interval(random, 'value', -1)}"
    if isfinite(curve(one, "over_random")[-1]):
        text += f", a difference of {with_interval(one, 'over_random', -1)}"
    return f"{text}. This {verdict}.", verdict


def against(one: xr.Dataset, random: xr.Dataset, *, at: int = -1) -> str:
    """The verdict on a set beside its random neurons at one checkpoint."""
    low, high = (curve(one, f"over_random_{end}")[at] for end in ("low", "high"))
    if not (isfinite(low) and isfinite(high)):  # unpaired: the intervals must lie apart
        low = curve(one, "value_low")[at] - curve(random, "value_high")[at]
        high = curve(one, "value_high")[at] - curve(random, "value_low")[at]
    return MORE if low > 0 else LESS if high < 0 else NEITHER


def _own(found: xr.Dataset) -> str:
    """A language's own neurons on its own text and on that of the others."""
    said = [
        part
        for name, words in (("own", "on its own text"), ("other", "on that of the others"))
        if (part := _on(found, name, words))
    ]
    if not said:
        return ""
    return f"One language's neurons, silenced alone, cost {' and '.join(said)}."


def _on(found: xr.Dataset, name: str, words: str) -> str:
    if not isfinite(curve(found, name)[-1]):
        return ""
    chance = curve(found, f"{name}_chance")[-1]
    random = f" (random {with_interval(found, f'{name}_chance', -1)})" if isfinite(chance) else ""
    return f"{with_interval(found, name, -1)} {words}{random}"


def shortly(found: xr.Dataset, name: str) -> str:
    """One set for the terminal: its difference to random neurons, or its cost beside theirs."""
    one, random = arms.pick(found, name), arms.pick(found, SETS[name])
    if one is None or not isfinite(curve(one, "value")[-1]):
        return ""
    value, low, high = (curve(one, f"over_random{end}")[-1] for end in ("", "_low", "_high"))
    text = f"{arms.named(name)} {with_interval(one, 'value', -1)}"
    if isfinite(value):
        return f"{text}, beyond random {number(value)} {between(low, high)}".rstrip()
    return text if random is None else f"{text}, random {with_interval(random, 'value', -1)}"
