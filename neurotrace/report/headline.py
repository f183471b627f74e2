"""The headline numbers at selected checkpoints: one row a step, for the page and the terminal."""

from typing import TypedDict

import numpy as np
import xarray as xr

from neurotrace.report.reading import (
    Curve,
    Results,
    along,
    by_family,
    curve,
    demand,
    headline,
    mean_of,
    other_languages,
    own_language,
    staged,
    steps_of,
)

Interval = tuple[float, float, float]


class Row(TypedDict):
    """The numbers of one checkpoint; NaN where an analysis is absent or undefined."""

    step: int
    stage: int | None
    tokens: float
    loss: float
    own: float
    other: float
    overlap: float
    wrong_concept: float
    chance: float
    rel: float
    ceiling: float
    corrected: Interval
    rotated: Interval
    excess: Interval
    use: Interval
    valid_pairs: float
    pairs: float
    first_layer: float
    last_layer: float
    language_neurons: float
    at_least_two: float


def rows(results: Results, *, most: int = 20) -> list[Row]:
    """Headline numbers at ``most`` checkpoints at most, evenly spaced, first and last included.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    over_steps = [dataset for dataset in results.values() if "step" in dataset.dims]
    if not over_steps:
        return []
    series = max(over_steps, key=lambda dataset: dataset.sizes["step"])  # a twin has one step
    n = series.sizes["step"]
    columns = _columns(results, n) | _use(results, series)
    chosen = sorted({round(at) for at in np.linspace(0, n - 1, min(n, most))})
    return [_row(series, columns, at) for at in chosen]


def _row(series: xr.Dataset, columns: dict[str, Curve], at: int) -> Row:
    def one(name: str) -> float:
        return float(columns[name][at])

    def three(name: str) -> Interval:
        return one(name), one(f"{name}_low"), one(f"{name}_high")

    return Row(
        step=int(steps_of(series)[at]),
        stage=int(series["stage"].values[at]) if staged(series) else None,
        tokens=float(series["tokens"].values[at]) if "tokens" in series.coords else float("nan"),
        loss=one("loss"),
        own=one("own"),
        other=one("other"),
        overlap=one("value"),
        wrong_concept=one("wrong_concept"),
        chance=one("chance"),
        rel=one("rel"),
        ceiling=one("ceiling"),
        corrected=three("corrected"),
        rotated=three("rotated"),
        excess=three("excess"),
        use=three("use"),
        valid_pairs=one("valid_pairs"),
        pairs=one("pairs"),
        first_layer=one("first_layer"),
        last_layer=one("last_layer"),
        language_neurons=one("language_neurons"),
        at_least_two=one("at_least_two"),
    )


def _use(results: Results, series: xr.Dataset) -> dict[str, Curve]:
    """The ratio of use and its interval at the series' own checkpoints."""
    ends = ("", "_low", "_high")
    if "interchange" not in results:
        return {f"use{end}": np.full(series.sizes["step"], np.nan) for end in ends}
    found = demand(results, "interchange")
    return {f"use{end}": along(found, f"ratio{end}", series) for end in ends}


def _columns(results: Results, n: int) -> dict[str, Curve]:
    """Every column over ``(step,)``."""
    unknown = np.full(n, np.nan)
    names = ("value", "wrong_concept", "chance", "rel", "ceiling", "corrected", "excess")
    ends = ("", "_low", "_high")
    columns = {name + end: unknown for name in (*names, "rotated") for end in ends}
    columns |= dict.fromkeys(
        (
            "valid_pairs",
            "pairs",
            "own",
            "other",
            "loss",
            "first_layer",
            "last_layer",
            "language_neurons",
            "at_least_two",
        ),
        unknown,
    )
    if "summary" in results:
        main = headline(results)
        columns |= {name + end: curve(main, name + end) for name in names for end in ends}
        columns |= {name: curve(main, name) for name in ("valid_pairs", "pairs")}
    if "summary_rotated" in results:
        rotated = headline(results, "summary_rotated")
        columns |= {f"rotated{end}": curve(rotated, f"corrected{end}") for end in ends}
    if "expertise" in results:
        found = demand(results, "expertise")
        columns["own"] = mean_of(own_language(found), n)
        columns["other"] = mean_of(other_languages(found), n)
    if "language_id" in results:
        by_layer = list(by_family(demand(results, "language_id"), "layer").values())
        columns["first_layer"], columns["last_layer"] = by_layer[0], by_layer[-1]
    if "language_neurons" in results:
        found = demand(results, "language_neurons")
        columns["language_neurons"] = np.sum(list(by_family(found, "lang").values()), axis=0)
    if "concept_neurons" in results:
        found = demand(results, "concept_neurons", chance="at_least_two_chance")
        columns["at_least_two"] = curve(found, "at_least_two")
    if "loss" in results:
        columns["loss"] = curve(demand(results, "loss"), "value")
    return columns
