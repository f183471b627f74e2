"""Geometry on the page: every value beside its chance, verdicts only beyond a band, one colour."""

import numpy as np
import pytest
from report.looking import ceilings, changed, panels_of, said
from report.spacing import SCRIPTS

from neurotrace import report
from neurotrace.report import findings, geometry_words, space_tables
from neurotrace.report.brief import brief
from neurotrace.report.canvas import COLOURS
from neurotrace.report.layer_panels import CLASSES

CHANCES = [
    (report.ilo, "ilo", "centered_chance"),
    (report.ilo_spread, "ilo", "spread_chance"),
    (report.shared_core, "ilo", "shared_core_chance"),
    (report.companions, "companions", "mutual_chance"),
    (report.companions, "companions", "retrieval_chance"),
    (report.latent_concepts, "latent_concepts", "overlap_chance"),
    (report.latent_concepts, "latent_concepts", "stability_chance"),
    (report.latent_corrected, "latent_concepts", "overlap_chance"),
    (report.embeddings, "embeddings", "scripts_chance"),
    (report.embeddings, "embeddings", "translations_chance"),
    (report.embedding_drift, "embeddings", "previous_chance"),
    (report.embedding_drift, "embeddings", "agreement_chance"),
    (report.languages_apart, "evolution", "apart_chance"),
]
OVER_STEPS = (
    report.ilo, report.ilo_spread, report.shared_core, report.companions, report.latent_concepts,
    report.latent_corrected, report.embeddings, report.embedding_drift, report.evolution,
    report.languages_apart, report.language_distance,
)  # fmt: skip


@pytest.mark.parametrize(("draw", "name", "chance"), CHANCES)
def test_every_value_that_is_drawn_needs_its_own_chance(draw, name, chance, default_like):
    bare = default_like | {name: default_like[name].drop_vars(chance)}
    with pytest.raises(ValueError, match=f"expected '{chance}'"):
        draw(bare)


@pytest.mark.parametrize("draw", OVER_STEPS)
def test_every_panel_has_chance_dotted_in_grey(draw, default_like):
    for ax in panels_of(draw(default_like)):
        dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
        assert dotted
        assert {line.get_color() for line in dotted} == {COLOURS["chance"]}


def test_the_band_of_chance_lies_about_zero_where_values_are_corrected(default_like):
    corrected = report.ilo(default_like).axes[1]
    (band,) = corrected.collections
    assert band.get_datalim(corrected.transData).y0 == pytest.approx(-0.02)
    assert band.get_datalim(corrected.transData).y1 == pytest.approx(0.02)


def test_what_is_left_to_the_ceiling_is_drawn_above_chance(default_like):
    corrected = report.ilo(default_like).axes[1]
    dashed = [line for line in corrected.lines if line.get_color() == COLOURS["ceiling"]]
    assert np.asarray(dashed[0].get_ydata()) == pytest.approx(0.2)  # 1 − a chance of 0.8


def test_a_ceiling_that_would_flatten_the_data_is_named_with_an_arrow(default_like):
    whole, low, _ = report.companions(default_like).axes[:3]
    assert whole.get_ylim()[1] > 1
    assert low.get_ylim()[1] < 0.4
    assert "ceiling 1 ↑" in [text.get_text() for text in low.texts]


def test_languages_meet_or_keep_apart_only_beyond_the_band(default_like):
    first = said(default_like)[0]
    assert "ILO of sentence states is 0.686 (chance 0.800 [0.780, 0.820])" in first
    assert "languages keep apart in 3 of 4 layers" in first
    assert "meet beyond" not in first
    inside = changed(default_like, "ilo", value=lambda v: v * 0 + 0.81)
    assert "it stays within the band of chance in all 4 layers" in said(inside)[0]
    above = changed(default_like, "ilo", value=lambda v: v * 0 + 0.9)
    assert "languages meet beyond mixing by lot in 4 of 4 layers" in said(above)[0]


def test_without_a_band_nothing_is_concluded(default_like):
    nothing = {f"chance_{end}": lambda c: c * np.nan for end in ("low", "high")}
    text = said(changed(default_like, "ilo", **nothing))[0]
    assert "no band of chance was drawn, so nothing is concluded" in text
    bare = default_like["latent_concepts"].drop_vars(["chance_low", "chance_high"])
    assert "nothing is concluded" in " ".join(said({"latent_concepts": bare}))


def test_what_saturates_on_noise_is_never_said_alone(default_like, origin):
    for text in said(default_like):
        assert ("ILO" in text or "C-OVERLAP" in text) == ("saturates on noise" in text)
    page = report.page({"ilo": default_like["ilo"]}, origin)
    lead = page.partition('<section id="geometry">')[2].partition("<svg")[0]
    assert "ILO and C-OVERLAP saturate on noise" in lead
    assert "necessary for transfer, not sufficient" in lead


def test_every_sentence_on_geometry_has_its_chance(default_like, control_like):
    for results in (default_like, control_like):
        assert len(said(results)) == 6
        assert all("chance" in text for text in said(results))


