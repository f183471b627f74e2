"""Tuning on the page: before beside after, frozen beside random lists, runs shown apart."""

import json

import numpy as np
import pytest
from report.tuned import tuning

from neurotrace import report
from neurotrace.report import arms, space_tables
from neurotrace.report.brief import brief
from neurotrace.report.canvas import COLOURS
from neurotrace.report.tuning_words import findings_of_tuning, over_runs

LANGS = ("ada_Latn", "bel_Cyrl", "cyr_Grek", "dov_Hebr")


@pytest.fixture(scope="module")
def tuned():
    return {"tuning": tuning(LANGS, n_layers=4)}


def said(results):
    return list(findings_of_tuning(results))


def with_value(results, arm, name, value):
    found = results["tuning"].copy(deep=True)
    found[name][:, list(found["arm"].values).index(arm)] = value
    return {"tuning": found}


@pytest.mark.parametrize(
    ("draw", "chance"),
    [(report.tuning_layers, "ilo_chance"), (report.tuning_layers, "mexa_chance"),
     (report.tuning_layers, "retrieval_chance"), (report.tuning_layers, "phi_chance"),
     (report.tuning_languages, "zero_shot_chance")],
)  # fmt: skip
def test_every_value_needs_its_own_chance(draw, chance, tuned):
    with pytest.raises(ValueError, match=f"expected '{chance}'"):
        draw({"tuning": tuned["tuning"].drop_vars(chance)})


def test_loss_without_its_chance_is_left_out(tuned):
    bare = {"tuning": tuned["tuning"].drop_vars("loss_chance")}
    assert len(report.tuning_languages(tuned).axes) == 3
    assert len(report.tuning_languages(bare).axes) == 2
    assert "loss" not in " ".join(said(bare))
    heads = [name for name, _ in space_tables.folded(bare)["tuning"][0]["columns"]]
    assert not [name for name in heads if name.startswith("loss")]


def test_every_arm_has_a_colour_of_its_own_and_random_draws_stand_for_their_mean(tuned):
    shown = ("base", "free", "frozen_early", "frozen_late", "frozen_phi", "frozen_random")
    assert len({arms.tint(arm) for arm in shown}) == len(shown)
    assert arms.tint("frozen_random_1") == arms.tint("frozen_random")
    key = [text.get_text() for text in report.tuning_layers(tuned).legends[0].get_texts()]
    assert key == [arms.named(arm) for arm in shown] + ["chance"]


def test_runs_and_single_random_lists_are_thin_and_means_are_thick(tuned):
    ax = report.tuning_layers(tuned).axes[1]
    widths = [line.get_linewidth() for line in ax.lines if line.get_linestyle() != ":"]
    assert widths.count(1.8) == 6
    assert widths.count(0.6) == 6 * 3 + 2
    one = {"tuning": tuned["tuning"].isel(run=[0])}
    widths = [line.get_linewidth() for line in report.tuning_layers(one).axes[1].lines]
    assert widths.count(0.6) == 2


def test_chance_is_dotted_in_every_panel_at_its_own_level(tuned):
    levels = []
    for draw in (report.tuning_layers, report.tuning_languages):
        for ax in draw(tuned).axes:
            (dotted,) = [line for line in ax.lines if line.get_linestyle() == ":"]
            assert dotted.get_color() == COLOURS["chance"]
            levels.append(dotted.get_ydata()[0])
    assert levels == pytest.approx([0, 1 / 1993, 1 / 997, 1, np.log(948), 0.5, 0.5])


def test_before_and_after_stand_together_with_chance_and_the_range_of_runs(tuned):
    first, second, _ = said(tuned)
    start = "Tuning on ada_Latn, nothing frozen, in 2 languages held out: ILO beyond chance "
    assert first.startswith(start)
    for words in ("before", "after", "chance 0;", "no confidence interval"):
        assert words in first
    assert second.count("chance") == 2
    assert "(untuned 2.00" in second
    assert second.endswith("Alignment is necessary for transfer, not sufficient.")


