"""Language identification: finds a planted direction, and cannot live off word identity."""

import numpy as np
import pytest

from neurotrace.probes import language_id, language_pairs
from neurotrace.probes.token_splits import check_tokens, divide

LANGUAGES = np.array(["deu_Latn", "eng_Latn", "rus_Cyrl"])


def corpus(n_types=60, n_tokens=2400, seed=0, shares=(1, 1, 1)):
    """Language, word type and group of tokens; word types belong to one language each."""
    rng = np.random.default_rng(seed)
    lang = rng.choice(3, n_tokens, p=np.array(shares) / sum(shares))
    types = lang * n_types + rng.integers(0, n_types, n_tokens)
    return LANGUAGES[lang], types, rng.integers(0, 200, n_tokens)


def embedded(types, n_features=256, seed=1, noise=0.05):
    """Every word type has a random vector of its own: no language in it, only words."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(types.max() + 1, n_features))
    return table[types] + noise * rng.normal(size=(len(types), n_features))


def with_language(X, lang, strength, seed=2):
    rng = np.random.default_rng(seed)
    directions = dict(zip(LANGUAGES, rng.normal(size=(3, X.shape[1])), strict=True))
    return X + strength * np.array([directions[name] for name in lang])


@pytest.mark.parametrize("method", ["discriminant", "logistic"])
def test_planted_language_directions_are_found(method):
    lang, types, groups = corpus()
    X = with_language(embedded(types, 48), lang, 1.0)
    accuracy, chance = language_id(X, lang, types=types, groups=groups, method=method)
    assert accuracy > 0.95
    assert chance == pytest.approx(1 / 3)


def test_word_identity_is_worth_nothing_once_types_are_disjoint():
    scores = []
    for seed in range(8):
        lang, types, groups = corpus(seed=seed)
        X = embedded(types, seed=100 + seed)
        scores.append(language_id(X, lang, types=types, groups=groups).accuracy)
    assert np.mean(scores) == pytest.approx(1 / 3, abs=0.05)
    assert language_id(X, lang, types=None).accuracy > 0.99


def test_permuted_null_is_measured_at_chance():
    lang, types, groups = corpus(n_types=200, n_tokens=4000)
    X = with_language(embedded(types, 48), lang, 1.0)
    accuracy, chance = language_id(X, lang, types=types, groups=groups, null="permuted", seeds=6)
    assert accuracy > 0.95
    assert chance == pytest.approx(1 / 3, abs=0.07)


def test_types_groups_and_sizes_of_train_and_test_are_as_promised():
    lang, types, groups = corpus(shares=(6, 1, 3))
    types[::50] = 7  # one word type that all languages use
    tokens = check_tokens(np.zeros((len(lang), 2)), lang, types, groups, 1)
    for seed in range(5):
        train, test = divide(tokens, None, np.random.default_rng(seed))
        assert not set(types[train]) & set(types[test])
        assert not set(groups[train]) & set(groups[test])
        for rows in (train, test):
            assert len(set(rows)) == len(rows)
            assert len(set(np.unique(lang[rows], return_counts=True)[1])) == 1
        train, _ = divide(tokens, 10, np.random.default_rng(seed))
        assert len(train) == 30


def test_a_dominant_language_brings_no_accuracy():
    lang, types, groups = corpus(shares=(20, 1, 1), n_tokens=6000)
    X = np.random.default_rng(3).normal(size=(6000, 8))
    accuracy = language_id(X, lang, types=types, groups=groups, seeds=10).accuracy
    assert accuracy == pytest.approx(1 / 3, abs=0.06)


def test_units_rotation_order_and_names_do_not_matter():
    lang, types, groups = corpus()
    X = with_language(embedded(types, 24), lang, 0.5)
    expected = language_id(X, lang, types=types, groups=groups)
    same = language_id(X * 1000 + 5, lang, types=types, groups=groups)
    assert same.accuracy == pytest.approx(expected.accuracy, abs=1e-9)
    renamed = np.char.add("x-", lang)
    assert language_id(X, renamed, types=types + 10, groups=groups) == expected
    half = language_id(X.astype(np.float32), lang, types=types, groups=groups)
    assert half.accuracy == pytest.approx(expected.accuracy, abs=0.005)


def test_constant_features_are_harmless():
    lang, types, groups = corpus()
    X = with_language(embedded(types, 24), lang, 1.0)
    X[:, 3] = 7.0
    assert language_id(X, lang, types=types, groups=groups).accuracy > 0.8


def test_discriminant_agrees_with_logistic_regression():
    lang, types, groups = corpus(n_types=3000, n_tokens=9000)
    X = with_language(embedded(types, 32), lang, 0.35)
    by_method = [
        language_id(X, lang, types=types, groups=groups, method=method).accuracy
        for method in ("discriminant", "logistic")
    ]
    assert by_method[0] == pytest.approx(by_method[1], abs=0.005)
    assert 0.4 < by_method[0] < 0.95


def test_pairs_tell_a_shared_script_from_another():
    lang, types, groups = corpus(n_types=150, n_tokens=4000)
    X = embedded(types, 32)
    X[lang == "rus_Cyrl", :4] += 6
    accuracy, chance, languages = language_pairs(X, lang, types=types, groups=groups)
    assert languages == LANGUAGES.tolist()
    assert chance == 0.5
    assert np.isnan(np.diag(accuracy)).all()
    np.testing.assert_array_equal(accuracy, accuracy.T)
    assert accuracy[0, 1] == pytest.approx(0.5, abs=0.12)
    assert accuracy[:2, 2].min() > 0.95


def test_same_seed_gives_the_same_value_and_another_does_not():
    lang, types, groups = corpus()
    X = with_language(embedded(types, 24), lang, 0.3)
    first, again, other = (
        language_id(X, lang, types=types, groups=groups, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lang": LANGUAGES[[0] * 60]}, "at least two"),
        ({"types": np.zeros(60, int)}, "tokens of deu_Latn with unseen types"),
        ({"types": np.zeros(59, int)}, r"types of shape \(59,\)"),
        ({"groups": np.zeros(60, int)}, "with unseen types and groups"),
        ({"train_size": 1000}, "expected at least 1000"),
        ({"method": "svm"}, "one of discriminant, logistic"),
        ({"null": "zero"}, "one of uniform, permuted"),
        ({"seeds": 0}, "seeds=0"),
        ({"X": np.full((60, 3), np.nan)}, "token 0"),
        ({"X": np.zeros((60, 3), int)}, "dtype int64"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(change, message):
    given = {
        "X": np.random.default_rng(0).normal(size=(60, 3)),
        "lang": LANGUAGES[np.arange(60) % 3],
        "types": np.arange(60),
        "groups": None,
    } | change
    X, lang = given.pop("X"), given.pop("lang")
    with pytest.raises(ValueError, match=message):
        language_id(X, lang, **given)