def test_a_control_meets_nowhere_and_nothing_of_it_is_found(control_like):
    text = " ".join(said(control_like))
    assert "languages keep apart in 4 of 4 layers" in text
    assert "stays within the band" in text  # C-ALIGN
    assert "not seen at step 1,500; with 4 languages no correlation weaker than 0.62" in text
    assert not [f for f in findings(control_like) if f.kind == "found"]
    (entry,) = geometry_words.spaces(control_like)
    assert entry.kind == "note"  # mixing and clusters alike are no sign of meaning


def test_a_script_has_one_colour_in_both_figures_of_embeddings(default_like):
    tokens = report.embedding_map(default_like).axes[0].lines
    curves = [line for line in report.embeddings(default_like).axes[0].lines
              if line.get_color() in CLASSES]  # fmt: skip
    assert [line.get_color() for line in tokens] == [line.get_color() for line in curves]
    counted = default_like["embedding_map"]["script"].values
    sizes = [len(line.get_xdata()) for line in tokens]
    assert sizes == [int((counted == script).sum()) for script in SCRIPTS]
    assert not set(CLASSES) & set(COLOURS.values())


def test_many_scripts_share_the_last_colour(default_like):
    found = default_like["embedding_map"]
    names = np.array([f"SCRIPT{at % 12:02d}" for at in range(found.sizes["token"])])
    many = {"embedding_map": found.assign(script=("token", names))}
    key = [text.get_text() for text in report.embedding_map(many).legends[0].get_texts()]
    assert len(key) == len(CLASSES) + 1
    assert key[-1] == "4 others"


def test_words_of_clusters_are_read_in_their_own_language_the_shared_first(default_like, origin):
    table = space_tables.folded(default_like)["geometry"][-1]
    assert [row[1]["text"] for row in table["rows"]] == ["yes"] * 4 + ["no"] * 2
    assert table["rows"][3][3]["attributes"] == {"lang": "dov-Hebr", "dir": "rtl"}
    page = report.page({"latent_words": default_like["latent_words"]}, origin)
    assert "latent_words" not in page  # named by none of the absent
    whole = report.page(
        {name: default_like[name] for name in ("latent_concepts", "latent_words")}, origin
    )
    assert 'lang="dov-Hebr" dir="rtl">נהר' in whole


def test_long_word_lists_are_cut_and_the_rest_is_counted(default_like):
    found = default_like["latent_words"]
    many = {"latent_words": found.isel(example=list(range(6)) * 40)}
    table = space_tables.folded(many)["geometry"][0]
    assert len(table["rows"]) == space_tables.MOST_ROWS
    assert table["note"].endswith(f"{240 - space_tables.MOST_ROWS} more in results.h5")


def test_every_number_of_the_table_stands_beside_its_chance(default_like):
    first, second = space_tables.folded(default_like)["geometry"][:2]
    for row in first["rows"]:
        assert all(cell["beside"].startswith("[") for cell in row[1:] if cell["text"] != "–")
    assert len(first["rows"]) == default_like["ilo"].sizes["step"]
    assert len(second["rows"]) == 12
    assert [cell["text"] for cell in second["rows"][0][:3]] == ["geographic", "0", "0.810"]
    assert "chance 0" in second["note"]
    assert space_tables.folded({}) == {"geometry": [], "tuning": []}
    bare = {"companions": default_like["companions"].drop_vars("mutual_chance")}
    with pytest.raises(ValueError, match="expected 'mutual_chance'"):
        space_tables.folded(bare)


def test_the_terminal_has_a_line_for_each_question(default_like):
    lines = dict(brief(default_like))
    assert "ILO 0.686 (chance 0.800 [0.780, 0.820])" in lines["geometry"]
    assert lines["embeddings"].count("chance") == 2
    assert lines["distance"] == "2 of 12 correlations hold after Holm (chance 0)"


def test_what_the_dictionary_allows_is_the_ceiling_of_aligned_clusters_alone(default_like):
    for draw, expected, others in (
        (report.latent_concepts, 0.9, [1.0, 1.0]),
        (report.latent_corrected, 0.87, [0.18]),  # 1 − a chance of 0.82
    ):
        (allowed, *beside) = ceilings(draw(default_like))
        assert allowed == pytest.approx(expected)
        assert beside == pytest.approx(others)


def test_translations_are_held_against_the_band_of_tokens_as_frequent(default_like):
    assert "beyond the band of tokens as frequent [0.001, 0.015]" in said(default_like)[3]
    inside = changed(default_like, "embeddings", translations=lambda v: v * 0 + 0.01)
    assert "within the band" in said(inside)[3]
    fewer = changed(default_like, "embeddings", translations=lambda v: v * 0)
    assert "below the band" in said(fewer)[3]
    bare = default_like["embeddings"].drop_vars(["translations_low", "translations_high"])
    assert "band" not in said(default_like | {"embeddings": bare})[3]
    mixed, ax = report.embeddings(default_like).axes[1:]
    dotted = [line for panel in (mixed, ax) for line in panel.lines
              if line.get_linestyle() == ":"]  # fmt: skip
    assert [line.get_ydata()[0] for line in dotted] == pytest.approx([5.3, 0.006])
    (band,) = ax.collections
    assert band.get_datalim(ax.transData).y1 == pytest.approx(0.015)
