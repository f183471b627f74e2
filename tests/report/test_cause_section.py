"""What interventions did: a verdict for each set, intervals told apart, tables with chance."""

import numpy as np

from neurotrace import report
from neurotrace.report import cause_tables, opening
from neurotrace.report.brief import brief


def said(results, name):
    found = opening(results)
    return next(one for one in [*found.shapes, *found.rest] if one.name.startswith(name))


def with_arm(results, arm, low, high, *, group="ablation", name="over_random"):
    """A copy in which one arm's interval at every step is this one."""
    found = results[group].copy(deep=True)
    at = list(found["arm"].values).index(arm)
    for end, value in (("", (low + high) / 2), ("_low", low), ("_high", high)):
        found[name + end][:, at] = value
    return results | {group: found}


def test_each_set_has_a_verdict_of_its_own_from_the_paired_difference(default_like):
    mixed = with_arm(with_arm(default_like, "shared", -0.003, 0.017), "language", -0.035, -0.005)
    one = said(mixed, "Silencing")
    assert "neurons of several languages: 0.600 [0.570, 0.630], as many random ones" in one.text
    assert "a difference of 0.007 [−0.003, 0.017]. This is not shown to cost more." in one.text
    assert "a difference of −0.020 [−0.035, −0.005]. This costs less than random ones." in one.text
    assert one.kind == "not_found"
    more = with_arm(mixed, "language", 0.01, 0.03)
    assert said(more, "Silencing").kind == "found"
    assert said(more, "Silencing").text.count("costs more") == 1


def test_without_a_paired_difference_the_intervals_must_lie_apart(default_like):
    bare = default_like["ablation"].drop_vars([f"over_random{e}" for e in ("", "_low", "_high")])
    one = said(default_like | {"ablation": bare}, "Silencing").text
    assert "a difference of" not in one
    assert one.count("This costs more than random ones.") == 2


def test_a_languages_own_neurons_stand_beside_their_chance(default_like):
    text = said(default_like, "Silencing").text
    assert "cost 0.300 [0.290, 0.310] on its own text (random 0.020 [0.010, 0.030])" in text
    assert "−0.010 [−0.020, 0.000] on that of the others" in text
    elsewhere = default_like["ablation"].assign(other_chance=default_like["ablation"]["own_chance"])
    assert said(default_like | {"ablation": elsewhere}, "Silencing").text.count("(random") == 2


def test_the_terminal_gives_the_difference_of_each_set(default_like):
    line = dict(brief(default_like))["silenced"]
    assert line.count("beyond random") == 2
    assert "none 0" in line


def test_the_topic_comes_only_beyond_random_neurons(default_like):
    text = said(default_like, "Language of forced").text
    assert "The topic comes" in text
    assert "Beyond random that is" in text
    assert "it comes there, too" in text
    args = {"group": "forcing", "name": "topic_over_random"}
    equal = with_arm(default_like, "experts", -0.1, 0.4, **args)
    text = said(equal, "Language of forced").text
    assert "The topic is not shown to come" in text
    assert "Beyond random that is 0.15 [−0.10, 0.40]" in text
    args["name"] = "topic_other_over_random"
    own = with_arm(default_like, "experts", -0.38, 2.79, **args)
    assert "there it is not shown to come" in said(own, "Language of forced").text


def test_a_language_that_moves_is_called_no_evidence_of_sharing(default_like):
    moved = with_arm(default_like, "experts", 0.8, 1.2, group="forcing", name="source_log_odds")
    assert "no evidence of sharing" in said(moved, "Language of forced").text


def test_the_unforced_model_is_named_once_a_panel_and_bars_do_not_hide_one_another(default_like):
    figure = report.forcing(default_like)
    for ax in figure.axes[:3]:
        assert sum(text.get_text() == "unforced" for text in ax.texts) == 1
    bars = [group.get_segments() for group in figure.axes[0].collections]
    last = [segments[-1][0][0] for segments in bars]
    assert len(last) == len(set(last)) == 3  # experts, random, direction


def test_labels_of_steps_do_not_run_into_each_other(made):
    figure = report.forcing(made(steps=(0, 64, 128, 256, 768, 1500)))
    names = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert names[-1] == "1,500"
    assert "1,000" not in names


def test_ablation_is_drawn_over_all_steps_on_one_scale(default_like):
    axes = report.ablation(default_like).axes
    assert len({ax.get_ylim() for ax in axes[:3]}) == 1
    curves = [line for line in axes[0].lines if len(line.get_xdata()) > 2]
    assert len(curves) == 2
    words = [text.get_text() for text in axes[2].texts]
    assert {"on its own text", "on other text", "random, own text"} <= set(words)


def test_tables_of_interventions_hold_what_was_computed(default_like, origin):
    found = cause_tables.folded(default_like)
    names = [table["name"] for tables in found.values() for table in tables]
    assert len(names) == len(set(names)) == 6
    page = report.page(default_like, origin)
    assert all(f"<b>{name}</b>" in page for name in names)
    arms, pairs = found["use"][:2]
    assert [row[0]["text"] for row in arms["rows"]][:2] == ["experts", "random, norm-matched"]
    assert arms["rows"][0][4]["text"].endswith(" of 16")
    assert "norm-matched random" in pairs["note"]
    assert len(pairs["rows"]) == len(pairs["columns"]) - 1 == 4
    forced = found["language"][0]
    assert "unforced" in forced["note"]
    assert len(forced["rows"]) == 6 * 4


def test_tables_leave_out_what_is_absent(default_like):
    assert cause_tables.folded({}) == {"use": [], "language": []}
    bare = default_like["ablation"].drop_vars(["by_concept", "of_language", "by_language"])
    assert cause_tables.folded({"ablation": bare})["use"] == []
    nothing = {n: v * np.nan for n, v in default_like["forcing"].items() if v.dtype.kind == "f"}
    empty = default_like["forcing"].assign(nothing)
    cells = cause_tables.folded({"forcing": empty})["language"][0]["rows"][0][2:]
    assert {cell["text"] for cell in cells} == {"–"}
