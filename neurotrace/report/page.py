"""The report: results and their provenance become one dict, the dict becomes one HTML file.

The file stands alone (styles and figures inside, nothing is fetched) and holds no time, host or
machine path: the same results give the same bytes.
"""

import os
import secrets
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any

from neurotrace.report import (
    audit_words,
    cards,
    cause_tables,
    confounds,
    geometry_words,
    label_tables,
    origin,
    space_tables,
    tables,
)
from neurotrace.report.canvas import svg
from neurotrace.report.coincidence import lives_said
from neurotrace.report.contents import ANALYSES, SECTIONS, Plot, sections
from neurotrace.report.gallery import GALLERY
from neurotrace.report.glossary import GLOSSARY
from neurotrace.report.origin import Provenance, without_folders
from neurotrace.report.paragraph import opening
from neurotrace.report.reading import (
    Results,
    attribute,
    count,
    curve,
    demand,
    experts_named,
    headline,
    level,
    mean_of,
    number,
    other_languages,
    own_language,
    step_names,
    with_interval,
)
from neurotrace.report.words import Finding, findings

FILE = "report.html"
AXIS = (
    "Steps stand on a log axis, with step 0 drawn at half of the first positive step. Dotted grey "
    "is chance and violet the twin in every figure; where neurons are drawn, blue is for them and "
    "orange for the rotated basis."
)
WORDS = {"found": "found", "not_found": "not found", "warning": "warning", "note": "note"}


