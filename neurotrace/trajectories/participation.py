"""In how many directions do the neurons of a layer vary, over training?"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.geometry.participation import participation_interval
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import StepKey, along_steps

STREAM = 44
MAX_SENTENCES = 10_000  # of all languages; what more would add is the square of neurons each


def participation(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    within_languages: bool = True,
    seed: int = 0,
) -> xr.Dataset:
    """Effective number of dimensions of every layer's neurons over the sentences.

    *Eats* example, neuron → *leaves* step, layer. Hand in ``store.twin`` for the re-initialised
    model.

    Parameters
    ----------
    within_languages
        Centre each language's responses, so that how languages differ in the mean does not count.
    seed
        Of the blocks of sentences and of the permutations behind ``chance``.

    Returns
    -------
    ``value`` with ``value_low`` and ``value_high``, in neurons, as
    :func:`neurotrace.geometry.participation_ratio` estimates it; ``chance``, the same with every
    neuron's responses permuted within each language: independent neurons of the same variances,
    as many sentences. Neurons that vary together lie *below* it. ``ceiling``, the neurons that
    vary at all. Attribute ``neurons`` is the layer's width, or the widest layer's.

    Notes
    -----
    A few neurons of large variance lower value and ``chance`` alike: what neurons have in common
    is read from the two together. It says how many directions vary, not which or what for. Of more
    than 10,000 sentences a seeded draw of whole groups is used.
    """
    drawn = _drawn(store.examples["group"].to_numpy(), seed)
    picked = slice(None) if drawn is None else drawn
    groups = store.examples["group"].to_numpy()[picked]
    langs = store.examples["lang"].to_numpy()[picked]
    rows = [np.flatnonzero(langs == lang) for lang in store.languages]
    lang = langs if within_languages else None

    def one(step: StepKey) -> xr.Dataset:
        read = (store.read(step, layer, path, rows=drawn).values for layer in layers)
        found = [_layer(X, lang, groups, rows, seed) for X in read]
        names = ("value", "value_low", "value_high", "chance", "ceiling")
        columns = zip(*found, strict=True)
        return xr.Dataset(
            {name: ("layer", np.array(c)) for name, c in zip(names, columns, strict=True)}
        )

    layers = store.layers
    settings = {"path": path, "within_languages": within_languages, "seed": seed}
    result = along_steps(store, one, name="participation", settings=settings)
    result = result.assign_coords(layer=layers)
    attrs = {"path": path, "neurons": max(store.width(path))}
    return result.assign_attrs(attrs | {"within_languages": int(within_languages)})


def _drawn(groups: NDArray, seed: int) -> NDArray[np.intp] | None:
    """Rows of as many whole groups, drawn at random, as may be read; None for all."""
    if len(groups) <= MAX_SENTENCES:
        return None
    ids, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    order = np.random.default_rng([seed, STREAM]).permutation(len(sizes))
    kept = np.zeros(len(sizes), bool)
    kept[order[sizes[order].cumsum() <= MAX_SENTENCES]] = True
    return np.flatnonzero(kept[ids])


def _layer(
    X: NDArray,
    lang: NDArray | None,
    groups: NDArray,
    rows: list[NDArray[np.intp]],
    seed: int,
) -> tuple[float, float, float, float, float]:
    """Value and interval, chance and ceiling of one layer."""
    if not (X != X[0]).any():
        return np.nan, np.nan, np.nan, np.nan, 0.0
    found = participation_interval(X, lang=lang, groups=groups, seed=seed)
    rng = np.random.default_rng([seed, STREAM])
    mixed = X.astype(np.float32)
    for own in rows:
        mixed[own] = rng.permuted(mixed[own], axis=0)
    chance = participation_interval(mixed, lang=lang, groups=groups, seed=seed).value
    return (*found, chance, float((X != X[0]).any(0).sum()))
