"""The tables of what neurons are called: a row a kind, and a row a neuron of the last step."""

from math import isfinite, isnan
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report.labels import NAME, SILENT, rate
from neurotrace.report.reading import (
    Results,
    attribute,
    count,
    curve,
    demand,
    number,
    step_names,
)

TABLE = "labelled_neurons"
TITLE = "What neurons are called"
KINDS = {
    "shared": "a concept in two or more languages",
    "script": "a script",
    "language": "a language",
    "one_language": "a concept in one language",
}
TEXTS = ["neuron", "concept", "languages", "best other", "evidence"]
LEAD = (
    "A neuron is called on one half of the sentence groups and confirmed on the other; every "
    "figure is read on that other half. It goes to the kind that says most: a concept in several "
    "languages, a script, a language, a concept in one language. Deranged labels go with languages "
    "shuffled among translations; arbitrary words are as frequent as the concepts. “Learned” means "
    "above the 99th percentile of the same layer of the re-initialised twin."
)


def section(results: Results) -> dict[str, Any] | None:
    """The section of the page as plain lists; None where neurons were not labelled.

    Raises
    ------
    ValueError
        Where a table has no ``chance``.
    """
    if NAME not in results and TABLE not in results:
        return None
    return {
        "title": TITLE,
        "step": step_names(results[NAME])[-1] if NAME in results else "the last step",
        "lead": LEAD,
        "counts": _counts(results[NAME]) if NAME in results else None,
        "family": _family(results),
        "blocks": _blocks(results),
    }


def _family(results: Results) -> str:
    """At which rate, and among how many tests, the neurons of the tables were called."""
    if TABLE not in results:
        return ""
    table = demand(results, TABLE)
    concepts, languages = (attribute(table, n) for n in ("family", "family_languages"))
    families = [str(one) for one in (concepts, languages) if one not in (None, "none")]
    named = " and, for languages, ".join(families).replace(" x ", " × ")
    text = f"Called at a false discovery rate of {rate(table)}"
    text += f"; tests adjusted together: {named}." if named else "."
    if attribute(table, "scripts") == "not decidable":
        text += " Every script has one language here, so a script cannot be told from it."
    return text


def _counts(found: xr.Dataset) -> dict[str, Any]:
    """A row a kind at the last checkpoint, with what labels without meaning give."""
    heads = [("called for", ""), ("neurons", ""), ("learned", "beyond the twin")]
    heads += [(words, "") for words in SILENT.values()]
    rows = []
    for kind, words in KINDS.items():
        if not isfinite(curve(found, kind)[-1]):
            continue
        null = curve(found, "at_least_two_chance")[-1]
        pairs = f"{count(curve(found, 'at_least_two')[-1])} pairs, {count(null)} by coincidence"
        concept = kind in ("shared", "one_language")
        values = [curve(found, f"{kind}_{suffix}")[-1] for suffix in ("learned", *SILENT)]
        # Words and pseudo-concepts leave the languages as they are: no control of these.
        values = values if concept else [*values[:2], np.nan, np.nan]
        first = {"text": count(curve(found, kind)[-1]), "beside": pairs if kind == "shared" else ""}
        cells = [{"text": count(v) if isfinite(v) else "–", "beside": ""} for v in values]
        rows.append([{"text": words, "beside": ""}, first, *cells])
    return {"columns": heads, "rows": rows, "texts": [heads[0][0]]}


def _blocks(results: Results) -> list[dict[str, Any]]:
    """The called neurons of the last step, one table a kind."""
    if TABLE not in results:
        return []
    table = demand(results, TABLE)
    kinds = table["kind"].values.astype(str)
    blocks = []
    for kind, words in KINDS.items():
        rows = [_row(table, int(at), kind) for at in np.flatnonzero(kinds == kind)]
        if not rows:
            continue
        called = attribute(table, f"{kind}_called") or len(rows)
        shown = f"{len(rows)} of {count(called)}" if called > len(rows) else count(called)
        grid = {"columns": _heads(kind, table), "rows": rows, "texts": TEXTS}
        name = words[0].upper() + words[1:]
        blocks.append({"name": name, "shown": shown, "note": _note(results, kind), "table": grid})
    return blocks


def _heads(kind: str, table: xr.Dataset) -> list[tuple[str, str]]:
    ends = [("q", ""), ("learned", "")]  # of a call, of the figure beside it
    if kind in ("script", "language"):
        least = attribute(table, "least")
        wins = f"more than {number(least, 1)}" if least else ""
        return [("neuron", ""), ("languages", ""), ("wins", wins), *ends]
    coincidence = [("coincidence", "of such pairs")] if kind == "shared" else []
    return [
        ("neuron", ""), ("concept", ""), ("languages", ""), ("AP", "held out"),
        ("chance", "mean"), *ends, *coincidence, ("best other", ""), ("its AP", ""),
        ("concepts", "served"), ("evidence", ""),
    ]  # fmt: skip


def _note(results: Results, kind: str) -> str:
    """Coincidence in words, where a count of several languages is shown."""
    if kind != "shared" or NAME not in results:
        return ""
    found = results[NAME]
    null = curve(found, "at_least_two_chance")[-1]
    return (
        f"{count(curve(found, 'at_least_two')[-1])} pairs where independent languages give "
        f"{count(null)}"
    )


def _row(table: xr.Dataset, at: int, kind: str) -> list[dict[str, str]]:
    def text(name: str) -> str:
        return str(table[name].values[at])

    def shown(name: str, digits: int = 3) -> str:
        value = float(table[name].values[at])
        return "–" if isnan(value) else number(value, digits)

    learned = {1.0: "yes", 0.0: "no"}.get(float(table["learned"].values[at]), "–")
    neuron = f"L{int(table['layer'].values[at])}.N{int(table['neuron'].values[at])}"
    q = _small(float(table["q"].values[at]))
    if kind in ("script", "language"):
        cells = [neuron, text("languages"), shown("wins"), q, learned]
    else:
        n_languages = int(table["n_languages"].values[at])
        everywhere = 2 < n_languages == attribute(table, "languages")
        languages = f"all {n_languages}" if everywhere else text("languages")
        coincidence = [shown("coincidence", 2)] if kind == "shared" else []
        served = count(float(table["concepts_passed"].values[at]))
        cells = [neuron, text("concept"), languages, shown("ap"), shown("chance"),
                 q, learned, *coincidence, text("best_other_concept"), shown("best_other_ap"),
                 served, text("evidence")]  # fmt: skip
    return [{"text": cell, "beside": ""} for cell in cells]


def _small(value: float) -> str:
    if isnan(value):
        return "–"
    return number(value) if value >= 0.001 else f"{value:.0e}".replace("-", "\N{MINUS SIGN}")
