"""What a concept's best direction and best probe reach, where single neurons are compared.

All neurons of all layers together: a difference-in-means direction and a dense ridge probe, fitted
in one language on one half of the sentence groups and read in every language on the other half.
What neurons share cannot be more special than what these share.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, along_steps

RIDGE = 0.1  # of the mean squared length of a sentence: between a direction and an exact fit
MAX_SENTENCES = 1500  # of a language: the Gram matrix has the square of all of them


def ceilings(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    n_splits: int = 2,
    seed: int = 0,
) -> xr.Dataset:
    """Held-out average precision of a direction and of a dense probe, over training.

    ``direction[c, a, b]``: sentences of language ``b`` in one half ranked along the difference of
    means between sentences with and without concept ``c`` in language ``a`` of the other half;
    ``dense`` the same along the weights of a ridge probe. Neurons are standardised within each
    language, which takes off what tells the languages apart.
    *Eats* example, layer, neuron, split → *leaves* step, concept, lang_a, lang_b.

    Returns
    -------
    ``direction``, ``dense`` (step, concept, lang_a, lang_b) and ``chance`` (concept, lang_b).

    Notes
    -----
    Both are computed from the sentences' Gram matrix, summed over layers, so that memory does not
    grow with the number of neurons. Of languages with more than 1,500 sentences a seeded draw of
    that many is used.
    """
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed)
    rng = np.random.default_rng([seed, 5])
    rows = [np.sort(rng.permutation(own)[:MAX_SENTENCES]) for own in halved.rows]

    def one(step: StepKey) -> xr.Dataset:
        gram = _gram(halved, step, rows)
        found = np.zeros((2, halved.labels.shape[1], len(rows), len(rows)))
        for in_a in halved.in_a:
            for half in (in_a, ~in_a):
                found += _read(gram, halved.labels, rows, half)
        dims = ("concept", "lang_a", "lang_b")
        mean = found / (2 * n_splits)
        return xr.Dataset({"direction": (dims, mean[0]), "dense": (dims, mean[1])})

    about = {"path": path, "n_splits": n_splits}
    result = along_steps(store, one, name="ceilings", settings={**about, "seed": seed})
    result = result.assign_coords(
        concept=store.concepts, lang_a=store.languages, lang_b=store.languages
    )
    result["chance"] = (("concept", "lang_b"), halved.chance())
    result.attrs |= about
    return result


def _gram(halved: Halved, step: StepKey, rows: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Inner products of all kept sentences over standardised neurons, languages in a row."""
    n = sum(map(len, rows))
    gram = np.zeros((n, n))
    for layer in halved.store.layers:
        X = halved.store.read(step, layer, halved.path).values.astype(np.float32)
        parts = [X[own] - X[own].mean(0) for own in rows]
        scale = [part.std(0) for part in parts]
        Z = np.concatenate(
            [part / np.where(s > 0, s, 1) for part, s in zip(parts, scale, strict=True)]
        )
        gram += Z @ Z.T
    return gram


def _read(
    gram: NDArray[np.float64],
    labels: NDArray[np.int8],
    rows: list[NDArray[np.intp]],
    train: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Fit on the sentences of ``train``, read on the others: ``(2, concept, lang_a, lang_b)``."""
    found = np.empty((2, labels.shape[1], len(rows), len(rows)))
    starts = np.concatenate([[0], np.cumsum([len(own) for own in rows])])
    for a, own in enumerate(rows):
        fit = np.flatnonzero(train[own])
        duals = _duals(gram[np.ix_(starts[a] + fit, starts[a] + fit)], labels[own[fit]])
        for b, other in enumerate(rows):
            test = np.flatnonzero(~train[other])
            products = gram[np.ix_(starts[b] + test, starts[a] + fit)]
            for kind, dual in enumerate(duals):
                # A concept's own column is one of many; ranking them together is cheaper.
                every = probes.average_precision(products @ dual, labels[other[test]])
                found[kind, :, a, b] = np.diagonal(every)
    return found


def _duals(
    gram: NDArray[np.float64], labels: NDArray[np.int8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(sentence, concept)`` weights of training sentences: of the direction, of the probe."""
    positive, negative = labels == 1, labels == 0
    target = positive / positive.sum(0) - negative / negative.sum(0)
    ridge = RIDGE * np.trace(gram) * np.eye(len(gram))
    return target, cho_solve(cho_factor(gram + ridge), target)
