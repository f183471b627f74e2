"""Which single tokens a probe of language gets right, so that layers and steps can be paired."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.layers import hits_of
from neurotrace.probes.token_splits import check_tokens, divide


class LanguageCorrect(NamedTuple):
    """Test tokens of each division, and those identified.

    Attributes
    ----------
    correct : (split, token) bool
        Identified; False for tokens that were not tested.
    tested : (split, token) bool
        The same for every X with the same tokens and seed.
    chance : one over the number of languages
    """

    correct: NDArray[np.bool_]
    tested: NDArray[np.bool_]
    chance: float

    @property
    def accuracy(self) -> float:
        """Mean over divisions of the share of test tokens identified."""
        return float((self.correct.sum(1) / self.tested.sum(1)).mean())


def language_correct(
    X: ArrayLike,
    lang: ArrayLike,
    *,
    types: ArrayLike | None,
    groups: ArrayLike | None = None,
    seeds: int = 3,
    seed: int = 0,
) -> LanguageCorrect:
    """Which tokens does a linear probe of language identify, division by division?

    The probe, the divisions and the errors are those of `language_id` with its linear
    discriminant, and the mean is its accuracy. Keeping the single tokens allows what a mean does
    not: the same words and sentences resampled in every layer at every checkpoint, so that a
    difference between two of them has an interval of its own.

    Eats `feature`, leaves `split` and `token`.

    Parameters
    ----------
    X : (token, feature)
        Token vectors of one layer.
    lang, types, groups : (token,)
        As in `language_id`; types None draws single tokens, groups None keeps none apart.
    seeds
        Divisions.
    seed
        The same seed gives the same divisions.

    Returns
    -------
    LanguageCorrect

    Examples
    --------
    >>> X = np.repeat([[0.0], [1.0]], 30, axis=0)
    >>> found = language_correct(X, np.repeat(["deu", "eng"], 30), types=np.arange(60), seeds=2)
    >>> found.accuracy, found.tested.sum(1)
    (1.0, array([20, 20]))

    References
    ----------
    Wang, Minervini, Ponti 2024, arXiv:2406.13229, probe on random tokens and report means.
    """
    tokens = check_tokens(X, lang, types, groups, seeds)
    correct, tested = np.zeros((2, seeds, len(tokens.X)), dtype=bool)
    for number in range(seeds):
        division = divide(tokens, None, np.random.default_rng([seed, number]))
        tested[number, division[1]] = True
        correct[number, division[1]] = hits_of(tokens, division)
    return LanguageCorrect(correct, tested, 1 / len(tokens.languages))
