"""What tuning on one language did, in words: before against after, frozen against random lists.

The runs are training seeds: their range is told, and called no interval.
"""

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.cause_words import NECESSARY
from neurotrace.report.geometry_words import ALPHA, APART, correlated
from neurotrace.report.reading import Results, attribute, between, demand, level, number

MEASURES = (
    ("ilo_corrected", "ILO beyond chance", "chance 0"),
    ("mexa", "MEXA", "mexa_chance"),
    ("retrieval", "retrieval", "retrieval_chance"),
)
KEPT = "retrieval"  # centred, and not at its floor as MEXA may be: what lists are compared by
LISTS = ("frozen_early", "frozen_late", "frozen_phi")
HIGH = "zero_shot_chance_high"


def findings_of_tuning(results: Results) -> Iterator[str]:
    """What tuning moved, what each list of frozen layers kept, and what it gave to others.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    if "tuning" in results:
        yield from _of_one(results)
    yield from _transfer(results)
    yield from _distances(results)


def _of_one(results: Results) -> Iterator[str]:
    """The experiment on one source language."""
    found = demand(results, "tuning")
    if "base" in arms.of(found) and "free" in arms.of(found):
        held = held_out(found)
        moved = [text for name, words, chance in MEASURES
                 if (text := _moved(held, name, words, chance))]  # fmt: skip
        if moved:
            yield f"{_named(held)} {'; '.join(moved)}. {_kept(held)}{_runs(held)}"
        yield from _others(found)
        yield from _task(found)


def held_out(found: xr.Dataset) -> xr.Dataset:
    """The languages that can judge lists of layers: neither tuned on nor chosen on; where that
    leaves none, all that were not tuned on, and nothing judges a list that was chosen."""
    if "lang" not in found.coords:
        return found
    away = _away(found)
    return found.sel(lang=[lang for lang in away if lang not in chosen_on(found)] or away)


def chosen_on(found: xr.Dataset) -> list[str]:
    """The languages that the layers of most change were chosen on."""
    return [name for name in str(attribute(found, "chosen_on") or "").split(", ") if name]


def lists_of(found: xr.Dataset) -> dict[str, Any]:
    """What each arm freezes; empty where nothing says it."""
    text = attribute(found, "freeze")
    try:
        lists = json.loads(text) if text else {}
    except ValueError:
        return {}
    return lists if isinstance(lists, dict) else {}


def _away(found: xr.Dataset) -> list[str]:
    source = str(attribute(found, "source") or "")
    return [str(lang) for lang in found["lang"].values if lang != source]


def of_arm(found: xr.Dataset, arm: str, name: str) -> np.ndarray:
    """One number a run: a value's mean over layers and languages ``(run,)``; NaN without it."""
    if name not in found or arm not in arms.of(found):
        return np.full(found.sizes.get("run", 1), np.nan)
    one = found.isel(arm=arms.of(found).index(arm))[name].astype(float)
    return np.atleast_1d(one.mean([dim for dim in one.dims if dim != "run"]).values)


def over_runs(values: np.ndarray, digits: int = 3) -> str:
    """The mean over runs with their range where there are several: ``0.31 (0.28 to 0.35)``."""
    known = values[np.isfinite(values)]
    if not len(known):
        return number(float("nan"))
    mean = number(float(known.mean()), digits)
    if len(known) == 1:
        return mean
    return f"{mean} ({number(known.min(), digits)} to {number(known.max(), digits)})"


def _named(found: xr.Dataset) -> str:
    """Of languages held out."""
    source, n = attribute(found, "source"), found.sizes.get("lang", 0)
    where = f", in {n} language{'s' if n > 1 else ''} held out" if n else ""
    return f"Tuning{f' on {source}' if source else ''}, nothing frozen{where}:"


def _moved(found: xr.Dataset, name: str, words: str, chance: str) -> str:
    before, after = of_arm(found, "base", name), of_arm(found, "free", name)
    if not (np.isfinite(before).any() and np.isfinite(after).any()):
        return ""
    if chance in found:
        chance = f"chance {number(level(found, chance))}"
    elif chance.endswith("_chance"):
        return ""
    return f"{words} {over_runs(before)} before, {over_runs(after)} after, {chance}"


