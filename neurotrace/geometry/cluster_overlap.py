"""C-OVERLAP: which clusters of several languages' words does no language have to itself?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import check_count

STREAM = 66
ROUNDING = 1e-9  # a share that equals the threshold in exact arithmetic must not exceed it
ALIKE = 10  # words, at least, that a word's place is drawn from


class ClusterOverlap(NamedTuple):
    """How many clusters are mixed, and how many chance would mix."""

    share: float
    """share of clusters that overlap"""
    clusters: pd.DataFrame
    """one row a cluster: ``cluster size overlapping`` and each language's share of it"""
    chance: float
    """mean share when languages are permuted over the points; NaN without permutations"""
    chance_low: float
    """2.5 % of the permutations lie below"""
    chance_high: float
    """2.5 % of the permutations lie above"""

    @property
    def corrected(self) -> float:
        """Share minus chance: 0 where languages mix at random, −chance where they lie apart."""
        return self.share - self.chance


def c_overlap(
    labels: ArrayLike,
    languages: Sequence[str] | NDArray,
    *,
    theta: float = 0.3,
    permutations: int = 0,
    seed: int = 0,
    words: Sequence[str] | NDArray | None = None,
    together: Sequence[str] | NDArray | None = None,
) -> ClusterOverlap:
    """Share of clusters to which at least two languages each give more than ``theta``.

    ``C-OVERLAP = |{C : at least two languages hold > theta of C}| / |clusters|``, strictly more.
    The score cannot tell meaning from mixing: of balanced languages thrown together at random,
    nearly every large cluster overlaps (two languages, 30 %: .63 of clusters of 5 words, .96 of 30,
    .9999 of 100), while of four balanced languages hardly a large one can. Read it beside
    ``chance``, which has the same cluster sizes.

    Parameters
    ----------
    labels
        ``(point,)`` cluster of each point, from one clustering of all languages together.
    languages
        ``(point,)`` language of each point.
    theta
        A fraction below one half: two languages cannot both hold more.
    permutations
        Draws of the null, which permutes languages over the points: cluster sizes and sizes of
        languages stay.
    words
        ``(point,)`` where given, word types count instead of occurrences: a word of a language
        counts once in a cluster, in the score and in the null.
    together
        ``(point,)`` the word of each point, where points are occurrences of words. The null then
        permutes languages over word types, among those about as frequent, and all occurrences of
        a type go along: they lie close to each other whatever languages do, and a null that
        scatters them calls every space divided.

    Returns
    -------
    ``share``, ``clusters``, ``chance``, ``chance_low`` and ``chance_high``.

    Raises
    ------
    ValueError
        For a theta that is no such fraction (30 is none), one language only, or lengths that
        differ.

    References
    ----------
    Mousi et al. 2024, two languages by sentence number, thresholds in per cent, tokens. The
    released script compares that number with text and stops; here languages are labels, any number
    of them, and fractions. The null is ours.

    Examples
    --------
    >>> c_overlap([0] * 10, ["eng_Latn"] * 3 + ["deu_Latn"] * 7).share
    0.0
    >>> c_overlap([0] * 10, ["eng_Latn"] * 4 + ["deu_Latn"] * 6).share
    1.0
    """
    label, langs = np.asarray(labels), np.asarray(languages)
    _refuse_unfit(label, langs, theta, permutations)
    for given in (words, together):
        if given is not None and len(given) != len(label):
            raise ValueError(f"got {len(given)} words for {len(label)} points; expected one each")
    unit = np.arange(len(label)) if together is None else _units(langs, np.asarray(together))
    if words is not None:
        label, langs, unit = _types(label, langs, np.asarray(words), unit)
    names, cluster, sizes = np.unique(label, return_inverse=True, return_counts=True)
    codes, of = np.unique(langs, return_inverse=True)
    shares = _counts(cluster, of, (len(names), len(codes))) / sizes[:, None]
    mixed = _mixed(shares, theta)
    table = pd.DataFrame({"cluster": names, "size": sizes, "overlapping": mixed})
    table = table.join(pd.DataFrame(shares, columns=[str(code) for code in codes]))
    null = np.empty(permutations)
    rng = np.random.default_rng([seed, STREAM])
    _, first, unit, often = np.unique(
        unit, return_index=True, return_inverse=True, return_counts=True
    )
    alike = strata_of(often)
    for draw in range(permutations):
        moved = of[first][permuted_within(alike, rng)][unit]
        drawn = _counts(cluster, moved, shares.shape) / sizes[:, None]
        null[draw] = _mixed(drawn, theta).mean()
    return ClusterOverlap(float(mixed.mean()), table, *band(null))


