import numpy as np
import pytest

from neurotrace.report import claim, findings
from neurotrace.report.doubts import dips


def said(results, kind=None):
    return " ".join(f.text for f in findings(results) if kind in (None, f.kind))


def changed(results, name, **columns):
    """A copy in which columns of one result are scaled, or set where a function is given."""
    dataset = results[name]
    new = {key: change(dataset[key]) for key, change in columns.items()}
    return results | {name: dataset.assign(new)}


def test_sharing_is_found_where_it_is_with_chance_interval_and_beginning(default_like):
    first = findings(default_like)[0]
    assert first.kind == "found"
    assert first.text.startswith("Shared neurons are found: at step 1,500")
    value, low, high = (
        float(default_like["summary"][f"corrected{end}"].sel(k=51)[-1])
        for end in ("", "_low", "_high")
    )
    assert f"{value:.3f} [{low:.3f}, {high:.3f}] (0 is chance" in first.text
    assert "At step 0 it was" in first.text


def test_nothing_is_found_in_a_control(control_like):
    first, second = findings(control_like)[:2]
    assert first.kind == second.kind == "not_found"
    assert first.text.startswith("No sharing is found beyond the baselines")
    assert second.text.startswith("Why no sharing is claimed: the corrected overlap, ")
    high = float(control_like["summary"]["corrected_high"].sel(k=51)[-1])
    assert f"Sharing above {high:.3f} lies outside the interval" in second.text
    assert not [f for f in findings(control_like) if f.kind == "found"]


@pytest.mark.parametrize("column", ["corrected", "excess"])
def test_one_interval_that_holds_zero_is_enough_to_claim_nothing(column, default_like):
    results = changed(default_like, "summary", **{f"{column}_low": lambda low: low * 0 - 0.001})
    assert not claim(results).holds
    assert findings(results)[0].kind == "not_found"


def test_a_sign_that_turns_at_one_k_is_enough_to_claim_nothing(default_like):
    results = changed(default_like, "summary", excess=lambda e: e.where(e["k"] != 10, -0.001))
    assert claim(results).against == [
        "the excess is not above 0 at k\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}10 (−0.001)"
    ]


@pytest.mark.parametrize("null", ["summary_twin", "summary_deranged", "summary_pseudo"])
def test_a_null_that_finds_as_much_is_enough_to_claim_nothing(null, default_like):
    results = changed(default_like, null, corrected=lambda c: c * 0 + 0.29)
    assert not claim(results).holds
    raw = changed(default_like, null, corrected=lambda c: c * np.nan, value=lambda v: v * 0 + 0.29)
    assert not claim(raw).holds


def test_a_null_that_cannot_be_corrected_is_told_by_its_raw_overlap(default_like):
    results = changed(default_like, "summary_deranged", corrected=lambda c: c * np.nan)
    assert claim(results).holds
    assert "deranged labels undefined (raw overlap 0.05" in said(results)


def test_the_word_is_directions_where_the_basis_interval_holds_zero(default_like):
    results = changed(default_like, "basis", value_low=lambda low: low * 0 - 0.01)
    assert findings(results)[0].text.startswith("Shared directions are found")
    assert "Shared neurons" not in said(results)
    without = {name: d for name, d in default_like.items() if name != "basis"}
    assert findings(without)[0].text.startswith("Shared directions are found")


def test_a_basis_without_sharing_is_no_finding(default_like, control_like):
    results = control_like | {"basis": default_like["basis"]}
    assert not [f for f in findings(results) if f.kind == "found"]


def test_specialization_and_language_neurons_are_never_evidence(default_like, control_like):
    for results in (default_like, control_like):
        about = [f for f in findings(results) if "no evidence of sharing" in f.text]
        assert [f.kind for f in about] == ["note", "note"]
        assert "765 at step 64" in about[1].text


def test_every_number_of_a_baseline_is_said(default_like):
    text = said(default_like)
    for words in ("re-initialised twin", "deranged labels", "pseudo-concepts", "rotated basis",
                  "chance 0.050", "chance by layer", "wrong concept", "ceiling",
                  "uniform guess", "coincidence gives"):  # fmt: skip
        assert words in text


def test_an_undefined_end_is_neither_found_nor_denied(default_like):
    nothing = {f"corrected{end}": lambda c: c * np.nan for end in ("", "_low", "_high")}
    first = findings(changed(default_like, "summary", **nothing))[0]
    assert first.kind == "not_found"
    assert "cannot be said" in first.text


def test_missing_pairs_are_counted(default_like):
    few = changed(default_like, "summary", valid_pairs=lambda v: v.where(v["step"] > 1, 3))
    text = said(few, "warning")
    assert "At 2 of 17 checkpoints" in text
    assert "3 of 6 pairs are left at step 0" in text
    assert "pairs are left" not in said(default_like)


def test_a_fall_to_chance_between_two_good_checkpoints_is_a_data_warning(default_like):
    broken = changed(default_like, "summary", corrected=lambda c: c.where(c["step"] != 512, 0.0))
    assert "Corrected overlap falls to chance at step 512" in said(broken, "warning")
    assert "falls to chance" not in said(default_like)
    assert dips(np.array([0.0, 0.01, 0.0, 0.01]), floor=0.05) == []  # all of it is noise
    assert dips(np.array([0.3, 0.01]), floor=0.05) == []  # an end is between nothing


def test_a_dip_is_seen_in_scores_layers_and_loss_too(default_like):
    at_chance = {
        "expertise": (0.066, "Own-language precision falls to chance at step 768"),
        "language_id": (0.25, "Language identification in layer 3 falls to chance at step 768"),
        "loss": (np.log(948), "Loss falls to chance at step 768"),
    }
    for name, (level, words) in at_chance.items():
        broken = changed(
            default_like, name, value=lambda v, level=level: v.where(v["step"] != 768, level)
        )
        assert words in said(broken, "warning")


def test_a_curve_still_rising_at_the_end_is_flagged(made):
    assert "Still moving" in said(made(steps=(0, 16, 64, 128, 256)), "warning")
    assert "Still moving" not in said(made())


def test_a_silent_null_that_is_loud_is_a_warning(default_like):
    loud = {"value": lambda c: c * 0 + 0.12, "value_low": lambda c: c * 0 + 0.09}
    results = changed(default_like, "summary_deranged", **loud)
    assert "Deranged labels, which must find nothing" in said(results, "warning")


def test_intervals_are_never_said_to_cover_training_runs(default_like, single):
    for results in (default_like, single):
        assert "this is one training run" in said(results, "note")
    assert "With 4 languages" in said(default_like)


def test_absent_analyses_are_passed_over(default_like):
    assert findings({})[0].kind == "note"
    for name in default_like:
        assert findings({k: d for k, d in default_like.items() if k != name})
        assert findings({name: default_like[name]})
