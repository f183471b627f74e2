"""Calls: which neurons answer to which concept, in which languages, at a stated error rate.

A call is made on some sentences and confirmed on others. Within a language the sentences of a
concept are independent, so each (language, concept, neuron) has a p-value of its own. Across
languages translations depend on one another: p-values of different languages are never
multiplied, only ordered, and "in at least k languages" costs a Bonferroni factor over the
languages that may be missing.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.discoveries import benjamini_hochberg, benjamini_yekutieli

Method = Literal["bh", "by"]

METHODS = {"bh": benjamini_hochberg, "by": benjamini_yekutieli}


class Calls(NamedTuple):
    """What was called, and how.

    Attributes
    ----------
    passes : bool, the shape of the p-values
    q : adjusted p-values: the false discovery rate at which each would just be called; NaN for
        what was not in the family
    alpha : the rate the calls were made at
    method : "bh" or "by"
    family : in words, the tests that were adjusted together
    """

    passes: NDArray[np.bool_]
    q: NDArray[np.float64]
    alpha: float
    method: Method
    family: str


class Served(NamedTuple):
    """The languages in which each neuron serves each concept.

    Attributes
    ----------
    passes : (lang, concept, neuron) bool, the languages named and confirmed
    n_languages : (concept, neuron) how many they are
    p, q : (concept, neuron) p- and q-value of "in at least n_languages" where the call was made,
        NaN where there is none
    q_confirmed : (concept, neuron) q-value of "in all the languages named" on the other sentences
    alpha, method, family : as in `Calls`
    """

    passes: NDArray[np.bool_]
    n_languages: NDArray[np.int64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    q_confirmed: NDArray[np.float64]
    alpha: float
    method: Method
    family: str


def call_experts(
    p: ArrayLike, *, alpha: float = 0.05, method: Method = "bh", among: ArrayLike | None = None
) -> Calls:
    """Which tests pass when all of them together may err at rate `alpha`?

    The family is everything handed in: concepts, languages, layers and neurons of one checkpoint
    are one family when they stand in one array, and several families when called for one by one.

    Parameters
    ----------
    p : (…) p-values
    alpha
        Expected share of false calls among the calls.
    method
        "bh" holds for independent tests and for those that depend positively, as responses of
        neurons that share an input do; "by" for any dependence, at the price of a factor
        1 + 1/2 + … + 1/m.
    among : (…) bool
        Keeps the family to these, such as what other sentences have called.

    Raises
    ------
    ValueError
        p-values outside 0 … 1, an unknown method, an `alpha` outside (0, 1), another shape.

    References
    ----------
    `benjamini_hochberg`, `benjamini_yekutieli`; here the family is stated with the result.

    Examples
    --------
    >>> called = call_experts([[0.001, 0.8], [0.02, 0.6]])
    >>> called.passes.tolist(), called.q.round(3).tolist(), called.family
    ([[True, False], [True, False]], [[0.004, 0.8], [0.04, 0.8]], '4 tests (2 x 2)')
    """
    p = check_p_values(p)
    _check_choice(alpha, method)
    chosen = np.ones(p.shape, bool) if among is None else np.asarray(among)
    if chosen.shape != p.shape or chosen.dtype != bool:
        raise ValueError(
            f"got among of shape {chosen.shape} and dtype {chosen.dtype}, expected bool {p.shape}"
        )
    q = METHODS[method](np.where(chosen, p, np.nan))
    of = " x ".join(str(size) for size in p.shape)
    family = f"{int(chosen.sum())} tests ({of})" if among is None else f"{int(chosen.sum())} tests"
    return Calls(chosen & (q <= alpha), q, alpha, method, family)


def partial_conjunction(p: ArrayLike, *, least: int = 2) -> NDArray[np.float64]:
    """p-value of "false in at least `least` languages", however the languages depend.

    p = max over r <= least of (n - r + 1) p_(r), at most 1, with p_(r) the r-th smallest of the n
    languages; for least = 1 it is Bonferroni's, for least = n the largest p-value.

    Eats `lang`.

    Parameters
    ----------
    p : (lang, …) p-values
    least
        Languages in which the null must be false, 1 … n.

    Raises
    ------
    ValueError
        p-values outside 0 … 1, or another number of languages.

    References
    ----------
    Benjamini & Heller 2008, doi:10.1111/j.1541-0420.2007.00984.x, eq. 4.

    Examples
    --------
    >>> p = [[0.001], [0.01], [0.5], [0.9]]
    >>> partial_conjunction(p).round(3), partial_conjunction(p, least=3).round(3)
    (array([0.03]), array([1.]))
    """
    p = check_p_values(p)
    if p.ndim < 1 or not 1 <= least <= len(p):
        raise ValueError(f"got least={least} for p-values of shape {p.shape}, expected 1 … lang")
    return _conjunctions(np.sort(p, axis=0))[least - 1]


def languages_served(
    p: ArrayLike, confirm: ArrayLike, *, alpha: float = 0.05, method: Method = "bh"
) -> Served:
    """In how many languages does each neuron serve each concept, and in which?

    On the sentences of `p`, "in at least k languages" is called for every k by partial
    conjunction; the family is concept x neuron at each k. The languages named are those with the
    k smallest p-values. On the sentences of `confirm` they are fixed, so that "in all of them"
    is the largest of their p-values, adjusted among what was called. A pair serves the largest k
    up to which every call was made and confirmed.

    Parameters
    ----------
    p, confirm : (lang, concept, neuron)
        p-values from two disjoint halves of the groups of sentences.
    alpha, method
        As for `call_experts`, at every k and on both halves.

    Returns
    -------
    Served
        Among the pairs that serve k languages or more, the expected share of those for which some
        named language is wrong is at most `alpha`.

    Raises
    ------
    ValueError
        Arrays of other or different shapes, and as `call_experts`.
    """
    first, second = check_p_values(p), check_p_values(confirm)
    if first.ndim != 3 or first.shape != second.shape:
        raise ValueError(
            f"got p-values of shape {first.shape} and {second.shape}, "
            "expected (lang, concept, neuron) twice"
        )
    order = np.argsort(first, axis=0, kind="stable")
    conjunctions = _conjunctions(np.take_along_axis(first, order, axis=0))
    # All of the named languages: the largest p-value, since they were named elsewhere.
    worst = np.maximum.accumulate(np.take_along_axis(second, order, axis=0), axis=0)
    n_languages = np.zeros(first.shape[1:], np.int64)
    p_called, q, q_confirmed = (np.full(first.shape[1:], np.nan) for _ in range(3))
    called = confirmed = np.ones(first.shape[1:], bool)
    for k in range(len(first)):
        made = call_experts(conjunctions[k], alpha=alpha, method=method)
        called = called & made.passes
        again = call_experts(worst[k], alpha=alpha, method=method, among=called)
        confirmed = confirmed & again.passes
        n_languages += confirmed
        p_called[confirmed] = conjunctions[k][confirmed]
        q[confirmed], q_confirmed[confirmed] = made.q[confirmed], again.q[confirmed]
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(len(first))[:, None, None], axis=0)
    family = f"{first.shape[1]} concepts x {first.shape[2]} neurons at each number of languages"
    return Served(place < n_languages, n_languages, p_called, q, q_confirmed, alpha, method, family)


def check_p_values(p: ArrayLike) -> NDArray[np.floating]:
    """p as an array of numbers from 0 to 1; NaN is refused."""
    p = np.asarray(p)
    p = p if p.dtype.kind == "f" else p.astype(float)
    if not p.size or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"got p-values of shape {p.shape}, expected some, all from 0 to 1")
    return p


def _check_choice(alpha: float, method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"got method {method!r}; valid are {', '.join(METHODS)}")
    if not 0 < alpha < 1:
        raise ValueError(f"got alpha={alpha}, expected a fraction in (0, 1)")


def _conjunctions(ordered: NDArray[np.floating]) -> NDArray[np.float64]:
    """Partial conjunctions at 1 … n from p-values that rise along the first axis."""
    n = len(ordered)
    factor = np.arange(n, 0, -1.0).reshape(-1, *[1] * (ordered.ndim - 1))
    return np.minimum(np.maximum.accumulate(factor * ordered, axis=0), 1)
