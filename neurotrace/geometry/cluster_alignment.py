"""C-ALIGN: has a cluster of one language's words a translated twin in another language?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.cluster_loops import matched_words
from neurotrace.geometry.cluster_overlap import (
    ROUNDING,
    band,
    permuted_within,
    refuse_percent,
    strata_of,
)
from neurotrace.geometry.nearest import check_count

STREAM = 65

Clustered = tuple[Sequence[str] | NDArray, ArrayLike]


class Missing(NamedTuple):
    """Words that could not take part, in word types."""

    source: int
    """source words that the dictionary does not know"""
    source_of: int
    """source words in the clusters"""
    target: int
    """translations, the n best of the source words, that stand in no target cluster"""
    target_of: int
    """translations, the n best of the source words"""


class ClusterAlignment(NamedTuple):
    """How many source clusters have a twin, and how many chance would give."""

    share: float
    """share of source clusters with at least one aligned target cluster"""
    pairs: pd.DataFrame
    """one row an aligned pair: ``source target matched share size_source size_target``, in types"""
    chance: float
    """mean share when target words are permuted among the clusters; NaN without permutations"""
    chance_low: float
    """2.5 % of the permutations lie below"""
    chance_high: float
    """2.5 % of the permutations lie above"""
    missing: Missing
    """words absent from the dictionary, translations absent from the clusters"""
    ceiling: float
    """share if all target words were one cluster: what dictionary and vocabulary allow"""

    @property
    def corrected(self) -> float:
        """Share minus chance."""
        return self.share - self.chance


def c_align(
    source: Clustered,
    target: Clustered,
    dictionary: Mapping[str, Sequence[str]],
    *,
    theta: float = 0.8,
    top_n: int = 5,
    min_types: int = 1,
    size_ratio: float | None = None,
    symmetric: bool = False,
    covered: bool = False,
    permutations: int = 0,
    seed: int = 0,
) -> ClusterAlignment:
    """Share of source clusters whose words' translations lie together in one target cluster.

    With T(C) the word types of a cluster, source cluster S and target cluster C are aligned where
    ``|{w ∈ T(S) : top_n(w) ∩ T(C) ≠ ∅}| / |T(S)| > theta``, ``|T(S)| > min_types`` and the sizes
    agree. All source clusters count in the share, those too small as well.

    Parameters
    ----------
    source, target
        ``(words, labels)`` of either language's occurrences, clustered apart. A word may stand in
        several clusters.
    dictionary
        Source word → list of its translations, best first.
    theta
        A fraction below one, strictly exceeded; .7 to .9 were explored.
    top_n
        Translations looked at; 5 to 20 were.
    min_types
        A source cluster needs more types than this.
    size_ratio
        ``|T(S)| / |T(C)|`` must be larger; None does not ask. One-sided as released: a source
        cluster ten times as large passes.
    symmetric
        The smaller size must be at least ``size_ratio`` of the larger one instead, 0.6 for "at
        most 40 % apart".
    covered
        Count only words that can take part: source words with a translation among the target's,
        and those translations. Clusters without any such word drop out.
    permutations
        Draws of the null: which target word stands where is permuted among words that stand in
        about as many clusters. Clusters keep their numbers of types; and a frequent word, which
        many clusters hold in both languages, is replaced by one as frequent.

    Returns
    -------
    ``share``, ``pairs``, ``chance`` with its band, ``missing``, and ``ceiling``; shares are NaN
    where ``covered`` leaves no word.

    Raises
    ------
    ValueError
        For a theta that is no fraction (80 is none), other dials out of range, a side that is no
        pair of words and labels, lengths that differ, missing words or labels, an empty
        dictionary, or translations that are one string and no list.

    References
    ----------
    Mousi et al. 2024. Where released code and text differ, sizes are compared as the code does,
    and ``symmetric`` is the text; its "aligned clusters" are the number of all source clusters,
    the share is meant here. Their vectors are those of words that word alignment covers, which
    ``covered`` comes near. The null and the ceiling are ours.

    Examples
    --------
    >>> german = {"dog": ["Hund"], "cat": ["Katze"]}
    >>> found = c_align((["dog", "cat"], [0, 0]), (["Hund", "Katze"], [3, 3]), german)
    >>> found.share, found.pairs["target"].tolist()
    (1.0, [3])
    """
    _refuse_counts(theta, top_n, min_types, permutations)
    _refuse_ratio(size_ratio, symmetric)
    S, T = _occupancy("source", source), _occupancy("target", target)
    _refuse_no_dictionary(dictionary)
    links, missing = _links(S.words, T.words, dictionary, top_n)
    if covered:
        kept = covered_rows(source[0], target[0], dictionary, top_n=top_n)
        if not kept[0].any():
            return _nothing(S, T, missing)
        S, T = (
            _occupancy("", (np.asarray(words, dtype=object)[own], np.asarray(labels)[own]))
            for (words, labels), own in zip((source, target), kept, strict=True)
        )
        links, _ = _links(S.words, T.words, dictionary, top_n)
    allowed = _allowed(S.sizes, T.sizes, min_types, size_ratio, symmetric)
    need = theta * S.sizes[:, None] + ROUNDING
    count = partial(matched_words, (S.starts, S.members), links, _places(T))
    matched = count(np.arange(len(T.words)), len(T.clusters))
    aligned = (matched > need) & allowed
    known = np.any(links >= 0, axis=1).astype(np.intp)
    reachable = np.add.reduceat(known[S.members], S.starts[:-1])
    ceiling = (reachable > need[:, 0]) & (S.sizes > min_types)
    rng = np.random.default_rng([seed, STREAM])
    null = np.empty(permutations)
    spread = strata_of(np.bincount(T.members, minlength=len(T.words)))
    for draw in range(permutations):
        drawn = count(permuted_within(spread, rng), len(T.clusters)) > need
        null[draw] = (drawn & allowed).any(1).mean()
    pairs = _pairs(S, T, matched, aligned)
    return ClusterAlignment(
        float(aligned.any(1).mean()), pairs, *band(null), missing, float(ceiling.mean())
    )


def covered_rows(
    source: Sequence[str] | NDArray,
    target: Sequence[str] | NDArray,
    dictionary: Mapping[str, Sequence[str]],
    *,
    top_n: int = 5,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which words of either side have a counterpart on the other, by the dictionary's n best.

    Returns
    -------
    ``(source word,)`` and ``(target word,)`` bool.
    """
    there = set(target)
    reached = {
        word: there.intersection(_translations(dictionary, word, top_n)) for word in set(source)
    }
    met = set().union(*reached.values())
    of_source = np.array([bool(reached[word]) for word in source], dtype=bool)
    return of_source, np.array([word in met for word in target], dtype=bool)


