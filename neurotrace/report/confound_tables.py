"""The tables of what else differs: a row a language, a row a pair of languages, a row a concept."""

from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report.reading import number

Table = dict[str, Any]
EXAMPLES = "most often"


def languages(found: xr.Dataset) -> Table:
    """One row a language; a column that no language has is left out."""
    columns = [
        ("sentences", "", "language_sentences", 0),
        ("words", "a sentence", "language_words", 1),
        ("characters", "a sentence", "language_characters", 1),
        ("tokens", "a sentence", "language_tokens", 1),
    ]
    kept = [c for c in columns if c[2] in found and np.isfinite(found[c[2]].values).any()]
    shared = found["shared"].mean("lang_b").values  # the diagonal is NaN and does not count
    rows = []
    for at, lang in enumerate(found["lang"].values):
        cells = [_cell(float(found[name].values[at]), digits) for _, _, name, digits in kept]
        if "language_fertility" in found:
            cells.append(_cell(float(found["language_fertility"].values[at]), 2,
                               f"a {found['unit'].values[at]}"))  # fmt: skip
        rows.append([_text(lang), *cells, _cell(float(shared[at]))])
    fertility = [("fertility", "tokens a unit")] if "language_fertility" in found else []
    heads = [(name, unit) for name, unit, _, _ in kept]
    last = ("strings shared", "mean over the others")
    return {"columns": [("language", ""), *heads, *fertility, last], "rows": rows}


def pairs(found: xr.Dataset) -> Table:
    """One row a language pair, those that share most strings first."""
    langs = [str(lang) for lang in found["lang_a"].values]
    overlap = [("corrected overlap", "chance 0")] if "corrected" in found else []
    rows = []
    for a, b in combinations(range(len(langs)), 2):
        one = found.isel(lang_a=a, lang_b=b)
        value = [_cell(float(one["corrected"]))] if overlap else []
        shared = [_cell(float(one[n])) for n in ("shared", "recurring", "shared_chance")]
        examples = str(one["shared_examples"].values)
        known = ("shared", "corrected") if overlap else ("shared",)
        order = [np.nan_to_num(-float(one[name]), nan=1.0) for name in known]  # undefined last
        rows.append((order, [_text(f"{langs[a]} – {langs[b]}"), *value, *shared, _text(examples)]))
    heads = [
        ("languages", ""), *overlap, ("strings shared", "by translations"),
        ("the same", "within a concept"), ("chance", "unrelated sentences"),
    ]  # fmt: skip
    shown = [row for _, row in sorted(rows, key=lambda row: row[0])]
    if any(row[-1]["text"] for row in shown):
        return {"columns": [*heads, (EXAMPLES, "")], "rows": shown}
    return {"columns": heads, "rows": [row[:-1] for row in shown]}


def concepts(found: xr.Dataset) -> Table:
    """One row a concept: the range over languages of each figure that has a value to be held to."""
    heads = [("concept", ""), ("sentences", "a language"), ("length", "ratio to the others"),
             ("AUROC of length", "furthest from 0.5"), ("p", "Holm")]  # fmt: skip
    heads += [("fertility", "ratio to the language")] if "fertility_ratio" in found else []
    heads += [("strings shared", "mean over pairs")]
    rows = []
    for at, concept in enumerate(found["concept"].values):
        one = found.isel(concept=at)
        auroc = one["length_auroc"].values
        far = int(np.nanargmax(np.abs(auroc - 0.5)))
        cells = [
            _text(_span(one["sentences"].values, 0)),
            _text(_span(one["length_ratio"].values, 2)),
            _cell(float(auroc[far]), 2, str(one["lang"].values[far])),
            _text(_small(float(one["length_p"].values[far]))),
        ]
        if "fertility_ratio" in found:
            cells.append(_text(_span(one["fertility_ratio"].values, 2)))
        rows.append([_text(concept), *cells, _cell(float(one["shared_by_concept"].mean()))])
    return {"columns": heads, "rows": rows}


def _span(values: np.ndarray, digits: int) -> str:
    """Lowest and highest of the languages; one figure where they print alike."""
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    low, high = number(float(known.min()), digits), number(float(known.max()), digits)
    return low if low == high else f"{low} to {high}"


def _small(p: float) -> str:
    return "< 0.001" if p < 0.001 else number(p)


def _cell(value: float, digits: int = 3, beside: str = "") -> dict[str, str]:
    return {"text": number(value, digits) if isfinite(value) else "–", "beside": beside}


def _text(value: object) -> dict[str, str]:
    return {"text": str(value), "beside": ""}
