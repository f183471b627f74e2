"""What the measures of spaces refuse: each says in one line what it got and what to give."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.geometry import (
    c_align,
    c_overlap,
    canonical_cosines,
    cka,
    cka_calibrated,
    geographic,
    ilo,
    interlingual_components,
    knn_agreement,
    mantel,
    mexa,
    nearest,
    read_distances,
    retrieval,
    script_separability,
    scripts_apart,
    token_map,
)
from neurotrace.geometry.nearest import refuse_not_finite
from neurotrace.geometry.participation import participation_ratio

POINTS = np.random.default_rng(0).normal(size=(12, 4))
LANGS = np.array(["a", "b"] * 6)
SIDE = (["w0", "w1"], [0, 0])


def with_hole(row, value=np.nan):
    holed = POINTS.copy()
    holed[row, 2] = value
    return holed


def refused(measure, *given, **dials):
    with pytest.raises(ValueError, match="^got ") as caught:
        measure(*given, **dials)
    message = str(caught.value)
    assert "; expected" in message
    assert "\n" not in message
    return message


def test_with_two_languages_the_default_is_refused_and_the_one_that_fits_is_named():
    said = refused(ilo, POINTS, LANGS)
    assert said == (
        "got t=3 other languages among k=5 neighbours of 2 languages; expected 1 to 1: with 2 "
        "languages pass t=1"
    )
    assert ilo(POINTS, LANGS, t=1).shape == (2, 7)
    assert refused(ilo, POINTS, np.arange(12) % 3).endswith("with 3 languages pass t=2 or less")
    assert refused(ilo, POINTS, np.arange(12) % 4, k=2).endswith("with k=2 pass t=2 or less")
    assert refused(interlingual_components, POINTS, LANGS, np.arange(12) // 2).endswith("pass t=1")


@pytest.mark.parametrize("missing", [None, np.nan])
def test_points_and_labels_are_looked_at_before_the_dials(missing):
    assert "12 points and 11 languages" in refused(ilo, POINTS, LANGS[:11])
    labels = LANGS.astype(object)
    labels[[4, 7]] = missing
    said = refused(ilo, POINTS, labels)
    assert said.startswith(f"got languages with {missing} for 2 of 12 points, first in row 4;")
    assert "first row 9" in refused(ilo, with_hole(9), LANGS)
    assert "points of shape (4,)" in refused(ilo, POINTS[0], LANGS)
    groups = np.arange(12) // 2
    assert "first row 9" in refused(interlingual_components, with_hole(9), LANGS, groups)


@pytest.mark.parametrize(
    ("dials", "said"),
    [
        ({"t": 1, "permutations": -3}, "got permutations=-3; expected 0 or more"),
        ({"t": 1, "permutations": 2.5}, "got permutations=2.5; expected a whole number, 0 or more"),
        ({"t": 1, "k": 5.0}, "got k=5.0; expected a whole number, 1 or more"),
        ({"t": 1.0}, "got t=1.0; expected a whole number, 1 or more"),
        ({"t": True}, "got t=True; expected a whole number, 1 or more"),
        ({"t": 0}, "got t=0; expected 1 or more"),
        ({"k": 0, "t": 1}, "got k=0; expected 1 or more"),
    ],
)
def test_counts_of_ilo_are_whole_numbers_and_none_is_negative(dials, said):
    assert refused(ilo, POINTS, LANGS, **dials) == said


@pytest.mark.parametrize(
    ("measure", "dials"),
    [
        (lambda **dials: nearest(POINTS, **dials), {"k": 2.0}),
        (lambda **dials: knn_agreement(POINTS, POINTS, **dials), {"k": 2.0}),
        (lambda **dials: retrieval(POINTS, POINTS, **dials), {"k": 1.5}),
        (lambda **dials: cka_calibrated(POINTS, POINTS, **dials), {"permutations": 1.5}),
        (lambda **dials: mantel(np.eye(9), np.eye(9), **dials), {"permutations": -1}),
        (lambda **dials: c_align(SIDE, SIDE, {"w0": ["w0"]}, **dials), {"permutations": 0.5}),
        (lambda **dials: c_align(SIDE, SIDE, {"w0": ["w0"]}, **dials), {"top_n": 1.5}),
        (lambda **dials: c_overlap([0, 0], ["a", "b"], **dials), {"permutations": 0.5}),
    ],
)
def test_counts_of_the_other_measures_are_whole_numbers_too(measure, dials):
    ((name, value),) = dials.items()
    assert refused(measure, **dials).startswith(f"got {name}={value}; expected ")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("measure", [mexa, retrieval, cka, cka_calibrated, canonical_cosines])
def test_the_first_row_that_is_not_finite_is_named(measure, value):
    said = refused(measure, POINTS, with_hole([3, 5], value))
    assert said == "got B with row 3 (and 1 more) not finite; expected finite numbers"
    said = refused(measure, with_hole(11, value).astype(np.float32), POINTS)
    assert said == "got A with row 11 not finite; expected finite numbers"
    assert refused(measure, POINTS.astype(str), POINTS).startswith("got A of dtype <U")


def test_sums_that_overflow_are_no_rows_that_are_not_finite():
    large = np.full((3, 2), 1e308)
    refuse_not_finite("A", large)
    large[2] = np.inf
    assert "row 2 not" in refused(refuse_not_finite, "A", large)


def test_rows_of_an_embedding_keep_their_numbers_where_some_are_left_out():
    scripts = np.array(["", "", *["LATIN"] * 5, *["CYRILLIC"] * 5])
    said = refused(script_separability, with_hole(6), scripts, min_tokens=2, folds=2)
    assert said.startswith("got W_E with row 6 not finite")
    assert "W_E with row 2 not finite" in refused(token_map, with_hole(2))
    assert "X with row 2 not finite" in refused(participation_ratio, with_hole(2))


def test_a_translation_that_is_a_string_is_not_read_letter_by_letter():
    said = refused(c_align, SIDE, (["v", "0"], [0, 0]), {"w0": "v0"})
    assert said == "got 'v0' as translations of 'w0'; expected a list of words"
    assert "'v1'" in refused(c_align, SIDE, SIDE, {"w0": ["v0"], "w1": "v1"})
    assert "None as translations" in refused(c_align, SIDE, SIDE, {"w0": None})


@pytest.mark.parametrize(
    ("dictionary", "got"), [({}, "an empty dictionary"), ([("a", ["b"])], "no dictionary")]
)
def test_what_is_no_dictionary_is_refused(dictionary, got):
    said = refused(c_align, SIDE, SIDE, dictionary)
    assert said == f"got {got}; expected source word → list of its translations"


@pytest.mark.parametrize(
    ("side", "got"),
    [
        (["w0", "w1", "w2"], "got source as list of 3"),
        (["w0", "w1"], "got source as list of 2"),
        ("w0", "got source as str of 2"),
        ({"w0": 0, "w1": 1}, "got source as dict of 2"),
        ((["w0", "w1"], [0]), r"got source words of shape (2,) and labels of shape (1,)"),
        ((["w0", None], [0, 1]), "got source words and labels with 1 missing, first in row 1"),
        ((["w0", "w1"], [np.nan, 1]), "got source words and labels with 1 missing, first in row 0"),
    ],
)
def test_a_side_is_words_and_labels_as_a_pair(side, got):
    assert refused(c_align, side, SIDE, {"w0": ["w0"]}).startswith(got)


def test_a_table_that_lacks_a_pair_one_way_only_names_it():
    table = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    holed = table.copy()
    holed[3, 1] = np.nan
    assert refused(mantel, table, holed) == (
        "got a table that is not symmetric, 2 from 1 to 3 and nan back; expected one value a "
        "pair, or directed=True"
    )
    names = list("abcde")
    assert "2 from b to d" in refused(mantel, table, pd.DataFrame(holed, names, names))
    holed[1, 3] = np.nan
    assert np.isnan(mantel(table, holed)[:3]).all()
    assert mantel(table, holed).nodes == 5


def test_one_pair_is_nothing_to_search_among():
    one = np.ones((1, 3))
    for measure in (mexa, retrieval):
        assert refused(measure, one, one) == "got 1 pair; expected at least 2"


@pytest.mark.parametrize(
    ("given", "valid"),
    [
        ("deu", "deu: valid is deu_Latn (German)"),
        ("de", "de: valid is deu_Latn (German)"),
        ("de-DE", "de-DE: valid is deu_Latn (German)"),
        ("deu_Cyrl", "deu_Cyrl: valid is deu_Latn (German)"),
        ("german", "german: valid is deu_Latn (German)"),
        ("zho", "zho: valid is zho_Hans (Chinese"),
        ("es", "es: valid is spa_Latn (Spanish)"),
        ("ger", "ger: valid is deu_Latn (German)"),
        ("ar", "ar: valid is arb_Arab ("),
    ],
)
def test_a_code_of_another_register_is_told_the_one_that_is_known(given, valid, tmp_path):
    assert f"; {valid}" in refused(geographic, ["eng_Latn", given])
    file = tmp_path / "mine.csv"
    file.write_text(f"lang_a,lang_b,kind,value\neng_Latn,{given},own,1\n", encoding="utf-8")
    if given != "deu_Cyrl":  # of one's own distances any code will do
        with pytest.raises(ValueError, match="mine.csv: line 2: got unknown language") as caught:
            read_distances(file)
        assert f"; {valid}" in str(caught.value)


def test_codes_that_nothing_resembles_are_told_no_other():
    assert "valid is" not in refused(geographic, ["eng_Latn", "qaa_Latn"])


def test_scripts_are_not_read_from_codes_without_any():
    with pytest.raises(ValueError, match="scripts: got unknown language 'de'; .*deu_Latn"):
        scripts_apart(["de", "en"])
