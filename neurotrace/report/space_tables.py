"""Geometry and tuning number by number: the folded tables of the page, each with its chance."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np
import xarray as xr

from neurotrace.report import arms
from neurotrace.report.cards import language_of
from neurotrace.report.reading import (
    Results,
    along,
    at_scalar,
    attribute,
    count,
    demand,
    level,
    number,
    step_names,
)
from neurotrace.report.tuning_words import held_out, lists_of, of_arm

Table = dict[str, Any]
Cell = dict[str, Any]
MOST_ROWS = 160  # of word lists: the others are in results.h5
EACH = (
    ("ilo", "value", "chance", "ILO", 3),
    ("ilo", "centered", "centered_chance", "ILO, means off", 3),
    ("ilo", "spread", "spread_chance", "spread", 3),
    ("companions", "value", "chance", "MEXA", 3),
    ("companions", "mutual", "mutual_chance", "neighbours", 3),
    ("companions", "retrieval_raw", "retrieval_chance", "retrieval", 3),
    ("latent_concepts", "value", "chance", "C-ALIGN", 3),
    ("latent_concepts", "overlap", "overlap_chance", "C-OVERLAP", 3),
    ("embeddings", "value", "chance", "separability", 2),
    ("embeddings", "scripts", "scripts_chance", "scripts", 2),
    ("embeddings", "translations", "translations_chance", "translations", 3),
    ("evolution", "apart", "apart_chance", "apart", 3),
)
BY_LAYER = (
    ("ilo_corrected", "ILO − chance", ""),
    ("mexa", "MEXA", "mexa_chance"),
    ("retrieval", "retrieval", "retrieval_chance"),
    ("phi", "change", "phi_chance"),
)
TRANSFER = (("value", "rank r, with S = T"), ("p", "p"), ("p_holm", "p, Holm"),
            ("detectable", "detectable r"), ("crossed", "rank r, without S = T"),
            ("crossed_p", "p, without"),
            ("crossed_detectable", "detectable r, without"))  # fmt: skip
REACHED = (("transfer", "rank r, with S = T"), ("transfer_p", "p"),
           ("transfer_detectable", "detectable r"))  # fmt: skip
CORRELATED = (("value", "rank r"), ("pearson", "Pearson r"), ("p", "p"), ("p_holm", "p, Holm"),
              ("detectable", "detectable r"), ("partial", "partial"),
              ("partial_p", "partial p"))  # fmt: skip


def folded(results: Results) -> dict[str, list[Table]]:
    """Tables by the section they stand in, those without any number left out.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    geometry = [*_checkpoints(results), *_correlations(results), *_words(results)]
    tuned = [*_tuning(results), *_task(results), *_transfer(results), *_moved_by(results)]
    return {"geometry": geometry, "tuning": tuned}


def _checkpoints(results: Results) -> Iterator[Table]:
    there = [one for one in EACH if one[0] in results and one[1] in results[one[0]]]
    if not there:
        return
    for name, _, chance, *_ in there:
        demand(results, name, chance=chance)
    base = max((results[name] for name, *_ in there), key=lambda d: d.sizes.get("step", 0))
    columns, cells = [("step", "")], [[_text(name) for name in step_names(base)]]
    for name, variable, chance, words, digits in there:
        value, null = (along(results[name], one, base) for one in (variable, chance))
        if np.isfinite(value).any():
            columns.append((words, "[chance]"))
            cells.append([_against(v, c, digits) for v, c in zip(value, null, strict=True)])
    rows = [list(row) for row in zip(*cells, strict=True)]
    yield _table("Geometry, checkpoint by checkpoint",
                 "means over layers, languages and pairs", columns, rows)  # fmt: skip


def _correlations(results: Results) -> Iterator[Table]:
    if "distances" not in results:
        return
    found = demand(results, "distances")
    yield _correlation_table(
        "Correlation with language distance", found.isel(step=-1), step_names(found)[-1]
    )


