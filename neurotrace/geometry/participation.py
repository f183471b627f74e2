"""In how many directions does a population of neurons vary? A pure function over responses."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import refuse_not_finite

BLOCKS = 10  # parts that the sentences are divided into
FEWEST = 4  # blocks, two groups each, below which nothing is estimated


class Participation(NamedTuple):
    """A participation ratio and its jackknife interval.

    Attributes
    ----------
    value : effective number of directions, in neurons
    low, high : value ± 1.96 jackknife standard errors over blocks of groups
    """

    value: float
    low: float
    high: float


def participation_ratio(
    X: ArrayLike,
    *,
    lang: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> float:
    """Effective number of dimensions of neurons over sentences.

    (Σ λ)² / Σ λ² with λ the eigenvalues of the covariance matrix S: 1 where one direction carries
    all variance, the number of neurons where all vary alike and independently. Without eigenvalues
    it is (tr S)² / tr S². The plain estimate is too low for few sentences (for independent
    Gaussians tr S² is too large by about (tr S)² / sentences), so both parts are formed from pairs
    of disjoint blocks of sentences, mean over a ≠ b of tr S_a tr S_b and of tr S_a S_b. Each part
    is without bias whatever the distribution; what remains is the bias of a ratio, of the order of
    1 / sentences.

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    lang : (example,)
        Languages; responses are centred within each, so that language means do not count. None
        centres all sentences together, and then differences between languages are directions, too.
    groups : (example,)
        Ids that translations share; none lies in two blocks. None takes rows as independent.
    seed
        Of the division into ten blocks (fewer where there are fewer than twenty groups).

    Returns
    -------
    The ratio, NaN where nothing varies, or so little that the estimate of tr S² is not above 0.

    Raises
    ------
    ValueError
        Arrays that do not fit, values that are not finite, or fewer than eight groups.

    References
    ----------
    Gao, Trautmann, Yu, Santhanam, Ryu, Shenoy, Ganguli 2017, doi:10.1101/214262; there from all
    sentences at once, here from pairs of blocks.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one = rng.standard_normal((400, 1)) * np.ones(20)
    >>> round(participation_ratio(one), 3)
    1.0
    >>> bool(abs(participation_ratio(rng.standard_normal((400, 20))) - 20) < 2)
    True
    """
    return participation_interval(X, lang=lang, groups=groups, seed=seed).value


def participation_interval(
    X: ArrayLike,
    *,
    lang: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> Participation:
    """The participation ratio with an interval, which leaves out each block of sentences once.

    Parameters and errors as for :func:`participation_ratio`. The interval is symmetric on the log
    scale, from the delete-one-block jackknife; it covers other sentences of the same kind.
    """
    rows, language, block = _checked(X, lang, groups, seed)
    traces, products = _blocks(rows, language, block)
    both = np.array([_mean_over_pairs(part) for part in (np.outer(traces, traces), products)])
    value = _ratio(both)
    n = len(traces)
    without = np.empty(n)
    for left in range(n):
        kept = np.delete(np.arange(n), left)
        parts = (np.outer(traces[kept], traces[kept]), products[np.ix_(kept, kept)])
        without[left] = _ratio(np.array([_mean_over_pairs(part) for part in parts]))
    spread = np.log(without) - np.log(without).mean()
    error = np.sqrt((n - 1) / n * (spread**2).sum())
    return Participation(
        value, float(value * np.exp(-1.96 * error)), float(value * np.exp(1.96 * error))
    )


def _checked(
    X: ArrayLike, lang: ArrayLike | None, groups: ArrayLike | None, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Rows, the number of each row's language, and of its block."""
    rows = np.asarray(X)
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "fiub":
        raise ValueError(f"got X of shape {rows.shape}; expected numbers (example, neuron)")
    rows = rows.astype(np.float64)
    refuse_not_finite("X", rows)
    given = {
        "lang": np.zeros(len(rows), int) if lang is None else np.asarray(lang),
        "groups": np.arange(len(rows)) if groups is None else np.asarray(groups),
    }
    for name, ids in given.items():
        if ids.shape != (len(rows),):
            raise ValueError(f"got {name} of shape {ids.shape}; expected ({len(rows)},)")
    language, group = (np.unique(ids, return_inverse=True)[1] for ids in given.values())
    n_groups = int(group.max()) + 1
    n_blocks = min(BLOCKS, n_groups // 2)
    if n_blocks < FEWEST:
        raise ValueError(f"got {n_groups} groups; expected at least {2 * FEWEST}")
    place = np.random.default_rng([seed, 43]).permutation(n_groups) % n_blocks
    return rows, language, place[group]


def _blocks(
    rows: NDArray[np.float64], language: NDArray[np.intp], block: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """tr S_a of every block and tr S_a S_b of every pair, with S centred within languages."""
    centred, freedom = [], []
    for number in range(int(block.max()) + 1):
        inside = block == number
        own, kind = rows[inside], np.unique(language[inside], return_inverse=True)[1]
        counts = np.bincount(kind)
        means = np.zeros((len(counts), own.shape[1]))
        np.add.at(means, kind, own)
        centred.append(own - (means / counts[:, None])[kind])
        freedom.append(max(len(own) - len(counts), 1))
    of = np.array(freedom, float)
    traces = np.array([(part**2).sum() for part in centred]) / of
    return traces, _products(centred) / np.outer(of, of)


def _products(centred: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """‖A_a A_bᵀ‖² of every pair of blocks, by whichever of its two forms is smaller."""
    n_rows, n_neurons = sum(map(len, centred)), centred[0].shape[1]
    if n_neurons <= n_rows:
        scatter = np.stack([(part.T @ part).ravel() for part in centred])
        return scatter @ scatter.T
    starts = np.concatenate([[0], np.cumsum([len(part) for part in centred])])[:-1]
    joined = np.concatenate(centred)
    squared = (joined @ joined.T) ** 2
    return np.add.reduceat(np.add.reduceat(squared, starts, axis=0), starts, axis=1)


def _mean_over_pairs(table: NDArray[np.float64]) -> float:
    n = len(table)
    return float((table.sum() - np.trace(table)) / (n * (n - 1)))


def _ratio(parts: NDArray[np.float64]) -> float:
    above, below = parts
    return float(above / below) if below > 0 else float("nan")