def band(null: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean of a null's draws, and between which values 95 % of them lie; NaN of none."""
    if not len(null):
        return float("nan"), float("nan"), float("nan")
    low, high = np.quantile(null, (0.025, 0.975))
    return float(null.mean()), float(low), float(high)


def strata_of(counts: NDArray[np.intp], *, fewest: int = ALIKE) -> NDArray[np.intp]:
    """Words of equal counts, or of neighbouring ones where these are few, as one stratum each."""
    values, inverse, sizes = np.unique(counts, return_inverse=True, return_counts=True)
    stratum, held = np.zeros(len(values), dtype=np.intp), 0
    for at in range(len(values)):
        enough = held >= fewest and sizes[at:].sum() >= fewest
        stratum[at] = stratum[at - 1] + 1 if enough else stratum[max(at - 1, 0)]
        held = sizes[at] + (0 if enough else held)
    return stratum[inverse]


def permuted_within(strata: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """A random order that keeps each place in its stratum."""
    order = np.empty(len(strata), dtype=np.intp)
    order[np.argsort(strata, kind="stable")] = np.lexsort((rng.random(len(strata)), strata))
    return order


def refuse_percent(name: str, theta: float, below: float) -> None:
    """Refuse what is no fraction: thresholds were published in per cent."""
    if not 0 <= theta < below:
        hint = f" ({theta / 100:g} for {theta:g} %)" if 1 < theta < 100 else ""
        raise ValueError(
            f"got {name}={theta:g}; expected a fraction from 0 to below {below:g}{hint}"
        )


def _refuse_unfit(
    label: NDArray,
    langs: NDArray,
    theta: float,
    permutations: int,
) -> None:
    refuse_percent("theta", theta, 0.5)
    check_count("permutations", permutations)
    if label.ndim != 1 or label.shape != langs.shape or not len(label):
        raise ValueError(
            f"got labels of shape {label.shape} and languages of shape {langs.shape}; expected one "
            "each a point"
        )
    if len(np.unique(langs)) < 2:
        raise ValueError(f"got one language, {langs[0]}; expected at least two")


def _units(langs: NDArray, words: NDArray) -> NDArray[np.intp]:
    """``(point,)`` the word type of each, one of two languages being two."""
    of: NDArray[np.intp] = np.unique(langs, return_inverse=True)[1].astype(np.intp)
    types: NDArray[np.intp] = pd.factorize(np.asarray(words, dtype=object))[0].astype(np.intp)
    return of * (types.max() + 1) + types


def _types(
    label: NDArray, langs: NDArray, words: NDArray, unit: NDArray[np.intp]
) -> tuple[NDArray, NDArray, NDArray[np.intp]]:
    """Each word of a language once a cluster."""
    rows = pd.DataFrame({"label": label, "lang": langs, "word": words})
    kept = ~rows.duplicated().to_numpy()
    return label[kept], langs[kept], unit[kept]


def _counts(cluster: NDArray, of: NDArray, shape: tuple[int, ...]) -> NDArray[np.intp]:
    return np.bincount(cluster * shape[1] + of, minlength=shape[0] * shape[1]).reshape(shape)


def _mixed(shares: NDArray[np.float64], theta: float) -> NDArray[np.bool_]:
    return (shares > theta + ROUNDING).sum(-1) > 1