def _correlation_table(name: str, last: xr.Dataset, note: str) -> Table:
    """One row a distance and layer."""
    held = [(column, words) for column, words in CORRELATED
            if column in last and np.isfinite(last[column].values).any()]  # fmt: skip
    heads = [("distance", ""), ("layer", ""), *((words, "") for _, words in held)]
    rows = [
        [_text(str(distance).replace("_", " ")), _text(layer),
         *(_cell(float(last[column].sel(distance=distance, layer=layer)), 3) for column, _ in held)]
        for distance in last["distance"].values for layer in last["layer"].values
    ]  # fmt: skip
    nodes, covariates = attribute(last, "nodes"), attribute(last, "covariates")
    note += "; chance 0"
    note += f"; {nodes} languages" if nodes else ""
    note += f"; partial: beside {covariates}" if covariates else ""
    return _table(name, note, heads, rows)


def _words(results: Results) -> Iterator[Table]:
    """Word lists of clusters, those of several languages first."""
    found = results.get("latent_words")
    if found is None or not found.sizes.get("example", 0):
        return
    columns = {name: found[name].values for name in ("cluster", "lang", "words", "overlapping")}
    order = sorted(range(found.sizes["example"]), key=lambda at: (
        columns["overlapping"][at] != 1, float(columns["cluster"][at])))  # fmt: skip
    rows = [_cluster(columns, at) for at in order[:MOST_ROWS]]
    step, layer = attribute(found, "step"), attribute(found, "layer")
    note = f"step {count(step)}" if step is not None else "last checkpoint"
    note += f", layer {layer}" if layer is not None else ""
    share, chance = (at_scalar(found, name) for name in ("value", "chance"))
    if isfinite(share) and isfinite(chance):
        note += f"; C-OVERLAP of all languages at once {number(share)} [chance {number(chance)}]"
    note += "; to be read, not to be counted"
    note += (
        f"; {count(len(order) - MOST_ROWS)} more in results.h5" if len(order) > len(rows) else ""
    )
    heads = [("cluster", ""), ("of several languages", ""), ("language", ""), ("words", "")]
    table = _table("Words of latent concepts", note, heads, rows)
    yield table | {"texts": ["language", "words", "of several languages"]}


def _cluster(columns: dict[str, np.ndarray], at: int) -> list[Cell]:
    lang = str(columns["lang"][at])
    several = "yes" if columns["overlapping"][at] == 1 else "no"
    words = _text(columns["words"][at]) | {"attributes": language_of(lang)}
    return [_cell(float(columns["cluster"][at]), 0), _text(several), _text(lang), words]


def _tuning(results: Results) -> Iterator[Table]:
    if "tuning" not in results:
        return
    found = demand(results, "tuning")
    source, frozen = str(attribute(found, "source") or ""), frozen_lists(found)
    parts = _parts(found, source)
    heads = [("arm", ""), ("frozen", ""), *((words, unit) for words, unit, *_ in parts)]
    rows = [
        [_text(arms.named(arm)), _text(frozen.get(arm, "–")),
         *(_ranged(of_arm(part, arm, name)) for _, _, part, name in parts)]
        for arm in arms.of(found)
    ]  # fmt: skip
    runs = found.sizes.get("run", 1)
    note = f"mean of {runs} runs, from the lowest to the highest" if runs > 1 else "one run"
    note += f"; spaces: languages held out, {held_out(found).sizes.get('lang', 0)}"
    yield _table("Tuning, arm by arm", note, heads, rows) | {"texts": ["arm", "frozen"]}


def _task(results: Results) -> Iterator[Table]:
    """C-ALIGN before and after tuning on the task, language by language, beside accuracy."""
    found = results.get("tuning")
    if found is None or "task_align" not in found or not found["task_align"].notnull().any():
        return
    for chance in ("task_align_chance", "zero_shot_chance"):
        demand(results, "tuning", chance=chance)
    heads = [("language", ""), ("C-ALIGN before", "[chance]"), ("C-ALIGN after", "[chance]"),
             ("accuracy, head alone", "[chance]"), ("accuracy, tuned", "[chance]")]  # fmt: skip
    rows = [
        [_text(lang), *(_beside_chance(found.sel(lang=lang), arm, name, chance)
                        for name, chance in (("task_align", "task_align_chance"),
                                             ("zero_shot", "zero_shot_chance"))
                        for arm in ("base", "free"))]
        for lang in found["lang"].values
    ]  # fmt: skip
    note = "clusters of the source language with a twin in this one, mean of layers and runs"
    yield _table("Latent concepts before and after tuning on the task", note, heads, rows)