def test_the_numbers_before_and_after_in_it_and_in_the_others_are_their_own(tuned):
    first, second, _ = said(tuned)
    mexa = tuned["tuning"]["mexa"].mean("layer")
    for arm, when in (("base", "before"), ("free", "after")):
        own = mexa.sel(arm=arm)
        span = f"{float(own.mean()):.3f} ({float(own.min()):.3f} to {float(own.max()):.3f}) {when}"
        assert span in first
    loss = tuned["tuning"]["loss"].sel(arm="free").mean("run")
    assert f"loss {float(loss[0]):.2f} (" in second
    assert f"in it and {float(loss[1:].mean()):.2f} (" in second


def test_a_list_counts_only_beyond_random_ones_in_every_run(tuned):
    first = said(tuned)[0]
    every = "each of 2 random lists of as many layers in each of 3 runs"
    luck = "(by lot one in 3 would be, in one run)"
    both = "first layers frozen and layers of most change frozen."
    assert f" More than {every} {luck}: {both}" in first
    one_short = tuned["tuning"]["retrieval"].sel(arm="frozen_early").values.copy()
    one_short[1] = 0.0
    short = with_value(tuned, "frozen_early", "retrieval", one_short)
    assert f"{luck}: layers of most change frozen." in said(short)[0]
    same = "Does not differ from freezing random blocks (2 lists)"
    assert f" {same}: first layers frozen." in said(short)[0]
    none = with_value(short, "frozen_phi", "retrieval", 0.0)
    assert f" Less than {every}: layers of most change frozen." in said(none)[0]


def test_the_best_random_list_is_what_a_list_must_beat_and_not_their_mean(tuned):
    best = tuned["tuning"]["retrieval"].sel(arm="frozen_random_0").values
    mean = tuned["tuning"]["retrieval"].sel(arm="frozen_random").values
    between = with_value(tuned, "frozen_early", "retrieval", (best + mean) / 2)
    assert "blocks (2 lists): first layers frozen." in said(between)[0]


def test_a_random_list_is_no_rival_of_itself_nor_of_lists_of_another_length(tuned):
    told = "Less than the one random list of as many layers in each of 3 runs: last layers frozen"
    assert told in said(tuned)[0]
    lists = json.loads(tuned["tuning"].attrs["freeze"]) | {"frozen_phi": ["embed", 0, 1]}
    longer = tuned["tuning"].assign_attrs(freeze=json.dumps(lists))
    assert "layers of most change frozen." not in said({"tuning": longer})[0]


def test_lists_are_judged_in_languages_that_they_were_not_chosen_on(tuned):
    best = tuned["tuning"]["retrieval"].sel(arm="frozen_random_0").values
    own = tuned["tuning"]["retrieval"].sel(arm="frozen_phi").values.copy()
    own[..., 2:] = best[..., 2:] - 0.01  # it still shines where it was chosen
    shown = with_value(tuned, "frozen_phi", "retrieval", own)
    assert "blocks (2 lists): layers of most change frozen." in said(shown)[0]
    held = shown["tuning"]["retrieval"].sel(arm="frozen_phi").isel(lang=[2, 3]).mean()
    assert f"layers of most change frozen {float(held):.3f} (" in said(shown)[0]
    ax = report.tuning_layers(shown).axes[2]
    colour = arms.tint("frozen_phi")
    (line,) = (own for own in ax.lines if own.get_color() == colour and own.get_linewidth() == 1.8)
    assert np.mean(line.get_ydata()) == pytest.approx(float(held))
    every = tuned["tuning"].assign_attrs(chosen_on=", ".join(LANGS[1:]))
    unjudged = "Not judged, no language being held out: layers of most change frozen."
    assert unjudged in said({"tuning": every})[0]
    names = [text.get_text() for text in report.tuning_languages(tuned).axes[1].get_xticklabels()]
    assert names == ["ada_Latn\n(tuned on)", "bel_Cyrl\n(chosen on)", *LANGS[2:]]


