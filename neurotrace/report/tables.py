"""The tables of the page as plain lists and dicts: headline numbers, top neurons, checkpoints."""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite, isnan
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report.arms import named
from neurotrace.report.headline import Interval, Row, rows
from neurotrace.report.reading import Results, between, count, demand, number, short_count

Table = dict[str, Any]
HASH_SHOWN = 12  # characters of a weight hash: enough to tell checkpoints apart


def _plain(digits: int) -> Callable[[Any], dict[str, str]]:
    return lambda value: {"text": "" if isnan(value) else number(value, digits), "beside": ""}


def _spanned(value: Interval) -> dict[str, str]:
    middle, low, high = value
    return {"text": "" if isnan(middle) else number(middle), "beside": between(low, high)}


def _counted(value: float | None) -> dict[str, str]:
    known = value is not None and isfinite(value)
    return {"text": count(value) if known and value is not None else "", "beside": ""}


def _tokens(value: float) -> dict[str, str]:
    return {"text": short_count(value) if isfinite(value) else "", "beside": ""}


def _share(value: tuple[float, float]) -> dict[str, str]:
    valid, pairs = value
    known = isfinite(valid) and isfinite(pairs)
    return {"text": f"{count(valid)} of {count(pairs)}" if known else "", "beside": ""}


def _both(value: tuple[float, float]) -> dict[str, str]:
    first, last = value
    text = f"{number(first, 2)}, {number(last, 2)}" if isfinite(first) else ""
    return {"text": text, "beside": ""}


COLUMNS: tuple[tuple[str, str, str, Callable[[Any], dict[str, str]]], ...] = (
    ("stage", "stage", "", _counted),
    ("step", "step", "", _counted),
    ("tokens", "tokens", "", _tokens),
    ("loss", "loss", "nats", _plain(2)),
    ("own", "own AP", "held out", _plain(3)),
    ("other", "other AP", "elsewhere", _plain(3)),
    ("rel", "rel", "", _plain(3)),
    ("overlap", "overlap", "raw", _plain(3)),
    ("wrong_concept", "wrong", "concept", _plain(3)),
    ("chance", "chance", "k / n", _plain(3)),
    ("corrected", "corrected", "[95 %]", _spanned),
    ("rotated", "rotated", "[95 %]", _spanned),
    ("excess", "excess", "[95 %]", _spanned),
    ("use", "use", "across / within", _spanned),
    ("valid", "pairs", "reliable", _share),
    ("layers", "language ID", "first, last", _both),
    ("language_neurons", "language", "neurons", _counted),
    ("at_least_two", "several", "languages", _counted),
)


def numbers(results: Results) -> Table:
    """Headline numbers at selected checkpoints; columns without any value are left out."""
    chosen = rows(results)
    shown = [
        (name, unit, [dress(_get(row, key)) for row in chosen])
        for key, name, unit, dress in COLUMNS
    ]
    kept = [(name, unit, cells) for name, unit, cells in shown if any(c["text"] for c in cells)]
    return {
        "columns": [(name, unit) for name, unit, _ in kept],
        "rows": [list(row) for row in zip(*(cells for _, _, cells in kept), strict=True)],
        "lead": "Means over concepts and languages or language pairs. “Several” counts "
        "concept–neuron pairs that pass in two or more languages. An empty cell is undefined: "
        "no language pair was reliable enough, or the analysis was not asked for.",
    }


def neurons(results: Results) -> Table:
    """The table of top neurons, one block a concept, in the order of the results."""
    if "top_neurons" not in results:
        return {"concepts": []}
    table = demand(results, "top_neurons")
    blocks: dict[str, list[dict[str, Any]]] = {}
    best: dict[str, tuple[float, str]] = {}
    for at in range(table.sizes["example"]):
        row = {str(key): table[key].values[at] for key in table.data_vars}
        name = str(row["concept"])
        block = blocks.setdefault(name, [])
        first = not block or block[-1]["lang"] != str(row["lang"])
        block.append(_neuron_row(row) | {"first": first})
        found = (float(row["ap"]), f"{block[-1]['neuron']} in {row['lang']}, AP {block[-1]['ap']}")
        best[name] = max(best.get(name, found), found)
    return {
        "step": f"step {count(float(table.attrs['step']))}" if "step" in table.attrs else "",
        "concepts": [
            {"name": name, "best": best[name][1], "rows": block} for name, block in blocks.items()
        ],
        "lead": "Chosen on one half of the sentences; every figure is read on the other half. A "
        "neuron is worth its name where its AP is learned (bold: above the 99th percentile of the "
        "same layer of the twin) and its best other concept stays low.",
    }


