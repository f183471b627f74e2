"""Transfer on the page: change by tuning against accuracy, and a task's concepts, with chance."""

import numpy as np
import pytest
from report.tuned import moved_by_distance, pairs, transfer, tuning

from neurotrace import report
from neurotrace.report import arms, space_tables, transfer_plots
from neurotrace.report.brief import brief
from neurotrace.report.canvas import COLOURS
from neurotrace.report.tuning_words import findings_of_tuning, holding

LANGS = ("ada_Latn", "bel_Cyrl", "cyr_Grek", "dov_Hebr")


@pytest.fixture(scope="module")
def found():
    return {
        "tuning": tuning(LANGS, n_layers=4),
        "tuning_pairs": pairs(LANGS, n_layers=4),
        "transfer": transfer(4),
        "tuning_distances": moved_by_distance(4, p=0.01),
    }


def said(results):
    return " ".join(findings_of_tuning(results))


def test_every_pair_but_a_language_with_itself_is_one_point_in_each_layer(found):
    axes = report.tuning_transfer(found).axes
    given = found["tuning_pairs"]
    assert len(axes) == 4
    for layer, ax in enumerate(axes):
        points = [line for line in ax.lines if line.get_linestyle() == "None"]
        assert [len(line.get_xdata()) for line in points] == [3, 3, 3, 3]
        away = [1, 2, 3]
        np.testing.assert_allclose(points[0].get_xdata(), given["value"].values[layer, 0, away])
        np.testing.assert_allclose(points[0].get_ydata(), given["zero_shot"].values[0, away])
        (dotted,) = [line for line in ax.lines if line.get_linestyle() == ":"]
        assert dotted.get_ydata()[0] == 0.5
        assert dotted.get_color() == COLOURS["chance"]


def test_a_correlation_stands_with_the_least_that_could_be_told_and_without_s_equal_t(found):
    titles = [ax.get_title(loc="left") for ax in report.tuning_transfer(found).axes]
    assert titles[3] == "layer 3: r = −0.90, detectable 0.60"
    few = found["transfer"].copy()
    few["crossed_detectable"] = few["crossed_detectable"] * np.nan
    shown = report.tuning_transfer(found | {"transfer": few}).axes[0].get_title(loc="left")
    assert shown.endswith("none detectable")


@pytest.mark.parametrize(
    ("draw", "name", "chance"),
    [(report.tuning_transfer, "tuning_pairs", "zero_shot_chance"),
     (report.tuning_transfer, "transfer", "chance"),
     (report.tuning_task, "tuning", "task_align_chance"),
     (report.tuning_task, "tuning", "zero_shot_chance")],
)  # fmt: skip
def test_nothing_is_drawn_without_its_chance(found, draw, name, chance):
    with pytest.raises(ValueError, match=f"expected '{chance}'"):
        draw(found | {name: found[name].drop_vars(chance)})


def test_before_and_after_are_drawn_with_the_chance_of_each_model(found):
    deep, wide, right = report.tuning_task(found).axes
    thick = {line.get_color(): line for line in deep.lines if line.get_linewidth() == 1.8}
    dotted = {line.get_color(): line for line in deep.lines if line.get_linestyle() == ":"}
    assert set(thick) == set(dotted) == {arms.tint("base"), arms.tint("free")}
    assert thick[arms.tint("base")].get_linestyle() == "--"
    np.testing.assert_allclose(thick[arms.tint("free")].get_ydata()[0], 0.8)
    np.testing.assert_allclose(dotted[arms.tint("base")].get_ydata(), 0.25)
    np.testing.assert_allclose(dotted[arms.tint("free")].get_ydata(), 0.35)
    marks = [line for line in wide.lines if line.get_marker() == "_"]
    assert [line.get_ydata()[0] for line in marks] == pytest.approx([0.25, 0.35])
    assert [tick.get_text() for tick in wide.get_xticklabels()] == list(LANGS[1:])
    assert [line.get_ydata()[0] for line in right.lines if line.get_linestyle() == ":"] == [0.5]


