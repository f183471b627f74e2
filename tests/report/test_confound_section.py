"""What else differs between languages, as the page, the findings and the terminal say it."""

import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from report.differing import differing
from rich.console import Console

from neurotrace import report
from neurotrace.report.confounds import section, told_by_length
from neurotrace.report.pair_plots import overlap_by_strings

EVIL = '<script>alert("x")</script>'


def with_length(results, cells):
    """Results in which length tells: ``{(language, concept): (AUROC, p)}`` by position."""
    found = results["confounds"].copy(deep=True)
    for (lang, concept), (auroc, p) in cells.items():
        found["length_auroc"].values[lang, concept] = auroc
        found["length_p"].values[lang, concept] = p
    return results | {"confounds": found}


def with_strings(results, **figures):
    return results | {"confounds": results["confounds"].assign(figures)}


def warnings(results):
    return [f.text for f in report.findings(results) if f.text.startswith("Not only meaning")]


def columns(table):
    return [name for name, _ in table["columns"]]


def test_the_section_stands_after_the_curves_and_before_the_tables(default_page):
    at = [default_page.index(f'id="{name}"') for name in
          ("excess_per_k", "loss", "confounds", "overlap_by_strings", "numbers")]  # fmt: skip
    assert at == sorted(at)
    assert default_page.count("<h2>What else differs between languages</h2>") == 1
    assert default_page.count("<figure") == len(report.GALLERY) + 1  # none is shown twice


def test_a_page_without_it_has_no_such_section(default_like, origin):
    text = report.page({"loss": default_like["loss"]}, origin)
    assert 'id="confounds"' not in text
    assert text.count("<figure") == 1
    assert section({"loss": default_like["loss"]}) is None
    assert warnings({"loss": default_like["loss"]}) == []


def test_each_language_is_told_in_the_unit_of_its_script(default_like):
    table = section(default_like)["languages"]
    assert columns(table) == ["language", "sentences", "words", "characters", "tokens",
                              "fertility", "strings shared"]  # fmt: skip
    first, last = table["rows"][0], table["rows"][-1]
    assert [cell["text"] for cell in first[:3]] == ["ada_Latn", "360", "10.0"]
    assert first[5] == {"text": "1.20", "beside": "a word"}
    assert last[2]["text"] == "–"
    assert last[5] == {"text": "2.40", "beside": "a character"}
    said = " ".join(section(default_like)["said"])
    assert "A word takes from 1.20 tokens (ada_Latn) to 2.00 (cyr_Grek); a character" in said


def test_pairs_stand_with_their_overlap_and_chance_most_shared_first(default_like):
    results = {"confounds": default_like["confounds"].copy(deep=True)}
    table = section(results)["pairs"]
    assert columns(table)[1:5] == ["corrected overlap", "strings shared", "the same", "chance"]
    shared = [float(row[2]["text"]) for row in table["rows"]]
    assert shared == sorted(shared, reverse=True)
    found, row = results["confounds"], table["rows"][0]
    a, b = row[0]["text"].split(" – ")
    assert row[1]["text"] == f"{float(found['corrected'].sel(lang_a=a, lang_b=b)):.3f}"
    assert row[-1]["text"] == "hospital"
    found["shared"].values[0, 2] = found["shared"].values[2, 0] = np.nan  # undefined stands last
    assert section(results)["pairs"]["rows"][-1][0]["text"] == "ada_Latn – cyr_Grek"


def test_a_correlation_is_never_told_without_what_it_is_worth(default_like):
    said = section(default_like)["said"][-1]
    assert "overlap more or less than others is not seen" in said
    assert (
        "of shared strings with corrected overlap at step 1,500 is −0.12 (0 is none), p = 0.92"
        in said
    )
    assert "Pairs with a language in common depend on each other" in said
    assert "with 4 languages the test is weak: no correlation weaker than 0.93" in said
    never = with_strings(default_like, shared_r_detectable=np.nan)
    assert "no correlation, however strong, could be told" in section(never)["said"][-1]
    undefined = with_strings(default_like, shared_r=np.nan, shared_p=np.nan)
    assert "whether overlap goes with them cannot be said" in section(undefined)["said"][-1]


def test_overlap_that_goes_with_spelling_is_a_warning(default_like):
    results = with_strings(default_like, shared_r=0.96, shared_p=0.04)
    assert (
        "Pairs that share more overlap more: the rank correlation" in section(results)["said"][-1]
    )
    (text,) = warnings(results)
    assert "share more strings overlap more (r = 0.96, p = 0.040)" in text
    assert warnings(with_strings(default_like, shared_r=-0.96, shared_p=0.04)) == []
    assert warnings(with_strings(default_like, shared_r=0.9, shared_p=0.06)) == []


