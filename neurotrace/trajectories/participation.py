"""In how many directions do the neurons of a layer vary, over training?"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.geometry.participation import participation_interval
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import StepKey, along_steps, language_rows

STREAM = 44


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
    is read from the two together. It says how many directions vary, not which or what for.
    """
    groups = store.examples["group"].to_numpy()
    lang = store.examples["lang"].to_numpy() if within_languages else None
    rows = [own for _, own in language_rows(store)]

    def one(step: StepKey) -> xr.Dataset:
        found = [_layer(store.read(step, n, path).values, lang, groups, rows, seed) for n in layers]
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
