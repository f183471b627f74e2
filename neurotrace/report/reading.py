"""Reading a result: its headline k, its curve over the steps, its numbers in print.

Everything a figure, a sentence or a table needs to know about the form of a Dataset stands here,
so that none of them guesses. Nothing is computed but means over the axes that are not shown.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Results = Mapping[str, xr.Dataset]
Curve = NDArray[np.float64]

Kind = Literal["found", "not_found", "warning", "note"]
MINUS = "\N{MINUS SIGN}"
UNDEFINED = "undefined"


class Said(NamedTuple):
    """What is said of one thing: its name, the sentences, and how they are meant."""

    name: str
    text: str
    kind: Kind


def demand(results: Results, name: str, *, chance: str = "chance") -> xr.Dataset:
    """The result of that name, refused where it is absent or comes without its chance level.

    Parameters
    ----------
    results
        One Dataset for each analysis.
    name
        Its key, such as ``"summary"``.
    chance
        The variable that holds the chance level.

    Raises
    ------
    ValueError
        Naming what is missing.
    """
    if name not in results:
        raise ValueError(f"got no result {name!r}; valid are {', '.join(results) or 'none'}")
    dataset = results[name]
    if chance not in dataset:
        held = ", ".join(str(variable) for variable in dataset.data_vars) or "nothing"
        raise ValueError(
            f"got {name!r} with {held}; expected {chance!r} among them: "
            "no number is shown without its chance level"
        )
    return dataset


def main_k(results: Results) -> int | None:
    """Size of the expert sets the headline speaks of, in neurons; None where nothing says it."""
    summary = results.get("summary")
    if summary is None or "k" not in summary.coords:
        return None
    sizes = np.atleast_1d(summary["k"].values)
    return int(summary.attrs.get("main_k", sizes[len(sizes) // 2]))


def headline(results: Results, name: str = "summary") -> xr.Dataset:
    """A summary of overlaps at the headline k; refused without ``chance``."""
    dataset = demand(results, name)
    if "k" not in dataset.dims:
        return dataset
    sizes = dataset["k"].values.tolist()
    wanted = main_k(results)
    return dataset.isel(k=sizes.index(wanted) if wanted in sizes else len(sizes) // 2)


def curve(dataset: xr.Dataset, name: str) -> Curve:
    """A variable over ``(step,)``, averaged over its other axes; NaN throughout where absent."""
    n_steps = dataset.sizes.get("step", 1)
    if name not in dataset:
        return np.full(n_steps, np.nan)
    array = dataset[name].astype(float)
    array = array.mean([dim for dim in array.dims if dim != "step"])
    return np.broadcast_to(array.values, (n_steps,)).astype(float)


def level(dataset: xr.Dataset, name: str = "chance") -> float:
    """A variable as one number: its mean over every axis, steps included."""
    return float(dataset[name].astype(float).mean())


def by_family(dataset: xr.Dataset, axis: str, name: str = "value") -> dict[str, Curve]:
    """One curve ``(step,)`` for every entry of an axis, averaged over what is left."""
    array = dataset[name].astype(float)
    if axis not in array.dims:
        return {}
    array = array.mean([dim for dim in array.dims if dim not in ("step", axis)])
    array = array.transpose("step", axis)
    members = dataset[axis].values if axis in dataset.coords else np.arange(array.sizes[axis])
    return {str(member): array.values[:, at] for at, member in enumerate(members)}


def own_language(expertise: xr.Dataset, variable: str = "value") -> dict[str, Curve]:
    """Held-out score of a language's experts in that language: one curve each."""
    array = expertise[variable].transpose("step", "concept", "lang_a", "lang_b").mean("concept")
    langs = [str(lang) for lang in expertise["lang_a"].values]
    return {lang: array.values[:, at, at] for at, lang in enumerate(langs)}


def other_languages(expertise: xr.Dataset, variable: str = "value") -> dict[str, Curve]:
    """Held-out score of a language's experts in all other languages: one curve each."""
    array = expertise[variable].transpose("step", "concept", "lang_a", "lang_b").mean("concept")
    langs = [str(lang) for lang in expertise["lang_a"].values]
    if len(langs) < 2:
        return {}
    return {lang: np.delete(array.values[:, at], at, -1).mean(-1) for at, lang in enumerate(langs)}


