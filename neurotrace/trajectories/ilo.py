"""Do languages mix in each layer over training, and do translations find each other there?"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.geometry.components import core_null, shared_core
from neurotrace.geometry.ilo import ilo as local_overlap
from neurotrace.geometry.ilo import ilo_by_strata, without_means
from neurotrace.geometry.nearest import Nearest, knn_agreement_chance, nearest
from neurotrace.geometry.neighbours import mexa, mexa_chance, retrieval
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import (
    StepKey,
    along_steps,
    drawn_rows,
    is_parallel,
)

STREAM = 34
DERANGED = 35
PATH = "hook_resid_post/mean"
PAIRS = ("lang_a", "lang_b")
OF_PAIRS = ("value", "mutual", "retrieval_raw")
KEPT = ("bridge", "reach", "chance", "chance_low", "chance_high", "corrected")


def ilo(
    store: ActivationStore,
    *,
    path: str = PATH,
    k: int = 5,
    t: int = 3,
    metric: str = "cosine",
    permutations: int = 20,
    sentences: int = 1000,
    strata: Mapping[str, str] | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Interlingual local overlap of each language and layer over training, with its chance.

    *Eats* example, feature → *leaves* step, layer, lang.

    Parameters
    ----------
    path
        States of sentences. The paper means over all tokens, special ones included.
    k, t, metric
        As in :func:`neurotrace.geometry.ilo.ilo`. With fewer than t other languages, t is their
        number, and the attribute ``t`` says so.
    permutations
        Of the labels over the points, for ``chance``, and of the groups, for the core's.
    sentences
        At most so many groups a language, drawn with ``seed``, one draw for all languages where
        they are parallel and for all steps.
    strata
        Language → kind, such as family; by default the script in the language's code.

    Returns
    -------
    (step, layer, lang) ``value``, ``bridge``, ``reach``, ``chance``, ``chance_low``,
    ``chance_high``, ``corrected``; and, each language's mean taken off, ``centered``,
    ``centered_chance``, ``centered_corrected``. (step, layer) ``spread``: standard deviation of
    the corrected score over languages, with ``spread_chance``, the mean of the same under the
    permuted labels; ``shared_core``, the share of points in the core of
    :func:`neurotrace.geometry.components.interlingual_components`, with ``shared_core_chance``,
    left out where the languages are not parallel. NaN in a layer where a state is all zeros, as in
    broken checkpoints. ``by_stratum`` (step, layer, stratum): mean
    corrected score.

    Raises
    ------
    ValueError
        For one language, fewer than one permutation, or a language without stratum.

    Notes
    -----
    Wilie et al. (2025) give one score a language and layer of a finished model, without chance.
    Mixing is not meaning: noise has the score of a perfect alignment, and a corrected score near 0
    may be either. MEXA and retrieval tell them apart.
    """
    if permutations < 1:
        raise ValueError(f"got permutations={permutations}; expected at least 1")
    rows = _rows(store, sentences, seed)
    if len(rows) < 2:
        raise ValueError(f"got a store of {len(rows)} language; expected at least two")
    t, parallel = min(t, len(rows) - 1), is_parallel(store)
    kinds = dict(strata) if strata is not None else {lang: lang.split("_")[-1] for lang in rows}
    every = np.concatenate(list(rows.values()))
    langs = np.repeat(list(rows), [len(own) for own in rows.values()])
    groups = pd.factorize(store.examples["group"].to_numpy()[every])[0]
    codes = pd.factorize(langs)[0].astype(np.int64)
    blank = pd.DataFrame(np.nan, index=pd.Index(list(rows), name="lang"), columns=["ilo", *KEPT])
    blank.attrs["spread_chance"] = np.nan

    def overlap(X: NDArray, *, center: bool, near: Nearest | None) -> pd.DataFrame:
        # One seed for all steps and layers: the null permutes a whole series at once.
        return local_overlap(
            X,
            langs,
            k=k,
            t=t,
            metric=metric,
            permutations=permutations,
            center=center,
            neighbours=near,
            seed=seed,
        )

    def one(step: StepKey) -> xr.Dataset:
        parts = []
        for layer in store.layers:
            X = store.read(step, layer, path).values[every]
            near = nearest(X, k=k, metric=metric, seed=seed) if has_directions(X) else None
            table = blank if near is None else overlap(X, center=False, near=near)
            centred = blank
            if has_directions(without_means(X, codes), beside=X):
                centred = overlap(X, center=True, near=None)
            part = _of_layer(table, centred, kinds)
            if parallel and near is not None:
                found = shared_core(near, codes, groups, k=k, t=t)[0].mean()
                null = core_null(
                    near, codes, groups, k=k, t=t, permutations=permutations, seed=seed
                )
                part = part.assign(shared_core=found, shared_core_chance=null.mean())
            parts.append(part)
        return xr.concat(parts, dim=pd.Index(store.layers, name="layer"))

    about = {
        "path": path,
        "k": k,
        "t": t,
        "metric": metric,
        "permutations": permutations,
        "sentences": len(next(iter(rows.values()))),
    }
    settings = about | {"sentences": sentences, "strata": kinds, "seed": seed}
    return along_steps(store, one, name="ilo", settings=settings).assign_attrs(about)