def _kept(found: xr.Dataset) -> str:
    """Retrieval under every arm that freezes layers, random lists among them."""
    said = [
        f"{arms.named(arm)} {over_runs(of_arm(found, arm, KEPT))}"
        for arm in arms.of(found)
        if arm not in ("base", "free") and not arm.startswith("frozen_random_")
        and np.isfinite(of_arm(found, arm, KEPT)).any()
    ]  # fmt: skip
    return f"Retrieval afterwards: {', '.join(said)}.{_beyond_random(found)} " if said else ""


def _beyond_random(found: xr.Dataset) -> str:
    """Which lists keep more than every single random one, in every run; and which do not."""
    verdicts: dict[str, list[str]] = {}
    for arm in LISTS:
        if told := _against_random(found, arm):
            verdicts.setdefault(told, []).append(arms.named(arm))
    return "".join(f" {told}: {' and '.join(which)}." for told, which in verdicts.items())


def _against_random(found: xr.Dataset, arm: str) -> str:
    own, lists = of_arm(found, arm, KEPT), lists_of(found)
    drawn = [
        of_arm(found, other, KEPT) for other in arms.of(found)
        if other.startswith("frozen_random_") and _rivals(lists.get(arm), lists.get(other))
    ]  # fmt: skip
    if not drawn or not np.isfinite(own).any():
        return ""
    if arm == "frozen_phi" and set(_away(found)) & set(chosen_on(found)):
        return "Not judged, no language being held out"
    n = len(drawn)
    every = f"{f'each of {n} random lists' if n > 1 else 'the one random list'} of as many layers"
    if all((own > other).all() for other in drawn):
        luck = f"(by lot one in {n + 1} would be, in one run)"
        return f"More than {every} in {_each_run(found)} {luck}"
    if all((own < other).all() for other in drawn):
        return f"Less than {every} in {_each_run(found)}"
    return f"Does not differ from freezing random blocks ({n} {'list' if n == 1 else 'lists'})"


def _rivals(own: Any, other: Any) -> bool:
    """Are they two lists of as many layers? Where nothing says what they freeze, they are."""
    if not own or not other:
        return True
    sizes = [len(one[0] if isinstance(one[0], list) else one) for one in (own, other)]
    return bool(own != other and sizes[0] == sizes[1])


def _each_run(found: xr.Dataset) -> str:
    runs = found.sizes.get("run", 1)
    return "the run" if runs == 1 else f"each of {runs} runs"


def _runs(found: xr.Dataset) -> str:
    if found.sizes.get("run", 1) > 1:
        return "Ranges are of training runs and are no confidence interval."
    return "This is one training run."


def _others(found: xr.Dataset) -> Iterator[str]:
    """Loss and zero-shot accuracy, in the source language and in the others."""
    source = str(attribute(found, "source") or "")
    said = [text for name, words, digits in (("loss", "loss", 2), ("zero_shot", "accuracy", 2))
            if (text := _home_and_away(found, source, name, words, digits))]  # fmt: skip
    if said:
        home = f"After tuning on {source}, nothing frozen: {'; '.join(said)}."
        yield f"{home}{_reached(found)} {NECESSARY}"


def _reached(found: xr.Dataset) -> str:
    """In which languages the task is read better than permuted names of concepts allow."""
    free = arms.pick(found, "free")
    if free is None or not {"zero_shot", HIGH} <= set(free) or not free[HIGH].notnull().any():
        return ""
    away = _away(found)
    over = (free["zero_shot"] > free[HIGH]).sel(lang=away).transpose("lang", ...)
    beyond = [lang for lang, own in zip(away, over.values, strict=True) if own.all()]
    low, high = (level(free.sel(lang=away), f"zero_shot_chance_{end}") for end in ("low", "high"))
    band = f"{between(low, high, 2)}, 95 % of what permuted names of concepts give"
    if not beyond:
        return f" In no other language is accuracy beyond {band}: no transfer is shown."
    return (
        f" Accuracy is beyond {band}, in {_each_run(found)} in {len(beyond)} of {len(away)} other "
        f"languages ({', '.join(beyond)}), as by luck in one of 40."
    )


