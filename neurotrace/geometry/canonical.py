"""Which directions do two representations share? Cosines of canonical angles, and their null."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.similarity import paired

NODES = 4096  # of the quadrature over the limiting spectrum


def canonical_cosines(A: ArrayLike, B: ArrayLike, *, center: bool = True) -> NDArray[np.float64]:
    """Cosines of the angles between the column spaces of two paired matrices, all of them.

    The singular values of ``Q_Aᵀ Q_B`` with Q orthonormal bases of the columns: 1 for a direction
    over the rows that both have, 0 for one that the other lacks. With centred columns they are the
    canonical correlations. Invariant to any invertible map of either side's features.

    *Eats* pair, feature → *leaves* k, descending.

    Parameters
    ----------
    A, B
        ``(pair, feature)``, of any two widths; for instance embeddings of common tokens.
    center
        Take each column's mean off. Without, as published, a mean that both sides have counts as
        a common direction, and the largest cosine is near 1 for it alone.

    Returns
    -------
    As many as the smaller of the two ranks; columns that others already span add none.
    None at all where a side is constant.

    Raises
    ------
    ValueError
        Other shapes, values that are not finite, or fewer than two pairs.

    References
    ----------
    Björck and Golub 1973; Wen-Yi and Mimno 2023, arXiv:2311.18034, who report the largest alone
    and without centring; here the whole spectrum, centred by default.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((50, 3))
    >>> canonical_cosines(A, A[:, :2] + 5).round(6).tolist()
    [1.0, 1.0]
    """
    bases = [_basis(M - M.mean(0) if center else M, M) for M in paired(A, B)]
    if not min(basis.shape[1] for basis in bases):
        return np.zeros(0)
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return np.clip(cosines, 0.0, 1.0)


def canonical_cosines_null(n: int, p: int, q: int) -> tuple[float, float]:
    """Between which edges do the cosines of unrelated spaces lie, for many rows?

    The edges for random p- and q-dimensional subspaces of n dimensions,
    ``|√(p/n · (1−q/n)) ± √(q/n · (1−p/n))|``. Finite samples stay just within. Where p + q exceeds
    n the spaces must meet, and the upper edge is 1. With centred columns n is the rows minus one.

    Raises
    ------
    ValueError
        When p or q is not within 1 and n.

    References
    ----------
    Wachter 1980, Annals of Statistics 8; Wen-Yi and Mimno 2023 compare with one random matrix.

    Examples
    --------
    >>> low, high = canonical_cosines_null(105_000, 512, 512)
    >>> low, round(high, 3)
    (0.0, 0.139)
    """
    a, b = _shares(n, p, q)
    one, other = np.sqrt(a * (1 - b)), np.sqrt(b * (1 - a))
    return float(abs(one - other)), 1.0 if p + q > n else float(one + other)


def mean_squared_cosine_null(n: int, p: int, q: int) -> float:
    """Mean squared cosine of random p- and q-dimensional subspaces of n dimensions, exact.

    ``max(p, q) / n``: of pq / n in all, shared out over the smaller number of cosines.

    >>> mean_squared_cosine_null(1000, 50, 20)
    0.05
    """
    return max(_shares(n, p, q))


def mean_cosine_null(n: int, p: int, q: int) -> float:
    """Mean cosine of random p- and q-dimensional subspaces of n dimensions, for many rows.

    By quadrature over the limiting law of the squared cosines, with the share
    ``(p + q − n) / min(p, q)`` at 1 where the spaces must meet.

    >>> round(mean_cosine_null(8000, 1, 4000), 3)  # a line and half of the space: √½
    0.707
    """
    a, b = _shares(n, p, q)
    one, other = np.sqrt(a * (1 - b)), np.sqrt(b * (1 - a))
    low, high = (one - other) ** 2, (one + other) ** 2
    angle = (np.arange(NODES) + 0.5) * np.pi / NODES
    squared = np.clip((low + high) / 2 + (high - low) / 2 * np.cos(angle), 1e-300, 1 - 1e-16)
    weight = np.sin(angle) ** 2 / (squared * (1 - squared))
    forced = max(a + b - 1, 0.0) / min(a, b)
    if not weight.sum() or high - low < 1e-15:
        return float(forced + (1 - forced) * np.sqrt((low + high) / 2))
    return float(forced + (1 - forced) * np.average(np.sqrt(squared), weights=weight))


def _shares(n: int, p: int, q: int) -> tuple[float, float]:
    if not (1 <= p <= n and 1 <= q <= n):
        raise ValueError(f"got p={p}, q={q} for n={n}; expected both within 1 and n")
    return p / n, q / n


def _basis(M: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal columns that span those of M, each column counted at its own scale."""
    length = np.linalg.norm(M, axis=0)
    # Centring leaves rounding of a constant column; its direction means nothing.
    rounding = 16 * np.finfo(float).eps * np.linalg.norm(given, axis=0)
    kept = length > rounding
    Q, R = np.linalg.qr(M[:, kept] / length[kept])
    if not R.size:
        return Q
    U, sizes, _ = np.linalg.svd(R)
    rank = int((sizes > max(M.shape) * np.finfo(float).eps * sizes[0]).sum())
    return Q if rank == Q.shape[1] else Q @ U[:, :rank]