class _Occupancy(NamedTuple):
    """Which word types stand in which clusters."""

    words: NDArray
    clusters: NDArray
    starts: NDArray[np.intp]  # (cluster + 1,) where each cluster's words begin among the members
    members: NDArray[np.intp]  # (membership,) word types, cluster by cluster
    sizes: NDArray[np.intp]  # (cluster,) word types


def _occupancy(name: str, given: Clustered) -> _Occupancy:
    paired = isinstance(given, tuple | list | np.ndarray) and len(given) == 2
    if not paired or isinstance(given[0], str) or isinstance(given[1], str):
        raise ValueError(
            f"got {name} as {type(given).__name__} of {len(given)}; expected the pair "
            "(words, labels), one label a word"
        )
    words, labels = np.asarray(given[0], dtype=object), np.asarray(given[1])
    if words.ndim != 1 or words.shape != labels.shape or not len(words):
        raise ValueError(
            f"got {name} words of shape {words.shape} and labels of shape {labels.shape}; expected "
            "one label a word, and some"
        )
    missing = np.flatnonzero(pd.isna(words) | pd.isna(labels))
    if len(missing):
        raise ValueError(
            f"got {name} words and labels with {len(missing)} missing, first in row {missing[0]}; "
            "expected both in every row"
        )
    word, types = pd.factorize(words, sort=False)
    clusters, cluster = np.unique(labels, return_inverse=True)
    cells = pd.unique(cluster * len(types) + word)
    cells.sort()
    of, members = np.divmod(cells, len(types))
    sizes = np.bincount(of)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    return _Occupancy(types, clusters, starts, members, sizes)


