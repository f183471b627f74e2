"""Is a sentence's translation its nearest neighbour in the other language?"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import check_count, refuse_not_finite

BLOCK = 2_000_000  # cosines held at a time

Matrix = NDArray[np.floating]


def retrieval(A: ArrayLike, B: ArrayLike, *, k: int = 1, center: bool = True) -> float:
    """Share of sentences whose translation is among the k nearest of the other language.

    Both directions are searched, from A among the rows of B and from B among the rows of A, and
    averaged. Nearness is the cosine. Where others are exactly as near as the translation, the hit
    counts with the probability that a random order of the ties puts it among the first k; equal
    rows, as parallel corpora have them, are therefore neither lost nor won. A row of zeros is as
    near to everything, and scores chance.

    Chance, for unrelated rows, is k / n.

    Eats `pair` and `feature`.

    Parameters
    ----------
    A, B : (pair, feature)
        Row i of B is the translation of row i of A.
    k
        Rows in which the translation may be.
    center
        Subtract each language's mean first. It carries the language itself, which otherwise
        dominates every cosine.

    Returns
    -------
    float, a fraction

    Raises
    ------
    ValueError
        Other shapes, values that are not finite, fewer than two pairs, or k outside 1 … pairs.

    References
    ----------
    Artetxe and Schwenk 2019, "Massively multilingual sentence embeddings", arXiv:1812.10464
    (similarity search); here centred by default, in both directions, with ties shared out.

    Examples
    --------
    >>> retrieval([[1, 0], [0, 1], [-1, -1]], [[2, 0], [0, 3], [-1, -2]])
    1.0
    """
    A, B = _check_pairs(A, B)
    check_count("k", k, least=1)
    if k > len(A):
        raise ValueError(f"got k={k} for {len(A)} pairs; expected 1 to {len(A)}")
    A, B = (_unit_rows(M - M.mean(0) if center else M) for M in (A, B))
    return 0.5 * (_hits(A, B, k) + _hits(B, A, k))


def mexa(A: ArrayLike, B: ArrayLike) -> float:
    """Share of sentences that lie nearer to their translation than to any other, both ways.

    A pair counts when its cosine is strictly greater than every other of its row (from A among
    the rows of B) and of its column. What is as near as the translation up to rounding is a tie,
    and a tie does not count; nor does a row of zeros, which has no direction. States that have
    collapsed, to zeros or to one and the same row, therefore score 0, below :func:`mexa_chance`
    (:func:`retrieval` gives them chance); of two equal rows with equal translations neither
    counts.

    Eats `pair` and `feature`.

    Parameters
    ----------
    A, B : (pair, feature)
        Row i of B is the translation of row i of A.

    Returns
    -------
    float, a fraction

    Raises
    ------
    ValueError
        Other shapes, values that are not finite, or fewer than two pairs.

    References
    ----------
    Kargaran et al. 2024, "MEXA: Multilingual Evaluation of English-Centric LLMs via Cross-Lingual
    Alignment". The released code compares cell by cell, where rounding decides between equal rows;
    it takes the first 100 sentences, English as the pivot, and states pooled by the last token or
    by weights that grow with the position: what stands in A and B is the caller's choice.

    Examples
    --------
    >>> mexa([[1, 0], [0, 1], [-1, -1]], [[2, 0], [0, 3], [-1, -2]])
    1.0
    """
    A, B = (_unit_rows(M) for M in _check_pairs(A, B))
    own = np.einsum("pf,pf->p", A, B)
    rounding = 16 * np.finfo(A.dtype).eps
    wins = np.ones(len(A), dtype=bool)
    step = max(1, BLOCK // len(B))
    for first in range(0, len(A), step):
        here = slice(first, first + step)
        strike_out(A[here] @ B.T, first, own - rounding, wins)
    return float(wins.mean())


def mexa_chance(n: int) -> float:
    """What MEXA gives for n unrelated pairs: a pair must beat 2n − 2 others, so 1 / (2n − 1).

    >>> mexa_chance(2) == 1 / 3
    True
    """
    if n < 2:
        raise ValueError(f"got {n} pairs; expected at least 2")
    return 1 / (2 * n - 1)


@njit(nogil=True, cache=True)
def strike_out(cosines: NDArray, first: int, bar: NDArray, wins: NDArray) -> None:
    """Unmark the pairs of which another cosine in their row or column reaches the bar."""
    for r in range(len(cosines)):
        own = first + r
        for c in range(cosines.shape[1]):
            if c != own:
                if cosines[r, c] >= bar[own]:
                    wins[own] = False
                if cosines[r, c] >= bar[c]:
                    wins[c] = False


def _hits(A: Matrix, B: Matrix, k: int) -> float:
    """Share of the rows of A that find their own row of B, a block of cosines at a time."""
    total = 0.0
    step = max(1, BLOCK // len(B))
    # Equal rows differ in their cosines by rounding: that much counts as a tie.
    rounding = 16 * np.finfo(A.dtype).eps
    for first in range(0, len(A), step):
        cosines = A[first : first + step] @ B.T
        rows = np.arange(len(cosines))
        own = cosines[rows, first + rows][:, None]
        nearer = (cosines > own + rounding).sum(1)
        tied = (np.abs(cosines - own) <= rounding).sum(1)  # itself included
        total += np.clip((k - nearer) / tied, 0.0, 1.0).sum()
    return float(total / len(A))


def _unit_rows(M: Matrix) -> Matrix:
    length = np.linalg.norm(M, axis=1, keepdims=True)
    # Centring leaves of a row that equals the mean only rounding, whose direction means nothing.
    nothing = length <= 16 * np.finfo(M.dtype).eps * np.sqrt(M.shape[1]) * np.abs(M).max(initial=0)
    return np.where(nothing, 0.0, M / np.where(nothing, 1.0, length))


def _check_pairs(A: ArrayLike, B: ArrayLike) -> tuple[Matrix, Matrix]:
    A, B = np.asarray(A), np.asarray(B)
    if A.ndim != 2 or A.shape != B.shape or 0 in A.shape:
        raise ValueError(
            f"got A of shape {A.shape} and B of shape {B.shape}; "
            "expected two non-empty (pair, feature) matrices of one shape"
        )
    for name, M in (("A", A), ("B", B)):
        if M.dtype.kind not in "fiub":
            raise ValueError(f"got {name} of dtype {M.dtype}; expected finite numbers")
        refuse_not_finite(name, M)
    if len(A) < 2:
        raise ValueError(f"got {len(A)} pair; expected at least 2")
    return A.astype(np.float64), B.astype(np.float64)
