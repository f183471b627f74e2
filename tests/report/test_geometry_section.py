"""Geometry on the page: every value beside its chance, verdicts only beyond a band, one colour."""

import numpy as np
import pytest
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


def changed(results, name, **columns):
    dataset = results[name]
    return results | {name: dataset.assign({k: f(dataset[k]) for k, f in columns.items()})}


def said(results):
    return list(geometry_words.findings_of_geometry(results))


def panels_of(figure):
    return [ax for ax in figure.axes if len(ax.lines)]


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
    assert "ILO and C-OVERLAP saturate on noise" in page


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


def test_only_correlations_that_hold_after_holm_are_told_and_filled(default_like):
    text = said(default_like)[-1]
    assert "geographic in layer 0 (r = 0.81, p = 0.016)" in text
    assert "genetic" not in text
    axes = panels_of(report.language_distance(default_like))
    filled = [
        sum(len(line.get_xdata()) for line in ax.lines
            if line.get_marker() == "o" and line.get_markersize() == 5)
        for ax in axes
    ]  # fmt: skip
    kept = (default_like["distances"]["p_holm"] <= 0.05).sum(["step", "layer"]).values
    assert filled == kept.tolist()
    assert filled[0] > 0
    assert filled[1:] == [0, 0]


def test_where_nothing_can_be_detected_the_grey_area_is_the_whole_panel(default_like):
    blind = changed(default_like, "distances", detectable=lambda d: d * np.nan)
    ax = report.language_distance(blind).axes[0]
    extent = ax.collections[0].get_datalim(ax.transData)
    assert (extent.y0, extent.y1) == (-1, 1)
    quiet = changed(blind, "distances", p_holm=lambda p: p * 0 + 1)
    assert "none at all could be told from chance" in said(quiet)[-1]


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


def test_nothing_is_drawn_of_change_where_there_is_one_checkpoint(made):
    one = {"evolution": made(steps=(0,))["evolution"]}
    drawn = [plot.name for plot in report.GALLERY if plot.drawn(one)]
    assert drawn == ["languages_apart"]
    apart_only = one["evolution"].drop_vars(["value", "to_last", "biased", "calibrated"])
    assert len(report.languages_apart({"evolution": apart_only}).axes) == 1
    alone = {"evolution": one["evolution"].drop_vars(["apart", "apart_chance"])}
    assert not [plot for plot in report.GALLERY if plot.drawn(alone)]


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
    assert "chance 0" in second["note"]
    assert space_tables.folded({}) == {"geometry": [], "tuning": []}


def test_the_terminal_has_a_line_for_each_question(default_like):
    lines = dict(brief(default_like))
    assert "ILO 0.686 (chance 0.800 [0.780, 0.820])" in lines["geometry"]
    assert lines["embeddings"].count("chance") == 2
    assert lines["distance"] == "2 of 12 correlations hold after Holm (chance 0)"


def test_what_the_dictionary_allows_is_the_ceiling_of_aligned_clusters(default_like):
    for draw, expected in ((report.latent_concepts, 0.9), (report.latent_corrected, 0.87)):
        (dashed,) = [line for line in draw(default_like).axes[0].lines
                     if line.get_color() == COLOURS["ceiling"]]  # fmt: skip
        assert np.asarray(dashed.get_ydata()) == pytest.approx(expected)


def test_nearness_that_needs_no_shared_meaning_is_called_so(default_like):
    text = " ".join(said(default_like))
    assert "rises where languages share no space, too" in text
    assert "no evidence of shared meaning" in text
    (entry,) = geometry_words.spaces(default_like)
    assert entry.kind == "note"
    texts = [text.get_text() for text in report.languages_apart(default_like).axes[0].texts]
    assert "twin" in texts


def test_translations_are_held_against_the_band_of_tokens_as_frequent(default_like):
    assert "beyond the band of tokens as frequent [0.001, 0.015]" in said(default_like)[3]
    inside = changed(default_like, "embeddings", translations=lambda v: v * 0 + 0.01)
    assert "within the band" in said(inside)[3]
    ax = report.embeddings(default_like).axes[2]
    (band,) = ax.collections
    assert band.get_datalim(ax.transData).y1 == pytest.approx(0.015)