def _links(
    source: NDArray, target: NDArray, dictionary: Mapping[str, Sequence[str]], top_n: int
) -> tuple[NDArray[np.intp], Missing]:
    """``(source word, n)`` positions of translations among the target words; −1 where there is
    none."""
    best = [_translations(dictionary, word, top_n) for word in source]
    sizes = np.array([len(found) for found in best])
    flat = [word for found in best for word in found]
    place = {word: at for at, word in enumerate(target)}
    at = np.array([place.get(word, -1) for word in flat], dtype=np.intp)
    links = np.full((len(source), max(1, int(sizes.max(initial=0)))), -1)
    links[np.arange(links.shape[1]) < sizes[:, None]] = at
    offered = set(flat)
    absent = len(offered - place.keys())
    return links, Missing(int((sizes == 0).sum()), len(source), absent, len(offered))


def _translations(dictionary: Mapping[str, Sequence[str]], word: str, top_n: int) -> Sequence[str]:
    found = dictionary.get(word, ())
    if isinstance(found, str) or not hasattr(found, "__getitem__"):
        raise ValueError(
            f"got {found!r:.40} as translations of {word!r:.40}; expected a list of words"
        )
    return list(found[:top_n])


def _allowed(
    source: NDArray, target: NDArray, min_types: int, size_ratio: float | None, symmetric: bool
) -> NDArray[np.bool_]:
    """``(source cluster, target cluster)`` whether their sizes agree."""
    large, other = (source > min_types)[:, None], target[None, :]
    if size_ratio is None:
        return np.broadcast_to(large, (len(source), len(target)))
    own = source[:, None]
    if symmetric:
        smaller, larger = np.minimum(own, other), np.maximum(own, other)
        return large & (smaller >= size_ratio * larger - ROUNDING)
    return large & (own > size_ratio * other + ROUNDING)


def _places(T: _Occupancy) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The clusters of each target word, and where each word's begin."""
    order = np.argsort(T.members, kind="stable")
    clusters = np.repeat(np.arange(len(T.clusters)), T.sizes)[order]
    starts = np.concatenate(([0], np.cumsum(np.bincount(T.members, minlength=len(T.words)))))
    return starts, clusters


def _nothing(S: _Occupancy, T: _Occupancy, missing: Missing) -> ClusterAlignment:
    nan = float("nan")
    none = np.zeros((len(S.clusters), len(T.clusters)), dtype=bool)
    return ClusterAlignment(nan, _pairs(S, T, none, none), nan, nan, nan, missing, nan)


def _pairs(
    S: _Occupancy, T: _Occupancy, matched: NDArray, aligned: NDArray[np.bool_]
) -> pd.DataFrame:
    at, to = np.nonzero(aligned)
    words = matched[at, to].astype(np.intp)
    return pd.DataFrame(
        {
            "source": S.clusters[at],
            "target": T.clusters[to],
            "matched": words,
            "share": words / S.sizes[at],
            "size_source": S.sizes[at],
            "size_target": T.sizes[to],
        }
    )


def _refuse_counts(theta: float, top_n: int, min_types: int, permutations: int) -> None:
    refuse_percent("theta", theta, 1)
    check_count("top_n", top_n, least=1)
    check_count("min_types", min_types)
    check_count("permutations", permutations)


def _refuse_no_dictionary(dictionary: Mapping[str, Sequence[str]]) -> None:
    if not isinstance(dictionary, Mapping) or not dictionary:
        what = "an empty dictionary" if isinstance(dictionary, Mapping) else "no dictionary"
        raise ValueError(f"got {what}; expected source word → list of its translations")
    _translations(dictionary, next(iter(dictionary)), 1)


def _refuse_ratio(size_ratio: float | None, symmetric: bool) -> None:
    if symmetric and (size_ratio is None or not 0 <= size_ratio <= 1):
        raise ValueError(f"got size_ratio={size_ratio}; expected a fraction such as 0.6")
    if size_ratio is not None and not 0 <= size_ratio:
        raise ValueError(f"got size_ratio={size_ratio}; expected no negative number")