def test_where_nothing_was_aligned_there_is_no_figure_table_or_sentence(found):
    none = found["tuning"].copy()
    none["task_align"] = none["task_align"] * np.nan
    assert "C-ALIGN" not in said({"tuning": none})
    bare = {"tuning": none.drop_vars(["task_align", "task_align_chance"])}
    assert not transfer_plots.any_task(bare)
    assert not transfer_plots.any_transfer(bare)
    assert "C-ALIGN" not in said(bare)
    assert [table["name"] for table in space_tables.folded(bare)["tuning"]] == [
        "Tuning, arm by arm"
    ]


def test_words_name_a_correlation_only_after_holm_and_beyond_what_could_be_told(found):
    assert "layer 3 (r = −0.90, p after Holm 0.004)" in said(found)
    assert "layer 0" not in said({"transfer": found["transfer"]})
    assert "No cause is shown" in said(found)
    for weak in (transfer(4, last=-0.55), transfer(4, p=0.06), transfer(4, last=float("nan"))):
        told = said({"transfer": weak})
        assert "is not seen in any layer; with 12 languages no correlation weaker than 0.60" in told
        assert "r = " not in told
        assert not holding(weak).any()
    assert dict(brief(found))["transfer"].startswith(
        "accuracy goes with change by tuning in 1 of 4"
    )


def test_words_say_what_distance_goes_with_or_that_it_is_not_seen(found):
    assert "goes with their distance: genetic in layer" in said(found)
    none = said({"tuning_distances": moved_by_distance(4, p=0.2)})
    assert none.startswith("That tuning on one language moves distant ones more, or less, is not")
    assert "no correlation weaker than 0.58 could be told from chance, 0, in a layer" in none


def test_alignment_is_told_before_and_after_each_beside_its_chance(found):
    told = said({"tuning": found["tuning"]})
    before, after = (
        float(found["tuning"]["task_align"].sel(arm=arm).mean()) for arm in ("base", "free")
    )
    assert f"C-ALIGN): {before:.2f} (" in told
    assert f"{after:.2f} (" in told
    assert "(chance 0.25 (0.25 to 0.25)) before" in told
    assert "C-ALIGN compares clusters found in each language by itself" in told
    with pytest.raises(ValueError, match="expected 'task_align_chance'"):
        said({"tuning": found["tuning"].drop_vars("task_align_chance")})


def test_tables_hold_every_layer_and_language_with_chance(found):
    tables = {table["name"]: table for table in space_tables.folded(found)["tuning"]}
    rows = tables["Zero-shot accuracy against change by tuning"]["rows"]
    assert [cell["text"] for cell in rows[3]] == [
        "3", "−0.920", "0.001", "0.004", "0.500", "−0.900", "0.001", "0.600",
    ]  # fmt: skip
    (own,) = tables["Zero-shot accuracy against language distance"]["rows"]
    assert [cell["text"] for cell in own] == ["genetic", "0.330", "0.200", "0.440"]
    assert len(tables["Change by tuning against language distance"]["rows"]) == 4
    task = tables["Latent concepts before and after tuning on the task"]["rows"]
    assert [cell["text"] for cell in task[0][:3]] == [LANGS[0], "–", "–"]
    assert task[1][1]["beside"] == "[0.25]"
    assert task[1][2]["beside"] == "[0.35]"
    assert task[1][4]["beside"] == "[0.50]"


def test_many_layers_and_languages_have_room_and_the_page_holds_all(found, origin):
    langs = tuple(f"l{at:02d}_Latn" for at in range(12))
    many = {"tuning_pairs": pairs(langs, n_layers=24), "transfer": transfer(24)}
    figure = report.tuning_transfer(many)
    assert len(figure.axes) <= 8
    assert len(figure.legends[0].get_texts()) <= 9
    page = report.page(found, origin)
    assert "Does a task reach less the languages that tuning moves more?" in page
    task = page[page.index("<strong>Do clusters of words align better once a task is learnt") :]
    assert "Read at <code>hook_resid_post/words</code>" in task[: task.index("</figcaption>")]
