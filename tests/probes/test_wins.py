"""Neurons of languages and scripts: comparisons by hand, a bound that holds, sets worth asking."""

import numpy as np
import pytest
from scipy.stats import binom

from neurotrace.probes import auroc, language_sets, language_wins, set_wins, wins_p_value

SIX = ["deu_Latn", "fra_Latn", "rus_Cyrl", "bul_Cyrl", "ell_Grek", "heb_Hebr"]


def test_wins_by_hand_with_a_tie():
    X = np.array([[2.0], [1.0], [3.0], [3.0], [0.0], [5.0], [1.0], [0.0]])
    lang, groups = list("abababab"), [0, 0, 1, 1, 2, 2, 3, 3]
    found = language_wins(X, lang, groups=groups)
    assert found[0, 1, 0] == (1 + 0.5 + 0 + 1) / 4
    assert found[1, 0, 0] == 1 - found[0, 1, 0]
    assert found[0, 0, 0] == 0.5


def test_without_groups_it_is_auroc():
    rng = np.random.default_rng(0)
    X, lang = rng.integers(0, 5, (60, 7)).astype(float), np.repeat([0, 1, 2], 20)
    found = language_wins(X, lang)
    two = lang != 1
    np.testing.assert_allclose(found[2, 0], auroc(X[two], lang[two] == 2))


def test_the_order_of_rows_does_not_matter_and_input_stays():
    rng = np.random.default_rng(1)
    X, lang, groups = rng.random((40, 5)), np.tile([0, 1], 20), np.repeat(range(20), 2)
    before, order = X.copy(), rng.permutation(40)
    np.testing.assert_array_equal(
        language_wins(X, lang, groups=groups),
        language_wins(X[order], lang[order], groups=groups[order]),
    )
    np.testing.assert_array_equal(X, before)


def test_what_a_sentence_says_does_not_count():
    rng = np.random.default_rng(2)
    content = 100 * rng.random((30, 1))
    X = np.concatenate([content, content + 1])
    lang, groups = np.repeat([0, 1], 30), np.tile(range(30), 2)
    assert language_wins(X, lang, groups=groups)[1, 0, 0] == 1
    assert language_wins(X, lang)[1, 0, 0] < 0.6


@pytest.mark.parametrize(("n", "least"), [(20, 0.5), (50, 0.9), (256, 0.9)])
def test_the_bound_is_never_below_the_exact_binomial_tail(n, least):
    wins = np.arange(n + 1)
    exact = binom.sf(wins - 1, n, least)
    bound = wins_p_value(wins / n, n, least=least)
    assert (bound >= exact - 1e-15).all()
    assert bound[-1] == pytest.approx(least**n)


def test_scripts_of_one_language_are_no_question():
    names = [one.name for one in language_sets(SIX)]
    assert names == [*SIX, "Latn", "Cyrl"]
    assert all(one.kind == "language" for one in language_sets(["qaa_Latn", "qab_Cyrl"]))
    assert language_sets(["eng_Latn"]) == []
    assert [one.name for one in language_sets(["en", "de"])] == ["en", "de"]


def test_romanised_twins_part_script_from_language():
    found = {(one.name, one.kind) for one in language_sets(["eng_Latn", "hin_Deva", "hin_Latn"])}
    assert found == {
        ("eng_Latn", "language"),
        ("hin", "language"),
        ("Latn", "script"),
        ("Deva", "script"),
        ("hin_Latn", "language"),
    }


def test_a_set_is_as_strong_as_its_weakest_pair():
    rng = np.random.default_rng(3)
    codes, n_groups = np.tile(range(6), 200), np.repeat(range(200), 6)
    X = rng.standard_normal((1200, 4))
    X[:, 0] += 9 * (codes == 2)  # Russian
    X[:, 1] += 9 * np.isin(codes, (2, 3))  # Cyrillic
    X[:, 2] += 9 * np.isin(codes, (2, 4))  # Russian and Greek: neither a language nor a script
    sets = language_sets(SIX)
    found = wins_p_value(set_wins(language_wins(X, codes, groups=n_groups), sets), 200)
    called = {(sets[one].name, int(neuron)) for one, neuron in np.argwhere(found < 1e-6)}
    assert called == {("rus_Cyrl", 0), ("Cyrl", 1)}


def test_the_fewest_wins_by_hand():
    wins = np.full((3, 3, 1), 0.5)
    wins[0, 1], wins[0, 2], wins[1, 2] = 0.6, 0.9, 0.8
    wins[1, 0], wins[2, 0], wins[2, 1] = 0.4, 0.1, 0.2
    sets = language_sets(["deu_Latn", "fra_Latn", "rus_Cyrl"])
    assert set_wins(wins, sets)[:, 0].tolist() == [0.6, 0.4, 0.1, 0.8]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda X: language_wins(X, [0] * 6), "at least two in all"),
        (lambda X: language_wins(X, [0, 1]), "one language a row"),
        (lambda X: language_wins(X, [0, 1] * 3, groups=[0, 0, 1, 1, 2, 3]), "whole groups"),
        (lambda X: language_wins(X, [0, 1] * 3, groups=[0] * 6), "whole groups"),
        (
            lambda X: language_wins(X / 0, [0, 1] * 3, groups=[0, 0, 1, 1, 2, 2]),
            "neuron .column. 0",
        ),
        (lambda _: wins_p_value([0.5], 10, least=1.0), "got least=1.0"),
        (lambda _: wins_p_value([1.5], 10), "wins from 1.5"),
        (lambda _: wins_p_value([0.5], 0), "n=0"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        given(np.zeros((6, 2)))
