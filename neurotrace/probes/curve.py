"""How many neurons does a concept need? Held-out scores of sparse probes as k grows.

A curve alone says little: many neurons read anything, and the best of thousands fit the training
sentences by chance. So each comes with the same curve for neurons drawn at random and for labels
that were shuffled, with what all neurons reach together, and with the level of chance.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes import newton
from neurotrace.probes.folds import check_groups, deal_folds
from neurotrace.probes.held_out import HeldOut, ceilings_of, judge
from neurotrace.probes.inputs import check_responses, not_finite
from neurotrace.probes.labels import Labels
from neurotrace.probes.scores import expected_average_precision
from neurotrace.probes.selection import RankingName, best_of, check_ranking, select_neurons
from neurotrace.probes.subsets import Subsets

KS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256)
TOLERANCE, STEPS = 1e-4, 100  # of a probe

Floats = NDArray[np.float64]
States = NDArray[np.int8]


class SparsityCurve(NamedTuple):
    """Sparse probes of rising size, and what to compare them with.

    The concept axis is dropped where `y` was one vector.

    Attributes
    ----------
    ks : (k,)
    average_precision, f1, accuracy : (concept, k), means over folds
    chance : (concept,)
        Expected average precision of a random ranking of the held-out sentences.
    folds : HeldOut of (fold, concept, k)
    random, shuffled : HeldOut of (concept, k), or None
        Neurons drawn at random; labels shuffled in training, between groups.
    dense, direction : HeldOut of (concept,), or None
        A ridge probe of all neurons; the difference of the class means.
    supports : (fold, concept, k), best first
    """

    ks: NDArray[np.intp]
    average_precision: Floats
    f1: Floats
    accuracy: Floats
    chance: Floats
    folds: HeldOut
    random: HeldOut | None
    shuffled: HeldOut | None
    dense: HeldOut | None
    direction: HeldOut | None
    supports: NDArray[np.intp]


class _Data(NamedTuple):
    X: NDArray[Any]  # (example, neuron)
    columns: NDArray[np.floating]  # (neuron, example), rows contiguous
    states: States  # (example, concept)
    group: NDArray[np.intp]  # (example,)
    subsets: Subsets | None  # for rankings by means and variances


class _Plan(NamedTuple):
    """What is done in every fold."""

    ks: NDArray[np.intp]
    ranking: RankingName
    C: float
    controls: int
    ceilings: bool


class _Fold(NamedTuple):
    """Held-out scores by name, each (concept, k), or (concept,) for the ceilings."""

    scores: dict[str, HeldOut]
    support: NDArray[np.intp]
    chance: Floats


def sparsity_curve(
    X: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike,
    ks: Sequence[int] = KS,
    ranking: RankingName = "mean_difference",
    folds: int | ArrayLike = 5,
    C: float = 1.0,
    controls: int = 1,
    ceilings: bool = True,
    seed: int = 0,
) -> SparsityCurve:
    """How well is a concept told by its k best neurons, for rising k, on unseen sentences?

    In each fold neurons are ranked on the other folds, once for all k, and the probes of all k
    and concepts are fitted there: logistic with an L2 penalty on standardised neurons and
    balanced classes, as `SparseProbe`.

    Eats `example` and `neuron`, leaves `k` (and `concept`).

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite: of one language, or of several where that is meant.
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
    groups : (example,)
        Whatever belongs together (translations of a sentence) is in one fold.
    ks
        Rising; those above the number of neurons are clipped to it, with a warning.
    ranking
        See `select_neurons`.
    folds
        Their number, or a fold for each example.
    C
        Inverse strength of the penalty.
    controls
        Draws of random neurons and of shuffled labels in each fold, over which they are averaged;
        0 leaves both out. Labels are shuffled between groups where a group has one label, else
        between sentences; always in training only.
    ceilings
        Whether to fit all neurons together, too.
    seed
        Of folds and controls.

    Returns
    -------
    SparsityCurve

    Raises
    ------
    ValueError
        Arrays of different length, NaN or infinity (named by neuron), a concept of one class,
        fewer groups of a class than folds, a group in two given folds, k < 1 or not rising, or an
        unknown ranking.

    References
    ----------
    Gurnee et al. 2023, arXiv:2305.01610, figure of F1 over k; there on one division, with chance
    and ceilings left to the reader.
    """
    data = _check(X, y, groups, ranking)
    if not 0 < C < np.inf or controls < 0:
        raise ValueError(f"got C={C}, controls={controls}, expected C above 0 and controls from 0")
    plan = _Plan(_check_ks(ks, data.X.shape[1]), ranking, C, controls, ceilings)
    fold = deal_folds(data.group, data.states, folds=folds, seed=seed)
    done = [
        _one_fold(data, plan, fold == number, np.random.default_rng([seed, number]))
        for number in range(int(fold.max()) + 1)
    ]
    return _assemble(plan, done, 0 if np.ndim(y) == 1 else slice(None))


def _assemble(plan: _Plan, done: list[_Fold], concept: int | slice) -> SparsityCurve:
    """Means over folds, with the concept axis or with the one concept there is."""
    every = {
        name: HeldOut(*map(np.stack, zip(*(one.scores[name] for one in done), strict=True))).at(
            slice(None), concept
        )
        for name in done[0].scores
    }
    mean = {name: held_out.mean() for name, held_out in every.items()}
    own = mean["own"]
    return SparsityCurve(
        plan.ks,
        own.average_precision,
        own.f1,
        own.accuracy,
        np.mean([one.chance for one in done], 0)[concept],
        every["own"],
        mean.get("random"),
        mean.get("shuffled"),
        mean.get("dense"),
        mean.get("direction"),
        np.stack([one.support for one in done])[:, concept],
    )


def _one_fold(
    data: _Data, plan: _Plan, held_out: NDArray[np.bool_], rng: np.random.Generator
) -> _Fold:
    train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    truth = data.states[test]
    largest, (n_concepts, n_neurons) = int(plan.ks[-1]), (truth.shape[1], data.X.shape[1])

    def read(states: States, support: NDArray[np.intp]) -> HeldOut:
        scores = np.empty((n_concepts, len(plan.ks), len(test)), np.float32)
        labels = np.ascontiguousarray(states.T)
        newton.sweep(
            data.columns,
            train,
            test,
            labels,
            support,
            plan.ks,
            1 / plan.C,
            TOLERANCE,
            STEPS,
            scores,
        )
        return judge(scores, truth)

    def best(states: States) -> NDArray[np.intp]:
        draw = int(rng.integers(2**31))
        if data.subsets is None:
            return select_neurons(data.X[train], states, k=largest, ranking=plan.ranking, seed=draw)
        inside = np.full(data.states.shape, -1, np.int8)
        inside[train] = states
        return best_of(data.subsets.scores(inside, ranking=plan.ranking), largest)

    states = data.states[train]
    support = best(states)
    found = {"own": read(states, support)}
    controls: dict[str, list[HeldOut]] = {"random": [], "shuffled": []}
    for _ in range(plan.controls):
        drawn = np.stack([rng.permutation(n_neurons)[:largest] for _ in range(n_concepts)])
        controls["random"].append(read(states, drawn))
        shuffled = _shuffle(states, data.group[train], rng)
        controls["shuffled"].append(read(shuffled, best(shuffled)))
    for name, draws in controls.items():
        if draws:
            found[name] = HeldOut(*map(np.stack, zip(*draws, strict=True))).mean()
    if plan.ceilings:
        found |= ceilings_of(data.X[train], data.X[test], states, truth)
    chance = [expected_average_precision((c == 1).sum(), (c >= 0).sum()) for c in truth.T]
    return _Fold(found, support, np.array(chance))


def _shuffle(states: States, group: NDArray[np.intp], rng: np.random.Generator) -> States:
    """Labels handed to other groups, or to other sentences where a group has several."""
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    if (states == states[first][place]).all():
        shuffled = states[first][rng.permutation(len(first))][place]
        if (shuffled == 1).any(0).all() and (shuffled == 0).any(0).all():
            return shuffled
    return states[rng.permutation(len(states))]


def _check(X: ArrayLike, y: ArrayLike, groups: ArrayLike, ranking: RankingName) -> _Data:
    check_ranking(ranking)
    X = check_responses(X)
    finite = np.isfinite(X).all(0)
    if not finite.all():
        raise not_finite(int(finite.argmin()))
    labels = Labels.of(y, len(X))
    labels.check_classes(None, negatives=True)
    states = labels.positive.astype(np.int8)
    if labels.unknown is not None:
        states[labels.unknown] = -1
    single = X.dtype in (np.float16, np.float32)
    columns: NDArray[np.floating] = np.ascontiguousarray(
        X.T, dtype=np.float32 if single else np.float64
    )
    subsets = Subsets.of(X) if ranking in ("mean_difference", "f_statistic") else None
    return _Data(X, columns, states, check_groups(groups, len(X)), subsets)


def _check_ks(ks: Sequence[int], n_neurons: int) -> NDArray[np.intp]:
    sizes = np.asarray(ks)
    if sizes.ndim != 1 or not len(sizes) or sizes.dtype.kind not in "iu" or sizes.min() < 1:
        raise ValueError(f"got ks={ks!r}, expected whole numbers of neurons, at least 1")
    if (np.diff(sizes) <= 0).any():
        raise ValueError(f"got ks={ks!r}, expected rising numbers")
    if sizes[-1] > n_neurons:
        warnings.warn(
            f"got ks up to {sizes[-1]} for {n_neurons} neurons; all of them are read", stacklevel=3
        )
    return np.unique(np.minimum(sizes, n_neurons)).astype(np.intp)
