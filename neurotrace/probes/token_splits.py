"""Which token vectors train a probe of layers, and which test it: types and groups kept apart.

A division depends on the tokens and the seed alone, never on their vectors, so that every layer
and checkpoint that holds the same tokens is probed on the same division.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Division = tuple[NDArray[np.intp], NDArray[np.intp]]  # training and test rows

TEST_SHARE = 1 / 3  # of the word types, and of the groups
MIN_TOKENS = 5  # per language, in training and in test


class Tokens(NamedTuple):
    """Checked token vectors, with everything else as codes 0, 1, 2 …"""

    X: NDArray[np.floating]  # (token, feature)
    lang: NDArray[np.intp]  # (token,) index into languages
    type: NDArray[np.intp]  # (token,) index of the word type
    group: NDArray[np.intp] | None  # (token,) index of the group
    languages: list


def check_tokens(
    X: ArrayLike, lang: ArrayLike, types: ArrayLike | None, groups: ArrayLike | None, seeds: int
) -> Tokens:
    """Token vectors and their columns, or a ValueError that says what is wrong with them."""
    X = np.asarray(X)
    if X.ndim != 2 or 0 in X.shape or X.dtype.kind != "f":
        raise ValueError(
            f"got X of shape {X.shape} and dtype {X.dtype}, expected floating (token, feature)"
        )
    if not np.isfinite(X).all():
        bad = int(np.flatnonzero(~np.isfinite(X).all(1))[0])
        raise ValueError(f"got NaN or infinity in token {bad}, expected finite vectors")
    if seeds < 1:
        raise ValueError(f"got seeds={seeds}, expected at least 1")
    languages = np.unique(np.asarray(lang)).tolist()
    if len(languages) < 2:
        raise ValueError(f"got the languages {languages}, expected at least two")
    return Tokens(
        X if X.dtype == np.float64 else X.astype(np.float32, copy=False),
        _codes("lang", lang, len(X)),
        np.arange(len(X)) if types is None else _codes("types", types, len(X)),
        None if groups is None else _codes("groups", groups, len(X)),
        languages,
    )


def _codes(name: str, column: ArrayLike, n: int) -> NDArray[np.intp]:
    column = np.asarray(column)
    if column.shape != (n,):
        raise ValueError(f"got {name} of shape {column.shape}, expected ({n},), one for each token")
    return np.unique(column, return_inverse=True)[1].astype(np.intp)


def divide(tokens: Tokens, train_size: int | float | None, rng: np.random.Generator) -> Division:
    """Balanced training and test rows that share no word type and no group."""
    test_types = _draw_types(tokens, rng)
    in_test, in_train = test_types[tokens.type], ~test_types[tokens.type]
    if tokens.group is not None:
        test_groups = _draw(np.arange(tokens.group.max() + 1), rng)
        in_test &= test_groups[tokens.group]
        in_train &= ~test_groups[tokens.group]
    train = _balanced(tokens, in_train, train_size, "training", rng)
    return train, _balanced(tokens, in_test, None, "test", rng)


def _draw_types(tokens: Tokens, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A third of the word types of every language, each type under its most frequent language."""
    home = _home(tokens)
    chosen = np.zeros(len(home), bool)
    for lang in range(len(tokens.languages)):
        own = np.flatnonzero(home == lang)
        chosen[own] = _draw(own, rng)
    return chosen


def _draw(names: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark a third of the names, at least one where there are two."""
    n_test = max(round(TEST_SHARE * len(names)), min(1, len(names) - 1))
    marked = np.zeros(len(names), bool)
    marked[rng.permutation(len(names))[:n_test]] = True
    return marked


def _balanced(
    tokens: Tokens,
    rows: NDArray[np.bool_],
    size: int | float | None,
    side: str,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """As many rows of every language as the poorest has, or as asked for."""
    n_languages = len(tokens.languages)
    counts = np.bincount(tokens.lang[rows], minlength=n_languages)
    wanted = int(counts.min()) if size is None else int(size)
    if size is not None and 0 < size < 1:
        wanted = max(MIN_TOKENS, round(size * int(counts.min())))
    if counts.min() < max(wanted, MIN_TOKENS):
        poorest = tokens.languages[int(counts.argmin())]
        raise ValueError(
            f"got {counts.min()} {side} tokens of {poorest} with unseen types and groups, "
            f"expected at least {max(wanted, MIN_TOKENS)}"
        )
    # Drawn anew for each seed, so that no token of a rich language is always in.
    own = [np.flatnonzero(rows & (tokens.lang == lang)) for lang in range(n_languages)]
    return np.concatenate([rng.permutation(members)[:wanted] for members in own])


def _home(tokens: Tokens) -> NDArray[np.intp]:
    """The language in which each word type is most frequent: (type,)."""
    n_languages = len(tokens.languages)
    pairs = np.bincount(
        tokens.type * n_languages + tokens.lang, minlength=(tokens.type.max() + 1) * n_languages
    )
    return pairs.reshape(-1, n_languages).argmax(1)


def permute_types(tokens: Tokens, rng: np.random.Generator) -> NDArray[np.intp]:
    """Languages (token,) after every word type got the language of another."""
    return rng.permutation(_home(tokens))[tokens.type]


def only(tokens: Tokens, a: int, b: int) -> Tokens:
    """The tokens of two languages, renumbered."""
    rows = (tokens.lang == a) | (tokens.lang == b)
    return Tokens(
        tokens.X[rows],
        (tokens.lang[rows] == b).astype(np.intp),
        np.unique(tokens.type[rows], return_inverse=True)[1],
        None if tokens.group is None else np.unique(tokens.group[rows], return_inverse=True)[1],
        [tokens.languages[a], tokens.languages[b]],
    )
