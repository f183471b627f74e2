import re

import numpy as np
import pytest

from neurotrace.report import claim, opening
from neurotrace.report.claim import claimed_meaning, equivalence
from neurotrace.report.doubts import doubts
from neurotrace.report.paragraph import Opening


def entry(results, name):
    """What is said under a name; names that carry a word of the rules are given by their start."""
    found: Opening = opening(results)
    return next(said for said in [*found.shapes, *found.rest] if said.name.startswith(name))


def changed(results, name, **columns):
    dataset = results[name]
    return results | {name: dataset.assign({k: f(dataset[k]) for k, f in columns.items()})}


def arm_set(results, name, variable, arm, value):
    """A copy in which one arm has another value, with a narrow interval around it."""
    found = results[name].copy(deep=True)
    at = list(found["arm"].values).index(arm)
    for end, shift in (("", 0.0), ("_low", -0.05), ("_high", 0.05)):
        found[f"{variable}{end}"][..., at] = value + shift
    return results | {name: found}


def test_the_four_shapes_come_in_the_order_of_the_paper(default_like):
    names = [said.name for said in opening(default_like).shapes]
    starts = ("Language identification", "Overlap of a", "Language of forced", "Single")
    assert [name.startswith(start) for name, start in zip(names, starts, strict=True)] == [True] * 4


def test_identification_is_two_changes_with_intervals_and_no_evidence(default_like):
    said = entry(default_like, "Language identification")
    assert "falls (−0.110 [−0.140, −0.080]; no change is 0)" in said.text
    assert "grows (+0.050 [0.020, 0.080]; no change is 0)" in said.text
    assert "no evidence of sharing" in said.text
    flat = changed(default_like, "claims", mean_change_high=lambda c: c * 0 + 0.01)
    assert "is not shown to fall" in entry(flat, "Language identification").text
    assert entry(flat, "Language identification").kind == "not_found"


def test_the_profile_over_depth_is_said_to_be_this_models_own(default_like):
    text = entry(default_like, "Overlap").text
    assert "most in layer 0" in text
    assert "least in layer 3" in text
    assert "this model's own" in text
    assert "that of different words" in text


def test_overlap_within_its_null_is_not_above_it(control_like):
    said = entry(control_like, "Overlap")
    assert said.kind == "not_found"
    assert said.text.startswith("It is not shown to be above that of different words")
    assert "layer" not in said.text


def test_forced_output_follows_unless_the_experts_alone_move_it(default_like):
    assert (
        "It is not shown to differ from the unforced one"
        in entry(default_like, "Language of forced").text
    )
    moved = arm_set(default_like, "forcing", "source_log_odds", "experts", 1.2)
    said = entry(moved, "Language of forced")
    assert said.kind == "found"
    assert "moves towards the source language" in said.text
    both = arm_set(moved, "forcing", "source_log_odds", "random_matched", 1.2)
    assert "so does that of random neurons" in entry(both, "Language of forced").text


def test_no_language_is_said_of_degenerate_texts(default_like):
    broken = changed(default_like, "forcing", language=lambda c: c * np.nan)
    text = entry(broken, "Language of forced").text
    assert "It cannot be said" in text
    assert "0.05 of the texts" in text


def test_single_neurons_are_held_against_coincidence(default_like, control_like):
    assert "more than coincidence gives (24 [17, 34]" in entry(default_like, "Single").text
    said = entry(control_like, "Single")
    assert said.kind == "not_found"
    assert said.name == "Single units that serve many languages"  # no basis, no "neurons"


def test_the_words_follow_from_the_rules(default_like, control_like):
    assert "This page says “neurons”" in opening(default_like).words
    assert "“directions”, not “neurons”" in opening(control_like).words
    assert claimed_meaning(default_like) == "word"
    assert "“word”, not “concept”, since every sentence" in opening(default_like).words
    passed = changed(default_like, "labels", concept=lambda c: c + 40, word=lambda c: c + 12)
    assert claimed_meaning(passed) == "concept"
    assert "40 of 52 neurons" in opening(passed).words
    assert entry(passed, "Overlap").name == "Overlap of a concept's experts"
    failed = changed(default_like, "labels", concept=lambda c: c + 12, word=lambda c: c + 40)
    assert claimed_meaning(failed) == "word"
    assert claimed_meaning({}) == "word"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.01, 0.02, "within"), (-0.06, 0.02, "not within"), (0.01, 0.06, "not within"),
     (0.01, 0.03, "within"), (-0.2, 0.3, "not within")],
)  # fmt: skip
def test_equivalence_is_bounded_on_both_sides(low, high, verdict):
    assert equivalence(low, high).startswith(verdict)
    assert ("not excluded" in equivalence(low, high)) == (verdict == "not within")


def test_an_onset_is_two_numbers_and_a_rising_curve_is_flagged(default_like, control_like):
    text = entry(default_like, "When").text
    assert "from step 96" in text
    assert "half of its end at step 180 [144, 234]" in text
    assert "0.15 at step 210" in text
    assert "1 of 4 layers have no onset" in text
    assert "still rises" not in text
    onset = default_like["onset_overlap"].assign_attrs(still_rising=1)
    assert "still rises at the end" in entry(default_like | {"onset_overlap": onset}, "When").text
    assert "never seen to leave its null" in entry(control_like, "When").text
    assert "No change point is found" in entry(control_like, "When").text


def test_use_stands_beside_overlap_and_lag(default_like):
    text = entry(default_like, "Use across").text
    assert "a ratio of 0.78 [0.66, 0.90] (0 is none, 1 fully shared)" in text
    assert "beside a corrected overlap of 0.296" in text
    assert "neither is shown to come first" in text
    assert text.endswith("Alignment is necessary for transfer, not sufficient.")
    early = changed(default_like, "lag_use_overlap", high=lambda c: c - 0.2)
    assert "so use comes first" in entry(early, "Use across").text


def test_a_loud_control_is_said_where_the_effect_is_said(default_like):
    loud = arm_set(default_like, "interchange", "across", "wrong_concept", 0.9)
    text = entry(loud, "Use across").text
    assert "A control that should be silent is loud: wrong concept 0.90 [0.85, 0.95]" in text
    warned = [words for kind, words in doubts(loud) if kind == "warning"]
    assert any("wrong concept 0.90" in words for words in warned)
    assert not any("silent acts" in words for _, words in doubts(default_like))


def test_an_effect_that_random_neurons_have_is_none(default_like):
    small = changed(default_like, "interchange", excess_low=lambda c: c * 0 - 0.1)
    assert entry(small, "Use across").kind == "not_found"
    untrained = changed(default_like, "interchange", across_low=lambda c: c * 0 + 0.1)
    assert "no effect of training" in entry(untrained, "Use across").text


def test_every_entry_has_its_chance(default_like, control_like):
    known = re.compile(r"\(none is 0\)|no change is 0|chance|coincidence|null|none is 0\)")
    for results in (default_like, control_like):
        found = opening(results)
        for said in [*found.shapes, *found.rest]:
            assert known.search(said.text), said


def test_what_is_absent_is_passed_over_or_named(default_like):
    assert opening({}) == Opening("", [], [], "")
    only = opening({"summary": default_like["summary"]})
    assert [said.kind for said in only.shapes] == ["note", "found", "note", "note"]
    assert only.rest == []
    assert "whether the model uses" in only.limits
    for name in default_like:
        opening({k: d for k, d in default_like.items() if k != name})
        opening({name: default_like[name]})


def test_a_claim_does_not_come_from_use_alone(control_like, default_like):
    assert not claim(control_like | {"interchange": default_like["interchange"]}).holds
