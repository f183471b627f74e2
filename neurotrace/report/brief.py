"""What a run shows, in one line for each question: for the terminal."""

from collections.abc import Callable, Iterator
from math import isfinite

import xarray as xr

from neurotrace.report import arms
from neurotrace.report.forcing_plots import one_source, share_of, source_of
from neurotrace.report.geometry_words import tested, with_chance
from neurotrace.report.marks import onset_of
from neurotrace.report.reading import (
    Results,
    at_scalar,
    attribute,
    between,
    count,
    curve,
    demand,
    number,
    with_interval,
)
from neurotrace.report.silence_words import SETS, shortly
from neurotrace.report.tuning_words import briefly, holding
from neurotrace.report.when_words import steps_between, still_rising, without_onset

Line = tuple[str, str]


def brief(results: Results) -> list[Line]:
    """Name and line of every question that was traced, in the order of the page.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    parts: tuple[Callable[[Results], Iterator[Line]], ...] = (
        _onset, _use, _silenced, _lives, _compression, _identification, _forced,
        _geometry, _embeddings, _distances, _tuning,
    )  # fmt: skip
    return [line for part in parts for line in part(results)]


def _onset(results: Results) -> Iterator[Line]:
    if "onset_overlap" not in results:
        return
    found = demand(results, "onset_overlap")
    onset = onset_of(found)
    if not isfinite(onset.detect):
        yield "onset", f"corrected overlap {without_onset(found)}"
        return
    half = steps_between(onset.half, onset.low, onset.high)
    rising = ", still rising at the end" if still_rising(found) else ""
    shown = f", half at {half}" if isfinite(onset.half) else ""
    yield "onset", f"corrected overlap leaves its null at step {count(onset.detect)}{shown}{rising}"


def _use(results: Results) -> Iterator[Line]:
    if "interchange" not in results:
        return
    found = demand(results, "interchange")
    random = arms.said(found, "random_matched", "across")
    yield (
        "use",
        f"across / within {with_interval(found, 'ratio', -1, 2)}; across "
        f"{arms.said(found, 'experts', 'across')} nats"
        f"{f', matched random {random}' if random else ''} (none 0)",
    )


def _silenced(results: Results) -> Iterator[Line]:
    if "ablation" not in results:
        return
    found = demand(results, "ablation")
    said = [text for name in SETS if (text := shortly(found, name))]
    if said:
        yield "silenced", f"{'; '.join(said)} (nats a token, none 0)"


def _lives(results: Results) -> Iterator[Line]:
    if "lives_counts" not in results:
        return
    found = demand(results, "lives_counts")
    least = attribute(found, "least_languages")
    where = f"{least} or more languages" if least else "several languages"
    low, high = (curve(found, f"chance_{end}")[-1] for end in ("low", "high"))
    chance = f"{count(curve(found, 'chance')[-1])} {between(low, high, 0)}".rstrip()
    pairs = count(curve(found, "value")[-1])
    yield "lives", f"{pairs} concept-neuron pairs serve {where}; chance {chance}"


def _compression(results: Results) -> Iterator[Line]:
    if "compression" not in results:
        return
    found = demand(results, "compression")
    chance = with_interval(found, "chance", -1)
    yield "compression", f"{with_interval(found, 'value', -1)} of experts saved; chance {chance}"


def _identification(results: Results) -> Iterator[Line]:
    if "claims" not in results:
        return
    found = demand(results, "claims")
    mean, spread = (_change(found, name) for name in ("mean_change", "spread_change"))
    yield (
        "language ID",
        f"mean over layers by {mean}, spread by {spread} (no change 0; no evidence of sharing)",
    )


def _change(found: xr.Dataset, name: str) -> str:
    value, low, high = (at_scalar(found, name + end) for end in ("", "_low", "_high"))
    return f"{number(value)} {between(low, high)}".rstrip()


def _forced(results: Results) -> Iterator[Line]:
    if "forcing" not in results:
        return
    found = one_source(demand(results, "forcing"))
    experts, free = arms.pick(found, "experts"), arms.pick(found, "unforced")
    if experts is None or free is None:
        return
    source = source_of(found)
    share, unforced = (share_of(one, source)[-1] for one in (experts, free))
    odds = arms.said(found, "experts", "topic_log_odds")
    random = arms.said(found, "random_matched", "topic_log_odds")
    tongue = f"{source} {number(share, 2)}, unforced {number(unforced, 2)}"
    tongue = tongue if isfinite(share) else "language undefined, texts degenerate"
    beside = f", matched random {random}" if random else ""
    yield "forced", f"topic log-odds {odds}{beside} (none 0); {tongue}"


def _geometry(results: Results) -> Iterator[Line]:
    said = []
    for name, words in (("ilo", "ILO"), ("companions", "MEXA"), ("latent_concepts", "C-ALIGN")):
        if name in results and isfinite(curve(demand(results, name), "value")[-1]):
            said.append(f"{words} {with_chance(results[name], 'value', 'chance')}")
    if said:
        yield "geometry", f"{', '.join(said)}; only what leaves its chance counts"


def _embeddings(results: Results) -> Iterator[Line]:
    if "embeddings" not in results:
        return
    found = demand(results, "embeddings")
    if not isfinite(curve(found, "value")[-1]):
        return
    said = [f"scripts told apart {with_chance(found, 'value', 'chance', 2)}"]
    if "translations" in found and isfinite(curve(found, "translations")[-1]):
        near = with_chance(found, "translations", "translations_chance")
        said.append(f"translations among neighbours {near}")
    yield "embeddings", ", ".join(said)


def _distances(results: Results) -> Iterator[Line]:
    if "distances" in results:
        found = tested(demand(results, "distances"))
        yield "distance", f"{found} correlations hold after Holm (chance 0)"


def _tuning(results: Results) -> Iterator[Line]:
    if "tuning" in results and (said := briefly(demand(results, "tuning"))):
        yield "tuning", said
    if "transfer" in results:
        found = demand(results, "transfer")
        said = f"{int(holding(found).sum())} of {found.sizes['layer']} layers"
        yield "transfer", f"accuracy goes with change by tuning in {said}; chance 0"
