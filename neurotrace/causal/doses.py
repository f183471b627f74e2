"""Dose and response of an interchange: does a larger change do more, and only the experts'?"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurotrace.capture import HookedModel
from neurotrace.causal.arms import Arms
from neurotrace.causal.ingredients import Experts, Source
from neurotrace.causal.interchange import common
from neurotrace.causal.materials import Materials
from neurotrace.causal.stage import Arm, Stage
from neurotrace.causal.use import node_draws
from neurotrace.nodes import interval

DOSES = (0.25, 0.5, 1.0)
ARMS = ("experts", "random_matched")


def interchange_doses(
    model: HookedModel,
    experts: Experts,
    source: Source,
    target: Materials,
    *,
    doses: Sequence[float] = DOSES,
    frames_per_language: int = 4,
    replicates: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
    batch_rows: int = 4096,
) -> xr.Dataset:
    """Effects of changes of fixed strengths, for the experts and as many random neurons.

    The change of each token and layer keeps its direction and gets the size dose · ‖residual
    stream‖, that of the unforced frame after the same layer. The outcome is that of
    :func:`neurotrace.causal.interchange`.

    Parameters
    ----------
    doses
        Strengths, as shares of the residual stream's norm.

    Returns
    -------
    Over (arm, dose): ``across`` and ``within`` in nats, with ``_low`` and ``_high``;
    ``chance`` (dose), across of ``random_matched``.

    Raises
    ------
    ValueError
        For a dose that is not above 0, or ingredients that do not fit.
    """
    if not doses or min(doses) <= 0:
        raise ValueError(f"got doses {list(doses)}; expected strengths above 0")
    languages, concepts = common(model, experts, source, target)
    makers = Arms(experts, source, None, frames_per_language, seed, model.device)
    given = [Arm(name, makers.change(name), float(dose)) for name in ARMS for dose in doses]
    stage = Stage(model, experts, target, given, frames_per_language, batch_rows)
    flat = stage.effects(concepts, languages)["value"].values
    value = xr.DataArray(
        flat.reshape(len(ARMS), len(doses), *flat.shape[1:]),
        dims=("arm", "dose", "concept", "lang_a", "lang_b"),
        coords={"arm": list(ARMS), "dose": np.array(doses, dtype=float)},
    )
    draws = node_draws(value, replicates=replicates, seed=seed)
    result = xr.Dataset(attrs={"unit": "nats", "alpha": alpha, "replicates": replicates})
    for name in ("across", "within"):
        result[name] = draws[name].isel(replicate=0)
        result[f"{name}_low"], result[f"{name}_high"] = interval(draws[name], alpha=alpha)
    result["chance"] = result["across"].sel(arm="random_matched", drop=True)
    return result
