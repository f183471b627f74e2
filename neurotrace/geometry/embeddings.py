"""Which scripts surround a token of an input embedding? And a map of its tokens."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import nearest, refuse_not_finite
from neurotrace.geometry.scripts import decode_bytes

BLOCK = 16_000_000  # products held at a time, 64 MB
ROWS = 8192  # tokens held in double precision
SPARE = 8  # candidates beyond k that single precision proposes

Ids = NDArray[np.intp]
Floats = NDArray[np.floating]


class NeighbourScripts(NamedTuple):
    """How many scripts stand around a token."""

    value: float
    """mean number of distinct scripts"""
    chance: float
    """expected number among as many tokens at random"""
    sd: float
    """standard deviation over the sampled tokens"""
    tokens: int
    """tokens sampled"""
    by_script: pd.Series
    """mean by the token's own script"""


class TokenMap(NamedTuple):
    """Tokens drawn where they vary most."""

    coordinates: NDArray[np.float64]
    """(token, component)"""
    explained: NDArray[np.float64]
    """(component,) shares of the variance"""


def neighbour_scripts(
    W_E: ArrayLike,
    scripts: ArrayLike,
    *,
    k: int = 50,
    sample: float = 0.01,
    include_self: bool = True,
    seed: int = 0,
) -> NeighbourScripts:
    """How many different scripts stand among the nearest neighbours of a token?

    Neighbours are nearest by cosine over the whole vocabulary. Chance is the expectation for as
    many tokens drawn at random without replacement, exact: ``Σ_c 1 − C(N − N_c, m) / C(N, m)``
    with N_c tokens of class c and m tokens looked at.

    *Eats* token, feature → *leaves* nothing.

    Parameters
    ----------
    W_E
        ``(token, feature)``.
    scripts
        ``(token,)`` classes.
    k
        Neighbours of each token.
    sample
        Share of the tokens whose neighbourhood is looked at, at least one of them.
    include_self
        Count the token itself, too: ranks 0 to k, as published. Never, for instance, is a
        neighbourhood then without the token's own script.
    seed
        Of the sample, and of the order among exact ties.

    Raises
    ------
    ValueError
        Arrays that do not fit, values that are not finite, rows of zeros, k or sample out of
        range.

    References
    ----------
    Wen-Yi and Mimno 2023, "Hyperpolyglot LLMs". The text speaks of 50 neighbours; the released
    code counts ranks 0 to 50, the token and 50 others, on a sample without seed. We follow the
    code, with a seed; ``include_self=False`` is the text.

    Examples
    --------
    >>> angles = np.array([0.0, 0.1, 0.2, 3.0, 3.1, 3.2])
    >>> rows = np.column_stack([np.cos(angles), np.sin(angles)])
    >>> found = neighbour_scripts(rows, ["A"] * 3 + ["B"] * 3, k=2, sample=1.0)
    >>> found.value, round(found.chance, 3)
    (1.0, 1.9)
    """
    rows = token_rows(W_E)
    classes = np.asarray(scripts).astype(np.str_)
    if classes.shape != rows.shape[:1]:
        raise ValueError(f"got {classes.size} scripts for {len(rows)} tokens; expected one each")
    if not 0 < sample <= 1:
        raise ValueError(f"got sample={sample}; expected a share above 0, at most 1")
    rng = np.random.default_rng([seed, 62])
    size = max(1, round(sample * len(rows)))
    drawn = np.sort(rng.choice(len(rows), size, replace=False))
    around = neighbours_of(rows, drawn, k=k, seed=seed)
    seen = np.column_stack([drawn, around]) if include_self else around
    names, codes = np.unique(classes, return_inverse=True)
    ordered = np.sort(codes[seen], axis=1)
    distinct = 1 + (np.diff(ordered, axis=1) > 0).sum(1)
    by_script = pd.Series(distinct, index=classes[drawn]).groupby(level=0).mean()
    return NeighbourScripts(
        float(distinct.mean()),
        _expected_classes(np.bincount(codes, minlength=len(names)), seen.shape[1]),
        float(distinct.std()),
        len(drawn),
        by_script.rename("scripts").rename_axis("script"),
    )


