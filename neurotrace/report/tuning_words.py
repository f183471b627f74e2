"""What tuning on one language did, in words: before against after, frozen against random lists.

The runs are training seeds: their range is told, and called no interval.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.cause_words import NECESSARY
from neurotrace.report.geometry_words import ALPHA, APART, correlated
from neurotrace.report.reading import Results, attribute, demand, level, number

MEASURES = (
    ("ilo_corrected", "ILO beyond chance", "chance 0"),
    ("mexa", "MEXA", "mexa_chance"),
    ("retrieval", "retrieval", "retrieval_chance"),
)


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
        moved = [text for name, words, chance in MEASURES
                 if (text := _moved(found, name, words, chance))]  # fmt: skip
        if moved:
            yield f"{_named(found)} {'; '.join(moved)}. {_kept(found)}{_runs(found)}"
        yield from _others(found)
        yield from _task(found)


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
    source = attribute(found, "source")
    return f"Tuning on {source}, nothing frozen:" if source else "Tuning, nothing frozen:"


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
    """MEXA, or what there is, of every arm that freezes layers, random lists among them."""
    name, words, _ = next((m for m in MEASURES[1:] if m[0] in found), MEASURES[0])
    if name not in found:
        return ""
    said = [
        f"{arms.named(arm)} {over_runs(of_arm(found, arm, name))}"
        for arm in arms.of(found)
        if arm not in ("base", "free") and not arm.startswith("frozen_random_")
        and np.isfinite(of_arm(found, arm, name)).any()
    ]  # fmt: skip
    beyond = _beyond_random(found, name)
    return f"{words} afterwards, {', '.join(said)}.{beyond} " if said else ""


def _beyond_random(found: xr.Dataset, name: str) -> str:
    """Which lists keep more than random ones of as many layers in every single run."""
    random = of_arm(found, "frozen_random", name)
    if not np.isfinite(random).any():
        return ""
    kept = [
        arms.named(arm)
        for arm in ("frozen_early", "frozen_late", "frozen_phi")
        if (of_arm(found, arm, name) > random).all()
    ]
    runs = "the run" if len(random) == 1 else f"each of {len(random)} runs"
    if not kept:
        return " No list keeps more than random ones of as many layers in every run."
    which = " and ".join(kept)
    return f" More than random lists of as many layers in {runs}: {which}."


def _runs(found: xr.Dataset) -> str:
    several = found.sizes.get("run", 1) > 1
    return (
        "Ranges are of training runs and are no confidence interval."
        if several else "This is one training run."
    )  # fmt: skip


def _others(found: xr.Dataset) -> Iterator[str]:
    """Loss and zero-shot accuracy, in the source language and in the others."""
    source = str(attribute(found, "source") or "")
    said = [text for name, words, digits in (("loss", "loss", 2), ("zero_shot", "accuracy", 2))
            if (text := _home_and_away(found, source, name, words, digits))]  # fmt: skip
    if said:
        yield f"After tuning on {source}, nothing frozen: {'; '.join(said)}. {NECESSARY}"


def _home_and_away(found: xr.Dataset, source: str, name: str, words: str, digits: int) -> str:
    langs = [str(lang) for lang in found["lang"].values] if "lang" in found.coords else []
    chance = f"{name}_chance"
    if name not in found or chance not in found or source not in langs or len(langs) < 2:
        return ""
    away = found.isel(lang=[at for at, lang in enumerate(langs) if lang != source])
    home = found.isel(lang=langs.index(source))
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
    said = [
        f"{arms.named(arm)} {number(value)}"
        for arm in arms.of(found)
        if not arm.startswith("frozen_random_")
        and isfinite(value := float(np.mean(of_arm(found, arm, name))))
    ]
    words = "MEXA" if name == "mexa" else "ILO beyond chance"
    return f"{words}: {', '.join(said)}; chance {chance}" if said else ""