def forced(results: Results) -> Table | None:
    """A few texts of forced generation for the reader; None where none were kept."""
    if "forcing_texts" not in results or not results["forcing_texts"].sizes.get("example", 0):
        return None
    table, keys = results["forcing_texts"], ("step", "arm", "concept", "lang", "text")
    rows_ = [
        [{"text": _said(key, table[key].values[at]), "beside": ""} for key in keys]
        for at in range(table.sizes["example"])
    ]
    return {
        "columns": [("step", ""), ("arm", ""), ("forced", ""), ("language", "identified"),
                    ("text", "")],
        "texts": ["arm", "forced", "language", "text"],
        "rows": rows_,
        "note": f"{count(len(rows_))} texts, drawn to be read, not to be counted",
    }  # fmt: skip


def _said(key: str, value: Any) -> str:
    if key == "arm":
        return named(str(value))
    return count(float(value)) if key == "step" else str(value) or "–"


def checkpoints(table: object) -> Table:
    """The checkpoints of the run with their shortened weight hashes.

    Parameters
    ----------
    table
        A DataFrame, or rows as dicts: step, stage, tokens, weight_hash, label; any may be absent.
    """
    if isinstance(table, xr.Dataset):
        table = table.to_dataframe()
    rows_: Iterable[Mapping[str, Any]] = (
        table.to_dict("records") if hasattr(table, "to_dict") else table or []  # type: ignore[assignment]
    )
    found = [_checkpoint(row) for row in rows_]
    stages = {row["stage"] for row in found}
    columns = [
        name
        for name in ("checkpoint", "stage", "step", "tokens", "weights")
        if any(row[name] for row in found) and not (name == "stage" and len(stages) < 2)
    ]
    return {
        "rows": found,
        "columns": columns,
        "texts": ("checkpoint", "weights"),
        "lead": f"Weights are the first {HASH_SHOWN} digits of the hash over every tensor's name, "
        "type, shape and bytes.",
    }


def _checkpoint(row: Mapping[str, Any]) -> dict[str, str]:
    def whole(name: str) -> str:
        value = row.get(name)
        missing = value is None or (isinstance(value, float) and isnan(value))
        return "" if missing else count(float(value))  # type: ignore[arg-type]

    return {
        "checkpoint": str(row.get("label") or ""),
        "stage": whole("stage"),
        "step": whole("step"),
        "tokens": whole("tokens"),
        "weights": str(row.get("weight_hash") or "")[:HASH_SHOWN],
    }


def _neuron_row(row: Mapping[str, Any]) -> dict[str, Any]:
    def shown(name: str) -> str:
        value = float(row.get(name, np.nan))
        return "–" if isnan(value) else number(value)

    return {
        "lang": str(row["lang"]),
        "neuron": f"L{int(row['layer'])}.N{int(row['neuron'])}",
        "best_other_concept": str(row.get("best_other_concept", "")),
        "concepts_passed": count(float(row.get("concepts_passed", np.nan))),
        "is_learned": bool(row["ap"] > row.get("learned", np.nan)),
    } | {
        name: shown(name)
        for name in ("ap", "auroc", "chance", "learned", "other_languages", "best_other_ap")
    }


def _get(row: Row, key: str) -> Any:
    if key == "valid":
        return row["valid_pairs"], row["pairs"]
    if key == "layers":
        return row["first_layer"], row["last_layer"]
    return dict(row)[key]
