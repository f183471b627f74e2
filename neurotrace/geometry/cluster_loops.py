"""How many words of each cluster have a translation in each other one, counted word by word."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Rows = tuple[NDArray[np.intp], NDArray[np.intp]]


@njit(cache=True, nogil=True)
def matched_words(
    source: Rows,
    links: NDArray[np.intp],
    target: Rows,
    order: NDArray[np.intp],
    n_targets: int,
) -> NDArray[np.int32]:
    """``(source cluster, target cluster)`` source words with a translation in the target cluster.

    Only the clusters that hold a translation are touched, so that the cost grows with words and
    not with pairs of clusters.

    Parameters
    ----------
    source
        Where each source cluster's words begin, and the words, cluster by cluster.
    links
        ``(source word, n)`` target words; −1 where there is none.
    target
        Where each target word's clusters begin, and the clusters, word by word.
    order
        ``(target word,)`` in whose place each target word stands: a permutation.
    """
    starts, words = source
    target_starts, clusters = target
    counts = np.zeros((len(starts) - 1, n_targets), dtype=np.int32)
    seen = np.full(n_targets, -1)
    for cluster in range(len(starts) - 1):
        for at in range(starts[cluster], starts[cluster + 1]):
            for link in links[words[at]]:
                if link < 0:
                    continue
                place = order[link]
                for to in range(target_starts[place], target_starts[place + 1]):
                    other = clusters[to]
                    # Two translations in one cluster match the word once.
                    if seen[other] != at:
                        seen[other] = at
                        counts[cluster, other] += 1
    return counts
