"""What neurons are called, as the page, the findings and the terminal say it."""

import re

import numpy as np
import pytest
from report.labelled import labelled_neurons

from neurotrace import report
from neurotrace.report.label_plots import NEEDED, neuron_labels
from neurotrace.report.label_tables import section
from neurotrace.report.labels import findings_of_labels

EVIL = '<script>alert("x")</script>'


def changed(results, **columns):
    """Results in which columns of the counts are constant over the steps."""
    found = results["labels"]
    return results | {
        "labels": found.assign({k: found["shared"] * 0 + v for k, v in columns.items()})
    }


def told(results, **attributes):
    return results | {"labels": results["labels"].assign_attrs(attributes)}


def said(results):
    return list(findings_of_labels(results))


def test_pairs_in_several_languages_stand_beside_what_independent_languages_give(default_like):
    pairs = said(default_like)[0]
    assert "780 in two or more languages where independent languages give 220 [198, 242]" in pairs
    assert "90 in all 4 where independent languages give 1 [1, 1]" in pairs
    assert "That is more than coincidence allows" in pairs
    assert "False discovery rate 0.05 (Benjamini–Hochberg)" in pairs
    assert "24,576 tests (4 languages × 6 concepts × 1,024 neurons)" in pairs


def test_no_sentence_counts_sharing_without_its_null(default_like):
    for results in (default_like, changed(default_like, at_least_two_chance=np.nan)):
        for text in said(results) + [f.text for f in report.findings(results)]:
            for spot in re.finditer(r"\d in (two or more languages|all \d)", text):
                after = text[spot.end() :]
                assert after.startswith((" where independent languages give", " (coincidence"))


def test_what_coincidence_gives_is_called_that(default_like):
    pairs = said(changed(default_like, at_least_two=230))[0]
    assert "That is no more than coincidence allows" in pairs
    single = dict.fromkeys(
        [
            f"{kind}_chance{end}"
            for kind in ("at_least_two", "all")
            for end in ("", "_low", "_high")
        ],
        np.nan,
    )
    alone = said(changed(default_like, **single))[0]
    assert "independent languages give undefined" in alone
    assert "coincidence is not ruled out" in alone


def test_languages_and_concepts_in_one_language_stand_beside_silent_labels(default_like):
    text = said(default_like)[1]
    assert re.search(r"\d+ of 1,024 neurons, after 540 at step 64; 0 with shuffled lang", text)
    assert "come and go where nothing is shared, too" in text
    assert "in one language alone" in text
    assert "0 for deranged labels, 0 for pseudo-concepts, 30 for arbitrary words" in text
    assert "of them beyond the twin" in text
    assert "it takes no meaning" not in text
    assert "it takes no meaning" in said(changed(default_like, one_language_words=400))[1]
    bare = dict.fromkeys(
        ["one_language_words", "one_language_learned", "one_language_pseudo"], np.nan
    )
    text = said(changed(default_like, **bare))[1]
    assert "in one language alone (0 for deranged labels)" in text


def test_languages_that_cannot_be_called_are_not_said_to_have_no_neurons(default_like):
    text = said(told(default_like, compared=20, language_p=0.9**20))[1]
    assert text.startswith("No neuron can be called for a language from 20 sentence groups a half")
    assert "p = 0.12" in text


@pytest.mark.parametrize(
    ("lacking", "why"),
    [(0, "every sentence holds the word"), (-1, "nothing says which"), (9, "too few sentences")],
)
def test_a_concept_that_may_be_a_word_is_undecided(default_like, lacking, why):
    text = said(told(default_like, lacking=lacking))[2]
    assert "only to its usual word is undecided" in text
    assert why in text


def test_detectors_of_words_are_told_from_concepts(default_like):
    text = said(changed(default_like, concept=120, word=31, undecided=4))[2]
    assert text.startswith("Of 155 neurons called for a concept, 120 answer without its usual word")
    assert "31 do not: they may detect the word; of 4 too few sentences lack it" in text
    assert len(said(changed(default_like, concept=0, word=0, undecided=0))) == 2


def test_labels_that_mean_nothing_and_call_neurons_are_a_warning(default_like):
    loud = changed(default_like, one_language_chance=60)
    warned = [f.text for f in report.findings(loud) if f.text.startswith("Deranged labels, which")]
    assert "60 of 1,024 neurons called at step 0" in warned[0]
    assert not [f for f in report.findings(default_like) if "rate is not kept" in f.text]


def test_the_tables_say_which_neurons_and_at_which_rate(default_like):
    found = section(default_like)
    assert "6 concepts × 1024 neurons at each number of languages" in found["family"]
    assert "a script cannot be told" in found["family"]
    assert [row[0]["text"] for row in found["counts"]["rows"]] == [
        "a concept in two or more languages", "a language", "a concept in one language",
    ]  # fmt: skip
    assert found["counts"]["rows"][0][1]["beside"] == "780 pairs, 220 by coincidence"
    assert [cell["text"] for cell in found["counts"]["rows"][1][4:]] == ["–", "–"]
    shared, tongue, single = found["blocks"]
    assert shared["shown"] == "3 of 270"
    assert shared["note"] == "780 pairs where independent languages give 220"
    texts = [cell["text"] for cell in shared["table"]["rows"][0]]
    assert texts == ["L0.N117", "concept 0", "all 4", "0.900", "0.066", "3e−09", "yes", "0.25",
                     "concept 1", "0.200", "2", "undecided"]  # fmt: skip
    assert [cell["text"] for cell in tongue["table"]["rows"][1]] == [
        "L1.N118", "ada_Latn", "0.980", "3e−09", "no",
    ]  # fmt: skip
    for block in (shared, tongue, single):
        assert {len(row) for row in block["table"]["rows"]} == {len(block["table"]["columns"])}


def test_the_section_stands_before_the_top_neurons(default_page):
    at = [default_page.index(f'<section id="{name}"') for name in ("numbers", "labels", "neurons")]
    assert at == sorted(at)
    assert default_page.count('id="neuron_labels"') == 1


def test_a_page_bears_either_result_alone_and_neither(default_like, origin):
    for kept in ((), ("labels",), ("labelled_neurons",)):
        results = {name: default_like[name] for name in kept}
        text = report.page(results, origin)
        assert ('<section id="labels"' in text) == bool(kept)
    nobody = default_like["labelled_neurons"].isel(example=slice(0, 0))
    assert section({"labelled_neurons": nobody})["blocks"] == []
    assert section({"loss": default_like["loss"]}) is None


def test_names_are_escaped(origin):
    table = labelled_neurons((EVIL, "b_Latn", "c_Latn"), step=1)
    table = table.assign(concept=("example", np.full(table.sizes["example"], EVIL)))
    assert "<script" not in report.page({"labelled_neurons": table}, origin)


@pytest.mark.parametrize("chance", NEEDED)
def test_the_figure_and_the_table_need_their_chance(default_like, chance):
    stripped = default_like | {"labels": default_like["labels"].drop_vars(chance)}
    with pytest.raises(ValueError, match="without its chance level"):
        neuron_labels(stripped)
    bare = {"labelled_neurons": default_like["labelled_neurons"].drop_vars("chance")}
    with pytest.raises(ValueError, match="without its chance level"):
        section(bare)
