"""Clusters of contextual word vectors, the latent concepts of a layer: found, tried, and read."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

METHODS = ("kmeans", "ward", "minibatch")
ALONE = 1_000_000  # distances of one round: up to here one thread computes them

Labels = NDArray[np.intp]
Score = Callable[[Labels], float]


def discover(
    points: ArrayLike,
    n_clusters: int,
    *,
    method: str = "kmeans",
    n_init: int | str = "auto",
    seed: int = 0,
) -> Labels:
    """Which points lie together? One cluster number a point.

    *Eats* feature → *leaves* one label a point.

    Parameters
    ----------
    points
        ``(point, feature)``, such as the vectors of words.
    n_clusters
        K; the published experiments are quoted with 600.
    method
        ``"kmeans"`` with scikit-learn's defaults, ``"ward"`` (agglomerative, Euclidean; its memory
        grows with the square of the points) or ``"minibatch"`` for many points.
    n_init
        Starts of K-means of which the best is kept; ``"auto"`` is one, 10 was the default of
        scikit-learn before 1.4. Ward has none.
    seed
        ``random_state``; the released code has 212. Ward needs none.

    Returns
    -------
    ``(point,)`` from 0 to ``n_clusters`` − 1.

    Raises
    ------
    ValueError
        For another method, values that are not finite, fewer than one cluster, or more of them
        than there are distinct points.

    References
    ----------
    Mousi et al. 2024. The released code runs K-means and drops the last vector through a slice;
    the text's ancestors (Dalvi et al. 2022) are agglomerative. Here K-means, of all vectors.

    Examples
    --------
    >>> labels = discover([[0.0], [0.1], [5.0], [5.1]], 2)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """
    X = _check(points, n_clusters, method)
    return _cluster(X, n_clusters, method, n_init, seed)


def sweep(
    points: ArrayLike,
    ks: Sequence[int],
    *,
    seeds: int = 3,
    method: str = "kmeans",
    seed: int = 0,
    scores: Mapping[str, Score] | None = None,
) -> pd.DataFrame:
    """How much does the number of clusters decide, and do clusters come out the same twice?

    Parameters
    ----------
    points
        ``(point, feature)``.
    ks
        Numbers of clusters to try.
    seeds
        Clusterings of each, from ``seed`` on.
    scores
        Further figures of a clustering by name: functions of its labels, such as a share of
        overlapping clusters.

    Returns
    -------
    One row a number of clusters: ``K``, ``inertia`` (sum of squared distances to the cluster's
    mean, mean over seeds), ``stability`` (adjusted Rand index, mean over pairs of seeds; NaN for
    Ward, which has no seed, and for one seed), ``chance`` 0 of that index, and the scores' means.

    Raises
    ------
    ValueError
        As :func:`discover`; without numbers of clusters, or fewer than one seed.

    References
    ----------
    Hubert and Arabie 1985, "Comparing partitions" (the adjusted index).
    """
    if not len(ks) or seeds < 1:
        raise ValueError(f"got {len(ks)} numbers of clusters and {seeds} seeds; expected some")
    X = _check(points, max(ks), method)
    rows = []
    for k in ks:
        _check_count(int(k))
        # Ward gives the same clusters whatever the seed.
        starts = range(seed, seed + (1 if method == "ward" else seeds))
        made = [_cluster(X, int(k), method, "auto", start) for start in starts]
        row = {"K": int(k), "inertia": float(np.mean([_inertia(X, labels) for labels in made]))}
        row |= {"stability": stability(made), "chance": 0.0}
        for name, score in (scores or {}).items():
            row[name] = float(np.mean([score(labels) for labels in made]))
        rows.append(row)
    return pd.DataFrame(rows)


def stability(clusterings: Sequence[Labels]) -> float:
    """Adjusted Rand index, mean over pairs of clusterings of the same points; chance is 0.

    NaN for fewer than two clusterings.
    """
    from sklearn.metrics import adjusted_rand_score

    pairs = list(combinations(clusterings, 2))
    if not pairs:
        return float("nan")
    return float(np.mean([adjusted_rand_score(a, b) for a, b in pairs]))


def cluster_words(
    words: Sequence[str] | NDArray,
    labels: ArrayLike,
    languages: Sequence[str] | NDArray | None = None,
    *,
    n: int = 10,
) -> pd.DataFrame:
    """The words of each cluster, for a human to read.

    Parameters
    ----------
    words, labels, languages
        ``(point,)`` word, cluster and, where clusters hold several, language of each point.
    n
        Words shown of a cluster and language, the most frequent first.

    Returns
    -------
    One row a cluster (and language in it): ``cluster lang size types words``; ``size`` counts
    occurrences, ``types`` word types, and ``words`` is one text, parted by commas. ``lang`` is
    left out where no languages are given.
    """
    labels = np.asarray(labels)
    if len(words) != len(labels) or (languages is not None and len(languages) != len(labels)):
        raise ValueError(
            f"got {len(words)} words, {len(labels)} labels"
            + (f", {len(languages)} languages" if languages is not None else "")
            + "; expected equal numbers"
        )
    if n < 1:
        raise ValueError(f"got n={n}; expected at least one word to show")
    table = pd.DataFrame({"cluster": labels})
    if languages is not None:
        table["lang"] = np.asarray(languages)
    keys = list(table.columns)
    table["word"] = np.asarray(words)
    counts = table.value_counts(sort=False).rename("count").reset_index()
    counts = counts.sort_values(
        [*keys, "count", "word"], ascending=[*(True for _ in keys), False, True]
    )
    of = counts.groupby(keys, sort=True)
    found = of["count"].agg(size="sum", types="size")
    return found.assign(words=of["word"].agg(lambda own: ", ".join(own.head(n)))).reset_index()


def _check(points: ArrayLike, n_clusters: int, method: str) -> NDArray:
    X = np.asarray(points)
    if method not in METHODS:
        raise ValueError(f"got method {method!r}; valid are {', '.join(METHODS)}")
    if X.ndim != 2 or 0 in X.shape or X.dtype.kind not in "fiu":
        raise ValueError(
            f"got points of shape {X.shape} and dtype {X.dtype}; expected numbers, (point, feature)"
        )
    wrong = np.flatnonzero(~np.isfinite(X).all(1))
    if len(wrong):
        raise ValueError(
            f"got {len(wrong)} points that are not finite, the first in row {wrong[0]}; "
            "expected finite numbers"
        )
    _check_count(n_clusters)
    distinct = len(X) if n_clusters == 1 else _distinct(X)
    if n_clusters > distinct:
        raise ValueError(
            f"got {n_clusters} clusters for {len(X)} points, {distinct} of them distinct; "
            f"expected at most {distinct}"
        )
    return X if X.dtype.kind == "f" and X.dtype.itemsize >= 4 else X.astype(np.float32)


def _check_count(n_clusters: int) -> None:
    if n_clusters < 1:
        raise ValueError(f"got {n_clusters} clusters; expected at least 1")


def _distinct(X: NDArray) -> int:
    """Rows that differ, compared as bytes: far quicker than column by column."""
    rows = np.ascontiguousarray(X + 0)  # −0 becomes 0
    return len(np.unique(rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))))


@cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _cluster(X: NDArray, k: int, method: str, n_init: int | str, seed: int) -> Labels:
    from sklearn.cluster import AgglomerativeClustering, KMeans, MiniBatchKMeans

    model: Any
    if method == "ward":
        model = AgglomerativeClustering(n_clusters=k, linkage="ward")
    elif method == "minibatch":
        model = MiniBatchKMeans(n_clusters=k, n_init=n_init, random_state=seed)
    else:
        model = KMeans(n_clusters=k, n_init=n_init, random_state=seed)
    # On few points, threads that wait for each other cost twenty times the work.
    threads = 1 if len(X) * k < ALONE else None
    with _threads().limit(limits=threads, user_api="openmp"):
        return model.fit_predict(X).astype(np.intp)


def _inertia(X: NDArray, labels: Labels) -> float:
    """Sum of squared distances of the points to their cluster's mean."""
    order = np.argsort(labels, kind="stable")
    _, first, sizes = np.unique(labels[order], return_index=True, return_counts=True)
    centred = X.astype(float) - X.mean(0, dtype=float)
    sums = np.add.reduceat(centred[order], first, axis=0)
    return float((centred**2).sum() - ((sums**2).sum(1) / sizes).sum())
