"""Single tokens of the language probe: their mean is its accuracy, and layers share test tokens."""

import numpy as np
import pytest

from neurotrace.probes.language_correct import language_correct
from neurotrace.probes.layers import language_id

LANGUAGES = np.array(["deu_Latn", "eng_Latn", "rus_Cyrl"])


@pytest.fixture(scope="module")
def corpus():
    """Vectors with a language direction, and language, type and group of 1,500 tokens."""
    rng = np.random.default_rng(0)
    lang = rng.integers(0, 3, 1500)
    types = lang * 60 + rng.integers(0, 60, 1500)
    X = rng.normal(size=(180, 12))[types] + 0.3 * rng.normal(size=(3, 12))[lang]
    return X, LANGUAGES[lang], types, rng.integers(0, 150, 1500)


def test_the_mean_over_tokens_is_the_accuracy_of_language_identification(corpus):
    X, lang, types, groups = corpus
    given = {"types": types, "groups": groups, "seeds": 4, "seed": 7}
    found, known = language_correct(X, lang, **given), language_id(X, lang, **given)
    assert found.accuracy == pytest.approx(known.accuracy, abs=1e-12)
    assert 0.4 < found.accuracy < 0.97
    assert found.chance == known.chance == pytest.approx(1 / 3)


def test_only_tested_tokens_can_be_correct_and_languages_are_balanced(corpus):
    X, lang, types, groups = corpus
    found = language_correct(X, lang, types=types, groups=groups)
    assert not (found.correct & ~found.tested).any()
    for tested in found.tested:
        assert len(set(np.unique(lang[tested], return_counts=True)[1])) == 1
        assert 0 < len(set(groups[tested])) <= 50


def test_test_tokens_do_not_depend_on_the_vectors(corpus):
    X, lang, types, groups = corpus
    other = np.random.default_rng(9).normal(size=(1500, 5))
    a, b = (language_correct(Y, lang, types=types, groups=groups) for Y in (X, other))
    np.testing.assert_array_equal(a.tested, b.tested)
    assert (a.correct != b.correct).any()


def test_a_perfect_layer_gets_every_token_right_and_a_blind_one_a_third(corpus):
    _, lang, types, groups = corpus
    onehot = (lang[:, None] == LANGUAGES).astype(float)
    perfect = language_correct(onehot, lang, types=types, groups=groups)
    np.testing.assert_array_equal(perfect.correct, perfect.tested)
    noise = np.random.default_rng(1).normal(size=(1500, 4))
    blind = language_correct(noise, lang, types=types, groups=groups, seeds=12)
    assert blind.accuracy == pytest.approx(1 / 3, abs=0.06)


def test_units_and_origin_change_no_token(corpus):
    X, lang, types, groups = corpus
    expected = language_correct(X, lang, types=types, groups=groups).correct
    again = language_correct(X * 1000 + 5, lang, types=types, groups=groups).correct
    np.testing.assert_array_equal(again, expected)


def test_bad_input_is_refused_as_by_the_mean(corpus):
    X, lang, types, groups = corpus
    with pytest.raises(ValueError, match="got seeds=0, expected at least 1"):
        language_correct(X, lang, types=types, groups=groups, seeds=0)
    with pytest.raises(ValueError, match="at least two"):
        language_correct(X[lang == "eng_Latn"], lang[lang == "eng_Latn"], types=None)