def companions(
    store: ActivationStore,
    *,
    path: str = PATH,
    k: int = 10,
    metric: str = "cosine",
    sentences: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Is nearness between two languages one of meaning? Scores that know what is a translation.

    *Eats* example, feature → *leaves* step, layer, lang_a, lang_b.

    Parameters
    ----------
    k
        Neighbours within a language, for ``mutual``; of fewer sentences all but one, and the
        attribute ``k`` says so.
    sentences
        At most so many groups, drawn with ``seed``: cost and chance depend on them.

    Returns
    -------
    (step, layer, lang_a, lang_b), symmetric, NaN on the diagonal: ``value``, MEXA;
    ``mutual``, share of a sentence's k nearest in its own language whose translations are the
    nearest in the other; ``retrieval_raw``, retrieval with the languages' means left in. Their
    chance levels ``chance``, ``mutual_chance`` and ``retrieval_chance``; and ``deranged`` (step,
    layer), MEXA with the translations deranged, mean over pairs.

    Raises
    ------
    ValueError
        When the languages are not parallel, or there is one.

    Notes
    -----
    ``mutual`` compares shapes, not places: it rises where each language orders its own sentences
    alike, in the lab also where languages share nothing. Only the other two tell of one space.
    MEXA of Kargaran et al. (2024), there with English as the only pivot; mutual neighbours of Huh
    et al. (2024).
    """
    if not is_parallel(store) or len(store.languages) < 2:
        raise ValueError("got one language, or languages with different groups; expected parallel")
    rows = _rows(store, sentences, seed)
    n = len(next(iter(rows.values())))
    k = min(k, n - 1)
    knn_agreement_chance(n, k)
    order = np.random.default_rng([seed, DERANGED]).permutation(n)
    deranged = np.empty(n, dtype=np.intp)
    deranged[order] = np.roll(order, 1)  # one cycle: nobody keeps their own

    def one(step: StepKey) -> xr.Dataset:
        parts = []
        for layer in store.layers:
            H = store.read(step, layer, path).values
            spaces = {lang: H[own] for lang, own in rows.items()}
            if has_directions(H):
                parts.append(_of_pairs(spaces, deranged, k=k, metric=metric, seed=seed))
            else:
                parts.append(_no_pairs(len(rows)))
        return xr.concat(parts, dim=pd.Index(store.layers, name="layer"))

    settings = {"path": path, "k": k, "metric": metric, "sentences": sentences, "seed": seed}
    result = along_steps(store, one, name="companions", settings=settings)
    result = result.assign_coords(lang_a=list(rows), lang_b=list(rows))
    result = result.assign(
        chance=mexa_chance(n), mutual_chance=knn_agreement_chance(n, k), retrieval_chance=1 / n
    )
    result.attrs |= {"path": path, "k": k, "metric": metric, "sentences": n}
    return result


def _rows(store: ActivationStore, sentences: int, seed: int) -> dict[str, NDArray[np.intp]]:
    """Each language's drawn sentences; of parallel languages the same groups in one order."""
    if sentences < 2:
        raise ValueError(f"got sentences={sentences}; expected at least 2")
    return drawn_rows(store, sentences, np.random.default_rng([seed, STREAM]))


def has_directions(X: NDArray, *, beside: NDArray | None = None) -> bool:
    """Whether every row is more than rounding ``beside`` the states that it was made from."""
    most = np.abs(X if beside is None else beside).max(initial=0.0)
    return bool((np.abs(X).max(1) > 1e-9 * most).all())


def _of_layer(table: pd.DataFrame, centred: pd.DataFrame, kinds: Mapping[str, str]) -> xr.Dataset:
    """One layer of one step of :func:`ilo`."""
    strata = ilo_by_strata(table, kinds)
    kept = table[["ilo", *KEPT]].rename(columns={"ilo": "value"})
    kept[["centered", "centered_chance", "centered_corrected"]] = centred[
        ["ilo", "chance", "corrected"]
    ]
    return xr.Dataset.from_dataframe(kept).assign(
        by_stratum=strata["corrected"].drop("all").to_xarray(),
        spread=strata.loc["all", "spread"],
        spread_chance=table.attrs["spread_chance"],
    )


def _of_pairs(
    spaces: Mapping[str, NDArray],
    deranged: NDArray[np.intp],
    *,
    k: int,
    metric: str,
    seed: int,
) -> xr.Dataset:
    """One layer of one step of :func:`companions`."""
    near = [
        nearest(X, k=k, metric=metric, seed=seed + at).indices
        for at, X in enumerate(spaces.values())
    ]
    found = np.full((3, len(spaces), len(spaces)), np.nan)
    null = []
    for (a, A), (b, B) in combinations(enumerate(spaces.values()), 2):
        common = sum((near[a][:, [column]] == near[b]).sum() for column in range(k))
        scores = mexa(A, B), common / near[a].size, retrieval(A, B, center=False)
        found[:, a, b] = found[:, b, a] = scores
        null.append(mexa(A, B[deranged]))
    result = _no_pairs(len(spaces))
    result = result.assign({n: (PAIRS, own) for n, own in zip(OF_PAIRS, found, strict=True)})
    return result.assign(deranged=float(np.mean(null)))


def _no_pairs(n: int) -> xr.Dataset:
    """A layer of which nothing can be said."""
    undefined = {name: (PAIRS, np.full((n, n), np.nan)) for name in OF_PAIRS}
    return xr.Dataset(undefined).assign(deranged=np.nan)
