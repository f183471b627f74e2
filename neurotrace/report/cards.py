"""Cards of neurons: the sentences that excite each one most, language by language, over training.

Every text carries its language and direction, so that a browser sets right-to-left scripts and
picks the right shapes of Han characters.
"""

from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report import coincidence
from neurotrace.report.reading import Results, count, number

RIGHT_TO_LEFT = {"Arab", "Aran", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Rohg", "Samr", "Mand"}
MOST_CARDS, MOST_SENTENCES = 12, 3
LEAD = (
    "The sentences on which a neuron is most active, by activation alone, from the half on which "
    "it was not chosen: at the first checkpoint, at the one since which it serves its languages, "
    "and at the last. A filled dot marks a sentence of its concept. Coincidence is the share of "
    "such pairs that languages would have in common if they chose independently."
)


def section(results: Results) -> dict[str, Any] | None:
    """Cards as plain lists; None where there are none."""
    if "cards" not in results or not results["cards"].sizes.get("example", 0):
        return None
    rows = _rows(results["cards"])
    blocks: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        blocks.setdefault(row["name"], []).append(row)
    return {
        "title": "Cards of neurons",
        "lead": LEAD,
        "cards": [_card(name, own, results) for name, own in list(blocks.items())[:MOST_CARDS]],
        "more": max(len(blocks) - MOST_CARDS, 0),
    }


def language_of(lang: str) -> dict[str, str]:
    """The ``lang`` and ``dir`` attributes of a text, from a code such as ``arb_Arab``.

    >>> language_of("arb_Arab")
    {'lang': 'arb-Arab', 'dir': 'rtl'}
    """
    code, _, script = lang.partition("_")
    if not script:
        return {"lang": code, "dir": "auto"}
    return {"lang": f"{code}-{script}", "dir": "rtl" if script in RIGHT_TO_LEFT else "ltr"}


def _rows(table: xr.Dataset) -> list[dict[str, Any]]:
    columns = {
        str(name): table[name].values
        for name in [*table.data_vars, *table.coords]
        if table[name].dims == ("example",)
    }
    return [{name: values[at] for name, values in columns.items()}
            for at in range(table.sizes["example"])]  # fmt: skip


def _card(name: str, rows: list[dict[str, Any]], results: Results) -> dict[str, Any]:
    concept = str(rows[0]["of_concept"])
    steps = sorted({int(row["step"]) for row in rows})
    langs = list(dict.fromkeys(str(row["lang"]) for row in rows))
    return {
        "name": str(name),
        "concept": concept,
        "beside": _beside(results, str(name)),
        "doubt": _doubt(results, str(name)),
        "steps": [f"step {count(step)}" for step in steps],
        "rows": [
            {
                "lang": lang,
                "attributes": language_of(lang),
                "cells": [_cell(rows, lang, step) for step in steps],
            }
            for lang in langs
        ],
    }


def _cell(rows: list[dict[str, Any]], lang: str, step: int) -> list[dict[str, Any]]:
    own = [row for row in rows if str(row["lang"]) == lang and int(row["step"]) == step]
    own.sort(key=lambda row: int(row["rank"]))
    return [
        {
            "text": str(row["text"]),
            "positive": int(row["positive"]) == 1,  # −1 is a label nobody knows
            "activation": number(float(row["activation"]), 2),
        }
        for row in own[:MOST_SENTENCES]
    ]


def _beside(results: Results, name: str) -> str:
    """The numbers of a card: AP in each language at the end, chance, best other concept, and the
    share of coincidence."""
    one = _life(results, name)
    if one is None or "chance" not in one:
        return ""
    last = one.isel(step=-1)
    ap, chance = last["value"].values.astype(float), float(last["chance"].mean())
    if not np.isfinite(ap).any():
        return ""
    low, high = (number(float(end), 2) for end in (np.nanmin(ap), np.nanmax(ap)))
    text = f"AP {low} to {high} over {len(ap)} languages (chance {number(chance)}"
    if "best_other" in last:
        text += f", best other concept {number(float(last['best_other']), 2)}"
    text += ") at the last checkpoint"
    return f"{text}; {coincidence.beside(_share(one))}"


def _doubt(results: Results, name: str) -> str:
    """The mark of a card whose life is mostly coincidence; empty where it is not."""
    one = _life(results, name)
    return coincidence.MARK if one is not None and coincidence.is_mostly(_share(one)) else ""


def _life(results: Results, name: str) -> xr.Dataset | None:
    found = results.get("lives")
    if found is None or "name" not in found.coords:
        return None
    names = [str(one) for one in found["name"].values]
    return found.isel(neuron=names.index(name)) if name in names else None


def _share(one: xr.Dataset) -> float:
    return float(one["coincidence"]) if "coincidence" in one else float("nan")