def test_transfer_is_claimed_only_beyond_permuted_names_in_every_run(tuned):
    none = "In no other language is accuracy beyond [0.40, 0.60], 95 %"
    assert none in said(tuned)[1]
    assert "no transfer is shown" in said(tuned)[1]
    accuracy = tuned["tuning"]["zero_shot"].sel(arm="free").values.copy()
    accuracy[:, 2:] = 0.7
    accuracy[1, 3] = 0.59  # in one run not
    reached = with_value(tuned, "free", "zero_shot", accuracy)
    told = "in each of 3 runs in 1 of 3 other languages (cyr_Grek), as by luck in one of 40."
    assert told in said(reached)[1]
    bare = {"tuning": reached["tuning"].drop_vars("zero_shot_chance_high")}
    assert "beyond" not in said(bare)[1]


def test_the_band_of_permuted_names_is_drawn_behind_each_arm(tuned):
    _, ax, probe = report.tuning_languages(tuned).axes
    drawn = [own for lines in ax.collections for own in lines.get_segments() if len(own)]
    np.testing.assert_allclose([own[:, 1] for own in drawn], [[0.4, 0.6]] * 20)
    assert not probe.collections


def test_one_run_has_no_range(tuned):
    one = {"tuning": tuned["tuning"].isel(run=[0])}
    assert "This is one training run." in said(one)[0]
    assert over_runs(np.array([0.5])) == "0.500"
    assert over_runs(np.array([0.5, 0.7, np.nan]), 1) == "0.6 (0.5 to 0.7)"
    assert over_runs(np.array([np.nan])) == "undefined"


def test_the_table_names_what_is_frozen(tuned):
    table, _ = space_tables.folded(tuned)["tuning"]
    rows = {row[0]["text"]: row for row in table["rows"]}
    assert rows["nothing frozen"][1]["text"] == "nothing"
    assert rows["first layers frozen"][1]["text"] == "embed, 0"
    assert rows["untuned"][-3]["text"] == "–"  # no tuned classifier
    assert all("chance" in unit for _, unit in table["columns"][2:])
    broken = {"tuning": tuned["tuning"].assign_attrs(freeze="[0, 1")}
    assert space_tables.folded(broken)["tuning"][0]["rows"][0][1]["text"] == "–"


def test_lists_that_differ_between_runs_are_told_apart(tuned):
    lists = json.dumps({"free": [], "frozen_random": [[0], [2], [0]]})
    found = space_tables.frozen_lists(tuned["tuning"].assign_attrs(freeze=lists))
    assert found == {"free": "nothing", "frozen_random": "0; 2"}


def test_what_was_not_measured_is_passed_over(tuned):
    few = tuned["tuning"].drop_vars(["phi", "retrieval", "zero_shot", "probe", "value"])
    assert len(report.tuning_layers({"tuning": few}).axes) == 2
    assert len(report.tuning_languages({"tuning": few}).axes) == 1
    assert "retrieval" not in " ".join(said({"tuning": few}))
    no_arms = tuned["tuning"].sel(arm=["base"])
    assert said({"tuning": no_arms}) == []


def test_many_layers_languages_and_arms_have_room(origin):
    langs = tuple(f"l{at:02d}_Latn" for at in range(12))
    wide = {"tuning": tuning(langs, n_layers=24, runs=1)}
    assert '<section id="tuning">' in report.page(wide, origin)
    assert len(report.tuning_layers(wide).axes[0].get_xticks()) <= 8


def test_the_terminal_tells_alignment_arm_by_arm(default_like):
    line = dict(brief(default_like))["tuning"]
    assert line.startswith("MEXA: untuned 0.5")
    assert line.endswith("chance 0.001")
    assert "frozen random 0" not in line