def _beside_chance(part: xr.Dataset, arm: str, name: str, chance: str) -> Cell:
    value = float(np.nanmean(own)) if np.isfinite(own := of_arm(part, arm, name)).any() else np.nan
    own_chance = chance if "arm" in part[chance].dims else ""
    null = np.mean(of_arm(part, arm, own_chance)) if own_chance else level(part, chance)
    return _against(value, float(null), 2)


def _transfer(results: Results) -> Iterator[Table]:
    """Accuracy against change by tuning, layer by layer, and against distances."""
    if "transfer" not in results:
        return
    found = demand(results, "transfer")
    nodes = attribute(found, "nodes")
    note = "chance 0; p from permuted languages" + (f"; {nodes} languages" if nodes else "")
    heads = [("layer", ""), *((words, "") for _, words in TRANSFER)]
    rows = [[_text(layer), *(_cell(float(found[name].sel(layer=layer)), 3) for name, _ in TRANSFER)]
            for layer in found["layer"].values]  # fmt: skip
    yield _table("Zero-shot accuracy against change by tuning", note, heads, rows)
    if "distance" not in found.dims:
        return
    heads = [("distance", ""), *((words, "") for _, words in REACHED)]
    rows = [[_text(str(kind).replace("_", " ")),
             *(_cell(float(found[name].sel(distance=kind)), 3) for name, _ in REACHED)]
            for kind in found["distance"].values]  # fmt: skip
    yield _table("Zero-shot accuracy against language distance", note, heads, rows)


def _moved_by(results: Results) -> Iterator[Table]:
    if "tuning_distances" in results:
        found = demand(results, "tuning_distances")
        yield _correlation_table(
            "Change by tuning against language distance", found, "without S = T"
        )


def _parts(found: xr.Dataset, source: str) -> list[tuple[str, str, xr.Dataset, str]]:
    """Columns of the table of tuning: name, chance, where it is read, variable."""
    parts, held = [], held_out(found)
    for name, words, chance in BY_LAYER:
        if name in found and (not chance or chance in found):
            parts.append((words, _unit(found, chance), held, name))
    langs = [str(lang) for lang in found["lang"].values] if "lang" in found.coords else []
    if source not in langs or len(langs) < 2:
        return parts
    home = found.isel(lang=langs.index(source))
    away = found.isel(lang=[at for at, lang in enumerate(langs) if lang != source])
    for name, chance in (("loss", "loss_chance"), ("zero_shot", "zero_shot_chance"),
                         ("probe", "zero_shot_chance")):  # fmt: skip
        if name in found and chance in found:
            unit, words = _unit(found, chance), name.replace("_", "-")
            parts.append((f"{words}, {source}", unit, home, name))
            parts.append((f"{words}, others", unit, away, name))
    return parts


def _unit(found: xr.Dataset, chance: str) -> str:
    return f"chance {number(level(found, chance))}" if chance else "chance 0"


def frozen_lists(found: xr.Dataset) -> dict[str, str]:
    """What each arm freezes, in words; empty where nothing says it."""
    return {arm: _frozen(names) for arm, names in lists_of(found).items()}


def _frozen(names: Any) -> str:
    """One list in words; the lists of several runs apart."""
    if names and all(isinstance(one, list) for one in names):
        return "; ".join(dict.fromkeys(_frozen(one) for one in names))
    return ", ".join(str(name) for name in names or ()) or "nothing"


def _ranged(values: np.ndarray) -> Cell:
    known = values[np.isfinite(values)]
    if not len(known):
        return _text("–")
    span = f"{number(known.min())} to {number(known.max())}" if len(known) > 1 else ""
    return {"text": number(float(known.mean())), "beside": span}


def _against(value: float, chance: float, digits: int) -> Cell:
    beside = f"[{number(chance, digits)}]" if isfinite(chance) else ""
    return _cell(value, digits) | {"beside": beside if isfinite(value) else ""}


def _table(name: str, note: str, columns: list[tuple[str, str]], rows: list[list[Cell]]) -> Table:
    return {"name": name, "note": note, "columns": columns, "rows": rows}


def _cell(value: float, digits: int) -> Cell:
    return {"text": number(value, digits) if isfinite(value) else "–", "beside": ""}


def _text(value: object) -> Cell:
    return {"text": str(value), "beside": ""}
