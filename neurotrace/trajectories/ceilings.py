"""What a concept's best direction and best probe reach, where single neurons are compared.

All neurons of all layers together: a difference-in-means direction and a dense ridge probe, fitted
in one language on one half of the sentence groups and read in every language on the other half.
What neurons share cannot be more special than what these share.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import ssyrk

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, along_steps

RIDGE = 0.1  # of the mean squared length of a sentence: between a direction and an exact fit
MAX_SENTENCES = 750  # of a language: the Gram matrix has the square of all of them
AT_ONCE = 128  # neurons read together


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
    grow with the number of neurons. Of languages with more than 750 sentences a seeded draw of
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


def _gram(halved: Halved, step: StepKey, rows: list[NDArray[np.intp]]) -> NDArray[np.float32]:
    """Inner products of all kept sentences over standardised neurons, languages in a row."""
    store, starts = halved.store, np.cumsum([0, *map(len, rows)])
    gram = np.zeros((starts[-1], starts[-1]), np.float32, order="F")
    for layer, width in zip(store.layers, halved.widths, strict=True):
        store.verify(step, layer, halved.path)
        for first in range(0, int(width), AT_ONCE):
            columns = slice(first, first + AT_ONCE)
            Z = np.empty((starts[-1], min(AT_ONCE, int(width) - first)), np.float32)
            for own, start in zip(rows, starts, strict=False):
                X = store.read(step, layer, halved.path, rows=own, columns=columns).values
                part = X.astype(np.float32)
                part -= part.mean(0)
                scale = part.std(0)
                Z[start : start + len(own)] = part / np.where(scale > 0, scale, 1)
            # In place: a product and a sum would hold the matrix three times.
            gram = ssyrk(1.0, Z.T, beta=1.0, c=gram, overwrite_c=1, trans=1)
    for at in range(len(gram)):  # the other triangle
        gram[at + 1 :, at] = gram[at, at + 1 :]
    return gram


def _read(
    gram: NDArray[np.float32],
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
    gram: NDArray[np.float32], labels: NDArray[np.int8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(sentence, concept)`` weights of training sentences: of the direction, of the probe."""
    positive, negative = labels == 1, labels == 0
    target = positive / positive.sum(0) - negative / negative.sum(0)
    ridged = gram.astype(np.float64)
    ridged[np.diag_indices_from(ridged)] += RIDGE * np.trace(ridged)
    return target, cho_solve(cho_factor(ridged, overwrite_a=True), target)
