"""What interventions did, number by number: the folded tables of the page, each with its chance."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.forcing_plots import one_source, share_of, source_of
from neurotrace.report.reading import (
    Results,
    attribute,
    between,
    count,
    curve,
    demand,
    number,
    step_names,
    steps_of,
    with_interval,
)

Table = dict[str, Any]
Cell = dict[str, str]
ABLATED = ("shared", "random_shared", "language", "random_language")


def folded(results: Results) -> dict[str, list[Table]]:
    """Tables by the section they stand in, those without any number left out.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    use = [*_interchange(results), *_ablation(results)]
    return {"use": use, "language": list(_forcing(results))}


def _interchange(results: Results) -> Iterator[Table]:
    if "interchange" not in results:
        return
    found = demand(results, "interchange")
    step, random = step_names(found)[-1], arms.said(found, "random_matched", "across")
    beside = f"; norm-matched random {random}" if random else ""
    yield _table(
        "Interchange, arm by arm",
        f"{step}, in nats; 0 is none",
        [("neurons", ""), ("across", "nats [95 %]"), ("within", "nats [95 %]"),
         ("beyond random", "paired [95 %]"), ("concepts raised", "across languages")],
        [_arm(found, arm) for arm in arms.of(found)],
    )  # fmt: skip
    if "by_pair" in found:
        yield _matrix(
            found["by_pair"],
            "Interchange, language by language",
            f"experts at {step}, in nats; 0 is none{beside}; within a language on the diagonal",
            "from, into",
        )


def _arm(found: xr.Dataset, arm: str) -> list[Cell]:
    one = arms.pick(found, arm)
    if one is None:
        return []
    positive, of = curve(one, "topics_positive")[-1], attribute(found, "concepts")
    raised = f"{count(positive)}{f' of {count(of)}' if of else ''}" if isfinite(positive) else "–"
    spans = [_spanned(one, name, 2) for name in ("across", "within", "excess")]
    if arm == "random_matched":
        spans[-1] = _text("–")  # what the others are held against
    return [_text(arms.named(arm)), *spans, _text(raised)]


def _ablation(results: Results) -> Iterator[Table]:
    if "ablation" not in results:
        return
    found = demand(results, "ablation")
    step = step_names(found)[-1]
    note = f"{step}, change in loss in nats a token; 0 is none"
    heads = [(arms.named(arm), "[95 %]") for arm in ABLATED if arm in arms.of(found)]
    for axis, words in (("lang", "language"), ("concept", "concept")):
        name = f"by_{words}"
        if name in found and np.isfinite(found[name].values).any():
            rows = [_ablated(found.sel({axis: one}), name) for one in found[axis].values]
            yield _table(f"Silencing, {words} by {words}", note, [(words, ""), *heads], [
                [_text(one), *cells] for one, cells in zip(found[axis].values, rows, strict=True)
            ])  # fmt: skip
    if "of_language" in found and np.isfinite(found["of_language"].values[-1]).any():
        random = with_interval(found, "own_chance", -1)
        beside = f"; on the own text random neurons cost {random}" if random else ""
        yield _matrix(
            found["of_language"],
            "Silencing one language’s own neurons",
            f"{note}{beside}",
            "neurons of, text of",
            digits=3,
        )


def _ablated(found: xr.Dataset, name: str) -> list[Cell]:
    picked = [arms.pick(found, arm) for arm in ABLATED]
    return [_spanned(one, name, 3) for one in picked if one is not None]


def _forcing(results: Results) -> Iterator[Table]:
    if "forcing" not in results:
        return
    found = one_source(demand(results, "forcing"))
    source = source_of(found)
    heads = [("step", ""), ("arm", ""), ("topic", "share of content words"),
             ("own words", f"topic, in {source}" if source else "topic"),
             ("other words", "topic, other languages"), ("wrong topics", "mean share"),
             ("language", f"share of {source}" if source else "share"), ("perplexity", ""),
             ("distinct", "distinct-2"), ("degenerate", "share of texts")]  # fmt: skip
    rows = [
        [_text(count(step)), *_forced(found.isel(step=[at], arm=which), source, arm)]
        for at, step in enumerate(steps_of(found))
        for which, arm in enumerate(arms.of(found))
    ]
    note = "every checkpoint; chance is the unforced row of the same step"
    table = _table("Forced generation, arm by arm", note, heads, rows)
    yield table | {"texts": ["arm"]}


def _forced(one: xr.Dataset, source: str, arm: str) -> list[Cell]:
    names = ("topic", "topic_own", "topic_other")
    cells = [_spanned(one, name, 3) for name in names]
    cells += [_cell(curve(one, "topic_wrong")[0], 3), _cell(share_of(one, source)[0], 2)]
    rest = (("perplexity", 1), ("distinct", 2), ("degenerate", 2))
    return [_text(arms.named(arm)), *cells, *(_cell(curve(one, n)[0], d) for n, d in rest)]


def _matrix(array: xr.DataArray, name: str, note: str, corner: str, *, digits: int = 2) -> Table:
    """A row a source, a column a target, at the last checkpoint."""
    langs = [str(lang) for lang in array["lang_b"].values]
    last = array.isel(step=-1) if "step" in array.dims else array
    values = last.transpose("lang_a", "lang_b").values.astype(float)
    rows = [
        [_text(source), *(_cell(value, digits) for value in row)]
        for source, row in zip(array["lang_a"].values, values, strict=True)
    ]
    return _table(name, note, [(corner, ""), *((lang, "") for lang in langs)], rows)


def _table(name: str, note: str, columns: list[tuple[str, str]], rows: list[list[Cell]]) -> Table:
    return {"name": name, "note": note, "columns": columns, "rows": rows}


def _spanned(one: xr.Dataset, name: str, digits: int) -> Cell:
    value, low, high = (curve(one, name + end)[-1] for end in ("", "_low", "_high"))
    return _cell(value, digits) | {"beside": between(low, high, digits)}


def _cell(value: float, digits: int) -> Cell:
    return {"text": number(value, digits) if isfinite(value) else "–", "beside": ""}


def _text(value: object) -> Cell:
    return {"text": str(value), "beside": ""}
