"""Can a concept be read off a layer, by a probe of the same language and of another one?

A linear probe learns a concept from one language's sentences and ranks unseen sentences of its own
language (within) and of each other language (across). Within asks whether the layer tells the
concept at all, were it by its words alone; across whether it tells it in a form that the languages
have in common, and cannot exceed within but by chance.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.nodes import node_draws
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, along_steps

Floats = NDArray[np.float64]

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the mean variance of a training direction


def concept_decodability(
    store: ActivationStore,
    *,
    path: str = "hook_resid_post/mean",
    n_splits: int = 2,
    null: str | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """How well does a probe of one language rank the sentences of another by concept?

    One ridge probe for each concept against the rest, fitted on language ``a`` in one half of the
    sentence groups, ranks the sentences of language ``b`` in the other half; both halves in turn.
    *Eats* example, feature, split → *leaves* step, layer, concept, lang_a, lang_b.

    Parameters
    ----------
    path
        States or neurons, one row a sentence.
    n_splits
        Seeded divisions of the groups into halves, the same as those of the experts.
    null
        ``None``, or ``"deranged"``: every language has its own assignment of labels to groups, so
        that a probe has nothing to learn and ``across`` must be at chance.

    Returns
    -------
    ``value`` (step, layer, concept, lang_a, lang_b), average precision, NaN where a language lacks
    the concept in a half; ``chance`` (concept, lang_b), its exact mean under a random ranking.

    Raises
    ------
    ValueError
        For an unknown null, or too few groups for two halves.

    Notes
    -----
    The penalty of a probe is one of six multiples of the mean variance of a direction, from 10⁻⁴
    to 10: that with the least leave-one-out error on the training half of its own language, which
    is blind to the other languages. Rotating the states changes nothing. Nor does moving a
    language as a whole: sentences are ranked within one language, so that the means of languages,
    which hamper a transfer of accuracies, take no part and need not be removed.

    Riemenschneider & Frank (2025) read concepts off single neurons; this is the layer's own value.
    """
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed, null=null)
    about = {"path": path, "n_splits": n_splits, "null": null or "none"}
    result = along_steps(
        store,
        lambda step: decoded_at(halved, step),
        name="decodability",
        settings={**about, "seed": seed},
    )
    result["chance"] = (("concept", "lang_b"), halved.chance())
    result.attrs |= about
    return result


def decoded_at(halved: Halved, step: StepKey) -> xr.Dataset:
    """``value`` (layer, concept, lang_a, lang_b) of one checkpoint."""
    store, parts = halved.store, []
    for layer in store.layers:
        X = store.read(step, layer, halved.path).values.astype(np.float64)
        halves = (half for in_a in halved.in_a for half in (in_a, ~in_a))
        # A half of a language may lack a concept where the sentences are no translations.
        read = [_read(X, halved.labels, halved.rows, half) for half in halves]
        parts.append(np.mean(read, axis=0))
    found = xr.Dataset({"value": (("layer", "concept", "lang_a", "lang_b"), np.stack(parts))})
    return found.assign_coords(
        layer=store.layers,
        concept=store.concepts,
        lang_a=store.languages,
        lang_b=store.languages,
    )


def within_and_across(decoded: xr.Dataset, *, replicates: int = 500, seed: int = 0) -> xr.Dataset:
    """Means over concepts and languages, and over concepts and pairs of two languages.

    *Eats* concept, lang_a, lang_b → *leaves* replicate, step, layer. Draws move concepts and
    languages as nodes, alike at every step and layer.

    Returns
    -------
    ``within_draws`` and ``across_draws`` (replicate, step, layer), of which 0 is the estimate, and
    ``within_noise`` and ``across_noise`` (step), the noise of their profiles over layers.
    """
    value = decoded["value"].transpose("step", "layer", "concept", "lang_a", "lang_b")
    n_concepts, n_langs = value.shape[2:4]
    same = np.eye(n_langs)
    found: dict[str, tuple[str | tuple[str, ...], Floats]] = {}
    for name, pairs in (("within", same), ("across", 1 - same)):

        def means(concepts: Floats, langs: Floats, pairs: Floats = pairs) -> Floats:
            both = langs[:, :, None] * langs[:, None, :] * pairs
            return _weighted(value.values, concepts[:, :, None, None] * both[:, None])

        draws, noise = node_draws(means, n_concepts, n_langs, replicates=replicates, seed=seed)
        found[f"{name}_draws"] = (("replicate", "step", "layer"), draws)
        found[f"{name}_noise"] = ("step", noise)
    return xr.Dataset(found, coords=value.coords).drop_vars(["concept", "lang_a", "lang_b"])


def _weighted(X: Floats, weights: Floats) -> Floats:
    """Means of (step, layer, …) under (row, …) weights, NaN left out: (row, step, layer)."""
    flat = weights.reshape(len(weights), -1)
    total, mass = (
        np.tensordot(flat, part.reshape(*part.shape[:2], -1), axes=(1, 2))
        for part in (np.nan_to_num(X), (~np.isnan(X)).astype(np.float64))
    )
    return np.divide(total, mass, out=np.full_like(total, np.nan), where=mass > 0)


def _read(
    X: Floats,
    labels: NDArray[np.int8],
    rows: list[NDArray[np.intp]],
    train: NDArray[np.bool_],
) -> Floats:
    """Fit on the sentences of ``train``, read on the others: ``(concept, lang_a, lang_b)``."""
    coef = np.stack([_fit(X[own], labels[own]) for own in (o[train[o]] for o in rows)])
    n_langs, n_concepts, n_features = coef.shape
    found = np.full((n_concepts, n_langs, n_langs), np.nan)
    for b, test in enumerate(o[~train[o]] for o in rows):
        told = X[test] @ coef.reshape(-1, n_features).T
        for concept in np.flatnonzero((labels[test] == 1).any(0)):
            column = np.ascontiguousarray(told[:, concept::n_concepts])
            found[concept, :, b] = probes.average_precision(column, labels[test, concept])
    found[np.isnan(coef[:, :, 0]).T] = np.nan
    return found


def _fit(X: Floats, labels: NDArray[np.int8]) -> Floats:
    """Ridge weights of every concept against the rest: ``(concept, feature)``, NaN for none."""
    coef = np.full((labels.shape[1], X.shape[1]), np.nan)
    alike: dict[bytes, list[int]] = {}  # unknown sentences take no part in a concept's fit
    for concept in np.flatnonzero((labels == 1).any(0) & (labels == 0).any(0)):
        alike.setdefault((labels[:, concept] >= 0).tobytes(), []).append(int(concept))
    for judged, same in alike.items():
        known = np.frombuffer(judged, dtype=bool)
        Z, Y = X[known], (labels[known][:, same] == 1).T.astype(np.float64)
        coef[same] = probes.fit_ridge(Z, Y, alpha=_penalty(Z, Y.T)).coef
    return coef


def _penalty(X: Floats, Y: Floats) -> float:
    """The penalty with the least leave-one-out squared error: X (example, feature), Y (…, target).

    With ``P`` the examples in the axes of their covariance, ``h = 1/n + Σ_j P_ij² / (λ_j + α)``
    is an example's leverage and ``residual / (1 - h)`` its error when left out.
    """
    Z, T = X - X.mean(0), Y - Y.mean(0)
    if len(Z) < Z.shape[1]:
        values, vectors = np.linalg.eigh(Z @ Z.T)
        points = vectors * np.sqrt(np.maximum(values, 0))
    else:
        values, vectors = np.linalg.eigh(Z.T @ Z)
        points = Z @ vectors
    level = max(float(values.mean()), np.finfo(np.float64).tiny)
    squared, products = np.square(points), points.T @ T
    errors = []
    for penalty in PENALTIES:
        shrunk = 1 / (np.maximum(values, 0) + penalty * level)
        leverage = 1 / len(Z) + squared @ shrunk
        left_out = (T - points @ (products * shrunk[:, None])) / (1 - leverage)[:, None]
        errors.append(np.square(left_out).mean())
    return level * PENALTIES[int(np.argmin(errors))]
