"""How alike are two representations of the same sentences? Linear CKA, with its chance exact."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import check_count, refuse_not_finite

FEWEST = 4  # pairs below which nothing can be debiased
STREAM = 61
ROWS = 64  # of Gram matrices that are multiplied at a time

Matrix = NDArray[np.float64]


class CKACalibration(NamedTuple):
    """Linear CKA beside what unrelated rows give.

    Attributes
    ----------
    value : biased CKA, as published; 0 to 1
    debiased : 0 on average for unrelated rows, 1 for equal ones
    chance : mean of the biased value over all orders of the rows, exact
    calibrated : (value − chance) / (1 − chance)
    p : share of drawn orders (this one among them) with a biased value as large; NaN without any
    z : value − chance, in standard deviations over all orders, exact
    """

    value: float
    debiased: float
    chance: float
    calibrated: float
    p: float
    z: float


class Centred(NamedTuple):
    """One side of a comparison, prepared once for many.

    Attributes
    ----------
    matrix : (pair, feature) with columns of mean 0, or their Gram matrix (pair, pair)
    squares : (pair,) squared length of each row
    own : squared Frobenius norm of the Gram matrix
    gram : which of the two ``matrix`` is
    """

    matrix: Matrix
    squares: Matrix
    own: float
    gram: bool


class Alikeness(NamedTuple):
    """Biased and debiased CKA, and the chance of the biased one."""

    biased: float
    debiased: float
    chance: float


def cka(A: ArrayLike, B: ArrayLike, *, debiased: bool = True) -> float:
    """How alike are two representations, up to rotation, scale and shift?

    With columns centred, ``CKA = ‖AᵀB‖² / (‖AᵀA‖ · ‖BᵀB‖)`` in Frobenius norms. Of independent
    noise that is about features / (features + pairs), not 0. Debiased, each ``‖AᵀB‖²`` becomes
    ``‖AᵀB‖² − n/(n−2) · Σ ‖a‖²‖b‖² + Σ‖a‖² · Σ‖b‖² / ((n−1)(n−2))`` over the n rows a, b, and
    unrelated rows score 0 on average; single values may lie below.

    *Eats* pair, feature → *leaves* nothing. Computed in feature space or from the two
    (pair, pair) Gram matrices, whichever is less work; they agree to rounding.

    Parameters
    ----------
    A, B
        ``(pair, feature)``; row i of B belongs to row i of A. The widths may differ.
    debiased
        False gives the published, biased value.

    Returns
    -------
    The similarity, 1 for equal; NaN where a side does not vary.

    Raises
    ------
    ValueError
        Other shapes, values that are not finite, or too few pairs (four, or two if biased).

    References
    ----------
    Kornblith, Norouzi, Lee, Hinton 2019, arXiv:1905.00414; debiased after Székely and Rizzo 2014.
    Philippy, Guo, Haddadan 2023 give the formula in feature space and release code that forms
    (pair, pair) Gram matrices, biased; equal, and here debiased by default.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A, B = rng.standard_normal((2, 100, 768))
    >>> round(cka(A, B, debiased=False), 2), round(abs(cka(A, B)), 1)
    (0.89, 0.0)
    """
    one, other = paired(A, B, fewest=FEWEST if debiased else 2)
    found = alikeness(*_prepared(one, other))
    return found.debiased if debiased else found.biased


def cka_calibrated(
    A: ArrayLike, B: ArrayLike, *, permutations: int = 100, seed: int = 0
) -> CKACalibration:
    """How much more alike are two representations than unrelated ones of the same spectra?

    Chance is the mean of biased CKA when the rows of B are put into any order. It needs no draws:
    it is ``tr K tr L / ((n−1) ‖K‖ ‖L‖)`` for the centred Gram matrices K and L of n rows. Drawn
    orders serve p alone.

    *Eats* pair, feature → *leaves* nothing.

    Parameters
    ----------
    A, B
        As for :func:`cka`.
    permutations
        Orders drawn for p; 0 leaves p NaN.

    Raises
    ------
    ValueError
        As :func:`cka`, or for a negative number of permutations.

    References
    ----------
    Gröger et al. 2026, arXiv:2602.14486, who estimate the null from draws and clip at 0; here the
    mean is exact and nothing is clipped. Its moments, for CKA under its older name RV: Kazi-Aoual,
    Hitier, Sabatier, Lebreton 1995.
    """
    check_count("permutations", permutations)
    one, other = _prepared(*paired(A, B, fewest=FEWEST))
    found = alikeness(one, other)
    calibrated = calibrate(found.biased, found.chance)
    spread = _permutation_sd(one, other)
    z = (found.biased - found.chance) / spread if spread > 0 else np.nan
    p = _permutation_p(one, other, permutations, seed)
    return CKACalibration(*found, calibrated, p, float(z))


def calibrate(value: float, chance: float) -> float:
    """``(value − chance) / (1 − chance)``, never clipped; NaN where chance is already 1."""
    return (value - chance) / (1 - chance) if 1 - chance > 1e-12 else np.nan


def paired(A: ArrayLike, B: ArrayLike, *, fewest: int = 2) -> tuple[Matrix, Matrix]:
    """Two checked float64 matrices (pair, feature) with as many rows, of any widths."""
    one, other = np.asarray(A), np.asarray(B)
    if one.ndim != 2 or other.ndim != 2 or len(one) != len(other) or 0 in one.shape + other.shape:
        raise ValueError(
            f"got A of shape {one.shape} and B of shape {other.shape}; "
            "expected two matrices (pair, feature) with as many rows"
        )
    if len(one) < fewest:
        raise ValueError(f"got {len(one)} pairs; expected at least {fewest}")
    for name, M in (("A", one), ("B", other)):
        if M.dtype.kind not in "fiub":
            raise ValueError(f"got {name} of dtype {M.dtype}; expected finite numbers")
        refuse_not_finite(name, M)
    return one.astype(np.float64, copy=False), other.astype(np.float64, copy=False)


def centred(A: Matrix, *, gram: bool) -> Centred:
    """A side of many comparisons, without its mean; by its Gram matrix or in feature space."""
    rows = A - A.mean(0)
    # A constant column leaves rounding behind, which is no variance.
    still = np.flatnonzero(A[0] == A[-1])
    rows[:, still[(A[:, still] == A[0, still]).all(0)]] = 0.0
    product = rows @ rows.T if gram else rows.T @ rows
    squares = product.diagonal().copy() if gram else np.einsum("pf,pf->p", rows, rows)
    return Centred(product if gram else rows, squares, float(np.vdot(product, product)), gram)


def reordered(side: Centred, order: NDArray[np.intp]) -> Centred:
    """The same states with their rows in another order."""
    matrix = side.matrix[order]
    matrix = matrix[:, order] if side.gram else matrix
    return side._replace(matrix=matrix, squares=side.squares[order])


def alikeness(one: Centred, other: Centred, *, cross: float | None = None) -> Alikeness:
    """Biased and debiased CKA of two sides prepared alike, and the exact chance of the biased.

    ``cross`` is their ‖AᵀB‖², where :func:`crosses` has it.
    """
    if one.own == 0 or other.own == 0:
        return Alikeness(np.nan, np.nan, np.nan)
    cross = _cross(one, other) if cross is None else cross
    size, n = np.sqrt(one.own * other.own), len(one.squares)
    chance = one.squares.sum() * other.squares.sum() / ((n - 1) * size)
    return Alikeness(float(cross / size), _debiased(one, other, cross), float(chance))


def crosses(ones: Sequence[Centred], others: Sequence[Centred]) -> Matrix:
    """``(one, other)`` ‖AᵀB‖² of every two sides that are Gram matrices, as one product."""
    n, found = len(ones[0].squares), np.zeros((len(ones), len(others)))
    for first in range(0, n, ROWS):  # some rows at a time, or all Gram matrices would be copied
        left = np.stack([side.matrix[first : first + ROWS].ravel() for side in ones])
        right = left
        if others is not ones:
            right = np.stack([side.matrix[first : first + ROWS].ravel() for side in others])
        found += left @ right.T
    return found


def gram_is_less_work(n: int, p: int, q: int) -> bool:
    """Two symmetric (n, n) products, or the three of feature space."""
    return n * (p + q) < p * p + q * q + 2 * p * q


def _prepared(A: Matrix, B: Matrix) -> tuple[Centred, Centred]:
    gram = gram_is_less_work(len(A), A.shape[1], B.shape[1])
    return centred(A, gram=gram), centred(B, gram=gram)


def _cross(one: Centred, other: Centred) -> float:
    """``‖AᵀB‖²``, which is also the inner product of the Gram matrices."""
    if one.gram:
        return float(np.vdot(one.matrix, other.matrix))
    product = one.matrix.T @ other.matrix
    return float(np.vdot(product, product))


def _debiased(one: Centred, other: Centred, cross: float) -> float:
    if len(one.squares) < FEWEST:
        return np.nan
    sides = [_without_bias(side, side, side.own) for side in (one, other)]
    # A side that only its own bias makes up is a constant off the diagonal: nothing is known.
    if any(part <= 1e-12 * side.own for part, side in zip(sides, (one, other), strict=True)):
        return np.nan
    return _without_bias(one, other, cross) / float(np.sqrt(sides[0] * sides[1]))


def _without_bias(one: Centred, other: Centred, cross: float) -> float:
    n, a, b = len(one.squares), one.squares, other.squares
    return float(cross - n / (n - 2) * (a @ b) + a.sum() * b.sum() / ((n - 1) * (n - 2)))


def _permutation_sd(one: Centred, other: Centred) -> float:
    """Standard deviation of biased CKA over all orders of the rows of one side."""
    n = len(one.squares)
    if one.own == 0 or other.own == 0:
        return np.nan
    free, skew = zip(*(_spectrum(side) for side in (one, other)), strict=True)
    plain = 2 * free[0] * free[1] / ((n + 1) * (n - 1) ** 2 * (n - 2))
    uneven = skew[0] * skew[1] / (n * (n + 1) * (n - 1) * (n - 2) * (n - 3))
    return float(np.sqrt(max(plain + uneven, 0.0)))


def _spectrum(side: Centred) -> tuple[float, float]:
    """Directions that the spectrum leaves free, and how unevenly rows carry the variance."""
    n = len(side.squares)
    directions = side.squares.sum() ** 2 / side.own
    uneven = n * (n + 1) * (side.squares @ side.squares) / side.own
    return float(n - 1 - directions), float(uneven - (n - 1) * (directions + 2))


def _permutation_p(one: Centred, other: Centred, permutations: int, seed: int) -> float:
    if not permutations or one.own == 0 or other.own == 0:
        return np.nan
    rng = np.random.default_rng([seed, STREAM])
    at = _cross(one, other)
    orders = (rng.permutation(len(one.squares)) for _ in range(permutations))
    drawn = np.array([_cross(one, reordered(other, order)) for order in orders])
    return float((1 + (drawn >= at * (1 - 1e-12)).sum()) / (1 + permutations))