def _home_and_away(found: xr.Dataset, source: str, name: str, words: str, digits: int) -> str:
    langs = [str(lang) for lang in found["lang"].values] if "lang" in found.coords else []
    chance = f"{name}_chance"
    if name not in found or chance not in found or source not in langs or len(langs) < 2:
        return ""
    away, home = found.sel(lang=_away(found)), found.isel(lang=langs.index(source))
    values: dict[str, Any] = {place: over_runs(of_arm(part, "free", name), digits)
                              for place, part in (("home", home), ("away", away))}  # fmt: skip
    if not np.isfinite(of_arm(away, "free", name)).any():
        return ""
    before = over_runs(of_arm(away, "base", name), digits)
    was = f" (untuned {before})" if np.isfinite(of_arm(away, "base", name)).any() else ""
    return (
        f"{words} {values['home']} in it and {values['away']} in the others{was}, chance "
        f"{number(level(found, chance), digits)}"
    )


def _task(found: xr.Dataset) -> Iterator[str]:
    """Latent concepts before and after tuning on the task, each beside its chance."""
    name, chance = "task_align", "task_align_chance"
    if name not in found or not np.isfinite(of_arm(found, "free", name)).any():
        return
    demand({"tuning": found}, "tuning", chance=chance)
    before, after = (
        f"{over_runs(of_arm(found, arm, name), 2)} (chance "
        f"{over_runs(of_arm(found, arm, chance), 2)})"
        for arm in ("base", "free")
    )
    source = str(attribute(found, "source") or "the source")
    yield (
        f"Clusters of words of {source} with a twin in the other languages (C-ALIGN): {before} "
        f"before, {after} after tuning on the task whose zero-shot accuracy is given above. {APART}"
    )


def _transfer(results: Results) -> Iterator[str]:
    """Accuracy against Φ: named only where it holds with S = T and without."""
    if "transfer" not in results:
        return
    found = demand(results, "transfer")
    holds = holding(found)
    worth = _worth(found, "crossed_detectable")
    if not holds.any():
        yield (
            "That a task reaches less, or more, the languages that tuning moves more is not seen "
            f"in any layer; {worth}."
        )
        return
    named = ", ".join(
        f"layer {found['layer'].values[at]} (r = {number(float(found['crossed'].values[at]), 2)}, "
        f"p after Holm {number(float(found['p_holm'].values[at]))})"
        for at in np.flatnonzero(holds)
    )
    yield (
        f"How far tuning on one language moves another goes with how well a task taught in the one "
        f"is read in the other: {named} (rank correlations over pairs of two languages, p from "
        f"permuted languages, also over layers); {worth}. No cause is shown by it. {NECESSARY}"
    )


def holding(found: xr.Dataset) -> np.ndarray:
    """``(layer,)`` bool: where accuracy goes with Φ, after Holm with S = T, and also without."""
    r, least = (
        np.abs(found[name].values.astype(float)) for name in ("crossed", "crossed_detectable")
    )
    return np.asarray((found["p_holm"].values <= ALPHA) & (r >= least))


def _distances(results: Results) -> Iterator[str]:
    """Φ against the distance of two languages."""
    if "tuning_distances" not in results:
        return
    found = demand(results, "tuning_distances")
    kept, worth = correlated(found), _worth(found, "detectable")
    if not kept:
        yield (
            "That tuning on one language moves distant ones more, or less, is not seen in any "
            f"layer; {worth}."
        )
        return
    yield (
        f"How far tuning on one language moves another goes with their distance: "
        f"{', '.join(kept)} (rank correlations, p after Holm over layers); {worth}."
    )


def _worth(found: xr.Dataset, name: str) -> str:
    """What so few languages could have told: the least of all layers, before correction."""
    nodes = attribute(found, "nodes")
    few = f"with {nodes} languages" if nodes else "with so few languages"
    known = found[name].values.astype(float)
    known = known[np.isfinite(known)]
    limit = f"no correlation weaker than {number(known.min(), 2)}" if len(known) else "none at all"
    return f"{few} {limit} could be told from chance, 0, in a layer by itself"


def briefly(found: xr.Dataset) -> str:
    """One line: alignment before, after, and with the first layers frozen."""
    name = next((name for name in ("mexa", "ilo_corrected") if name in found), "")
    if not name:
        return ""
    chance = number(level(found, "mexa_chance")) if name == "mexa" else "0"
    found = held_out(found)
    said = [
        f"{arms.named(arm)} {number(value)}" for arm in arms.of(found)
        if not arm.startswith("frozen_random_")
        and isfinite(value := float(np.mean(of_arm(found, arm, name))))
    ]  # fmt: skip
    words = "MEXA" if name == "mexa" else "ILO beyond chance"
    return f"{words}: {', '.join(said)}; chance {chance}" if said else ""
