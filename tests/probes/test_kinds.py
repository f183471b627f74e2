"""Kinds of neurons: which claim wins, what stands in a row, and from which sentences."""

import numpy as np
import pytest

from neurotrace.probes import (
    KINDS,
    HeldOut,
    Told,
    call_experts,
    kinds_of,
    language_sets,
    languages_served,
    neuron_kinds,
)

LANGUAGES = ["deu_Latn", "fra_Latn", "rus_Cyrl"]
CONCEPTS = ["sea", "bread"]
SURE, UNSURE = 1e-6, 0.8
N = 6


def served(*found: tuple[int, int, int]):
    """Calls, on both halves, of (lang, concept, neuron)."""
    p = np.full((3, 2, N), UNSURE)
    for one in found:
        p[one] = SURE
    return languages_served(p, p)


def told(*found: tuple[str, int]):
    sets = language_sets(LANGUAGES)
    p = np.full((len(sets), N), UNSURE)
    for name, neuron in found:
        p[[one.name for one in sets].index(name), neuron] = SURE
    called = call_experts(p)
    return Told(sets, called, call_experts(p, among=called.passes))


def shown(**other) -> HeldOut:
    rng = np.random.default_rng(0)
    ap, auroc = rng.random((2, 3, 2, N))
    return HeldOut(ap, auroc, np.full((3, 2), 0.2), **other)


def rows(*args, **kwargs):
    return neuron_kinds(*args, languages=LANGUAGES, concepts=CONCEPTS, **kwargs)


def test_every_kind_by_hand():
    calls = served((0, 1, 0), (0, 0, 1), (2, 0, 1), (1, 0, 2))
    tongues = told(("fra_Latn", 2), ("rus_Cyrl", 3), ("Latn", 4), ("deu_Latn", 1))
    assert kinds_of(calls, tongues)[0].tolist() == [
        "one_language",
        "shared",
        "language",
        "language",
        "script",
        "neither",
    ]
    frame = rows(calls, shown(), tongues)
    assert frame["kind"].tolist() == kinds_of(calls, tongues)[0].tolist()
    assert set(frame["kind"]) == set(KINDS)
    assert frame["concept"].tolist() == ["bread", "sea", "", "", "", ""]
    assert frame["languages"].tolist() == [
        "deu_Latn",
        "deu_Latn rus_Cyrl",
        "fra_Latn",
        "rus_Cyrl",
        "deu_Latn fra_Latn",
        "",
    ]
    assert frame["n_languages"].tolist() == [1, 2, 1, 1, 2, 0]
    assert frame["tells"].tolist() == ["", "deu_Latn", "fra_Latn", "rus_Cyrl", "Latn", ""]
    assert (frame["q"][:5] <= 0.05).all()
    assert np.isnan(frame["q"][5])
    assert frame.attrs["scripts"] == "decidable"
    assert "concepts x 6 neurons" in frame.attrs["family"]


def test_figures_are_means_over_the_languages_of_the_row():
    held = shown()
    row = rows(served((0, 0, 1), (2, 0, 1)), held).loc[1]
    assert row["ap"] == pytest.approx(held.ap[[0, 2], 0, 1].mean())
    assert row["auroc"] == pytest.approx(held.auroc[[0, 2], 0, 1].mean())
    assert row["best_other_concept"] == "bread"
    assert row["best_other_ap"] == pytest.approx(held.ap[[0, 2], 1, 1].mean())
    assert row["chance"] == pytest.approx(0.2)
    assert row["concepts_passed"] == 1


def test_more_languages_make_the_concept_then_the_smaller_p_value_of_the_calling_half():
    both = served((0, 0, 0), (0, 1, 0), (1, 1, 0))
    assert rows(both, shown()).loc[0, "concept"] == "bread"
    assert rows(both, shown()).loc[0, "concepts_passed"] == 2
    p = np.full((3, 2, N), UNSURE)
    p[0, :, 0] = [1e-6, 1e-7]
    held = shown()
    held.auroc[0, :, 0] = [1, 0]  # the confirming half would choose the other
    assert rows(languages_served(p, p), held).loc[0, "concept"] == "bread"


def test_a_word_detector_is_no_concept():
    calls = served(*[(lang, 0, neuron) for lang in (0, 1) for neuron in range(4)], (0, 0, 4))
    without = np.full((3, 2, N), UNSURE)
    without[0, 0, [0, 1, 4]] = without[1, 0, 0] = SURE  # neuron 0 in both, 1 in one of two
    without[:, :, 3] = np.nan  # nobody can tell
    frame = rows(calls, shown(without_word=without))
    assert frame["evidence"].tolist() == ["concept", "word", "word", "undecided", "concept", ""]
    assert frame["without_word"].tolist() == [2, 1, 0, 0, 1, 0]
    assert set(rows(calls, shown())["evidence"]) == {"undecided", ""}


def test_learned_is_beyond_the_twin_in_as_many_languages_as_the_kind_needs():
    calls = served((0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 0, 1), (2, 0, 2))
    tongues = told(("fra_Latn", 3), ("deu_Latn", 4))
    held = shown(wins=np.full((4, N), 0.97), twin_wins=np.full((4, N), 0.95))
    bar = held.ap - 0.1
    bar[1, 0, 1] = bar[2, 0, 2] = 1.0
    held.twin_wins[0, 4] = 0.99
    held = HeldOut(**(vars(held) | {"twin_ap": bar}))
    learned = rows(calls, held, tongues)["learned"]
    assert learned[:5].tolist() == [True, False, False, True, False]
    assert learned.isna()[5]
    assert rows(calls, shown(), tongues)["learned"].isna().all()


def test_scripts_that_are_languages_are_said_to_be_undecidable():
    sets = language_sets(["deu_Latn", "rus_Cyrl"])
    calls = call_experts(np.full((2, N), 0.5))
    frame = neuron_kinds(
        languages_served(*np.full((2, 2, 1, N), 0.5)),
        HeldOut(*np.full((2, 2, 1, N), 0.5), np.full((2, 1), 0.5)),
        Told(sets, calls, calls),
        languages=["deu_Latn", "rus_Cyrl"],
        concepts=["sea"],
    )
    assert frame.attrs["scripts"] == "not decidable"
    assert set(frame["kind"]) == {"neither"}


def test_a_single_concept_has_no_other():
    calls = languages_served(*np.full((2, 2, 1, N), SURE))
    frame = neuron_kinds(
        calls,
        HeldOut(*np.full((2, 2, 1, N), 0.5), np.full((2, 1), 0.5)),
        languages=["deu_Latn", "rus_Cyrl"],
        concepts=["sea"],
    )
    assert set(frame["kind"]) == {"shared"}
    assert set(frame["best_other_concept"]) == {""}
    assert frame["best_other_ap"].isna().all()


def test_names_must_fit():
    with pytest.raises(ValueError, match="for 3 languages and 1 concepts"):
        neuron_kinds(served(), shown(), languages=LANGUAGES, concepts=["sea"])