def mean_of(family: Mapping[str, Curve], n_steps: int) -> Curve:
    """Mean over a family of curves that leaves NaN out; NaN where there is nothing to average."""
    if not family:
        return np.full(n_steps, np.nan)
    stacked = np.stack(list(family.values()))
    known = np.isfinite(stacked)
    total = np.where(known, stacked, 0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)


def steps_of(dataset: xr.Dataset) -> NDArray[np.int64]:
    """Steps of the checkpoints ``(step,)``, in updates."""
    return np.atleast_1d(dataset["step"].values).astype(np.int64)


def staged(dataset: xr.Dataset) -> bool:
    """Do the checkpoints belong to more than one stage of training?"""
    return "stage" in dataset.coords and len(np.unique(dataset["stage"].values)) > 1


def step_names(dataset: xr.Dataset) -> list[str]:
    """What a sentence calls each checkpoint: ``step 1,500``, with its stage where several are."""
    names = [f"step {count(step)}" for step in steps_of(dataset)]
    if not staged(dataset):
        return names
    stages = np.atleast_1d(dataset["stage"].values)
    return [f"stage {int(stage)}, {name}" for stage, name in zip(stages, names, strict=True)]


def number(value: float, digits: int = 3) -> str:
    """A number in print, with a true minus sign and no negative zero.

    >>> number(-0.0001), number(0.25, 2), number(float("nan"))
    ('0.000', '0.25', 'undefined')
    """
    if not isfinite(value):
        return UNDEFINED
    rounded = round(float(value), digits) + 0.0
    return f"{rounded:,.{digits}f}".replace("-", MINUS)


def between(low: float, high: float, digits: int = 3) -> str:
    """An interval in print; empty where a bound is not defined.

    >>> between(0.1, 0.25, 2), between(float("nan"), 1.0)
    ('[0.10, 0.25]', '')
    """
    if not (isfinite(low) and isfinite(high)):
        return ""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def with_interval(dataset: xr.Dataset, name: str, at: int, digits: int = 3) -> str:
    """A value and its interval at one checkpoint, by position: ``0.298 [0.261, 0.334]``."""
    value, low, high = (curve(dataset, name + end)[at] for end in ("", "_low", "_high"))
    return f"{number(value, digits)} {between(low, high, digits)}".rstrip()


def count(value: float) -> str:
    """A whole number with its thousands set apart.

    >>> count(1500)
    '1,500'
    """
    return f"{round(float(value)):,}" if isfinite(value) else UNDEFINED


def short_count(value: float) -> str:
    """A count short enough for an axis.

    >>> [short_count(v) for v in (0, 1500, 143_000, 2.1e6, 3e11)]
    ['0', '1,500', '143k', '2.1M', '300B']
    """
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size and value >= 10_000:
            return f"{value / size:.3g}{unit}"
    return f"{round(value):,}"


def experts_named(results: Results) -> str:
    """The expert sets of the headline: ``top 51 of 1,024 neurons``; empty where unknown."""
    k = main_k(results)
    if k is None:
        return ""
    chance = level(headline(results))
    return f"top {count(k)} of {count(k / chance)} neurons" if chance > 0 else f"top {count(k)}"


def attribute(dataset: xr.Dataset, name: str) -> Any:
    """An attribute as plain Python, whatever file it came from; None where it is not."""
    value = dataset.attrs.get(name)
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def joined(*parts: str | None) -> str:
    """What there is of several remarks, in one line: ``mlp.hook_post/max · 20 splits``."""
    return " · ".join(part for part in parts if part)


def at_scalar(dataset: xr.Dataset, name: str) -> float:
    """A variable without axes as a number; NaN where it is absent."""
    return level(dataset, name) if name in dataset else float("nan")


def along(found: xr.Dataset, name: str, series: xr.Dataset) -> Curve:
    """A variable at the checkpoints of another series ``(step,)``; NaN where it has none."""
    values = dict(zip(checkpoint_keys(found), curve(found, name), strict=True))
    return np.array([values.get(key, np.nan) for key in checkpoint_keys(series)])


def checkpoint_keys(dataset: xr.Dataset) -> list[tuple[int, int]]:
    """Stage and step of every checkpoint: step alone is no key."""
    steps = steps_of(dataset)
    stages = dataset["stage"].values if "stage" in dataset.coords else 0
    stages = np.broadcast_to(np.asarray(stages, int), steps.shape)
    return [(int(stage), int(step)) for stage, step in zip(stages, steps, strict=True)]
