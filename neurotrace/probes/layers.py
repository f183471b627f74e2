"""Can the language of a token be read from a layer, by a probe that has never seen the word?

Token vectors of one word look alike wherever it occurs, so a probe that met the word in training
knows its language by heart. Here word types never straddle training and test, and neither do
groups (translations of one sentence). What is left is language as a property of the layer.

Language identification is no evidence of sharing: it rises and falls where nothing is shared.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from neurotrace.probes.softmax import fit_softmax
from neurotrace.probes.token_splits import (
    Division,
    Tokens,
    check_tokens,
    divide,
    only,
    permute_types,
)

Method = Literal["discriminant", "logistic"]

RIDGE = 0.1  # in units of a feature's variance on training tokens
TOLERANCE = 1e-5  # of the logistic probe's gradient, at which accuracy is that of the optimum


class LanguageAccuracy(NamedTuple):
    """Fractions of test tokens: those identified, and those that chance identifies."""

    accuracy: float
    chance: float


class PairAccuracy(NamedTuple):
    """Identification between two languages at a time.

    Attributes
    ----------
    accuracy : (lang_a, lang_b), symmetric, NaN on the diagonal
    chance : always one half
    languages : names along both axes
    """

    accuracy: NDArray[np.float64]
    chance: float
    languages: list


def language_id(
    X: ArrayLike,
    lang: ArrayLike,
    *,
    types: ArrayLike | None,
    groups: ArrayLike | None = None,
    seeds: int = 3,
    seed: int = 0,
    train_size: int | float | None = None,
    method: Method = "discriminant",
    null: Literal["uniform", "permuted"] = "uniform",
) -> LanguageAccuracy:
    """How well does a linear probe tell the languages of unseen words apart?

    A third of each language's word types and a third of the groups are drawn for the test. Test
    tokens have both from the test side, training tokens both from the other; the rest is dropped.
    A type that several languages use goes to one side with all its tokens. Every language is then
    subsampled to as many tokens as the poorest has, in training and in test, and features are
    standardised on training tokens. The division depends on the tokens and the seed alone, never
    on X: layers and checkpoints that hold the same tokens are probed on the same division.

    Eats `token` and `feature`.

    Parameters
    ----------
    X : (token, feature)
        Token vectors of one layer.
    lang : (token,)
        Language of each token.
    types : (token,) or None
        Word type of each token. None draws single tokens instead, as the paper did: it leaks the
        identity of words, and is offered to reproduce the published figure.
    groups : (token,)
        Group of each token's sentence. None keeps no groups apart.
    seeds
        Divisions to average over.
    seed
        The same seed gives the same divisions.
    train_size
        Training tokens a language: a number, a fraction (below 1) of what balance allows, or None
        for all of that.
    method
        "discriminant": a linear discriminant in closed form, with a ridge of a tenth of a feature's
        variance on the within-class covariance. "logistic": the paper's probe, the optimum of
        scikit-learn's multinomial logistic regression, found for all divisions at once.
    null
        "uniform" gives 1 / languages as chance; "permuted" hands each word type another's language.

    Returns
    -------
    LanguageAccuracy
        (accuracy, chance), means over seeds.

    Raises
    ------
    ValueError
        Arrays of different length, vectors that are not finite, fewer than two languages, or too
        few types or tokens of a language on either side.

    References
    ----------
    Wang, Minervini, Ponti 2024, arXiv:2406.13229, probe on random tokens; here word types and
    groups of the test are unseen and languages balanced.
    """
    _check_choice("method", method, ("discriminant", "logistic"))
    _check_choice("null", null, ("uniform", "permuted"))
    tokens = check_tokens(X, lang, types, groups, seeds)
    accuracy = _mean_accuracy(tokens, seeds, seed, train_size, method)
    if null == "uniform":
        return LanguageAccuracy(accuracy, 1 / len(tokens.languages))
    # A stream of its own, beside those of the divisions 0 … seeds - 1.
    rng = np.random.default_rng([seed, seeds])
    permuted = tokens._replace(lang=permute_types(tokens, rng))
    return LanguageAccuracy(accuracy, _mean_accuracy(permuted, seeds, seed, train_size, method))


def language_pairs(
    X: ArrayLike,
    lang: ArrayLike,
    *,
    types: ArrayLike | None,
    groups: ArrayLike | None = None,
    seeds: int = 3,
    seed: int = 0,
    train_size: int | float | None = None,
    method: Method = "discriminant",
) -> PairAccuracy:
    """`language_id` for each pair of languages alone, so that scripts can be read apart.

    A probe may know a language by its script: pairs of one script and pairs of two are two
    different findings.

    Eats `token` and `feature`, leaves `lang_a` and `lang_b`. Parameters and errors are those of
    `language_id`; languages stand in sorted order.
    """
    _check_choice("method", method, ("discriminant", "logistic"))
    tokens = check_tokens(X, lang, types, groups, seeds)
    n = len(tokens.languages)
    accuracy = np.full((n, n), np.nan)
    for a in range(n):
        for b in range(a + 1, n):
            pair = only(tokens, a, b)
            accuracy[a, b] = _mean_accuracy(pair, seeds, seed, train_size, method)
            accuracy[b, a] = accuracy[a, b]
    return PairAccuracy(accuracy, 0.5, tokens.languages)


def _mean_accuracy(
    tokens: Tokens, seeds: int, seed: int, train_size: int | float | None, method: Method
) -> float:
    rngs = [np.random.default_rng([seed, number]) for number in range(seeds)]
    divisions = [divide(tokens, train_size, rng) for rng in rngs]
    if method == "logistic":
        return _logistic(tokens, divisions)
    return float(np.mean([hits_of(tokens, division).mean() for division in divisions]))


def hits_of(tokens: Tokens, division: Division) -> NDArray[np.bool_]:
    """Which test tokens of one division the linear discriminant identifies: (test,)."""
    train, test = division
    a, b = _standardised(tokens.X[train], tokens.X[test])
    guess = _discriminant(a, tokens.lang[train], b, len(tokens.languages))
    return np.asarray(guess == tokens.lang[test])


def _standardised(train: NDArray, test: NDArray) -> tuple[NDArray, NDArray]:
    mean, scale = train.mean(0), train.std(0)
    scale[scale == 0] = 1  # constant in training: says nothing, must not divide by zero
    return (train - mean) / scale, (test - mean) / scale


def _discriminant(train: NDArray, y: NDArray[np.intp], test: NDArray, n: int) -> NDArray[np.intp]:
    """argmax of x' S⁻¹ m_c - m_c' S⁻¹ m_c / 2, with S the within-class covariance and a ridge."""
    means = np.stack([train[y == c].mean(0) for c in range(n)])
    within = train - means[y]
    covariance = within.T @ within / len(train)
    covariance[np.diag_indices_from(covariance)] += RIDGE
    weights = cho_solve(cho_factor(covariance), means.T)
    return (test @ weights - 0.5 * (means.T * weights).sum(0)).argmax(1)


def _logistic(tokens: Tokens, divisions: list[Division]) -> float:
    """Mean accuracy of one probe a division; all of them read the same tokens at once."""
    rows = np.arange(len(tokens.X))
    weight = np.stack([np.isin(rows, train) for train, _ in divisions])
    probes = fit_softmax(tokens.X, tokens.lang, weight, tolerance=TOLERANCE)
    hits = []
    for coef, intercept, (_, test) in zip(*probes, divisions, strict=True):
        guess = (tokens.X[test] @ coef.T + intercept).argmax(1)
        hits.append((guess == tokens.lang[test]).mean())
    return float(np.mean(hits))


def _check_choice(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise ValueError(f"got {name}={value!r}, expected one of {', '.join(valid)}")