def neighbours_of(W_E: ArrayLike, tokens: ArrayLike, *, k: int, seed: int = 0) -> Ids:
    """The k nearest other tokens, by cosine, of some tokens among all: ``(token, k)`` ids.

    Raises
    ------
    ValueError
        As :func:`nearest`.
    """
    rows, asked = token_rows(W_E), np.asarray(tokens, dtype=np.intp)
    if not 1 <= k < len(rows):
        raise ValueError(f"got k={k} for {len(rows)} tokens; expected 1 to {len(rows) - 1}")
    if len(asked) == len(rows) and (asked == np.arange(len(rows))).all():
        return nearest(rows, k=k, seed=seed).indices
    # In an order that is drawn, no script wins exact ties because its tokens come first.
    order = np.random.default_rng([seed, 64]).permutation(len(rows))
    place = np.argsort(order)
    shuffled = rows[order]
    unit = _unit_rows(shuffled, order)
    found = np.empty((len(asked), k), dtype=np.intp)
    step = max(1, BLOCK // len(rows))
    for first in range(0, len(asked), step):
        own = place[asked[first : first + step]]
        found[first : first + step] = order[_nearest_block(shuffled, unit, own, k)]
    return found


def token_map(W_E: ArrayLike, *, n: int = 2) -> TokenMap:
    """Where do tokens lie in the n directions in which the embedding varies most?

    Principal components of the rows, their mean taken off; of each component the largest weight
    is positive.

    References
    ----------
    Wen-Yi and Mimno 2023 draw maps by UMAP; principal components keep distances honest, and say
    how much of the variance they show.

    Raises
    ------
    ValueError
        Values that are not finite, or n outside 1 … features.

    Examples
    --------
    >>> found = token_map([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]], n=1)
    >>> found.coordinates.ravel().tolist(), found.explained.tolist()
    ([-2.0, 0.0, 2.0], [1.0])
    """
    rows = token_rows(W_E)
    if not 1 <= n <= rows.shape[1]:
        raise ValueError(f"got n={n} for {rows.shape[1]} features; expected 1 to that")
    spread, directions = np.linalg.eigh(sum(part.T @ part for part in _centred(rows)))
    leading = directions[:, ::-1][:, :n]
    sign = np.sign(leading[np.abs(leading).argmax(0), np.arange(n)])
    total = spread.sum()
    explained = spread[::-1][:n].clip(0) / total if total > 0 else np.full(n, np.nan)
    coordinates = np.concatenate([part @ (leading * sign) for part in _centred(rows)])
    return TokenMap(coordinates, explained)


def shared_tokens(tokens_a: Sequence[str], tokens_b: Sequence[str]) -> tuple[Ids, Ids]:
    """Ids of the tokens that two vocabularies share, in the order of their text.

    Byte-level vocabularies are decoded first, so that they compare with others. Of ids with the
    same text the lowest counts; ids without text none.

    Returns
    -------
    ``(shared,)`` ids in the first and in the second vocabulary.

    Examples
    --------
    >>> a, b = shared_tokens(["b", "a", "c"], ["a", "b", "d"])
    >>> a.tolist(), b.tolist()
    ([1, 0], [0, 1])
    """
    at_a, at_b = (_first_ids(tokens) for tokens in (tokens_a, tokens_b))
    texts = sorted((at_a.keys() & at_b.keys()) - {""})
    ids_a, ids_b = (np.array([at[t] for t in texts], dtype=np.intp) for at in (at_a, at_b))
    return ids_a, ids_b


def token_rows(W_E: ArrayLike) -> Floats:
    """An embedding as floats, checked.

    Raises
    ------
    ValueError
        For another shape, or values that are not finite.
    """
    rows = np.asarray(W_E)
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "fiub":
        raise ValueError(f"got W_E of shape {rows.shape}; expected numbers (token, feature)")
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float32 if rows.dtype.kind == "f" else np.float64)
    refuse_not_finite("W_E", rows)
    return rows


def _centred(rows: Floats) -> Iterator[NDArray[np.float64]]:
    """The rows less their mean, some at a time: in double precision all would be twice as large."""
    mean = rows.mean(0, dtype=np.float64)
    for first in range(0, len(rows), ROWS):
        yield rows[first : first + ROWS].astype(np.float64) - mean


def _unit_rows(rows: Floats, numbers: Ids) -> NDArray[np.float32]:
    """Rows of length 1; ``numbers`` is what the caller's user calls them."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    nothing = numbers[np.flatnonzero(length == 0)]
    if len(nothing):
        raise ValueError(
            f"got {len(nothing)} rows of zeros (row {nothing.min()} first), which have no "
            "direction; expected them left out"
        )
    return np.divide(rows, length, out=np.empty(rows.shape, np.float32), casting="same_kind")


def _nearest_block(rows: Floats, unit: NDArray[np.float32], own: Ids, k: int) -> Ids:
    """The k rows nearest to some of them; single precision proposes, double decides."""
    products = unit[own] @ unit.T
    products[np.arange(len(own)), own] = -np.inf
    proposed = min(k + SPARE, len(unit) - 1)
    among = np.sort(np.argpartition(-products, proposed - 1, axis=1)[:, :proposed], axis=1)
    exact = np.empty(among.shape)
    for at, (row, others) in enumerate(zip(own, among, strict=True)):
        near = rows[others].astype(np.float64)
        exact[at] = near @ rows[row].astype(np.float64) / np.linalg.norm(near, axis=1)
    best = np.argsort(-exact, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(among, best, axis=1)


def _expected_classes(counts: NDArray[np.integer], m: int) -> float:
    """Distinct classes among m tokens drawn without replacement."""
    from scipy.special import gammaln

    n, others = counts.sum(), counts.sum() - counts[counts > 0]
    possible = others[others >= m]
    missing = gammaln(possible + 1) - gammaln(possible - m + 1) - gammaln(n + 1)
    return float((counts > 0).sum() - np.exp(missing + gammaln(n - m + 1)).sum())


def _first_ids(tokens: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, text in enumerate(decode_bytes(tokens)):
        found.setdefault(text, number)
    return found
