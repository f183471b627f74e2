"""False discovery rates: which of many p-values may be called, and what share of calls is wrong.

The family is what is handed in: all p-values of one array, whatever its axes, are corrected as
one. Say with a result which family it was, "concept × language × layer of one checkpoint" for
instance. Correcting each concept by itself promises its share of false calls for each concept
alone, and finds more where signals crowd; taking all together promises it for the whole list. A
family must not be chosen after a look at the p-values, as by keeping each concept's best layer.

Benjamini and Hochberg's procedure keeps its promise where tests are independent or positively
dependent, as neurons that respond alike are when one tail is tested. Benjamini and Yekutieli's
keeps it under any dependence and pays a factor of 1 + 1/2 + … + 1/m, about 18 for 3·10⁷ tests.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """At which false discovery rate would each test just be called?

    q_(i) = min over j >= i of m p_(j) / j

    Call what has q <= α: the expected share of false calls among all calls is at most α where the
    tests are independent or positively dependent.

    Parameters
    ----------
    p : array of any shape
        p-values of one family. NaN marks tests that were not made: they stay NaN and do not count
        towards m.

    Returns
    -------
    Adjusted p-values, same shape, float64

    Raises
    ------
    ValueError
        Values outside 0 … 1.

    References
    ----------
    Benjamini, Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x; here NaN is left out, not
    refused.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, float("nan")]).round(3)
    array([0.03, 0.04, 0.04,  nan])
    """
    return _step_up(_check_p(p), any_dependence=False)


def benjamini_yekutieli(p: ArrayLike) -> Floats:
    """`benjamini_hochberg` that holds under any dependence between the tests.

    q_(i) = min over j >= i of c m p_(j) / j,  c = 1 + 1/2 + … + 1/m, at most 1

    Parameters
    ----------
    p : array of any shape
        p-values of one family; NaN as in `benjamini_hochberg`.

    Returns
    -------
    Adjusted p-values, same shape, float64

    Raises
    ------
    ValueError
        Values outside 0 … 1.

    References
    ----------
    Benjamini, Yekutieli 2001, doi:10.1214/aos/1013699998.

    Examples
    --------
    >>> benjamini_yekutieli([0.01, 0.04, 0.03]).round(3)
    array([0.055, 0.073, 0.073])
    """
    return _step_up(_check_p(p), any_dependence=True)


def _step_up(p: Floats, *, any_dependence: bool) -> Floats:
    made = ~np.isnan(p)
    m = int(made.sum())
    adjusted = np.full(p.shape, np.nan)
    if m == 0:
        return adjusted
    values = p[made]
    order = np.argsort(values)
    cost = float((1 / np.arange(1, m + 1)).sum()) if any_dependence else 1.0
    # Downwards: a test is called whenever a larger p-value is.
    steps = values[order] * (cost * m / np.arange(1, m + 1))
    values[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    adjusted[made] = values
    return adjusted


def _check_p(p: ArrayLike) -> Floats:
    values = np.asarray(p, np.float64)
    with np.errstate(invalid="ignore"):
        outside = (values < 0) | (values > 1)
    if outside.any():
        where = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"got a p-value of {values[where]:.6g} at {where}, expected 0 to 1, or NaN for no test"
        )
    return values
