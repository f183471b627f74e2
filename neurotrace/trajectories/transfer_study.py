"""Does zero-shot transfer follow how far tuning moved a language, or how far away it is?"""

from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes
from neurotrace.geometry.pair_correlation import pair_correlations
from neurotrace.trajectories.distance_study import (
    Tables,
    matched,
    pairs_of,
    studied,
    with_coords,
)

CROSSED = {"value": "crossed", "p": "crossed_p", "detectable": "crossed_detectable"}
TRANSFER = {
    "transfer": "spearman",
    "transfer_p": "p",
    "transfer_detectable": "detectable",
}


def transfer_study(
    phi: xr.Dataset,
    accuracy: pd.DataFrame,
    *,
    variable: str = "value",
    distances: Tables | None = None,
    covariates: Tables | None = None,
    diagonal: bool = True,
    permutations: int = 999,
    seed: int = 0,
) -> xr.Dataset:
    """Does transfer from S to T follow how much tuning on S moved T, or how far apart they are?

    *Eats* lang_a, lang_b → *leaves* layer, distance.

    Parameters
    ----------
    phi
        ``variable`` over layer, lang_a (source S) and lang_b (target T).
    accuracy
        ``(S, T)`` zero-shot accuracies, fractions, with language codes as index and columns.
    distances
        As in :func:`neurotrace.trajectories.distance_study.distance_study`: accuracy is held
        against each of them too.
    covariates
        As there.
    diagonal
        Count S = T too, as the paper does. Tuned and judged in one language, those pairs score
        high by themselves. Permutations keep them on the diagonal, so that ``p`` is honest of
        this; ``r`` is not, and ``crossed`` is without them.

    Returns
    -------
    Over (layer): ``value``, Spearman's r of Φ and accuracy, ``pearson``, ``p``, ``p_holm``,
    ``detectable``, ``partial``, … as in the distance study, and ``mean``, ``mean_p`` and
    ``mean_detectable`` of the layers' mean; ``crossed``, ``crossed_p`` and ``crossed_detectable``
    over S ≠ T alone. With ``distances``, over (distance): ``transfer``, ``transfer_p`` and
    ``transfer_detectable``, accuracy against each. ``chance`` 0. NaN for fewer than three
    languages and where Φ lacks a pair.

    Raises
    ------
    ValueError
        For what the distance study refuses, and for accuracies that lack a pair or lie outside
        0–1, naming the pair.

    References
    ----------
    Philippy et al. 2023: (b) Φ against accuracy and (c) accuracy against distance, S = T
    included. Alignment is necessary for transfer and not sufficient: no correlation here shows
    that one causes the other.
    """
    table = pairs_of(phi, variable)
    if "step" in table.dims:
        raise ValueError("got a series of steps; expected Φ between two of them")
    languages = table["lang_a"].values.tolist()
    reached = _accuracies(accuracy, languages)
    correlate = partial(
        pair_correlations,
        covariates=matched(covariates or {}, languages),
        permutations=permutations,
        seed=seed,
    )

    def against(*, itself: bool) -> xr.Dataset:
        """Φ and accuracy in each layer, S = T included or not."""
        own = partial(correlate, distances={"accuracy": reached}, diagonal=itself)
        return studied(table, own).isel(distance=0, drop=True)

    result = against(itself=diagonal)
    result = result.merge(against(itself=False)[list(CROSSED)].rename(CROSSED))
    if distances:
        kinds = matched(distances, languages)
        found = correlate(reached, distances=kinds, diagonal=diagonal)
        result = result.assign_coords(distance=list(kinds)).assign(
            {name: ("distance", found[column].to_numpy()) for name, column in TRANSFER.items()}
        )
    result = result.assign(chance=0.0).assign_attrs(
        nodes=len(languages),
        covariates=", ".join(covariates or {}),
        diagonal=int(diagonal),
        permutations=permutations,
    )
    axes.check(result, "layer")
    return with_coords(result, table)


def _accuracies(given: pd.DataFrame, languages: list[str]) -> NDArray[np.float64]:
    """``(S, T)`` in the order of the languages."""
    table = given.reindex(index=languages, columns=languages).to_numpy(dtype=float)
    bad = np.argwhere(~((table >= 0) & (table <= 1)))
    if len(bad):
        source, target = bad[0]
        raise ValueError(
            f"got accuracy {table[source, target]:g} from {languages[source]} to "
            f"{languages[target]}; expected a fraction from 0 to 1 for every pair"
        )
    return table
