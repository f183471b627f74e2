"""Does what moves, or lies apart, follow the distance between languages; and what to freeze."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes
from neurotrace.geometry.distances import complete
from neurotrace.geometry.pair_correlation import pair_correlations

STREAM = 51
MOST_LISTED = 20_000  # lists up to here are all written down and drawn from


EACH = {
    "value": "spearman",
    "pearson": "pearson",
    "p": "p",
    "p_holm": "p_holm",
    "detectable": "detectable",
    "partial": "partial",
    "partial_p": "partial_p",
    "partial_detectable": "partial_detectable",
}
OF_MEAN = {"mean": "spearman", "mean_p": "p", "mean_detectable": "detectable"}

Tables = Mapping[str, pd.DataFrame]


def distance_study(
    evolution: xr.Dataset,
    distances: Tables,
    *,
    variable: str = "apart",
    covariates: Tables | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> xr.Dataset:
    """Does how far two languages' states lie apart, or move, follow how far the languages are?

    *Eats* lang_a, lang_b → *leaves* step (where there is one), layer, distance.

    Parameters
    ----------
    evolution
        ``variable`` over layer, lang_a, lang_b and, for a series, step: what
        :func:`neurotrace.trajectories.evolution.evolution` returns, with ``apart``; or
        :func:`neurotrace.trajectories.evolution.impact`, with ``value``, the paper's Φ(S, T).
    distances
        kind → ``(lang_a, lang_b)``, from :mod:`neurotrace.geometry.distances`.
    covariates
        name → ``(lang_a, lang_b)``: with them each distance is also tested beside all of them.
    permutations
        Orders of the languages behind p-values.

    Returns
    -------
    Over (step, layer, distance): ``value``, Spearman's r over pairs, and ``pearson``; ``p`` from
    permuted languages, two-sided, and ``p_holm``, corrected over the layers of a step;
    ``detectable``, the smallest ``|r|`` that reaches p ≤ .05 uncorrected, NaN where no r could;
    ``partial``, ``partial_p`` and ``partial_detectable``, given the covariates (NaN without).
    Over (step, distance): ``mean``, ``mean_p``, ``mean_detectable``, of the mean over layers.
    ``chance`` 0. NaN for fewer than three languages and where a pair is missing.

    Raises
    ------
    ValueError
        For unknown axes or variables, sources that are not the targets, no distance, and a
        distance or covariate that lacks a language or a pair, naming it.

    Notes
    -----
    Of four languages there are 24 orders: hardly any r is significant whatever the truth. Of
    twelve, one layer alone needs ``|r|`` from .24, where pairs are as good as independent, to .37,
    where languages differ much as such; a true correlation of .4 is then found in nine or in less
    than seven of ten studies (simulated), and more seldom after correction over layers.

    References
    ----------
    Philippy et al. 2023: S ≠ T, per layer and on the mean of layers, with p-values for
    independent pairs and no correction. The released code reads its base model from the folder of
    the tuned one, so that each Φ compares two tuned models and one source has Φ = 0; here Φ is as
    the text says, from the models given.
    """
    table = pairs_of(evolution, variable)
    languages = table["lang_a"].values.tolist()
    correlate = partial(
        pair_correlations,
        distances=matched(distances, languages),
        covariates=matched(covariates or {}, languages),
        permutations=permutations,
        seed=seed,
    )
    if "step" in table.dims:
        steps = [studied(table.isel(step=at), correlate) for at in range(table.sizes["step"])]
        result = xr.concat(steps, dim="step", coords="minimal", compat="override")
    else:
        result = studied(table, correlate)
    result = result.assign(chance=0.0).assign_attrs(
        variable=variable, covariates=", ".join(covariates or {}), permutations=permutations
    )
    axes.check(result, "layer", "distance")
    return with_coords(result, table)


def with_coords(result: xr.Dataset, table: xr.DataArray) -> xr.Dataset:
    """The result with what stood beside the table's steps and layers: stage, tokens, numbers."""
    kept = {
        name: coord
        for name, coord in table.coords.items()
        if coord.dims and set(coord.dims) <= set(result.dims)
    }
    return result.assign_coords(kept)


