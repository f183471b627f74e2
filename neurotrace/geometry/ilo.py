"""Do a language's sentences lie among those of other languages? Overlap, and what chance gives."""

from collections.abc import Hashable, Mapping, Sequence
from math import comb

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import Nearest, check_count, checked_points, nearest

STREAM = 32
BAND = (2.5, 97.5)  # percentiles of the permuted labels
ALL = "all"
RECENTRED = 2  # searches more, where means are taken off

Codes = NDArray[np.int64]
Array = NDArray


def ilo(
    points: ArrayLike,
    languages: ArrayLike,
    *,
    k: int = 5,
    t: int = 3,
    metric: str = "cosine",
    permutations: int = 0,
    center: bool = False,
    neighbours: Nearest | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Interlingual local overlap of each language: are other languages its points' neighbours?

    With F(i) the languages among the k nearest points of i, its own left out::

        bridge = share of a language's points with |F(i)| ≥ t
        reach  = languages in the union of its F(i) / (languages − 1)
        ilo    = 2 · bridge · reach / (bridge + reach), 0 where either is 0

    Neighbours need not be translations, and mixing is all that is seen: of independent noise in 31
    languages the score is .9986. Read it as ``corrected``, and beside
    :func:`~neurotrace.geometry.neighbours.mexa`.

    Eats `example` and `feature`, leaves `lang`.

    Parameters
    ----------
    points : (point, feature)
        All languages together.
    languages : (point,)
    k, t, metric
        Neighbours, other languages wanted among them, and ``"cosine"`` or ``"euclidean"``. The
        released library's own defaults are k = 10 and Euclidean; its driver passes these.
    permutations
        Times the labels are permuted over the points, neighbours kept, for the chance level.
    center
        Take off each language's mean first. The points of a language then stand a little apart
        from each other even in noise, the more so the fewer they are and the more features they
        have. The chance level has this too: it is shifted by what labels dealt out by lot score,
        their means taken off in turn and neighbours searched again.
    neighbours
        A search made before over the same points, with at least k columns; ``points`` is then not
        looked at, ``center`` is refused.

    Returns
    -------
    One row a language, in order of appearance: ``bridge``, ``reach``, ``ilo``, ``chance`` (mean
    over permutations), ``corrected`` (ilo − chance, below 0 where languages keep apart),
    ``chance_low`` and ``chance_high`` (95 % of the permutations). The last four are NaN without
    permutations. The attribute ``spread_chance`` is the standard deviation between languages of
    permuted labels, mean over permutations.

    Raises
    ------
    ValueError
        For one language, labels of another length or missing ones, t above k or above the other
        languages, k, t or permutations that are no whole numbers or negative, and as
        :func:`~neurotrace.geometry.nearest.nearest`.

    References
    ----------
    Wilie et al. 2025, "High-Dimensional Interlingual Representations of Large Language Models".
    The released code takes a point out of its own neighbours by dropping the first column of the
    sorted distances, which drops a duplicate instead where sentences are equal, and counts 997
    points a language whatever there are. Here as the text has it, by row number; another search
    is handed in as ``neighbours``. Chance and correction are ours.

    Examples
    --------
    >>> points = np.array([[0, 1.0], [0.1, 1], [1, 0], [1, 0.1], [1, 1], [1, 1.05]])
    >>> ilo(points, ["a", "b", "a", "b", "a", "a"], k=1, t=1)["bridge"].round(2).to_dict()
    {'a': 0.5, 'b': 1.0}
    """
    names, codes = language_codes(languages)
    if neighbours is None:
        check_points(points, codes)
    check_dials(k, t, len(names))
    check_count("permutations", permutations)
    X = without_means(points, codes) if center else np.asarray(points)
    if neighbours is None:
        neighbours = nearest(X, k=k, metric=metric, seed=seed)
    elif center:
        raise ValueError("got center=True and neighbours; expected neighbours of centred points")
    near = first_columns(neighbours, k, len(codes))
    found = _scores(near, codes, len(names), t)
    rng = np.random.default_rng([seed, STREAM])
    drawn = [_scores(near, rng.permutation(codes), len(names), t)[2] for _ in range(permutations)]
    null = np.array(drawn) if drawn else np.full((1, len(names)), np.nan)
    if center and permutations:
        again = [rng.permutation(codes) for _ in range(min(permutations, RECENTRED))]
        dealt = [
            _scores(_near_again(X, lot, k, metric, seed), lot, len(names), t)[2] for lot in again
        ]
        null += np.mean(dealt, 0) - null.mean(0)
    table = pd.DataFrame(found.T, index=names, columns=["bridge", "reach", "ilo"])
    table["chance"] = null.mean(0)
    table["corrected"] = table["ilo"] - table["chance"]
    band = np.percentile(null, BAND, axis=0)
    table["chance_low"], table["chance_high"] = band.clip(0, 1)
    table.attrs["spread_chance"] = float((null - null.mean(0)).std(1, ddof=1).mean())
    return table


def ilo_by_strata(table: pd.DataFrame, strata: Mapping[str, Hashable] | pd.Series) -> pd.DataFrame:
    """How even is the overlap over kinds of languages, such as families or resource levels?

    Parameters
    ----------
    table
        What :func:`ilo` returns, or any table by language with ilo, chance and corrected.
    strata
        Language → its stratum.

    Returns
    -------
    One row a stratum and a last row ``all``: means of ``ilo``, ``chance`` and ``corrected``,
    ``spread`` (standard deviation of the corrected score between the languages, of the raw one
    where there is no chance; NaN for one language) and ``languages``, their number.

    Raises
    ------
    ValueError
        For a language without stratum, or a stratum called ``all``.

    References
    ----------
    Wilie et al. 2025 find alignment to be inconsistent between languages; the dispersion here is
    our reading of that.
    """
    known = dict(strata)
    missing = [str(lang) for lang in table.index if pd.isna(known.get(lang))]
    if missing:
        raise ValueError(f"got no stratum for {', '.join(missing)}; expected one a language")
    of = np.array([str(known[lang]) for lang in table.index])
    if ALL in of:
        raise ValueError(f"got a stratum called {ALL!r}, which is the name of the whole")
    score = table["corrected"].fillna(table["ilo"])
    rows = {name: of == name for name in dict.fromkeys(of)} | {ALL: np.ones(len(of), bool)}
    found = {
        name: {
            **table.loc[own, ["ilo", "chance", "corrected"]].mean(),
            "spread": score[own].std(),
            "languages": int(own.sum()),
        }
        for name, own in rows.items()
    }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("stratum")


def expected_bridge(sizes: Sequence[int], *, k: int = 5, t: int = 3) -> NDArray[np.float64]:
    """Bridge of each language when labels are spread over the points at random, exactly.

    Whatever the neighbours are, those of a point then carry k labels drawn without replacement:
    the share of draws with at least t other languages.

    Parameters
    ----------
    sizes
        Points of each language.

    Examples
    --------
    >>> float(expected_bridge([997] * 31)[0].round(6))
    0.997243
    """
    check_dials(k, t, len(sizes))
    if sum(sizes) <= k:
        raise ValueError(f"got {sum(sizes)} points for k={k}; expected more")
    by_size = {size: _share_of_draws(sizes, size, k, t) for size in set(sizes)}
    return np.array([by_size[size] for size in sizes])


def _share_of_draws(sizes: Sequence[int], own: int, k: int, t: int) -> float:
    """Ways to draw k of the other points with at least t other languages, over all ways."""
    others = list(sizes)
    others.remove(own)
    ways = [[comb(own - 1, drawn) for drawn in range(k + 1)]] + [[0] * (k + 1) for _ in range(k)]
    for size in others:
        for seen in range(k, 0, -1):
            for drawn in range(k, 0, -1):
                ways[seen][drawn] += sum(
                    ways[seen - 1][drawn - new] * comb(size, new) for new in range(1, drawn + 1)
                )
    return sum(row[k] for row in ways[t:]) / comb(sum(sizes) - 1, k)


def language_codes(languages: ArrayLike) -> tuple[pd.Index, Codes]:
    """Names in order of appearance, and each point's place among them; at least two."""
    labels = np.asarray(languages)
    if labels.ndim != 1:
        raise ValueError(f"got languages of shape {labels.shape}; expected one label a point")
    nameless = np.flatnonzero(pd.isna(labels))
    if len(nameless):
        raise ValueError(
            f"got languages with {labels[nameless[0]]} for {len(nameless)} of {len(labels)} "
            f"points, first in row {nameless[0]}; expected one label a point"
        )
    codes, names = pd.factorize(labels)
    if len(names) < 2:
        raise ValueError(f"got points of {len(names)} language; expected at least two")
    return pd.Index([str(name) for name in names], name="lang"), codes.astype(np.int64)


def check_dials(k: int, t: int, n_languages: int) -> None:
    """Whether t other languages can be among k neighbours at all."""
    check_count("k", k, least=1)
    check_count("t", t, least=1)
    most = min(k, n_languages - 1)
    if t > most:
        few = f"k={k}" if k < n_languages - 1 else f"{n_languages} languages"
        raise ValueError(
            f"got t={t} other languages among k={k} neighbours of {n_languages} languages; "
            f"expected 1 to {most}: with {few} pass t={most}{' or less' if most > 1 else ''}"
        )


def check_points(points: ArrayLike, codes: Codes) -> None:
    """Whether these are finite points, one for each label."""
    X = checked_points(points)
    if len(X) != len(codes):
        raise ValueError(f"got {len(X)} points and {len(codes)} languages; expected one a point")


def without_means(points: ArrayLike, codes: Codes) -> NDArray[np.float64]:
    """The points less the mean of their language."""
    X = np.asarray(points)
    if X.ndim != 2 or len(X) != len(codes):
        raise ValueError(f"got points of shape {X.shape} for {len(codes)} labels")
    centred = X.astype(np.float64)
    for code in np.unique(codes):
        centred[codes == code] -= centred[codes == code].mean(0)
    return centred


def first_columns(neighbours: Nearest, k: int, n: int) -> NDArray[np.intp]:
    near = np.asarray(neighbours.indices)
    if near.ndim != 2 or len(near) != n or near.shape[1] < k:
        raise ValueError(f"got neighbours of shape {near.shape}; expected {n} rows, k={k} or more")
    return np.ascontiguousarray(near[:, :k])


def bridging_points(near: NDArray[np.intp], codes: Codes, t: int) -> NDArray[np.bool_]:
    """(point,) whether at least t other languages are among the neighbours."""
    n = codes.max() + 1
    return _foreign_languages(near, codes, np.zeros((n, n), dtype=np.bool_)) >= t


def _near_again(X: NDArray, codes: Codes, k: int, metric: str, seed: int) -> NDArray[np.intp]:
    """Neighbours of points from which the means of these labels are taken off."""
    return nearest(without_means(X, codes), k=k, metric=metric, seed=seed).indices


def _scores(near: NDArray[np.intp], codes: Codes, n: int, t: int) -> NDArray[np.float64]:
    """(3, lang): bridge, reach and their harmonic mean."""
    met = np.zeros((n, n), dtype=np.bool_)
    bridging = _foreign_languages(near, codes, met) >= t
    bridge = np.bincount(codes, weights=bridging, minlength=n) / np.bincount(codes, minlength=n)
    reach = met.sum(1) / (n - 1)
    both = bridge + reach
    harmonic = np.divide(2 * bridge * reach, both, out=np.zeros(n), where=both > 0)
    return np.stack([bridge, reach, harmonic])


@njit(nogil=True, cache=True)
def _foreign_languages(near: Array, codes: Array, met: Array) -> Array:
    """(point,) distinct other languages among its neighbours; ``met`` (lang, lang) is marked."""
    count = np.zeros(len(near), dtype=np.int64)
    for i in range(len(near)):
        own = codes[i]
        for c in range(near.shape[1]):
            other = codes[near[i, c]]
            new = other != own
            for before in range(c):
                new &= codes[near[i, before]] != other
            if new:
                count[i] += 1
                met[own, other] = True
    return count