def summary(results: Results, provenance: Provenance) -> dict[str, Any]:
    """Everything the page shows, as plain strings, lists and dicts; figures as SVG text.

    Parameters
    ----------
    results
        One Dataset for each analysis; those that are absent are named in the page.
    provenance
        Configuration, versions, concept set, checkpoints and notes of the run.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    said = [_dressed(finding) for finding in findings(results)]
    found = {
        "title": without_folders(provenance.get("model") or "A traced model"),
        "facts": _facts(results, provenance),
        "answer": said[0] if said else None,
        "tiles": _tiles(results),
        "opening": opening(results),
        "findings": said[1:],
        "axis": AXIS if any(d.sizes.get("step", 0) > 1 for d in results.values()) else "",
        "sheets": _sheets(results),
        "cards": cards.section(results),
        "forced": tables.forced(results),
        "confounds": confounds.section(results),
        "numbers": tables.numbers(results),
        "labels": label_tables.section(results),
        "neurons": tables.neurons(results),
        "checkpoints": tables.checkpoints(provenance.get("checkpoints")),
        "audit": audit_words.section(provenance.get("audit")),
        "provenance": origin.blocks(provenance),
        "absent": [f"{words} ({name})." for name, words in ANALYSES.items() if name not in results],
        "notes": [without_folders(note) for note in provenance.get("notes", ())],
        "glossary": [term._asdict() for term in GLOSSARY],
        "citation": origin.citation(provenance),
    }
    return found | {"sections": sections(found)}


def page(results: Results, provenance: Provenance) -> str:
    """The report as one self-contained HTML text; every text in it is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = resources.files("neurotrace.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(here.joinpath("page.html.j2").read_text("utf-8"))
    found = summary(results, provenance)
    # styles and figures are ours, and matplotlib has escaped the text within the figures
    for figure in (figure for part in found["sheets"] for figure in part["figures"]):
        figure["svg"] = Markup(figure["svg"])
    differs = found["confounds"] or {}
    if differs.get("figure"):
        differs["figure"]["svg"] = Markup(differs["figure"]["svg"])
    styles = Markup(here.joinpath("page.css").read_text("utf-8"))
    return template.render(found | {"css": styles}) + "\n"


def write(run_folder: str | Path, results: Results, provenance: Provenance) -> Path:
    """Write RUN/report.html under a temporary name, then give it its own: it is whole or absent."""
    file = Path(run_folder) / FILE
    text = page(results, provenance)
    partial = file.with_name(f"{FILE}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, file)  # noqa: PTH105 - atomic on every system
    finally:
        partial.unlink(missing_ok=True)
    return file


def _dressed(finding: Finding) -> dict[str, str]:
    return {"kind": finding.kind, "word": WORDS[finding.kind], "text": finding.text}


def _facts(results: Results, provenance: Provenance) -> list[str]:
    series = max(results.values(), key=lambda d: d.sizes.get("step", 0), default=None)
    facts = []
    if series is not None and "step" in series.dims:
        names = step_names(series)
        many = f"{len(names)} checkpoints, {names[0]} to {names[-1]}"
        facts.append(many if len(names) > 1 else f"one checkpoint, {names[0]}")
    langs = next((d["lang_a"].values for d in results.values() if "lang_a" in d.coords), ())
    if len(langs):
        named = ", ".join(str(lang) for lang in langs) if len(langs) <= 8 else ""
        facts.append(f"{len(langs)} languages{f' ({named})' if named else ''}")
    concepts = provenance.get("concepts", {})
    for key, word in (("concepts", "concepts"), ("sentences", "sentences")):
        value = concepts.get(key)
        if value is not None:
            size = value if isinstance(value, int) else len(value)
            facts += [f"{count(size)} {word}"] if size else []
    return [*facts, *([experts_named(results)] if experts_named(results) else [])]


def _tiles(results: Results) -> list[dict[str, str]]:
    """The few numbers that stand large at the top, each with what it is to be held against."""
    tiles = []

    def tile(name: str, value: float, beside: str, digits: int = 3) -> None:
        if isfinite(value):
            tiles.append({"name": name, "value": number(value, digits), "beside": beside})

    if "summary" in results:
        main = headline(results)
        span = with_interval(main, "corrected", -1).partition(" ")[2]
        tile("corrected overlap", curve(main, "corrected")[-1], _beside(span, "chance 0"))
    if "basis" in results:
        basis = demand(results, "basis")
        span = with_interval(basis, "value", -1).partition(" ")[2]
        tile("neurons minus rotated basis", curve(basis, "value")[-1], _beside(span, "none 0"))
    if "expertise" in results:
        found = demand(results, "expertise")
        n, chance = found.sizes["step"], f"chance {number(level(found))}"
        twin = ""
        if "expertise_twin" in results:
            own = mean_of(own_language(demand(results, "expertise_twin")), 1)
            twin = f"twin {number(own[0], 2)}"
        own_ap, other_ap = (mean_of(f(found), n)[-1] for f in (own_language, other_languages))
        tile("AP, own language", own_ap, _beside(chance, twin), 2)
        tile("AP, other languages", other_ap, chance, 2)
    if "loss" in results:
        found = demand(results, "loss")
        guess = level(found)
        beside = f"uniform guess {number(guess, 2)}" if isfinite(guess) else ""
        tile("loss, nats a token", curve(found, "value")[-1], beside, 2)
    return tiles


def _sheets(results: Results) -> list[dict[str, Any]]:
    """The sections of figures that have any, in the order of reading."""
    drawn = {
        anchor: [_figure(plot, results) for plot in GALLERY
                 if plot.section == anchor and plot.drawn(results)]
        for anchor in SECTIONS
    }  # fmt: skip
    said = {"which": lives_said(results), "geometry": geometry_words.LEAD}
    folded = cause_tables.folded(results) | space_tables.folded(results)
    return [
        {"anchor": anchor, "name": SECTIONS[anchor], "figures": figures,
         "said": said.get(anchor, ""), "tables": folded.get(anchor, [])}
        for anchor, figures in drawn.items()
        if figures
    ]  # fmt: skip


def _figure(plot: Plot, results: Results) -> dict[str, Any]:
    return {
        "name": plot.name,
        "svg": svg(plot.draw(results), salt=f"neurotrace-{plot.name}", alt=plot.shows),
        "shows": plot.shows,
        "reading": plot.reading,
        "path": plot.path or attribute(results[plot.needs], "path") or "",
        "wide": plot.wide,
        "aside": plot.aside,
    }


def _beside(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