def studied(
    table: xr.DataArray, correlate: Callable[[NDArray[np.float64]], pd.DataFrame]
) -> xr.Dataset:
    """Correlations of one (layer, lang_a, lang_b) over (layer, distance), and of its layer mean."""
    values = table.values.astype(float)
    found = correlate(values)
    kinds = found["distance"].unique().tolist()
    shape = (len(kinds), len(values))
    of_mean = correlate(values.mean(0, keepdims=True))
    dims = ("layer", "distance")
    return xr.Dataset(
        {name: (dims, found[column].to_numpy().reshape(shape).T) for name, column in EACH.items()}
        | {name: ("distance", of_mean[column].to_numpy()) for name, column in OF_MEAN.items()},
        coords={"distance": kinds},
        attrs={"nodes": int(found["nodes"].max())},
    )


def matched(tables: Tables, languages: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Each table in the order of the languages; what it lacks is an error that names it."""
    found = {}
    for name, table in tables.items():
        try:
            found[name] = complete(table, languages).to_numpy(dtype=float)
        except ValueError as problem:
            raise ValueError(f"{name}: {problem}") from None
    return found


def pairs_of(given: xr.Dataset, variable: str) -> xr.DataArray:
    """``(…, layer, lang_a, lang_b)``, sources and targets the same and in the same order."""
    if variable not in given:
        raise ValueError(
            f"got no variable {variable!r}; valid are {', '.join(map(str, given.data_vars))}"
        )
    table = given[variable]
    axes.check(table, "layer", "lang_a", "lang_b")
    others = [str(dim) for dim in table.dims if dim not in ("step", "layer", "lang_a", "lang_b")]
    if others:
        raise ValueError(f"got {variable} over {', '.join(others)} too; expected one of each")
    sources, targets = (table[dim].values.tolist() for dim in ("lang_a", "lang_b"))
    if sorted(sources) != sorted(targets):
        raise ValueError(
            f"got sources {', '.join(sources)} and targets {', '.join(targets)}; "
            "expected the same languages"
        )
    return table.sel(lang_b=sources).transpose(..., "layer", "lang_a", "lang_b")


def freeze_list(
    phi: xr.Dataset | xr.DataArray,
    *,
    n_layers: int,
    languages: Collection[str] | None = None,
    distances: pd.DataFrame | None = None,
) -> list[int]:
    """Which layers does tuning move most for the languages that are far?

    The ``n_layers`` layers of the largest mean Φ, over the pairs of a source and a target
    language that are chosen on; equal ones from the shallow end. To judge the list, keep some
    languages out of ``languages`` and read the outcome on them, beside :func:`random_lists`.
    *Eats* layer, lang_a, lang_b (or lang) → *leaves* nothing.

    Parameters
    ----------
    phi
        1 − CKA before and after tuning: ``value`` of a Dataset, or an array, over layer, ``lang_a``
        (source) and ``lang_b`` (target); or over layer and ``lang`` for one source. Other axes,
        such as ``run``, are averaged over.
    n_layers
        How many layers to freeze: at least one, and not all.
    languages
        Target languages to choose on; all of them where only ``distances`` is given.
    distances
        ``(lang_a, lang_b)``, such as :func:`neurotrace.geometry.distances.genetic` gives. With it
        only pairs farther apart than the median of the pairs above are counted, or those as far
        as any if they are the half.

    Returns
    -------
    Layers counted from 0, ascending.

    Raises
    ------
    ValueError
        Without ``languages`` and ``distances``, for languages or distances that ``phi`` or the
        table lacks, a number of layers out of range, or Φ that is nowhere finite.

    References
    ----------
    Philippy et al. 2023 freeze layers whose move goes with poor transfer, named by hand and
    counted from 1; here the list is made from Φ, on some languages only.

    >>> moved = xr.DataArray([[0.1, 0.2], [0.6, 0.1], [0.2, 0.3]], dims=("layer", "lang"),
    ...                      coords={"lang": ["fin_Latn", "deu_Latn"]})
    >>> freeze_list(moved, n_layers=1, languages=["fin_Latn"])
    [1]
    """
    table = phi["value"] if isinstance(phi, xr.Dataset) else phi
    if languages is None and distances is None:
        raise ValueError("got neither languages nor distances; expected what to choose layers on")
    depth = table.sizes.get("layer", 0)
    if not 1 <= n_layers < depth:
        raise ValueError(f"got n_layers={n_layers}; expected 1 to {depth - 1} of {depth} layers")
    kept = [dim for dim in ("layer", "lang_a", "lang_b", "lang") if dim in table.dims]
    moved = table.mean([dim for dim in table.dims if dim not in kept]).transpose(*kept)
    counted = _chosen_pairs(moved, languages, distances)
    mean = moved.where(counted).mean([dim for dim in kept if dim != "layer"]).values
    if not np.isfinite(mean).all():
        raise ValueError("got layers without a finite Φ for these languages; expected one in each")
    layers = np.asarray(table["layer"].values if "layer" in table.coords else np.arange(depth))
    largest = np.argsort(-mean, kind="stable")[:n_layers]
    return sorted(int(layer) for layer in layers[largest])


def _chosen_pairs(
    moved: xr.DataArray, languages: Collection[str] | None, distances: pd.DataFrame | None
) -> xr.DataArray:
    """bool over the language axes: the pairs that layers are chosen on, never S = T."""
    target = "lang_b" if "lang_b" in moved.dims else "lang"
    known = [str(lang) for lang in moved[target].values]
    unknown = sorted(set(languages or ()) - set(known))
    if unknown:
        raise ValueError(f"got languages {', '.join(unknown)}; valid are {', '.join(known)}")
    chosen = xr.DataArray(
        np.isin(known, list(languages or known)), dims=target, coords={target: known}
    )
    if target == "lang":
        if distances is not None:
            raise ValueError("got distances for one source; expected languages, chosen by hand")
        return chosen
    sources = [str(lang) for lang in moved["lang_a"].values]
    other = np.array(sources)[:, None] != np.array(known)[None, :]
    pairs = chosen & xr.DataArray(other, dims=("lang_a", "lang_b"), coords={"lang_a": sources})
    return pairs if distances is None else pairs & _far(pairs, distances)


def _far(pairs: xr.DataArray, distances: pd.DataFrame) -> xr.DataArray:
    """bool: in the farther half of the pairs."""
    from_, to = (pairs[dim].values.tolist() for dim in ("lang_a", "lang_b"))
    given = distances.reindex(index=from_, columns=to).to_numpy(dtype=float)
    far = xr.DataArray(given, dims=("lang_a", "lang_b"), coords={"lang_a": from_, "lang_b": to})
    far = far.transpose(*pairs.transpose("lang_a", "lang_b").dims)
    asked = pairs.transpose("lang_a", "lang_b").values
    lacking = [f"{from_[a]} {to[b]}" for a, b in np.argwhere(asked & ~np.isfinite(given))]
    if lacking:
        raise ValueError(f"got no distance of {lacking[0]} ({len(lacking)} in all); expected each")
    counted = given[asked]
    if np.ptp(counted) == 0:
        raise ValueError("got distances that are all alike; expected near and far pairs")
    middle = np.median(counted)
    # Where half of the pairs are as far as any, as of other families, these are the far ones.
    return far > middle if middle < counted.max() else far >= middle


def random_lists(
    n_layers: int, size: int, *, n: int, chosen: Sequence[int] = (), seed: int = 0
) -> list[list[int]]:
    """Equal-size lists of layers drawn at random: what a freeze list is compared with.

    Parameters
    ----------
    n_layers
        Layers of the model.
    size
        Layers in each list.
    n
        Lists to draw, no two of them alike.
    chosen
        The list under test, which is never drawn.

    Raises
    ------
    ValueError
        When there are not ``n`` other lists of that size.

    >>> random_lists(3, 1, n=2, chosen=[1])
    [[0], [2]]
    """
    if not 1 <= size <= n_layers:
        raise ValueError(f"got size={size}; expected 1 to {n_layers} layers")
    own = tuple(sorted(chosen))
    there = comb(n_layers, size) - (len(set(own)) == size and set(own) <= set(range(n_layers)))
    if not 1 <= n <= there:
        raise ValueError(
            f"got n={n} lists; expected 1 to {there}, as many others as {n_layers} layers give"
        )
    rng = np.random.default_rng([seed, STREAM])
    if there <= MOST_LISTED:
        every = [each for each in combinations(range(n_layers), size) if each != own]
        return [list(every[at]) for at in rng.permutation(len(every))[:n]]
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < n:
        each = tuple(sorted(rng.choice(n_layers, size, replace=False).tolist()))
        if each != own:
            drawn[each] = None
    return [list(each) for each in drawn]
