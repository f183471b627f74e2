"""The two probes of the surface: right where the answer is planted, at chance where none is."""

import numpy as np
import pandas as pd
import pytest
from concepts.invented_set import LANGS, frame, invented
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score

from neurotrace import probes
from neurotrace.concepts import ConceptSet, surface
from neurotrace.concepts.precision import average_precision, expected_average_precision
from neurotrace.concepts.surface import length_probe, ngram_probe

LENGTHS = (30, 36, 41, 47, 52)


def by_length(long: str | None, seed: int, n_groups: int = 24) -> ConceptSet:
    """Four concepts in one language; letters alike, lengths drawn, one concept's longer."""
    rng = np.random.default_rng(seed)
    rows = []
    for concept in "abcd":
        for number in range(n_groups):
            n = rng.choice(LENGTHS) + 12 * (concept == long)
            text = "".join(rng.choice(list("lmnop"), n))
            rows.append((f"{concept}{number}", "qaa_Latn", f"{text[:9]} {text[9:]}", concept))
    table = pd.DataFrame(rows, columns=["group", "lang", "text", "concept"])
    return ConceptSet.from_frame(table, parallel=False)


def test_average_precision_is_scikit_learns_with_ties():
    rng = np.random.default_rng(0)
    scores, y = rng.integers(0, 6, (40, 30)).astype(float), rng.random((40, 30)) < 0.3
    y[0] = True
    ours = average_precision(scores, y, np.ones_like(y))
    theirs = [average_precision_score(y[:, i], scores[:, i]) for i in range(30)]
    np.testing.assert_allclose(ours, theirs)


def test_an_item_may_stand_for_several_sentences():
    scores, y = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 0.5]), np.array([1, 0, 1, 0, 1, 0])
    one_each = average_precision(scores[:, None], y[:, None], np.ones((6, 1)))
    merged = average_precision([[2.0], [1.0], [0.5]], [[2], [1], [0]], [[3], [2], [1]])
    assert merged == pytest.approx(one_each)


def test_what_is_not_judged_does_not_count():
    ap = average_precision([[3.0], [2.0], [1.0]], [[0], [1], [1]], [[0], [1], [1]])
    assert ap.tolist() == [1.0]
    assert np.isnan(average_precision([[1.0]], [[0]], [[1]])).all()


def test_chance_is_the_probes_own():
    for n_positive, n in ((1, 1), (1, 7), (3, 7), (40, 700)):
        expected = probes.expected_average_precision(n_positive, n)
        assert expected_average_precision(n_positive, n) == pytest.approx(expected)


def test_spelling_tells_concepts_where_their_word_stands_and_nowhere_else():
    table = ngram_probe(invented())
    assert table.index.tolist() == LANGS
    assert (table["ap_lexical"] > 0.95).all()
    assert ((table["ap_matched"] - table["chance_matched"]).abs() < 0.2).all()
    # A sentence with another concept's word is excluded, so what lacks the word looks told.
    assert (table["ap_other"] > table["chance_other"] + 0.05).all()
    # 6 of the 9 held-out groups of a concept hold its word, against 18 of the other two.
    assert table["balance_lexical"].tolist() == pytest.approx([6 / 24] * 4)
    assert table["balance_other"].tolist() == pytest.approx([3 / 21] * 4)
    assert table["balance_matched"].tolist() == pytest.approx([3 / 9] * 4)
    assert table["chance_lexical"].iloc[0] == pytest.approx(expected_average_precision(6, 24))


def test_a_language_without_such_rows_has_no_figure():
    only = frame()
    table = ngram_probe(invented(only[only["lexical"]]))
    assert table["ap_lexical"].notna().all()
    assert table.filter(regex="other|matched").isna().all(axis=None)


def test_probes_learn_from_judged_sentences_alone():
    table = frame()
    others = {"bread": ["rain"], "rain": ["bread"], "river": ["bread", "rain"]}
    table["negative_for"] = [others[concept] for concept in table["concept"]]
    for at in table.index[table["group"].str.match("bread-.[02468]")]:
        table.at[at, "negative_for"] = ["river"]
    judged = invented(table)
    assert (ngram_probe(judged)["ap_lexical"] > 0.9).all()
    assert length_probe(judged)["at_chance"].all()


def test_unjudged_sentences_leave_no_trace_in_the_weights():
    rng = np.random.default_rng(2)
    X, labels = rng.normal(size=(50, 6)), rng.integers(-1, 2, (50, 4))
    weights = surface._learnt(X, (labels >= 0) * 1.0, (labels == 1) * 1.0)
    for column, own in zip(weights.T, labels.T, strict=True):
        kept = own >= 0
        ridge = Ridge(fit_intercept=False).fit(X[kept], 2.0 * own[kept] - 1)
        np.testing.assert_allclose(column, ridge.coef_, atol=1e-8)


def test_lengths_that_tell_nothing_are_at_chance():
    p = np.array([length_probe(by_length(None, seed), seed=seed)["p"].item() for seed in range(40)])
    assert 0.3 < p.mean() < 0.7
    assert (p < 0.05).mean() <= 0.15


def test_a_concept_of_longer_sentences_is_told():
    table = length_probe(by_length("c", 3))
    assert table["p"].item() == pytest.approx(1 / 201)
    assert not table["at_chance"].item()
    assert table["ap"].item() > table["chance"].item() + 0.1


def test_enough_permutations_are_made_for_the_correction():
    table = frame()
    rng = np.random.default_rng(1)
    latin = (table["lang"] == LANGS[0]) & (table["concept"] == "rain")
    table.loc[latin, "text"] = ["".join(rng.choice(list("abc"), 150)) for _ in range(latin.sum())]
    result = length_probe(invented(table), permutations=1)
    assert result["p"][LANGS[0]] == pytest.approx(1 / 161)
    assert result["p_holm"][LANGS[0]] == pytest.approx(4 / 161)
    assert result["at_chance"].tolist() == [False, True, True, True]
    with pytest.raises(ValueError, match="got permutations=0"):
        length_probe(invented(), permutations=0)


def test_the_same_seed_gives_the_same_figures_whatever_other_languages_there_are():
    concepts = invented()
    pd.testing.assert_frame_equal(length_probe(concepts, seed=4), length_probe(concepts, seed=4))
    pd.testing.assert_frame_equal(ngram_probe(concepts, seed=4), ngram_probe(concepts, seed=4))
    some = length_probe(concepts.select(languages=LANGS[:2]), seed=4)
    assert some["p"].tolist() == length_probe(concepts, seed=4)["p"].tolist()[:2]
    assert not length_probe(concepts, seed=5).equals(length_probe(concepts, seed=4))


def test_too_few_groups_are_refused():
    table = frame()
    few = table[table["group"].str.endswith("-00") | (table["concept"] != "rain")]
    with pytest.raises(ValueError, match=r"got 1 group"):
        length_probe(invented(few))
