"""Do the neighbours of a token hold its translations? Against tokens of the same frequency."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.embeddings import neighbours_of, token_rows

LOW, HIGH = 0.025, 0.975

Ids = NDArray[np.intp]


class NeighbourTranslations(NamedTuple):
    """How often a token's nearest neighbours hold a translation of it."""

    value: float
    """share of tokens with a translation among their k nearest"""
    chance: float
    """the same for translations replaced by tokens of their class and frequency"""
    low: float
    """2.5 % of the permutations"""
    high: float
    """97.5 % of the permutations"""
    tokens: int
    """tokens that have a translation"""


def neighbour_translations(
    W_E: ArrayLike,
    dictionary: Mapping[int, Sequence[int]] | ArrayLike,
    *,
    frequency: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    k: int = 10,
    bins: int = 10,
    permutations: int = 200,
    seed: int = 0,
) -> NeighbourTranslations:
    """How often is a translation of a token among its nearest neighbours?

    Chance replaces every translation by a random token of the same class and about the same
    frequency, with the neighbours as they are; it is exact (hypergeometric, cell by cell). The
    interval comes from permutations of the tokens within these cells.

    *Eats* token, feature → *leaves* nothing.

    Parameters
    ----------
    W_E
        ``(token, feature)``.
    dictionary
        Token id → ids of its translations, or ``(pair, 2)`` ids. A token that translates itself
        is no translation.
    frequency
        ``(token,)`` counts in some text. Tokens of a class are divided into ``bins`` by the rank
        of their count; equal counts stay together. Without it all of a class are alike.
    classes
        ``(token,)`` the language, or script, of each token, empty for those that never replace
        one. Without it only tokens that are somebody's translation replace one.
    k
        Neighbours of each token, by cosine, itself left out.
    permutations
        Of the interval; with 0 it is NaN.

    Raises
    ------
    ValueError
        Arrays that do not fit, ids outside the vocabulary, an empty dictionary, rows of zeros.

    References
    ----------
    Wen-Yi and Mimno 2023 find that neighbours are "frequently translations", from examples; the
    measure and its chance are ours.

    Examples
    --------
    >>> rows = [[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, 0], [-1, 0.1]]
    >>> found = neighbour_translations(rows, {0: [1], 2: [3], 4: [5]}, k=1)
    >>> found.value, round(found.chance, 3)
    (1.0, 0.333)
    """
    rows = token_rows(W_E)
    pairs = _pairs(dictionary, len(rows))
    tokens, place = np.unique(pairs[:, 0], return_inverse=True)
    around = neighbours_of(rows, tokens, k=k, seed=seed)
    cell = _cells(pairs, len(rows), frequency, classes, bins)
    low = high = float("nan")
    if permutations:
        rng = np.random.default_rng([seed, 63])
        drawn = [
            _hit(around, place, _replaced(pairs[:, 1], cell, rng)) for _ in range(permutations)
        ]
        low, high = (float(edge) for edge in np.quantile(drawn, [LOW, HIGH]))
    value = _hit(around, place, pairs[:, 1])
    chance = _expected_hit(around, tokens, place, pairs[:, 1], cell)
    return NeighbourTranslations(value, chance, low, high, len(tokens))


def _pairs(dictionary: Mapping[int, Sequence[int]] | ArrayLike, n: int) -> Ids:
    """``(pair, 2)`` distinct ids, no token its own translation."""
    if isinstance(dictionary, Mapping):
        given = [(token, other) for token, others in dictionary.items() for other in others]
    else:
        given = np.asarray(dictionary).tolist()
    pairs = np.array(given, dtype=object).reshape(-1, 2) if given else np.empty((0, 2), dtype=int)
    if not all(isinstance(number, int | np.integer) for number in pairs.ravel().tolist()):
        raise ValueError(f"got dictionary entry {given[0]!r}; expected pairs of token ids")
    ids = np.unique(pairs.astype(np.intp), axis=0)
    if len(ids) and not 0 <= ids.min() <= ids.max() < n:
        raise ValueError(f"got dictionary ids {ids.min()} to {ids.max()}; valid are 0 to {n - 1}")
    ids = ids[ids[:, 0] != ids[:, 1]]
    if not len(ids):
        raise ValueError("got a dictionary without a translation; expected at least one")
    return ids


def _cells(
    pairs: Ids, n: int, frequency: ArrayLike | None, classes: ArrayLike | None, bins: int
) -> Ids:
    """Number of the cell, class and frequency, of each token; −1 for tokens that replace none."""
    if bins < 1:
        raise ValueError(f"got bins={bins}; expected at least 1")
    names = np.full(n, "")
    names[pairs[:, 1]] = "translation"
    if classes is not None:
        names = np.asarray(classes).astype(np.str_)
    counts = np.zeros(n) if frequency is None else np.asarray(frequency, dtype=float)
    if names.shape != (n,) or counts.shape != (n,) or not np.isfinite(counts).all():
        raise ValueError(
            f"got {names.size} classes and {counts.size} frequencies for {n} tokens; "
            "expected one finite number each"
        )
    without = pairs[names[pairs[:, 1]] == "", 1]
    if len(without):
        raise ValueError(f"got token {without[0]} as a translation, but no class of it")
    cell = np.full(n, -1, dtype=np.intp)
    for number, name in enumerate(np.unique(names[names != ""])):
        own = np.flatnonzero(names == name)
        ordered = np.sort(counts[own])
        middle = np.searchsorted(ordered, counts[own]) + np.searchsorted(
            ordered, counts[own], side="right"
        )
        cell[own] = number * bins + np.minimum(middle * bins // (2 * len(own)), bins - 1)
    return cell


def _hit(around: Ids, place: Ids, translations: Ids) -> float:
    """Share of tokens one of whose translations stands among their neighbours."""
    found = (around[place] == translations[:, None]).any(1)
    return float((np.bincount(place, found, minlength=len(around)) > 0).mean())


def _replaced(translations: Ids, cell: Ids, rng: np.random.Generator) -> Ids:
    """Every translation as the token that takes its place when tokens change within cells."""
    members = np.flatnonzero(cell >= 0)
    ordered = members[np.argsort(cell[members], kind="stable")]
    drawn = members[np.lexsort((rng.random(len(members)), cell[members]))]
    instead = np.arange(len(cell))
    instead[ordered] = drawn
    return instead[translations]


def _expected_hit(around: Ids, tokens: Ids, place: Ids, translations: Ids, cell: Ids) -> float:
    """Expected share, each token's translations drawn from their cells without replacement."""
    from scipy.special import gammaln

    n_cells = int(cell.max()) + 1
    size = np.bincount(cell[cell >= 0], minlength=n_cells)
    both, wanted = np.unique(place * n_cells + cell[translations], return_counts=True)
    at, of = np.divmod(both, n_cells)
    # A token is not its own neighbour, and never its own translation.
    others = size[of] - (cell[tokens[at]] == of)
    near = (cell[around[at]] == of[:, None]).sum(1)
    left = others - near
    possible = left >= wanted
    missed = np.full(len(both), -np.inf)
    a, b, c = left[possible], others[possible], wanted[possible]
    missed[possible] = gammaln(a + 1) - gammaln(a - c + 1) - gammaln(b + 1) + gammaln(b - c + 1)
    with np.errstate(invalid="ignore"):
        none = np.exp(np.bincount(at, missed, minlength=len(tokens)))
    return float(1 - none.mean())
