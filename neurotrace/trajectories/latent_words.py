"""The words of a layer's clusters, for a human to read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.geometry.cluster_overlap import c_overlap
from neurotrace.geometry.latent_concepts import cluster_words, discover
from neurotrace.store import ActivationStore
from neurotrace.trajectories.latent_concepts import chosen, number_of_clusters
from neurotrace.trajectories.lifts import StepKey, step_keys
from neurotrace.trajectories.parts import kept
from neurotrace.trajectories.word_rows import SITE, word_rows


def latent_words(
    store: ActivationStore,
    *,
    path: str = f"{SITE}/words",
    clusters: int | None = None,
    method: str = "kmeans",
    theta_overlap: float = 0.3,
    layer: int | None = None,
    step: StepKey | None = None,
    languages: Sequence[str] | None = None,
    word_cap: int = 15,
    permutations: int = 20,
    n: int = 10,
    seed: int = 0,
) -> xr.Dataset:
    """The words of each cluster of all languages together, for a human to read.

    Parameters
    ----------
    layer, step
        The last of either by default.
    n
        Words shown of a cluster and language, the most frequent first.

    Returns
    -------
    A row table over ``example``, one row a cluster and language in it: ``cluster lang size
    types words overlapping``; ``value`` and ``chance`` are C-OVERLAP of these clusters and its
    permutation mean.
    """
    layer = chosen("layers", None if layer is None else [layer], store.layers)[-1]
    step = chosen("steps", None if step is None else [step], step_keys(store))[-1]
    table = word_rows(store, path, languages=languages, cap=word_cap, seed=seed)
    k = number_of_clusters(table, clusters)
    settings = {"path": path, "clusters": k, "method": method, "theta": theta_overlap, "n": n}
    settings |= {"layer": layer, "languages": sorted(set(table["lang"])), "word_cap": word_cap}
    settings |= {"permutations": permutations, "seed": seed}

    number = step[1] if isinstance(step, tuple) else step

    def compute() -> xr.Dataset:
        X = store.read(step, layer, path, rows=table["row"].to_numpy()).values
        return _words_of(X, table, settings).assign_attrs(
            step=number, layer=layer, path=path, clusters=k, theta=theta_overlap
        )

    return kept(store, step, compute, name="latent_words", settings=settings)


def _words_of(X: NDArray, table: pd.DataFrame, settings: Mapping[str, Any]) -> xr.Dataset:
    """The table of one layer's vectors ``(word, feature)``."""
    seed = settings["seed"]
    labels = discover(X, settings["clusters"], method=settings["method"], seed=seed)
    langs, words = table["lang"].to_numpy(), table["word"].to_numpy()
    mixed = c_overlap(
        labels,
        langs,
        theta=settings["theta"],
        permutations=settings["permutations"],
        together=words,
        seed=seed,
    )
    frame = cluster_words(words, labels, langs, n=settings["n"])
    frame["overlapping"] = frame["cluster"].map(mixed.clusters.set_index("cluster")["overlapping"])
    frame["overlapping"] = frame["overlapping"].astype(int)
    names = ["cluster", "lang", "size", "types", "words", "overlapping"]
    found = xr.Dataset({name: ("example", _plain(frame[name])) for name in names})
    found["value"], found["chance"] = xr.DataArray(mixed.share), xr.DataArray(mixed.chance)
    return found


def _plain(column: pd.Series) -> NDArray:
    return column.to_numpy() if column.dtype.kind in "if" else np.array(column.tolist(), dtype="U")