def test_concepts_that_length_alone_tells_are_named_in_one_warning(default_like):
    cells = {(0, 1): (0.71, 1e-5), (2, 3): (0.25, 0.002), (1, 1): (0.56, 1e-9), (3, 0): (0.8, 0.2)}
    results = with_length(default_like, cells)
    assert [str(one) for one in told_by_length(results["confounds"])] == [
        "concept 3 in cyr_Grek (AUROC 0.25)",
        "concept 1 in ada_Latn (AUROC 0.71)",
    ]  # not the one near ½, nor the one that Holm does not leave
    (text,) = warnings(results)
    assert "length in tokens tells concept 3 in cyr_Grek" in text
    assert "concept 1 in ada_Latn" in section(results)["said"][0]
    many = with_length(default_like, {(a, c): (0.9, 1e-6) for a in range(4) for c in range(6)})
    assert "and 21 more" in warnings(many)[0]
    assert "and 12 more" in section(many)["said"][0]


def test_each_concept_is_told_by_its_worst_language(default_like):
    table = section(with_length(default_like, {(2, 3): (0.25, 0.0002)}))["concepts"]
    row = dict(zip(columns(table), table["rows"][3], strict=True))
    assert row["AUROC of length"] == {"text": "0.25", "beside": "cyr_Grek"}
    assert row["p"]["text"] == "< 0.001"
    assert row["length"]["text"] == "1.02"
    assert row["sentences"]["text"] == "60"
    assert row["fertility"]["text"] == "1.00"


def test_silence_names_what_came_nearest(default_like):
    assert warnings(default_like) == []
    said = section(default_like)["said"][0]
    auroc = default_like["confounds"]["length_auroc"].values
    furthest = auroc.ravel()[np.abs(auroc - 0.5).argmax()]
    assert f"(AUROC {furthest:.2f}), p = 1.00 after Holm over 24 tests" in said


def test_the_terminal_has_one_line_and_only_where_something_is_flagged(default_like):
    def printed(results):
        console = Console(file=io.StringIO(), width=400)
        console.print(report.terminal(results, width=400))
        return [line for line in console.file.getvalue().splitlines() if "meaning can make" in line]

    flagged = with_strings(with_length(default_like, {(0, 1): (0.71, 1e-5)}), shared_r=0.96,
                           shared_p=0.04)  # fmt: skip
    assert len(printed(flagged)) == 1
    assert printed(flagged)[0].startswith("warning")
    assert printed(default_like) == []


def test_languages_that_share_nothing_have_no_scatter(default_like):
    nothing = {name: default_like["confounds"][name] * 0 for name in ("shared", "recurring")}
    blank = np.full((4, 4), "")
    results = with_strings(default_like, **nothing, shared_r=np.nan,
                           shared_examples=(("lang_a", "lang_b"), blank))  # fmt: skip
    found = section(results)
    assert found["figure"] is None
    assert found["said"][-1].startswith("No translation shares a string with another in any of 6")
    assert "most often" not in columns(found["pairs"])


@pytest.mark.parametrize("langs", [("one_Latn",), ("one_Latn", "two_Cyrl")])
def test_few_languages_and_no_overlap_are_borne(langs, origin):
    results = {"confounds": differing(langs, 1, overlap=None)}
    found = section(results)
    assert len(found["pairs"]["rows"]) == len(langs) - 1
    assert found["figure"] is None
    text = report.page(results, origin)
    assert text.index('id="confounds"') < text.index('id="provenance"')


def test_sentences_without_translations_are_told_as_that(default_like):
    found = default_like["confounds"]
    results = with_strings(default_like, shared=found["shared"] * np.nan)
    assert section(results)["said"][-1].startswith("No sentence stands in two languages")
    assert section(results)["pairs"]["rows"][0][2]["text"] == "–"


def test_many_pairs_are_folded_away(made, origin):
    results = made(langs=tuple(f"l{i:02d}_Latn" for i in range(12)))
    text = report.page({"confounds": results["confounds"]}, origin)
    assert "54 that share fewer strings" in text
    assert text.count(" – l") >= 66


def test_the_scatter_is_well_formed_repeats_and_needs_its_chance(default_like):
    first, second = (report.svg(overlap_by_strings(default_like), salt="x") for _ in range(2))
    assert first == second
    ET.fromstring(first)
    stripped = default_like["confounds"].drop_vars("shared_chance")
    with pytest.raises(ValueError, match="without its chance level"):
        overlap_by_strings({"confounds": stripped})
    with pytest.raises(ValueError, match="without 'corrected'"):
        overlap_by_strings({"confounds": differing(("a_Latn", "b_Latn"), 2, overlap=None)})


def test_names_and_strings_are_escaped(default_like, origin):
    found = default_like["confounds"].assign_coords(concept=[EVIL] * 6, lang_a=[EVIL] * 4)
    evil = np.full((4, 4), EVIL)
    found = found.assign(shared_examples=(("lang_a", "lang_b"), evil))
    text = report.page({"confounds": found}, origin)
    assert "<script" not in text
    assert len(re.findall("&lt;script&gt;", text)) >= 12


def test_fertility_is_defined(default_page):
    assert "<dt>fertility</dt>" in default_page
